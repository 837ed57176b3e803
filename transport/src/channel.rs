//! The transport `channel`: byte channels of the crate `ipc-channel`.
//!
//! The crate keeps its descriptors to itself and waits where it likes; this link keeps it from
//! waiting. Bells beside the channels wake both sides. A window bounds the messages on their way,
//! so that a send finds room. Messages are so short that each is one packet. The connection is only
//! accepted when the worker has said that it is there, and after a connection of the supervisor
//! itself, so that there is always one to accept. The crate panics on packets that it has not made
//! itself: what reads them is contained, and a panic there is a violation by the worker.

mod flow;
mod scratch;
mod supervisor;
mod worker;

use std::panic::{AssertUnwindSafe, catch_unwind};

use ipc_channel::ipc::{IpcBytesReceiver, IpcBytesSender};
use ipc_channel::{IpcError, TryRecvError};

pub(crate) use scratch::directories;
pub(crate) use supervisor::create;
pub(crate) use worker::open;

use crate::limits::CHANNEL_MESSAGE_BYTES_MAX;
use crate::records::RECORD_HEAD_BYTES;
use crate::{LinkError, outbox, records};

/// What the worker sends when it connects: where commands are to be sent and results are to be
/// received. The supervisor's own connection brings nothing.
type Bootstrap = Option<(IpcBytesSender, IpcBytesReceiver)>;

/// A message begins with the number of messages taken so far from the other side.
const HEAD_BYTES: usize = size_of::<u32>();

const FRAME_BYTES_MAX: usize = CHANNEL_MESSAGE_BYTES_MAX - HEAD_BYTES - RECORD_HEAD_BYTES;

/// One side's ends of the two channels.
#[derive(Debug)]
struct Channels {
    sender: IpcBytesSender,
    receiver: IpcBytesReceiver,
}

impl Channels {
    /// The next message; `None`: none is there now. Never waits.
    fn receive(&self) -> Result<Option<Vec<u8>>, LinkError> {
        loop {
            return match contained(|| self.receiver.try_recv())? {
                Ok(message) => Ok(Some(message)),
                Err(TryRecvError::Empty) => Ok(None),
                Err(TryRecvError::IpcError(IpcError::Disconnected)) => Err(LinkError::Closed),
                Err(TryRecvError::IpcError(IpcError::Io(error)))
                    if error.kind() == std::io::ErrorKind::Interrupted =>
                {
                    continue;
                }
                Err(TryRecvError::IpcError(error)) => Err(link_error(error)),
            };
        }
    }

    /// Sends a message. The window is the caller's business.
    fn send(&self, message: &[u8]) -> Result<(), LinkError> {
        loop {
            match contained(|| self.sender.send(message))? {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                result => return Ok(result?),
            }
        }
    }
}

/// An inbox for one message at a time.
fn inbox() -> records::Inbox {
    records::Inbox::new(CHANNEL_MESSAGE_BYTES_MAX, FRAME_BYTES_MAX)
}

/// Batches of which each is a message.
fn batches() -> outbox::Batches {
    outbox::Batches::new(CHANNEL_MESSAGE_BYTES_MAX, HEAD_BYTES)
}

/// Calls into the crate so that a panic of it ends there.
///
/// Nothing of ours is inside, and a link on which it happened is dead, so no half-changed value
/// is used afterwards.
fn contained<T>(call: impl FnOnce() -> T) -> Result<T, LinkError> {
    catch_unwind(AssertUnwindSafe(call))
        .map_err(|_| LinkError::Violation("it sent a packet that ipc-channel cannot read".to_owned()))
}

fn link_error(error: IpcError) -> LinkError {
    match error {
        IpcError::Disconnected => LinkError::Closed,
        IpcError::Io(error) => error.into(),
        other => LinkError::Violation(format!("it sent what cannot be read: {other}")),
    }
}
