//! A POSIX semaphore in shared memory, as a wake-up between two processes.
//!
//! It is never a lock and never a count of anything: a holder that dies would keep it for ever.
//! The supervisor only posts; only a worker waits.

use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::ring::Words;

/// How many words the semaphore takes.
pub const SEMAPHORE_WORDS: usize = size_of::<libc::sem_t>().div_ceil(size_of::<u64>());

/// The words that posts and waits change; the others keep what the initialisation wrote.
const CHANGING_WORDS: usize = 1;

const _: () = assert!(align_of::<libc::sem_t>() <= align_of::<AtomicU64>());

/// A semaphore at a place in a memory.
#[derive(Debug)]
pub struct SharedSemaphore<M> {
    memory: Rc<M>,
    start: usize,
    /// What the words that never change must hold.
    constant: [u64; SEMAPHORE_WORDS],
}

impl<M: Words> SharedSemaphore<M> {
    /// Makes the semaphore at word `start`, with nothing posted.
    pub fn create(memory: Rc<M>, start: usize) -> io::Result<Self> {
        let place = place(&*memory, start)?;
        // SAFETY: `place` has the size and alignment of a semaphore; no other process knows it yet.
        let result = unsafe { libc::sem_init(pointer(place), 1, 0) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        Self::open(memory, start)
    }

    /// The semaphore that another process has made at word `start`.
    pub fn open(memory: Rc<M>, start: usize) -> io::Result<Self> {
        let place = place(&*memory, start)?;
        let constant = std::array::from_fn(|at| place[at].load(Ordering::Relaxed));
        Ok(Self { memory, start, constant })
    }

    /// Wakes a waiter, or the next one. Never waits.
    ///
    /// `InvalidData`: the peer has overwritten the semaphore. The C library ends the process when
    /// it finds one with impossible flags, so they are looked at first.
    pub fn post(&self) -> io::Result<()> {
        let place = place(&*self.memory, self.start)?;
        let intact = (CHANGING_WORDS..SEMAPHORE_WORDS)
            .all(|at| place[at].load(Ordering::Relaxed) == self.constant[at]);
        if !intact {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "post a semaphore that was overwritten"));
        }
        // SAFETY: `place` has the size and alignment of a semaphore and stays mapped; posting
        // changes its count and wakes by its address, whatever bits the count has.
        let result = unsafe { libc::sem_post(pointer(place)) };
        if result == 0 {
            return Ok(());
        }
        match io::Error::last_os_error() {
            // More posts than can be counted: nobody is waiting.
            error if error.raw_os_error() == Some(libc::EOVERFLOW) => Ok(()),
            error => Err(error),
        }
    }

    /// Waits for a post and takes it. A signal does not end the wait.
    pub fn wait(&self) -> io::Result<()> {
        let place = place(&*self.memory, self.start)?;
        loop {
            // SAFETY: as in `post`.
            let result = unsafe { libc::sem_wait(pointer(place)) };
            if result == 0 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
}

fn place(memory: &impl Words, start: usize) -> io::Result<&[AtomicU64]> {
    let end = start.saturating_add(SEMAPHORE_WORDS);
    let outside = || io::Error::new(io::ErrorKind::InvalidInput, "place a semaphore in so small a segment");
    memory.words().get(start..end).ok_or_else(outside)
}

/// What lies behind the pointer may be changed through it: atomics allow that.
fn pointer(place: &[AtomicU64]) -> *mut libc::sem_t {
    place.as_ptr().cast_mut().cast()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shm::Segment;

    #[test]
    fn a_post_ends_a_wait_in_another_mapping() {
        let (segment, fd) = Segment::create("tally-test", 4096).unwrap();
        let ours = SharedSemaphore::create(Rc::new(segment), 16).unwrap();
        let waiter = std::thread::spawn(move || {
            let segment = Segment::open(&fd, 4096).unwrap();
            let theirs = SharedSemaphore::open(Rc::new(segment), 16).unwrap();
            theirs.wait().unwrap();
            theirs.wait().unwrap();
        });
        ours.post().unwrap();
        ours.post().unwrap();
        waiter.join().unwrap();
    }

    #[test]
    fn an_overwritten_semaphore_is_not_posted() {
        let (segment, _fd) = Segment::create("tally-test", 4096).unwrap();
        let memory = Rc::new(segment);
        let semaphore = SharedSemaphore::create(Rc::clone(&memory), 0).unwrap();
        memory.words()[0].store(u64::MAX, Ordering::Relaxed);
        semaphore.post().unwrap();
        memory.words()[1].store(0xdead_beef, Ordering::Relaxed);
        assert_eq!(semaphore.post().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_place_outside_the_memory_is_refused() {
        let (segment, _fd) = Segment::create("tally-test", 4096).unwrap();
        let memory = Rc::new(segment);
        assert!(SharedSemaphore::create(Rc::clone(&memory), 509).is_err());
        assert!(SharedSemaphore::open(memory, usize::MAX).is_err());
    }
}
