//! What every exact sum of floats rests on: the oracle adds big integers, one value at a time.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::FloatSum;
use super::cpu::Cpu;
use super::load::{Big32, Big64, Little32, Little64, Native32, Native64};
use crate::round::ratio_to_f64;
use crate::{Integer, Malformed};

/// A finite value in units of 2^-1074.
pub(crate) fn units(value: f64) -> Integer {
    let bits = value.abs().to_bits();
    let (field, fraction) = (bits >> 52, bits & ((1 << 52) - 1));
    let (digits, shift) = if field == 0 { (fraction, 0) } else { (fraction | 1 << 52, field - 1) };
    let magnitude = Integer::from(digits) << usize::try_from(shift).unwrap();
    if value < 0.0 { -magnitude } else { magnitude }
}

/// The right sum, by the policy of the documentation.
fn oracle(values: &[f64]) -> f64 {
    let has = |wanted: f64| values.contains(&wanted);
    if values.iter().any(|value| value.is_nan()) || (has(f64::INFINITY) && has(f64::NEG_INFINITY)) {
        return f64::NAN;
    }
    if let Some(infinite) = values.iter().find(|value| value.is_infinite()) {
        return *infinite;
    }
    if !values.is_empty() && values.iter().all(|value| value.to_bits() == (-0.0_f64).to_bits()) {
        return -0.0;
    }
    let sum = values.iter().fold(Integer::ZERO, |sum, value| sum + units(*value));
    ratio_to_f64(&sum, &(Integer::ONE << 1074))
}

fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

fn on(cpu: Cpu, values: &[f64]) -> FloatSum {
    let mut sum = FloatSum::new();
    sum.add_raw::<Native64>(values, cpu);
    sum
}

fn singly(values: &[f64]) -> FloatSum {
    let mut sum = FloatSum::new();
    for value in values {
        sum.add(*value);
    }
    sum
}

#[test]
fn room_is_given_back_and_short_runs_take_none() {
    let wide: Vec<f64> = (0..4096).map(|n| 2.0_f64.powi(n % 600 - 300)).collect();
    let whole = on(Cpu::best(), &wide);
    let mut tidied = whole.clone();
    tidied.tidy();
    tidied.add_all(&wide);
    let mut twice = whole.clone();
    twice.add_all(&wide);
    assert_eq!(tidied.to_bytes(), twice.to_bytes());
    let mut short = FloatSum::new();
    for run in wide.chunks(100) {
        short.add_all(run);
    }
    assert_eq!(short.to_bytes(), whole.to_bytes());
    assert!(format!("{short:?}").len() < format!("{whole:?}").len(), "it holds no buckets");
}

/// All roads give the same bytes, and the right value.
fn check(values: &[f64]) {
    let slow = singly(values);
    let right = oracle(values);
    assert!(same(slow.value(), right), "{} instead of {right}", slow.value());
    for cpu in Cpu::all() {
        let fast = on(cpu, values);
        assert_eq!(fast.to_bytes(), slow.to_bytes(), "{cpu:?}");
        assert!(same(fast.value(), right));
    }
    let back = FloatSum::from_bytes(&slow.to_bytes()).unwrap();
    assert_eq!(back, slow);
    assert!(same(back.value(), right));
}

fn edges() -> Vec<f64> {
    let positive = [
        0.0,
        f64::from_bits(1),
        f64::from_bits((1 << 52) - 1),
        f64::MIN_POSITIVE,
        1e-300,
        2_f64.powi(-53),
        0.1,
        1.0,
        1.5,
        9_007_199_254_740_993.0,
        1e16,
        1e100,
        2_f64.powi(1013),
        2_f64.powi(1014),
        2_f64.powi(1015),
        f64::MAX / 2.0,
        f64::MAX,
    ];
    positive.into_iter().flat_map(|value| [value, -value]).collect()
}

/// Columns that look like somebody's data: a range of exponents, and now and then something else.
fn column(most: usize) -> impl Strategy<Value = Vec<f64>> {
    let around = |centre: i32, spread: u64| {
        (any::<u64>(), any::<bool>(), 0..=spread).prop_map(move |(bits, negative, more)| {
            let exponent = (i64::from(centre) + i64::try_from(more).unwrap()).clamp(0, 2046).cast_unsigned();
            f64::from_bits(u64::from(negative) << 63 | exponent << 52 | bits & ((1 << 52) - 1))
        })
    };
    let plain = (0..2047_i32, select(vec![0_u64, 1, 10, 37, 40, 90, 140, 600, 2046]), 0..=most)
        .prop_flat_map(move |(centre, spread, length)| vec(around(centre, spread), length));
    let special = select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.0, f64::MAX, -5e-324]);
    (plain, vec((any::<Index>(), prop_oneof![special, select(edges()), any::<f64>()]), 0..4), 0..6_usize)
        .prop_map(|(mut values, specials, how_many)| {
            for (at, special) in specials.into_iter().take(how_many) {
                if !values.is_empty() {
                    let at = at.index(values.len());
                    values[at] = special;
                }
            }
            values
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_road_is_right(values in column(5_000)) {
        check(&values);
    }

    #[test]
    fn any_bits_are_right(bits in vec(any::<u64>(), 0..100)) {
        check(&bits.into_iter().map(f64::from_bits).collect::<Vec<_>>());
    }

    #[test]
    fn edges_are_right(values in vec(select(edges()), 0..60)) {
        check(&values);
    }

    #[test]
    fn cuts_order_and_grouping_change_nothing(
        parts in vec(column(3_000), 1..6),
        choices in vec(any::<Index>(), 1..12),
        send in any::<bool>(),
    ) {
        let whole = singly(&parts.concat()).to_bytes();
        let mut sums: Vec<FloatSum> = parts.iter().map(|part| on(Cpu::best(), part)).collect();
        if send {
            sums = sums.iter().map(|sum| FloatSum::from_bytes(&sum.to_bytes()).unwrap()).collect();
        }
        let mut choices = choices.iter().cycle();
        while sums.len() > 1 {
            let other = sums.swap_remove(choices.next().unwrap().index(sums.len()));
            let into = choices.next().unwrap().index(sums.len());
            sums[into].merge(&other);
        }
        prop_assert_eq!(sums[0].to_bytes(), whole);
        sums[0].merge(&FloatSum::new());
        let mut nothing = FloatSum::new();
        nothing.merge(&sums[0]);
        prop_assert_eq!(&nothing, &sums[0]);
    }

    #[test]
    #[expect(clippy::cast_possible_truncation, reason = "the nearest f32 is what is wanted")]
    fn layouts_agree(values in column(3_000), cut in 0..7_usize) {
        let values = &values[cut.min(values.len())..];
        let wanted = singly(values).to_bytes();
        let little: Vec<[u8; 8]> = values.iter().map(|value| value.to_le_bytes()).collect();
        let big: Vec<[u8; 8]> = values.iter().map(|value| value.to_be_bytes()).collect();
        let short: Vec<f32> = values.iter().map(|value| *value as f32).collect();
        let widened: Vec<f64> = short.iter().map(|value| f64::from(*value)).collect();
        let short_wanted = singly(&widened).to_bytes();
        for cpu in Cpu::all() {
            let mut sums: Vec<FloatSum> = (0..5).map(|_| FloatSum::new()).collect();
            sums[0].add_raw::<Little64>(&little, cpu);
            sums[1].add_raw::<Big64>(&big, cpu);
            sums[2].add_raw::<Native32>(&short, cpu);
            let little: Vec<[u8; 4]> = short.iter().map(|value| value.to_le_bytes()).collect();
            let big: Vec<[u8; 4]> = short.iter().map(|value| value.to_be_bytes()).collect();
            sums[3].add_raw::<Little32>(&little, cpu);
            sums[4].add_raw::<Big32>(&big, cpu);
            for sum in &sums[..2] {
                prop_assert_eq!(&sum.to_bytes(), &wanted);
            }
            for sum in &sums[2..] {
                prop_assert_eq!(&sum.to_bytes(), &short_wanted);
            }
        }
    }

    #[test]
    fn damage_is_refused_or_means_one_thing(
        values in column(100),
        damage in vec((any::<Index>(), any::<u8>(), 0..4_u8), 1..4),
    ) {
        let mut bytes = singly(&values).to_bytes();
        for (at, byte, how) in damage {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes[at] ^= 1 << (byte % 8),
                2 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, byte),
            }
        }
        if let Ok(mut sum) = FloatSum::from_bytes(&bytes) {
            prop_assert_eq!(sum.to_bytes(), bytes);
            let copy = sum.clone();
            sum.merge(&copy);
            sum.value();
        }
    }
}

/// Blocks at the borders of every road.
#[test]
fn borders_of_the_roads() {
    let lengths = [1, 15, 16, 17, 24, 2047, 2048, 2049, 4096, 4100];
    for length in lengths {
        for value in edges() {
            check(&vec![value; length]);
        }
        for exponent in [-1074, -1022, -1000, -984, -983, -938, -937, -1, 0, 1, 1013, 1014, 1015, 1022, 1023]
        {
            let top = 2_f64.powi(exponent);
            for below in [1, 36, 37, 38, 39, 52, 82, 83, 84, 85, 91, 137, 138, 500, 2_000] {
                let low = 2_f64.powi((exponent - below).max(-1074)) * 1.999_999_999_999_999_8;
                let values: Vec<f64> = (0..length)
                    .map(|at| {
                        if at % 5 == 0 {
                            -low
                        } else if at % 7 == 0 {
                            low
                        } else {
                            top
                        }
                    })
                    .collect();
                check(&values);
            }
        }
    }
    check(&[]);
    check(&[-0.0; 5_000]);
    let mut nearly = vec![-0.0; 5_000];
    nearly[4_321] = 0.0;
    check(&nearly);
    nearly[4_321] = f64::NAN;
    check(&nearly);
    check(&[f64::MAX; 3_000]);
}

/// The largest lane sums that may occur: every value just below the border of its anchor.
#[test]
fn lanes_are_filled_to_the_brim() {
    for exponent in [-1022, -984, -500, 0, 500, 1013, 1014] {
        let most = f64::from_bits(2_f64.powi(exponent).to_bits() | ((1 << 52) - 1));
        for sign in [1.0, -1.0] {
            check(&[sign * most; 2048]);
            // After this the anchor of the second block comes from the first.
            let mut values = vec![sign * most; 2048];
            values.extend([sign * most / 4.0; 2048]);
            values.extend([sign * most * if exponent < 1013 { 4.0 } else { 1.0 }; 2048]);
            check(&values);
        }
    }
}

#[test]
fn carries_run_through() {
    let mut sum = FloatSum::new();
    for _ in 0..5_000 {
        sum.add(f64::MAX);
        sum.add(f64::from_bits(1));
    }
    for _ in 0..5_000 {
        sum.add(f64::MIN);
    }
    assert_eq!(sum.value(), f64::from_bits(5_000));
    let mut doubled = singly(&[f64::MAX]);
    for _ in 0..64 {
        let copy = doubled.clone();
        doubled.merge(&copy);
    }
    assert_eq!(doubled.value(), f64::INFINITY);
    assert!(FloatSum::from_bytes(&doubled.to_bytes()).is_ok());
    let copy = doubled.clone();
    doubled.merge(&copy);
    assert_eq!(FloatSum::from_bytes(&doubled.to_bytes()), Err(Malformed::Impossible));
}

#[test]
fn answers_that_others_get_wrong() {
    let thousand = |values: &[f64]| values.repeat(1_000);
    for (values, right) in [
        (vec![0.1; 10], 1.0),
        (thousand(&[1e16, 1.0, -1e16]), 1_000.0),
        ([1.0, 1e100, 1.0, -1e100].repeat(10), 20.0),
        (vec![1.0, 1e100, 1e200, -1e200, -1e100], 1.0),
        (vec![1e308, 1e308, -1e308], 1e308),
        (vec![f64::INFINITY, 1e308, 1.0], f64::INFINITY),
        (vec![1.0, 2_f64.powi(-53), 2_f64.powi(-106)], 1.000_000_000_000_000_2),
        (vec![-0.0, -0.0], -0.0),
        (vec![-0.0, 0.0], 0.0),
        (vec![], 0.0),
        (vec![5.0, -5.0], 0.0),
        (vec![0.75; 4096], 3072.0),
        (vec![f64::MAX, f64::MAX], f64::INFINITY),
        (vec![f64::INFINITY, f64::NEG_INFINITY], f64::NAN),
        (vec![1.0, f64::NAN, f64::INFINITY], f64::NAN),
    ] {
        assert!(same(singly(&values).value(), right), "{right}");
        check(&values);
    }
}

#[test]
fn bytes_are_golden_and_strict() {
    let sum = singly(&[-1.5, f64::INFINITY, f64::NAN, f64::NAN]);
    let bytes = sum.to_bytes();
    assert_eq!(bytes.len(), FloatSum::BYTES);
    assert_eq!(bytes.len(), 298);
    assert_eq!(bytes[..10], [1, 2, 2, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes[10..26], [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    // -1.5 * 2^1074 is -2^1074 - 2^1073 = -2^1075 + 2^1073: byte 134 holds bits 1072 to 1079.
    assert!(bytes[26..26 + 134].iter().all(|byte| *byte == 0));
    assert_eq!(bytes[26 + 134], 0b1111_1010);
    assert!(bytes[26 + 135..].iter().all(|byte| *byte == 0xff));
    for end in 0..bytes.len() {
        assert_eq!(FloatSum::from_bytes(&bytes[..end]), Err(Malformed::Truncated));
    }
    let edited = |edits: &[(usize, u8)]| {
        let mut bytes = bytes.clone();
        for (at, byte) in edits {
            bytes[*at] = *byte;
        }
        FloatSum::from_bytes(&bytes)
    };
    assert_eq!(edited(&[(0, 2)]), Err(Malformed::Version(2)));
    assert_eq!(edited(&[(1, 3)]), Err(Malformed::NotCanonical));
    assert_eq!(edited(&[(1, 1)]), Err(Malformed::Impossible));
    assert_eq!(edited(&[(297, 0x7f)]), Err(Malformed::Impossible));
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(FloatSum::from_bytes(&longer), Err(Malformed::Trailing));
}

#[test]
fn far_apart_with_zeros_subnormals_and_what_is_no_number() {
    let wide = |at: u64| {
        let word = at.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        f64::from_bits(word & 0x800f_ffff_ffff_ffff | (1 + at * 37 % 2046) << 52)
    };
    let rare = [0.0, -0.0, 5e-324, -3e-310, f64::MIN_POSITIVE, -f64::MIN_POSITIVE];
    let others = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    for (often, special) in [(u64::MAX, &rare[..]), (3, &rare), (5, &rare), (700, &others), (2_000, &others)]
    {
        let values: Vec<f64> = (0..9_000)
            .map(|at| {
                if at % often == often - 1 {
                    special[usize::try_from(at / often % special.len() as u64).unwrap()]
                } else {
                    wide(at)
                }
            })
            .collect();
        for cpu in crate::float::cpu::Cpu::all() {
            let (mut blocks, mut singly) = (FloatSum::new(), FloatSum::new());
            blocks.add_raw::<crate::float::load::Native64>(&values, cpu);
            values.iter().for_each(|value| singly.add(*value));
            assert_eq!(blocks.to_bytes(), singly.to_bytes(), "every {often}th is {special:?}");
        }
    }
}
