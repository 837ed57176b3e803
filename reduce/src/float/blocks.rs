//! Sums a block of floats without error, by taking each apart on a common grid.
//!
//! A lane's sum begins at an anchor M = 1.5 * 2^E and stays between 2^E and 2^(E+1), where last places are 2^(E-52).
//! So adding a value rounds it to a multiple of that: what the sum has grown by is one part of it, exactly, and the
//! rest goes to the sum at the next anchor, 2^44 times finer. If no rest is left after the last anchor, the lane sums
//! hold the whole block. (Demmel and Nguyen's reproducible sums grow so, too.)
//!
//! With 256 values in a lane, none above 2^(E-9): no part is above that, and so no sum leaves its anchor by more than
//! 2^(E-1). A rest is at most half a last place, 2^(E-53), which is 2^(E'-9) with the next anchor E' = E - 44. Every
//! step is exact, subnormal or not, as long as nothing overflows.

use super::load::Load;

/// Values of one block: 16 KiB of `f64`, which stay in the first-level cache for a second look.
pub(crate) const BLOCK: usize = 2048;
/// Two AVX2 vectors abreast.
pub(crate) const LANES: usize = 8;

/// Greatest exponent of an anchor: its lane sums are at most 2^1023.
pub(crate) const ANCHOR_MAX: i32 = 1022;
const ANCHOR_STEP: i32 = 44;

/// What became of a block.
pub(crate) struct Parts<const LEVELS: usize> {
    /// Sums of the parts.
    pub(crate) sums: [[f64; LANES]; LEVELS],
    /// The greatest magnitude of the block, NaN left out.
    pub(crate) most: f64,
    /// Whether nothing was left over. False if there is a NaN or an infinity.
    pub(crate) whole: bool,
}

/// The least anchor for which `LEVELS` grids reach down to 2^-1074, which every float is a multiple of.
pub(crate) fn anchor_min(levels: usize) -> i32 {
    -1022 + ANCHOR_STEP * i32::try_from(levels.saturating_sub(1)).unwrap_or(0)
}

/// The least anchor exponent that a block with this greatest magnitude allows.
pub(crate) fn anchor_for(most: f64) -> i32 {
    let field = i32::try_from(most.to_bits() >> 52).unwrap_or(i32::MAX / 2);
    field - 1023 + 10
}

/// Takes a block of at most [`BLOCK`] values apart. Exact if `anchor_for(most) <= anchor` and `whole`; worthless
/// otherwise, but for `most`.
#[inline(always)]
pub(crate) fn take_apart<const LEVELS: usize, L: Load>(block: &[L::Raw], anchor: i32) -> Parts<LEVELS> {
    let anchors: [f64; LEVELS] = std::array::from_fn(|level| {
        let exponent = anchor - ANCHOR_STEP * i32::try_from(level).unwrap_or(0);
        f64::from_bits(u64::from((exponent + 1023).unsigned_abs()) << 52 | 1 << 51)
    });
    let mut state =
        State::<LEVELS> { sums: anchors.map(|anchor| [anchor; LANES]), most: [0.0; LANES], rest: [0; LANES] };
    let (groups, tail) = block.as_chunks::<LANES>();
    for group in groups {
        state.add(group.map(L::load));
    }
    if !tail.is_empty() {
        let mut group = [0.0; LANES];
        for (to, raw) in group.iter_mut().zip(tail) {
            *to = L::load(*raw);
        }
        state.add(group);
    }
    Parts {
        sums: std::array::from_fn(|level| state.sums[level].map(|sum| sum - anchors[level])),
        most: state.most.into_iter().fold(0.0, greater),
        // Shifted so that a rest of -0.0 is none.
        whole: state.rest.into_iter().fold(0, |all, rest| all | rest) << 1 == 0,
    }
}

struct State<const LEVELS: usize> {
    /// From the anchors on.
    sums: [[f64; LANES]; LEVELS],
    most: [f64; LANES],
    rest: [u64; LANES],
}

#[expect(
    clippy::needless_range_loop,
    reason = "arrays side by side, by lane; the compiler makes vectors of them"
)]
impl<const LEVELS: usize> State<LEVELS> {
    #[inline(always)]
    fn add(&mut self, group: [f64; LANES]) {
        let mut rest = group;
        for lane in 0..LANES {
            self.most[lane] = greater(self.most[lane], rest[lane].abs());
        }
        for level in 0..LEVELS {
            for lane in 0..LANES {
                let sum = self.sums[level][lane] + rest[lane];
                rest[lane] -= sum - self.sums[level][lane];
                self.sums[level][lane] = sum;
            }
        }
        for lane in 0..LANES {
            self.rest[lane] |= rest[lane].to_bits();
        }
    }
}

/// The one instruction that processors have for it; a NaN in `b` is passed over.
#[inline(always)]
fn greater(a: f64, b: f64) -> f64 {
    if b > a { b } else { a }
}
