//! Sums a block of floats without error, by taking each apart on a common grid.
//!
//! Adding and subtracting an anchor M = 1.5 * 2^E rounds a value to a multiple of M's last place, exactly; the
//! rest goes to the next anchor, 2^46 times finer. The rounded parts of a lane are so short that they add up
//! without rounding. If no rest is left after the last anchor, the lane sums hold the whole block.
//!
//! With 256 values in a lane, all below 2^(E-7): the parts of the first anchor add up to at most 2^(E+1), which is
//! 2^53 last places of M. A rest is at most half a last place, 2^(E-53); 256 of them are 2^(E-45) = 2^53 last
//! places of the next anchor. Every step is exact, subnormal or not, as long as nothing overflows.

use super::load::Load;

/// Values of one block: 16 KiB of `f64`, which stay in the first-level cache for a second look.
pub(crate) const BLOCK: usize = 2048;
/// Two AVX2 vectors abreast.
pub(crate) const LANES: usize = 8;

/// Greatest exponent of an anchor: its lane sums stay below 2^1023.
pub(crate) const ANCHOR_MAX: i32 = 1022;
const ANCHOR_STEP: i32 = 46;

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
    field - 1023 + 8
}

/// Takes a block of at most [`BLOCK`] values apart. Exact if `anchor_for(most) <= anchor` and `whole`; worthless
/// otherwise, but for `most`.
#[inline(always)]
pub(crate) fn take_apart<const LEVELS: usize, L: Load>(block: &[L::Raw], anchor: i32) -> Parts<LEVELS> {
    let anchors: [f64; LEVELS] = std::array::from_fn(|level| {
        let exponent = anchor - ANCHOR_STEP * i32::try_from(level).unwrap_or(0);
        f64::from_bits(u64::from((exponent + 1023).unsigned_abs()) << 52 | 1 << 51)
    });
    let mut state = State::<LEVELS> { sums: [[0.0; LANES]; LEVELS], most: [0.0; LANES], rest: [0; LANES] };
    let (groups, tail) = block.as_chunks::<LANES>();
    for group in groups {
        state.add(group.map(L::load), anchors);
    }
    if !tail.is_empty() {
        let mut group = [0.0; LANES];
        for (to, raw) in group.iter_mut().zip(tail) {
            *to = L::load(*raw);
        }
        state.add(group, anchors);
    }
    Parts {
        sums: state.sums,
        most: state.most.into_iter().fold(0.0, greater),
        // Shifted so that a rest of -0.0 is none.
        whole: state.rest.into_iter().fold(0, |all, rest| all | rest) << 1 == 0,
    }
}

struct State<const LEVELS: usize> {
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
    fn add(&mut self, group: [f64; LANES], anchors: [f64; LEVELS]) {
        let mut rest = group;
        for lane in 0..LANES {
            self.most[lane] = greater(self.most[lane], rest[lane].abs());
        }
        for level in 0..LEVELS {
            for lane in 0..LANES {
                let part = (rest[lane] + anchors[level]) - anchors[level];
                self.sums[level][lane] += part;
                rest[lane] -= part;
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
