//! Compressed bytes that are damaged or made to hurt: plain bytes or an error, in bounded memory, the same whatever the
//! block; only how much of the text comes before the error of a damaged one may depend on it.

use tally_columns::{Compression, Unpack};

use crate::feed::Feed;

/// Plain bytes that are asked for: a bomb is never unpacked as a whole.
const PLAIN_BYTES_MAX: usize = 1 << 18;

/// The first byte chooses how it is compressed and how much is asked for at once; the rest is the file.
pub fn run(bytes: &[u8]) {
    let mut feed = Feed::new(bytes);
    let choices = feed.byte();
    let compression = if choices & 1 == 0 { Compression::Gzip } else { Compression::Zstd };
    let file = feed.rest();
    let piece = 1 + (usize::from(choices >> 1) << 6);
    let whole = unpacked(file, compression, PLAIN_BYTES_MAX);
    let pieces = unpacked(file, compression, piece);
    let same = match (whole.1, pieces.1) {
        (Some(false), Some(false) | None) | (None, Some(false)) => {
            whole.0.starts_with(&pieces.0) || pieces.0.starts_with(&whole.0)
        }
        _ => whole == pieces,
    };
    assert!(same, "the text or its end depends on the block: {:?} and {:?}", whole.1, pieces.1);
}

/// The text, and whether it ends well; nothing where it goes on.
fn unpacked(file: &[u8], compression: Compression, piece: usize) -> (Vec<u8>, Option<bool>) {
    let (mut text, mut unpack) = (Vec::new(), Unpack::new(file, compression));
    while text.len() < PLAIN_BYTES_MAX {
        let more = piece.min(PLAIN_BYTES_MAX - text.len());
        let before = text.len();
        match unpack.fill(&mut text, more) {
            Ok(0) => return (text, Some(true)),
            Ok(count) => assert_eq!(count, text.len() - before),
            Err(_) => return (text, Some(false)),
        }
        assert!(text.len() - before <= more);
    }
    (text, None)
}
