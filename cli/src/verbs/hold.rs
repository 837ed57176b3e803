//! `lock` and `semaphore`: a command that runs while something is held.
//!
//! The command inherits the connection, so that it is held for as long as the command lives, even if this process is
//! killed; nothing here may shut that connection down, which would take it from the command as well. Status and signals
//! pass through; standard input and output are the command's alone.

use std::ffi::OsString;
use std::io;
use std::time::Duration;

use tally_protocol::control::{Request, part};
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::locks::view::GrantView;
use tally_protocol::locks::{LockRequest, Patience};
use tally_sys::poll::{Interest, Poll};
use tally_sys::process::{self, Child, ExitStatus};
use tally_sys::signal::{self, Signal, SignalStream};
use tally_sys::{clock, fd};

use super::Context;
use crate::conversation::{Conversation, Heard, interrupted, interrupts_but_ignored, system};
use crate::meaning::{Holding, TOKEN};
use crate::place::{Reach, reason};
use crate::reconnect::{Absence, Back, WAIT_MS};
use crate::report;
use crate::show::waits;

/// The command cannot be run, as a shell has it.
const CANNOT_RUN: u8 = 126;
/// There is no such command.
const NOT_FOUND: u8 = 127;

/// Signals that are passed on to the command. Those of the terminal reach it by themselves.
const PASSED_ON: [Signal; 6] =
    [Signal::Int, Signal::Term, Signal::Hup, Signal::Quit, Signal::Usr1, Signal::Usr2];

const CHILD: usize = 0;
const SIGNALS: usize = 1;
const DAEMON: usize = 2;

pub(super) fn run(context: &mut Context<'_, '_>, reach: &Reach, holding: &Holding) -> Result<u8, Failure> {
    let client = reach.connect().map_err(needs_a_daemon)?;
    let mut talk = Conversation::new(client, None, interrupts_but_ignored()?)?;
    let grant = acquire(context, &mut talk, holding)?;
    for warning in &grant.warnings {
        context.terminal.note(&format!("tally: warning: {}\n", report::one_line(warning)));
    }
    let held = Held { what: waits::named(grant.kind, &grant.name), granted_ns: clock::monotonic_ns(), grant };
    let mut run = held.start(&mut talk, holding)?;
    let status = run.wait(context, &held, &mut talk)?;
    // Not shut down: what the command has left running may still have it.
    drop(talk);
    Ok(code_of(status))
}

fn needs_a_daemon(failure: Failure) -> Failure {
    if failure.code == ErrorCode::NoDaemon {
        failure.hint("a lock is kept by a daemon: start one with 'tally daemon'")
    } else {
        failure
    }
}

/// Asks, and waits. A daemon that goes away meanwhile has granted nothing that counts, so the next one is asked.
fn acquire(
    context: &mut Context<'_, '_>,
    talk: &mut Conversation,
    holding: &Holding,
) -> Result<GrantView, Failure> {
    let begun = clock::monotonic_ns();
    let mut ask = holding.acquire.clone();
    let what = waits::named(ask.want.kind(), &ask.name);
    let patience_ms = match ask.patience {
        Patience::None => Some(0),
        Patience::Ms(ms) => Some(ms),
        Patience::Endless => None,
    };
    let wait_ms = context.style.reconnect_ms.unwrap_or(WAIT_MS).min(patience_ms.unwrap_or(u64::MAX));
    let mut absence = Absence::new(talk, Some(wait_ms));
    // Whoever refuses because it stops is about to be followed by another one.
    absence.over();
    loop {
        if let Some(ms) = patience_ms.filter(|&ms| ms > 0) {
            let left = ms.saturating_sub(clock::monotonic_ns().saturating_sub(begun) / 1_000_000);
            ask.patience = Patience::Ms(left.max(1));
        }
        let request = Request::Lock(LockRequest::Acquire(Box::new(ask.clone())));
        let heard = talk.ask(&request, false).and_then(|()| talk.hear(None));
        let failure = match heard {
            Ok(Heard::Reply(reply)) => return part(reply, "grant"),
            Ok(Heard::Signal(signal)) => return Err(interrupted(signal, "")),
            Ok(Heard::Nothing) => continue,
            Err(failure) => report::about(&format!("take {what}"), failure),
        };
        if let Back::Signal(signal) = absence.outlast(talk, context.terminal, failure)? {
            return Err(interrupted(signal, ""));
        }
    }
}

/// What is held.
struct Held {
    /// As people call it.
    what: String,
    grant: GrantView,
    granted_ns: u64,
}

impl Held {
    /// Starts the command with the connection open.
    fn start(&self, talk: &mut Conversation, holding: &Holding) -> Result<Run, Failure> {
        // What this program ignores is not for the command to ignore.
        signal::restore_default(Signal::Xfsz).map_err(|why| system("reset a signal", &why))?;
        let signals = SignalStream::of_processes(&PASSED_ON).map_err(|why| system("catch signals", &why))?;
        // From here on signals go to the command; one that has come before ends it all.
        if let Heard::Signal(signal) = talk.hear(Some(0))? {
            return Err(interrupted(signal, ""));
        }
        fd::keep_on_exec(talk.client()).map_err(|why| system("pass the connection on", &why))?;
        let fence = self.grant.fence.to_string();
        let token = self.grant.token.map(|token| (TOKEN, OsString::from(token.to_string())));
        let variables =
            [("TALLY_LOCK", OsString::from(&self.grant.name)), ("TALLY_FENCE", OsString::from(fence))];
        let Some((program, arguments)) = holding.command.split_first() else {
            return Err(Failure::new(ErrorCode::BadUsage, "could not run a command: there is none"));
        };
        let child = process::spawn_command(program, arguments, variables.into_iter().chain(token));
        let child = child.map_err(|why| not_run(&program.to_string_lossy(), &why))?;
        let mut watch = || {
            let poll = Poll::new()?;
            poll.watch(&child, CHILD, Interest::READ)?;
            poll.watch(&signals, SIGNALS, Interest::READ)?;
            poll.watch(&*talk.client(), DAEMON, Interest::READ)?;
            Ok(poll)
        };
        let poll = watch().map_err(|why| system("wait for the command", &why))?;
        Ok(Run { child, signals, poll })
    }

    /// When others may have it, though the command goes on.
    fn until_ns(&self) -> Option<u64> {
        self.grant.ttl_ms.map(|ms| self.granted_ns.saturating_add(ms.saturating_mul(1_000_000)))
    }
}

/// A command that runs.
struct Run {
    child: Child,
    signals: SignalStream,
    poll: Poll,
}

impl Run {
    fn wait(
        &mut self,
        context: &mut Context<'_, '_>,
        held: &Held,
        talk: &mut Conversation,
    ) -> Result<ExitStatus, Failure> {
        let mut ready = Vec::new();
        let mut until_ns = held.until_ns();
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
                return Ok(status);
            }
            if is_ready(DAEMON) {
                // It has nothing to say: this is the end of it.
                drop(self.poll.forget(&*talk.client()));
                if until_ns.is_none_or(|until| clock::monotonic_ns() < until) {
                    lost(context, held, "the daemon went away");
                }
                until_ns = None;
            } else if until_ns.is_some_and(|until| clock::monotonic_ns() >= until) {
                lost(context, held, "its time to live is over");
                until_ns = None;
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

/// Others may hold it now. Not a note: whoever is quiet still needs to know.
fn lost(context: &mut Context<'_, '_>, held: &Held, why: &str) {
    let Held { what, grant, .. } = held;
    let line =
        format!("tally: {what} is held no more: {why}; the command goes on with fence {}\n", grant.fence);
    context.terminal.error(&report::one_line(line.trim_end()));
    context.terminal.error("\n");
}

/// The exit code of a shell.
fn code_of(status: ExitStatus) -> u8 {
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
