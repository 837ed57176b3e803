//! Locks, semaphores, monitors and buffers over words that processes share.
//!
//! Each primitive is a view of a few [`Word`]s that the caller has laid out, in a shared segment or anywhere else. No
//! pointer, no reference and no Rust object ever lies in the shared memory, and a peer that writes garbage into the
//! words can break the promise of a primitive but nothing else: every index read from them is checked.
//!
//! What each promises. *Exclusion*: never two inside. *Progress*: if nobody is inside, somebody gets in. *Bounded
//! waiting*: only so many others go first. The last column is what remains when a holder is killed inside.
//!
//! | primitive | exclusion | progress | bounded waiting | a holder is killed |
//! |---|---|---|---|---|
//! | [`TestAndSetLock`] | yes | yes | no | held for ever |
//! | [`BoundedTestAndSetLock`] | yes | yes | yes: n - 1 others | held for ever |
//! | [`SwapLock`] | yes | yes | no | held for ever |
//! | [`CompareAndSwapLock`] | yes | yes | no | held for ever; the word names the dead |
//! | [`TicketLock`] | yes | yes | yes: those who came before | held for ever; so it is when a waiter is killed |
//! | [`SpinThenBlockLock`] | yes | yes | no | held for ever |
//! | [`Semaphore`] | with one permit | yes | no | its permits are lost |
//! | [`Monitor`] | yes | yes | no | held for ever |
//! | [`ReadWriteLock`] | yes | yes | a writer: only the readers that were going in when it came | held for ever |
//! | [`Barrier`] | - | yes | - | the round never ends, if it had not come |
//! | [`SemaphoreBuffer`] | yes | yes | no | locked for ever, or one place less; no item comes twice |
//! | [`MonitorBuffer`] | yes | yes | no | locked for ever, or nothing is lost |
//!
//! That column is why nothing of tally's own that must survive a SIGKILL hangs on such a lock: its links need none
//! (one writer for each word), and its users' locks are held by the daemon for a connection, which the system closes.
//! Where a lock in memory must survive its holder there is the robust mutex of `tally_sys::robust`, with the kernel's help.
//!
//! Where to go next: `word` (what memory must offer), one file for each primitive, `tests/models.rs` (all of them
//! under loom), `tests/processes.rs` of the workspace (real processes, SIGKILL).
#![forbid(unsafe_code)]

mod barrier;
mod bounded;
mod buffer;
mod compare_and_swap;
mod monitor;
mod read_write;
mod semaphore;
mod spin_then_block;
mod swap;
mod test_and_set;
mod ticket;
mod word;

pub use barrier::Barrier;
pub use bounded::BoundedTestAndSetLock;
pub use buffer::{Corrupt, MonitorBuffer, SemaphoreBuffer};
pub use compare_and_swap::CompareAndSwapLock;
pub use monitor::{Condition, Monitor};
pub use read_write::ReadWriteLock;
pub use semaphore::Semaphore;
pub use spin_then_block::SpinThenBlockLock;
pub use swap::SwapLock;
pub use test_and_set::TestAndSetLock;
pub use ticket::TicketLock;
pub use word::{Spin, Woken, Word};

/// A lock that one process or thread at a time holds. Who releases must be who holds: nobody checks.
pub trait Lock {
    /// Waits until it is free and takes it.
    fn acquire(&self);
    /// Gives it to the next.
    fn release(&self);

    /// Runs `inside` while holding it. A panic inside releases it, too.
    fn with<T>(&self, inside: impl FnOnce() -> T) -> T
    where
        Self: Sized,
    {
        struct Held<'a, L: Lock>(&'a L);
        impl<L: Lock> Drop for Held<'_, L> {
            fn drop(&mut self) {
                self.0.release();
            }
        }
        self.acquire();
        let held = Held(self);
        let result = inside();
        drop(held);
        result
    }
}
