//! Folds a slice of floats into a basis, a block at a time.
//!
//! A sum alone reads the slice where it lies; anything more has each block unpacked once, into the first-level
//! cache. A NaN is an element like any other, unless it is to be left out.

use std::cmp::Ordering;

use super::blocks::BLOCK;
use super::cpu::Cpu;
use super::load::Load;
use crate::Answer;
use crate::basis::Basis;
use crate::extrema::{End, Extremum};
use crate::indices::Indices;

/// Folds all of a slice; the number of NaN that were left out.
pub(crate) fn fold<L: Load>(
    basis: &mut Basis,
    raws: &[L::Raw],
    indices: Indices<'_>,
    skip_nan: bool,
    cpu: Cpu,
) -> u64 {
    if raws.is_empty() {
        return 0;
    }
    let only_sum = basis.squares.is_none()
        && basis.least.is_none()
        && basis.greatest.is_none()
        && basis.product.is_none();
    if only_sum && !skip_nan {
        let floats = basis.floats(raws.len() as u64);
        if let Some(sum) = &mut floats.sum {
            sum.add_raw::<L>(raws, cpu);
        }
        return 0;
    }
    let mut skipped = 0;
    let mut unpacked = [0.0; BLOCK];
    for (number, block) in raws.chunks(BLOCK).enumerate() {
        let unpacked = &mut unpacked[..block.len()];
        let has_nan = cpu.run(
            #[inline(always)]
            || unpack::<L>(block, unpacked),
        );
        let indices = indices.after((number * BLOCK) as u64);
        if has_nan && skip_nan {
            let (mut kept, mut places) = (Vec::with_capacity(BLOCK), Vec::with_capacity(BLOCK));
            for (position, value) in unpacked.iter().enumerate() {
                if !value.is_nan() {
                    kept.push(*value);
                    places.push(indices.at(position));
                }
            }
            skipped += (unpacked.len() - kept.len()) as u64;
            absorb(basis, &kept, false, Indices::Each(&places), cpu);
        } else {
            absorb(basis, unpacked, has_nan, indices, cpu);
        }
    }
    skipped
}

/// Whether there is a NaN.
#[inline(always)]
fn unpack<L: Load>(block: &[L::Raw], unpacked: &mut [f64]) -> bool {
    let mut has_nan = false;
    for (to, raw) in unpacked.iter_mut().zip(block) {
        *to = L::load(*raw);
        has_nan |= to.is_nan();
    }
    has_nan
}

fn absorb(basis: &mut Basis, values: &[f64], has_nan: bool, indices: Indices<'_>, cpu: Cpu) {
    use super::load::Native64;
    if values.is_empty() {
        return;
    }
    let floats = basis.floats(values.len() as u64);
    if let Some(sum) = &mut floats.sum {
        sum.add_raw::<Native64>(values, cpu);
    }
    if let Some(squares) = &mut floats.squares {
        squares.add_all(values, cpu);
    }
    if let Some(product) = &mut floats.product {
        product.add_all(values);
    }
    for extremum in [&mut basis.least, &mut basis.greatest].into_iter().flatten() {
        improve(extremum, values, has_nan, indices, cpu);
    }
}

fn improve(extremum: &mut Extremum, values: &[f64], has_nan: bool, indices: Indices<'_>, cpu: Cpu) {
    if has_nan {
        extremum.absorb_nan(indices.first_of(values, |value| value.is_nan()));
        if values.iter().all(|value| value.is_nan()) {
            return;
        }
    }
    let mut best = match extremum.end() {
        End::Least => cpu.run(
            #[inline(always)]
            || best_of(values, f64::INFINITY, |value, best| value < best),
        ),
        End::Greatest => cpu.run(
            #[inline(always)]
            || best_of(values, f64::NEG_INFINITY, |value, best| value > best),
        ),
    };
    if best == 0.0 {
        // The comparison does not see the sign of a zero.
        let wanted = if extremum.end() == End::Least { -0.0_f64 } else { 0.0 };
        let found = values.iter().any(|value| value.to_bits() == wanted.to_bits());
        best = if found { wanted } else { -wanted };
    }
    let answer = Answer::Float(best);
    let wanted = match extremum.judge(&answer) {
        Ordering::Less => false,
        Ordering::Greater => true,
        Ordering::Equal => extremum.best().is_none_or(|(_, first)| indices.least() <= *first),
    };
    if wanted {
        extremum.absorb(answer, indices.first_of(values, |value| value.to_bits() == best.to_bits()));
    }
}

/// The best value; a NaN wins nothing.
#[inline(always)]
fn best_of(values: &[f64], worst: f64, wins: impl Fn(f64, f64) -> bool) -> f64 {
    const ABREAST: usize = 16;
    let mut bests = [worst; ABREAST];
    let (groups, rest) = values.as_chunks::<ABREAST>();
    let better = |value: f64, best: f64| if wins(value, best) { value } else { best };
    for group in groups {
        for (best, value) in bests.iter_mut().zip(group) {
            *best = better(*value, *best);
        }
    }
    rest.iter().copied().chain(bests).fold(worst, |best, value| better(value, best))
}
