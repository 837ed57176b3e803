//! Partials of the simulated workers: by the real fold where that is short, in closed form where it is not.

use tally_protocol::job::KernelSpec;
use tally_reduce::{Integer, Partial, Reduction};

/// Up to this many elements are really folded.
const SHORT: u64 = 64;

/// The partial of `count` elements from `position` on.
pub(super) fn partial(kernel: &KernelSpec, position: u64, count: u64) -> Partial {
    if count > SHORT && kernel.reductions == [Reduction::Sum] {
        return closed(&total(kernel, position, count), count);
    }
    let mut partial = Partial::identity(&kernel.reductions);
    for run in kernel.runs(position, count) {
        assert!(partial.absorb_progression(&run.first, &run.step, run.count, &mut |_| true));
    }
    partial
}

/// The sum of `count` elements from `position` on.
pub(super) fn total(kernel: &KernelSpec, position: u64, count: u64) -> Integer {
    kernel.runs(position, count).fold(Integer::from(0), |sum, run| {
        let ends = &run.first + run.at(run.count - 1);
        sum + ends * Integer::from(run.count) / Integer::from(2)
    })
}

/// A sum of so many elements: zeros, doubled as often as it takes, and the total as one more element.
fn closed(total: &Integer, count: u64) -> Partial {
    let mut sum = one(total);
    let mut zeros = one(&Integer::from(0));
    let mut left = count - 1;
    while left > 0 {
        if left & 1 == 1 {
            merge(&mut sum, zeros.clone());
        }
        left >>= 1;
        if left > 0 {
            let twin = zeros.clone();
            merge(&mut zeros, twin);
        }
    }
    sum
}

fn one(element: &Integer) -> Partial {
    let mut partial = Partial::identity(&[Reduction::Sum]);
    assert!(partial.absorb_progression(element, &Integer::from(1), 1, &mut |_| true));
    partial
}

fn merge(into: &mut Partial, other: Partial) {
    assert!(into.merge(other).is_ok(), "partials of the same reductions fit together");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::request;

    #[test]
    fn the_closed_form_is_the_fold() {
        let kernel = request("3..1000", 1).check().unwrap().kernel;
        for (position, count) in [(0, 997), (5, 65), (0, 100), (900, 97)] {
            let mut folded = Partial::identity(&kernel.reductions);
            for run in kernel.runs(position, count) {
                assert!(folded.absorb_progression(&run.first, &run.step, run.count, &mut |_| true));
            }
            assert_eq!(partial(&kernel, position, count).to_bytes(), folded.to_bytes());
        }
    }
}
