//! The laws that let tally cut, retry and reorder: whatever the cuts, the order and the grouping, one answer,
//! one text; and what is read from strangers is refused or means exactly one thing.
//!
//! The oracle here is naive on purpose: one big integer at a time, and two passes for the variance.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use crate::round::{ratio_to_f64, sqrt_ratio_to_f64};
use crate::{Answer, Integer, NoAnswer, Partial, Reduction};

/// A progression to fold.
#[derive(Clone, Debug)]
struct Progression {
    first: Integer,
    step: Integer,
    count: u64,
}

impl Progression {
    fn at(&self, index: u64) -> Integer {
        &self.first + &self.step * Integer::from(index)
    }

    fn fold(&self, reductions: &[Reduction], from: u64, to: u64) -> Partial {
        let mut partial = Partial::identity(reductions);
        assert!(partial.absorb_progression(&self.at(from), &self.step, to - from, &mut |_| true));
        assert_eq!(partial.elements(), to - from);
        partial
    }
}

/// Values around every border between widths, and ordinary ones.
fn value() -> impl Strategy<Value = Integer> {
    let borders: Vec<Integer> = [0, 20, 26, 32, 53, 63, 64, 100, 127, 128, 300]
        .into_iter()
        .flat_map(|bits| [Integer::ONE << bits, -(Integer::ONE << bits)])
        .collect();
    let near = (select(borders), -3_000_i64..=3_000).prop_map(|(border, near)| border + near);
    let decimal = any::<i64>().prop_map(|value| Integer::from(10).pow(30) + value);
    prop_oneof![
        3 => (-2_000_i64..2_000).prop_map(Integer::from),
        4 => near,
        1 => any::<i64>().prop_map(Integer::from),
        1 => any::<i128>().prop_map(Integer::from),
        1 => decimal,
    ]
}

fn step() -> impl Strategy<Value = Integer> {
    prop_oneof![
        4 => select(vec![1, -1]).prop_map(Integer::from),
        3 => (-1_000_i64..1_000).prop_map(Integer::from),
        1 => any::<i64>().prop_map(Integer::from),
        2 => value(),
    ]
}

fn progression(most: u64) -> impl Strategy<Value = Progression> {
    let count = prop_oneof![1 => 0..3_u64, 3 => 0..most];
    (value(), step(), count).prop_map(|(first, step, count)| Progression { first, step, count })
}

/// Some reductions in any order.
fn list() -> impl Strategy<Value = Vec<Reduction>> {
    subsequence(Reduction::ALL.to_vec(), 0..=8).prop_shuffle()
}

/// Merges two chosen at a time until one is left: any order and any tree can come of it.
fn merge_anyhow(mut partials: Vec<Partial>, choices: &[Index]) -> Partial {
    let mut choices = choices.iter().cycle();
    while partials.len() > 1 {
        let other = partials.swap_remove(choices.next().unwrap().index(partials.len()));
        let into = choices.next().unwrap().index(partials.len());
        partials[into].merge(other).unwrap();
    }
    partials.pop().unwrap()
}

fn naive(values: &[Integer], reduction: Reduction, population: bool) -> Result<Answer, NoAnswer> {
    let count = Integer::from(values.len());
    let sum = values.iter().fold(Integer::ZERO, |sum, value| sum + value);
    let empty = NoAnswer::Empty { reduction };
    let variance = |round: fn(&Integer, &Integer) -> f64| {
        let below = match (values.len(), population) {
            (0, _) => return Err(empty),
            (1, false) => return Err(NoAnswer::TooFew { reduction }),
            (_, true) => &count * &count * &count,
            (_, false) => &count * &count * (&count - 1),
        };
        let deviation = |value: &Integer| value * &count - &sum;
        let above = values.iter().fold(Integer::ZERO, |sum, value| sum + deviation(value) * deviation(value));
        Ok(Answer::Float(round(&above, &below)))
    };
    match reduction {
        Reduction::Sum => Ok(Answer::Integer(sum)),
        Reduction::Product => {
            Ok(Answer::Integer(values.iter().fold(Integer::ONE, |product, value| product * value)))
        }
        Reduction::Min => values.iter().min().cloned().map(Answer::Integer).ok_or(empty),
        Reduction::Max => values.iter().max().cloned().map(Answer::Integer).ok_or(empty),
        Reduction::Count => Ok(Answer::Integer(count)),
        Reduction::Mean if values.is_empty() => Err(empty),
        Reduction::Mean => Ok(Answer::Float(ratio_to_f64(&sum, &count))),
        Reduction::Variance => variance(ratio_to_f64),
        Reduction::Stddev => variance(sqrt_ratio_to_f64),
    }
}

proptest! {
    #[test]
    fn cuts_order_and_grouping_change_nothing(
        progression in progression(5_000),
        list in list(),
        cuts in vec(any::<Index>(), 0..12),
        choices in vec(any::<Index>(), 1..40),
    ) {
        let whole = progression.fold(&list, 0, progression.count);
        let end = usize::try_from(progression.count).unwrap() + 1;
        let mut ends: Vec<u64> = cuts.iter().map(|cut| cut.index(end) as u64).collect();
        ends.extend([0, progression.count]);
        ends.sort_unstable();
        let pieces = ends.windows(2).map(|ends| progression.fold(&list, ends[0], ends[1])).collect();
        let merged = merge_anyhow(pieces, &choices);
        prop_assert_eq!(merged.to_bytes(), whole.to_bytes());
        prop_assert_eq!(merged.finish(true), whole.finish(true));
        prop_assert_eq!(merged, whole);
    }

    /// The same, each partial sent and read on the way, and elements that are no progression.
    #[test]
    fn any_multiset_has_one_partial(
        parts in vec(progression(40), 1..12),
        list in list(),
        choices in vec(any::<Index>(), 1..40),
        other_choices in vec(any::<Index>(), 1..40),
    ) {
        let partials: Vec<Partial> = parts.iter().map(|part| part.fold(&list, 0, part.count)).collect();
        let sent = partials.iter().map(|part| Partial::from_bytes(&part.to_bytes()).unwrap()).collect();
        let one = merge_anyhow(partials, &choices);
        let other = merge_anyhow(sent, &other_choices);
        prop_assert_eq!(one.to_bytes(), other.to_bytes());
        prop_assert_eq!(&one, &other);
        let mut with_nothing = Partial::identity(&list);
        with_nothing.merge(other).unwrap();
        with_nothing.merge(Partial::identity(&list)).unwrap();
        prop_assert_eq!(one, with_nothing);
    }

    #[test]
    fn agrees_with_the_naive_fold(progression in progression(2_500), population in any::<bool>()) {
        let values: Vec<Integer> = (0..progression.count).map(|index| progression.at(index)).collect();
        let answers = progression.fold(&Reduction::ALL, 0, progression.count).finish(population);
        prop_assert_eq!(answers.len(), Reduction::ALL.len());
        for (reduction, answer) in answers {
            prop_assert_eq!(answer, naive(&values, reduction, population), "{}", reduction);
        }
    }

    /// One reduction alone takes the same road as all together.
    #[test]
    fn alone_or_together(progression in progression(2_500), population in any::<bool>()) {
        let together = progression.fold(&Reduction::ALL, 0, progression.count).finish(population);
        for (reduction, answer) in together {
            let alone = progression.fold(&[reduction], 0, progression.count);
            prop_assert_eq!(alone.finish(population), [(reduction, answer)]);
        }
    }

    #[test]
    fn noise_is_refused_or_means_one_thing(bytes in vec(any::<u8>(), 0..200)) {
        if let Ok(partial) = Partial::from_bytes(&bytes) {
            prop_assert_eq!(partial.to_bytes(), bytes);
        }
    }

    /// Bytes that begin well get further in.
    #[test]
    fn plausible_noise_is_refused_or_means_one_thing(
        list in list(),
        elements in 0..4_u8,
        sections in vec((1..7_u8, 0..4_u8, vec(0..3_u8, 0..3)), 0..6),
    ) {
        let mut bytes = Partial::identity(&list).to_bytes();
        bytes.truncate(10 + list.len());
        bytes.extend([elements, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend([0; 8]);
        for (number, form, magnitude) in sections {
            bytes.extend([number, form]);
            if form < 2 {
                bytes.extend((magnitude.len() as u64).to_le_bytes());
                bytes.extend(magnitude);
            }
        }
        accepted_means_one_thing(&bytes)?;
    }

    #[test]
    fn damage_is_refused_or_means_one_thing(
        progression in progression(50),
        list in list(),
        damage in vec((any::<Index>(), any::<u8>(), 0..4_u8), 1..4),
    ) {
        let mut bytes = progression.fold(&list, 0, progression.count).to_bytes();
        for (at, byte, how) in damage {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes[at] ^= 1 << (byte % 8),
                2 => bytes.truncate(at),
                _ => bytes.insert(at, byte),
            }
        }
        accepted_means_one_thing(&bytes)?;
    }
}

/// If the bytes are accepted they are the partial's own, and nothing that can be done with it panics.
fn accepted_means_one_thing(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Ok(mut partial) = Partial::from_bytes(bytes) else { return Ok(()) };
    prop_assert_eq!(partial.to_bytes(), bytes);
    for population in [false, true] {
        for (_, answer) in partial.finish(population) {
            if let Ok(Answer::Float(value)) = answer {
                prop_assert!(!value.is_nan(), "{:?}", partial);
            }
        }
    }
    let copy = partial.clone();
    if partial.merge(copy).is_ok() {
        prop_assert!(Partial::from_bytes(&partial.to_bytes()).is_ok());
    }
    Ok(())
}

/// A whole partition of the usual size with a known answer, cut at places that are no multiple of a block.
#[test]
fn the_seed_program_s_sum() {
    let all = Progression { first: Integer::ZERO, step: Integer::ONE, count: 10_000_000 };
    let mut merged = Partial::identity(&[Reduction::Sum, Reduction::Count]);
    for ends in [0, 1, 777_777, 1_000_000, 5_555_555, 10_000_000].windows(2).rev() {
        merged.merge(all.fold(&[Reduction::Sum, Reduction::Count], ends[0], ends[1])).unwrap();
    }
    let expected = [49_999_995_000_000_i64, 10_000_000].map(|value| Ok(Answer::Integer(value.into())));
    assert_eq!(merged.finish(false).into_iter().map(|(_, answer)| answer).collect::<Vec<_>>(), expected);
}
