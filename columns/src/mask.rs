//! Sixty-four bytes at once: which of them are a delimiter, a line feed or a quote, as bits.
//!
//! The only place that knows about vector registers; everything above works on 64-bit words. The lowest bit is the
//! first byte.

use wide::u8x16;

/// Bytes that are looked at together.
pub(crate) const LANES: usize = 64;

/// Sixty-four bytes in registers.
pub(crate) struct Lanes([u8x16; 4]);

impl Lanes {
    #[inline(always)]
    pub(crate) fn load(bytes: &[u8; LANES]) -> Self {
        Self(bytemuck::pod_read_unaligned(bytes))
    }

    /// The bits of the bytes that equal `byte`.
    #[inline(always)]
    pub(crate) fn equal(&self, byte: u8) -> u64 {
        let wanted = u8x16::splat(byte);
        let bits = |lane: u8x16| u64::from(lane.simd_eq(wanted).to_bitmask());
        bits(self.0[0]) | bits(self.0[1]) << 16 | bits(self.0[2]) << 32 | bits(self.0[3]) << 48
    }
}

/// Bytes that [`feeds_without`] looks at together: as many as a byte can count in each of 64 lanes.
pub(crate) const RUN: usize = 128 * LANES;

/// How many of the bytes are line feeds; `None` if a quote is among them. Quicker than bits, which are then not needed.
#[inline(always)]
pub(crate) fn feeds_without(quote: Option<u8>, run: &[u8; RUN]) -> Option<u64> {
    let (feed, mark) = (u8x16::splat(b'\n'), u8x16::splat(quote.unwrap_or(b'\n')));
    let (mut feeds, mut marks) = ([u8x16::splat(0); 4], u8x16::splat(0));
    for lanes in run.as_chunks::<LANES>().0 {
        for (feeds, lane) in feeds.iter_mut().zip(Lanes::load(lanes).0) {
            // All ones are -1.
            *feeds -= lane.simd_eq(feed);
            marks |= lane.simd_eq(mark);
        }
    }
    let counts = feeds.iter().flat_map(|lane| lane.to_array());
    (quote.is_none() || marks.to_bitmask() == 0).then(|| counts.map(u64::from).sum())
}

/// For each bit, whether an odd number of bits up to and with it are set.
#[inline(always)]
pub(crate) fn parity_so_far(bits: u64) -> u64 {
    let mut parity = bits;
    parity ^= parity << 1;
    parity ^= parity << 2;
    parity ^= parity << 4;
    parity ^= parity << 8;
    parity ^= parity << 16;
    parity ^ parity << 32
}

/// Sixty-four bytes of `bytes` from `at` on, with zeros after the end: a NUL is no byte of any dialect.
#[inline(always)]
pub(crate) fn lanes_at(bytes: &[u8], at: usize) -> Lanes {
    let rest = bytes.get(at..).unwrap_or(&[]);
    match rest.first_chunk() {
        Some(chunk) => Lanes::load(chunk),
        None => {
            let mut padded = [0; LANES];
            padded[..rest.len()].copy_from_slice(rest);
            Lanes::load(&padded)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bits_are_bytes(bytes in proptest::collection::vec(0_u8..4, 64), byte in 0_u8..4) {
            let bits = Lanes::load(bytes.first_chunk().unwrap()).equal(byte);
            for (at, found) in bytes.iter().enumerate() {
                prop_assert_eq!(bits >> at & 1 == 1, *found == byte);
            }
        }

        #[test]
        fn feeds_are_counted_up_to_a_quote(
            fill in 9_u8..12,
            at in proptest::collection::vec((0..RUN, 9_u8..12), 0..200),
            quote in any::<bool>(),
        ) {
            let mut run = [fill; RUN];
            at.iter().for_each(|&(at, byte)| run[at] = byte);
            let count = |byte| run.iter().filter(|found| **found == byte).count() as u64;
            let quote = quote.then_some(11);
            let expected = (quote.is_none() || count(11) == 0).then(|| count(b'\n'));
            prop_assert_eq!(feeds_without(quote, &run), expected);
        }

        #[test]
        fn parity_is_counted(bits in any::<u64>()) {
            let mut odd = false;
            for at in 0..64 {
                odd ^= bits >> at & 1 == 1;
                prop_assert_eq!(parity_so_far(bits) >> at & 1 == 1, odd);
            }
        }
    }
}
