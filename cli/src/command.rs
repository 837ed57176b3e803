//! A user's command that runs while this process holds something for it.
//!
//! It inherits the connection over which that is held, so that it is held for as long as the command lives, even if this
//! process is killed. Status and signals pass through; standard output is the command's alone.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use tally_protocol::error::{ErrorCode, Failure};
use tally_sys::poll::{Interest, Poll};
use tally_sys::process::{self, Child, ExitStatus};
use tally_sys::signal::{self, Signal, SignalStream};
use tally_sys::{clock, fd};

use crate::conversation::{Conversation, Heard, interrupted, system};
use crate::place::reason;

/// The command cannot be run, as a shell has it.
const CANNOT_RUN: u8 = 126;
/// There is no such command.
const NOT_FOUND: u8 = 127;

/// Signals that are passed on to the command. Those of the terminal reach it by themselves.
pub(crate) const PASSED_ON: [Signal; 6] =
    [Signal::Int, Signal::Term, Signal::Hup, Signal::Quit, Signal::Usr1, Signal::Usr2];

const CHILD: usize = 0;
const SIGNALS: usize = 1;
const OTHER: usize = 2;

/// A command that runs.
#[derive(Debug)]
pub(crate) struct Command {
    child: Child,
    signals: SignalStream,
    poll: Poll,
}

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// The command has ended.
    Ended(ExitStatus),
    /// There is something to read where [`Command::watch`] has it look.
    Other,
    /// The time is over.
    Late,
}

impl Command {
    /// Starts it with the connection open, with these variables and perhaps with another standard input.
    pub(crate) fn start(
        talk: &mut Conversation,
        words: &[OsString],
        variables: &[(&str, OsString)],
        stdin: Option<OwnedFd>,
    ) -> Result<Self, Failure> {
        // What this program ignores is not for the command to ignore.
        signal::restore_default(Signal::Xfsz).map_err(|why| system("reset a signal", &why))?;
        let signals = SignalStream::of_processes(&PASSED_ON).map_err(|why| system("catch signals", &why))?;
        // From here on signals go to the command; one that has come before ends it all.
        if let Heard::Signal(signal) = talk.hear(Some(0))? {
            return Err(interrupted(signal, ""));
        }
        fd::keep_on_exec(talk.client()).map_err(|why| system("pass the connection on", &why))?;
        let Some((program, arguments)) = words.split_first() else {
            return Err(Failure::new(ErrorCode::BadUsage, "could not run a command: there is none"));
        };
        let child = process::spawn_command(program, arguments, variables.iter().cloned(), stdin);
        let child = child.map_err(|why| not_run(&program.to_string_lossy(), &why))?;
        let watch = || {
            let poll = Poll::new()?;
            poll.watch(&child, CHILD, Interest::READ)?;
            poll.watch(&signals, SIGNALS, Interest::READ)?;
            Ok(poll)
        };
        let poll = watch().map_err(|why| system("wait for the command", &why))?;
        Ok(Self { child, signals, poll })
    }

    /// Its process.
    pub(crate) fn child(&self) -> &Child {
        &self.child
    }

    /// Has it look at one more thing while it waits.
    pub(crate) fn watch(&self, other: impl AsFd) -> io::Result<()> {
        self.poll.watch(other, OTHER, Interest::READ)
    }

    /// No more.
    pub(crate) fn forget(&self, other: impl AsFd) {
        drop(self.poll.forget(other));
    }

    /// Waits for its end, and passes on what this process is told meanwhile.
    pub(crate) fn wait(&mut self, until_ns: Option<u64>) -> Result<Woken, Failure> {
        let mut ready = Vec::new();
        loop {
            let left =
                until_ns.map(|until| Duration::from_nanos(until.saturating_sub(clock::monotonic_ns())));
            self.poll.wait(left, &mut ready).map_err(|why| system("wait for the command", &why))?;
            let is_ready = |key| ready.iter().any(|one| one.key == key);
            if is_ready(SIGNALS) {
                self.pass_on()?;
            }
            if is_ready(CHILD)
                && let Some(status) =
                    self.child.try_reap().map_err(|why| system("learn how the command ended", &why))?
            {
                return Ok(Woken::Ended(status));
            }
            if is_ready(OTHER) {
                return Ok(Woken::Other);
            }
            if until_ns.is_some_and(|until| clock::monotonic_ns() >= until) {
                return Ok(Woken::Late);
            }
        }
    }

    fn pass_on(&mut self) -> Result<(), Failure> {
        for signal in self.signals.pending().map_err(|why| system("read signals", &why))? {
            self.child.signal(signal).map_err(|why| system("pass a signal on", &why))?;
        }
        Ok(())
    }
}

/// The exit code of a shell.
pub(crate) fn code_of(status: ExitStatus) -> u8 {
    let code = match status {
        ExitStatus::Exited(code) => code,
        ExitStatus::Killed { signal, .. } => 128 + signal.raw(),
    };
    u8::try_from(code).unwrap_or(u8::MAX)
}

fn not_run(program: &str, why: &io::Error) -> Failure {
    let message = format!("could not run '{program}': {}", reason(why));
    let exit = if why.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { CANNOT_RUN };
    Failure { exit, ..Failure::new(ErrorCode::System, message) }
}
