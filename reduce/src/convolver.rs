//! What multiplies sequences of integers as polynomials, exactly: long numbers are multiplied by multiplying their digits
//! so and then carrying.
//!
//! Nothing is approximate: as long as the true coefficients are not above the greatest, what comes back is they.
//! There are two: `twin` for processors with fused multiply-add, `ntt` for all.

/// Transforms sequences so that multiplying them element by element multiplies the polynomials.
pub(crate) trait Convolver {
    /// A sequence, transformed.
    type Transformed: Clone;
    /// Bits of a digit of a binary number, of which 320 bits have a whole number.
    const DIGIT_BITS: usize;
    /// Digits of a limb of a decimal number.
    const LIMB_DIGITS: u32;
    /// No coefficient may be above this.
    const COEFFICIENT_MAX: u128;
    /// The shortest transform.
    const LENGTH_MIN: usize;

    /// The number that limbs are below.
    const LIMB: u64 = 10_u64.pow(Self::LIMB_DIGITS);

    /// Transforms limbs or digits, at most `length` of them; that is a power of two.
    fn transform(&self, numbers: &[u64], length: usize) -> Self::Transformed;

    /// Multiplies the first by the second.
    fn multiply(&self, ours: &mut Self::Transformed, theirs: &Self::Transformed);

    /// The coefficients of which it is the transform.
    fn transform_back(&self, transformed: Self::Transformed) -> impl Iterator<Item = u128>;

    /// Quotient and rest of a coefficient by [`Self::LIMB`].
    fn divide(coefficient: u128) -> (u64, u64);
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn check<C: Convolver>(convolver: &C, a: &[u64], b: &[u64], length: usize) {
        let mut wanted = vec![0_u128; length];
        for (i, x) in a.iter().enumerate() {
            for (j, y) in b.iter().enumerate() {
                wanted[i + j] += u128::from(*x) * u128::from(*y);
            }
        }
        let mut product = convolver.transform(a, length);
        convolver.multiply(&mut product, &convolver.transform(b, length));
        assert!(convolver.transform_back(product).eq(wanted));
    }

    fn check_all(a: &[u64], b: &[u64], below: impl Fn(u64, usize) -> u64) {
        let cut = |numbers: &[u64], bits| numbers.iter().map(|one| below(*one, bits)).collect::<Vec<_>>();
        for length in [64, 128, 8_192] {
            check(&crate::ntt::Roots::new(8_192), &cut(a, 27), &cut(b, 27), length);
            #[cfg(target_arch = "x86_64")]
            if let Some(avx2) = fearless_simd::Level::new().as_avx2() {
                check(&crate::twin::Twins::new(8_192, avx2), &cut(a, 47), &cut(b, 47), length);
            }
        }
    }

    proptest! {
        #[test]
        fn convolutions_are_exact(a in vec(any::<u64>(), 1..32), b in vec(any::<u64>(), 1..33)) {
            check_all(&a, &b, |one, bits| one >> (64 - bits));
        }
    }

    #[test]
    fn the_largest_numbers() {
        check_all(&[1; 32], &[1; 33], |_, bits| (1 << bits) - 1);
        check_all(&[1; 1], &[1; 1], |_, bits| (1 << bits) - 1);
    }
}
