//! `lock` and `semaphore`: a command that runs while something is held.
//!
//! The command inherits the connection, so that it is held for as long as the command lives, even if this process is
//! killed; a keeper has the other copy, so that a stopped one of this process holds nothing. Nothing here may shut that
//! connection down, which would take it from the command as well.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};

use tally_protocol::control::{Request, part};
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::locks::view::GrantView;
use tally_protocol::locks::{LockRequest, Patience};
use tally_protocol::spoken;
use tally_sys::clock;
use tally_sys::process::ExitStatus;

use super::Context;
use crate::command::{Command, Woken, code_of};
use crate::conversation::{Conversation, Heard, interrupted, interrupts_but_ignored, system};
use crate::keeper::Keeper;
use crate::meaning::{Holding, TOKEN};
use crate::place::Reach;
use crate::reconnect::{Absence, Back, WAIT_MS};
use crate::report;
use crate::show::waits;

pub(super) fn run(context: &mut Context<'_, '_>, reach: &Reach, holding: &Holding) -> Result<u8, Failure> {
    let client = reach.connect().map_err(needs_a_daemon)?;
    let mut talk = Conversation::new(client, None, interrupts_but_ignored()?)?;
    let grant = acquire(context, &mut talk, holding)?;
    for warning in &grant.warnings {
        context.terminal.note(&format!("tally: warning: {}\n", report::one_line(warning)));
    }
    let held = Held { what: waits::named(grant.kind, &grant.name), granted_ns: clock::monotonic_ns(), grant };
    let command = Command::start(&mut talk, &holding.command, &held.variables(), None)?;
    let status = match Keeper::start(talk.client(), command.child()) {
        Ok(keeper) => {
            // Not shut down: the keeper and the command have it.
            drop(talk);
            let news = keeper.news().try_clone().map_err(|why| system("watch the keeper", &why))?;
            let status = wait(context, command, &held, news, || keeper.has_lost_the_daemon())?;
            keeper.end();
            status
        }
        Err(_) => {
            let connection = talk.client().as_fd().try_clone_to_owned();
            let connection = connection.map_err(|why| system("watch the daemon", &why))?;
            wait(context, command, &held, connection, || true)?
        }
    };
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
            Ok(Heard::Reply(reply)) => match part(reply, "grant") {
                // The daemon that says so may have been asked for the rest of the time only.
                Err(failure) if failure.code == ErrorCode::TimedOut => {
                    return Err(in_all(failure, ask.patience, patience_ms));
                }
                granted => return granted,
            },
            Ok(Heard::Signal(signal)) => return Err(interrupted(signal, "")),
            Ok(Heard::Nothing) => continue,
            Err(failure) => report::about(&format!("take {what}"), failure),
        };
        if let Back::Signal(signal) = absence.outlast(talk, context.terminal, failure)? {
            return Err(interrupted(signal, ""));
        }
    }
}

/// A refusal for want of time, with the time that was given for all of it.
fn in_all(failure: Failure, asked: Patience, patience_ms: Option<u64>) -> Failure {
    const BEFORE: &str = "it was not free within ";
    let Some(all) = patience_ms.filter(|&all| asked != Patience::Ms(all)) else { return failure };
    let Some((front, rest)) = failure.message.split_once(BEFORE) else { return failure };
    let Some((_, back)) = rest.split_once(':') else { return failure };
    let message = format!("{front}{BEFORE}{}:{back}", spoken::time(all));
    Failure { message, ..failure }
}

/// What is held.
struct Held {
    /// As people call it.
    what: String,
    grant: GrantView,
    granted_ns: u64,
}

impl Held {
    /// What the command is told of it.
    fn variables(&self) -> Vec<(&'static str, OsString)> {
        let fence = self.grant.fence.to_string();
        let token = self.grant.token.map(|token| (TOKEN, OsString::from(token.to_string())));
        let name = OsString::from(&self.grant.name);
        [("TALLY_LOCK", name), ("TALLY_FENCE", OsString::from(fence))].into_iter().chain(token).collect()
    }

    /// When others may have it, though the command goes on.
    fn until_ns(&self) -> Option<u64> {
        self.grant.ttl_ms.map(|ms| self.granted_ns.saturating_add(ms.saturating_mul(1_000_000)))
    }
}

/// Waits for the command's end. `news` can be read when the daemon may have gone away, and `is_lost` says whether it has.
fn wait(
    context: &mut Context<'_, '_>,
    mut command: Command,
    held: &Held,
    news: OwnedFd,
    is_lost: impl Fn() -> bool,
) -> Result<ExitStatus, Failure> {
    command.watch(&news).map_err(|why| system("wait for the command", &why))?;
    let mut until_ns = held.until_ns();
    loop {
        match command.wait(until_ns)? {
            Woken::Ended(status) => return Ok(status),
            Woken::Other => {
                command.forget(&news);
                if is_lost() && until_ns.is_none_or(|until| clock::monotonic_ns() < until) {
                    lost(context, held, "the daemon went away");
                }
                until_ns = None;
            }
            Woken::Late => {
                lost(context, held, "its time to live is over");
                until_ns = None;
            }
        }
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
