//! The monitor: a lock and conditions to wait for under it.
//!
//! C. A. R. Hoare: Monitors (1974), with the rules of Mesa (B. Lampson, D. Redell, 1980), which everybody uses today: a
//! signal is a hint, and one who was woken looks at its condition again, in a loop, because others may have been faster.
//! A killed process leaves the monitor locked for ever if it was inside; one that waited costs nothing but a signal.

use std::time::Duration;

use crate::{Lock, SpinThenBlockLock, Woken, Word};

/// The lock of a monitor.
#[derive(Debug)]
pub struct Monitor<'a, W> {
    lock: SpinThenBlockLock<'a, W>,
}

/// Something to wait for under a monitor's lock.
#[derive(Debug)]
pub struct Condition<'a, W> {
    /// Counts the signals, so that one between leaving the lock and falling asleep is not missed.
    signals: &'a W,
}

impl<'a, W: Word> Monitor<'a, W> {
    /// The monitor whose lock is in this word; zero is free.
    pub fn new(word: &'a W) -> Self {
        Self { lock: SpinThenBlockLock::new(word) }
    }

    /// Leaves the monitor, sleeps until `condition` is signalled (or `timeout` has passed), and enters it again. The
    /// caller is inside, and looks again at what it waited for.
    pub fn wait(&self, condition: &Condition<'_, W>, timeout: Option<Duration>) -> Woken {
        let seen = condition.signals.load();
        self.release();
        let woken = condition.signals.wait(seen, timeout);
        self.acquire();
        woken
    }

    /// Waits inside until `is_met`.
    pub fn wait_until(&self, condition: &Condition<'_, W>, mut is_met: impl FnMut() -> bool) {
        while !is_met() {
            self.wait(condition, None);
        }
    }
}

impl<W: Word> Lock for Monitor<'_, W> {
    fn acquire(&self) {
        self.lock.acquire();
    }

    fn release(&self) {
        self.lock.release();
    }
}

impl<'a, W: Word> Condition<'a, W> {
    /// The condition in this word.
    pub fn new(signals: &'a W) -> Self {
        Self { signals }
    }

    /// Wakes one who waits, if there is one. The caller is inside.
    pub fn signal(&self) {
        self.signals.add(1);
        self.signals.wake(1);
    }

    /// Wakes all who wait. The caller is inside.
    pub fn broadcast(&self) {
        self.signals.add(1);
        self.signals.wake(u32::MAX);
    }
}
