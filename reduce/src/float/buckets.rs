//! Sums of mantissas, one for each sign and exponent: for numbers whose exponents lie far apart.
//!
//! A bucket takes mantissas until it overflows, which goes to the digits at once. What is still in the
//! buckets belongs to the sum: nobody may read the digits without emptying the buckets first.

use super::digits::Digits;
use super::load::Load;

/// Signs and exponents: the upper twelve bits of a float.
const HEADS: usize = 4096;
/// The bits of the fraction.
pub(crate) const FRACTION: u64 = (1 << 52) - 1;
/// The bit that the fraction of a normal float goes without.
const IMPLICIT: u64 = 1 << 52;

/// Values side by side. Neighbours often have the same exponent, and a bucket is slow while its last addition is
/// on its way to memory: so neighbours use different tables.
const TABLES: usize = 4;

/// Heads of zeros and subnormals, and of infinities and NaN.
const TINY: [usize; 2] = [0, 2048];
const NOT_FINITE: [usize; 2] = [2047, 4095];

/// Mantissas summed by sign and exponent, modulo 2^64.
#[derive(Clone, Debug)]
pub(crate) struct Buckets {
    sums: [[u64; TABLES]; HEADS],
    /// How many zeros and subnormals there were, positive and negative: each was taken for a normal float with the
    /// least exponent, and so has 2^52 too much.
    tiny: [u64; 2],
}

impl Buckets {
    pub(crate) fn empty() -> Box<Self> {
        Box::new(Self { sums: [[0; TABLES]; HEADS], tiny: [0; 2] })
    }

    /// Adds the finite values of a block, which is so short that no bucket can come round to where it was. False if there
    /// are others.
    #[inline(always)]
    pub(crate) fn add<const N: usize, L: Load>(&mut self, block: &[L::Raw], digits: &mut Digits<N>) -> bool {
        let before = self.of_tiny();
        let (groups, tail) = block.as_chunks::<TABLES>();
        for group in groups {
            for (table, raw) in group.iter().enumerate() {
                self.add_one(L::load(*raw).to_bits(), table, digits);
            }
        }
        for raw in tail {
            self.add_one(L::load(*raw).to_bits(), 0, digits);
        }
        if self.of_tiny() != before {
            self.count_tiny::<L>(block);
        }
        let others = NOT_FINITE.map(|head| std::mem::take(&mut self.sums[head]));
        others == [[0; TABLES]; 2]
    }

    fn of_tiny(&self) -> [[u64; TABLES]; 2] {
        TINY.map(|head| self.sums[head])
    }

    #[inline(always)]
    fn count_tiny<L: Load>(&mut self, block: &[L::Raw]) {
        let (mut all, mut negative) = (0, 0);
        for raw in block {
            let bits = L::load(*raw).to_bits();
            // One where the magnitude is below the least normal float: the difference is negative.
            let tiny = (bits & !(1 << 63)).wrapping_sub(IMPLICIT) >> 63;
            all += tiny;
            negative += tiny & bits >> 63;
        }
        self.tiny[0] += all - negative;
        self.tiny[1] += negative;
    }

    #[inline(always)]
    fn add_one<const N: usize>(&mut self, bits: u64, table: usize, digits: &mut Digits<N>) {
        let head = head(bits);
        let sum = &mut self.sums[head][table];
        let (new, over) = sum.overflowing_add(bits & FRACTION | IMPLICIT);
        *sum = new;
        if over {
            overflow(head, digits);
        }
    }

    /// Moves everything into the digits.
    pub(crate) fn empty_into<const N: usize>(&self, digits: &mut Digits<N>) {
        for (head, sums) in self.sums.iter().enumerate() {
            for sum in sums.iter().filter(|sum| **sum != 0) {
                digits.add_long((*sum).into(), place(head % 2048), head >= 2048);
            }
        }
        for (tiny, negative) in self.tiny.into_iter().zip([true, false]) {
            digits.add_long(u128::from(tiny) << 52, place(0), negative);
        }
    }
}

#[cold]
#[inline(never)]
fn overflow<const N: usize>(head: usize, digits: &mut Digits<N>) {
    digits.add_long(1 << 64, place(head % 2048), head >= 2048);
}

/// The sign and the field of the exponent, below 4096.
#[inline(always)]
fn head(bits: u64) -> usize {
    (bits >> 52) as usize
}

/// The field of the exponent, below 2048.
#[inline(always)]
pub(crate) fn field(bits: u64) -> usize {
    head(bits) & 0x7ff
}

/// Where a mantissa with this exponent field begins, in bits above 2^-1074.
#[inline(always)]
pub(crate) fn place(field: usize) -> usize {
    field.max(1) - 1
}
