//! Sums of mantissas, one for each exponent: for numbers whose exponents lie far apart.
//!
//! A bucket takes mantissas until it might overflow and then spills into the digits. What is still in the
//! buckets belongs to the sum: nobody may read the digits without emptying the buckets first.

use super::digits::Digits;

const EXPONENTS: usize = 2048;
/// The bits of the fraction.
pub(crate) const FRACTION: u64 = (1 << 52) - 1;

/// Mantissas summed by the field of the exponent. A bucket stays below 2^62 in magnitude.
#[derive(Clone, Debug)]
pub(crate) struct Buckets {
    sums: [i64; EXPONENTS],
}

impl Buckets {
    pub(crate) fn empty() -> Box<Self> {
        Box::new(Self { sums: [0; EXPONENTS] })
    }

    /// Adds finite values.
    #[inline(always)]
    pub(crate) fn add<const N: usize>(&mut self, values: impl Iterator<Item = f64>, digits: &mut Digits<N>) {
        const SPILL: i64 = 1 << 62;
        for value in values {
            let bits = value.to_bits();
            let field = field(bits);
            let mantissa = (bits & FRACTION | u64::from(field != 0) << 52).cast_signed();
            let flip = bits.cast_signed() >> 63;
            let sum = &mut self.sums[field];
            *sum += (mantissa ^ flip) - flip;
            if sum.wrapping_add(SPILL) < 0 {
                spill(field, std::mem::take(sum), digits);
            }
        }
    }

    /// Moves everything into the digits.
    pub(crate) fn empty_into<const N: usize>(&self, digits: &mut Digits<N>) {
        for (field, sum) in self.sums.iter().enumerate() {
            if *sum != 0 {
                spill(field, *sum, digits);
            }
        }
    }
}

#[cold]
fn spill<const N: usize>(field: usize, sum: i64, digits: &mut Digits<N>) {
    digits.add_long(sum.unsigned_abs().into(), place(field), sum < 0);
}

/// The field of the exponent, below 2048.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "eleven bits")]
pub(crate) fn field(bits: u64) -> usize {
    (bits >> 52) as usize & 0x7ff
}

/// Where a mantissa with this exponent field begins, in bits above 2^-1074.
#[inline(always)]
pub(crate) fn place(field: usize) -> usize {
    field.max(1) - 1
}
