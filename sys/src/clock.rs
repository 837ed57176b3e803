//! The only place that asks the system for the time.
//!
//! Everything else is given the time as a number. Deadlines are counted on the monotonic clock;
//! the wall clock is for people and for files that outlive a process, never for a wait.

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Nanoseconds on the monotonic clock since an unspecified start, the same for every process of
/// this boot. It does not move while the machine is suspended and never goes back.
pub fn monotonic_ns() -> u64 {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::Monotonic);
    unsigned(tv_sec).saturating_mul(1_000_000_000).saturating_add(unsigned(tv_nsec))
}

/// Milliseconds since the Unix epoch; 0 for a clock set before 1970.
pub fn wall_ms() -> u64 {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::Realtime);
    let now = unsigned(tv_sec).saturating_mul(1_000).saturating_add(unsigned(tv_nsec) / 1_000_000);
    now.saturating_add_signed(offset_ms())
}

/// By how much the wall clock is wrong, as a test has it: `TALLY_TEST_WALL_OFFSET_MS`. In other builds it is right.
#[cfg(feature = "crash-points")]
fn offset_ms() -> i64 {
    std::env::var("TALLY_TEST_WALL_OFFSET_MS").ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The wall clock is right in this build.
#[cfg(not(feature = "crash-points"))]
#[inline(always)]
fn offset_ms() -> i64 {
    0
}

/// A part of a time stamp; a negative one (a clock before 1970) counts as 0.
fn unsigned(part: i64) -> u64 {
    u64::try_from(part).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monotonic_clock_never_goes_back() {
        let mut last = monotonic_ns();
        for _ in 0..1_000 {
            let now = monotonic_ns();
            assert!(now >= last, "{now} came after {last}");
            last = now;
        }
        assert_ne!(last, 0);
    }

    #[test]
    fn the_wall_clock_counts_milliseconds_since_1970() {
        // Between 2024 and 2100: wrong units would be off by a factor of a thousand.
        let now = wall_ms();
        assert!((1_700_000_000_000..4_100_000_000_000).contains(&now), "{now}");
    }
}
