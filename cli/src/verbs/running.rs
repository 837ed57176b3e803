//! `running`: reads numbers, one a line, and prints the reduction so far after each.
//!
//! One thread, no daemon, and memory for one line and one partial. What has been answered is written before more input
//! is waited for, so that it works in a conversation, and in large pieces when the input comes fast.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::job::OnBad;
use tally_protocol::view::ResultView;
use tally_reduce::{Indices, Integer, NanPolicy, Partial, Reduction};

use super::Context;
use crate::place;
use crate::show::json::{Document, Raw, ToJson as _};
use crate::show::number;

/// The longest line that is taken for a number.
const LINE_BYTES_MAX: usize = 64 << 10;
/// Answers are written when there are so many bytes of them.
const PIECE_BYTES: usize = 32 << 10;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) reductions: Vec<Reduction>,
    /// Standard input without one.
    pub(crate) file: Option<PathBuf>,
    pub(crate) skip_bad: bool,
    pub(crate) population: bool,
}

impl Running {
    /// Whether bad lines are skipped; there is no NaN to put in their place here.
    pub(crate) fn skips(on_bad: Option<OnBad>) -> Result<bool, Failure> {
        match on_bad {
            None | Some(OnBad::Error) => Ok(false),
            Some(OnBad::Skip) => Ok(true),
            Some(other) => {
                let message = format!("could not use --on-bad {} with 'running'", other.name());
                Err(Failure::new(ErrorCode::BadUsage, message).hint("it can be error, skip"))
            }
        }
    }
}

pub(super) fn run(context: &mut Context<'_, '_>, plan: &Running) -> Result<u8, Failure> {
    match &plan.file {
        None if tally_sys::streams::input_was_closed() => {
            Err(Failure::new(ErrorCode::BadUsage, "could not read standard input: it is closed"))
        }
        None => fold(context, plan, io::stdin().lock(), "standard input"),
        Some(path) => {
            let file = File::open(path).map_err(|why| cannot("open", path, &why))?;
            fold(context, plan, file, &path.display().to_string())
        }
    }
}

fn cannot(what: &str, path: &Path, why: &io::Error) -> Failure {
    let code = match why.kind() {
        io::ErrorKind::PermissionDenied => ErrorCode::NotPermitted,
        _ => ErrorCode::BadUsage,
    };
    Failure::new(code, format!("could not {what} {}: {}", path.display(), place::reason(why)))
}

fn fold(context: &mut Context<'_, '_>, plan: &Running, input: impl Read, name: &str) -> Result<u8, Failure> {
    let mut input = BufReader::new(input);
    let mut partial = Partial::identity(&plan.reductions);
    let (mut line, mut number_of, mut skipped) = (Vec::new(), 0_u64, 0_u64);
    let mut answers = String::new();
    let ended = loop {
        // Nothing is kept back while we wait for more.
        if answers.len() >= PIECE_BYTES || !input.buffer().contains(&b'\n') {
            context.terminal.answer(&answers)?;
            answers.clear();
            if context.terminal.answer_is_unread() {
                break Ok(());
            }
        }
        number_of += 1;
        match read_line(&mut input, &mut line) {
            Ok(true) => {}
            Ok(false) => break Ok(()),
            Err(why) => {
                let message = format!("could not read {name}: {}", place::reason(&why));
                break Err(Failure::new(ErrorCode::System, message));
            }
        }
        match take(&mut partial, &line, number_of - 1 - skipped) {
            Ok(()) => answers.push_str(&answer(&partial, plan.population, context.style.json)),
            Err(_) if plan.skip_bad => skipped += 1,
            Err(why) => {
                let message = format!("could not read line {number_of} of {name}: {why}");
                break Err(Failure::new(ErrorCode::KernelFailed, message)
                    .hint("--on-bad skip leaves such lines out"));
            }
        }
    };
    context.terminal.answer(&answers)?;
    if skipped > 0 {
        context.terminal.note(&format!("tally: left out {}\n", number::counted(skipped, "line")));
    }
    ended?;
    // What nothing has none of is an error here as everywhere; a number and no more may be too few, too.
    let answers = partial.finish(plan.population);
    match answers.into_iter().find_map(|(_, answer)| answer.err()) {
        Some(why) if !context.terminal.answer_is_unread() => {
            Err(Failure::new(ErrorCode::NoAnswer, format!("could not compute {why}")))
        }
        Some(_) | None => Ok(0),
    }
}

/// Reads one line without its end; false at the end of the input. What is too long is cut, and so no number.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut read = 0;
    loop {
        let bytes = match input.fill_buf() {
            Ok(bytes) => bytes,
            Err(why) if why.kind() == io::ErrorKind::Interrupted => continue,
            Err(why) => return Err(why),
        };
        if bytes.is_empty() {
            return Ok(read > 0);
        }
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let part = &bytes[..end.unwrap_or(bytes.len())];
        let room = (LINE_BYTES_MAX + 1).saturating_sub(line.len());
        line.extend_from_slice(&part[..part.len().min(room)]);
        let used = end.map_or(bytes.len(), |end| end + 1);
        input.consume(used);
        read += used;
        if end.is_some() {
            return Ok(true);
        }
    }
}

/// Folds a line; the reason if it is no number.
fn take(partial: &mut Partial, line: &[u8], index: u64) -> Result<(), String> {
    if line.len() > LINE_BYTES_MAX {
        return Err(format!("it is longer than {LINE_BYTES_MAX} bytes"));
    }
    let text = std::str::from_utf8(line).map_err(|_| "it is no text".to_owned())?.trim();
    let bad = || match text {
        "" => "it is empty".to_owned(),
        text if text.chars().count() > 40 => "it is no number".to_owned(),
        text => format!("'{}' is no number", crate::report::one_line(text)),
    };
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let folded = if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        // Short ones need no big integer.
        match text.parse::<i64>() {
            Ok(value) => partial.absorb_i64(&[value], Indices::From(index)),
            Err(_) => {
                let value: Integer = text.parse().map_err(|_| bad())?;
                partial.absorb_integer(&value, Some(index))
            }
        }
    } else {
        let value: f64 = text.parse().map_err(|_| bad())?;
        if value.is_nan() {
            return Err(bad());
        }
        // An infinity only where one is written.
        if value.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit()) {
            return Err(format!("{}: it is beyond the range of floats", bad()));
        }
        partial.absorb_f64(&[value], Indices::From(index), NanPolicy::Keep)
    };
    folded.map_err(|why| why.to_string())
}

/// The reductions so far as one line; `-` where there is none yet, such as the variance of one number.
fn answer(partial: &Partial, population: bool, json: bool) -> String {
    let answers = partial.finish(population);
    if !json {
        let shown = answers.iter().map(|(_, answer)| match answer {
            Ok(answer) => answer.to_string(),
            Err(_) => "-".to_owned(),
        });
        return shown.collect::<Vec<_>>().join("\t") + "\n";
    }
    let results: Vec<ResultView> = answers
        .into_iter()
        .filter_map(|(reduction, answer)| {
            let answer = answer.ok()?;
            Some(ResultView {
                reduction: reduction.name().to_owned(),
                kind: answer.kind().to_owned(),
                value: answer.to_string(),
            })
        })
        .collect();
    Document::new("tally.running/1")
        .value("results", &Raw(results.as_slice().to_json()))
        .value("elements", &partial.elements().to_string())
        .line()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(lines: &[&str], reductions: &[Reduction]) -> Vec<Result<String, String>> {
        let mut partial = Partial::identity(reductions);
        let one = |(at, line): (u64, &&str)| {
            take(&mut partial, line.as_bytes(), at)?;
            Ok(answer(&partial, false, false).trim_end().to_owned())
        };
        (0..).zip(lines).map(one).collect()
    }

    #[test]
    fn each_line_has_its_answer() {
        let sums = taken(&["10", " 4 ", "+22", "-6"], &[Reduction::Sum]);
        assert_eq!(sums, ["10", "14", "36", "30"].map(|sum| Ok(sum.to_owned())));
        let minima = taken(&["10", "4", "22", "-6"], &[Reduction::Min, Reduction::Count]);
        assert_eq!(minima, ["10\t1", "4\t2", "4\t3", "-6\t4"].map(|line| Ok(line.to_owned())));
        let variances = taken(&["1", "2"], &[Reduction::Variance]);
        assert_eq!(variances, ["-", "0.5"].map(|line| Ok(line.to_owned())));
    }

    #[test]
    fn integers_grow_and_floats_are_exact() {
        let big = taken(&["9223372036854775807", "1", "100000000000000000000"], &[Reduction::Sum]);
        assert_eq!(big.last(), Some(&Ok("109223372036854775808".to_owned())));
        let tenths = taken(&["0.1"; 10], &[Reduction::Sum]);
        assert_eq!(tenths.last(), Some(&Ok("1.0".to_owned())), "not 0.9999999999999999");
    }

    #[test]
    fn what_is_no_number_says_so() {
        for (line, why) in [
            ("", "it is empty"),
            ("abc", "'abc' is no number"),
            ("nan", "'nan' is no number"),
            ("1e400", "'1e400' is no number: it is beyond the range of floats"),
        ] {
            assert_eq!(taken(&[line], &[Reduction::Sum]), [Err(why.to_owned())]);
        }
        assert_eq!(taken(&["-inf", "1"], &[Reduction::Sum]).last(), Some(&Ok("-inf".to_owned())));
        let mut partial = Partial::identity(&[Reduction::Sum]);
        assert!(take(&mut partial, &[b'1'; LINE_BYTES_MAX + 1], 0).unwrap_err().contains("longer than"));
        assert!(take(&mut partial, &[0xff], 0).is_err());
    }

    #[test]
    fn lines_of_any_length_take_little_memory() {
        let text = [vec![b'1'; 3 * LINE_BYTES_MAX], b"\n7".to_vec()].concat();
        let (mut input, mut line) = (BufReader::new(&text[..]), Vec::new());
        assert!(read_line(&mut input, &mut line).unwrap());
        assert_eq!(line.len(), LINE_BYTES_MAX + 1);
        assert!(read_line(&mut input, &mut line).unwrap() && line == b"7");
        assert!(!read_line(&mut input, &mut line).unwrap());
    }
}
