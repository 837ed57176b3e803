//! Answers of a batch: as they come, or in the order of the lines; on standard output, or as failures on standard error.
//!
//! In order, an answer that came early is kept until its turn; whoever starts jobs sees to it that there are few.

use std::collections::BTreeMap;

use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::job::JobState;
use tally_protocol::view::JobView;

use crate::meaning::Style;
use crate::report;
use crate::show::{answer, breakdown, json};
use crate::terminal::Terminal;

/// Answers are written when there are so many bytes of them.
const PIECE_BYTES: usize = 32 << 10;

/// What one line came to.
#[derive(Debug)]
enum Outcome {
    /// Text for standard output.
    Answer(String),
    /// For standard error.
    Failure(Box<Failure>),
}

/// All answers that are not written.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
    /// What each worker did is told, on standard error.
    verbose: bool,
    /// A private supervisor's jobs cannot be asked about later.
    private: bool,
    /// In the order of lines: those whose outcome is not known yet come as `None`.
    queue: Option<BTreeMap<u64, Option<Outcome>>>,
    ready: String,
    /// Jobs and bad lines.
    pub(crate) told: u64,
    pub(crate) failed: u64,
}

impl Output {
    pub(crate) fn new(style: Style, ordered: bool, private: bool) -> Self {
        let queue = ordered.then(BTreeMap::new);
        Self {
            json: style.json,
            quiet: style.quiet,
            verbose: style.verbose,
            private,
            queue,
            ready: String::new(),
            told: 0,
            failed: 0,
        }
    }

    /// A line is taken in: in order, what comes later has to wait for it.
    pub(crate) fn expect(&mut self, number: u64) {
        if let Some(queue) = &mut self.queue {
            queue.insert(number, None);
        }
    }

    /// Lines taken in that later ones may have to wait for.
    pub(crate) fn kept(&self) -> usize {
        self.queue.as_ref().map_or(0, BTreeMap::len)
    }

    /// The job of a line has ended.
    pub(crate) fn ended(
        &mut self,
        terminal: &mut Terminal<'_>,
        number: u64,
        names: bool,
        job: &JobView,
    ) -> Result<(), Failure> {
        let done = job.state == JobState::Done;
        if self.verbose {
            let elapsed_ns = job.elapsed_ms.saturating_mul(1_000_000);
            let table = breakdown::text(job, elapsed_ns);
            self.flush(terminal)?;
            terminal.error(&format!("line {number}\n{table}"));
        }
        if !done {
            self.failed += 1;
        }
        let notes = if done && !self.quiet && !self.json { answer::notes(job) } else { Vec::new() };
        for note in notes {
            self.flush(terminal)?;
            terminal.error(&note.replacen("note: ", &format!("note: line {number}: "), 1));
        }
        let outcome = if self.json {
            Outcome::Answer(json::batch_result(number, job))
        } else if done {
            Outcome::Answer(numbered(number, &answer::lines(job, names)))
        } else {
            Outcome::Failure(Box::new(about(number, self.failure_of(job))))
        };
        self.put(terminal, number, outcome)
    }

    /// A line came to no job.
    pub(crate) fn refused(
        &mut self,
        terminal: &mut Terminal<'_>,
        number: u64,
        failure: Failure,
    ) -> Result<(), Failure> {
        self.failed += 1;
        let failure = about(number, failure);
        let outcome = if self.json {
            Outcome::Answer(json::batch_failure(number, &failure))
        } else {
            Outcome::Failure(Box::new(failure))
        };
        self.put(terminal, number, outcome)
    }

    fn failure_of(&self, job: &JobView) -> Failure {
        let mut failure = answer::failure_of(job);
        if let Some(rest) = failure.message.strip_prefix(&format!("could not finish {}: ", job.job)) {
            failure.message = rest.to_owned();
        }
        if self.private {
            failure.hint = failure.hint.filter(|hint| !hint.contains("'tally "));
        }
        failure
    }

    fn put(&mut self, terminal: &mut Terminal<'_>, number: u64, outcome: Outcome) -> Result<(), Failure> {
        self.told += 1;
        let Some(queue) = &mut self.queue else { return self.say(terminal, outcome) };
        queue.insert(number, Some(outcome));
        while let Some(first) = self.queue.as_mut().and_then(BTreeMap::first_entry) {
            if first.get().is_none() {
                break;
            }
            if let Some(outcome) = first.remove() {
                self.say(terminal, outcome)?;
            }
        }
        Ok(())
    }

    fn say(&mut self, terminal: &mut Terminal<'_>, outcome: Outcome) -> Result<(), Failure> {
        match outcome {
            Outcome::Answer(text) => {
                self.ready.push_str(&text);
                if self.ready.len() >= PIECE_BYTES { self.flush(terminal) } else { Ok(()) }
            }
            Outcome::Failure(failure) => {
                // On a terminal both streams are read together.
                self.flush(terminal)?;
                report::failure(terminal, &failure, false);
                Ok(())
            }
        }
    }

    /// Writes what there is: nothing is kept back while we wait.
    pub(crate) fn flush(&mut self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        if !self.ready.is_empty() {
            terminal.answer(&self.ready)?;
            self.ready.clear();
        }
        Ok(())
    }
}

/// Each line of an answer after the number of the line that asked.
fn numbered(number: u64, answer: &str) -> String {
    answer.lines().map(|line| format!("{number}\t{line}\n")).collect()
}

fn about(number: u64, mut failure: Failure) -> Failure {
    failure.message = format!("could not answer line {number}: {}", failure.message);
    failure
}

/// Whether a refusal says that more jobs may be started once others have ended.
pub(crate) fn is_full(failure: &Failure) -> bool {
    failure.code == ErrorCode::TooMany
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake;

    fn shown(ordered: bool, json: bool) -> (String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut terminal = Terminal::to(&mut out, &mut err);
        let mut output = Output::new(Style { json, ..Style::default() }, ordered, true);
        (1..=4).for_each(|number| output.expect(number));
        let t = &mut terminal;
        output.ended(t, 3, false, &fake::job_done("sum", "3")).unwrap();
        output.refused(t, 2, Failure::new(ErrorCode::BadUsage, "could not read it")).unwrap();
        output.ended(t, 1, true, &fake::job_done("min", "1")).unwrap();
        output
            .ended(
                t,
                4,
                false,
                &fake::job_failed(Failure::new(
                    ErrorCode::NoAnswer,
                    "could not compute the minimum: there are no elements",
                )),
            )
            .unwrap();
        output.flush(t).unwrap();
        assert_eq!((output.told, output.failed, output.kept()), (4, 2, 0));
        drop(terminal);
        (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn answers_have_the_number_of_their_line() {
        let (out, err) = shown(false, false);
        assert_eq!(out, "3\t3\n1\tmin\t1\n");
        assert_eq!(
            err,
            "tally: could not answer line 2: could not read it\ntally: could not answer line 4: could not compute the minimum: there are no elements\n"
        );
    }

    #[test]
    fn in_order_what_comes_early_waits() {
        assert_eq!(shown(true, false).0, "1\tmin\t1\n3\t3\n");
    }

    #[test]
    fn json_has_a_line_for_each_job() {
        let (out, err) = shown(true, true);
        let lines: Vec<serde_json::Value> =
            out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(err, "");
        let of = |key: &str| lines.iter().map(|line| line[key].clone()).collect::<Vec<_>>();
        assert_eq!(of("line"), [1, 2, 3, 4]);
        assert_eq!(of("state"), ["done", "failed", "done", "failed"]);
        assert_eq!(lines[1]["error"]["message"], "could not answer line 2: could not read it");
        assert_eq!(lines[2]["results"][0]["value"], "3");
        assert!(out.lines().all(|line| line.starts_with("{\"schema\":\"tally.batch/1\",\"line\":")));
    }
}
