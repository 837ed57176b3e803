//! `running`: reads numbers, one a line, and prints the reduction so far after each.
//!
//! One thread, no daemon, and memory for one line and one partial. What has been answered is written before more input
//! is waited for, so that it works in a conversation, and in large pieces when the input comes fast.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::job::{Nan, OnBad};
use tally_protocol::site::Site;
use tally_protocol::view::ResultView;
use tally_reduce::{Indices, Integer, NanPolicy, Partial, Reduction, Shape, Tally};
use tally_sys::signal::AtOnce;

use super::Context;
use crate::conversation::system;
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
    pub(crate) on_bad: OnBad,
    pub(crate) nan: Nan,
    pub(crate) decimal: bool,
    pub(crate) population: bool,
}

impl Running {
    /// Refuses what decimals cannot be.
    pub(crate) fn checked(self) -> Result<Self, Failure> {
        let bad = |message: String| Err(Failure::new(ErrorCode::BadUsage, message));
        if !self.decimal {
            return Ok(self);
        }
        if self.on_bad == OnBad::Nan {
            return bad("could not read bad lines as NaN: decimals have none".to_owned());
        }
        match self.reductions.iter().find(|one| !Tally::OF_DECIMALS.contains(one)) {
            Some(one) => bad(format!(
                "could not compute the {one} in decimal: it would have to be rounded, or have digits without end"
            )),
            None => Ok(self),
        }
    }

    fn state(&self) -> Tally {
        Tally::identity(if self.decimal { Shape::Decimal } else { Shape::Plain }, &self.reductions)
    }

    fn policy(&self) -> NanPolicy {
        match self.nan {
            Nan::Keep => NanPolicy::Keep,
            Nan::Skip => NanPolicy::Skip,
        }
    }
}

pub(super) fn run(context: &mut Context<'_, '_>, plan: &Running) -> Result<u8, Failure> {
    let _at_once = AtOnce::new().map_err(|why| system("catch signals", &why))?;
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
    let mut state = plan.state();
    let (mut line, mut number_of) = (Vec::new(), 0_u64);
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
        match take(&mut state, &line, number_of - 1, plan) {
            Ok(Taken::Folded) => answers.push_str(&answer(&state, plan.population, context.style.json)),
            Ok(Taken::LeftOut) => {}
            Err(why) => {
                let message = format!("could not read line {number_of} of {name}: {why}");
                let mut failure = Failure::new(ErrorCode::BadData, message);
                failure.site = Some(Box::new(Site::of_file(name).row(number_of)));
                break Err(
                    failure.hint("--on-bad skip leaves such lines out, --on-bad nan takes them for NaN")
                );
            }
        }
    };
    context.terminal.answer(&answers)?;
    for (count, before, after) in [(state.skipped(), "left out", ""), (state.made_nan(), "took", " for NaN")]
    {
        if count > 0 {
            let lines = number::counted(count, "line");
            context.terminal.note(&format!("tally: {before} {lines}{after}\n"));
        }
    }
    ended?;
    // What nothing has none of is an error here as everywhere; a number and no more may be too few, too.
    let answers = state.finish(plan.population);
    match answers.into_iter().find_map(|one| one.answer.err()) {
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

/// What became of a line.
enum Taken {
    Folded,
    /// It is bad, or NaN, and counted.
    LeftOut,
}

/// Folds a line; the reason if it is no number and that is not to be overlooked.
fn take(state: &mut Tally, line: &[u8], index: u64, plan: &Running) -> Result<Taken, String> {
    let before = state.elements();
    let folded = match state {
        Tally::Decimal { sum, .. } => text_of(line)
            .and_then(|text| sum.add_text(text.as_bytes(), Some(index)).map_err(|_| no_number(text))),
        Tally::Plain(partial) => take_number(partial, line, index, plan.policy()),
        Tally::Grouped(_) | Tally::GroupedDecimal(_) => Err("there are no groups".to_owned()),
    };
    match (folded, plan.on_bad, &mut *state) {
        (Ok(()), _, _) => {}
        (Err(_), OnBad::Skip, state) => state.skip(1),
        (Err(_), OnBad::Nan, Tally::Plain(partial)) => {
            partial.make_nan(1);
            let made = partial.absorb_f64(&[f64::NAN], Indices::From(index), plan.policy());
            made.map_err(|why| why.to_string())?;
        }
        (Err(why), _, _) => return Err(why),
    }
    Ok(if state.elements() > before { Taken::Folded } else { Taken::LeftOut })
}

fn text_of(line: &[u8]) -> Result<&str, String> {
    if line.len() > LINE_BYTES_MAX {
        return Err(format!("it is longer than {LINE_BYTES_MAX} bytes"));
    }
    Ok(std::str::from_utf8(line).map_err(|_| "it is no text".to_owned())?.trim())
}

fn no_number(text: &str) -> String {
    match text {
        "" => "it is empty".to_owned(),
        text if text.chars().count() > 40 => "it is no number".to_owned(),
        text => format!("'{}' is no number", crate::report::one_line(text)),
    }
}

fn take_number(partial: &mut Partial, line: &[u8], index: u64, nan: NanPolicy) -> Result<(), String> {
    let text = text_of(line)?;
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let folded = if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        // Short ones need no big integer.
        match text.parse::<i64>() {
            Ok(value) => partial.absorb_i64(&[value], Indices::From(index)),
            Err(_) => {
                let value: Integer = text.parse().map_err(|_| no_number(text))?;
                partial.absorb_integer(&value, Some(index))
            }
        }
    } else {
        let value: f64 = text.parse().map_err(|_| no_number(text))?;
        // An infinity only where one is written.
        if value.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit()) {
            return Err(format!("{}: it is beyond the range of floats", no_number(text)));
        }
        partial.absorb_f64(&[value], Indices::From(index), nan)
    };
    folded.map_err(|why| why.to_string())
}

/// The reductions so far as one line; `-` where there is none yet, such as the variance of one number.
fn answer(state: &Tally, population: bool, json: bool) -> String {
    let answers = state.finish(population);
    if !json {
        let shown = answers.iter().map(|one| match &one.answer {
            Ok(answer) => answer.to_string(),
            Err(_) => "-".to_owned(),
        });
        return shown.collect::<Vec<_>>().join("\t") + "\n";
    }
    let results: Vec<ResultView> = answers
        .into_iter()
        .filter_map(|one| {
            let answer = one.answer.ok()?;
            Some(ResultView::new(one.reduction.name(), answer.kind(), answer.to_string()))
        })
        .collect();
    Document::new("tally.running/1")
        .value("results", &Raw(results.as_slice().to_json()))
        .value("elements", &state.elements().to_string())
        .line()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(reductions: &[Reduction]) -> Running {
        let (on_bad, nan) = (OnBad::Error, Nan::Keep);
        let reductions = reductions.to_vec();
        Running { reductions, file: None, on_bad, nan, decimal: false, population: false }
    }

    fn told(lines: &[&str], plan: &Running) -> Vec<Result<String, String>> {
        let mut state = plan.state();
        let one = |(at, line): (u64, &&str)| match take(&mut state, line.as_bytes(), at, plan)? {
            Taken::Folded => Ok(answer(&state, false, false).trim_end().to_owned()),
            Taken::LeftOut => Ok(String::new()),
        };
        (0..).zip(lines).map(one).collect()
    }

    fn taken(lines: &[&str], reductions: &[Reduction]) -> Vec<Result<String, String>> {
        told(lines, &plan(reductions))
    }

    fn texts(lines: &[&str], plan: &Running) -> Vec<String> {
        told(lines, plan).into_iter().map(Result::unwrap).collect()
    }

    #[test]
    fn nan_and_bad_lines_follow_their_policies() {
        let lines = ["1", "nan", "x", "2"];
        let keep = plan(&[Reduction::Sum, Reduction::Count]);
        let skip = Running { nan: Nan::Skip, on_bad: OnBad::Skip, ..keep.clone() };
        assert_eq!(texts(&lines[..2], &keep), ["1\t1", "nan\t2"]);
        assert_eq!(texts(&lines, &skip), ["1\t1", "", "", "3\t2"]);
        let made = Running { on_bad: OnBad::Nan, ..keep.clone() };
        assert_eq!(texts(&["1", "x", "2"], &made), ["1\t1", "nan\t2", "nan\t3"]);
        let both = Running { nan: Nan::Skip, on_bad: OnBad::Nan, ..keep };
        assert_eq!(texts(&["1", "x", "2"], &both), ["1\t1", "", "3\t2"]);
    }

    #[test]
    fn decimals_stay_as_they_are_written() {
        let plan = Running { decimal: true, ..plan(&[Reduction::Sum, Reduction::Min, Reduction::Mean]) };
        let lines = ["0.10", "0.2", "-3"];
        assert_eq!(texts(&lines, &plan), ["0.10\t0.10\t0.10", "0.30\t0.10\t0.15", "-2.70\t-3.00\t-0.90"]);
        assert_eq!(told(&["nan"], &plan), [Err("'nan' is no number".to_owned())]);
        for refused in [
            Running { on_bad: OnBad::Nan, ..plan.clone() },
            Running { reductions: vec![Reduction::Stddev], ..plan.clone() },
        ] {
            assert_eq!(refused.checked().unwrap_err().exit, 2);
        }
        assert!(plan.checked().is_ok());
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
            ("1e400", "'1e400' is no number: it is beyond the range of floats"),
        ] {
            assert_eq!(taken(&[line], &[Reduction::Sum]), [Err(why.to_owned())]);
        }
        assert_eq!(taken(&["-inf", "1"], &[Reduction::Sum]).last(), Some(&Ok("-inf".to_owned())));
        let mut partial = Partial::identity(&[Reduction::Sum]);
        let mut take = |line: &[u8]| take_number(&mut partial, line, 0, NanPolicy::Keep);
        assert!(take(&[b'1'; LINE_BYTES_MAX + 1]).unwrap_err().contains("longer than"));
        assert!(take(&[0xff]).is_err());
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
