//! Quiet threads: those beside which a process may fork.
//!
//! A fork copies one thread; what the others hold locked stays locked in the child for ever. A quiet thread takes no lock
//! that the child could ever ask for: it works on what it owns and on its own queues, logs nothing, prints nothing and
//! touches no global state. (Memory is no matter: the C library makes its allocator whole in the child.) Whoever starts
//! one vouches for that; a child never uses what it shares with one.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;

/// How many there are in this process.
static QUIET: AtomicU32 = AtomicU32::new(0);

/// A running quiet thread. Join it: one that was let go is counted for as long as the process lives.
#[derive(Debug)]
pub struct QuietThread<T>(JoinHandle<T>);

impl<T: Send + 'static> QuietThread<T> {
    /// Starts one with a name of at most 15 bytes.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(name: &str, body: impl FnOnce() -> T + Send + 'static) -> io::Result<Self> {
        QUIET.fetch_add(1, Ordering::Relaxed);
        let started = std::thread::Builder::new().name(name.to_owned()).spawn(body);
        started.map(Self).inspect_err(|_| {
            QUIET.fetch_sub(1, Ordering::Relaxed);
        })
    }

    /// Whether it has ended.
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    /// Waits for its end and what it returns; `None` if it panicked.
    pub fn join(self) -> Option<T> {
        let result = self.0.join().ok();
        QUIET.fetch_sub(1, Ordering::Relaxed);
        result
    }
}

/// How many quiet threads this process has.
pub(super) fn count() -> u32 {
    QUIET.load(Ordering::Relaxed)
}

/// In a forked child: the threads are the parent's.
pub(super) fn forget() {
    QUIET.store(0, Ordering::Relaxed);
}
