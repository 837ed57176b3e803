//! Frames that wait in the supervisor until there is room for them, and their limit.

use std::collections::VecDeque;

use crate::LinkError;
use crate::limits::OUTBOX_BYTES_MAX;
use crate::records;

/// Single frames.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    frames: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl Outbox {
    pub(crate) fn push(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        // Each frame counts for a little more than its bytes, so that empty ones are bounded too.
        let bytes = self.bytes + cost(frame);
        if bytes > OUTBOX_BYTES_MAX {
            return Err(LinkError::Full);
        }
        self.bytes = bytes;
        self.frames.push_back(frame.to_vec());
        Ok(())
    }

    pub(crate) fn first(&self) -> Option<&[u8]> {
        self.frames.front().map(Vec::as_slice)
    }

    pub(crate) fn drop_first(&mut self) {
        if let Some(frame) = self.frames.pop_front() {
            self.bytes -= cost(&frame);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }
}

fn cost(frame: &[u8]) -> usize {
    frame.len() + size_of::<Vec<u8>>()
}

/// Frames packed as records into batches, each of which is sent as one.
#[derive(Debug)]
pub(crate) struct Batches {
    /// Full ones, oldest first.
    full: VecDeque<Vec<u8>>,
    /// The one that is being filled; it begins with the room left for a head.
    open: Vec<u8>,
    batch_bytes_max: usize,
    head_bytes: usize,
}

impl Batches {
    /// Batches of at most `batch_bytes_max` bytes, the first `head_bytes` of which are left for the
    /// sender to fill in.
    pub(crate) fn new(batch_bytes_max: usize, head_bytes: usize) -> Self {
        Self { full: VecDeque::new(), open: vec![0; head_bytes], batch_bytes_max, head_bytes }
    }

    /// Whether the frame fits into the open batch.
    pub(crate) fn fits(&self, frame: &[u8]) -> bool {
        self.open.len() + records::RECORD_HEAD_BYTES + frame.len() <= self.batch_bytes_max
    }

    /// Takes a frame, which is not longer than a batch.
    pub(crate) fn push(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        if !self.fits(frame) {
            if (self.full.len() + 2) * self.batch_bytes_max > OUTBOX_BYTES_MAX {
                return Err(LinkError::Full);
            }
            let next = Vec::with_capacity(self.batch_bytes_max);
            self.full.push_back(std::mem::replace(&mut self.open, next));
            self.open.resize(self.head_bytes, 0);
        }
        records::append(&mut self.open, frame);
        Ok(())
    }

    /// The batch to send next.
    pub(crate) fn first(&mut self) -> Option<&mut Vec<u8>> {
        match self.full.front_mut() {
            Some(batch) => Some(batch),
            None if self.open.len() > self.head_bytes => Some(&mut self.open),
            None => None,
        }
    }

    /// The batch to send next has been sent.
    pub(crate) fn drop_first(&mut self) {
        if self.full.pop_front().is_none() {
            self.open.truncate(self.head_bytes);
        }
    }

    /// Whether nothing is left to send.
    pub(crate) fn is_empty(&self) -> bool {
        self.full.is_empty() && self.open.len() == self.head_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outbox_has_an_end() {
        let mut outbox = Outbox::default();
        let frame = vec![0; 1 << 20];
        for _ in 0..3 {
            outbox.push(&frame).unwrap();
        }
        assert!(matches!(outbox.push(&frame), Err(LinkError::Full)));
        outbox.drop_first();
        outbox.push(&frame).unwrap();
        let mut empty = Outbox::default();
        let taken = (0..).take_while(|_| empty.push(&[]).is_ok()).count();
        assert!(taken <= OUTBOX_BYTES_MAX / 8, "{taken} empty frames");
    }

    #[test]
    fn batches_are_filled_and_sent_in_order() {
        let mut batches = Batches::new(10, 2);
        assert!(batches.first().is_none());
        batches.push(b"ab").unwrap();
        batches.push(b"cd").unwrap();
        batches.push(b"e").unwrap();
        assert_eq!(batches.first().unwrap(), b"\0\0\x02\0ab\x02\0cd");
        batches.drop_first();
        assert_eq!(batches.first().unwrap(), b"\0\0\x01\0e");
        batches.drop_first();
        assert!(batches.is_empty());
    }

    #[test]
    fn batches_have_an_end() {
        let mut batches = Batches::new(4096, 0);
        let frame = [0; 4094];
        let taken = (0..).take_while(|_| batches.push(&frame).is_ok()).count();
        assert_eq!(taken, OUTBOX_BYTES_MAX / 4096);
        assert!(matches!(batches.push(&frame), Err(LinkError::Full)));
        batches.drop_first();
        batches.push(&frame).unwrap();
    }
}
