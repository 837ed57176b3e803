//! The counting semaphore; with one permit, the binary one.
//!
//! E. W. Dijkstra: Cooperating sequential processes (1965), P and V. The count is the truth; a second word says whether
//! anybody may be asleep, so that V without waiters costs no system call. No order among waiters. The permits of a
//! killed process are lost: nobody knows how many it had.

use std::time::Duration;

use crate::word::Left;
use crate::{Lock, Woken, Word};

/// A semaphore in two words: the permits that are left, and how many may be asleep.
#[derive(Debug)]
pub struct Semaphore<'a, W> {
    permits: &'a W,
    sleepers: &'a W,
}

impl<'a, W: Word> Semaphore<'a, W> {
    /// The semaphore in these words; zeros are "no permit" and "nobody asleep".
    pub fn new(permits: &'a W, sleepers: &'a W) -> Self {
        Self { permits, sleepers }
    }

    /// Permits that are left.
    pub fn permits(&self) -> u32 {
        self.permits.load()
    }

    /// P: takes a permit, waiting for one at most so long (`None`: for ever); whether it has one.
    pub fn take(&self, timeout: Option<Duration>) -> bool {
        if self.try_take() {
            return true;
        }
        self.sleepers.add(1);
        let taken = self.sleep(Left::of(timeout));
        self.sleepers.add(1_u32.wrapping_neg());
        taken
    }

    fn sleep(&self, left: Left) -> bool {
        loop {
            if self.try_take() {
                return true;
            }
            let Ok(left) = left.now() else { return false };
            if self.permits.wait(0, left) == Woken::TimedOut {
                return self.try_take();
            }
        }
    }

    /// Takes a permit if there is one; whether there was.
    pub fn try_take(&self) -> bool {
        let mut permits = self.permits.load();
        while permits > 0 {
            match self.permits.compare_exchange(permits, permits - 1) {
                Ok(_) => return true,
                Err(now) => permits = now,
            }
        }
        false
    }

    /// V: gives a permit back, or a new one; at most 2^32 - 1 are kept.
    pub fn give(&self) {
        let mut permits = self.permits.load();
        while permits < u32::MAX {
            match self.permits.compare_exchange(permits, permits + 1) {
                Ok(_) => break,
                Err(now) => permits = now,
            }
        }
        // After the permit: one who has counted itself before it looked in vain is seen here.
        if self.sleepers.load() > 0 {
            self.permits.wake(1);
        }
    }
}

/// A binary semaphore is a lock. It must have been given its one permit.
impl<W: Word> Lock for Semaphore<'_, W> {
    fn acquire(&self) {
        self.take(None);
    }

    fn release(&self) {
        self.give();
    }
}
