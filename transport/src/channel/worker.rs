//! The worker's end of a channel link.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use ipc_channel::ipc::{IpcSender, bytes_channel};
use tally_sys::doorbell::{Doorbell, Woken, wait_readable};

use super::flow::Flow;
use super::{Bootstrap, Channels, FRAME_BYTES_MAX, batches, inbox, prepared};
use crate::guard::check_length;
use crate::outbox::Batches;
use crate::records::{BadLength, Inbox};
use crate::steps::{Step, reached};
use crate::{LinkError, Received, Transport, Wait, WorkerLink, take_fds};

/// Opens the worker's end; `path` is where the supervisor awaits the connection. On return the
/// supervisor can accept it without waiting.
pub(crate) fn open(path: &str, fds: Vec<OwnedFd>, lifeline: OwnedFd) -> io::Result<Box<dyn WorkerLink>> {
    let [supervisor, bell] = take_fds(fds)?;
    let (their_sender, receiver) = prepared(bytes_channel)?;
    let (sender, their_receiver) = prepared(bytes_channel)?;
    let bootstrap: IpcSender<Bootstrap> = IpcSender::connect(path.to_owned())?;
    bootstrap.send(Some((their_sender, their_receiver))).map_err(io::Error::other)?;
    Ok(Box::new(ChannelWorker {
        channels: Channels { sender, receiver },
        supervisor: Doorbell::from_fd(supervisor)?,
        bell: Doorbell::from_fd(bell)?,
        lifeline,
        unsent: batches(),
        received: VecDeque::new(),
        inbox: inbox(),
        flow: Flow::default(),
    }))
}

/// The worker's end.
#[derive(Debug)]
struct ChannelWorker {
    channels: Channels,
    supervisor: Doorbell,
    bell: Doorbell,
    lifeline: OwnedFd,
    unsent: Batches,
    /// Frames of messages that came while this end was sending: never more than a window.
    received: VecDeque<Vec<u8>>,
    inbox: Inbox,
    flow: Flow,
}

impl ChannelWorker {
    /// Receives a message if one is there. False: none.
    fn receive_message(&mut self) -> Result<bool, LinkError> {
        let Some(message) = self.channels.receive()? else { return Ok(false) };
        if let Some(frames) = self.flow.receive(&message)? {
            self.received.push_back(frames.to_vec());
        }
        Ok(true)
    }

    /// Takes the next frame that has been received.
    fn take(&mut self, frame: &mut Vec<u8>) -> Result<bool, LinkError> {
        loop {
            let taken = self.inbox.take(frame).map_err(|BadLength(length)| {
                LinkError::Violation(format!("it announces a frame of {length} bytes"))
            })?;
            if taken {
                return Ok(true);
            }
            let Some(frames) = self.received.pop_front() else { return Ok(false) };
            self.inbox.fill(|room| {
                room[..frames.len()].copy_from_slice(&frames);
                Ok::<_, LinkError>(Some(frames.len()))
            })?;
            self.flow.taken();
            if let Some(acknowledgement) = self.flow.due_acknowledgement() {
                self.channels.send(&acknowledgement)?;
                self.supervisor.ring()?;
            }
        }
    }

    /// Sleeps until the supervisor rings, maybe in vain.
    fn sleep(&self) -> Result<Woken, LinkError> {
        let woken = wait_readable(&self.bell, &self.lifeline)?;
        // Answered before the channel is looked at again: a ring after this look is not lost.
        self.bell.answer()?;
        Ok(woken)
    }

    /// Waits until the window is open.
    fn await_window(&mut self) -> Result<(), LinkError> {
        while !self.flow.may_send() {
            if self.receive_message()? {
                continue;
            }
            self.supervisor.ring()?;
            if self.sleep()? == Woken::Gone {
                return Err(LinkError::Closed);
            }
        }
        Ok(())
    }

    fn try_receive(&mut self, frame: &mut Vec<u8>, wait: Wait) -> Result<Received, LinkError> {
        loop {
            if self.take(frame)? {
                return Ok(Received::Frame);
            }
            if self.receive_message()? {
                continue;
            }
            if wait == Wait::Never {
                return Ok(Received::Empty);
            }
            self.flush()?;
            if self.received.is_empty() && self.sleep()? == Woken::Gone {
                return Ok(Received::Closed);
            }
        }
    }
}

impl WorkerLink for ChannelWorker {
    fn transport(&self) -> Transport {
        Transport::Channel
    }

    fn frame_bytes_max(&self) -> usize {
        FRAME_BYTES_MAX
    }

    fn receive(&mut self, frame: &mut Vec<u8>, wait: Wait) -> Result<Received, LinkError> {
        match self.try_receive(frame, wait) {
            Err(LinkError::Closed) => Ok(Received::Closed),
            other => other,
        }
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        check_length(frame, FRAME_BYTES_MAX)?;
        reached(Step::BeforeRecord);
        if !self.unsent.fits(frame) {
            self.flush()?;
        }
        self.unsent.push(frame)
    }

    fn flush(&mut self) -> Result<(), LinkError> {
        if self.unsent.is_empty() {
            return Ok(());
        }
        while !self.unsent.is_empty() {
            self.await_window()?;
            let Some(message) = self.unsent.first() else { break };
            self.flow.stamp(message);
            reached(Step::BeforeCommit);
            self.channels.send(message)?;
            self.flow.sent();
            self.unsent.drop_first();
            reached(Step::BeforeBell);
        }
        self.supervisor.ring()?;
        reached(Step::AfterBell);
        Ok(())
    }

    fn bell(&self) -> Option<BorrowedFd<'_>> {
        Some(self.bell.as_fd())
    }

    fn answer_bell(&mut self) -> Result<(), LinkError> {
        self.bell.answer()?;
        Ok(())
    }

    fn before_sleep(&mut self) -> Result<bool, LinkError> {
        self.flush()?;
        Ok(!self.received.is_empty())
    }
}
