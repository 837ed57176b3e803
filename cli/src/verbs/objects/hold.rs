//! `queue NAME get --hold -- CMD` and `--each`: an item that a command works on.
//!
//! The item is leased to this connection, which the command inherits: when this process is killed the item stays with
//! the command until that ends, and then comes back, as nobody has acknowledged it. So no two commands ever have one item
//! at once, and none is lost.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::objects::{Datum, ObjectResult, Operation, QueueVerb, Verb};
use tally_sys::fd;
use tally_sys::process::ExitStatus;

use super::super::{Context, talk_to};
use super::{operate, receipt};
use crate::command::{Command, Woken, code_of};
use crate::conversation::{Conversation, system};
use crate::place::Reach;
use crate::report;

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
        match operate(context, &mut talk, Operation::new(&operation.object, Verb::Queue(verb))) {
            // The next item comes from the next daemon.
            Err(failure) if each && code == 0 && is_gone(&failure) => {
                not_acknowledged(context, &operation.object, &failure);
            }
            told => drop(told?),
        }
        if code != 0 || !each {
            return Ok(code);
        }
    }
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

/// Runs the command on an item.
fn work(talk: &mut Conversation, words: &[OsString], item: &ObjectResult) -> Result<ExitStatus, Failure> {
    let bytes = match &item.value {
        Some(Datum::Bytes(bytes)) => bytes.clone(),
        Some(other) => other.to_string().into_bytes(),
        None => Vec::new(),
    };
    let words: Vec<OsString> = words.iter().map(|word| replaced(word, &bytes)).collect();
    let receipt = item.receipt.clone().unwrap_or_default();
    let deliveries = item.deliveries.unwrap_or(0).to_string();
    let variables = [("TALLY_RECEIPT", receipt.into()), ("TALLY_DELIVERY", deliveries.into())];
    let (reader, writer) = fd::pipe().map_err(|why| system("make a pipe", &why))?;
    let mut command = Command::start(talk, &words, &variables, Some(reader))?;
    // A command need not read it, and may read it late.
    let status = std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut stdin = File::from(writer);
            drop(stdin.write_all(&bytes).and_then(|()| stdin.write_all(b"\n")));
        });
        loop {
            if let Woken::Ended(status) = command.wait(None)? {
                return Ok(status);
            }
        }
    });
    // What came meanwhile was the command's.
    talk.pending_signals()?;
    status
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
