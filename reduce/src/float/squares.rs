//! The exact sum of the squares of floats.
//!
//! A square has 106 bits at most, somewhere between 2^-2148 and 2^2048. Infinities and NaN are not kept here:
//! the plain sum, which is always beside this, knows of them.

use super::blocks::{ANCHOR_MAX, BLOCK, LANES, anchor_for, anchor_min, take_apart};
use super::buckets::{FRACTION, field, place};
use super::cpu::Cpu;
use super::digits::Digits;
use super::load::Native64;
use crate::Integer;

/// 4288 bits: 4196 for the squares of finite floats, a sign, and room for 2^64 of the largest.
const PLACES: usize = 134;
/// Where 2^-1074 lies, in units of 2^-2148.
const HALF: usize = 1074;
/// Squares below 2^2048, at most 2^64 of them.
const BITS_MAX: usize = 2148 + 2048 + 64;

/// An exact running sum of squares, in units of 2^-2148.
#[derive(Clone, Debug)]
pub(crate) struct Squares {
    digits: Digits<PLACES>,
}

impl Squares {
    pub(crate) fn new() -> Self {
        Self { digits: Digits::zero() }
    }

    /// Adds the square of a value, if it is finite.
    pub(crate) fn add(&mut self, value: f64) {
        let bits = value.to_bits();
        let field = field(bits);
        if field == 0x7ff {
            return;
        }
        let mantissa = u128::from(bits & FRACTION | u64::from(field != 0) << 52);
        self.digits.add_long(mantissa * mantissa, 2 * place(field), false);
    }

    /// Adds the squares of all finite values.
    pub(crate) fn add_all(&mut self, values: &[f64], cpu: Cpu) {
        for block in values.chunks(BLOCK) {
            if !self.try_products(block, cpu) {
                for value in block {
                    self.add(*value);
                }
            }
        }
    }

    /// Splits each square into the nearest float and the error of that, which is a float too, and sums both.
    /// Only with the instruction that gives the error, and only where nothing overflows or falls below 2^-1074.
    fn try_products(&mut self, block: &[f64], cpu: Cpu) -> bool {
        if matches!(cpu, Cpu::Portable) || block.len() < 4 * LANES {
            return false;
        }
        let (mut squares, mut errors) = ([0.0; BLOCK], [0.0; BLOCK]);
        let fits = cpu.run(
            #[inline(always)]
            || products(block, &mut squares, &mut errors),
        );
        if !fits {
            return false;
        }
        let Some(squares) = parts(&squares[..block.len()], cpu) else { return false };
        let Some(errors) = parts(&errors[..block.len()], cpu) else { return false };
        for part in squares.iter().chain(&errors).flatten() {
            let bits = part.to_bits();
            let field = field(bits);
            let mantissa = bits & FRACTION | u64::from(field != 0) << 52;
            self.digits.add_short(mantissa, HALF + place(field), bits >> 63 == 1);
        }
        true
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.digits.merge(&other.digits);
    }

    /// The sum in units of 2^-2148.
    pub(crate) fn units(&self) -> Integer {
        self.digits.value()
    }

    pub(crate) const BYTES: usize = 4 * PLACES;

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        self.digits.put(out);
    }

    /// Reads what [`Squares::put`] wrote; none if no 2^64 floats have it.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let digits = Digits::read(bytes)?;
        let negative = bytes.last().is_some_and(|byte| *byte >= 0x80);
        (!negative && digits.bits() <= BITS_MAX).then_some(Self { digits })
    }
}

/// Sums by three anchors, if they are enough.
fn parts(values: &[f64], cpu: Cpu) -> Option<[[f64; LANES]; 3]> {
    const LEVELS: usize = 3;
    let most = cpu.run(
        #[inline(always)]
        || values.iter().fold(0.0, |most: f64, value| if value.abs() > most { value.abs() } else { most }),
    );
    let anchor = anchor_for(most).max(anchor_min(LEVELS));
    if anchor > ANCHOR_MAX {
        return None;
    }
    let parts = cpu.run(
        #[inline(always)]
        || take_apart::<LEVELS, Native64>(values, anchor),
    );
    parts.whole.then_some(parts.sums)
}

/// False if a value is not zero and not between 2^-480 and 2^500; then the products are good for nothing.
#[inline(always)]
fn products(block: &[f64], squares: &mut [f64; BLOCK], errors: &mut [f64; BLOCK]) -> bool {
    let (least, most) = (2_f64.powi(-480), 2_f64.powi(500));
    let mut fits = true;
    for ((value, square), error) in block.iter().zip(squares).zip(errors) {
        let magnitude = value.abs();
        fits &= (magnitude == 0.0) | ((magnitude >= least) & (magnitude < most));
        *square = value * value;
        *error = value.mul_add(*value, -*square);
    }
    fits
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn check(values: &[f64]) {
        let mut singly = Squares::new();
        let mut exact = Integer::ZERO;
        for value in values {
            singly.add(*value);
            if value.is_finite() {
                let units = super::super::laws::units(*value);
                exact += &units * &units;
            }
        }
        assert_eq!(singly.units(), exact);
        for cpu in Cpu::all() {
            let mut fast = Squares::new();
            fast.add_all(values, cpu);
            assert_eq!(fast.units(), exact, "{cpu:?}");
        }
        let mut bytes = Vec::new();
        singly.put(&mut bytes);
        assert_eq!(bytes.len(), Squares::BYTES);
        assert_eq!(Squares::read(&bytes).unwrap().units(), exact);
    }

    proptest! {
        #[test]
        fn squares_are_exact(
            bits in vec(any::<u64>(), 0..200),
            centre in 0_u64..2047,
            spread in 1_u64..2047,
            length in 0_usize..3_000,
        ) {
            let near = |bits: u64| {
                let exponent = (centre + bits % spread).min(2046);
                f64::from_bits(bits & 0x800f_ffff_ffff_ffff | exponent << 52)
            };
            let column: Vec<f64> = bits.iter().cycle().take(length.min(bits.len() * 99)).map(|bits| near(*bits)).collect();
            check(&column);
            check(&bits.iter().map(|bits| f64::from_bits(*bits)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn ends_of_the_range() {
        let edges = [f64::MAX, f64::MIN, f64::from_bits(1), f64::MIN_POSITIVE, 0.0, -0.0];
        let powers =
            [-1074, -538, -537, -481, -480, -479, -1, 0, 499, 500, 501].map(|power| 2_f64.powi(power));
        for value in edges.into_iter().chain(powers) {
            check(&[value; 100]);
            check(&[value * 0.999_999_999_999_999_9; 2_500]);
        }
        check(&[f64::NAN, 3.0, f64::INFINITY].repeat(40));
        assert!(Squares::read(&[0xff; Squares::BYTES]).is_none());
        assert!(Squares::read(&[0x7f; Squares::BYTES]).is_none());
        assert!(Squares::read(&[0; Squares::BYTES - 1]).is_none());
    }
}
