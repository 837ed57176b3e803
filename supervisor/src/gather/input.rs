//! A daemon that lives by its standard input: whoever started it holds the other end, and its end is the daemon's.
//!
//! That works for every death of the starter, SIGKILL included, and from any of its threads. Nothing is read: a hang-up
//! is told all the same.

use std::io;

use tally_machine::Event;
use tally_sys::poll::{Interest, Poll};

use crate::token::Token;
use crate::turn::Supervisor;

/// Refuses what has no end to wait for, before there is anything to take down again.
pub(crate) fn check() -> io::Result<()> {
    watch(&mut Poll::new()?)
}

fn watch(poll: &mut Poll) -> io::Result<()> {
    poll.watch(io::stdin(), Token::Input.key(), Interest::NONE).map_err(|why| {
        let what = "standard input has no end to wait for: it must be a pipe, a socket or a terminal";
        io::Error::new(io::ErrorKind::InvalidInput, format!("{what} ({why})"))
    })
}

impl Supervisor {
    /// From now on the end of standard input is a request to stop at once.
    pub(crate) fn live_by_input(&mut self) -> io::Result<()> {
        watch(&mut self.poll)
    }

    /// Nobody holds the other end any more.
    pub(crate) fn gather_input(&mut self) {
        tracing::info!("the end of standard input: stopping at once");
        if let Err(why) = self.poll.forget(io::stdin()) {
            tracing::error!("could not stop watching standard input: {why}");
        }
        self.no_successor();
        self.feed(Event::StopNow);
    }
}
