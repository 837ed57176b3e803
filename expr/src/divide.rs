//! Division by a constant without a division: a multiplication and a shift.
//!
//! For a divisor `d` with `2^(s-1) < d <= 2^s`, the multiplier `m = ceil(2^(n+s) / d)` has `m * d - 2^(n+s) < d <= 2^s`.
//! So for every `x < 2^n`, `x * m / 2^(n+s)` exceeds `x / d` by less than `1 / d`, and has the same whole part.

/// Dividends below 2^31: the multiplier has 32 bits, so a product of two 32-bit halves is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Short {
    multiplier: u32,
    shift: u32,
    divisor: u32,
}

/// Dividends below 2^63.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Long {
    multiplier: u64,
    shift: u32,
    divisor: u64,
}

impl Short {
    /// Of a divisor from 2 to 2^31.
    pub(crate) fn new(divisor: u64) -> Option<Self> {
        if !(2..=1 << 31).contains(&divisor) {
            return None;
        }
        let bits = (divisor - 1).ilog2() + 1;
        let multiplier = (1u64 << (31 + bits)).div_ceil(divisor);
        Some(Self {
            multiplier: multiplier.try_into().ok()?,
            shift: 31 + bits,
            divisor: divisor.try_into().ok()?,
        })
    }

    #[inline(always)]
    pub(crate) fn quotient(self, x: u64) -> u64 {
        ((x & 0xffff_ffff) * u64::from(self.multiplier)) >> self.shift
    }

    #[inline(always)]
    pub(crate) fn rest(self, x: u64) -> u64 {
        x.wrapping_sub((self.quotient(x) & 0xffff_ffff) * u64::from(self.divisor))
    }
}

impl Long {
    /// Of a divisor from 2 to 2^63 - 1.
    pub(crate) fn new(divisor: u64) -> Option<Self> {
        if !(2..1 << 63).contains(&divisor) {
            return None;
        }
        let bits = (divisor - 1).ilog2() + 1;
        let multiplier = (1u128 << (63 + bits)).div_ceil(divisor.into());
        Some(Self { multiplier: multiplier.try_into().ok()?, shift: bits - 1, divisor })
    }

    #[inline(always)]
    pub(crate) fn quotient(self, x: u64) -> u64 {
        ((u128::from(x) * u128::from(self.multiplier)) >> 64) as u64 >> self.shift
    }

    #[inline(always)]
    pub(crate) fn rest(self, x: u64) -> u64 {
        x.wrapping_sub(self.quotient(x).wrapping_mul(self.divisor))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check_short(x: u64, divisor: u64) {
        if let Some(short) = Short::new(divisor) {
            assert_eq!((short.quotient(x), short.rest(x)), (x / divisor, x % divisor), "{x} / {divisor}");
        }
    }

    fn check_long(x: u64, divisor: u64) {
        if let Some(long) = Long::new(divisor) {
            assert_eq!((long.quotient(x), long.rest(x)), (x / divisor, x % divisor), "{x} / {divisor}");
        }
    }

    #[test]
    fn quotients_are_right_at_the_edges() {
        let divisors = (2..300u64).chain((1..63).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1]));
        for divisor in divisors.filter(|divisor| *divisor >= 2) {
            for top in [1u64 << 31, 1 << 63] {
                let last = (top - 1) / divisor * divisor;
                let near = [
                    0,
                    1,
                    divisor - 1,
                    divisor,
                    divisor + 1,
                    last.wrapping_sub(1),
                    last,
                    last + 1,
                    top - 1,
                    top - 2,
                ];
                for x in near.into_iter().filter(|x| *x < top) {
                    if x < 1 << 31 {
                        check_short(x, divisor);
                    }
                    check_long(x, divisor);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]
        #[test]
        fn quotients_are_right(x in 0u64..1 << 63, divisor in 2u64..1 << 63, bits in 0u32..62, narrow in 0u32..62) {
            let divisor = (divisor >> bits).max(2);
            check_long(x >> narrow, divisor);
            check_short(x >> narrow & 0x7fff_ffff, divisor);
        }
    }
}
