//! What a line asks for: a reduction as on the command line, or a JSON object of type JobRequest.
//!
//! The first line that says something decides which of the two all lines are.

use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::job::{JobRequest, JobSpec, StartMethod, Transport};

use crate::args::batch::JobLines;
use crate::inputs::{self, Inputs};
use crate::meaning;

/// What some editors put in front of UTF-8 text.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The job of one line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Task {
    /// Of the line, counting from 1.
    pub(crate) number: u64,
    pub(crate) spec: JobSpec,
    pub(crate) inputs: Inputs,
    /// Answers have the names of their reductions.
    pub(crate) names: bool,
}

/// What jobs get that say nothing themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Defaults {
    pub(crate) workers: Option<u32>,
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) transport: Option<Transport>,
    pub(crate) start: Option<StartMethod>,
    /// What each worker did is told.
    pub(crate) breakdown: bool,
}

/// A reader of lines.
#[derive(Debug)]
pub(crate) struct Tasks {
    parser: JobLines,
    defaults: Defaults,
    json: Option<bool>,
}

impl Tasks {
    pub(crate) fn new(defaults: Defaults) -> Self {
        Self { parser: JobLines::new(), defaults, json: None }
    }

    /// The job of a line; none of an empty one or a comment.
    pub(crate) fn read(&mut self, number: u64, line: &[u8]) -> Result<Option<Task>, Failure> {
        // A mark of the encoding at the start is no part of what is said.
        let line = line.strip_prefix(BYTE_ORDER_MARK).filter(|_| number == 1).unwrap_or(line);
        let text = std::str::from_utf8(line).map_err(|_| bad("it is not UTF-8 text"))?.trim();
        if text.is_empty() || text.starts_with('#') {
            return Ok(None);
        }
        let json = *self.json.get_or_insert_with(|| text.starts_with('{'));
        let (request, inputs, names) = if json { self.of_json(text)? } else { self.of_words(text)? };
        let Defaults { workers, timeout_ms, transport, start, breakdown } = self.defaults;
        let request = JobRequest {
            workers: request.workers.or(workers),
            timeout_ms: request.timeout_ms.or(timeout_ms),
            transport: request.transport.or(transport),
            start: request.start.or(start),
            breakdown: request.breakdown || breakdown,
            ..request
        };
        let (inputs, facts) = inputs.map(|opened| (opened.inputs, opened.facts)).unwrap_or_default();
        let spec = request.check_with(0, facts)?;
        Ok(Some(Task { number, spec, inputs, names }))
    }

    fn of_words(&mut self, text: &str) -> Result<(JobRequest, Option<inputs::Opened>, bool), Failure> {
        let mut words = shlex::Shlex::new(text);
        let mut args: Vec<String> = words.by_ref().collect();
        if words.had_error {
            return Err(bad("a quote is open, or a backslash stands alone, at its end"));
        }
        if args.first().is_some_and(|word| word == "tally") {
            args.remove(0);
        }
        meaning::batch::request(self.parser.parse(args)?)
    }

    fn of_json(&self, text: &str) -> Result<(JobRequest, Option<inputs::Opened>, bool), Failure> {
        // serde would take an array for it, field by field.
        let why = |why: serde_json::Error| bad(format!("it is no JSON object of a job: {why}"));
        if !text.starts_with('{') {
            return Err(bad("it is no JSON object of a job, as the first line is"));
        }
        let mut request: JobRequest = serde_json::from_str(text).map_err(why)?;
        if request.detach {
            return Err(bad("'detach' is not for a batch: its jobs end with it"));
        }
        let opened = meaning::batch::open(&request.sources, request.timeout_ms)?;
        request.files = opened.is_some();
        if let Some(opened) = &opened {
            request.sources.clone_from(&opened.names);
        }
        let names = request.reductions.len() > 1;
        Ok((request, opened, names))
    }
}

pub(crate) fn bad(message: impl Into<String>) -> Failure {
    Failure::new(ErrorCode::BadUsage, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Vec<Result<Option<Task>, String>> {
        let mut tasks = Tasks::new(Defaults { workers: Some(3), ..Defaults::default() });
        let one = |(number, line): (u64, &&str)| {
            tasks.read(number, line.as_bytes()).map_err(|failure| failure.message)
        };
        (1..).zip(lines).map(one).collect()
    }

    fn request(line: &str) -> JobRequest {
        read(&[line]).remove(0).unwrap().unwrap().spec.request
    }

    #[test]
    fn words_are_quoted_as_in_a_shell() {
        let of = request(r#"sum 0..10 --of 'i * i' --where "i % 2 == 0"  # squares"#);
        assert_eq!((of.of.as_deref(), of.filter.as_deref()), (Some("i * i"), Some("i % 2 == 0")));
        assert_eq!(of.workers, Some(3), "as the batch says");
        assert_eq!(request("tally sum -5..5 --workers 1").workers, Some(1), "as the line says");
        assert_eq!(request("factorial 5").sources, ["1..=5"]);
        assert_eq!(request("reduce sum,min 0..10").reductions, ["sum", "min"]);
    }

    #[test]
    fn lines_that_say_nothing_are_passed_over() {
        assert_eq!(read(&["", "  ", "# sum 0..10"]), [Ok(None), Ok(None), Ok(None)]);
    }

    #[test]
    fn the_first_line_decides_what_lines_are() {
        let json = r#"{"reductions": ["sum", "max"], "sources": ["0..10"], "of": "i*i"}"#;
        let both = read(&[json, "sum 0..10"]);
        let task = both[0].clone().unwrap().unwrap();
        assert_eq!((task.spec.request.of.as_deref(), task.names), (Some("i*i"), true));
        assert_eq!(both[1], Err("it is no JSON object of a job, as the first line is".to_owned()));
        assert!(read(&["sum 0..10", json])[1].is_err());
    }

    #[test]
    fn a_mark_in_front_of_the_first_line_is_passed_over() {
        assert_eq!(request("\u{feff}sum 0..10").sources, ["0..10"]);
        assert_eq!(request("\u{feff}{\"reductions\":[\"sum\"],\"sources\":[\"0..5\"]}").sources, ["0..5"]);
        let second = read(&["sum 0..1", "\u{feff}sum 0..1"]).remove(1);
        assert!(second.is_err(), "it is a part of the text everywhere else");
    }

    #[test]
    fn what_is_no_job_is_told_with_what_a_batch_takes() {
        let why = |line: &str| read(&[line]).remove(0).unwrap_err();
        let takes = "a batch takes sum, product, min, max, count, mean, variance, stddev, reduce, factorial";
        assert_eq!(why("jobs"), format!("could not run 'jobs': {takes}"));
        assert_eq!(why("tally wait j1"), format!("could not run 'wait': {takes}"));
        assert_eq!(why("0..100"), format!("could not run '0..100': {takes}"));
        assert_eq!(why("zebra"), format!("could not run 'zebra': {takes}"));
        for line in ["--help", "tally --help", "sum 0..10 --help"] {
            assert_eq!(why(line), format!("could not use --help on a line: {takes}"), "{line}");
        }
        assert_eq!(why("smu 0..10"), "could not run 'smu': no such command; did you mean 'sum'?");
    }

    #[test]
    fn what_a_line_may_not_ask_is_named() {
        let why = |line: &str| read(&[line]).remove(0).unwrap_err();
        assert!(why("sum 0..10 --of 'i").contains("a quote is open"), "{}", why("sum 0..10 --of 'i"));
        assert_eq!(why("sum 0..x"), "could not read the range '0..x': 'x' is not an integer");
        assert!(why("jobs").contains("'jobs'"), "{}", why("jobs"));
        for option in
            ["--detach", "--local", "--mode inline", "--progress json", "--json", "-q", "--color=never"]
        {
            let why = why(&format!("sum 0..10 {option}"));
            assert!(why.contains(option.split(' ').next().unwrap()), "{why}");
        }
        assert_eq!(why("sum -"), "could not read '-': standard input is the batch's own");
        assert!(why(r#"{"reductions":["sum"],"sources":["0..1"],"detach":true}"#).contains("'detach'"));
        assert!(why(r#"{"reductions":["sum"],"sorces":["0..1"]}"#).contains("sorces"));
        assert!(why(r#"{"reductions":["sum"]"#).contains("JSON"));
    }
}
