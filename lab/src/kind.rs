//! The locks that are compared, by name.

use std::fmt;
use std::rc::Rc;
use std::sync::atomic::AtomicU32;

use tally_sync::{
    BoundedTestAndSetLock, CompareAndSwapLock, Lock, Semaphore, SpinThenBlockLock, SwapLock, TestAndSetLock,
    TicketLock,
};
use tally_sys::robust::RobustMutex;
use tally_sys::shm::Segment;

use crate::place::{LOCK, word};

/// How a critical section is guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// Not at all.
    None,
    /// TestAndSet in a loop.
    TestAndSet,
    /// TestAndSet where the one who leaves names the next.
    BoundedTestAndSet,
    /// Swap in a loop.
    Swap,
    /// Compare-and-swap in a loop.
    CompareAndSwap,
    /// Draw a number, wait until it is called.
    Ticket,
    /// Spin a little, then sleep.
    SpinThenBlock,
    /// A semaphore with one permit.
    Semaphore,
    /// A POSIX robust mutex.
    RobustMutex,
    /// No lock needed: the change itself is one atomic instruction.
    Atomic,
}

impl LockKind {
    /// All, in the order in which they are taught.
    pub const ALL: [Self; 10] = [
        Self::None,
        Self::TestAndSet,
        Self::BoundedTestAndSet,
        Self::Swap,
        Self::CompareAndSwap,
        Self::Ticket,
        Self::SpinThenBlock,
        Self::Semaphore,
        Self::RobustMutex,
        Self::Atomic,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::TestAndSet => "test-and-set",
            Self::BoundedTestAndSet => "bounded-test-and-set",
            Self::Swap => "swap",
            Self::CompareAndSwap => "compare-and-swap",
            Self::Ticket => "ticket",
            Self::SpinThenBlock => "spin-then-block",
            Self::Semaphore => "semaphore",
            Self::RobustMutex => "robust-mutex",
            Self::Atomic => "atomic",
        }
    }

    /// The lock of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether it lets one in at a time; without a lock nothing does, and an atomic needs none.
    pub(crate) fn excludes(self) -> bool {
        !matches!(self, Self::None | Self::Atomic)
    }

    /// Makes the words ready before the first process goes in.
    pub(crate) fn init(self, memory: &Rc<Segment>) -> std::io::Result<()> {
        match self {
            Self::Semaphore => {
                let (permits, sleepers) = pair(memory);
                Semaphore::new(permits, sleepers).give();
                Ok(())
            }
            Self::RobustMutex => RobustMutex::create(Rc::clone(memory), LOCK).map(drop),
            _ => Ok(()),
        }
    }

    /// The lock as process `me` of `processes` sees it.
    pub(crate) fn lock(self, memory: &Rc<Segment>, me: u32, processes: u32) -> Box<dyn Lock + '_> {
        let first = word(memory, LOCK);
        match self {
            Self::None | Self::Atomic => Box::new(NoLock),
            Self::TestAndSet => Box::new(TestAndSetLock::new(first)),
            Self::BoundedTestAndSet => {
                let places = usize::try_from(processes).unwrap_or(1);
                let waiting = &memory.halves()[LOCK + 16..LOCK + 16 + places];
                match BoundedTestAndSetLock::new(first, waiting, usize::try_from(me).unwrap_or(0)) {
                    Some(lock) => Box::new(lock),
                    // Every process has a place, so this is never built.
                    None => Box::new(TestAndSetLock::new(first)),
                }
            }
            Self::Swap => Box::new(SwapLock::new(first)),
            Self::CompareAndSwap => Box::new(CompareAndSwapLock::new(first, me + 1)),
            Self::Ticket => {
                let (next, called) = pair(memory);
                Box::new(TicketLock::new(next, called))
            }
            Self::SpinThenBlock => Box::new(SpinThenBlockLock::new(first)),
            Self::Semaphore => {
                let (permits, sleepers) = pair(memory);
                Box::new(Semaphore::new(permits, sleepers))
            }
            Self::RobustMutex => match RobustMutex::open(Rc::clone(memory), LOCK) {
                Ok(mutex) => Box::new(Robust(mutex)),
                // The segment is large enough, so this is never built.
                Err(_) => Box::new(TestAndSetLock::new(first)),
            },
        }
    }
}

impl fmt::Display for LockKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn pair(memory: &Segment) -> (&AtomicU32, &AtomicU32) {
    (word(memory, LOCK), word(memory, LOCK + 16))
}

/// What lets everybody in.
struct NoLock;

impl Lock for NoLock {
    fn acquire(&self) {}
    fn release(&self) {}
}

/// The robust mutex as a lock of this crate. What cannot be had ends the process, and so shows in the report.
struct Robust(RobustMutex<Segment>);

impl Lock for Robust {
    fn acquire(&self) {
        if let Err(why) = self.0.acquire(None) {
            panic!("could not take a robust mutex: {why}");
        }
    }

    fn release(&self) {
        if let Err(why) = self.0.release() {
            panic!("could not release a robust mutex: {why}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_kinds_fit_each_other() {
        for kind in LockKind::ALL {
            assert_eq!(LockKind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(LockKind::from_name("flock"), None);
    }

    #[test]
    fn every_kind_can_be_taken_again_and_again() {
        for kind in LockKind::ALL {
            let (memory, _fd) = Segment::create("tally-test", crate::place::BYTES).unwrap();
            let memory = Rc::new(memory);
            kind.init(&memory).unwrap();
            let lock = kind.lock(&memory, 1, 2);
            (0..3).for_each(|_| lock.acquire_and_release());
        }
    }

    trait Twice {
        fn acquire_and_release(&self);
    }

    impl Twice for Box<dyn Lock + '_> {
        fn acquire_and_release(&self) {
            self.acquire();
            self.release();
        }
    }
}
