//! Convolutions by number-theoretic transforms in floating point: the fast road of processors with fused
//! multiply-add. Two primes just below 2^50, so that coefficients may have almost 100 bits.
//!
//! A residue is an integer in an `f64`, at most the prime in magnitude. A product of two has up to 100 bits: its upper
//! part is the rounded product, its lower part what a fused multiply-add leaves of it, and a multiple of the prime is
//! taken away from both; each of these steps is exact (see [`Field::times`]), so that nothing is ever approximate.
//! The method is that of FLINT's fft_small (Schultz, 2023); the primes and the bounds are our own.

use fearless_simd::{Avx2, Simd};

use crate::convolver::Convolver;

/// Fields whose primes are 1 modulo 2^26, and a number that has no root in each.
const FIELDS: [(u64, u64); 2] = [(0x3_ffff_e400_0001, 5), (0x3_ffff_dc00_0001, 3)];
/// Below this length a transform stays in the first-level cache and need not be cut further.
const CACHED: usize = 2_048;
/// The last steps are made on squares of so many numbers each way.
const SIDE: usize = 8;

/// The integers modulo a prime p below 2^50.
#[derive(Clone, Copy)]
struct Field {
    prime: f64,
    inverse: f64,
}

impl Field {
    /// `a * b`, at most p in magnitude, if |a b| <= p^2.
    ///
    /// With u = 2^-53: the rounded product h and the rest l of it are integers with h + l = a b and |l| <= u p^2 <= p/8.
    /// h times the rounded inverse is h/p with an error of at most 3u |h|/p <= 3u p <= 3/8, so it rounds to an integer q
    /// with |h - q p| <= 7/8 p. That is an integer below 2^53: the fused step gives it exactly, and so the last sum.
    #[inline(always)]
    fn times(self, a: f64, b: f64) -> f64 {
        let high = a * b;
        let low = a.mul_add(b, -high);
        let quotient = (high * self.inverse).round_ties_even();
        (-quotient).mul_add(self.prime, high) + low
    }

    /// The same residue, at most (p + 1) / 2 in magnitude, if |a| <= 4 p: exact for the same reasons.
    #[inline(always)]
    fn small(self, a: f64) -> f64 {
        let quotient = (a * self.inverse).round_ties_even();
        (-quotient).mul_add(self.prime, a)
    }

    /// The same residue, from 0 to p - 1.
    #[inline(always)]
    fn least(self, a: f64) -> f64 {
        let small = self.small(a);
        if small < 0.0 { small + self.prime } else { small }
    }
}

/// Roots of unity of one field for transforms of every power of two up to a length.
struct Roots {
    field: Field,
    /// From `half` on, the first `half` powers of the root of order `2 * half`; at most (p + 1) / 2 in magnitude.
    forward: Vec<f64>,
    backward: Vec<f64>,
    /// The inverse of their length.
    shortest: f64,
}

impl Roots {
    fn new(which: usize, length: usize, cpu: Avx2) -> Self {
        let (prime, rootless) = FIELDS[which];
        let field = Field { prime: float(prime), inverse: 1.0 / float(prime) };
        let order = length.max(2) as u64;
        let root = power(rootless, (prime - 1) / order, prime);
        let table = |root| {
            let mut table = vec![0.0; length.max(2)];
            let half = length.max(2) / 2;
            table[half] = 1.0;
            // Twice as many powers with each step.
            let mut known = 1;
            while known < half {
                let factor = signed(power(root, known as u64, prime), prime);
                let (powers, rest) = table[half..].split_at_mut(known);
                cpu.vectorize(
                    #[inline(always)]
                    || {
                        for (to, from) in rest.iter_mut().zip(powers) {
                            *to = field.small(field.times(*from, factor));
                        }
                    },
                );
                known *= 2;
            }
            // The root of half the order is its square.
            let mut half = half / 2;
            while half > 0 {
                for at in 0..half {
                    table[half + at] = table[2 * half + 2 * at];
                }
                half /= 2;
            }
            table
        };
        Self {
            field,
            forward: table(root),
            backward: table(power(root, prime - 2, prime)),
            shortest: signed(power(order, prime - 2, prime), prime),
        }
    }

    /// The inverse of a length.
    fn scale(&self, length: usize) -> f64 {
        let times = self.forward.len() / length;
        self.field.small(self.field.times(self.shortest, float(times as u64)))
    }

    /// The transform, in an order of its own. Takes and gives residues of at most p.
    fn transform(&self, values: &mut [f64], cpu: Avx2) {
        if values.len() <= CACHED {
            cpu.vectorize(
                #[inline(always)]
                || self.transform_cached(values),
            );
            return;
        }
        cpu.vectorize(
            #[inline(always)]
            || self.part(values),
        );
        let (low, high) = values.split_at_mut(values.len() / 2);
        self.transform(low, cpu);
        self.transform(high, cpu);
    }

    #[inline(always)]
    fn transform_cached(&self, values: &mut [f64]) {
        let mut span = values.len();
        while span > SIDE {
            for part in values.chunks_exact_mut(span) {
                self.part(part);
            }
            span /= 2;
        }
        for square in values.as_chunks_mut::<{ SIDE * SIDE }>().0 {
            self.last_parts(square);
        }
    }

    /// |x| and |y| are at most p: so is their sum when it is small, and a root times their difference.
    #[inline(always)]
    fn part(&self, values: &mut [f64]) {
        let half = values.len() / 2;
        let (low, high) = values.split_at_mut(half);
        for ((a, b), root) in low.iter_mut().zip(high).zip(&self.forward[half..2 * half]) {
            let (x, y) = (*a, *b);
            *a = self.field.small(x + y);
            *b = self.field.times(x - y, *root);
        }
    }

    /// The last three steps of eight parts, side by side: the square is left turned over.
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "rows side by side; the compiler makes vectors of them")]
    fn last_parts(&self, square: &mut [f64; SIDE * SIDE]) {
        let mut rows = turned(square);
        let mut half = SIDE / 2;
        while half > 0 {
            for at in (0..SIDE).filter(|at| at & half == 0) {
                let root = self.forward[half + at % half];
                for column in 0..SIDE {
                    let (x, y) = (rows[at][column], rows[at + half][column]);
                    rows[at][column] = self.field.small(x + y);
                    rows[at + half][column] = self.field.times(x - y, root);
                }
            }
            half /= 2;
        }
        square.copy_from_slice(rows.as_flattened());
    }

    /// Undoes [`Roots::transform`], but that all is `length` times too large.
    fn transform_back(&self, values: &mut [f64], cpu: Avx2) {
        if values.len() <= CACHED {
            cpu.vectorize(
                #[inline(always)]
                || self.back_cached(values),
            );
            return;
        }
        let (low, high) = values.split_at_mut(values.len() / 2);
        self.transform_back(low, cpu);
        self.transform_back(high, cpu);
        cpu.vectorize(
            #[inline(always)]
            || self.join(values),
        );
    }

    #[inline(always)]
    fn back_cached(&self, values: &mut [f64]) {
        for square in values.as_chunks_mut::<{ SIDE * SIDE }>().0 {
            self.first_joins(square);
        }
        let mut span = 2 * SIDE;
        while span <= values.len() {
            for part in values.chunks_exact_mut(span) {
                self.join(part);
            }
            span *= 2;
        }
    }

    #[inline(always)]
    fn join(&self, values: &mut [f64]) {
        let half = values.len() / 2;
        let (low, high) = values.split_at_mut(half);
        for ((a, b), root) in low.iter_mut().zip(high).zip(&self.backward[half..2 * half]) {
            let (x, y) = (*a, self.field.times(*b, *root));
            *a = self.field.small(x + y);
            *b = self.field.small(x - y);
        }
    }

    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "rows side by side; the compiler makes vectors of them")]
    fn first_joins(&self, square: &mut [f64; SIDE * SIDE]) {
        let mut rows = [[0.0; SIDE]; SIDE];
        rows.as_flattened_mut().copy_from_slice(square);
        let mut half = 1;
        while half < SIDE {
            for at in (0..SIDE).filter(|at| at & half == 0) {
                let root = self.backward[half + at % half];
                for column in 0..SIDE {
                    let (x, y) = (rows[at][column], self.field.times(rows[at + half][column], root));
                    rows[at][column] = self.field.small(x + y);
                    rows[at + half][column] = self.field.small(x - y);
                }
            }
            half *= 2;
        }
        let mut flat = [0.0; SIDE * SIDE];
        flat.copy_from_slice(rows.as_flattened());
        square.copy_from_slice(turned(&flat).as_flattened());
    }
}

#[inline(always)]
fn turned(square: &[f64; SIDE * SIDE]) -> [[f64; SIDE]; SIDE] {
    std::array::from_fn(|row| std::array::from_fn(|column| square[column * SIDE + row]))
}

/// Both fields, for transforms up to a length.
pub(crate) struct Twins {
    roots: [Roots; 2],
    /// The inverse of the first prime modulo the second.
    inverse: f64,
    cpu: Avx2,
}

impl Twins {
    /// For lengths up to `length`, a power of two from 64 to 2^26.
    pub(crate) fn new(length: usize, cpu: Avx2) -> Self {
        let [(prime, _), (other, _)] = FIELDS;
        let inverse = signed(power(prime, other - 2, other), other);
        Self { roots: [0, 1].map(|which| Roots::new(which, length, cpu)), inverse, cpu }
    }
}

impl Convolver for Twins {
    type Transformed = [Vec<f64>; 2];
    const DIGIT_BITS: usize = 40;
    const LIMB_DIGITS: u32 = 12;
    const COEFFICIENT_MAX: u128 = FIELDS[0].0 as u128 * FIELDS[1].0 as u128 - 1;
    const LENGTH_MIN: usize = SIDE * SIDE;

    fn transform(&self, numbers: &[u64], length: usize) -> Self::Transformed {
        self.roots.each_ref().map(|roots| {
            let mut values = vec![0.0; length];
            self.cpu.vectorize(
                #[inline(always)]
                || values.iter_mut().zip(numbers).for_each(|(to, number)| *to = float(*number)),
            );
            roots.transform(&mut values, self.cpu);
            values
        })
    }

    fn multiply(&self, ours: &mut Self::Transformed, theirs: &Self::Transformed) {
        for ((roots, ours), theirs) in self.roots.iter().zip(ours).zip(theirs) {
            let field = roots.field;
            self.cpu.vectorize(
                #[inline(always)]
                || {
                    for (value, other) in ours.iter_mut().zip(theirs) {
                        *value = field.times(*value, *other);
                    }
                },
            );
        }
    }

    fn transform_back(&self, [mut ours, mut theirs]: Self::Transformed) -> impl Iterator<Item = u128> {
        let [first, second] = &self.roots;
        first.transform_back(&mut ours, self.cpu);
        second.transform_back(&mut theirs, self.cpu);
        let (field, other_field, inverse) = (first.field, second.field, self.inverse);
        let (scale, other_scale) = (first.scale(ours.len()), second.scale(theirs.len()));
        self.cpu.vectorize(
            #[inline(always)]
            || {
                // With r modulo p and s modulo the other prime it is r + p d, where d is (s - r) / p modulo the other.
                for (ours, theirs) in ours.iter_mut().zip(&mut theirs) {
                    let residue = field.least(field.times(*ours, scale));
                    let apart = other_field.times(*theirs, other_scale) - residue;
                    *theirs = other_field.least(other_field.times(other_field.small(apart), inverse));
                    *ours = residue;
                }
            },
        );
        let prime = u128::from(FIELDS[0].0);
        ours.into_iter()
            .zip(theirs)
            .map(move |(low, high)| u128::from(word(low)) + prime * u128::from(word(high)))
    }

    #[inline]
    fn divide(sum: u128) -> (u64, u64) {
        // 10^12 is 2^12 5^12. Without the low 12 bits there are 88; 32 of them and a rest below 5^12 fit a word.
        const POWER: u64 = 5_u64.pow(12);
        let high = low(sum >> 44);
        let middle = ((high % POWER) << 32) | (low(sum >> 12) & 0xffff_ffff);
        (((high / POWER) << 32) | (middle / POWER), ((middle % POWER) << 12) | (low(sum) & 0xfff))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low word is what is wanted")]
fn low(value: u128) -> u64 {
    value as u64
}

/// 2^52: a float from it to twice as much has an integer in its fraction.
const OFFSET: f64 = 4_503_599_627_370_496.0;

/// A number below 2^52, as it is.
#[inline(always)]
fn float(number: u64) -> f64 {
    f64::from_bits(OFFSET.to_bits() | number) - OFFSET
}

/// An integer from 0 to 2^52 - 1, as it is.
#[inline(always)]
fn word(value: f64) -> u64 {
    (value + OFFSET).to_bits() ^ OFFSET.to_bits()
}

/// A residue from 0 to p - 1 as one of at most p / 2 in magnitude.
fn signed(residue: u64, prime: u64) -> f64 {
    if residue > prime / 2 { -float(prime - residue) } else { float(residue) }
}

fn power(base: u64, exponent: u64, prime: u64) -> u64 {
    let times = |a, b| u64::try_from(u128::from(a) * u128::from(b) % u128::from(prime)).unwrap_or(0);
    crate::power::power(base % prime, exponent, times)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn avx2() -> Option<Avx2> {
        fearless_simd::Level::new().as_avx2()
    }

    fn residue(value: f64, prime: u64) -> u64 {
        assert!(value.fract() == 0.0 && value.abs() <= float(prime), "{value}");
        let word = word(value.abs());
        if value < 0.0 { (prime - word) % prime } else { word % prime }
    }

    #[test]
    fn the_roots_have_the_right_order() {
        for (prime, rootless) in FIELDS {
            assert_eq!(prime >> 50, 0);
            assert_eq!((prime - 1) % (1 << 26), 0);
            let root = power(rootless, (prime - 1) >> 26, prime);
            assert_eq!(power(root, 1 << 25, prime), prime - 1);
            // The test of Miller and Rabin, which is a proof for numbers of this size with these bases.
            let twos = (prime - 1).trailing_zeros();
            for base in [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37] {
                let first = power(base, (prime - 1) >> twos, prime);
                let mut squares = (0..twos).scan(first, |value, _| {
                    let last = *value;
                    *value = power(last, 2, prime);
                    Some(last)
                });
                assert!(first == 1 || squares.any(|value| value == prime - 1), "{prime} {base}");
            }
        }
    }

    proptest! {
        #[test]
        fn products_are_products(a in 0..FIELDS[1].0, b in 0..FIELDS[1].0, signs in any::<[bool; 2]>(), edges in any::<[bool; 2]>()) {
            for (prime, _) in FIELDS {
                let field = Field { prime: float(prime), inverse: 1.0 / float(prime) };
                let edge = |value, edge| if edge { prime - value % 3 } else { value };
                let (a, b) = (edge(a, edges[0]), edge(b, edges[1]));
                let sign = |value: u64, minus: bool| if minus { -float(value) } else { float(value) };
                let product = u64::try_from(u128::from(a) * u128::from(b) % u128::from(prime)).unwrap();
                let expected = if signs[0] ^ signs[1] { (prime - product) % prime } else { product };
                prop_assert_eq!(residue(field.times(sign(a, signs[0]), sign(b, signs[1])), prime), expected);
                let small = field.small(4.0 * sign(a, signs[0]));
                prop_assert!(small.abs() <= float(prime.div_ceil(2)));
                let four = 4 * a % prime;
                prop_assert_eq!(residue(small, prime), if signs[0] { (prime - four) % prime } else { four });
            }
        }

        #[test]
        fn limbs_and_carries(sum in any::<u128>()) {
            let sum = sum % Twins::COEFFICIENT_MAX;
            let (whole, rest) = Twins::divide(sum);
            prop_assert_eq!((u128::from(whole), u128::from(rest)), (sum / 1_000_000_000_000, sum % 1_000_000_000_000));
        }
    }

    #[test]
    fn all_steps_of_a_transform_stay_exact() {
        let Some(cpu) = avx2() else { return };
        let mut state = 1_u64;
        let mut next = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 14) % below
        };
        for length in [64_u64, 128, 2048, 4096, 1 << 15] {
            let twins = Twins::new(1 << 15, cpu);
            for roots in &twins.roots {
                let prime = word(roots.field.prime);
                for extreme in [false, true] {
                    let before: Vec<u64> =
                        (0..length).map(|_| if extreme { prime - next(2) } else { next(prime) }).collect();
                    let mut values: Vec<f64> = before.iter().map(|value| float(*value)).collect();
                    roots.transform(&mut values, cpu);
                    let sum = before.iter().map(|value| u128::from(*value)).sum::<u128>() % u128::from(prime);
                    assert_eq!(u128::from(residue(values[0], prime)), sum);
                    roots.transform_back(&mut values, cpu);
                    for (value, before) in values.into_iter().zip(before) {
                        let scaled = u128::from(before) * u128::from(length) % u128::from(prime);
                        assert_eq!(u128::from(residue(value, prime)), scaled);
                    }
                }
            }
        }
    }
}
