//! The canonical bytes of a partial: one partial, one text; everything else is refused.
//!
//! Little-endian, in this order:
//!
//! | bytes | meaning |
//! |---|---|
//! | 1 | version, 2 |
//! | 1 | kind of the elements: 1 integers only, 2 floats too, 3 no floats came, but they were to; and 4 if values were made a NaN |
//! | 8 | how many reductions, then one byte for each in the order asked |
//! | 8 | elements |
//! | 8 | elements left out |
//! | 8 | if some were: values made a NaN |
//! | | one section for each accumulator the reductions need, in the order sum 1, squares 2, least 3, greatest 4, product 5 |
//! | 8 | of kind 2: how many elements are floats |
//! | | of kind 2: the same for floats: sum 6, squares 7, product 8 |
//!
//! A section is its number, then a form (0 not negative, 1 negative, 2 none yet, 3 a float), and for forms 0 and
//! 1 the length of the magnitude in 8 bytes and the magnitude, without leading zeros (the magnitude of 0 has
//! length 0), for form 3 the 8 bytes of an `f64`. Least and greatest go on with the first index, unless there is
//! none yet, and with the index of the first NaN: 0 for no NaN, 1 for an index that is not known, 2 and 8 bytes
//! for one that is. Sections 6 and 7 have the bytes of those sums in place of a form. Section 8 has a byte of flags (1 NaN, 2
//! infinity, 4 zero, 8 negative), 16 bytes of exponent and 8 of bits before its form, which is 2 if it is too long.
//! What comes in is untrusted: nothing here panics, and nothing is allocated that was not first seen to be there.

use std::fmt;

use dashu_int::ops::BitTest;
use dashu_int::{Sign, UBig};

use crate::basis::{Basis, Floats};
use crate::extrema::{Extremum, NOWHERE, order};
use crate::float::FloatSum;
use crate::float::product::{BITS_MAX, FloatProduct};
use crate::float::squares::Squares;
use crate::product::Product;
use crate::total::Total;
use crate::{Answer, Integer, Partial, Reduction};

const VERSION: u8 = 2;
const KIND_INTEGER: u8 = 1;
const KIND_FLOAT: u8 = 2;
const KIND_NO_FLOATS_YET: u8 = 3;
const KIND_MADE_NAN: u8 = 4;

const SUM: u8 = 1;
const SQUARES: u8 = 2;
const LEAST: u8 = 3;
const GREATEST: u8 = 4;
const PRODUCT: u8 = 5;
const FLOAT_SUM: u8 = 6;
const FLOAT_SQUARES: u8 = 7;
const FLOAT_PRODUCT: u8 = 8;

const NOT_NEGATIVE: u8 = 0;
const NEGATIVE: u8 = 1;
const NONE: u8 = 2;
const FLOAT: u8 = 3;

const NO_NAN: u8 = 0;
const UNKNOWN: u8 = 1;
const KNOWN: u8 = 2;

const FLAG_NAN: u8 = 1;
const FLAG_INFINITE: u8 = 2;
const FLAG_ZERO: u8 = 4;
const FLAG_NEGATIVE: u8 = 8;

/// Why bytes are not a partial. The text fits after "could not".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Malformed {
    /// The version is not one this program knows.
    Version(u8),
    /// The elements are of a kind this program does not know.
    Kind(u8),
    /// A reduction this program does not know.
    Reduction(u8),
    /// The bytes end too early.
    Truncated,
    /// Bytes are left after the end.
    Trailing,
    /// The same value has another, canonical form; or a section is out of place.
    NotCanonical,
    /// No elements have this state.
    Impossible,
    /// The groups take more memory than they may.
    TooManyGroups,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => {
                write!(f, "read a partial of version {version}: this program does not know it")
            }
            Self::Kind(kind) => write!(f, "read a partial: unknown kind of elements {kind}"),
            Self::Reduction(code) => write!(f, "read a partial: unknown reduction {code}"),
            Self::Truncated => f.write_str("read a partial: it ends too early"),
            Self::Trailing => f.write_str("read a partial: bytes are left after its end"),
            Self::NotCanonical => f.write_str("read a partial: it is not in canonical form"),
            Self::Impossible => f.write_str("read a partial: no elements have this state"),
            Self::TooManyGroups => f.write_str("read a partial: it has more groups than may be held"),
        }
    }
}

impl std::error::Error for Malformed {}

impl Partial {
    /// The canonical bytes: equal partials have equal bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let kind = match (&self.basis.floats, self.of_floats) {
            (Some(_), _) => KIND_FLOAT,
            (None, true) => KIND_NO_FLOATS_YET,
            (None, false) => KIND_INTEGER,
        };
        let flag = if self.made_nan > 0 { KIND_MADE_NAN } else { 0 };
        let mut out = vec![VERSION, kind | flag];
        put_length(&mut out, self.reductions.len());
        out.extend(self.reductions.iter().map(|reduction| code(*reduction)));
        out.extend(self.elements.to_le_bytes());
        out.extend(self.skipped.to_le_bytes());
        if self.made_nan > 0 {
            out.extend(self.made_nan.to_le_bytes());
        }
        let basis = &self.basis;
        if let Some(sum) = &basis.sum {
            put_section(&mut out, SUM, Some(&sum.value()));
        }
        if let Some(squares) = &basis.squares {
            put_section(&mut out, SQUARES, Some(&squares.value()));
        }
        if let Some(least) = &basis.least {
            put_extremum(&mut out, LEAST, least);
        }
        if let Some(greatest) = &basis.greatest {
            put_extremum(&mut out, GREATEST, greatest);
        }
        if let Some(product) = &basis.product {
            put_section(&mut out, PRODUCT, Some(&product.value()));
        }
        if let Some(floats) = &basis.floats {
            put_floats(&mut out, floats);
        }
        out
    }

    /// Reads what [`Partial::to_bytes`] wrote, and nothing else.
    ///
    /// # Errors
    /// If the bytes are not exactly one partial in canonical form. Memory stays within a small multiple of
    /// `bytes`, whatever they claim.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut input = Input(bytes);
        match input.byte()? {
            VERSION => {}
            version => return Err(Malformed::Version(version)),
        }
        let kind = input.byte()?;
        let made_nan = kind & KIND_MADE_NAN != 0;
        let (has_floats, of_floats) = match kind & !KIND_MADE_NAN {
            KIND_INTEGER => (false, false),
            KIND_FLOAT => (true, true),
            KIND_NO_FLOATS_YET => (false, true),
            _ => return Err(Malformed::Kind(kind)),
        };
        let length = input.length()?;
        let codes = input.take(length)?;
        let reductions = codes.iter().map(|byte| reduction(*byte)).collect::<Result<Vec<_>, _>>()?;
        let mut partial = Self::identity(&reductions);
        partial.elements = input.number()?;
        partial.skipped = input.number()?;
        partial.of_floats = of_floats;
        if made_nan {
            partial.made_nan = input.number()?;
            if partial.made_nan == 0 {
                return Err(Malformed::NotCanonical);
            }
        }
        read_basis(&mut input, &mut partial.basis)?;
        if has_floats {
            let count = input.number()?;
            read_floats(&mut input, partial.basis.floats(count))?;
        }
        if !input.0.is_empty() {
            return Err(Malformed::Trailing);
        }
        if !possible(&partial) {
            return Err(Malformed::Impossible);
        }
        Ok(partial)
    }
}

fn read_basis(input: &mut Input<'_>, basis: &mut Basis) -> Result<(), Malformed> {
    if let Some(sum) = &mut basis.sum {
        *sum = Total::new(input.some(SUM)?);
    }
    if let Some(squares) = &mut basis.squares {
        *squares = Total::new(input.some(SQUARES)?);
    }
    if let Some(least) = &mut basis.least {
        *least = input.extremum(LEAST, least)?;
    }
    if let Some(greatest) = &mut basis.greatest {
        *greatest = input.extremum(GREATEST, greatest)?;
    }
    if let Some(product) = &mut basis.product {
        *product = Product::new(input.some(PRODUCT)?);
    }
    Ok(())
}

fn read_floats(input: &mut Input<'_>, floats: &mut Floats) -> Result<(), Malformed> {
    if let Some(sum) = &mut floats.sum {
        input.expect(FLOAT_SUM)?;
        *sum = FloatSum::from_bytes(input.take(FloatSum::BYTES)?)?;
    }
    if let Some(squares) = &mut floats.squares {
        input.expect(FLOAT_SQUARES)?;
        *squares = Squares::read(input.take(Squares::BYTES)?).ok_or(Malformed::Impossible)?;
    }
    if let Some(product) = &mut floats.product {
        input.expect(FLOAT_PRODUCT)?;
        *product = input.float_product()?;
    }
    Ok(())
}

/// Whether some elements could have this state, as far as the answers depend on it: no variance is negative,
/// ends are there if elements are, and nothing comes from nothing. Merging keeps all of this true.
pub(crate) fn possible(partial: &Partial) -> bool {
    let basis = &partial.basis;
    if partial.elements == 0 {
        return partial.basis == Basis::identity(&partial.reductions);
    }
    if !floats_possible(partial) {
        return false;
    }
    let ends = [&basis.least, &basis.greatest];
    let floats = basis.floats.as_ref().map_or(0, |floats| floats.count);
    for extremum in ends.into_iter().flatten() {
        let possible = match extremum.best() {
            Some((Answer::Integer(_), _)) => floats < partial.elements,
            Some((Answer::Float(_), _)) => floats > 0,
            None => extremum.nan().is_some() && floats == partial.elements,
        };
        if !possible || (extremum.nan().is_some() && floats == 0) {
            return false;
        }
    }
    if let [Some(least), Some(greatest)] = ends {
        let ordered = match (least.best(), greatest.best()) {
            (Some((least, _)), Some((greatest, _))) => order(least, greatest).is_le(),
            (least, greatest) => least.is_none() && greatest.is_none(),
        };
        if !ordered || least.nan() != greatest.nan() {
            return false;
        }
    }
    basis.squares.is_none() || partial.spread_units() >= Integer::ZERO
}

/// The same for the float side, and that the integer side is empty if there were no integers.
fn floats_possible(partial: &Partial) -> bool {
    let basis = &partial.basis;
    let Some(floats) = &basis.floats else { return true };
    if floats.count == 0 || floats.count > partial.elements {
        return false;
    }
    if floats.count == partial.elements {
        let identity = Basis::identity(&partial.reductions);
        if (&basis.sum, &basis.squares, &basis.product)
            != (&identity.sum, &identity.squares, &identity.product)
        {
            return false;
        }
    }
    if floats.sum.as_ref().is_some_and(|sum| !sum.fits(floats.count)) {
        return false;
    }
    let Some(product) = &floats.product else { return true };
    let exponent_max = i128::from(floats.count) * 1_100;
    (-exponent_max..=exponent_max).contains(&product.exponent)
}

/// Never renumber these: they are on the wire and on disk.
pub(crate) fn code(reduction: Reduction) -> u8 {
    match reduction {
        Reduction::Sum => 1,
        Reduction::Product => 2,
        Reduction::Min => 3,
        Reduction::Max => 4,
        Reduction::Count => 5,
        Reduction::Mean => 6,
        Reduction::Variance => 7,
        Reduction::Stddev => 8,
    }
}

pub(crate) fn reduction(byte: u8) -> Result<Reduction, Malformed> {
    Reduction::ALL.into_iter().find(|reduction| code(*reduction) == byte).ok_or(Malformed::Reduction(byte))
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    out.extend((length as u64).to_le_bytes());
}

fn put_section(out: &mut Vec<u8>, number: u8, value: Option<&Integer>) {
    out.push(number);
    put_integer(out, value);
}

pub(crate) fn put_integer(out: &mut Vec<u8>, value: Option<&Integer>) {
    let Some(value) = value else {
        out.push(NONE);
        return;
    };
    let (sign, magnitude) = value.clone().into_parts();
    out.push(if sign == Sign::Negative { NEGATIVE } else { NOT_NEGATIVE });
    let magnitude = magnitude.to_le_bytes();
    put_length(out, magnitude.len());
    out.extend_from_slice(&magnitude);
}

fn put_extremum(out: &mut Vec<u8>, number: u8, extremum: &Extremum) {
    out.push(number);
    match extremum.best() {
        None => out.push(NONE),
        Some((Answer::Integer(value), _)) => put_integer(out, Some(value)),
        Some((Answer::Float(value), _)) => {
            out.push(FLOAT);
            out.extend(value.to_bits().to_le_bytes());
        }
    }
    if let Some((_, index)) = extremum.best() {
        put_index(out, *index);
    }
    match extremum.nan() {
        None => out.push(NO_NAN),
        Some(index) => put_index(out, index),
    }
}

fn put_index(out: &mut Vec<u8>, index: u64) {
    if index == NOWHERE {
        out.push(UNKNOWN);
    } else {
        out.push(KNOWN);
        out.extend(index.to_le_bytes());
    }
}

fn put_floats(out: &mut Vec<u8>, floats: &Floats) {
    out.extend(floats.count.to_le_bytes());
    if let Some(sum) = &floats.sum {
        out.push(FLOAT_SUM);
        out.extend(sum.to_bytes());
    }
    if let Some(squares) = &floats.squares {
        out.push(FLOAT_SQUARES);
        squares.put(out);
    }
    if let Some(product) = &floats.product {
        out.push(FLOAT_PRODUCT);
        let flags = [
            (product.nan, FLAG_NAN),
            (product.infinite, FLAG_INFINITE),
            (product.zero, FLAG_ZERO),
            (product.negative, FLAG_NEGATIVE),
        ];
        out.push(flags.into_iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum());
        out.extend(product.exponent.to_le_bytes());
        out.extend(product.bits.to_le_bytes());
        put_integer(out, product.odd.as_ref().map(Product::value).as_ref());
    }
}

/// What is still to be read.
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        let (byte, rest) = self.0.split_first().ok_or(Malformed::Truncated)?;
        self.0 = rest;
        Ok(*byte)
    }

    pub(crate) fn number(&mut self) -> Result<u64, Malformed> {
        let (number, rest) = self.0.split_first_chunk().ok_or(Malformed::Truncated)?;
        self.0 = rest;
        Ok(u64::from_le_bytes(*number))
    }

    /// A length and so many bytes.
    pub(crate) fn text(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.length()?;
        self.take(length)
    }

    fn length(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.number()?).map_err(|_| Malformed::Truncated)
    }

    fn expect(&mut self, number: u8) -> Result<(), Malformed> {
        if self.byte()? == number { Ok(()) } else { Err(Malformed::NotCanonical) }
    }

    /// A value of any form.
    fn value(&mut self) -> Result<Option<Answer>, Malformed> {
        let sign = match self.byte()? {
            NOT_NEGATIVE => Sign::Positive,
            NEGATIVE => Sign::Negative,
            NONE => return Ok(None),
            FLOAT => {
                let value = f64::from_bits(self.number()?);
                return if value.is_nan() {
                    Err(Malformed::NotCanonical)
                } else {
                    Ok(Some(Answer::Float(value)))
                };
            }
            _ => return Err(Malformed::NotCanonical),
        };
        let length = self.length()?;
        match self.take(length)? {
            [.., 0] => Err(Malformed::NotCanonical),
            [] if sign == Sign::Negative => Err(Malformed::NotCanonical),
            magnitude => Ok(Some(Answer::Integer(Integer::from_parts(sign, UBig::from_le_bytes(magnitude))))),
        }
    }

    pub(crate) fn integer(&mut self) -> Result<Option<Integer>, Malformed> {
        match self.value()? {
            None => Ok(None),
            Some(Answer::Integer(value)) => Ok(Some(value)),
            Some(Answer::Float(_)) => Err(Malformed::NotCanonical),
        }
    }

    fn extremum(&mut self, number: u8, empty: &Extremum) -> Result<Extremum, Malformed> {
        self.expect(number)?;
        let best = match self.value()? {
            None => None,
            Some(value) => Some((value, self.index()?.ok_or(Malformed::NotCanonical)?)),
        };
        Ok(Extremum::new(empty.end(), best, self.index()?))
    }

    fn index(&mut self) -> Result<Option<u64>, Malformed> {
        match self.byte()? {
            NO_NAN => Ok(None),
            UNKNOWN => Ok(Some(NOWHERE)),
            KNOWN => match self.number()? {
                NOWHERE => Err(Malformed::NotCanonical),
                index => Ok(Some(index)),
            },
            _ => Err(Malformed::NotCanonical),
        }
    }

    fn float_product(&mut self) -> Result<FloatProduct, Malformed> {
        let flags = self.byte()?;
        if flags > FLAG_NAN + FLAG_INFINITE + FLAG_ZERO + FLAG_NEGATIVE {
            return Err(Malformed::NotCanonical);
        }
        let mut exponent = [0; 16];
        exponent.copy_from_slice(self.take(16)?);
        let bits = self.number()?;
        let odd = self.integer()?;
        let fits = match &odd {
            None => bits > BITS_MAX,
            Some(odd) => {
                // Never longer than the factors together; without any it is 1.
                bits <= BITS_MAX
                    && *odd > Integer::ZERO
                    && odd.trailing_zeros() == Some(0)
                    && odd.bit_len() as u64 <= bits.max(1)
            }
        };
        if !fits {
            return Err(Malformed::Impossible);
        }
        Ok(FloatProduct {
            nan: flags & FLAG_NAN != 0,
            infinite: flags & FLAG_INFINITE != 0,
            zero: flags & FLAG_ZERO != 0,
            negative: flags & FLAG_NEGATIVE != 0,
            exponent: i128::from_le_bytes(exponent),
            bits,
            odd: odd.map(Product::new),
        })
    }

    /// A section that has a value from the start.
    fn some(&mut self, number: u8) -> Result<Integer, Malformed> {
        self.expect(number)?;
        self.integer()?.ok_or(Malformed::NotCanonical)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_of(values: &[i128]) -> Partial {
        let mut partial = Partial::identity(&Reduction::ALL);
        for value in values {
            assert!(partial.absorb_progression(&(*value).into(), &Integer::ZERO, 1, &mut |_| true));
        }
        partial
    }

    /// The bytes of a release never change; a new version gets a new number.
    #[test]
    fn golden() {
        let mut partial = Partial::identity(&[Reduction::Sum, Reduction::Min]);
        assert_eq!(
            partial.to_bytes(),
            [
                2, 1, 2, 0, 0, 0, 0, 0, 0, 0, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, //
                0, 0, 0, 0, 0, 0, 0, 0, //
                1, 0, 0, 0, 0, 0, 0, 0, 0, 0, //
                3, 2, 0,
            ]
        );
        assert!(partial.absorb_progression(&(-300).into(), &1.into(), 2, &mut |_| true));
        assert_eq!(
            partial.to_bytes(),
            [
                2, 1, 2, 0, 0, 0, 0, 0, 0, 0, 1, 3, 2, 0, 0, 0, 0, 0, 0, 0, //
                0, 0, 0, 0, 0, 0, 0, 0, //
                1, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0x57, 0x02, //
                3, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0x2c, 0x01, 1, 0,
            ]
        );
    }

    #[test]
    fn reads_back() {
        for values in [&[][..], &[0], &[-1, 5], &[i128::MIN, i128::MIN, i128::MAX]] {
            let partial = all_of(values);
            let back = Partial::from_bytes(&partial.to_bytes()).unwrap();
            assert_eq!(back, partial);
            assert_eq!(back.to_bytes(), partial.to_bytes());
        }
    }

    #[test]
    fn refuses_every_shorter_and_longer_text() {
        let mut bytes = all_of(&[-1, 5, 1 << 90]).to_bytes();
        for end in 0..bytes.len() {
            assert_eq!(Partial::from_bytes(&bytes[..end]), Err(Malformed::Truncated));
        }
        bytes.push(0);
        assert_eq!(Partial::from_bytes(&bytes), Err(Malformed::Trailing));
    }

    #[test]
    fn names_what_is_wrong() {
        let partial = |reduction, values: &[i64]| {
            let mut partial = Partial::identity(&[reduction]);
            for value in values {
                assert!(partial.absorb_progression(&(*value).into(), &Integer::ZERO, 1, &mut |_| true));
            }
            partial.to_bytes()
        };
        let edited = |mut bytes: Vec<u8>, edits: &[(usize, u8)]| {
            for (at, byte) in edits {
                bytes[*at] = *byte;
            }
            Partial::from_bytes(&bytes).unwrap_err()
        };
        // 0 version, 1 kind, 2..10 length, 10 reduction, 11..19 elements, 19..27 skipped, 27 section, 28 form,
        // 29..37 length.
        let sum = partial(Reduction::Sum, &[300]);
        assert_eq!(edited(sum.clone(), &[(0, 1)]), Malformed::Version(1));
        assert_eq!(edited(sum.clone(), &[(1, 9)]), Malformed::Kind(9));
        assert_eq!(edited(sum.clone(), &[(10, 0)]), Malformed::Reduction(0));
        assert_eq!(edited(sum.clone(), &[(9, 0xff)]), Malformed::Truncated);
        assert_eq!(edited(sum.clone(), &[(36, 0xff)]), Malformed::Truncated);
        assert_eq!(edited(sum.clone(), &[(27, 2)]), Malformed::NotCanonical);
        assert_eq!(edited(sum.clone(), &[(28, 2)]), Malformed::NotCanonical);
        assert_eq!(edited(sum.clone(), &[(28, 4)]), Malformed::NotCanonical);
        assert_eq!(edited(sum.clone(), &[(38, 0)]), Malformed::NotCanonical);
        assert_eq!(edited(sum, &[(11, 0)]), Malformed::Impossible);
        let zero = partial(Reduction::Sum, &[0]);
        assert_eq!(edited(zero, &[(28, 1)]), Malformed::NotCanonical);
        let no_end = partial(Reduction::Max, &[]);
        assert_eq!(edited(no_end, &[(11, 1)]), Malformed::Impossible);
        let one_of_none = partial(Reduction::Product, &[1]);
        assert!(Partial::from_bytes(&one_of_none).is_ok());
        // The sum of squares of 3 and 4 lowered until the variance would be negative: 2 * 24 < 49.
        let spread = partial(Reduction::Variance, &[3, 4]);
        assert_eq!(*spread.last().unwrap(), 25);
        let last = spread.len() - 1;
        assert_eq!(edited(spread, &[(last, 24)]), Malformed::Impossible);
    }
}
