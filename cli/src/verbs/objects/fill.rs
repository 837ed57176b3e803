//! What comes line by line: many operations on one connection, in large pieces.
//!
//! What is here goes to the daemon before more input is waited for, so that it works at the end of a pipe that is slow,
//! and fast where the input is. A line that cannot be read ends it, with its number; the lines before it are done.

use std::io::{self, BufRead, BufReader, Read};

use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::limits;
use tally_protocol::objects::{Datum, DictVerb, ListVerb, Operation, QueueVerb, StatsVerb, ValueVerb, Verb};

use super::super::{Context, talk_to};
use super::operate;
use crate::meaning::objects::{datum, number};
use crate::place::{Reach, reason};
use crate::show::json::Document;

/// Lines of one piece.
pub(super) const LINES_MAX: usize = 4_096;
/// Bytes of one piece, as far as its lines go.
const BYTES_MAX: usize = 256 << 10;

/// Lines with their numbers, as many as are here.
pub(super) struct Lines<R> {
    input: BufReader<R>,
    /// Of those before the next piece.
    pub(super) number: u64,
    name: String,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(input: R, name: String) -> Self {
        Self { input: BufReader::with_capacity(BYTES_MAX, input), number: 0, name }
    }

    /// The next lines: at least one, more only if they need not be waited for. None at the end.
    pub(super) fn piece(&mut self, lines_max: usize) -> Result<Vec<String>, Failure> {
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
    let read = if matches!(verb, Verb::Stats(_)) { number } else { datum };
    let data = || -> Result<Vec<Datum>, (usize, String)> {
        lines.iter().enumerate().map(|(at, line)| read(line, kind).map_err(|why| (at, why))).collect()
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
