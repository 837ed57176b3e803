//! The canonical bytes of a partial: one partial, one text; everything else is refused.
//!
//! Little-endian, in this order:
//!
//! | bytes | meaning |
//! |---|---|
//! | 1 | version, 1 |
//! | 1 | kind of the elements: 1 integer (others to come) |
//! | 8 | how many reductions, then one byte for each in the order asked |
//! | 8 | elements |
//! | | one section for each accumulator the reductions need, in the order sum 1, squares 2, least 3, greatest 4, product 5 |
//!
//! A section is its number, a form (0 not negative, 1 negative, 2 none yet), and for forms 0 and 1 the length of
//! the magnitude in 8 bytes and the magnitude, without leading zeros (the magnitude of 0 has length 0).
//! What comes in is untrusted: nothing here panics, and nothing is allocated that was not first seen to be there.

use std::fmt;

use dashu_int::{Sign, UBig};

use crate::basis::Basis;
use crate::extrema::{End, Extremum};
use crate::product::Product;
use crate::total::Total;
use crate::{Integer, Partial, Reduction};

const VERSION: u8 = 1;
const KIND_INTEGER: u8 = 1;

const SUM: u8 = 1;
const SQUARES: u8 = 2;
const LEAST: u8 = 3;
const GREATEST: u8 = 4;
const PRODUCT: u8 = 5;

const NOT_NEGATIVE: u8 = 0;
const NEGATIVE: u8 = 1;
const NONE: u8 = 2;

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
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => {
                write!(f, "read a partial of version {version}: this program knows version {VERSION}")
            }
            Self::Kind(kind) => write!(f, "read a partial: unknown kind of elements {kind}"),
            Self::Reduction(code) => write!(f, "read a partial: unknown reduction {code}"),
            Self::Truncated => f.write_str("read a partial: it ends too early"),
            Self::Trailing => f.write_str("read a partial: bytes are left after its end"),
            Self::NotCanonical => f.write_str("read a partial: it is not in canonical form"),
            Self::Impossible => f.write_str("read a partial: no elements have this state"),
        }
    }
}

impl std::error::Error for Malformed {}

impl Partial {
    /// The canonical bytes: equal partials have equal bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![VERSION, KIND_INTEGER];
        put_length(&mut out, self.reductions.len());
        out.extend(self.reductions.iter().map(|reduction| code(*reduction)));
        out.extend(self.elements.to_le_bytes());
        let basis = &self.basis;
        if let Some(sum) = &basis.sum {
            put_section(&mut out, SUM, Some(&sum.value()));
        }
        if let Some(squares) = &basis.squares {
            put_section(&mut out, SQUARES, Some(&squares.value()));
        }
        if let Some(least) = &basis.least {
            put_section(&mut out, LEAST, least.best());
        }
        if let Some(greatest) = &basis.greatest {
            put_section(&mut out, GREATEST, greatest.best());
        }
        if let Some(product) = &basis.product {
            put_section(&mut out, PRODUCT, Some(&product.value()));
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
        match input.byte()? {
            KIND_INTEGER => {}
            kind => return Err(Malformed::Kind(kind)),
        }
        let length = input.length()?;
        let codes = input.take(length)?;
        let reductions = codes.iter().map(|byte| reduction(*byte)).collect::<Result<Vec<_>, _>>()?;
        let mut partial = Self::identity(&reductions);
        partial.elements = input.number()?;
        read_basis(&mut input, &mut partial.basis)?;
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
        *least = Extremum::new(End::Least, input.section(LEAST)?);
    }
    if let Some(greatest) = &mut basis.greatest {
        *greatest = Extremum::new(End::Greatest, input.section(GREATEST)?);
    }
    if let Some(product) = &mut basis.product {
        *product = Product::new(input.some(PRODUCT)?);
    }
    Ok(())
}

/// Whether some elements could have this state, as far as the answers depend on it: no variance is negative,
/// ends are there if elements are, and nothing comes from nothing. Merging keeps all of this true.
fn possible(partial: &Partial) -> bool {
    let basis = &partial.basis;
    if partial.elements == 0 {
        return *partial == Partial::identity(&partial.reductions);
    }
    let least = basis.least.as_ref().map(Extremum::best);
    let greatest = basis.greatest.as_ref().map(Extremum::best);
    if least == Some(None) || greatest == Some(None) {
        return false;
    }
    if let (Some(Some(least)), Some(Some(greatest))) = (least, greatest)
        && least > greatest
    {
        return false;
    }
    match (&basis.sum, &basis.squares) {
        (Some(sum), Some(squares)) => {
            let sum = sum.value();
            squares.value() * Integer::from(partial.elements) >= &sum * &sum
        }
        _ => true,
    }
}

/// Never renumber these: they are on the wire and on disk.
fn code(reduction: Reduction) -> u8 {
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

fn reduction(byte: u8) -> Result<Reduction, Malformed> {
    Reduction::ALL.into_iter().find(|reduction| code(*reduction) == byte).ok_or(Malformed::Reduction(byte))
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    out.extend((length as u64).to_le_bytes());
}

fn put_section(out: &mut Vec<u8>, number: u8, value: Option<&Integer>) {
    out.push(number);
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

/// What is still to be read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        let (byte, rest) = self.0.split_first().ok_or(Malformed::Truncated)?;
        self.0 = rest;
        Ok(*byte)
    }

    fn number(&mut self) -> Result<u64, Malformed> {
        let (number, rest) = self.0.split_first_chunk().ok_or(Malformed::Truncated)?;
        self.0 = rest;
        Ok(u64::from_le_bytes(*number))
    }

    fn length(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.number()?).map_err(|_| Malformed::Truncated)
    }

    fn section(&mut self, number: u8) -> Result<Option<Integer>, Malformed> {
        if self.byte()? != number {
            return Err(Malformed::NotCanonical);
        }
        let sign = match self.byte()? {
            NOT_NEGATIVE => Sign::Positive,
            NEGATIVE => Sign::Negative,
            NONE => return Ok(None),
            _ => return Err(Malformed::NotCanonical),
        };
        let length = self.length()?;
        match self.take(length)? {
            [.., 0] => Err(Malformed::NotCanonical),
            [] if sign == Sign::Negative => Err(Malformed::NotCanonical),
            magnitude => Ok(Some(Integer::from_parts(sign, UBig::from_le_bytes(magnitude)))),
        }
    }

    /// A section that has a value from the start.
    fn some(&mut self, number: u8) -> Result<Integer, Malformed> {
        self.section(number)?.ok_or(Malformed::NotCanonical)
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
                1, 1, 2, 0, 0, 0, 0, 0, 0, 0, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, //
                1, 0, 0, 0, 0, 0, 0, 0, 0, 0, //
                3, 2,
            ]
        );
        assert!(partial.absorb_progression(&(-300).into(), &1.into(), 2, &mut |_| true));
        assert_eq!(
            partial.to_bytes(),
            [
                1, 1, 2, 0, 0, 0, 0, 0, 0, 0, 1, 3, 2, 0, 0, 0, 0, 0, 0, 0, //
                1, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0x57, 0x02, //
                3, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0x2c, 0x01,
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
        // 0 version, 1 kind, 2..10 length, 10 reduction, 11..19 elements, 19 section, 20 form, 21..29 length.
        let sum = partial(Reduction::Sum, &[300]);
        assert_eq!(edited(sum.clone(), &[(0, 2)]), Malformed::Version(2));
        assert_eq!(edited(sum.clone(), &[(1, 9)]), Malformed::Kind(9));
        assert_eq!(edited(sum.clone(), &[(10, 0)]), Malformed::Reduction(0));
        assert_eq!(edited(sum.clone(), &[(9, 0xff)]), Malformed::Truncated);
        assert_eq!(edited(sum.clone(), &[(28, 0xff)]), Malformed::Truncated);
        assert_eq!(edited(sum.clone(), &[(19, 2)]), Malformed::NotCanonical);
        assert_eq!(edited(sum.clone(), &[(20, 2)]), Malformed::NotCanonical);
        assert_eq!(edited(sum.clone(), &[(20, 3)]), Malformed::NotCanonical);
        assert_eq!(edited(sum.clone(), &[(30, 0)]), Malformed::NotCanonical);
        assert_eq!(edited(sum, &[(11, 0)]), Malformed::Impossible);
        let zero = partial(Reduction::Sum, &[0]);
        assert_eq!(edited(zero, &[(20, 1)]), Malformed::NotCanonical);
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
