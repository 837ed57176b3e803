//! What memory must offer to be synchronised with: 32 bits, changed atomically, that one can sleep on.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use tally_sys::{clock, futex};

/// Looks at a word before the processor is given away.
const SPINS: u32 = 100;

/// A word that several processes or threads change.
///
/// All operations are sequentially consistent: these primitives are to be understood first, and a locked instruction
/// costs the same on the processors of today.
pub trait Word {
    /// What it holds.
    fn load(&self) -> u32;
    /// Makes it hold `value`.
    fn store(&self, value: u32);
    /// Makes it hold `value`, and what it held. This is TestAndSet when `value` is 1, and Swap in general.
    fn swap(&self, value: u32) -> u32;
    /// Makes it hold `new` if it holds `current`.
    ///
    /// # Errors
    /// What it holds instead.
    fn compare_exchange(&self, current: u32, new: u32) -> Result<u32, u32>;
    /// Adds, wrapping around, and what it held before.
    fn add(&self, more: u32) -> u32;
    /// Sleeps while it holds `expected`: until somebody wakes, or `timeout` has passed. It may return early.
    fn wait(&self, expected: u32, timeout: Option<Duration>) -> Woken;
    /// Wakes as many of those who sleep on it.
    fn wake(&self, sleepers: u32);
    /// Sleeps while it holds `expected`, until somebody wakes those of this group, a number from 0 to 31. It may return early.
    fn wait_as(&self, expected: u32, _group: u32) {
        self.wait(expected, None);
    }
    /// Wakes all of a group who sleep on it; perhaps others, too.
    fn wake_group(&self, _group: u32) {
        self.wake(u32::MAX);
    }
    /// Gives others a moment, in a loop that looks at a word again and again.
    fn relax(&self, spin: &mut Spin);
    /// Once looking has lasted, sleeps as one of a group; whoever changes the word must wake that group.
    fn doze_as(&self, expected: u32, group: u32, spin: &mut Spin) {
        if spin.is_long() {
            self.wait_as(expected, group);
        } else {
            std::hint::spin_loop();
        }
    }
}

/// Why a sleep on a word ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// Somebody woke it, or the word had changed, or for no reason: look again.
    Perhaps,
    /// The time has passed.
    TimedOut,
}

/// How often a loop has looked in vain.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spin {
    looks: u32,
}

impl Spin {
    /// Counts one more look in vain; whether it is time to give the processor away. Without that, on a machine with
    /// fewer processors than spinners, the holder would not run before the spinners' time slices are used up.
    pub fn is_long(&mut self) -> bool {
        self.looks = self.looks.wrapping_add(1);
        self.looks.is_multiple_of(SPINS)
    }
}

/// How much of a timeout is left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left {
    /// When it is over, by the system's clock; never, without one.
    until_ns: Option<u64>,
}

/// The time is over.
#[derive(Debug)]
pub(crate) struct Over;

impl Left {
    pub(crate) fn of(timeout: Option<Duration>) -> Self {
        let until = |timeout: Duration| {
            clock::monotonic_ns().saturating_add(u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX))
        };
        Self { until_ns: timeout.map(until) }
    }

    /// How long one may still sleep: for ever, without a timeout.
    pub(crate) fn now(self) -> Result<Option<Duration>, Over> {
        let Some(until) = self.until_ns else { return Ok(None) };
        let left = until.checked_sub(clock::monotonic_ns()).ok_or(Over)?;
        Ok(Some(Duration::from_nanos(left)))
    }
}

impl Word for AtomicU32 {
    fn load(&self) -> u32 {
        Self::load(self, Ordering::SeqCst)
    }

    fn store(&self, value: u32) {
        Self::store(self, value, Ordering::SeqCst);
    }

    fn swap(&self, value: u32) -> u32 {
        Self::swap(self, value, Ordering::SeqCst)
    }

    fn compare_exchange(&self, current: u32, new: u32) -> Result<u32, u32> {
        Self::compare_exchange(self, current, new, Ordering::SeqCst, Ordering::SeqCst)
    }

    fn add(&self, more: u32) -> u32 {
        self.fetch_add(more, Ordering::SeqCst)
    }

    fn wait(&self, expected: u32, timeout: Option<Duration>) -> Woken {
        if futex::wait(self, expected, timeout) { Woken::Perhaps } else { Woken::TimedOut }
    }

    fn wake(&self, sleepers: u32) {
        futex::wake(self, sleepers);
    }

    fn wait_as(&self, expected: u32, group: u32) {
        futex::wait_as(self, expected, group);
    }

    fn wake_group(&self, group: u32) {
        futex::wake_group(self, group);
    }

    fn relax(&self, spin: &mut Spin) {
        if spin.is_long() {
            thread::yield_now();
        } else {
            std::hint::spin_loop();
        }
    }
}
