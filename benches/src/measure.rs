//! Times and what is said of them.

use tally_sys::clock;

/// Seconds that `work` takes.
pub(crate) fn seconds(work: impl FnOnce()) -> f64 {
    let begun = clock::monotonic_ns();
    work();
    (clock::monotonic_ns() - begun) as f64 / 1e9
}

/// The value below which `part` (0 to 1) of the values lie.
pub(crate) fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index within the list")]
    let index = ((values.len() - 1) as f64 * part).round() as usize;
    values[index]
}

pub(crate) fn median(values: &mut [f64]) -> f64 {
    quantile(values, 0.5)
}

/// One line: what was measured, the ratio, the goal.
pub(crate) fn say(what: &str, ratio: f64, goal: &str) {
    println!("{what}: ratio {ratio:.2} (goal {goal})");
}
