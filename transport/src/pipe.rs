//! The transport `pipe`: one pipe for commands, one for results.
//!
//! A batch is never longer than PIPE_BUF, so the system takes it whole or not at all: a worker
//! killed in mid-send leaves no torn record, and a tail that is torn all the same is dropped.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use tally_sys::fd;

use crate::guard::Guard;
use crate::limits::{PIPE_READ_BYTES_MAX, PIPE_WRITE_BYTES_MAX};
use crate::packed::{Carrier, Incoming, PackedSupervisor, PackedWorker};
use crate::{CreateError, Offer, SupervisorLink, Transport, WorkerLink, take_fds};

/// One process's ends of the two pipes.
#[derive(Debug)]
struct Pipes {
    sender: OwnedFd,
    receiver: OwnedFd,
}

/// Makes the link.
pub(crate) fn create() -> Result<(Box<dyn SupervisorLink>, Offer), CreateError> {
    let pipe = || fd::pipe().map_err(CreateError::io("a pipe"));
    let (command_reader, command_writer) = pipe()?;
    let (result_reader, result_writer) = pipe()?;
    let ours = Pipes::new(command_writer, result_reader).map_err(CreateError::io("a pipe"))?;
    let offer = Offer { text: Transport::Pipe.name().into(), fds: vec![command_reader, result_writer] };
    Ok((Box::new(Guard::new(PackedSupervisor::new(ours))), offer))
}

/// Opens the worker's end.
pub(crate) fn open(fds: Vec<OwnedFd>, lifeline: OwnedFd) -> io::Result<Box<dyn WorkerLink>> {
    let [command_reader, result_writer] = take_fds(fds)?;
    Ok(Box::new(PackedWorker::new(Pipes::new(result_writer, command_reader)?, lifeline)))
}

impl Pipes {
    fn new(sender: OwnedFd, receiver: OwnedFd) -> io::Result<Self> {
        // Each end of a pipe has flags of its own, which nobody at the other end can change.
        fd::set_nonblocking(&sender, true)?;
        fd::set_nonblocking(&receiver, true)?;
        Ok(Self { sender, receiver })
    }
}

impl Carrier for Pipes {
    const TRANSPORT: Transport = Transport::Pipe;
    const BATCH_BYTES_MAX: usize = PIPE_WRITE_BYTES_MAX;
    const INBOX_BYTES: usize = PIPE_READ_BYTES_MAX;
    const KEEPS_BATCHES: bool = false;

    fn send(&self, batch: &[u8]) -> io::Result<bool> {
        match fd::write_some(&self.sender, batch)? {
            Some(count) if count == batch.len() => Ok(true),
            Some(count) => Err(io::Error::other(format!("{count} bytes of {} written", batch.len()))),
            None => Ok(false),
        }
    }

    fn receive(&self, room: &mut [u8]) -> io::Result<Incoming> {
        Ok(match fd::read_some(&self.receiver, room)? {
            Some(0) => Incoming::End,
            Some(count) => Incoming::Bytes(count),
            None => Incoming::Nothing,
        })
    }

    fn sender(&self) -> BorrowedFd<'_> {
        self.sender.as_fd()
    }

    fn receiver(&self) -> BorrowedFd<'_> {
        self.receiver.as_fd()
    }
}
