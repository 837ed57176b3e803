//! Sums of mantissas, one for each exponent: for numbers whose exponents lie far apart.
//!
//! A bucket takes mantissas until it might overflow and then spills into the digits. What is still in the
//! buckets belongs to the sum: nobody may read the digits without emptying the buckets first.

use super::digits::Digits;
use super::load::Load;

const EXPONENTS: usize = 2048;
/// The bits of the fraction.
pub(crate) const FRACTION: u64 = (1 << 52) - 1;

/// Values side by side. Neighbours often have the same exponent, and a bucket is slow while its last addition is
/// on its way to memory: so neighbours use different tables.
const TABLES: usize = 4;

/// Mantissas summed by the field of the exponent. A bucket stays below 2^62 in magnitude.
#[derive(Clone, Debug)]
pub(crate) struct Buckets {
    sums: [[i64; TABLES]; EXPONENTS],
}

impl Buckets {
    pub(crate) fn empty() -> Box<Self> {
        Box::new(Self { sums: [[0; TABLES]; EXPONENTS] })
    }

    /// Adds finite values.
    #[inline(always)]
    pub(crate) fn add<const N: usize, L: Load>(&mut self, block: &[L::Raw], digits: &mut Digits<N>) {
        const SPILL: i64 = 1 << 62;
        let (groups, tail) = block.as_chunks::<TABLES>();
        for group in groups {
            let bits = group.map(|raw| L::load(raw).to_bits());
            let fields = bits.map(field);
            let mut sums = [0; TABLES];
            let mut spilling = false;
            for table in 0..TABLES {
                sums[table] = self.sums[fields[table]][table] + mantissa(bits[table]);
                spilling |= sums[table].wrapping_add(SPILL) < 0;
                self.sums[fields[table]][table] = sums[table];
            }
            if spilling {
                self.spill(fields, digits);
            }
        }
        for raw in tail {
            let bits = L::load(*raw).to_bits();
            self.sums[field(bits)][0] += mantissa(bits);
            self.spill([field(bits); TABLES], digits);
        }
    }

    #[cold]
    fn spill<const N: usize>(&mut self, fields: [usize; TABLES], digits: &mut Digits<N>) {
        for field in fields {
            for sum in &mut self.sums[field] {
                spill(field, std::mem::take(sum), digits);
            }
        }
    }

    /// Moves everything into the digits.
    pub(crate) fn empty_into<const N: usize>(&self, digits: &mut Digits<N>) {
        for (field, sums) in self.sums.iter().enumerate() {
            for sum in sums {
                spill(field, *sum, digits);
            }
        }
    }
}

/// The mantissa with its sign.
#[inline(always)]
fn mantissa(bits: u64) -> i64 {
    let mantissa = (bits & FRACTION | u64::from(field(bits) != 0) << 52).cast_signed();
    let flip = bits.cast_signed() >> 63;
    (mantissa ^ flip) - flip
}

fn spill<const N: usize>(field: usize, sum: i64, digits: &mut Digits<N>) {
    if sum != 0 {
        digits.add_long(sum.unsigned_abs().into(), place(field), sum < 0);
    }
}
/// The field of the exponent, below 2048.
#[inline(always)]
pub(crate) fn field(bits: u64) -> usize {
    (bits >> 52) as usize & 0x7ff
}

/// Where a mantissa with this exponent field begins, in bits above 2^-1074.
#[inline(always)]
pub(crate) fn place(field: usize) -> usize {
    field.max(1) - 1
}
