//! Sleeping on a word of memory that other processes may share, and waking those who sleep.

use std::num::NonZeroU32;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use rustix::io::Errno;
use rustix::thread::futex::{self, Flags};

/// Sleeps while `word` holds `expected`, until it is woken or `timeout` (`None`: for ever) has passed; false when the
/// time has passed. It may return early: the caller looks at the word again.
pub fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) -> bool {
    let timeout = timeout.map(|span| futex::Timespec {
        tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: span.subsec_nanos().into(),
    });
    // Not a private futex: sleepers and wakers may be different processes. Any other error says "look again": the word
    // had changed, a signal came.
    futex::wait(word, Flags::empty(), expected, timeout.as_ref()) != Err(Errno::TIMEDOUT)
}

/// The same for one of a group, a number from 0 to 31, who is woken with that group only.
pub fn wait_as(word: &AtomicU32, expected: u32, group: u32) {
    // Whatever it returns, the caller looks at the word again.
    futex::wait_bitset(word, Flags::empty(), expected, None, bit(group)).ok();
}

/// Wakes all of a group who sleep on `word`.
pub fn wake_group(word: &AtomicU32, group: u32) {
    // It fails for words that are none only.
    futex::wake_bitset(word, Flags::empty(), i32::MAX.unsigned_abs(), bit(group)).ok();
}

/// The bit of a group.
fn bit(group: u32) -> NonZeroU32 {
    NonZeroU32::new(1 << (group % 32)).unwrap_or(NonZeroU32::MIN)
}

/// Wakes as many of those who sleep on `word`.
pub fn wake(word: &AtomicU32, sleepers: u32) {
    // It fails for words that are none only.
    futex::wake(word, Flags::empty(), sleepers.min(i32::MAX.unsigned_abs())).ok();
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn a_changed_word_is_not_slept_on() {
        assert!(wait(&AtomicU32::new(1), 0, None));
    }

    #[test]
    fn time_passes() {
        assert!(!wait(&AtomicU32::new(0), 0, Some(Duration::from_millis(1))));
    }

    #[test]
    fn a_sleeper_is_woken_with_its_group() {
        let (word, other) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            let sleep = |group: u32| {
                let (word, other) = (&word, &other);
                move || {
                    while word.load(Ordering::SeqCst) & (1 << group) == 0 {
                        wait_as(word, word.load(Ordering::SeqCst) & !(1 << group), group);
                    }
                    other.fetch_add(1, Ordering::SeqCst);
                }
            };
            let sleepers = [scope.spawn(sleep(3)), scope.spawn(sleep(31))];
            for (group, sleeper) in [3, 31].into_iter().zip(sleepers) {
                word.fetch_or(1 << group, Ordering::SeqCst);
                wake_group(&word, group);
                sleeper.join().expect("it wakes");
            }
            assert_eq!(other.load(Ordering::SeqCst), 2);
        });
    }

    #[test]
    fn a_sleeper_is_woken() {
        let word = AtomicU32::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while word.load(Ordering::SeqCst) == 0 {
                    wait(&word, 0, None);
                }
            });
            word.store(1, Ordering::SeqCst);
            wake(&word, 1);
        });
    }
}
