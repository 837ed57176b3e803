//! The window of a channel: how many messages one side may send before the other has taken some.
//!
//! A message with frames counts; one without is a mere acknowledgement and does not. Each says how
//! many counting messages its sender has taken so far. Numbers wrap around.

use super::HEAD_BYTES;
use crate::LinkError;
use crate::limits::{CHANNEL_MESSAGE_BYTES_MAX, CHANNEL_WINDOW};

/// One side's count of both directions.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// Sent, of those that count.
    sent: u32,
    /// Of those, how many the other side has taken.
    acknowledged: u32,
    /// Received, of those that count.
    received: u32,
    /// Of those, how many this side has taken.
    taken: u32,
    /// Of those, how many it has told the other side of.
    told: u32,
}

impl Flow {
    /// Whether one more message may be sent.
    pub(super) fn may_send(&self) -> bool {
        self.sent.wrapping_sub(self.acknowledged) < CHANNEL_WINDOW
    }

    /// Completes a message with frames, which is then sent.
    pub(super) fn stamp(&mut self, message: &mut [u8]) {
        message[..HEAD_BYTES].copy_from_slice(&self.taken.to_le_bytes());
        self.told = self.taken;
    }

    /// The message was sent.
    pub(super) fn sent(&mut self) {
        self.sent = self.sent.wrapping_add(1);
    }

    /// A message has come. Returns the part with the frames, if it has any.
    pub(super) fn receive<'m>(&mut self, message: &'m [u8]) -> Result<Option<&'m [u8]>, LinkError> {
        let violation = |what: &str| Err(LinkError::Violation(what.to_owned()));
        let Some((head, frames)) = message.split_first_chunk() else {
            return violation("it sent a message without a head");
        };
        if message.len() > CHANNEL_MESSAGE_BYTES_MAX {
            return violation("it sent a message that is too long");
        }
        let acknowledged = u32::from_le_bytes(*head);
        let on_their_way = self.sent.wrapping_sub(self.acknowledged);
        if acknowledged.wrapping_sub(self.acknowledged) > on_their_way {
            return violation("it acknowledged messages that were never sent");
        }
        self.acknowledged = acknowledged;
        if frames.is_empty() {
            return Ok(None);
        }
        self.received = self.received.wrapping_add(1);
        if self.received.wrapping_sub(self.told) > CHANNEL_WINDOW {
            return violation("it sent more messages than it may");
        }
        Ok(Some(frames))
    }

    /// A message with frames has been taken, and there is room for another.
    pub(super) fn taken(&mut self) {
        self.taken = self.taken.wrapping_add(1);
    }

    /// The acknowledgement that is due when half of the window has been taken silently.
    pub(super) fn due_acknowledgement(&mut self) -> Option<[u8; HEAD_BYTES]> {
        if self.taken.wrapping_sub(self.told) < CHANNEL_WINDOW / 2 {
            return None;
        }
        self.told = self.taken;
        Some(self.taken.to_le_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(flow: &mut Flow) -> Vec<u8> {
        let mut message = vec![0; HEAD_BYTES];
        message.extend_from_slice(b"frames");
        flow.stamp(&mut message);
        flow.sent();
        message
    }

    #[test]
    fn the_window_opens_as_messages_are_taken() {
        // Counters near their end: they must wrap.
        let end = u32::MAX - 3;
        let mut ours = Flow { sent: end, acknowledged: end, ..Flow::default() };
        let mut theirs = Flow { received: end, taken: end, told: end, ..Flow::default() };
        let mut sent = 0;
        while ours.may_send() {
            let message = message(&mut ours);
            assert!(theirs.receive(&message).unwrap().is_some());
            sent += 1;
        }
        assert_eq!(sent, CHANNEL_WINDOW);
        for _ in 1..CHANNEL_WINDOW / 2 {
            theirs.taken();
            assert!(theirs.due_acknowledgement().is_none());
        }
        theirs.taken();
        let acknowledgement = theirs.due_acknowledgement().unwrap();
        assert!(theirs.due_acknowledgement().is_none());
        assert!(ours.receive(&acknowledgement).unwrap().is_none());
        assert!(ours.may_send());
    }

    #[test]
    fn a_message_acknowledges_too() {
        let (mut ours, mut theirs) = (Flow::default(), Flow::default());
        for _ in 0..CHANNEL_WINDOW {
            let message = message(&mut ours);
            theirs.receive(&message).unwrap();
            theirs.taken();
        }
        assert!(!ours.may_send());
        let answer = message(&mut theirs);
        assert!(ours.receive(&answer).unwrap().is_some());
        assert!(ours.may_send());
    }

    #[test]
    fn cheating_is_noticed() {
        let mut flow = Flow::default();
        assert!(flow.receive(&[1, 0, 0, 0]).is_err(), "nothing was sent");
        assert!(Flow::default().receive(&[0, 0, 0]).is_err());
        assert!(Flow::default().receive(&[0; CHANNEL_MESSAGE_BYTES_MAX + 1]).is_err());
        let mut flow = Flow::default();
        for _ in 0..CHANNEL_WINDOW {
            flow.receive(&[0, 0, 0, 0, 9]).unwrap();
        }
        assert!(flow.receive(&[0, 0, 0, 0, 9]).is_err());
    }
}
