//! The laws again, for columns: integers of every width and floats, mixed as a file may mix them.
//!
//! The oracle holds every element as a big rational with denominator 2^1074 and works on the whole list.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use crate::extrema::order;
use crate::float::laws::units;
use crate::round::{ratio_to_f64, sqrt_ratio_to_f64};
use crate::{Answer, Endian, Format, Indices, Integer, NanPolicy, NoAnswer, Partial, Reduction};

/// A slice of one type, as a file or an expression hands it over.
#[derive(Clone, Debug)]
enum Slice {
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
    U64(Vec<u64>),
    I128(Vec<i128>),
    Big(Vec<Integer>),
    F32(Vec<f32>),
    F64(Vec<f64>),
}

macro_rules! each {
    ($slice:expr, $values:ident => $body:expr) => {
        match $slice {
            Slice::I8($values) => $body,
            Slice::I16($values) => $body,
            Slice::I32($values) => $body,
            Slice::I64($values) => $body,
            Slice::U8($values) => $body,
            Slice::U16($values) => $body,
            Slice::U32($values) => $body,
            Slice::U64($values) => $body,
            Slice::I128($values) => $body,
            Slice::Big($values) => $body,
            Slice::F32($values) => $body,
            Slice::F64($values) => $body,
        }
    };
}

/// Turns an element into what it means.
trait Meaning: Clone {
    fn meaning(&self) -> Answer;
}

macro_rules! meanings {
    ($($value:ty),*) => {$(
        impl Meaning for $value {
            fn meaning(&self) -> Answer {
                Answer::Integer(Integer::from(self.clone()))
            }
        }
    )*};
}

meanings!(i8, i16, i32, i64, u8, u16, u32, u64, i128, Integer);

impl Meaning for f32 {
    fn meaning(&self) -> Answer {
        Answer::Float(f64::from(*self))
    }
}

impl Meaning for f64 {
    fn meaning(&self) -> Answer {
        Answer::Float(*self)
    }
}

impl Slice {
    fn len(&self) -> usize {
        each!(self, values => values.len())
    }

    fn meanings(&self) -> Vec<Answer> {
        each!(self, values => values.iter().map(Meaning::meaning).collect())
    }

    fn absorb(&self, from: usize, to: usize, partial: &mut Partial, indices: Indices<'_>, nan: NanPolicy) {
        match self {
            Self::I8(values) => partial.absorb_i8(&values[from..to], indices),
            Self::I16(values) => partial.absorb_i16(&values[from..to], indices),
            Self::I32(values) => partial.absorb_i32(&values[from..to], indices),
            Self::I64(values) => partial.absorb_i64(&values[from..to], indices),
            Self::U8(values) => partial.absorb_u8(&values[from..to], indices),
            Self::U16(values) => partial.absorb_u16(&values[from..to], indices),
            Self::U32(values) => partial.absorb_u32(&values[from..to], indices),
            Self::U64(values) => partial.absorb_u64(&values[from..to], indices),
            Self::I128(values) => partial.absorb_i128(&values[from..to], indices),
            Self::Big(values) => values[from..to].iter().enumerate().try_for_each(|(position, value)| {
                let index = indices.at(position);
                partial.absorb_integer(value, (index != u64::MAX).then_some(index))
            }),
            Self::F32(values) => partial.absorb_f32(&values[from..to], indices, nan),
            Self::F64(values) => partial.absorb_f64(&values[from..to], indices, nan),
        }
        .unwrap();
    }
}

fn floats() -> impl Strategy<Value = Vec<f64>> {
    let special =
        select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, f64::MAX, 5e-324, 1.0, -1.0]);
    let ordinary = (-1_000_i32..1_000).prop_map(|value| f64::from(value) / 8.0);
    prop_oneof![
        4 => vec(ordinary, 0..60),
        1 => vec(-0.0..=0.0, 0..5),
        1 => vec(prop_oneof![4 => -1e9..1e9, 1 => special.clone()], 0..60),
        1 => vec(any::<f64>(), 0..20),
        1 => vec(-1e3..1e3, 2_000..2_600),
        1 => (vec(1e-3..1e3, 2_000..2_600), special, any::<Index>()).prop_map(|(mut values, special, at)| {
            let at = at.index(values.len());
            values[at] = special;
            values
        }),
    ]
}

fn slice() -> impl Strategy<Value = Slice> {
    let big = (any::<i128>(), 0_usize..100).prop_map(|(value, shift)| Integer::from(value) << shift);
    prop_oneof![
        vec(any::<i8>(), 0..40).prop_map(Slice::I8),
        vec(any::<i16>(), 0..40).prop_map(Slice::I16),
        vec(any::<i32>(), 0..40).prop_map(Slice::I32),
        vec(any::<i64>(), 0..40).prop_map(Slice::I64),
        vec(-50_i64..50, 1_000..1_200).prop_map(Slice::I64),
        vec(any::<u8>(), 0..40).prop_map(Slice::U8),
        vec(any::<u16>(), 0..40).prop_map(Slice::U16),
        vec(any::<u32>(), 0..40).prop_map(Slice::U32),
        vec(any::<u64>(), 0..40).prop_map(Slice::U64),
        vec(0_u64..50, 0..40).prop_map(Slice::U64),
        vec(any::<i128>(), 0..20).prop_map(Slice::I128),
        vec(big, 0..10).prop_map(Slice::Big),
        vec(any::<f32>(), 0..20).prop_map(Slice::F32),
        vec(-8_i16..8, 0..40).prop_map(|values| Slice::F32(values.into_iter().map(f32::from).collect())),
        floats().prop_map(Slice::F64),
        floats().prop_map(Slice::F64),
    ]
}

fn list() -> impl Strategy<Value = Vec<Reduction>> {
    subsequence(Reduction::ALL.to_vec(), 0..=8).prop_shuffle()
}

fn nan_policy() -> impl Strategy<Value = NanPolicy> {
    select(vec![NanPolicy::Keep, NanPolicy::Skip])
}

fn is_nan(value: &Answer) -> bool {
    matches!(value, Answer::Float(value) if value.is_nan())
}

fn same(a: &Result<Answer, NoAnswer>, b: &Result<Answer, NoAnswer>) -> bool {
    match (a, b) {
        (Ok(Answer::Float(a)), Ok(Answer::Float(b))) => {
            a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
        }
        _ => a == b,
    }
}

/// What the documentation promises, worked out from the whole list.
fn naive(elements: &[Answer], reduction: Reduction, population: bool) -> Result<Answer, NoAnswer> {
    let empty = NoAnswer::Empty { reduction };
    let floats: Vec<f64> = elements
        .iter()
        .filter_map(|element| if let Answer::Float(value) = element { Some(*value) } else { None })
        .collect();
    let nan = floats.iter().any(|value| value.is_nan());
    let has = |wanted: f64| floats.contains(&wanted);
    let special = match (nan, has(f64::INFINITY), has(f64::NEG_INFINITY)) {
        (false, false, false) => None,
        (false, true, false) => Some(f64::INFINITY),
        (false, false, true) => Some(f64::NEG_INFINITY),
        _ => Some(f64::NAN),
    };
    let one = Integer::ONE << 1074;
    let exact = |element: &Answer| match element {
        Answer::Integer(value) => value << 1074,
        Answer::Float(value) if value.is_finite() => units(*value),
        Answer::Float(_) => Integer::ZERO,
    };
    let sum = || elements.iter().fold(Integer::ZERO, |sum, element| sum + exact(element));
    let only_negative_zeros = !elements.is_empty()
        && floats.len() == elements.len()
        && floats.iter().all(|value| value.to_bits() == 1 << 63);
    let rounded = |below: &Integer| match special {
        Some(special) => special,
        None if only_negative_zeros => -0.0,
        None => ratio_to_f64(&sum(), below),
    };
    let count = Integer::from(elements.len());
    match reduction {
        Reduction::Count => Ok(Answer::Integer(count)),
        Reduction::Sum if floats.is_empty() => Ok(Answer::Integer(sum() >> 1074)),
        Reduction::Sum => Ok(Answer::Float(rounded(&one))),
        Reduction::Mean if elements.is_empty() => Err(empty),
        Reduction::Mean => Ok(Answer::Float(rounded(&(&one * count)))),
        Reduction::Min | Reduction::Max if nan => Ok(Answer::Float(f64::NAN)),
        Reduction::Min | Reduction::Max => {
            // Rust's min_by gives the first of equals and max_by the last.
            let best = if reduction == Reduction::Min {
                elements.iter().min_by(|a, b| order(a, b))
            } else {
                elements.iter().rev().max_by(|a, b| order(a, b))
            };
            best.cloned().ok_or(empty)
        }
        Reduction::Variance | Reduction::Stddev => {
            let below = match (elements.len(), population) {
                (0, _) => return Err(empty),
                (1, false) => return Err(NoAnswer::TooFew { reduction }),
                (_, true) => &count * &count * &count,
                (_, false) => &count * &count * (&count - 1),
            };
            if special.is_some() {
                return Ok(Answer::Float(f64::NAN));
            }
            let total = sum();
            let above = elements.iter().fold(Integer::ZERO, |above, element| {
                let deviation = exact(element) * &count - &total;
                above + &deviation * &deviation
            });
            let below = below * &one * &one;
            let round = if reduction == Reduction::Variance { ratio_to_f64 } else { sqrt_ratio_to_f64 };
            Ok(Answer::Float(round(&above, &below)))
        }
        Reduction::Product if floats.is_empty() => {
            Ok(Answer::Integer(elements.iter().fold(Integer::ONE, |product, element| {
                if let Answer::Integer(value) = element { product * value } else { product }
            })))
        }
        Reduction::Product => {
            let zero = elements.iter().any(|element| match element {
                Answer::Integer(value) => value.is_zero(),
                Answer::Float(value) => *value == 0.0,
            });
            // A zero among the integers makes their product 0, which has no sign.
            let no_sign =
                elements.iter().any(|element| matches!(element, Answer::Integer(value) if value.is_zero()));
            let negative = elements.iter().fold(false, |negative, element| {
                negative
                    ^ match element {
                        Answer::Integer(value) => *value < Integer::ZERO && !no_sign,
                        Answer::Float(value) => value.is_sign_negative(),
                    }
            });
            let infinite = floats.iter().any(|value| value.is_infinite());
            let magnitude = if nan || (zero && infinite) {
                f64::NAN
            } else if infinite {
                f64::INFINITY
            } else if zero {
                0.0
            } else {
                let mut above = Integer::ONE;
                let mut below_bits = 0;
                for element in elements {
                    match element {
                        Answer::Integer(value) => above *= value,
                        Answer::Float(value) => {
                            let units = units(*value);
                            let zeros = units.trailing_zeros().unwrap_or(0);
                            above *= units >> zeros;
                            below_bits += 1074 - i64::try_from(zeros).unwrap();
                        }
                    }
                }
                let shift = usize::try_from(below_bits.unsigned_abs()).unwrap();
                let value = if below_bits >= 0 {
                    ratio_to_f64(&above, &(Integer::ONE << shift))
                } else {
                    ratio_to_f64(&(above << shift), &Integer::ONE)
                };
                value.abs()
            };
            Ok(Answer::Float(if negative { -magnitude } else { magnitude }))
        }
    }
}

proptest! {
    #[test]
    fn columns_agree_with_the_oracle(
        slices in vec(slice(), 0..5),
        nan in nan_policy(),
        population in any::<bool>(),
    ) {
        let mut partial = Partial::identity(&Reduction::ALL);
        let mut index = 1_000;
        for slice in &slices {
            slice.absorb(0, slice.len(), &mut partial, Indices::From(index), nan);
            index += slice.len() as u64;
        }
        let all: Vec<Answer> = slices.iter().flat_map(Slice::meanings).collect();
        let kept: Vec<Answer> =
            all.iter().filter(|value| nan == NanPolicy::Keep || !is_nan(value)).cloned().collect();
        prop_assert_eq!(partial.elements(), kept.len() as u64);
        prop_assert_eq!(partial.skipped(), (all.len() - kept.len()) as u64);
        for (reduction, answer) in partial.finish(population) {
            let wanted = naive(&kept, reduction, population);
            prop_assert!(same(&answer, &wanted), "{} {:?} {:?}", reduction, answer, wanted);
            let mut alone = Partial::identity(&[reduction]);
            for slice in &slices {
                slice.absorb(0, slice.len(), &mut alone, Indices::Unknown, nan);
            }
            let alone_answer = &alone.finish(population)[0].1;
            let kind_may_differ = matches!(reduction, Reduction::Min | Reduction::Max);
            prop_assert!(same(alone_answer, &wanted) || kind_may_differ, "{} alone", reduction);
        }
        for reduction in [Reduction::Min, Reduction::Max] {
            let Ok(wanted) = naive(&kept, reduction, false) else { continue };
            let stands = all.iter().position(|value| {
                is_nan(value) == is_nan(&wanted) && (is_nan(value) || order(value, &wanted).is_eq())
            });
            prop_assert_eq!(partial.first_index(reduction), stands.map(|at| at as u64 + 1_000), "{}", reduction);
        }
    }

    #[test]
    fn cuts_order_and_grouping_change_nothing(
        slices in vec(slice(), 1..5),
        list in list(),
        nan in nan_policy(),
        placed in any::<bool>(),
        cuts in vec(any::<Index>(), 0..6),
        choices in vec(any::<Index>(), 1..20),
    ) {
        let mut whole = Partial::identity(&list);
        let mut pieces = Vec::new();
        let mut index = 7;
        for slice in &slices {
            let places: Vec<u64> = (0..slice.len() as u64).map(|position| index + position).collect();
            let indices = if placed { Indices::From(index) } else { Indices::Unknown };
            slice.absorb(0, slice.len(), &mut whole, indices, nan);
            let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(slice.len() + 1)).collect();
            ends.extend([0, slice.len()]);
            ends.sort_unstable();
            for ends in ends.windows(2) {
                let mut piece = Partial::identity(&list);
                let indices = if placed { Indices::Each(&places[ends[0]..ends[1]]) } else { Indices::Unknown };
                slice.absorb(ends[0], ends[1], &mut piece, indices, nan);
                pieces.push(Partial::from_bytes(&piece.to_bytes()).unwrap());
            }
            index += slice.len() as u64;
        }
        let mut choices = choices.iter().cycle();
        while pieces.len() > 1 {
            let other = pieces.swap_remove(choices.next().unwrap().index(pieces.len()));
            let into = choices.next().unwrap().index(pieces.len());
            pieces[into].merge(other).unwrap();
        }
        prop_assert_eq!(pieces[0].to_bytes(), whole.to_bytes());
        prop_assert_eq!(&pieces[0], &whole);
        prop_assert_eq!(Partial::from_bytes(&whole.to_bytes()).unwrap(), whole);
    }

    #[test]
    fn damage_is_refused_or_means_one_thing(
        slices in vec(slice(), 0..3),
        list in list(),
        damage in vec((any::<Index>(), any::<u8>(), 0..4_u8), 1..4),
    ) {
        let mut partial = Partial::identity(&list);
        for slice in &slices {
            slice.absorb(0, slice.len(), &mut partial, Indices::From(0), NanPolicy::Keep);
        }
        let mut bytes = partial.to_bytes();
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
        if let Ok(mut partial) = Partial::from_bytes(&bytes) {
            prop_assert_eq!(partial.to_bytes(), bytes);
            partial.finish(false);
            partial.finish(true);
            let copy = partial.clone();
            if partial.merge(copy).is_ok() {
                prop_assert!(Partial::from_bytes(&partial.to_bytes()).is_ok());
            }
        }
    }

    /// Bytes of a file mean what the typed slice means, at any alignment.
    #[test]
    fn files_mean_the_same(slice in slice(), cut in 0_usize..9, nan in nan_policy()) {
        use Endian::{Big, Little};
        macro_rules! both {
            ($values:expr, $little:expr, $big:expr) => {
                [
                    ($little, $values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>()),
                    ($big, $values.iter().flat_map(|value| value.to_be_bytes()).collect()),
                ]
            };
        }
        let files = match &slice {
            Slice::I8(values) => both!(values, Format::I8, Format::I8),
            Slice::U8(values) => both!(values, Format::U8, Format::U8),
            Slice::I16(values) => both!(values, Format::I16(Little), Format::I16(Big)),
            Slice::U16(values) => both!(values, Format::U16(Little), Format::U16(Big)),
            Slice::I32(values) => both!(values, Format::I32(Little), Format::I32(Big)),
            Slice::U32(values) => both!(values, Format::U32(Little), Format::U32(Big)),
            Slice::I64(values) => both!(values, Format::I64(Little), Format::I64(Big)),
            Slice::U64(values) => both!(values, Format::U64(Little), Format::U64(Big)),
            Slice::F32(values) => both!(values, Format::F32(Little), Format::F32(Big)),
            Slice::F64(values) => both!(values, Format::F64(Little), Format::F64(Big)),
            Slice::I128(_) | Slice::Big(_) => return Ok(()),
        };
        for list in [&Reduction::ALL[..], &[Reduction::Sum, Reduction::Count]] {
            let mut wanted = Partial::identity(list);
            slice.absorb(0, slice.len(), &mut wanted, Indices::From(3), nan);
            for (format, bytes) in &files {
                let mut file = vec![0; cut];
                file.extend(bytes);
                // A last element that is cut off.
                file.extend(vec![0xff; format.size() - 1]);
                let mut partial = Partial::identity(list);
                partial.absorb_bytes(&file[cut..], *format, Indices::From(3), nan).unwrap();
                prop_assert_eq!(partial.to_bytes(), wanted.to_bytes(), "{:?}", format);
            }
        }
    }
}

fn texts(values: &[f64], reductions: &[Reduction], nan: NanPolicy, population: bool) -> Vec<String> {
    let mut partial = Partial::identity(reductions);
    partial.absorb_f64(values, Indices::From(0), nan).unwrap();
    let text = |answer: Result<Answer, NoAnswer>| match answer {
        Ok(answer) => answer.to_string(),
        Err(why) => format!("could not compute {why}"),
    };
    partial.finish(population).into_iter().map(|(_, answer)| text(answer)).collect()
}

#[test]
fn answers_that_others_get_wrong() {
    use Reduction::{Max, Mean, Min, Product, Stddev, Sum, Variance};
    let keep = NanPolicy::Keep;
    assert_eq!(texts(&[5.4; 3], &[Mean], keep, false), ["5.4"]);
    assert_eq!(texts(&[1e16, 1e16 + 2.0, 1e16 + 4.0], &[Variance], keep, true), ["2.6666666666666665"]);
    assert_eq!(texts(&[1e308, 1e308], &[Sum, Mean, Stddev], keep, true), ["inf", "1e+308", "0.0"]);
    assert_eq!(texts(&[1e308, -1e308], &[Variance, Stddev], keep, true), ["inf", "1e+308"]);
    assert_eq!(texts(&[1e-200, 3e-200], &[Variance, Stddev], keep, true), ["0.0", "1e-200"]);
    assert_eq!(texts(&[1e200, 1e200, 1e-300], &[Product], keep, true), ["1e+100"]);
    assert_eq!(
        texts(&[-0.0, -0.0], &[Sum, Mean, Min, Max, Product], keep, true),
        ["-0.0", "-0.0", "-0.0", "-0.0", "0.0"]
    );
    assert_eq!(texts(&[0.0, -0.0], &[Min, Max], keep, true), ["-0.0", "0.0"]);
    let with_nan = [2.0, f64::NAN, 1.0];
    let five = [Sum, Mean, Variance, Min, Max];
    assert_eq!(texts(&with_nan, &five, keep, false), ["nan", "nan", "nan", "nan", "nan"]);
    assert_eq!(texts(&with_nan, &five, NanPolicy::Skip, false), ["3.0", "1.5", "0.5", "1.0", "2.0"]);
    assert_eq!(
        texts(&[f64::NAN], &[Sum, Min], NanPolicy::Skip, false),
        ["0", "could not compute the minimum: there are no elements"]
    );
    let ones = vec![1.0_f32; (1 << 24) + 1];
    let mut partial = Partial::identity(&[Sum]);
    partial.absorb_f32(&ones, Indices::Unknown, keep).unwrap();
    assert_eq!(partial.finish(false)[0].1, Ok(Answer::Float(16_777_217.0)));
}

#[test]
fn products_too_long_are_too_long_however_they_are_cut() {
    let values: Vec<f64> = (0..320_000).map(|at| 1.0 + f64::from(2 * at + 1) * f64::EPSILON).collect();
    let mut whole = Partial::identity(&[Reduction::Product]);
    whole.absorb_f64(&values, Indices::Unknown, NanPolicy::Keep).unwrap();
    assert_eq!(whole.finish(false)[0].1, Err(NoAnswer::TooLong));
    let mut merged = Partial::identity(&[Reduction::Product]);
    for part in values.chunks(30_000) {
        let mut piece = Partial::identity(&[Reduction::Product]);
        piece.absorb_f64(part, Indices::Unknown, NanPolicy::Keep).unwrap();
        assert!(matches!(piece.finish(false)[0].1, Ok(Answer::Float(_))));
        merged.merge(piece).unwrap();
    }
    assert_eq!(merged.to_bytes(), whole.to_bytes());
    assert_eq!(Partial::from_bytes(&merged.to_bytes()), Ok(whole.clone()));
    whole.absorb_f64(&[0.0], Indices::Unknown, NanPolicy::Keep).unwrap();
    assert_eq!(whole.finish(false)[0].1, Ok(Answer::Float(0.0)));
}

#[test]
fn progressions_say_where_their_ends_stand() {
    let mut partial = Partial::identity(&[Reduction::Min, Reduction::Max]);
    let (first, step) = (Integer::from(5_000), Integer::from(-1));
    assert!(partial.absorb_placed_progression(&first, &step, 4_000, Indices::From(100), &mut |_| true));
    assert_eq!(partial.first_index(Reduction::Min), Some(4_099));
    assert_eq!(partial.first_index(Reduction::Max), Some(100));
    assert_eq!(partial.first_index(Reduction::Sum), None);
    let mut unplaced = Partial::identity(&[Reduction::Min]);
    assert!(unplaced.absorb_progression(&first, &step, 4_000, &mut |_| true));
    assert_eq!(unplaced.first_index(Reduction::Min), None);
}
