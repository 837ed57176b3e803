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

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

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
    quietly(call)
        .map_err(|_| LinkError::Violation("it sent a packet that ipc-channel cannot read".to_owned()))
}

/// The same for what makes a connection: there a panic means that the system refused something,
/// descriptors for example.
fn prepared<T>(call: impl FnOnce() -> std::io::Result<T>) -> std::io::Result<T> {
    quietly(call).unwrap_or_else(|_| Err(std::io::Error::other("ipc-channel found no descriptor to use")))
}

/// A contained panic is an error like any other, and is told as one: not by the panic's own message.
fn quietly<T>(call: impl FnOnce() -> T) -> std::thread::Result<T> {
    thread_local! {
        static CONTAINED: Cell<bool> = const { Cell::new(false) };
    }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !CONTAINED.get() {
                usual(panic);
            }
        }));
    });
    CONTAINED.set(true);
    let result = catch_unwind(AssertUnwindSafe(call));
    CONTAINED.set(false);
    result
}

fn link_error(error: IpcError) -> LinkError {
    match error {
        IpcError::Disconnected => LinkError::Closed,
        IpcError::Io(error) => error.into(),
        other => LinkError::Violation(format!("it sent what cannot be read: {other}")),
    }
}
