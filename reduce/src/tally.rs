//! The mergeable state of a whole job, whatever kind of job it is: who merges need not know what is merged.
//!
//! A job's states are all of one shape, which its request says; states of different shapes do not merge.

use std::fmt;

use crate::decimal_sum::{DecimalSum, NoMean};
use crate::grouped::GroupState;
use crate::key::KeyPart;
use crate::{Answer, Decimal, Grouped, Malformed, Mismatch, NoAnswer, Partial, Reduction};

/// The first byte of groups. A [`Partial`] begins with its version, which is far from these.
const GROUPED: u8 = 0xf1;
/// The first byte of exact decimals.
const DECIMAL: u8 = 0xf2;
/// The first byte of groups of exact decimals.
const GROUPED_DECIMAL: u8 = 0xf3;

/// What the states of a job look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// One answer for each reduction.
    Plain,
    /// One for each reduction and group; the groups together cost at most this many bytes of memory.
    Grouped {
        /// See [`Grouped::new`].
        bytes_max: usize,
    },
    /// One for each reduction, in decimal numbers.
    Decimal,
    /// One for each reduction and group, in decimal numbers.
    GroupedDecimal {
        /// See [`Grouped::new`].
        bytes_max: usize,
    },
}

/// The mergeable state of some elements of a job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tally {
    /// Integers and floats.
    Plain(Partial),
    /// The same in groups.
    Grouped(Grouped),
    /// Decimal numbers.
    Decimal {
        /// What is asked, in that order.
        reductions: Vec<Reduction>,
        /// The numbers.
        sum: DecimalSum,
    },
    /// Decimal numbers in groups.
    GroupedDecimal(Grouped<DecimalSum>),
}

/// One answer, or why there is none.
#[derive(Clone, PartialEq, Debug)]
pub struct Finished {
    /// What was asked.
    pub reduction: Reduction,
    /// What it came to.
    pub answer: Result<Figure, NoAnswer>,
    /// Of the least and the greatest: where it stands first, as far as that is known.
    pub first: Option<u64>,
}

/// The value of one reduction, of any kind of job.
#[derive(Clone, PartialEq, Debug)]
pub enum Figure {
    /// An integer or a float.
    Number(Answer),
    /// A decimal number, exact, with all its digits after the point.
    Decimal(Decimal),
}

impl Figure {
    /// `"integer"`, `"float"` or `"decimal"`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Number(answer) => answer.kind(),
            Self::Decimal(_) => "decimal",
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(answer) => answer.fmt(f),
            Self::Decimal(value) => value.fmt(f),
        }
    }
}

/// The answers of one group.
#[derive(Clone, PartialEq, Debug)]
pub struct Group {
    /// Its key.
    pub key: Vec<KeyPart>,
    /// Its answers, in the order asked.
    pub answers: Vec<Finished>,
}

impl From<Partial> for Tally {
    fn from(partial: Partial) -> Self {
        Self::Plain(partial)
    }
}

impl Tally {
    /// The reductions that there are of decimal numbers.
    pub const OF_DECIMALS: [Reduction; 5] =
        [Reduction::Sum, Reduction::Min, Reduction::Max, Reduction::Count, Reduction::Mean];

    /// The state of no elements.
    pub fn identity(shape: Shape, reductions: &[Reduction]) -> Self {
        match shape {
            Shape::Plain => Self::Plain(Partial::identity(reductions)),
            Shape::Grouped { bytes_max } => Self::Grouped(Grouped::new(reductions, bytes_max)),
            Shape::Decimal => Self::Decimal { reductions: reductions.to_vec(), sum: DecimalSum::new() },
            Shape::GroupedDecimal { bytes_max } => Self::GroupedDecimal(Grouped::new(reductions, bytes_max)),
        }
    }

    /// Whether it is one of these, and for these reductions.
    pub fn is_of(&self, shape: Shape, reductions: &[Reduction]) -> bool {
        let same = matches!(
            (self, shape),
            (Self::Plain(_), Shape::Plain)
                | (Self::Grouped(_), Shape::Grouped { .. })
                | (Self::Decimal { .. }, Shape::Decimal)
                | (Self::GroupedDecimal(_), Shape::GroupedDecimal { .. })
        );
        same && self.reductions() == reductions
    }

    /// The reductions this is for, in the order asked.
    pub fn reductions(&self) -> &[Reduction] {
        match self {
            Self::Plain(partial) => partial.reductions(),
            Self::Grouped(grouped) => grouped.reductions(),
            Self::Decimal { reductions, .. } => reductions,
            Self::GroupedDecimal(grouped) => grouped.reductions(),
        }
    }

    /// Bytes of memory that it takes, roughly; for bounds, asked often and counted quickly.
    pub fn memory_bytes(&self) -> usize {
        match self {
            Self::Plain(partial) => partial.memory_bytes(),
            Self::Grouped(grouped) => grouped.memory_bytes(),
            Self::GroupedDecimal(grouped) => grouped.memory_bytes(),
            Self::Decimal { sum, .. } => sum.memory_bytes(),
        }
    }

    /// How many elements were folded.
    pub fn elements(&self) -> u64 {
        match self {
            Self::Plain(partial) => partial.elements(),
            Self::Grouped(grouped) => grouped.elements(),
            Self::Decimal { sum, .. } => sum.elements(),
            Self::GroupedDecimal(grouped) => grouped.elements(),
        }
    }

    /// How many were left out: bad rows, and NaN that were to be skipped.
    pub fn skipped(&self) -> u64 {
        match self {
            Self::Plain(partial) => partial.skipped(),
            Self::Grouped(grouped) => grouped.skipped(),
            Self::Decimal { sum, .. } => sum.skipped(),
            Self::GroupedDecimal(grouped) => grouped.skipped(),
        }
    }

    /// Counts elements that somebody else left out.
    pub fn skip(&mut self, elements: u64) {
        match self {
            Self::Plain(partial) => partial.skip(elements),
            Self::Grouped(grouped) => grouped.skip(elements),
            Self::Decimal { sum, .. } => sum.skip(elements),
            Self::GroupedDecimal(grouped) => grouped.skip(elements),
        }
    }

    /// How many values were made a NaN. Decimals have none.
    pub fn made_nan(&self) -> u64 {
        match self {
            Self::Plain(partial) => partial.made_nan(),
            Self::Grouped(grouped) => grouped.made_nan(),
            Self::Decimal { .. } | Self::GroupedDecimal(_) => 0,
        }
    }

    /// All that comes is floats: the answers are, too, even if nothing comes. Groups begin with an element, and decimals
    /// are none.
    pub fn expect_floats(&mut self) {
        if let Self::Plain(partial) = self {
            partial.expect_floats();
        }
    }

    /// Does at once what was put off, so that a copy need not do it again.
    pub fn settle(&mut self) {
        if let Self::Plain(partial) = self {
            partial.settle();
        }
    }

    /// Adds the elements of another. Commutative and associative, and `identity` changes nothing.
    ///
    /// # Errors
    /// If the two do not fit together; then `self` is as it was.
    pub fn merge(&mut self, other: Self) -> Result<(), Mismatch> {
        match (self, other) {
            (Self::Plain(mine), Self::Plain(other)) => mine.merge(other),
            (Self::Grouped(mine), Self::Grouped(other)) => mine.merge(other),
            (Self::GroupedDecimal(mine), Self::GroupedDecimal(other)) => mine.merge(other),
            (Self::Decimal { reductions, sum }, Self::Decimal { reductions: others, sum: other })
                if *reductions == others =>
            {
                sum.merge(other)
            }
            _ => Err(Mismatch::Reductions),
        }
    }

    /// The canonical bytes: equal states have equal bytes.
    ///
    /// Those of a [`Partial`] as they are; of others a byte that says which, and their bytes, before which decimals have
    /// the number of reductions and a byte for each.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Plain(partial) => partial.to_bytes(),
            Self::Grouped(grouped) => tagged(GROUPED, grouped.to_bytes()),
            Self::GroupedDecimal(grouped) => tagged(GROUPED_DECIMAL, grouped.to_bytes()),
            Self::Decimal { reductions, sum } => {
                let mut out = vec![DECIMAL];
                // There are five of them, each once at most or not: a request names few.
                out.push(u8::try_from(reductions.len()).unwrap_or(u8::MAX));
                out.extend(reductions.iter().take(usize::from(u8::MAX)).map(|one| crate::bytes::code(*one)));
                out.extend(sum.to_bytes());
                out
            }
        }
    }

    /// Reads what [`Tally::to_bytes`] wrote, and nothing else. Groups may cost `groups_bytes_max` bytes of memory.
    ///
    /// # Errors
    /// If the bytes are not exactly one state in canonical form.
    pub fn from_bytes(bytes: &[u8], groups_bytes_max: usize) -> Result<Self, Malformed> {
        match bytes.split_first() {
            Some((&GROUPED, rest)) => Grouped::from_bytes(rest, groups_bytes_max).map(Self::Grouped),
            Some((&GROUPED_DECIMAL, rest)) => {
                Grouped::from_bytes(rest, groups_bytes_max).map(Self::GroupedDecimal)
            }
            Some((&DECIMAL, rest)) => {
                let (count, rest) = rest.split_first().ok_or(Malformed::Truncated)?;
                let (codes, rest) = rest.split_at_checked(usize::from(*count)).ok_or(Malformed::Truncated)?;
                let reductions =
                    codes.iter().map(|code| crate::bytes::reduction(*code)).collect::<Result<Vec<_>, _>>()?;
                Ok(Self::Decimal { reductions, sum: DecimalSum::from_bytes(rest)? })
            }
            _ => Partial::from_bytes(bytes).map(Self::Plain),
        }
    }

    /// The answers, in the order asked; none if they come in groups. Variance and standard deviation of a `population`
    /// or of a sample.
    pub fn finish(&self, population: bool) -> Vec<Finished> {
        match self {
            Self::Plain(partial) => figures(partial, population),
            Self::Grouped(_) | Self::GroupedDecimal(_) => Vec::new(),
            Self::Decimal { reductions, sum } => decimals(sum, reductions),
        }
    }

    /// The answers of the groups, in the order of their keys; nothing if there are no groups by intention.
    pub fn groups(&self, population: bool) -> Option<Vec<Group>> {
        match self {
            Self::Grouped(grouped) => Some(answered(grouped, |partial| figures(partial, population))),
            Self::GroupedDecimal(grouped) => {
                Some(answered(grouped, |sum| decimals(sum, grouped.reductions())))
            }
            Self::Plain(_) | Self::Decimal { .. } => None,
        }
    }
}

fn tagged(tag: u8, bytes: Vec<u8>) -> Vec<u8> {
    let mut out = vec![tag];
    out.extend(bytes);
    out
}

fn answered<S: GroupState>(grouped: &Grouped<S>, answers: impl Fn(&S) -> Vec<Finished>) -> Vec<Group> {
    grouped.groups().into_iter().map(|(key, state)| Group { key, answers: answers(state) }).collect()
}

fn figures(partial: &Partial, population: bool) -> Vec<Finished> {
    let finished = partial.finish(population).into_iter().map(|(reduction, answer)| Finished {
        reduction,
        answer: answer.map(Figure::Number),
        first: partial.first_index(reduction),
    });
    finished.collect()
}

fn decimals(sum: &DecimalSum, reductions: &[Reduction]) -> Vec<Finished> {
    let (least, greatest) = sum.first_indices();
    let finished = reductions.iter().map(|&reduction| Finished {
        reduction,
        answer: decimal(sum, reduction),
        first: match reduction {
            Reduction::Min => least,
            Reduction::Max => greatest,
            _ => None,
        },
    });
    finished.collect()
}

fn decimal(sum: &DecimalSum, reduction: Reduction) -> Result<Figure, NoAnswer> {
    let empty = NoAnswer::Empty { reduction };
    let end = |end: Option<Decimal>| end.map(Figure::Decimal).ok_or(empty);
    match reduction {
        Reduction::Sum => Ok(Figure::Decimal(sum.sum())),
        Reduction::Min => end(sum.min()),
        Reduction::Max => end(sum.max()),
        Reduction::Count => Ok(Figure::Number(Answer::Integer(sum.elements().into()))),
        Reduction::Mean => match sum.mean() {
            Ok(mean) => Ok(Figure::Decimal(mean)),
            Err(NoMean::Empty) => Err(empty),
            Err(NoMean::Endless) => Err(NoAnswer::Endless),
        },
        Reduction::Product | Reduction::Variance | Reduction::Stddev => {
            Err(NoAnswer::NotDecimal { reduction })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GroupKey;
    use crate::Indices;

    const ROOMY: usize = 1 << 20;
    const SHAPES: [Shape; 4] = [
        Shape::Plain,
        Shape::Grouped { bytes_max: ROOMY },
        Shape::Decimal,
        Shape::GroupedDecimal { bytes_max: ROOMY },
    ];

    fn some(shape: Shape) -> Tally {
        let mut tally = Tally::identity(shape, &[Reduction::Sum, Reduction::Max]);
        match &mut tally {
            Tally::Plain(partial) => partial.absorb_i64(&[1, 2], Indices::Unknown).unwrap(),
            Tally::Grouped(grouped) => {
                let mut key = GroupKey::new();
                key.push_text(b"a");
                grouped
                    .group(&key)
                    .unwrap()
                    .absorb_f64(&[0.5], Indices::Unknown, crate::NanPolicy::Keep)
                    .unwrap();
            }
            Tally::Decimal { sum, .. } => sum.add_text(b"1.50", None).unwrap(),
            Tally::GroupedDecimal(grouped) => {
                let mut key = GroupKey::new();
                key.push_text(b"a");
                grouped.group(&key).unwrap().add_text(b"1.50", None).unwrap();
            }
        }
        tally.skip(3);
        tally
    }

    #[test]
    fn every_shape_is_written_and_read() {
        for shape in SHAPES {
            let tally = some(shape);
            let back = Tally::from_bytes(&tally.to_bytes(), ROOMY).unwrap();
            assert_eq!(back.to_bytes(), tally.to_bytes());
            assert!(back.is_of(shape, &[Reduction::Sum, Reduction::Max]));
            assert!(!back.is_of(shape, &[Reduction::Sum]));
            assert_eq!(back.skipped(), 3);
            for cut in 0..tally.to_bytes().len() {
                assert!(Tally::from_bytes(&tally.to_bytes()[..cut], ROOMY).is_err());
            }
        }
    }

    #[test]
    fn shapes_do_not_mix() {
        for (at, shape) in SHAPES.into_iter().enumerate() {
            for (other_at, other) in SHAPES.into_iter().enumerate() {
                let merged = some(shape).merge(some(other));
                assert_eq!(merged.is_ok(), at == other_at);
            }
            let mut twice = some(shape);
            twice.merge(some(shape)).unwrap();
            assert_eq!((twice.elements(), twice.skipped()), (2 * some(shape).elements(), 6));
        }
        let mut decimal = some(Shape::Decimal);
        let other = Tally::identity(Shape::Decimal, &[Reduction::Sum]);
        assert_eq!(decimal.merge(other), Err(Mismatch::Reductions));
    }

    #[test]
    fn decimals_are_answered_exactly_or_not_at_all() {
        let of = |texts: &[&str]| {
            let mut tally = Tally::identity(Shape::Decimal, &Reduction::ALL);
            if let Tally::Decimal { sum, .. } = &mut tally {
                texts.iter().for_each(|text| sum.add_text(text.as_bytes(), None).unwrap());
            }
            let text = |answer: Result<Figure, NoAnswer>| match answer {
                Ok(answer) => format!("{} {answer}", answer.kind()),
                Err(why) => why.to_string(),
            };
            tally.finish(false).into_iter().map(|one| (one.reduction, text(one.answer))).collect::<Vec<_>>()
        };
        let find = |list: &[(Reduction, String)], wanted| {
            list.iter().find(|(name, _)| *name == wanted).map(|(_, text)| text.clone()).unwrap()
        };
        let money = of(&["1.10", "2.20", "-0.3"]);
        assert_eq!(find(&money, Reduction::Sum), "decimal 3.00");
        assert_eq!(find(&money, Reduction::Mean), "decimal 1.00");
        assert_eq!(find(&money, Reduction::Min), "decimal -0.30");
        assert_eq!(find(&money, Reduction::Count), "integer 3");
        assert!(find(&money, Reduction::Stddev).contains("decimal"));
        assert!(find(&of(&["1", "1", "2"]), Reduction::Mean).contains("never end"));
        assert_eq!(find(&of(&[]), Reduction::Mean), "the mean: there are no elements");
    }
}
