//! `queue NAME get --hold -- CMD` and `--each`: an item that a command works on.
//!
//! The item is leased to this connection, which the command inherits: when this process is killed the item stays with
//! the command until that ends, and then comes back, as nobody has acknowledged it. So no two commands ever have one item
//! at once, and none is lost.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::process::{Command, Stdio};

use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::objects::{Datum, ObjectResult, Operation, QueueVerb, Verb};
use tally_sys::fd;
use tally_sys::poll::{Interest, Poll};
use tally_sys::process::{Child, ExitStatus, Pid};
use tally_sys::signal::Signal;

use super::super::{Context, talk_to};
use super::{operate, receipt};
use crate::conversation::{Conversation, Heard, interrupted};
use crate::place::{Reach, reason};

/// The longest item that is put into an argument: the system takes no longer ones.
const ARGUMENT_BYTES_MAX: usize = 120 << 10;

pub(super) fn run(
    context: &mut Context<'_, '_>,
    reach: &Reach,
    operation: &Operation,
    command: &[OsString],
    each: bool,
) -> Result<u8, Failure> {
    let mut talk = talk_to(reach.connect()?)?;
    loop {
        let item = match operate(context, &mut talk, operation.clone()) {
            // The end of all items is what 'each' waits for.
            Err(failure) if each && failure.code == ErrorCode::Closed => return Ok(0),
            item => item?,
        };
        let status = work(&mut talk, command, &item)?;
        let code = code_of(status);
        let Some(receipt) = receipt(&item) else { return Ok(code) };
        let verb = if code == 0 { QueueVerb::Acknowledge(receipt) } else { QueueVerb::Return(receipt) };
        operate(context, &mut talk, Operation::new(&operation.object, Verb::Queue(verb)))?;
        if code != 0 || !each {
            return Ok(code);
        }
    }
}

/// Runs the command on an item.
fn work(talk: &mut Conversation, command: &[OsString], item: &ObjectResult) -> Result<ExitStatus, Failure> {
    let bytes = match &item.value {
        Some(Datum::Bytes(bytes)) => bytes.clone(),
        Some(other) => other.to_string().into_bytes(),
        None => Vec::new(),
    };
    // One that came before goes to nobody: the item comes back when this process has ended.
    if let Heard::Signal(signal) = talk.hear(Some(0))? {
        return Err(interrupted(signal, ""));
    }
    fd::keep_on_exec(talk.client()).map_err(|why| system("pass the connection on", &why))?;
    let arguments: Vec<OsString> = command.iter().map(|word| replaced(word, &bytes)).collect();
    let Some((program, arguments)) = arguments.split_first() else {
        return Err(Failure::new(ErrorCode::BadUsage, "could not run a command: there is none"));
    };
    let receipt = item.receipt.clone().unwrap_or_default();
    let deliveries = item.deliveries.unwrap_or(0).to_string();
    let variables = [("TALLY_RECEIPT", receipt), ("TALLY_DELIVERY", deliveries)];
    let child = Command::new(program).args(arguments).envs(variables).stdin(Stdio::piped()).spawn();
    let mut child = child.map_err(|why| not_run(program, &why))?;
    let stdin = child.stdin.take();
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let mut child = pid
        .ok_or_else(|| io::Error::other("its number is none"))
        .and_then(Child::adopt)
        .map_err(|why| system("watch the command", &why))?;
    // A command need not read it, and may read it late.
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if let Some(mut stdin) = stdin {
                drop(stdin.write_all(&bytes).and_then(|()| stdin.write_all(b"\n")));
            }
        });
        until_it_ends(talk, &mut child)
    })
}

/// Waits for the command's end, and passes on what this process is told meanwhile.
fn until_it_ends(talk: &mut Conversation, child: &mut Child) -> Result<ExitStatus, Failure> {
    const CHILD: usize = 0;
    const SIGNALS: usize = 1;
    let poll = || -> io::Result<Poll> {
        let poll = Poll::new()?;
        poll.watch(&*child, CHILD, Interest::READ)?;
        poll.watch(talk.signals(), SIGNALS, Interest::READ)?;
        Ok(poll)
    };
    let mut poll = poll().map_err(|why| system("wait for the command", &why))?;
    let mut ready = Vec::new();
    loop {
        if let Some(status) = child.try_reap().map_err(|why| system("wait for the command", &why))? {
            return Ok(status);
        }
        poll.wait(None, &mut ready).map_err(|why| system("wait for the command", &why))?;
        for signal in talk.pending_signals()? {
            // The keyboard's reaches the command by itself.
            if signal != Signal::Int {
                drop(child.signal(signal));
            }
        }
    }
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

fn code_of(status: ExitStatus) -> u8 {
    let code = match status {
        ExitStatus::Exited(code) => code,
        ExitStatus::Killed { signal, .. } => 128 + signal.raw(),
    };
    u8::try_from(code).unwrap_or(1)
}

fn not_run(program: &OsStr, why: &io::Error) -> Failure {
    let exit = if why.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
    let message = format!("could not run {}: {}", program.to_string_lossy(), reason(why));
    Failure { exit, ..Failure::new(ErrorCode::System, message) }
}

fn system(what: &str, why: &io::Error) -> Failure {
    Failure::new(ErrorCode::System, format!("could not {what}: {}", reason(why)))
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
