//! `queue NAME get --hold -- CMD` and `--each`: an item that a command works on.
//!
//! The command is the child of a keeper, a process of its own that waits for its end and then acknowledges the item or
//! gives it back: so that is done, once, also when this process is stopped or killed meanwhile. The item is leased to the
//! connection, which all three have: when the keeper is killed as well, it stays with the command until that ends, and then
//! comes back. So no two commands ever have one item at once, and none is lost.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::objects::{Datum, ObjectResult, Operation, QueueVerb, Verb};
use tally_sys::poll::{Interest, Poll};
use tally_sys::process::{self, Child, ExitStatus};
use tally_sys::signal::SignalStream;
use tally_sys::{clock, fd};

use super::super::{Context, talk_to};
use super::{operate, receipt};
use crate::command::{Command, PASSED_ON, Woken, code_of};
use crate::conversation::{Conversation, Heard, interrupted, system};
use crate::place::Reach;
use crate::reconnect::WAIT_MS;
use crate::report;

/// The longest item that is put into an argument: the system takes no longer ones.
const ARGUMENT_BYTES_MAX: usize = 120 << 10;
/// Pause before a daemon that another program is about to replace is told again.
const PAUSE_MS: u64 = 20;
/// What a keeper says when the command has ended.
const ENDED: u8 = b'e';

const NEWS: usize = 0;
const PASSED: usize = 1;
const INTERRUPTS: usize = 2;

/// Who works on items, and of which queue.
struct Work<'a> {
    queue: &'a str,
    command: &'a [OsString],
}

/// How a command ended, and whether the queue could be told.
type Worked = (u8, Result<(), Failure>);

pub(super) fn run(
    context: &mut Context<'_, '_>,
    reach: &Reach,
    operation: &Operation,
    command: &[OsString],
    each: bool,
) -> Result<u8, Failure> {
    let mut talk = talk_to(reach.connect()?)?;
    let work = Work { queue: &operation.object, command };
    loop {
        let item = match operate(context, &mut talk, operation.clone()) {
            // The end of all items is what 'each' waits for.
            Err(failure) if each && failure.code == ErrorCode::Closed => return Ok(0),
            item => item?,
        };
        let (code, told) = work.on(context, &mut talk, &item)?;
        match told {
            // The next item comes from the next daemon.
            Err(failure) if each && code == 0 && is_gone(&failure) => {
                not_acknowledged(context, work.queue, &failure);
            }
            told => told?,
        }
        if code != 0 || !each {
            return Ok(code);
        }
    }
}

impl Work<'_> {
    /// Has a keeper run the command on an item, passes signals on to it, and waits for both.
    fn on(
        &self,
        context: &mut Context<'_, '_>,
        talk: &mut Conversation,
        item: &ObjectResult,
    ) -> Result<Worked, Failure> {
        let passed = SignalStream::of_processes(&PASSED_ON).map_err(|why| system("catch signals", &why))?;
        // From here on signals go to the command; one that has come before ends it all.
        if let Heard::Signal(signal) = talk.hear(Some(0))? {
            return Err(interrupted(signal, ""));
        }
        let (news, tell) = fd::pipe().map_err(|why| system("make a pipe", &why))?;
        let mut passed = Some(passed);
        let keeper = process::fork_twin(|| {
            drop(passed.take());
            let worked = talk.make_own().map_err(|why| system("keep the connection", &why));
            let worked = worked.and_then(|()| self.attend(context, talk, item, &tell));
            u8::from(report(&tell, worked).is_err())
        });
        let mut keeper = keeper.map_err(|why| system("start a keeper for the command", &why))?;
        drop(tell);
        let Some(mut passed) = passed else { return Err(lost(&keeper, None)) };
        let said = await_report(&keeper, &news, &mut passed, talk)?;
        let end = keeper.reap().map_err(|why| system("learn how the keeper ended", &why))?;
        // What came meanwhile was the command's.
        talk.pending_signals()?;
        match serde_json::from_slice(&said) {
            Ok((Some(code), told)) => Ok((code, Option::<Failure>::map_or(told, Ok(()), Err))),
            Ok((None, Some(failure))) => Err(failure),
            Ok((None, None)) | Err(_) => Err(lost(&keeper, Some(end))),
        }
    }

    /// A keeper's life: runs the command, then tells the queue.
    fn attend(
        &self,
        context: &mut Context<'_, '_>,
        talk: &mut Conversation,
        item: &ObjectResult,
        tell: &OwnedFd,
    ) -> Result<Worked, Failure> {
        // A name for those who look; one that is refused changes nothing.
        drop(process::set_name(c"tally-keeper"));
        let code = code_of(self.work(talk, item)?);
        drop(fd::write_some(tell, &[ENDED]));
        let Some(receipt) = receipt(item) else { return Ok((code, Ok(()))) };
        let verb = if code == 0 { QueueVerb::Acknowledge(receipt) } else { QueueVerb::Return(receipt) };
        let operation = Operation::new(self.queue, Verb::Queue(verb));
        let until = context.style.reconnect_ms.unwrap_or(WAIT_MS).saturating_mul(1_000_000);
        let until = clock::monotonic_ns().saturating_add(until);
        loop {
            match operate(context, talk, operation.clone()) {
                // When another program takes its place, that has this connection, and the item is leased to it still.
                Err(failure) if failure.code == ErrorCode::Stopping && clock::monotonic_ns() < until => {
                    talk.pause(clock::monotonic_ns().saturating_add(PAUSE_MS * 1_000_000))?;
                }
                told => return Ok((code, told.map(drop))),
            }
        }
    }

    /// Runs the command on an item.
    fn work(&self, talk: &mut Conversation, item: &ObjectResult) -> Result<ExitStatus, Failure> {
        let bytes = match &item.value {
            Some(Datum::Bytes(bytes)) => bytes.clone(),
            Some(other) => other.to_string().into_bytes(),
            None => Vec::new(),
        };
        let words: Vec<OsString> = self.command.iter().map(|word| replaced(word, &bytes)).collect();
        let receipt = item.receipt.clone().unwrap_or_default();
        let deliveries = item.deliveries.unwrap_or(0).to_string();
        let variables = [("TALLY_RECEIPT", receipt.into()), ("TALLY_DELIVERY", deliveries.into())];
        let (reader, writer) = fd::pipe().map_err(|why| system("make a pipe", &why))?;
        let mut command = Command::start(talk, &words, &variables, Some(reader))?;
        // The command is in the group of the terminal now, and has its signals; this process is out of their reach.
        process::become_group_leader().map_err(|why| system("leave the terminal", &why))?;
        // A command need not read it, and may read it late.
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut stdin = File::from(writer);
                drop(stdin.write_all(&bytes).and_then(|()| stdin.write_all(b"\n")));
            });
            loop {
                if let Woken::Ended(status) = command.wait(None)? {
                    return Ok(status);
                }
            }
        })
    }
}

/// A keeper's last words.
fn report(tell: &OwnedFd, worked: Result<Worked, Failure>) -> std::io::Result<()> {
    let words = match worked {
        Ok((code, told)) => (Some(code), told.err()),
        Err(failure) => (None, Some(failure)),
    };
    File::from(tell.try_clone()?).write_all(&serde_json::to_vec(&words)?)
}

/// Waits for a keeper's last words. While the command runs signals are the command's; then they end the wait.
fn await_report(
    keeper: &Child,
    news: &OwnedFd,
    passed: &mut SignalStream,
    talk: &mut Conversation,
) -> Result<Vec<u8>, Failure> {
    let wait = |why: std::io::Error| system("wait for the command", &why);
    let mut poll = Poll::new().map_err(wait)?;
    poll.watch(news, NEWS, Interest::READ).map_err(wait)?;
    poll.watch(&*passed, PASSED, Interest::READ).map_err(wait)?;
    let (mut said, mut has_ended, mut ready) = (Vec::new(), false, Vec::new());
    loop {
        poll.wait(None, &mut ready).map_err(wait)?;
        let is_ready = |key| ready.iter().any(|one| one.key == key);
        if is_ready(PASSED) {
            for signal in passed.pending().map_err(wait)? {
                keeper.signal(signal).map_err(|why| system("pass a signal on", &why))?;
            }
        }
        if is_ready(INTERRUPTS)
            && let Some(&signal) = talk.pending_signals()?.first()
        {
            return Err(interrupted(signal, ""));
        }
        if !is_ready(NEWS) {
            continue;
        }
        let mut piece = [0; 4096];
        match fd::read_some(news, &mut piece).map_err(wait)? {
            Some(0) => return Ok(said),
            Some(count) => said.extend_from_slice(&piece[..count]),
            None => {}
        }
        if !has_ended && said.first() == Some(&ENDED) {
            has_ended = true;
            said.remove(0);
            talk.pending_signals()?;
            poll.watch(talk.signals(), INTERRUPTS, Interest::READ).map_err(wait)?;
        }
    }
}

/// A keeper that ended without a word: what becomes of the item.
fn lost(keeper: &Child, end: Option<ExitStatus>) -> Failure {
    if let Some(ExitStatus::Killed { signal, .. }) = end
        && PASSED_ON.contains(&signal)
    {
        // It was to be passed on before there was a command.
        return interrupted(signal, "");
    }
    let how = match end {
        Some(end @ ExitStatus::Exited(_)) => format!(": it {end}"),
        Some(end @ ExitStatus::Killed { .. }) => format!(": it was {end}"),
        None => String::new(),
    };
    let message =
        format!("could not learn how the command ended from its keeper, process {}{how}", keeper.pid());
    Failure::new(ErrorCode::System, message).hint("the item comes back when the command has ended")
}

/// Whether the daemon that delivered an item is there no more.
fn is_gone(failure: &Failure) -> bool {
    matches!(failure.code, ErrorCode::SupervisorGone | ErrorCode::Stopping)
}

/// Says that an item may come again.
fn not_acknowledged(context: &mut Context<'_, '_>, name: &str, failure: &Failure) {
    let line = format!(
        "tally: could not acknowledge an item of queue {name}: {}; it may come again",
        failure.message
    );
    context.terminal.error(&report::one_line(&line));
    context.terminal.error("\n");
}

/// An argument with the item in the place of each `{}`.
fn replaced(word: &OsStr, item: &[u8]) -> OsString {
    if item.len() > ARGUMENT_BYTES_MAX || item.contains(&0) {
        return word.to_owned();
    }
    let mut rest = word.as_bytes();
    let mut whole = Vec::with_capacity(rest.len() + item.len());
    while let Some(at) = rest.windows(2).position(|pair| pair == b"{}") {
        whole.extend_from_slice(&rest[..at]);
        whole.extend_from_slice(item);
        rest = &rest[at + 2..];
    }
    whole.extend_from_slice(rest);
    OsString::from_vec(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_stands_in_the_place_of_braces() {
        let word = |text: &str| OsString::from(text);
        assert_eq!(replaced(&word("{}"), b"item"), word("item"));
        assert_eq!(replaced(&word("--in={}.txt"), b"a b"), word("--in=a b.txt"));
        assert_eq!(replaced(&word("none"), b"item"), word("none"));
        assert_eq!(
            replaced(&word("a{}b{}{}"), b"{}"),
            word("a{}b{}{}"),
            "what stands in an item is not looked at"
        );
        assert_eq!(replaced(&word("echo {}; test {} != y"), b"y"), word("echo y; test y != y"));
        assert_eq!(replaced(&word("{}"), b"\0"), word("{}"), "no argument can hold that");
    }
}
