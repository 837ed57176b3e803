//! What comes line by line: many operations on one connection, in large pieces.
//!
//! What is here goes to the daemon before more input is waited for, so that it works at the end of a pipe that is slow,
//! and fast where the input is. A line that cannot be read ends it, with its number; the lines before it are done.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use tally_protocol::control::{Request, part};
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::limits;
use tally_protocol::objects::{
    Datum, DictVerb, ListVerb, ObjectRequest, ObjectResult, Operation, QueueVerb, StatsVerb, ValueVerb, Verb,
};

use super::super::{Context, talk_to};
use super::{operate, show};
use crate::conversation::{Conversation, Heard, interrupted};
use crate::meaning::objects::{Shown, datum, line as meaning_of};
use crate::place::{Reach, reason};
use crate::report;
use crate::show::json::Document;

/// Lines of one piece.
const LINES_MAX: usize = 4_096;
/// Bytes of one piece, as far as its lines go.
const BYTES_MAX: usize = 256 << 10;
/// Operations that are under way at once.
const AHEAD_MAX: usize = 512;

/// Lines with their numbers, as many as are here.
struct Lines<R> {
    input: BufReader<R>,
    number: u64,
    name: String,
}

impl<R: Read> Lines<R> {
    fn new(input: R, name: String) -> Self {
        Self { input: BufReader::with_capacity(BYTES_MAX, input), number: 0, name }
    }

    /// The next lines: at least one, more only if they need not be waited for. None at the end.
    fn piece(&mut self, lines_max: usize) -> Result<Vec<String>, Failure> {
        let (mut lines, mut bytes) = (Vec::new(), 0);
        while lines.len() < lines_max && bytes < BYTES_MAX {
            if !lines.is_empty() && !self.input.buffer().contains(&b'\n') {
                break;
            }
            let mut line = Vec::new();
            let room = limits::REQUEST_BYTES_MAX as u64;
            let read = (&mut self.input).take(room).read_until(b'\n', &mut line);
            let count = read.map_err(|why| self.could_not(&reason(&why)))?;
            if count == 0 {
                break;
            }
            bytes += count;
            if line.last() == Some(&b'\n') {
                line.pop();
            } else if count as u64 == room {
                return Err(self.bad_line(lines.len(), "it is too long"));
            }
            let text = String::from_utf8(line);
            lines.push(text.map_err(|_| self.bad_line(lines.len(), "it is not UTF-8 text"))?);
        }
        Ok(lines)
    }

    fn could_not(&self, why: &str) -> Failure {
        Failure::new(ErrorCode::System, format!("could not read {}: {why}", self.name))
    }

    /// The line that comes after so many of this piece is wrong.
    fn bad_line(&self, before: usize, why: &str) -> Failure {
        let number = self.number + before as u64 + 1;
        Failure::new(ErrorCode::BadUsage, format!("could not read line {number} of {}: {why}", self.name))
    }
}

/// `dict NAME set -`, `list NAME push -`, `queue NAME put -`, `stats NAME add -`.
pub(super) fn lines(
    context: &mut Context<'_, '_>,
    reach: &Reach,
    pattern: &Operation,
    kind: Option<&str>,
) -> Result<u8, Failure> {
    let mut talk = talk_to(reach.connect()?)?;
    let mut lines = Lines::new(io::stdin(), "standard input".to_owned());
    // A piece of a bounded queue must fit into it.
    let capacity = pattern.creation.as_ref().and_then(|creation| creation.capacity);
    let lines_max = capacity.and_then(|most| usize::try_from(most).ok()).unwrap_or(LINES_MAX).min(LINES_MAX);
    // Of a queue that was bounded before nothing is known here: one by one always fits.
    let lines_max = if matches!(pattern.verb, Verb::Queue(_)) { lines_max.min(64) } else { lines_max };
    loop {
        let piece = lines.piece(lines_max)?;
        if piece.is_empty() {
            break;
        }
        let count = piece.len() as u64;
        let verb = filled(&pattern.verb, &piece, kind).map_err(|(at, why)| lines.bad_line(at, &why))?;
        let operation = Operation { verb, ..pattern.clone() };
        match operate(context, &mut talk, operation) {
            Err(failure) if failure.code == ErrorCode::TooMany && count > 1 => {
                // It does not fit as a whole.
                for (at, line) in piece.iter().enumerate() {
                    let one = std::slice::from_ref(line);
                    let verb =
                        filled(&pattern.verb, one, kind).map_err(|(_, why)| lines.bad_line(at, &why))?;
                    operate(context, &mut talk, Operation { verb, ..pattern.clone() })?;
                }
            }
            done => drop(done?),
        }
        lines.number += count;
    }
    if context.style.json {
        let document = Document::new("tally.fill/1").value("object", &pattern.object);
        context.terminal.answer(&document.value("lines", &lines.number).line())?;
    }
    talk.end();
    Ok(0)
}

/// A verb with the data of lines; the first line that is wrong, and why.
fn filled(verb: &Verb, lines: &[String], kind: Option<&str>) -> Result<Verb, (usize, String)> {
    let data = || -> Result<Vec<Datum>, (usize, String)> {
        lines.iter().enumerate().map(|(at, line)| datum(line, kind).map_err(|why| (at, why))).collect()
    };
    Ok(match verb {
        Verb::Dict(_) => {
            let pair = |(at, line): (usize, &String)| {
                let (key, value) =
                    line.split_once('\t').ok_or_else(|| (at, "a line is KEY, a tab, VALUE".to_owned()))?;
                Ok((key.to_owned(), datum(value, kind).map_err(|why| (at, why))?))
            };
            Verb::Dict(DictVerb::Update(lines.iter().enumerate().map(pair).collect::<Result<_, _>>()?))
        }
        Verb::List(ListVerb::Push { front, .. }) => {
            Verb::List(ListVerb::Push { values: data()?, front: *front })
        }
        Verb::Queue(_) => Verb::Queue(QueueVerb::Put(data()?)),
        _ => Verb::Stats(StatsVerb::Add(data()?)),
    })
}

/// `value NAME set -`: all of standard input, as text if it is text.
pub(super) fn slurp(
    context: &mut Context<'_, '_>,
    reach: &Reach,
    pattern: Operation,
    kind: Option<&str>,
) -> Result<u8, Failure> {
    let most = limits::DATUM_BYTES_MAX;
    let mut bytes = Vec::new();
    let read = io::stdin().take(most as u64 + 1).read_to_end(&mut bytes);
    let could_not =
        |why: String| Failure::new(ErrorCode::BadUsage, format!("could not read standard input: {why}"));
    read.map_err(|why| could_not(reason(&why)))?;
    if bytes.len() > most {
        return Err(could_not(format!("it is longer than {most} bytes")));
    }
    let value = match (String::from_utf8(bytes), kind) {
        (Ok(text), None) => Datum::Text(text),
        (Ok(text), Some(kind)) => datum(text.trim_end_matches('\n'), Some(kind)).map_err(could_not)?,
        (Err(raw), _) => Datum::Bytes(raw.into_bytes()),
    };
    let verb = Verb::Value(ValueVerb::Set(value));
    let object = pattern.object.clone();
    let mut talk = talk_to(reach.connect()?)?;
    let result = operate(context, &mut talk, Operation { verb, ..pattern })?;
    if context.style.json {
        let document = Document::new("tally.value/1").value("object", &object).flattened(&result);
        context.terminal.answer(&document.line())?;
    }
    talk.end();
    Ok(0)
}

/// `objects batch`.
pub(super) fn batch(
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
    mut lines: Lines<R>,
    atomic: bool,
) -> Result<u8, Failure> {
    let mut talk = talk_to(reach.connect()?)?;
    if atomic {
        return transaction(context, &mut talk, lines);
    }
    loop {
        let piece = lines.piece(AHEAD_MAX)?;
        if piece.is_empty() {
            break;
        }
        let (operations, wrong) = read(&lines, &piece);
        let requests: Vec<Request> = operations
            .iter()
            .map(|(_, operation, _)| Request::Object(ObjectRequest::Operate(Box::new(operation.clone()))))
            .collect();
        talk.ask_all(&requests)?;
        for (number, operation, shown) in &operations {
            let result = next_result(&mut talk).map_err(|failure| {
                let message = format!("{} (line {number})", failure.message);
                Failure { message, ..failure }
            })?;
            print(context, operation, &result, *shown)?;
        }
        if let Some(failure) = wrong {
            return Err(failure);
        }
        lines.number += piece.len() as u64;
    }
    talk.end();
    Ok(0)
}

type Meant = (u64, Operation, Shown);

/// The operations of lines, up to the first that is wrong. Empty lines and those that begin with # are passed over.
fn read<R: Read>(lines: &Lines<R>, piece: &[String]) -> (Vec<Meant>, Option<Failure>) {
    let mut operations = Vec::new();
    for (at, text) in piece.iter().enumerate() {
        if text.trim().is_empty() || text.starts_with('#') {
            continue;
        }
        match meaning_of(text) {
            Ok((operation, shown)) => operations.push((lines.number + at as u64 + 1, operation, shown)),
            Err(failure) => {
                let number = lines.number + at as u64 + 1;
                let message = format!("{} (line {number})", failure.message);
                return (operations, Some(Failure { message, ..failure }));
            }
        }
    }
    (operations, None)
}

fn next_result(talk: &mut Conversation) -> Result<ObjectResult, Failure> {
    match talk.hear(None).map_err(|failure| report::about("do it", failure))? {
        Heard::Reply(reply) => part(reply, "result"),
        Heard::Signal(signal) => Err(interrupted(signal, "")),
        Heard::Nothing => Ok(ObjectResult::default()),
    }
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
    context.terminal.answer_bytes(&show::text(result, shown))
}

fn transaction<R: Read>(
    context: &mut Context<'_, '_>,
    talk: &mut Conversation,
    mut lines: Lines<R>,
) -> Result<u8, Failure> {
    let mut all = Vec::new();
    loop {
        let piece = lines.piece(LINES_MAX)?;
        if piece.is_empty() {
            break;
        }
        let (operations, wrong) = read(&lines, &piece);
        if let Some(failure) = wrong {
            return Err(failure);
        }
        all.extend(operations);
        lines.number += piece.len() as u64;
    }
    let operations = all.iter().map(|(_, operation, _)| operation.clone()).collect();
    let request = Request::Object(ObjectRequest::Transact(operations));
    let reply = super::super::answer_to(context, talk, &request, "do the transaction")?;
    let results: Vec<ObjectResult> = part(reply, "results")?;
    for ((_, operation, shown), result) in all.iter().zip(&results) {
        print(context, operation, result, *shown)?;
    }
    Ok(0)
}
