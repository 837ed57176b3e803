//! Frames as records in a run of bytes: a length of two bytes, then the frame.
//!
//! The lengths come from the other process; none is believed before it is checked. One length is no
//! length but a sign of life: a record without a frame, by which a worker wakes its supervisor.

use std::ops::Range;

/// What a record has besides its frame.
pub(crate) const RECORD_HEAD_BYTES: usize = 2;

/// In place of a length: no frame, just a wake-up.
const NO_FRAME: u16 = u16::MAX;

/// A record without a frame.
pub(crate) const EMPTY_RECORD: [u8; RECORD_HEAD_BYTES] = NO_FRAME.to_le_bytes();

/// Appends a frame as a record. Frames are far shorter than what two bytes can say.
pub(crate) fn append(run: &mut Vec<u8>, frame: &[u8]) {
    let length = u16::try_from(frame.len()).unwrap_or(NO_FRAME);
    run.extend_from_slice(&length.to_le_bytes());
    run.extend_from_slice(frame);
}

/// Received bytes, of which records are taken.
#[derive(Debug)]
pub(crate) struct Inbox {
    bytes: Box<[u8]>,
    /// The part that has been received and not taken.
    live: Range<usize>,
    frame_bytes_max: usize,
}

/// The length of a record that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadLength(pub(crate) u16);

impl Inbox {
    /// An inbox that takes up to `bytes_max` bytes at once, in which no frame is longer than
    /// `frame_bytes_max`; a record of that length must fit.
    pub(crate) fn new(bytes_max: usize, frame_bytes_max: usize) -> Self {
        debug_assert!(frame_bytes_max + RECORD_HEAD_BYTES <= bytes_max);
        Self { bytes: vec![0; bytes_max].into_boxed_slice(), live: 0..0, frame_bytes_max }
    }

    /// Takes the next whole frame. False: there is none; what is left is less than a record.
    pub(crate) fn take(&mut self, frame: &mut Vec<u8>) -> Result<bool, BadLength> {
        frame.clear();
        loop {
            let Some((taken, whole)) = self.next()? else { return Ok(false) };
            self.live.start = whole.end;
            if let Some(taken) = taken {
                frame.extend_from_slice(&self.bytes[taken]);
                return Ok(true);
            }
        }
    }

    /// Whether [`take`](Self::take) would do more than say no.
    pub(crate) fn has_record(&self) -> bool {
        !matches!(self.next(), Ok(None))
    }

    /// Whether all that was received has been taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// Receives more: `receive` is given the room there is and returns how much of it was used.
    /// To be called when [`take`](Self::take) has found nothing.
    pub(crate) fn fill<E>(
        &mut self,
        receive: impl FnOnce(&mut [u8]) -> Result<Option<usize>, E>,
    ) -> Result<Option<usize>, E> {
        // What is left is less than a record, so it is little, and there is room for its rest.
        self.bytes.copy_within(self.live.clone(), 0);
        self.live = 0..self.live.len();
        let room = &mut self.bytes[self.live.end..];
        let limit = room.len();
        let received = receive(room)?;
        self.live.end += received.unwrap_or(0).min(limit);
        Ok(received)
    }

    /// The next record: where its frame lies, if it has one, and where all of it lies.
    #[expect(clippy::type_complexity, reason = "two ranges")]
    fn next(&self) -> Result<Option<(Option<Range<usize>>, Range<usize>)>, BadLength> {
        let start = self.live.start;
        let Some((head, rest)) = self.bytes[self.live.clone()].split_first_chunk() else {
            return Ok(None);
        };
        let body = start + RECORD_HEAD_BYTES;
        match u16::from_le_bytes(*head) {
            NO_FRAME => Ok(Some((None, start..body))),
            length if usize::from(length) > self.frame_bytes_max => Err(BadLength(length)),
            length if usize::from(length) > rest.len() => Ok(None),
            length => {
                let end = body + usize::from(length);
                Ok(Some((Some(body..end), start..end)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(inbox: &mut Inbox, bytes: &[u8]) -> usize {
        let filled = inbox.fill(|room| {
            let count = bytes.len().min(room.len());
            room[..count].copy_from_slice(&bytes[..count]);
            Ok::<_, ()>(Some(count))
        });
        filled.unwrap().unwrap()
    }

    #[test]
    fn records_are_found_however_they_are_cut() {
        let mut run = Vec::new();
        append(&mut run, b"");
        append(&mut run, b"one");
        run.extend_from_slice(&EMPTY_RECORD);
        append(&mut run, b"seven");
        for size in 1..run.len() {
            let mut inbox = Inbox::new(8, 6);
            let (mut frames, mut frame) = (Vec::new(), Vec::new());
            let mut rest = &run[..];
            while !rest.is_empty() {
                let count = fill(&mut inbox, &rest[..size.min(rest.len())]);
                rest = &rest[count..];
                while inbox.take(&mut frame).unwrap() {
                    frames.push(frame.clone());
                }
            }
            assert_eq!(frames, [&b""[..], b"one", b"seven"], "in pieces of {size}");
            assert!(inbox.is_empty());
        }
    }

    #[test]
    fn a_torn_record_is_not_taken() {
        let mut inbox = Inbox::new(8, 6);
        fill(&mut inbox, &[3, 0, b'a', b'b']);
        assert!(!inbox.has_record());
        assert!(!inbox.take(&mut Vec::new()).unwrap());
        assert!(!inbox.is_empty());
    }

    #[test]
    fn a_length_that_cannot_be_is_refused() {
        let mut inbox = Inbox::new(8, 6);
        fill(&mut inbox, &[7, 0]);
        assert!(inbox.has_record());
        assert_eq!(inbox.take(&mut Vec::new()), Err(BadLength(7)));
    }
}
