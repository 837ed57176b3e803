//! The transport `mqueue`: one POSIX message queue for commands, one for results.
//!
//! The system bounds the queues of a user by their total size, so these are small and hold small
//! messages; several frames share one. When the bound is reached, [`create`] says which it is, and
//! the supervisor can take another transport.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use tally_sys::mqueue::{self, QueueReceiver, QueueSender};
use tally_sys::reason::reason;

use crate::guard::Guard;
use crate::limits::{QUEUE_MESSAGE_BYTES_MAX, QUEUE_MESSAGES_MAX};
use crate::packed::{Carrier, Incoming, PackedSupervisor, PackedWorker};
use crate::{CreateError, Offer, SupervisorLink, Transport, WorkerLink, name, take_fds};

/// One process's ends of the two queues.
#[derive(Debug)]
struct Queues {
    sender: QueueSender,
    receiver: QueueReceiver,
}

/// Makes the link.
pub(crate) fn create(tag: &str) -> Result<(Box<dyn SupervisorLink>, Offer), CreateError> {
    let name = name::own(tag).map_err(CreateError::io("the name of a message queue"))?;
    let queue = |which: &str| {
        mqueue::create(&format!("/{name}-{which}"), QUEUE_MESSAGES_MAX, QUEUE_MESSAGE_BYTES_MAX)
            .map_err(create_error)
    };
    let (sender, command_receiver) = queue("commands")?;
    let (result_sender, receiver) = queue("results")?;
    let offer = Offer {
        text: Transport::Mqueue.name().into(),
        fds: vec![command_receiver.into(), result_sender.into()],
    };
    Ok((Box::new(Guard::new(PackedSupervisor::new(Queues { sender, receiver }))), offer))
}

/// Opens the worker's end.
pub(crate) fn open(fds: Vec<OwnedFd>, lifeline: OwnedFd) -> io::Result<Box<dyn WorkerLink>> {
    let [command_receiver, result_sender] = take_fds(fds)?;
    let queues = Queues {
        sender: QueueSender::from_fd(result_sender)?,
        receiver: QueueReceiver::from_fd(command_receiver)?,
    };
    Ok(Box::new(PackedWorker::new(queues, lifeline)))
}

fn create_error(error: io::Error) -> CreateError {
    if mqueue::is_exhausted(&error) {
        let text = format!(
            "make one more message queue: {}; the limits are RLIMIT_MSGQUEUE, the bytes of all queues of a \
             user (`ulimit -q`, `LimitMSGQUEUE=` of a unit), and fs.mqueue.queues_max, their number",
            reason(&error)
        );
        return CreateError::Exhausted { text };
    }
    if error.kind() == io::ErrorKind::InvalidInput {
        let text = format!(
            "make a message queue of {QUEUE_MESSAGES_MAX} messages of {QUEUE_MESSAGE_BYTES_MAX} bytes: {}; \
             the limits are fs.mqueue.msg_max and fs.mqueue.msgsize_max",
            reason(&error)
        );
        return CreateError::Exhausted { text };
    }
    if error.kind() == io::ErrorKind::Unsupported {
        return CreateError::Unsupported(Transport::Mqueue);
    }
    CreateError::Io { what: "a message queue", error }
}

impl Carrier for Queues {
    const TRANSPORT: Transport = Transport::Mqueue;
    const BATCH_BYTES_MAX: usize = QUEUE_MESSAGE_BYTES_MAX as usize;
    const INBOX_BYTES: usize = QUEUE_MESSAGE_BYTES_MAX as usize;
    const KEEPS_BATCHES: bool = true;

    fn send(&self, batch: &[u8]) -> io::Result<bool> {
        self.sender.send(batch)
    }

    fn receive(&self, room: &mut [u8]) -> io::Result<Incoming> {
        Ok(self.receiver.receive(room)?.map_or(Incoming::Nothing, Incoming::Bytes))
    }

    fn sender(&self) -> BorrowedFd<'_> {
        self.sender.as_fd()
    }

    fn receiver(&self) -> BorrowedFd<'_> {
        self.receiver.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_told_from_a_failure() {
        for (errno, limit) in [(24, "RLIMIT_MSGQUEUE"), (28, "queues_max"), (22, "msg_max")] {
            match create_error(io::Error::from_raw_os_error(errno)) {
                CreateError::Exhausted { text } => assert!(text.contains(limit), "{text}"),
                other => panic!("{other:?}"),
            }
        }
        assert!(matches!(create_error(io::Error::from_raw_os_error(13)), CreateError::Io { .. }));
        assert!(matches!(create_error(io::Error::from_raw_os_error(38)), CreateError::Unsupported(_)));
    }
}
