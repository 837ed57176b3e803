//! A mutex in shared memory that cannot be lost with its holder: the next one learns that the holder died.
//!
//! POSIX robust mutex, process-shared and error-checking. The kernel walks a list of what a dying thread holds and marks
//! each (`EOWNERDEAD`). All who use one trust each other: a peer that writes over it can make the C library fail, so
//! tally's own links use none.

use std::cell::UnsafeCell;
use std::io;
use std::mem::MaybeUninit;
use std::rc::Rc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::clock;
use crate::ring::Words;

/// How many words the mutex takes.
pub const ROBUST_WORDS: usize = size_of::<libc::pthread_mutex_t>().div_ceil(size_of::<u64>());

const _: () = assert!(align_of::<libc::pthread_mutex_t>() <= align_of::<AtomicU64>());

/// How a mutex was found by the one who got it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Its last holder released it.
    Released,
    /// Its last holder died inside. What it guards may be half done; the new holder puts that right and then releases
    /// it as usual.
    Abandoned,
}

/// A mutex at a place in a memory, for one thread of each process.
#[derive(Debug)]
pub struct RobustMutex<M> {
    memory: Rc<M>,
    start: usize,
}

impl<M: Words> RobustMutex<M> {
    /// Makes the mutex at word `start`, free. No other process knows the place yet.
    ///
    /// # Errors
    /// When the place is outside the memory.
    pub fn create(memory: Rc<M>, start: usize) -> io::Result<Self> {
        let mutex = Self::open(memory, start)?;
        let attributes = Attributes::new()?;
        // SAFETY: the place has the size and alignment of a mutex, and nobody uses it yet.
        check(unsafe { libc::pthread_mutex_init(mutex.pointer(), attributes.0.get().cast()) })?;
        Ok(mutex)
    }

    /// The mutex that another process has made at word `start`.
    ///
    /// # Errors
    /// When the place is outside the memory.
    pub fn open(memory: Rc<M>, start: usize) -> io::Result<Self> {
        let end = start.saturating_add(ROBUST_WORDS);
        if memory.words().get(start..end).is_none() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "place a mutex in so small a segment"));
        }
        Ok(Self { memory, start })
    }

    /// Waits until it is free, at most for `timeout` (`None`: for ever), and takes it.
    ///
    /// # Errors
    /// `TimedOut`; or what the C library finds wrong, such as a thread that holds it already.
    pub fn acquire(&self, timeout: Option<Duration>) -> io::Result<Found> {
        let result = match timeout {
            // SAFETY: a mutex that `create` made lies there as long as the memory does.
            None => unsafe { libc::pthread_mutex_lock(self.pointer()) },
            Some(timeout) => {
                let until = deadline(timeout);
                // SAFETY: as above, and a time that is one.
                unsafe { libc::pthread_mutex_timedlock(self.pointer(), &raw const until) }
            }
        };
        if result != libc::EOWNERDEAD {
            return check(result).map(|()| Found::Released);
        }
        // SAFETY: this thread has just got it in the state that asks for this.
        check(unsafe { libc::pthread_mutex_consistent(self.pointer()) })?;
        Ok(Found::Abandoned)
    }

    /// Gives it to the next.
    ///
    /// # Errors
    /// When this thread does not hold it.
    pub fn release(&self) -> io::Result<()> {
        // SAFETY: a mutex that `create` made lies there as long as the memory does.
        check(unsafe { libc::pthread_mutex_unlock(self.pointer()) })
    }

    /// What lies behind it may be changed through it: atomics allow that.
    fn pointer(&self) -> *mut libc::pthread_mutex_t {
        // The place was checked by `open`, and a memory never gets smaller.
        self.memory.words()[self.start..].as_ptr().cast_mut().cast()
    }
}

/// The C library counts to a time of day.
fn deadline(timeout: Duration) -> libc::timespec {
    let now = Duration::from_millis(clock::wall_ms().saturating_add(1));
    let until = now.saturating_add(timeout);
    libc::timespec {
        tv_sec: libc::time_t::try_from(until.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: until.subsec_nanos().into(),
    }
}

/// Process-shared, robust, error-checking.
struct Attributes(UnsafeCell<MaybeUninit<libc::pthread_mutexattr_t>>);

impl Attributes {
    fn new() -> io::Result<Self> {
        let attributes = Self(UnsafeCell::new(MaybeUninit::uninit()));
        let pointer: *mut libc::pthread_mutexattr_t = attributes.0.get().cast();
        // SAFETY: room for attributes.
        check(unsafe { libc::pthread_mutexattr_init(pointer) })?;
        // SAFETY: attributes made by the line above, here and in the next two.
        check(unsafe { libc::pthread_mutexattr_setpshared(pointer, libc::PTHREAD_PROCESS_SHARED) })?;
        // SAFETY: as above.
        check(unsafe { libc::pthread_mutexattr_setrobust(pointer, libc::PTHREAD_MUTEX_ROBUST) })?;
        // SAFETY: as above.
        check(unsafe { libc::pthread_mutexattr_settype(pointer, libc::PTHREAD_MUTEX_ERRORCHECK) })?;
        Ok(attributes)
    }
}

fn check(result: i32) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(result)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shm::Segment;

    fn mutex() -> RobustMutex<Segment> {
        let (segment, _fd) = Segment::create("tally-test", 4096).unwrap();
        RobustMutex::create(Rc::new(segment), 8).unwrap()
    }

    #[test]
    fn it_is_taken_and_released() {
        let mutex = mutex();
        assert_eq!(mutex.acquire(None).unwrap(), Found::Released);
        assert!(mutex.acquire(None).is_err(), "taken twice by one thread");
        mutex.release().unwrap();
        assert!(mutex.release().is_err(), "released by one who does not hold it");
    }

    #[test]
    fn a_held_one_times_out() {
        let (segment, fd) = Segment::create("tally-test", 4096).unwrap();
        let ours = RobustMutex::create(Rc::new(segment), 0).unwrap();
        ours.acquire(None).unwrap();
        std::thread::spawn(move || {
            let theirs = RobustMutex::open(Rc::new(Segment::open(&fd, 4096).unwrap()), 0).unwrap();
            let error = theirs.acquire(Some(Duration::from_millis(1))).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        })
        .join()
        .unwrap();
    }

    #[test]
    fn the_next_one_learns_of_a_death_inside() {
        let (segment, fd) = Segment::create("tally-test", 4096).unwrap();
        let ours = RobustMutex::create(Rc::new(segment), 0).unwrap();
        // A thread that ends while it holds it is to the kernel what a killed process is.
        std::thread::spawn(move || {
            let segment = Rc::new(Segment::open(&fd, 4096).unwrap());
            let theirs = RobustMutex::open(Rc::clone(&segment), 0).unwrap();
            theirs.acquire(None).unwrap();
            // The mapping must outlive the thread, or the kernel finds nothing to mark.
            std::mem::forget(segment);
        })
        .join()
        .unwrap();
        assert_eq!(ours.acquire(None).unwrap(), Found::Abandoned);
        ours.release().unwrap();
        assert_eq!(ours.acquire(None).unwrap(), Found::Released);
    }

    #[test]
    fn a_place_outside_the_memory_is_refused() {
        let (segment, _fd) = Segment::create("tally-test", 4096).unwrap();
        assert!(RobustMutex::open(Rc::new(segment), 508).is_err());
    }
}
