//! A lock that spins a little and then sleeps.
//!
//! U. Drepper: Futexes Are Tricky (2011), the third mutex: free, held, held with somebody asleep. Short waits cost no
//! system call, long ones no processor. No bounded waiting: a newcomer may overtake one who is being woken. A killed
//! holder leaves it locked for ever.

use std::time::Duration;

use crate::word::Left;
use crate::{Lock, Spin, Woken, Word};

const FREE: u32 = 0;
const HELD: u32 = 1;
const AWAITED: u32 = 2;

/// Looks before sleeping.
const SPINS: u32 = 100;

/// A sleeping lock in one word; zero is free.
#[derive(Debug)]
pub struct SpinThenBlockLock<'a, W> {
    word: &'a W,
    spins: u32,
}

impl<'a, W: Word> SpinThenBlockLock<'a, W> {
    /// The lock in this word.
    pub fn new(word: &'a W) -> Self {
        Self::with_spins(word, SPINS)
    }

    /// The lock in this word, with another number of looks before the sleep; 0 sleeps at once.
    pub fn with_spins(word: &'a W, spins: u32) -> Self {
        Self { word, spins }
    }

    /// Takes it if it is free; whether it was.
    pub fn try_acquire(&self) -> bool {
        self.word.compare_exchange(FREE, HELD).is_ok()
    }

    /// Waits at most so long; whether it was taken.
    pub fn acquire_within(&self, timeout: Duration) -> bool {
        self.take(Left::of(Some(timeout)))
    }

    fn take(&self, left: Left) -> bool {
        let mut spin = Spin::default();
        for _ in 0..self.spins {
            if self.try_acquire() {
                return true;
            }
            self.word.relax(&mut spin);
        }
        if self.try_acquire() {
            return true;
        }
        // From here on it is marked as awaited even if we get it at once: we cannot know who else sleeps.
        while self.word.swap(AWAITED) != FREE {
            let Ok(left) = left.now() else { return false };
            if self.word.wait(AWAITED, left) == Woken::TimedOut && self.word.load() != FREE {
                return false;
            }
        }
        true
    }
}

impl<W: Word> Lock for SpinThenBlockLock<'_, W> {
    fn acquire(&self) {
        self.take(Left::of(None));
    }

    fn release(&self) {
        if self.word.swap(FREE) == AWAITED {
            self.word.wake(1);
        }
    }
}
