//! Frames between supervisor and worker: feed frames, take messages. No sockets here.
//!
//! A message is encoded by bincode (with a limit, always) and cut into pieces that fit the link; each piece is a
//! frame: version, flags, piece number, CRC-32 of all that and the body, body. Links deliver frames whole and in
//! order, so a piece number that is not the next one, a bad sum or a byte too many means a broken link.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{limits, version};

/// Bytes before the body: version, flags, piece number (u32), CRC-32 (u32), little-endian.
pub const HEADER_BYTES: usize = 10;

/// Set on every piece but the last.
const MORE: u8 = 1;

/// Why bytes are not a message. Any of them means the link cannot be trusted any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// Shorter than a header.
    Short,
    /// Another version.
    Version(u8),
    /// Unknown flags.
    Flags(u8),
    /// The sum does not fit the bytes.
    Checksum,
    /// A piece is missing or came twice.
    Order,
    /// The message outgrows the limit.
    TooLong,
    /// The body is no such message.
    Body(String),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("a frame is shorter than its header"),
            Self::Version(found) => write!(f, "a frame has version {found}, not {}", version::FRAME),
            Self::Flags(found) => write!(f, "a frame has unknown flags {found:#04x}"),
            Self::Checksum => f.write_str("a frame's checksum is wrong"),
            Self::Order => f.write_str("a piece of a message is missing"),
            Self::TooLong => write!(f, "a message is longer than {} bytes", limits::MESSAGE_BYTES_MAX),
            Self::Body(why) => write!(f, "a message cannot be read: {why}"),
        }
    }
}

impl std::error::Error for FrameError {}

/// Always with a limit: without one a ten-byte frame that claims a text of 2^60 bytes aborts the process.
fn config<const LIMIT: usize>() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<LIMIT>()
}

/// Bodies up to this long are decoded under this limit, so that a small lie costs a small allocation.
const SMALL_BYTES: usize = 64 << 10;

/// Encodes a message and hands its frames, each at most `frame_bytes_max` long, to `emit`.
///
/// # Errors
/// `TooLong` when the message outgrows the limit; else what `emit` returned first.
pub fn encode<M: Serialize, E: From<FrameError>>(
    message: &M,
    frame_bytes_max: usize,
    scratch: &mut Vec<u8>,
    mut emit: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let body_max = frame_bytes_max.saturating_sub(HEADER_BYTES).max(1);
    scratch.clear();
    scratch.resize(HEADER_BYTES, 0);
    bincode::serde::encode_into_std_write(message, scratch, config::<{ limits::MESSAGE_BYTES_MAX }>())
        .map_err(|why| FrameError::Body(why.to_string()))?;
    let body_bytes = scratch.len() - HEADER_BYTES;
    if body_bytes > limits::MESSAGE_BYTES_MAX {
        return Err(FrameError::TooLong.into());
    }
    if body_bytes <= body_max {
        seal(scratch, 0, 0);
        return emit(scratch);
    }
    let mut piece = Vec::with_capacity(frame_bytes_max);
    let mut chunks = scratch[HEADER_BYTES..].chunks(body_max).peekable();
    let mut number = 0_u32;
    while let Some(chunk) = chunks.next() {
        piece.clear();
        piece.resize(HEADER_BYTES, 0);
        piece.extend_from_slice(chunk);
        seal(&mut piece, if chunks.peek().is_some() { MORE } else { 0 }, number);
        emit(&piece)?;
        number = number.wrapping_add(1);
    }
    Ok(())
}

/// Fills the header in front of a body.
fn seal(frame: &mut [u8], flags: u8, number: u32) {
    frame[0] = version::FRAME;
    frame[1] = flags;
    frame[2..6].copy_from_slice(&number.to_le_bytes());
    let sum = checksum(frame);
    frame[6..10].copy_from_slice(&sum.to_le_bytes());
}

fn checksum(frame: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&frame[..6]);
    hasher.update(&frame[HEADER_BYTES..]);
    hasher.finalize()
}

/// Puts the pieces of one link's messages together. After an error the link is not to be read again.
#[derive(Debug, Default)]
pub struct Assembler {
    body: Vec<u8>,
    /// Pieces of the unfinished message taken so far.
    pieces: u32,
}

impl Assembler {
    /// Nothing taken yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one frame; the message when it was the last piece.
    ///
    /// # Errors
    /// When the frame is not what its header says, out of order, or the message too long or not of this type.
    pub fn push<M: DeserializeOwned>(&mut self, frame: &[u8]) -> Result<Option<M>, FrameError> {
        if frame.len() < HEADER_BYTES {
            return Err(FrameError::Short);
        }
        if frame[0] != version::FRAME {
            return Err(FrameError::Version(frame[0]));
        }
        let flags = frame[1];
        if flags & !MORE != 0 {
            return Err(FrameError::Flags(flags));
        }
        let word = |at: usize| u32::from_le_bytes([frame[at], frame[at + 1], frame[at + 2], frame[at + 3]]);
        if word(6) != checksum(frame) {
            return Err(FrameError::Checksum);
        }
        if word(2) != self.pieces {
            return Err(FrameError::Order);
        }
        let body = &frame[HEADER_BYTES..];
        if self.pieces == 0 && flags & MORE == 0 {
            return decode(body).map(Some);
        }
        if self.body.len() + body.len() > limits::MESSAGE_BYTES_MAX {
            return Err(FrameError::TooLong);
        }
        self.body.extend_from_slice(body);
        if flags & MORE != 0 {
            self.pieces = self.pieces.wrapping_add(1);
            return Ok(None);
        }
        self.pieces = 0;
        let whole = std::mem::take(&mut self.body);
        decode(&whole).map(Some)
    }
}

fn decode<M: DeserializeOwned>(body: &[u8]) -> Result<M, FrameError> {
    let decoded = if body.len() <= SMALL_BYTES {
        bincode::serde::decode_from_slice(body, config::<SMALL_BYTES>())
    } else {
        bincode::serde::decode_from_slice(body, config::<{ limits::MESSAGE_BYTES_MAX }>())
    };
    let (message, used) = decoded.map_err(|why| FrameError::Body(why.to_string()))?;
    if used == body.len() { Ok(message) } else { Err(FrameError::Body("bytes are left over".to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::{FromWorker, LeaseId, ToWorker};
    use crate::{Attempt, JobId, PartitionId};
    use proptest::prelude::*;

    fn frames(message: &FromWorker, max: usize) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        encode(message, max, &mut Vec::new(), |frame| {
            out.push(frame.to_vec());
            Ok::<(), FrameError>(())
        })
        .unwrap();
        out
    }

    fn partial(bytes: usize) -> FromWorker {
        let lease = LeaseId { job: JobId(1), partition: PartitionId(2), attempt: Attempt(3) };
        let state = (0..bytes).map(|i| u8::try_from(i % 251).unwrap()).collect();
        FromWorker::Partial { lease, elements: 9, busy_ns: 7, state }
    }

    #[test]
    fn large_messages_travel_in_pieces() {
        for bytes in [0, 1, 100, 4086, 4087, 50_000] {
            let message = partial(bytes);
            let mut assembler = Assembler::new();
            let pieces = frames(&message, 128);
            assert!(pieces.iter().all(|piece| piece.len() <= 128));
            let (last, first) = pieces.split_last().unwrap();
            for piece in first {
                assert_eq!(assembler.push::<FromWorker>(piece), Ok(None));
            }
            assert_eq!(assembler.push(last), Ok(Some(message)));
        }
    }

    #[test]
    fn a_lost_or_repeated_piece_is_noticed() {
        let pieces = frames(&partial(1000), 128);
        let mut assembler = Assembler::new();
        assembler.push::<FromWorker>(&pieces[0]).unwrap();
        assert_eq!(assembler.push::<FromWorker>(&pieces[2]), Err(FrameError::Order));
        let mut assembler = Assembler::new();
        assembler.push::<FromWorker>(&pieces[0]).unwrap();
        assert_eq!(assembler.push::<FromWorker>(&pieces[0]), Err(FrameError::Order));
    }

    #[test]
    fn bytes_left_over_are_refused() {
        let mut frame = frames(&FromWorker::Ready, 128).remove(0);
        frame.push(0);
        seal(&mut frame, 0, 0);
        assert!(matches!(Assembler::new().push::<FromWorker>(&frame), Err(FrameError::Body(_))));
    }

    #[test]
    fn a_length_that_lies_is_an_error_and_no_allocation() {
        // Partial with a claimed state of 2^60 bytes: bincode's variable-length u64 marker is 253.
        let mut frame = vec![0; HEADER_BYTES];
        frame.extend_from_slice(&[3, 1, 2, 3, 9, 7, 253]);
        frame.extend_from_slice(&(1_u64 << 60).to_le_bytes());
        seal(&mut frame, 0, 0);
        assert!(matches!(Assembler::new().push::<FromWorker>(&frame), Err(FrameError::Body(_))));
        // The same for text.
        let mut frame = vec![0; HEADER_BYTES];
        frame.extend_from_slice(&[4, 1, 2, 3, 253]);
        frame.extend_from_slice(&(1_u64 << 60).to_le_bytes());
        seal(&mut frame, 0, 0);
        assert!(matches!(Assembler::new().push::<FromWorker>(&frame), Err(FrameError::Body(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_message_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(Assembler::new().push::<FromWorker>(&bytes));
            let mut sealed = vec![0; HEADER_BYTES];
            sealed.extend_from_slice(&bytes);
            seal(&mut sealed, 0, 0);
            drop(Assembler::new().push::<FromWorker>(&sealed));
            drop(Assembler::new().push::<ToWorker>(&sealed));
        }

        #[test]
        fn a_flipped_bit_never_gives_another_message(at in 0_usize..400, bit in 0_u8..8) {
            let message = partial(300);
            let mut frame = frames(&message, 4096).remove(0);
            let at = at % frame.len();
            frame[at] ^= 1 << bit;
            prop_assert!(Assembler::new().push::<FromWorker>(&frame).is_err());
        }
    }
}
