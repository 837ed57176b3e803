//! The inner loops: a block of elements of one width into the accumulators of a basis.
//!
//! A block is at most [`LANES`] elements, small enough for the first-level cache. Its bound, at least the largest
//! magnitude in it, only chooses the arithmetic; every element is read.

use std::cmp::Ordering;

use crate::basis::Basis;
use crate::extrema::Extremum;
use crate::indices::Indices;
use crate::{Answer, Integer};

/// Elements of one block: 8 KiB of `i64`.
pub(crate) const LANES: usize = 1024;

/// A fixed width of integer that blocks are made of.
pub(crate) trait Lane: Copy {
    const ZERO: Self;

    /// The low bits of a value.
    fn truncate(value: i128) -> Self;

    /// Sum modulo the width.
    fn plus(self, other: Self) -> Self;

    /// The largest magnitude of an ordered block, as far as a width needs it.
    fn bound(block: &[Self]) -> u64;

    /// Folds a block of at most [`LANES`] elements, none of a magnitude above `bound`.
    fn absorb(block: &[Self], bound: u64, indices: Indices<'_>, basis: &mut Basis);
}

impl Lane for i64 {
    const ZERO: Self = 0;

    #[expect(clippy::cast_possible_truncation, reason = "the low bits are what is wanted")]
    fn truncate(value: i128) -> Self {
        value as Self
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    fn bound(block: &[Self]) -> u64 {
        let end = |lane: Option<&Self>| lane.map_or(0, |value| value.unsigned_abs());
        end(block.first()).max(end(block.last()))
    }

    fn absorb(block: &[Self], bound: u64, indices: Indices<'_>, basis: &mut Basis) {
        if let Some(sum) = &mut basis.sum {
            sum.add_i128(if bound < 1 << 53 { sum_short(block).into() } else { sum_long(block) });
        }
        if let Some(squares) = &mut basis.squares {
            if bound < 1 << 32 {
                squares.add_u128(squares_short(block));
            } else {
                let (low, carries) = squares_long(block);
                squares.add_u128(low);
                if carries > 0 {
                    squares.add_integer(&(Integer::from(carries) << 128));
                }
            }
        }
        if let Some(least) = &mut basis.least
            && let Some(value) = best(block, bound, |a, b| a < b, Self::min)
        {
            improve(least, block, value, indices);
        }
        if let Some(greatest) = &mut basis.greatest
            && let Some(value) = best(block, bound, |a, b| a > b, Self::max)
        {
            improve(greatest, block, value, indices);
        }
        if let Some(product) = &mut basis.product {
            product.absorb_all(block.iter().map(|value| (*value < 0, value.unsigned_abs().into())));
        }
    }
}

impl Lane for i128 {
    const ZERO: Self = 0;

    fn truncate(value: i128) -> Self {
        value
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    fn bound(_block: &[Self]) -> u64 {
        u64::MAX
    }

    fn absorb(block: &[Self], _bound: u64, indices: Indices<'_>, basis: &mut Basis) {
        if let Some(sum) = &mut basis.sum {
            for value in block {
                sum.add_i128(*value);
            }
        }
        if let Some(squares) = &mut basis.squares {
            for value in block {
                let magnitude = Integer::from(value.unsigned_abs());
                squares.add_integer(&(&magnitude * &magnitude));
            }
        }
        if let Some(least) = &mut basis.least
            && let Some(value) = block.iter().copied().reduce(Self::min)
        {
            improve(least, block, value, indices);
        }
        if let Some(greatest) = &mut basis.greatest
            && let Some(value) = block.iter().copied().reduce(Self::max)
        {
            improve(greatest, block, value, indices);
        }
        if let Some(product) = &mut basis.product {
            product.absorb_all(block.iter().map(|value| (*value < 0, value.unsigned_abs())));
        }
    }
}

/// Takes the best of a block into an extremum; where it first stands is looked up only if that can matter.
fn improve<L: Lane + PartialEq + Into<Integer>>(
    extremum: &mut Extremum,
    block: &[L],
    value: L,
    indices: Indices<'_>,
) {
    let answer = Answer::Integer(value.into());
    let wanted = match extremum.judge(&answer) {
        Ordering::Less => false,
        Ordering::Greater => true,
        Ordering::Equal => extremum.best().is_none_or(|(_, first)| indices.least() <= *first),
    };
    if wanted {
        extremum.absorb(answer, indices.first_of(block, |other| *other == value));
    }
}

/// One element too large for any lane.
pub(crate) fn absorb_big(value: &Integer, index: u64, basis: &mut Basis) {
    if let Some(sum) = &mut basis.sum {
        sum.add_integer(value);
    }
    if let Some(squares) = &mut basis.squares {
        squares.add_integer(&(value * value));
    }
    if let Some(least) = &mut basis.least {
        least.absorb(Answer::Integer(value.clone()), index);
    }
    if let Some(greatest) = &mut basis.greatest {
        greatest.absorb(Answer::Integer(value.clone()), index);
    }
    if let Some(product) = &mut basis.product {
        product.absorb(value.clone());
    }
}

/// The element that wins against all others.
fn best(
    block: &[i64],
    bound: u64,
    wins: impl Fn(f64, f64) -> bool,
    better: fn(i64, i64) -> i64,
) -> Option<i64> {
    match block.split_first() {
        Some((first, rest)) if bound < 1 << 61 => Some(best_short(*first, rest, wins)),
        _ => block.iter().copied().reduce(better),
    }
}

/// Magnitudes below 2^61, compared as floats: every x86-64 compares floats in pairs, 64-bit integers only the
/// newer ones do. Positive floats are in the order of their bits, and around 1.5 there are 2^61 each way.
#[inline(always)]
fn best_short(first: i64, rest: &[i64], wins: impl Fn(f64, f64) -> bool) -> i64 {
    const ORIGIN: i64 = 0x3ff8_0000_0000_0000;
    const ABREAST: usize = 8;
    let float = |value: i64| f64::from_bits(value.wrapping_add(ORIGIN).cast_unsigned());
    let better = |a: f64, b: f64| if wins(a, b) { a } else { b };
    let mut bests = [float(first); ABREAST];
    let (groups, left) = rest.as_chunks::<ABREAST>();
    for group in groups {
        for (best, value) in bests.iter_mut().zip(group) {
            *best = better(float(*value), *best);
        }
    }
    let best = left.iter().map(|value| float(*value)).chain(bests).fold(bests[0], better);
    best.to_bits().cast_signed().wrapping_sub(ORIGIN)
}

/// Magnitudes below 2^53: 1024 of them stay below 2^63.
fn sum_short(block: &[i64]) -> i64 {
    block.iter().fold(0, |sum: i64, value| sum.wrapping_add(*value))
}

/// Any elements: with the sign bit flipped they are unsigned, and their halves add up in 64 bits.
fn sum_long(block: &[i64]) -> i128 {
    const BIAS: u64 = 1 << 63;
    let (mut low, mut high) = (0_u64, 0_u64);
    for value in block {
        let shifted = value.cast_unsigned() ^ BIAS;
        low += shifted & 0xffff_ffff;
        high += shifted >> 32;
    }
    let lanes = block.len() as i128;
    (i128::from(high) << 32) + i128::from(low) - (lanes << 63)
}

/// Magnitudes below 2^32: each square fits in 64 bits, and the halves of the squares add up in 64 bits.
fn squares_short(block: &[i64]) -> u128 {
    let (mut low, mut high) = (0_u64, 0_u64);
    for value in block {
        let magnitude = value.unsigned_abs() & 0xffff_ffff;
        let square = magnitude * magnitude;
        low += square & 0xffff_ffff;
        high += square >> 32;
    }
    (u128::from(high) << 32) + u128::from(low)
}

/// Any elements: the sum modulo 2^128, and how often it passed that.
fn squares_long(block: &[i64]) -> (u128, u64) {
    let (mut sum, mut carries) = (0_u128, 0_u64);
    for value in block {
        let magnitude = u128::from(value.unsigned_abs());
        let (next, carried) = sum.overflowing_add(magnitude * magnitude);
        sum = next;
        carries += u64::from(carried);
    }
    (sum, carries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reduction;
    use crate::extrema::NOWHERE;

    /// The kernels against one element at a time through the big path.
    fn check<L: Lane + Into<Integer>>(block: &[L]) {
        let mut fast = Basis::identity(&Reduction::ALL);
        L::absorb(block, u64::MAX, Indices::Unknown, &mut fast);
        let mut bounded = Basis::identity(&Reduction::ALL);
        L::absorb(block, L::bound(block), Indices::Unknown, &mut bounded);
        assert_eq!(fast, bounded);
        let mut slow = Basis::identity(&Reduction::ALL);
        for value in block {
            absorb_big(&(*value).into(), NOWHERE, &mut slow);
        }
        assert_eq!(fast, slow);
    }

    #[test]
    fn kernels_hold_at_their_bounds() {
        let edges = [0, 1, 31, 32, 33, 52, 53, 54, 60, 61, 62].map(|bits| 1_i64 << bits);
        for edge in edges {
            for value in [edge - 1, edge, 1 - edge, -edge] {
                check(&[value; LANES]);
            }
        }
        for (from, to) in [
            (-1_500_i64, -476),
            (-700, 324),
            (300, 1_324),
            ((1 << 61) - 1_024, 1 << 61),
            (1 - (1 << 61), 1_025 - (1 << 61)),
            ((1 << 61) - 600, (1 << 61) + 424),
        ] {
            let mut block: Vec<i64> = (from..to).collect();
            check(&block);
            block.reverse();
            check(&block);
            check(&block[..21]);
        }
        check(&[i64::MAX; LANES]);
        check(&[i64::MIN; LANES]);
        check(&[i64::MIN, -1, 0, 1, i64::MAX]);
        check::<i64>(&[]);
        check(&[i128::MIN; 64]);
        check(&[i128::MAX; 64]);
        check(&[i128::MIN, -1, 0, 1, i128::MAX]);
    }
}
