//! A small process that has the other copy of a command's connection.
//!
//! What is held is held until the last copy of the connection is closed. The command has one; but it may close what it
//! does not know, as `sudo` does, and who started it may be stopped, or killed, with a copy in hand. So the copy that
//! stands for "as long as the command lives" is this process's: it does nothing but wait for the command's end, is out of
//! reach of the terminal, and tells by one byte when the daemon has gone away.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use tally_sys::fd;
use tally_sys::poll::{Interest, Poll};
use tally_sys::process::{self, Child};

const COMMAND: usize = 0;
const CONNECTION: usize = 1;

/// The keeper of one connection.
#[derive(Debug)]
pub(crate) struct Keeper {
    child: Child,
    news: OwnedFd,
}

impl Keeper {
    /// Starts it. From now on the caller's copy of the connection may be closed.
    ///
    /// # Errors
    /// When no process can be made: then the caller keeps its copy.
    pub(crate) fn start(connection: impl AsFd, command: &Child) -> io::Result<Self> {
        let (news, tell) = fd::pipe()?;
        let (connection, command) = (connection.as_fd(), command.as_fd());
        let child = process::fork_child(&[connection, command, tell.as_fd()], || {
            u8::from(keep(connection, command, tell.as_fd()).is_err())
        })?;
        drop(tell);
        Ok(Self { child, news })
    }

    /// What becomes readable when the daemon has gone away, or the keeper has.
    pub(crate) fn news(&self) -> &OwnedFd {
        &self.news
    }

    /// Whether the daemon has gone away.
    pub(crate) fn has_lost_the_daemon(&self) -> bool {
        matches!(fd::read_some(&self.news, &mut [0]), Ok(Some(1)))
    }

    /// Waits for its end, so that what was held is free when the caller is done: it ends with the command.
    pub(crate) fn end(mut self) {
        drop(self.child.reap());
    }
}

fn keep(connection: BorrowedFd<'_>, command: BorrowedFd<'_>, tell: BorrowedFd<'_>) -> io::Result<()> {
    process::set_name(c"tally-keeper")?;
    process::become_group_leader()?;
    let mut poll = Poll::new()?;
    poll.watch(command, COMMAND, Interest::READ)?;
    poll.watch(connection, CONNECTION, Interest::READ)?;
    let mut ready = Vec::new();
    loop {
        poll.wait(None, &mut ready)?;
        if ready.iter().any(|one| one.key == COMMAND) {
            return Ok(());
        }
        if ready.iter().any(|one| one.key == CONNECTION) {
            // It has nothing to say: this is the end of it.
            fd::write_some(tell, &[1])?;
            return Ok(());
        }
    }
}
