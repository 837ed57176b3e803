//! Cuts a progression into runs whose elements all fit in one width.
//!
//! A progression is monotone, so it passes through each width once: at most five runs. This only decides how
//! the elements are represented; every one of them is still visited.

use crate::Integer;

/// How wide the elements of a run are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Width {
    /// All in `i64`.
    Narrow,
    /// All in `i128`, none in `i64`.
    Wide,
    /// None in `i128`.
    Big,
}

/// Elements of one width that follow each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Run {
    pub(crate) width: Width,
    pub(crate) first: Integer,
    pub(crate) count: u64,
}

/// The runs of `count` elements `first`, `first + step`, ... in order.
pub(crate) fn runs(first: &Integer, step: &Integer, count: u64) -> Vec<Run> {
    let mut runs = Vec::new();
    let (mut first, mut left) = (first.clone(), count);
    while left > 0 {
        let (width, low, high) = place(&first);
        let run = Run { width, count: length(&first, step, low, high, left), first: first.clone() };
        left -= run.count;
        if left > 0 {
            first += step * Integer::from(run.count);
        }
        runs.push(run);
    }
    runs
}

/// The width of a value, and the first and last values around it that have the same width on the same side.
fn place(value: &Integer) -> (Width, Option<Integer>, Option<Integer>) {
    if i64::try_from(value).is_ok() {
        return (Width::Narrow, Some(i64::MIN.into()), Some(i64::MAX.into()));
    }
    let positive = *value > Integer::ZERO;
    let fits = i128::try_from(value).is_ok();
    match (fits, positive) {
        (true, true) => (Width::Wide, Some((i128::from(i64::MAX) + 1).into()), Some(i128::MAX.into())),
        (true, false) => (Width::Wide, Some(i128::MIN.into()), Some((i128::from(i64::MIN) - 1).into())),
        (false, true) => (Width::Big, Some(Integer::from(i128::MAX) + 1), None),
        (false, false) => (Width::Big, None, Some(Integer::from(i128::MIN) - 1)),
    }
}

/// How many of the next `left` elements stay within the bounds; `first` does, so at least one.
fn length(first: &Integer, step: &Integer, low: Option<Integer>, high: Option<Integer>, left: u64) -> u64 {
    let room = if *step > Integer::ZERO {
        high.map(|high| (high - first) / step)
    } else if *step < Integer::ZERO {
        low.map(|low| (low - first) / step)
    } else {
        None
    };
    // `room` steps stay inside; it is not negative, so a failed conversion means more than u64 holds.
    match room {
        Some(room) => u64::try_from(&room).unwrap_or(u64::MAX).saturating_add(1).min(left),
        None => left,
    }
}

/// The low 128 bits of the two's complement of a value.
pub(crate) fn wrapped(value: &Integer) -> i128 {
    let mut bytes = [if *value < Integer::ZERO { 0xff } else { 0 }; 16];
    for (to, from) in bytes.iter_mut().zip(value.to_le_bytes().iter()) {
        *to = *from;
    }
    i128::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn big(text: &str) -> Integer {
        text.parse().unwrap()
    }

    /// Every element of every run, with its width checked.
    fn check(first: &Integer, step: &Integer, count: u64) -> Vec<(Width, u64)> {
        let mut expected = first.clone();
        let runs = runs(first, step, count);
        assert!(runs.len() <= 5);
        for run in &runs {
            assert!(run.count > 0);
            let mut value = run.first.clone();
            for _ in 0..run.count {
                assert_eq!(value, expected);
                let width = match (i64::try_from(&value), i128::try_from(&value)) {
                    (Ok(_), _) => Width::Narrow,
                    (_, Ok(_)) => Width::Wide,
                    _ => Width::Big,
                };
                assert_eq!(width, run.width);
                value += step;
                expected += step;
            }
        }
        assert_eq!(runs.iter().map(|run| run.count).sum::<u64>(), count);
        runs.iter().map(|run| (run.width, run.count)).collect()
    }

    #[test]
    fn crosses_every_border() {
        use Width::{Big, Narrow, Wide};
        let near = Integer::from(i64::MAX) - 3;
        assert_eq!(check(&near, &1.into(), 10), [(Narrow, 4), (Wide, 6)]);
        assert_eq!(check(&(&near + 9), &(-1).into(), 10), [(Wide, 6), (Narrow, 4)]);
        let low = Integer::from(i64::MIN) - 2;
        assert_eq!(check(&low, &1.into(), 5), [(Wide, 2), (Narrow, 3)]);
        assert_eq!(check(&low, &(-1).into(), 5), [(Wide, 5)]);
        let end = Integer::from(i128::MAX);
        assert_eq!(check(&end, &1.into(), 3), [(Wide, 1), (Big, 2)]);
        assert_eq!(check(&Integer::from(i128::MIN), &(-1).into(), 3), [(Wide, 1), (Big, 2)]);
        assert_eq!(check(&end, &0.into(), 3), [(Wide, 3)]);
        let all = check(&(Integer::from(i128::MIN) - 5), &(Integer::ONE << 125), 9);
        assert_eq!(all.first(), Some(&(Big, 1)));
        assert_eq!(all.last(), Some(&(Wide, 4)));
        let sparse = check(&-(Integer::ONE << 130), &(Integer::ONE << 127), 17);
        assert_eq!(sparse, [(Big, 7), (Wide, 1), (Narrow, 1), (Big, 8)]);
        let all = check(&-(Integer::ONE << 130), &(Integer::ONE << 126), 33);
        assert_eq!(all, [(Big, 14), (Wide, 2), (Narrow, 1), (Wide, 1), (Big, 15)]);
    }

    #[test]
    fn nothing_and_one() {
        assert_eq!(runs(&big("5"), &big("7"), 0), []);
        assert_eq!(check(&big("1000000000000000000000000000000000000000000"), &big("-1"), 1).len(), 1);
        assert_eq!(runs(&big("5"), &big("0"), u64::MAX)[0].count, u64::MAX);
    }

    #[test]
    fn wraps_as_two_s_complement() {
        for value in [0, 1, -1, i128::MAX, i128::MIN, i128::from(i64::MIN), 255, -256] {
            assert_eq!(wrapped(&Integer::from(value)), value);
        }
        assert_eq!(wrapped(&((Integer::ONE << 128) + 5)), 5);
        assert_eq!(wrapped(&(-(Integer::ONE << 128) - 5)), -5);
        assert_eq!(wrapped(&-(Integer::ONE << 128)), 0);
        assert_eq!(wrapped(&(Integer::ONE << 127)), i128::MIN);
    }
}
