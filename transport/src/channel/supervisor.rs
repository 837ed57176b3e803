//! The supervisor's end of a channel link.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use ipc_channel::ipc::{IpcOneShotServer, IpcSender};
use tally_sys::doorbell::Doorbell;
use tally_sys::process::{Pid, own_pid};

use super::flow::Flow;
use super::scratch::Scratch;
use super::{Bootstrap, Channels, FRAME_BYTES_MAX, batches, contained, inbox, link_error, prepared};
use crate::guard::Guard;
use crate::limits::CHANNEL_SOCKET_BYTES_MIN;
use crate::outbox::Batches;
use crate::records::{BadLength, Inbox};
use crate::{CreateError, LinkError, Offer, SupervisorLink, Transport};

/// How often one `receive` looks for more when there was no frame in what came.
const EMPTY_MESSAGES_MAX: usize = 4;

/// Makes the link.
pub(crate) fn create() -> Result<(Box<dyn SupervisorLink>, Offer), CreateError> {
    check_socket_room()?;
    let link = || {
        let (scratch, (server, path)) = Scratch::with(|| prepared(IpcOneShotServer::new))?;
        let (bell, worker) = (Doorbell::new()?, Doorbell::new()?);
        let offer = Offer {
            text: format!("{} {path}", Transport::Channel).into(),
            fds: vec![bell.share()?, worker.share()?],
        };
        let link = ChannelSupervisor {
            connection: Connection::Awaited { server, path, scratch },
            bell,
            worker,
            outbox: batches(),
            inbox: inbox(),
            flow: Flow::default(),
            may_have_more: false,
            maker: own_pid(),
        };
        Ok((link, offer))
    };
    let (link, offer) = link().map_err(CreateError::io::<io::Error>("a channel"))?;
    Ok((Box::new(Guard::new(link)), offer))
}

/// Whether sockets are made with room for a window. `ipc-channel` lets nobody look at its own.
fn check_socket_room() -> Result<(), CreateError> {
    const SETTING: &str = "/proc/sys/net/core/wmem_default";
    // Where it cannot be read, as in a network namespace, it is that of the whole system.
    let room: Option<usize> = std::fs::read_to_string(SETTING).ok().and_then(|text| text.trim().parse().ok());
    match room {
        Some(bytes) if bytes < CHANNEL_SOCKET_BYTES_MIN => Err(CreateError::Exhausted {
            text: format!(
                "make a channel: net.core.wmem_default is {bytes} bytes, and {CHANNEL_SOCKET_BYTES_MIN} are needed"
            ),
        }),
        _ => Ok(()),
    }
}

/// The supervisor's end.
#[derive(Debug)]
struct ChannelSupervisor {
    connection: Connection,
    bell: Doorbell,
    worker: Doorbell,
    outbox: Batches,
    inbox: Inbox,
    flow: Flow,
    /// Messages were taken, and there may be more, for which nobody will ring again.
    may_have_more: bool,
    maker: Pid,
}

enum Connection {
    /// The worker has not said yet that it is there.
    Awaited {
        server: IpcOneShotServer<Bootstrap>,
        path: String,
        scratch: Scratch,
    },
    Open(Channels),
    /// It could not be accepted.
    Failed,
}

impl ChannelSupervisor {
    /// Takes the next message into the inbox, if it has frames. False: none is there.
    fn take_message(&mut self) -> Result<bool, LinkError> {
        let Connection::Open(channels) = &self.connection else { return Ok(false) };
        let Some(message) = channels.receive()? else {
            self.may_have_more = false;
            return Ok(false);
        };
        self.may_have_more = true;
        let Some(frames) = self.flow.receive(&message)? else { return Ok(true) };
        self.inbox.fill(|room| {
            room[..frames.len()].copy_from_slice(frames);
            Ok::<_, LinkError>(Some(frames.len()))
        })?;
        self.flow.taken();
        if let Some(acknowledgement) = self.flow.due_acknowledgement() {
            channels.send(&acknowledgement).or_else(closed_is_not_news)?;
            self.worker.ring()?;
        }
        Ok(true)
    }
}

/// That the worker has closed its receiving end is no reason to leave what it has sent: when that
/// is taken, the end is noticed there.
fn closed_is_not_news(error: LinkError) -> Result<(), LinkError> {
    match error {
        LinkError::Closed => Ok(()),
        error => Err(error),
    }
}

impl SupervisorLink for ChannelSupervisor {
    fn transport(&self) -> Transport {
        Transport::Channel
    }

    fn peer_opened(&mut self) -> io::Result<()> {
        let awaited = std::mem::replace(&mut self.connection, Connection::Failed);
        let Connection::Awaited { server, path, scratch } = awaited else {
            return Err(io::Error::other("accept a connection that was accepted before"));
        };
        let accepted = accept(server, path);
        drop(scratch);
        self.connection = Connection::Open(accepted.map_err(io::Error::other)?);
        self.flush().map_err(io::Error::other)?;
        Ok(())
    }

    fn frame_bytes_max(&self) -> usize {
        FRAME_BYTES_MAX
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        self.outbox.push(frame)
    }

    fn flush(&mut self) -> Result<bool, LinkError> {
        let Connection::Open(channels) = &self.connection else { return Ok(self.outbox.is_empty()) };
        let mut sent = false;
        while self.flow.may_send()
            && let Some(message) = self.outbox.first()
        {
            self.flow.stamp(message);
            channels.send(message)?;
            self.flow.sent();
            self.outbox.drop_first();
            sent = true;
        }
        if sent {
            self.worker.ring()?;
        }
        Ok(self.outbox.is_empty())
    }

    fn doorbell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    fn answer(&mut self) -> Result<(), LinkError> {
        self.bell.answer()?;
        Ok(())
    }

    fn receive(&mut self, frame: &mut Vec<u8>) -> Result<bool, LinkError> {
        for _ in 0..EMPTY_MESSAGES_MAX {
            let taken = self.inbox.take(frame).map_err(|BadLength(length)| {
                LinkError::Violation(format!("it announces a frame of {length} bytes"))
            })?;
            if taken {
                return Ok(true);
            }
            if !self.inbox.is_empty() {
                return Err(LinkError::Violation("it sent a torn record".to_owned()));
            }
            if !self.take_message()? {
                return Ok(false);
            }
        }
        Ok(false)
    }

    fn before_sleep(&mut self) -> Result<bool, LinkError> {
        Ok(self.inbox.has_record() || self.may_have_more)
    }
}

/// Takes the worker's connection and what it has sent over it.
///
/// The supervisor connects first itself, behind the worker: so there is always a connection to
/// accept, and a message on it to receive.
fn accept(server: IpcOneShotServer<Bootstrap>, path: String) -> Result<Channels, LinkError> {
    let own = prepared(|| IpcSender::<Bootstrap>::connect(path))?;
    prepared(|| Ok(own.send(None)))?.map_err(link_error)?;
    let (_connection, bootstrap) = contained(|| server.accept())?.map_err(link_error)?;
    match bootstrap {
        Some((sender, receiver)) => Ok(Channels { sender, receiver }),
        None => Err(LinkError::Violation("it says that it has connected, and has not".to_owned())),
    }
}

impl Drop for ChannelSupervisor {
    fn drop(&mut self) {
        let connection = std::mem::replace(&mut self.connection, Connection::Failed);
        if self.maker != own_pid() {
            // A forked child has a copy of this value, but its parent still needs the directory.
            std::mem::forget(connection);
            return;
        }
        // First the end, then the bell: the worker looks when it is woken.
        drop(connection);
        self.worker.ring().ok();
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Awaited { path, scratch, .. } => f
                .debug_struct("Awaited")
                .field("path", path)
                .field("scratch", scratch)
                .finish_non_exhaustive(),
            Self::Open(channels) => f.debug_tuple("Open").field(channels).finish(),
            Self::Failed => f.write_str("Failed"),
        }
    }
}
