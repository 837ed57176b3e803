//! Folds an integer progression: generates its elements block by block and hands each block to the kernels.
//!
//! The elements are really generated and really read. A block passes through `black_box` before it is folded,
//! so the compiler cannot see that its contents form a progression and replace the loop by a formula.

use std::hint::black_box;

use crate::Integer;
use crate::basis::Basis;
use crate::indices::Indices;
use crate::lanes::{LANES, Lane, absorb_big};
use crate::runs::{Run, Width, runs, wrapped};

/// Folds `count` elements `first`, `first + step`, ...; false if `keep_going` said so.
pub(crate) fn fold(
    basis: &mut Basis,
    first: &Integer,
    step: &Integer,
    count: u64,
    indices: Indices<'_>,
    keep_going: &mut dyn FnMut(u64) -> bool,
) -> bool {
    let mut pace = Pace { done: 0, asked_at: 0, count, indices, keep_going };
    runs(first, step, count).iter().all(|run| match run.width {
        Width::Narrow => fold_lanes::<i64>(basis, run, step, &mut pace),
        Width::Wide => fold_lanes::<i128>(basis, run, step, &mut pace),
        Width::Big => fold_big(basis, run, step, &mut pace),
    })
}

/// Asks whether to go on, at least about once a millisecond.
struct Pace<'a> {
    done: u64,
    asked_at: u64,
    count: u64,
    indices: Indices<'a>,
    keep_going: &'a mut dyn FnMut(u64) -> bool,
}

impl Pace<'_> {
    /// Counts `more` elements; false to stop. Not asked after the last element: then there is nothing to stop.
    fn advance(&mut self, more: u64, every: u64) -> bool {
        self.done += more;
        if self.done - self.asked_at < every || self.done == self.count {
            return true;
        }
        self.asked_at = self.done;
        (self.keep_going)(self.done)
    }
}

/// A block, on the borders of cache lines so that no vector straddles two.
#[repr(align(64))]
struct Block<L>([L; LANES]);

/// Elements between two questions, for a rough millisecond at most.
fn elements_per_question(basis: &Basis, run: &Run) -> u64 {
    // A factor costs about half a microsecond once its share of the large multiplications is counted.
    const PRODUCT: u64 = 2 * 1024;
    const BLOCKS: u64 = 64 * 1024;
    match run.width {
        _ if basis.product.is_some() => PRODUCT,
        Width::Narrow => BLOCKS,
        Width::Wide => BLOCKS / 4,
        Width::Big => PRODUCT,
    }
}

fn fold_lanes<L: Lane>(basis: &mut Basis, run: &Run, step: &Integer, pace: &mut Pace<'_>) -> bool {
    let every = elements_per_question(basis, run);
    // Modulo the width everything is exact, since the elements themselves fit; a step that does not fit, or a
    // lane past the end of the run, may wrap and is harmless.
    let step = L::truncate(wrapped(step));
    let mut block = Block([L::ZERO; LANES]);
    let mut value = L::truncate(wrapped(&run.first));
    let mut stride = L::ZERO;
    for lane in &mut block.0 {
        *lane = value;
        value = value.plus(step);
        stride = stride.plus(step);
    }
    let mut left = run.count;
    while left > 0 {
        black_box(&mut block);
        let used = usize::try_from(left).map_or(LANES, |left| left.min(LANES));
        let block_used = &block.0[..used];
        L::absorb(block_used, L::bound(block_used), pace.indices.after(pace.done), basis);
        left -= used as u64;
        if !pace.advance(used as u64, every) {
            return false;
        }
        if left > 0 {
            for lane in &mut block.0 {
                *lane = lane.plus(stride);
            }
        }
    }
    true
}

fn fold_big(basis: &mut Basis, run: &Run, step: &Integer, pace: &mut Pace<'_>) -> bool {
    let words = run.first.as_sign_words().1.len().max(step.as_sign_words().1.len()) as u64;
    // Squares and products of long elements cost up to the square of their length.
    let every = (elements_per_question(basis, run) * 8 / words.saturating_mul(words).max(8)).max(1);
    let mut value = run.first.clone();
    for _ in 0..run.count {
        absorb_big(black_box(&value), pace.indices.after(pace.done).least(), basis);
        if !pace.advance(1, every) {
            return false;
        }
        value += step;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reduction;

    fn asked(reductions: &[Reduction], first: &Integer, count: u64, stop_after: usize) -> (bool, Vec<u64>) {
        let mut basis = Basis::identity(reductions);
        let mut asked = Vec::new();
        let finished = fold(&mut basis, first, &Integer::ONE, count, Indices::Unknown, &mut |done| {
            asked.push(done);
            asked.len() < stop_after
        });
        (finished, asked)
    }

    #[test]
    fn asks_at_a_steady_pace_and_never_at_the_end() {
        let (finished, asked) = asked(&[Reduction::Sum], &Integer::ZERO, 3 * 64 * 1024, usize::MAX);
        assert!(finished);
        assert_eq!(asked, [64 * 1024, 128 * 1024]);
    }

    #[test]
    fn stops_when_told() {
        let (finished, heard) = asked(&[Reduction::Sum], &Integer::ZERO, 10_000_000_000_000, 2);
        assert!(!finished);
        assert_eq!(heard, [64 * 1024, 128 * 1024]);
        for first in [Integer::ONE, Integer::from(i64::MAX), Integer::from(i128::MAX)] {
            for reduction in Reduction::ALL {
                let (finished, heard) = asked(&[reduction], &first, u64::MAX, 3);
                assert!(!finished);
                assert_eq!(heard.len(), 3);
                assert!(heard[2] <= 3 * 64 * 1024, "{heard:?}");
            }
        }
    }
}
