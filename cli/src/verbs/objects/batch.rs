//! `objects batch`: an operation a line, many under way at once, or all of them as one transaction.
//!
//! A line that means nothing or whose operation fails, fails alone: the others are done, and the end tells how many were
//! not. When the daemon goes away it ends, with how many were done for sure.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use tally_protocol::control::{Request, part};
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::limits;
use tally_protocol::objects::{ObjectRequest, ObjectResult, Operation};

use super::super::{Context, answer_to, talk_to};
use super::fill::{LINES_MAX, Lines};
use super::show;
use crate::conversation::{Conversation, Heard, interrupted};
use crate::exit_code;
use crate::meaning::objects::{Shown, line as meaning_of};
use crate::place::{Reach, reason};
use crate::report;
use crate::show::json::Document;
use crate::show::number::{counted, grouped};

/// Operations that are under way at once.
const AHEAD_MAX: usize = 512;

pub(super) fn run(
    context: &mut Context<'_, '_>,
    reach: &Reach,
    file: Option<&Path>,
    atomic: bool,
) -> Result<u8, Failure> {
    match file {
        None => work(context, reach, Lines::new(io::stdin(), "standard input".to_owned()), atomic),
        Some(path) => {
            let name = path.display().to_string();
            let file = File::open(path).map_err(|why| {
                Failure::new(ErrorCode::BadUsage, format!("could not open {name}: {}", reason(&why)))
            })?;
            work(context, reach, Lines::new(file, name), atomic)
        }
    }
}

fn work<R: Read>(
    context: &mut Context<'_, '_>,
    reach: &Reach,
    lines: Lines<R>,
    atomic: bool,
) -> Result<u8, Failure> {
    let mut talk = talk_to(reach.connect()?)?;
    let code = match atomic {
        true => transaction(context, &mut talk, lines)?,
        false => one_by_one(context, &mut talk, lines)?,
    };
    talk.end();
    Ok(code)
}

/// What an operation of a line is, or why there is none.
type Meant = Result<(Operation, Shown), Failure>;

/// Lines that say something, with their numbers. Empty ones and those that begin with # are passed over.
fn meant(before: u64, piece: &[String]) -> impl Iterator<Item = (u64, Meant)> {
    let said = |text: &str| !(text.trim().is_empty() || text.starts_with('#'));
    let numbered = (before + 1..).zip(piece).map(|(number, text)| (number, without_mark(number, text)));
    numbered.filter(move |(_, text)| said(text)).map(|(number, text)| (number, meaning_of(text)))
}

/// A mark of the encoding in front of the first line is no part of it.
fn without_mark(number: u64, text: &str) -> &str {
    text.strip_prefix('\u{feff}').filter(|_| number == 1).unwrap_or(text)
}

/// How far it has come.
#[derive(Default)]
struct Told {
    done: u64,
    failed: u64,
}

fn one_by_one<R: Read>(
    context: &mut Context<'_, '_>,
    talk: &mut Conversation,
    mut lines: Lines<R>,
) -> Result<u8, Failure> {
    let mut told = Told::default();
    loop {
        let piece = lines.piece(AHEAD_MAX)?;
        if piece.is_empty() || context.terminal.answer_is_unread() {
            break;
        }
        let all: Vec<(u64, Meant)> = meant(lines.number, &piece).collect();
        let operations = all.iter().filter_map(|(_, meant)| meant.as_ref().ok());
        let requests: Vec<Request> = operations
            .map(|(operation, _)| Request::Object(ObjectRequest::Operate(Box::new(operation.clone()))))
            .collect();
        talk.ask_all(&requests).map_err(|failure| cut_short(failure, &told))?;
        for (number, meant) in all {
            let result = match meant {
                Ok((operation, shown)) => next_result(talk, &told)?.map(|result| (operation, shown, result)),
                Err(failure) => Err(failure),
            };
            match result {
                Ok((operation, shown, result)) => {
                    told.done += 1;
                    print(context, &operation, &result, shown)?;
                }
                Err(failure) => {
                    told.failed += 1;
                    tell(context, number, failure)?;
                }
            }
        }
        lines.number += piece.len() as u64;
    }
    if told.failed == 0 {
        return Ok(exit_code::ANSWERED);
    }
    let of = counted(told.done + told.failed, "line");
    context.terminal.note(&format!("tally: {} of {of} failed\n", grouped(&told.failed.to_string())));
    Ok(exit_code::FAILED)
}

/// What an operation came to: its result, or why it was not done. An error if nothing more comes.
fn next_result(talk: &mut Conversation, told: &Told) -> Result<Result<ObjectResult, Failure>, Failure> {
    let result = talk.hear(None).and_then(|heard| match heard {
        Heard::Reply(reply) => part(reply, "result"),
        Heard::Signal(signal) => Err(interrupted(signal, &progress(told))),
        Heard::Nothing => Ok(ObjectResult::default()),
    });
    match result {
        Err(failure) => match failure.code {
            ErrorCode::Interrupted => Err(failure),
            // The lines behind it would hear nothing else.
            ErrorCode::Stopping | ErrorCode::SupervisorGone | ErrorCode::Internal | ErrorCode::System => {
                Err(cut_short(report::about("go on", failure), told))
            }
            _ => Ok(Err(report::about("do it", failure))),
        },
        result => Ok(result),
    }
}

fn progress(told: &Told) -> String {
    let (done, failed) = (counted(told.done, "line"), grouped(&told.failed.to_string()));
    format!("{done} were done for sure, {failed} failed; of up to {AHEAD_MAX} more nothing is known")
}

fn cut_short(failure: Failure, told: &Told) -> Failure {
    let message = format!("{}: {}", failure.message, progress(told));
    Failure { message, ..failure }
}

fn tell(context: &mut Context<'_, '_>, number: u64, failure: Failure) -> Result<(), Failure> {
    let message = format!("{} (line {number})", failure.message);
    let failure = Failure { message, ..failure };
    if context.style.json {
        let document = Document::new("tally.error/1").value("line", &number).value("error", &failure);
        return context.terminal.answer(&document.line());
    }
    report::failure(context.terminal, &failure, false);
    Ok(())
}

fn print(
    context: &mut Context<'_, '_>,
    operation: &Operation,
    result: &ObjectResult,
    shown: Shown,
) -> Result<(), Failure> {
    if context.style.json {
        let kind = operation.verb.kind().map_or("object", |kind| kind.name());
        let document = Document::new(&format!("tally.{kind}/1")).value("object", &operation.object);
        return context.terminal.answer(&document.flattened(result).line());
    }
    let text = show::text(result, shown, context.terminal.is_for_people());
    context.terminal.answer_bytes(&text)
}

/// All or nothing: nothing is asked for before all lines have been read.
fn transaction<R: Read>(
    context: &mut Context<'_, '_>,
    talk: &mut Conversation,
    mut lines: Lines<R>,
) -> Result<u8, Failure> {
    let mut all: Vec<(Operation, Shown)> = Vec::new();
    loop {
        let piece = lines.piece(LINES_MAX)?;
        if piece.is_empty() {
            break;
        }
        for (number, meant) in meant(lines.number, &piece) {
            let one = meant.map_err(|failure| {
                let message = format!("{} (line {number}; none is done)", failure.message);
                Failure { message, ..failure }
            })?;
            if all.len() == limits::OPERATIONS_MAX {
                return Err(too_many(number));
            }
            all.push(one);
        }
        lines.number += piece.len() as u64;
    }
    let operations = all.iter().map(|(operation, _)| operation.clone()).collect();
    let request = Request::Object(ObjectRequest::Transact(operations));
    let reply = answer_to(context, talk, &request, "do the transaction").map_err(|failure| {
        let long = failure.code == ErrorCode::BadUsage && failure.hint.is_none();
        if long {
            failure.hint("nothing was done; with --atomic all lines go in one request")
        } else {
            failure
        }
    })?;
    let results: Vec<ObjectResult> = part(reply, "results")?;
    for ((operation, shown), result) in all.iter().zip(&results) {
        print(context, operation, result, *shown)?;
    }
    Ok(exit_code::ANSWERED)
}

fn too_many(number: u64) -> Failure {
    let most = grouped(&limits::OPERATIONS_MAX.to_string());
    let message = format!(
        "could not do all lines as one: a transaction has {most} operations at most, line {number} is one too many"
    );
    Failure::new(ErrorCode::BadUsage, message)
        .hint("nothing was done; without --atomic there may be any number of lines")
}
