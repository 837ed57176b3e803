//! The exact product of floats, as long as it can be kept.
//!
//! The rule: a finite float is an odd number times a power of two. The odd numbers are multiplied exactly, the
//! powers are added, and the product is rounded once, at the end. Together the odd numbers may have 2^24 bits:
//! that is 316,000 values with all 53 bits, and any number of powers of two. Whether a product is too long
//! depends on its values only, so it is too long for every cut and order, or for none.
//! NaN, or zero times infinity, gives NaN; else a zero gives zero and an infinity infinity. The sign is that of
//! all signs multiplied; but integers in a mixed column are multiplied first, and their product 0 has no sign.

use dashu_int::Sign;

use super::buckets::{FRACTION, field, place};
use crate::Integer;
use crate::product::Product;

/// Bits of all odd factors together.
pub(crate) const BITS_MAX: u64 = 1 << 24;

/// An exact running product of floats.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FloatProduct {
    pub(crate) nan: bool,
    pub(crate) infinite: bool,
    pub(crate) zero: bool,
    /// The sign, zeros and infinities counted in.
    pub(crate) negative: bool,
    /// The power of two, over the finite values that are not zero.
    pub(crate) exponent: i128,
    /// Bits of all odd factors above 1, one by one.
    pub(crate) bits: u64,
    /// The product of the odd factors, while it is kept.
    pub(crate) odd: Option<Product>,
}

impl FloatProduct {
    pub(crate) fn new() -> Self {
        Self {
            nan: false,
            infinite: false,
            zero: false,
            negative: false,
            exponent: 0,
            bits: 0,
            odd: Some(Product::default()),
        }
    }

    pub(crate) fn add_all(&mut self, values: &[f64]) {
        let mut factors = Vec::new();
        for value in values {
            factors.extend(self.note(*value));
        }
        self.cut();
        if let Some(odd) = &mut self.odd {
            odd.absorb_all(factors.into_iter().map(|factor| (false, u128::from(factor))));
        }
    }

    /// Takes all of a value but its odd factor, which it gives back if it is above 1.
    fn note(&mut self, value: f64) -> Option<u64> {
        if value.is_nan() {
            self.nan = true;
            return None;
        }
        self.negative ^= value.is_sign_negative();
        if value == 0.0 || value.is_infinite() {
            self.zero |= value == 0.0;
            self.infinite |= value != 0.0;
            return None;
        }
        let bits = value.to_bits();
        let field = field(bits);
        let mantissa = bits & FRACTION | u64::from(field != 0) << 52;
        let shift = mantissa.trailing_zeros();
        self.exponent += i128::try_from(place(field)).unwrap_or(0) - 1074 + i128::from(shift);
        let odd = mantissa >> shift;
        if odd == 1 {
            return None;
        }
        self.bits = self.bits.saturating_add(u64::from(u64::BITS - odd.leading_zeros()));
        Some(odd)
    }

    fn cut(&mut self) {
        if self.bits > BITS_MAX {
            self.odd = None;
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.nan |= other.nan;
        self.infinite |= other.infinite;
        self.zero |= other.zero;
        self.negative ^= other.negative;
        self.exponent = self.exponent.wrapping_add(other.exponent);
        self.bits = self.bits.saturating_add(other.bits);
        self.odd = match (self.odd.take(), other.odd) {
            (Some(mut odd), Some(more)) if self.bits <= BITS_MAX => {
                odd.merge(more);
                Some(odd)
            }
            _ => None,
        };
    }

    /// The product times `integer`, rounded once; none if it is too long.
    pub(crate) fn times(&self, integer: &Integer) -> Option<f64> {
        let (sign, magnitude) = integer.clone().into_parts();
        let zero = self.zero || magnitude.is_zero();
        let negative = self.negative != (sign == Sign::Negative);
        let signed = |value: f64| Some(if negative { -value } else { value });
        if self.nan || (zero && self.infinite) {
            return Some(f64::NAN);
        }
        if self.infinite {
            return signed(f64::INFINITY);
        }
        if zero {
            return signed(0.0);
        }
        let odd = self.odd.as_ref()?.value();
        let (_, odd) = odd.into_parts();
        signed(crate::round::scaled_to_f64(magnitude * odd, self.exponent))
    }
}
