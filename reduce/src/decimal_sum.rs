//! The exact sum, least, greatest and count of decimal numbers.
//!
//! Answers have as many digits after the point as the element that has most. A mean is given if it has a finite
//! decimal expansion and refused if not: nothing here rounds.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use crate::bytes::{Input, put_integer};
use crate::decimal::{DIGITS_MAX, ten_to};
use crate::extrema::NOWHERE;
use crate::total::Total;
use crate::{Decimal, Integer, Malformed, Mismatch, NotDecimal};

const VERSION: u8 = 1;

/// The mergeable state of some decimal numbers.
#[derive(Clone, Debug, Default)]
pub struct DecimalSum {
    elements: u64,
    skipped: u64,
    /// Digits after the point of the element that has most.
    scale: u32,
    /// A sum for each number of digits after the point, so that adding never multiplies.
    sums: BTreeMap<u32, Total>,
    /// Without padding, and where it first stands.
    least: Option<(Decimal, u64)>,
    greatest: Option<(Decimal, u64)>,
}

/// Why decimal numbers have no mean. The text fits after "could not compute".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoMean {
    /// There were no elements.
    Empty,
    /// Its decimal digits never end.
    Endless,
}

impl fmt::Display for NoMean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the mean: there are no elements",
            Self::Endless => {
                "the mean in decimal: its digits never end, and decimal answers are never rounded"
            }
        })
    }
}

impl std::error::Error for NoMean {}

impl DecimalSum {
    /// Bytes of memory that it takes, roughly.
    pub(crate) fn memory_bytes(&self) -> usize {
        const NODE: usize = 32;
        size_of::<Self>() + self.sums.len() * (size_of::<Total>() + NODE)
    }

    /// The state of no elements.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a text and adds it, with its index if that is known.
    ///
    /// # Errors
    /// If it is no decimal number; then nothing is added. After 2^64 - 1 elements the count stays.
    pub fn add_text(&mut self, text: &[u8], index: Option<u64>) -> Result<(), NotDecimal> {
        self.add(&Decimal::parse(text)?, index);
        Ok(())
    }

    /// Adds a number, with its index if that is known.
    pub fn add(&mut self, value: &Decimal, index: Option<u64>) {
        self.elements = self.elements.saturating_add(1);
        self.scale = self.scale.max(value.scale);
        self.sums.entry(value.scale).or_default().add_integer(&value.digits);
        let index = index.unwrap_or(NOWHERE);
        improve(&mut self.least, value, index, Ordering::Less);
        improve(&mut self.greatest, value, index, Ordering::Greater);
    }

    /// Adds many numbers `units / 10^scale` whose places nobody knows, faster than one by one.
    ///
    /// # Errors
    /// If one has too many digits; then those before it may have been added.
    pub fn add_units(&mut self, values: &[(i128, i32)]) -> Result<(), NotDecimal> {
        let mut runs = values;
        while let Some(&(first, scale)) = runs.first() {
            let same = runs.iter().take_while(|(_, other)| *other == scale).count();
            let (run, rest) = runs.split_at(same);
            runs = rest;
            let (mut sum, mut least, mut greatest) = (Some(0_i128), first, first);
            for &(units, _) in run {
                sum = sum.and_then(|sum| sum.checked_add(units));
                (least, greatest) = (least.min(units), greatest.max(units));
            }
            let Some(sum) = sum else {
                for &(units, scale) in run {
                    self.add(&Decimal::from_units(units.into(), scale.into())?, None);
                }
                continue;
            };
            let of = |units: i128| Decimal::from_units(units.into(), scale.into());
            let (sum, least, greatest) = (of(sum)?, of(least)?, of(greatest)?);
            self.elements = self.elements.saturating_add(same as u64);
            self.scale = self.scale.max(sum.scale);
            self.sums.entry(sum.scale).or_default().add_integer(&sum.digits);
            improve(&mut self.least, &least, NOWHERE, Ordering::Less);
            improve(&mut self.greatest, &greatest, NOWHERE, Ordering::Greater);
        }
        Ok(())
    }

    /// Counts elements that somebody else left out.
    pub fn skip(&mut self, elements: u64) {
        self.skipped = self.skipped.saturating_add(elements);
    }

    /// How many elements were added.
    pub fn elements(&self) -> u64 {
        self.elements
    }

    /// How many were left out.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Adds the elements of another. Commutative and associative, and a state of nothing changes nothing.
    ///
    /// # Errors
    /// If 2^64 elements or more would be counted; then `self` is as it was.
    pub fn merge(&mut self, other: Self) -> Result<(), Mismatch> {
        self.elements = self.elements.checked_add(other.elements).ok_or(Mismatch::Elements)?;
        self.skip(other.skipped);
        self.scale = self.scale.max(other.scale);
        for (scale, sum) in other.sums {
            self.sums.entry(scale).or_default().merge(sum);
        }
        for (mine, other, wanted) in [
            (&mut self.least, other.least, Ordering::Less),
            (&mut self.greatest, other.greatest, Ordering::Greater),
        ] {
            if let Some((value, index)) = other {
                improve(mine, &value, index, wanted);
            }
        }
        Ok(())
    }

    /// The exact sum; of nothing it is 0.
    pub fn sum(&self) -> Decimal {
        let at_scale = |(scale, sum): (&u32, &Total)| sum.value() * ten_to(self.scale - scale);
        let digits = self.sums.iter().map(at_scale).fold(Integer::ZERO, |all, sum| all + sum);
        Decimal { digits, scale: self.scale }
    }

    /// The least element, if there is one.
    pub fn min(&self) -> Option<Decimal> {
        self.end(self.least.as_ref())
    }

    /// The greatest element, if there is one.
    pub fn max(&self) -> Option<Decimal> {
        self.end(self.greatest.as_ref())
    }

    fn end(&self, end: Option<&(Decimal, u64)>) -> Option<Decimal> {
        end.map(|(value, _)| Decimal { digits: value.digits_at(self.scale), scale: self.scale })
    }

    /// Where the least and the greatest element first stand, as far as that is known.
    pub fn first_indices(&self) -> (Option<u64>, Option<u64>) {
        let known = |end: &Option<(Decimal, u64)>| {
            end.as_ref().map(|(_, index)| *index).filter(|index| *index != NOWHERE)
        };
        (known(&self.least), known(&self.greatest))
    }

    /// The exact mean, with as many digits as it needs.
    ///
    /// # Errors
    /// If there are no elements, or no decimal number is their mean.
    pub fn mean(&self) -> Result<Decimal, NoMean> {
        if self.elements == 0 {
            return Err(NoMean::Empty);
        }
        let sum = self.sum();
        // With a digit more for each prime factor 2 or 5 of the count, the division comes out if it ever does.
        let (mut rest, mut more) = (self.elements, 0);
        for prime in [2, 5] {
            while rest % prime == 0 {
                rest /= prime;
                more += 1;
            }
        }
        let scaled = sum.digits * ten_to(more);
        let count = Integer::from(self.elements);
        let digits = &scaled / &count;
        if &digits * &count != scaled {
            return Err(NoMean::Endless);
        }
        let mut mean = Decimal { digits, scale: sum.scale + more };
        while mean.scale > self.scale && mean.is_padded() {
            mean.digits /= Integer::from(10);
            mean.scale -= 1;
        }
        Ok(mean)
    }

    /// The canonical bytes: equal states have equal bytes.
    ///
    /// Version 1; elements and elements left out, 8 bytes each; the scale in 4; the digits of the sum at that
    /// scale; then for the least and the greatest: 0 if there is none, else 1, the scale in 4 bytes, the digits
    /// without zeros at the end, and the first index in 8 bytes, 2^64 - 1 if it is not known. Digits are a byte
    /// of sign, 1 for negative, the length of the magnitude in 8 bytes, and the magnitude. All little-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend(self.elements.to_le_bytes());
        out.extend(self.skipped.to_le_bytes());
        out.extend(self.scale.to_le_bytes());
        put_integer(&mut out, Some(&self.sum().digits));
        for end in [&self.least, &self.greatest] {
            out.push(u8::from(end.is_some()));
            if let Some((value, index)) = end {
                out.extend(value.scale.to_le_bytes());
                put_integer(&mut out, Some(&value.digits));
                out.extend(index.to_le_bytes());
            }
        }
        out
    }

    /// Reads what [`DecimalSum::to_bytes`] wrote, and nothing else.
    ///
    /// # Errors
    /// If the bytes are not exactly one state in canonical form, or no elements have it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut input = Input(bytes);
        match input.byte()? {
            VERSION => {}
            version => return Err(Malformed::Version(version)),
        }
        let (elements, skipped) = (input.number()?, input.number()?);
        let scale = read_scale(&mut input)?;
        let sum = Decimal { digits: input.integer()?.ok_or(Malformed::NotCanonical)?, scale };
        let least = read_end(&mut input)?;
        let greatest = read_end(&mut input)?;
        if !input.0.is_empty() {
            return Err(Malformed::Trailing);
        }
        let possible = match (&least, &greatest) {
            (None, None) => elements == 0 && scale == 0 && sum.digits.is_zero(),
            (Some((least, _)), Some((greatest, _))) => {
                let times = |value: &Decimal| value.digits_at(scale) * Integer::from(elements);
                elements > 0
                    && least.scale.max(greatest.scale) <= scale
                    && times(least) <= sum.digits
                    && sum.digits <= times(greatest)
            }
            _ => false,
        };
        if !possible {
            return Err(Malformed::Impossible);
        }
        let sums = BTreeMap::from([(scale, Total::new(sum.digits))]);
        Ok(Self { elements, skipped, scale, sums, least, greatest })
    }
}

fn read_scale(input: &mut Input<'_>) -> Result<u32, Malformed> {
    let mut scale = [0; 4];
    scale.copy_from_slice(input.take(4)?);
    match u32::from_le_bytes(scale) {
        scale if scale > DIGITS_MAX => Err(Malformed::Impossible),
        scale => Ok(scale),
    }
}

fn read_end(input: &mut Input<'_>) -> Result<Option<(Decimal, u64)>, Malformed> {
    match input.byte()? {
        0 => Ok(None),
        1 => {
            let scale = read_scale(input)?;
            let value = Decimal { digits: input.integer()?.ok_or(Malformed::NotCanonical)?, scale };
            if value.is_padded() {
                return Err(Malformed::NotCanonical);
            }
            Ok(Some((value, input.number()?)))
        }
        _ => Err(Malformed::NotCanonical),
    }
}

/// Takes a value that is better, or as good and earlier.
fn improve(best: &mut Option<(Decimal, u64)>, value: &Decimal, index: u64, wanted: Ordering) {
    let better = best.as_ref().is_none_or(|(best, first)| match value.order(best) {
        Ordering::Equal => index < *first,
        order => order == wanted,
    });
    if better {
        *best = Some((value.clone().stripped(), index));
    }
}

impl PartialEq for DecimalSum {
    fn eq(&self, other: &Self) -> bool {
        self.to_bytes() == other.to_bytes()
    }
}

impl Eq for DecimalSum {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;

    fn of(texts: &[&str]) -> DecimalSum {
        let mut sum = DecimalSum::new();
        for (index, text) in texts.iter().enumerate() {
            sum.add_text(text.as_bytes(), Some(index as u64)).unwrap();
        }
        sum
    }

    #[test]
    fn money_is_exact() {
        let sum = of(&["0.10", "0.2", "-3", "1e1", "7.305", "-3.000"]);
        assert_eq!(sum.sum().to_string(), "11.605");
        assert_eq!(sum.min().unwrap().to_string(), "-3.000");
        assert_eq!(sum.max().unwrap().to_string(), "10.000");
        assert_eq!(sum.first_indices(), (Some(2), Some(3)));
        assert_eq!(sum.elements(), 6);
        assert_eq!(sum.mean(), Err(NoMean::Endless));
        assert_eq!(of(&["0.1"; 10]).sum().to_string(), "1.0");
        assert_eq!(of(&["0.1", "0.2"]).mean().unwrap().to_string(), "0.15");
        assert_eq!(of(&["1", "2", "4", "4"]).mean().unwrap().to_string(), "2.75");
        assert_eq!(of(&["1.00", "2.00", "3.00"]).mean().unwrap().to_string(), "2.00");
        assert_eq!(of(&["-0.5", "0.5"]).mean().unwrap().to_string(), "0.0");
        let nothing = of(&[]);
        assert_eq!(
            (nothing.sum().to_string(), nothing.min(), nothing.mean()),
            ("0".to_owned(), None, Err(NoMean::Empty))
        );
        assert_eq!(DecimalSum::from_bytes(&nothing.to_bytes()), Ok(nothing));
        let mut refused = of(&["1.5"]);
        assert!(refused.add_text(b"abc", None).is_err());
        assert_eq!(refused, of(&["1.5"]));
    }

    #[test]
    fn many_at_once_are_the_same_as_one_by_one() {
        let values =
            [(150, 2), (-7, 2), (3, 0), (12, -1), (12, -1), (i128::MAX, 1), (i128::MAX, 1), (0, 4), (5, 2)];
        let (mut many, mut single) = (DecimalSum::new(), DecimalSum::new());
        many.add_units(&values).unwrap();
        for (units, scale) in values {
            single.add(&Decimal::from_units(units.into(), scale.into()).unwrap(), None);
        }
        assert_eq!(many.to_bytes(), single.to_bytes());
        assert_eq!(many.add_units(&[(1, 5_000)]), Err(NotDecimal::TooLong));
    }

    fn texts() -> impl Strategy<Value = Vec<String>> {
        let short = (-5_000_i64..5_000, 0_u32..4)
            .prop_map(|(digits, scale)| Decimal { digits: digits.into(), scale });
        let long =
            (any::<i128>(), 0_u32..50).prop_map(|(digits, scale)| Decimal { digits: digits.into(), scale });
        let one = prop_oneof![4 => short, 1 => long].prop_map(|decimal| decimal.to_string());
        vec(prop_oneof![9 => one, 1 => "-?[0-9]e[0-9]{1,2}"], 0..40)
    }

    proptest! {
        #[test]
        fn cuts_order_and_grouping_change_nothing(
            texts in texts(),
            cuts in vec(any::<Index>(), 0..6),
            choices in vec(any::<Index>(), 1..12),
        ) {
            let all: Vec<&str> = texts.iter().map(String::as_str).collect();
            let whole = of(&all);
            let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(all.len() + 1)).collect();
            ends.extend([0, all.len()]);
            ends.sort_unstable();
            let mut parts: Vec<DecimalSum> = ends.windows(2).map(|ends| {
                let mut part = DecimalSum::new();
                for (index, text) in all.iter().enumerate().take(ends[1]).skip(ends[0]) {
                    part.add_text(text.as_bytes(), Some(index as u64)).unwrap();
                }
                DecimalSum::from_bytes(&part.to_bytes()).unwrap()
            }).collect();
            let mut choices = choices.iter().cycle();
            while parts.len() > 1 {
                let other = parts.swap_remove(choices.next().unwrap().index(parts.len()));
                let into = choices.next().unwrap().index(parts.len());
                parts[into].merge(other).unwrap();
            }
            prop_assert_eq!(parts[0].to_bytes(), whole.to_bytes());
            let values: Vec<Decimal> = all.iter().map(|text| Decimal::parse(text.as_bytes()).unwrap()).collect();
            let naive = values.iter().fold(Integer::ZERO, |sum, value| sum + value.digits_at(100));
            prop_assert_eq!(whole.sum().digits_at(100), naive.clone());
            let least = values.iter().map(|value| value.digits_at(100)).min();
            prop_assert_eq!(whole.min().map(|value| value.digits_at(100)), least);
            if let Ok(mean) = whole.mean() {
                prop_assert_eq!(mean.digits_at(300) * Integer::from(all.len()), naive * ten_to(200));
            }
        }

        #[test]
        fn damage_is_refused_or_means_one_thing(
            texts in texts(),
            damage in vec((any::<Index>(), any::<u8>(), 0..4_u8), 1..4),
        ) {
            let mut bytes = of(&texts.iter().map(String::as_str).collect::<Vec<_>>()).to_bytes();
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
            if let Ok(mut sum) = DecimalSum::from_bytes(&bytes) {
                prop_assert_eq!(sum.to_bytes(), bytes);
                let copy = sum.clone();
                if sum.merge(copy).is_ok() {
                    prop_assert!(DecimalSum::from_bytes(&sum.to_bytes()).is_ok());
                }
                drop(sum.mean());
            }
        }
    }
}
