//! How a failure is told: one line that says all, then at most three indented ones; or one JSON object. A deadlock has one
//! more line for each of its waits.

use tally_protocol::error::Failure;
use tally_protocol::printable;

use crate::show::json::Document;
use crate::show::waits;
use crate::terminal::{Paint, Terminal};

/// Lines after the first.
const LINES_MORE_MAX: usize = 3;
/// Lines of a worker's standard error.
const STDERR_LINES_MAX: usize = 2;
/// Characters of a message; a source can be of any length, and is in it.
const MESSAGE_CHARS_MAX: usize = 1_000;
/// Characters of one indented line.
const LINE_CHARS_MAX: usize = 200;

/// Tells a failure on standard error.
pub(crate) fn failure(terminal: &mut Terminal<'_>, failure: &Failure, json: bool) {
    let failure = &Failure { message: shortened(&failure.message), ..failure.clone() };
    if json {
        terminal.failure(&Document::new("tally.error/1").value("error", failure).line());
        return;
    }
    let name = terminal.painted_error(Paint::Red, "tally:");
    terminal.failure(&format!("{name} {}\n", one_line(&failure.message)));
    let waits = failure.deadlock.as_ref().map(|deadlock| waits::lines(deadlock)).unwrap_or_default();
    let waits = waits.iter().map(|line| printable(line, LINE_CHARS_MAX));
    for line in waits.chain(further_lines(failure)) {
        terminal.failure(&format!("         {line}\n"));
    }
}

/// The same where nothing can be worked out any more when it is told: without colours, and of a plain failure.
pub(crate) fn plain(failure: &Failure, json: bool) -> String {
    if json {
        Document::new("tally.error/1").value("error", failure).line()
    } else {
        format!("tally: {}\n", one_line(&failure.message))
    }
}

/// Without the middle, where it is too long: what was tried stands in front, and why it failed at the end.
fn shortened(message: &str) -> String {
    let count = message.chars().count();
    if count <= MESSAGE_CHARS_MAX {
        return message.to_owned();
    }
    let half = MESSAGE_CHARS_MAX / 2;
    let (front, back) = (message.chars().take(half), message.chars().skip(count - half));
    front.chain("...".chars()).chain(back).collect()
}

/// A refusal as it is told by a verb: "no job j9" becomes "could not show j9: no job j9".
pub(crate) fn about(doing: &str, mut failure: Failure) -> Failure {
    if !["could not ", "unknown "].iter().any(|begin| failure.message.starts_with(begin)) {
        failure.message = format!("could not {doing}: {}", failure.message);
    }
    failure
}

/// What follows the first line: the tail of a worker's standard error, then the hint.
fn further_lines(failure: &Failure) -> Vec<String> {
    let stderr = failure.stderr.as_deref().unwrap_or_default();
    let said: Vec<&str> = stderr.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let hint = failure.hint.iter().flat_map(|hint| hint.lines()).map(str::to_owned);
    let said =
        said[said.len().saturating_sub(STDERR_LINES_MAX)..].iter().map(|line| format!("stderr: {line}"));
    let place = failure.place.iter().flat_map(|place| place.lines()).map(str::to_owned);
    let lines = place.chain(said).chain(hint.map(|line| line.trim().to_owned()));
    lines.map(|line| printable(&line, LINE_CHARS_MAX)).take(LINES_MORE_MAX).collect()
}

/// A message is one line whatever a worker or a daemon put into it.
pub(crate) fn one_line(message: &str) -> String {
    printable(message, usize::MAX)
}

/// Without control characters, so that no text of others can steer the terminal; cut when too long.
fn printable(text: &str, chars_max: usize) -> String {
    let mut letters = text.chars().map(|c| if printable::steers(c) { ' ' } else { c });
    let mut out: String = letters.by_ref().take(chars_max).collect();
    if letters.next().is_some() {
        out.push_str("...");
    }
    out
}

#[cfg(test)]
mod tests {
    use tally_protocol::error::ErrorCode;

    use super::*;
    use std::io;

    fn told(failure_: &Failure, json: bool) -> String {
        let mut err = Vec::new();
        failure(&mut Terminal::to(io::sink(), &mut err), failure_, json);
        String::from_utf8(err).unwrap()
    }

    #[test]
    fn the_first_line_says_all_and_the_hint_follows() {
        let mut failure =
            Failure::new(ErrorCode::WorkerKilled, "could not finish j1: range 5..6 killed 3 workers");
        failure.stderr = Some("one\ntwo\n\nthree \u{1b}[2J\n".into());
        failure.hint = Some("the other partials are kept".into());
        assert_eq!(
            told(&failure, false),
            "tally: could not finish j1: range 5..6 killed 3 workers\n         stderr: two\n         stderr: three  [2J\n         the other partials are kept\n"
        );
    }

    #[test]
    fn json_has_the_code_and_the_exit() {
        let failure = Failure::new(ErrorCode::NoDaemon, "could not reach it").hint("start one");
        assert_eq!(
            told(&failure, true),
            "{\"schema\":\"tally.error/1\",\"error\":{\"code\":\"no-daemon\",\"message\":\"could not reach it\",\"hint\":\"start one\",\"exit\":3}}\n"
        );
    }

    #[test]
    fn refusals_say_what_was_tried() {
        let no_job = || Failure::new(ErrorCode::NoSuchJob, "no job j9");
        assert_eq!(about("show j9", no_job()).message, "could not show j9: no job j9");
        let twice = about("show j9", about("read j9", no_job()));
        assert_eq!(twice.message, "could not read j9: no job j9");
    }

    #[test]
    fn a_message_of_any_length_fits_a_screen() {
        let why = format!("could not read the source '{}': it is no range", "x".repeat(500_000));
        let text = told(&Failure::new(ErrorCode::BadUsage, why.clone()), false);
        assert!(text.len() < 1_100, "{}", text.len());
        assert!(
            text.starts_with("tally: could not read the source 'xxx") && text.contains("xxx...xxx"),
            "{text}"
        );
        assert!(text.ends_with("xxx': it is no range\n"), "{text}");
        assert!(told(&Failure::new(ErrorCode::BadUsage, why), true).len() < 1_200);
    }

    #[test]
    fn a_message_is_one_line() {
        let failure = Failure::new(ErrorCode::Internal, "a\nb\u{1b}[31m");
        assert_eq!(told(&failure, false), "tally: a b [31m\n");
    }
}
