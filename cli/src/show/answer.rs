//! The end of a job: its answer on standard output, or why there is none on standard error.

use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::job::JobState;
use tally_protocol::view::JobView;

use super::{breakdown, json};
use crate::exit_code;
use crate::meaning::Style;
use crate::report;
use crate::terminal::Terminal;

/// Shows an ended job and returns the exit code of its outcome.
///
/// `names` puts the reduction's name and a tab before each answer, as `reduce` does. `elapsed_ns` is what
/// `--verbose` tells as the time; the job's own when absent.
pub(crate) fn show(
    terminal: &mut Terminal<'_>,
    job: &JobView,
    names: bool,
    style: Style,
    elapsed_ns: Option<u64>,
) -> Result<u8, Failure> {
    if style.verbose {
        let elapsed_ns = elapsed_ns.unwrap_or_else(|| job.elapsed_ms.saturating_mul(1_000_000));
        terminal.error(&breakdown::text(job, elapsed_ns));
    }
    if style.json {
        terminal.answer(&json::result(job))?;
    }
    if job.state != JobState::Done {
        report::failure(terminal, &failure_of(job), style.json);
    } else if !style.json {
        terminal.answer(&lines(job, names))?;
        if !style.quiet {
            terminal.error(&notes(job).concat());
        }
    }
    Ok(exit_code::of_job(job))
}

/// The answers, one a line.
pub(crate) fn lines(job: &JobView, names: bool) -> String {
    let line =
        |name: &str, value: &str| if names { format!("{name}\t{value}\n") } else { format!("{value}\n") };
    let Some(groups) = &job.groups else {
        return job.results.iter().map(|result| line(&result.reduction, &result.value)).collect();
    };
    let mut text = String::new();
    for group in groups {
        let key: Vec<String> = group.key.iter().map(|part| escaped(part)).collect();
        let key = key.join("\t");
        for result in &group.results {
            text.push_str(&format!("{key}\t{}", line(&result.reduction, &result.value)));
        }
    }
    text
}

/// A part of a key on one line and in one column: a tab, a line end and a backslash are written `\\t`, `\\n`, `\\r`, `\\\\`.
fn escaped(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    for character in part.chars() {
        match character {
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\\' => text.push_str("\\\\"),
            other => text.push(other),
        }
    }
    text
}

/// What the answer is not of, and what was made a NaN: a line for each.
pub(crate) fn notes(job: &JobView) -> Vec<String> {
    let files = job.bytes.is_some();
    let note = |count: &Option<String>, what: &str, done: &str| {
        let count = count.as_deref()?;
        let (plural, were) = if count == "1" { ("", "was") } else { ("s", "were") };
        Some(format!("note: {} {what}{plural} {were} {done}\n", super::number::grouped(count)))
    };
    let left_out = note(&job.skipped, if files { "row" } else { "element" }, "left out");
    let made_nan = note(&job.made_nan, if files { "bad value" } else { "element" }, "taken for NaN");
    left_out.into_iter().chain(made_nan).collect()
}

/// Why a job has no answer, as the first line of an error says it.
pub(crate) fn failure_of(job: &JobView) -> Failure {
    let id = job.job;
    let mut failure = job.error.clone().unwrap_or_else(|| match job.state {
        JobState::Cancelled => Failure::new(ErrorCode::Cancelled, "it was cancelled"),
        JobState::TimedOut => Failure::new(ErrorCode::TimedOut, "its deadline passed"),
        JobState::Failed => Failure::new(ErrorCode::Internal, "it failed, and nobody knows why"),
        JobState::Queued | JobState::Running | JobState::Paused | JobState::Done => {
            Failure::new(ErrorCode::NotEnded, format!("it is {}", job.state))
        }
    });
    if let Some(rest) = failure.message.strip_prefix(&format!("{id} ")) {
        failure.message = format!("it {rest}");
    }
    report::about(&format!("finish {id}"), failure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake;

    fn shown(job: &JobView, names: bool, style: Style) -> (u8, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = show(&mut Terminal::to(&mut out, &mut err), job, names, style, None).unwrap();
        (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn an_answer_is_alone_on_standard_output() {
        let job = fake::job_done("sum", "45");
        assert_eq!(shown(&job, false, Style::default()), (0, "45\n".into(), String::new()));
        assert_eq!(shown(&job, true, Style::default()), (0, "sum\t45\n".into(), String::new()));
    }

    #[test]
    fn verbose_leaves_standard_output_alone() {
        let style = Style { verbose: true, ..Style::default() };
        let (code, out, err) = shown(&fake::job_done("sum", "45"), false, style);
        assert_eq!((code, out.as_str()), (0, "45\n"));
        assert!(err.ends_with("time=0.2500sec total=45\n"), "{err}");
    }

    #[test]
    fn a_failed_job_names_itself_once() {
        let failure =
            Failure::new(ErrorCode::WorkerKilled, "range 5..6 killed 3 workers (killed by SIGKILL)");
        let (code, out, err) = shown(&fake::job_failed(failure), false, Style::default());
        let expected = "tally: could not finish j1: range 5..6 killed 3 workers (killed by SIGKILL)\n";
        assert_eq!((code, out.as_str(), err.as_str()), (1, "", expected));
        let mut job = fake::job_failed(Failure::new(ErrorCode::TimedOut, "j1 passed its deadline of 5 ms"));
        job.state = JobState::TimedOut;
        let (code, _, err) = shown(&job, false, Style::default());
        assert_eq!((code, err.as_str()), (5, "tally: could not finish j1: it passed its deadline of 5 ms\n"));
    }

    #[test]
    fn json_has_its_keys_in_order() {
        let style = Style { json: true, ..Style::default() };
        let mut job = fake::job_done("sum", "45");
        job.workers = vec![fake::share(0, &[], "10", &[])];
        let expected = "{\"schema\":\"tally.result/1\",\"job\":\"j1\",\"state\":\"done\",\"results\":[{\"reduction\":\"sum\",\"type\":\"integer\",\"value\":\"45\"}],\"elements\":\"10\",\"elapsed_ms\":250,\"workers\":[{\"slot\":0,\"pid\":100,\"partitions\":1,\"elements\":\"10\",\"busy_ms\":250}],\"retries\":0,\"transport\":\"shm\",\"mode\":\"processes\"}\n";
        assert_eq!(shown(&job, true, style), (0, expected.into(), String::new()));
        let job = fake::job_failed(Failure::new(ErrorCode::KernelFailed, "why"));
        let (code, out, err) = shown(&job, false, style);
        assert!(out.ends_with("\"mode\":\"processes\",\"error\":{\"code\":\"kernel-failed\",\"message\":\"could not finish j1: why\",\"exit\":1}}\n"), "{out}");
        assert!(out.contains("\"state\":\"failed\",\"results\":[],"), "{out}");
        let told = "{\"schema\":\"tally.error/1\",\"error\":{\"code\":\"kernel-failed\",\"message\":\"could not finish j1: why\",\"exit\":1}}\n";
        assert_eq!((code, err.as_str()), (1, told), "errors go to standard error, whatever the form");
    }

    #[test]
    fn in_process_modes_have_no_transport() {
        let style = Style { json: true, ..Style::default() };
        let job = JobView { mode: "threads".into(), ..fake::job_done("sum", "45") };
        let (_, out, _) = shown(&job, false, style);
        assert!(out.ends_with("\"retries\":0,\"mode\":\"threads\"}\n"), "{out}");
    }
}
