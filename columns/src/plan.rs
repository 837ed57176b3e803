//! How a source of bytes or numbers is cut into pieces of about a wanted size, and how a source is told from another.

use std::ops::Range;

/// Cuts `range` into pieces of nearly equal size, near `wanted` each and `most` in number at most. No piece is empty;
/// no range at all gives no pieces.
///
/// For numbers of fixed width, `range` counts numbers and a piece is a partition. For rows it counts bytes after the
/// header, and a piece is a block to scan (see [`cut`](crate::cut)).
pub fn pieces(range: Range<u64>, wanted: u64, most: u64) -> Vec<Range<u64>> {
    let size = range.end.saturating_sub(range.start);
    let count = size.div_ceil(wanted.max(1)).min(most.max(1)).min(size);
    // Each product is below `size * count`, which 128 bits hold; the quotient is at most `size`.
    let at = |piece: u64| {
        range.start + u64::try_from(u128::from(size) * u128::from(piece) / u128::from(count)).unwrap_or(size)
    };
    (0..count).map(|piece| at(piece)..at(piece + 1)).collect()
}

/// Bytes of one sample of a [`Tag`].
const SAMPLE_BYTES: u64 = 4 << 10;

/// How many samples are spread between the first and the last.
const SAMPLES_BETWEEN: u64 = 14;

/// A tag of a file's contents from its length and a few samples, to notice a file that was changed behind its time stamp.
///
/// Equal tags are no proof of equal files: this goes beside size, time and inode, and costs reading at most 64 KiB.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Tag(u64);

impl Tag {
    /// The ranges of a file of `bytes` bytes whose contents the tag is of: the whole of a small one.
    pub fn samples(bytes: u64) -> Vec<Range<u64>> {
        let count = SAMPLES_BETWEEN + 2;
        if bytes <= count * SAMPLE_BYTES {
            return pieces(0..bytes, bytes, 1);
        }
        let starts = pieces(0..bytes - SAMPLE_BYTES, 1, count - 1).into_iter().map(|piece| piece.start);
        starts.chain([bytes - SAMPLE_BYTES]).map(|start| start..start + SAMPLE_BYTES).collect()
    }

    /// The tag of a file of `bytes` bytes with these contents at [`Tag::samples`], in that order.
    pub fn of<'a>(bytes: u64, samples: impl IntoIterator<Item = &'a [u8]>) -> Self {
        // FNV-1a: the same on every machine and in every version.
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        let begun = bytes.to_le_bytes().iter().fold(0xcbf2_9ce4_8422_2325, step);
        Self(samples.into_iter().flatten().fold(begun, step))
    }

    /// The tag as it is kept and sent.
    pub fn to_bits(self) -> u64 {
        self.0
    }

    /// A tag that was kept.
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_are_the_range(start in 0..u64::MAX / 2, size in 0..u64::MAX / 2, wanted in any::<u64>(), most in 0_u64..200) {
            let range = start..start + size;
            let pieces = pieces(range.clone(), wanted, most);
            prop_assert!(pieces.len() as u64 <= most.max(1));
            let mut at = start;
            for piece in &pieces {
                prop_assert_eq!(piece.start, at);
                prop_assert!(piece.end > at);
                at = piece.end;
            }
            prop_assert_eq!(at, range.end);
            let sizes = pieces.iter().map(|piece| piece.end - piece.start);
            let spread = sizes.clone().max().unwrap_or(0) - sizes.min().unwrap_or(0);
            prop_assert!(spread <= 1);
        }

        #[test]
        fn samples_are_within_and_hold_both_ends(bytes in 0..u64::MAX / 2, small in 0_u64..200_000) {
            for bytes in [bytes, small] {
                let samples = Tag::samples(bytes);
                prop_assert!(samples.iter().map(|sample| sample.end - sample.start).sum::<u64>() <= 64 << 10);
                prop_assert!(samples.windows(2).all(|pair| pair[0].end <= pair[1].start));
                if bytes > 0 {
                    prop_assert_eq!((samples[0].start, samples.last().unwrap().end), (0, bytes));
                }
            }
        }
    }

    #[test]
    fn a_changed_byte_or_length_changes_the_tag() {
        let file = vec![7_u8; 1000];
        let tag = |file: &[u8]| Tag::of(file.len() as u64, [file]);
        assert_eq!(tag(&file), Tag::from_bits(tag(&file).to_bits()));
        for at in [0, 500, 999] {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert_ne!(tag(&file), tag(&changed));
        }
        assert_ne!(tag(&file), tag(&file[1..]));
        assert_eq!(Tag::of(3, [&b"ab"[..], &b"c"[..]]), Tag::of(3, [&b"abc"[..]]));
    }
}
