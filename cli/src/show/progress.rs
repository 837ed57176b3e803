//! Progress on standard error: a bar on a terminal, plain lines elsewhere, or JSON lines.
//!
//! A bar comes after half a second, changes at most ten times a second and is erased at the end. Lines come on a
//! widening schedule, so that a log is not flooded. Standard output is never touched.

use std::io;

use tally_protocol::ids::JobId;
use tally_protocol::job::JobState;
use tally_protocol::view::JobView;
use tally_protocol::{limits, spoken};
use tally_sys::tty;

use super::beacon::{Beacon, write_beside};
use super::json::Document;
use super::{glyphs, number};
use crate::args::values::ProgressWhen;
use crate::terminal::{Bar, Terminal};

/// A bar for a shorter time only flickers.
const BAR_AFTER_NS: u64 = 500_000_000;
/// JSON lines are at least this far apart while the state stays the same. Just under the tenth of a second at
/// which a supervisor reports, so that none of its reports is left out.
const JSON_EVERY_NS: u64 = 90_000_000;
/// Columns of the bar itself at the most, and how many it must have to be one.
const BAR_COLUMNS: usize = 24;
const BAR_COLUMNS_MIN: usize = 8;
/// Columns left free at the end: what the terminal echoes, `^C`, must not wrap, or the bar could not be erased.
const FREE_COLUMNS: usize = 4;
/// At least so long between two redraws.
const BAR_EVERY_NS: u64 = 100_000_000;
/// To the begin of the line, and nothing in it.
const ERASE: &str = "\r\x1b[2K";
/// When plain lines come, in seconds; after the last, as far apart as the last two.
const LINES_AT_S: [u64; 6] = [5, 10, 30, 60, 120, 300];
/// The distance of later lines.
const LINES_EVERY_S: u64 = 300;

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// The job; none in this very process.
    pub(crate) job: Option<JobId>,
    pub(crate) state: JobState,
    pub(crate) done: u64,
    /// In all: elements of ranges, bytes of files.
    pub(crate) elements: u64,
    /// Elements of files, as far as they are folded.
    pub(crate) folded: Option<u64>,
    /// Whether it is bytes that are counted.
    pub(crate) bytes: bool,
    pub(crate) rate_per_s: Option<u64>,
    pub(crate) eta_ms: Option<u64>,
    pub(crate) workers: u64,
    pub(crate) retries: u64,
    pub(crate) elapsed_ms: u64,
    /// It has begun, and no worker has anything of it now.
    pub(crate) waits: bool,
}

/// Whether a job that runs waits for a worker: others have them all, or there is none.
pub(crate) fn waits(job: &JobView) -> bool {
    job.state == JobState::Running && job.rate_per_s == Some(0) && job.partitions.leased == 0
}

impl Step {
    /// As the supervisor tells it.
    pub(crate) fn of(job: &JobView) -> Self {
        Self {
            job: Some(job.job),
            state: job.state,
            done: job.bytes_done.as_ref().unwrap_or(&job.elements_done).parse().unwrap_or(0),
            elements: job.bytes.as_ref().unwrap_or(&job.elements).parse().unwrap_or(0),
            folded: job.bytes.as_ref().and_then(|_| job.elements_done.parse().ok()),
            bytes: job.bytes.is_some(),
            rate_per_s: job.rate_per_s,
            eta_ms: job.eta_ms,
            workers: u64::try_from(job.workers.len()).unwrap_or(u64::MAX),
            retries: job.retries,
            elapsed_ms: job.elapsed_ms,
            waits: waits(job),
        }
    }

    pub(crate) fn percent(&self) -> u64 {
        number::percent(self.done, self.elements)
    }

    /// `812 M/s eta 31s`, as far as it is known.
    fn pace(&self) -> String {
        let rate = self.rate_per_s.filter(|_| !self.waits);
        let rate = rate.map(if self.bytes { number::byte_rate } else { number::rate });
        let eta = self.eta_ms.map(|ms| format!("eta {}", number::eta(ms)));
        let state = match self.state {
            JobState::Running => self.waits.then(|| "waiting".to_owned()),
            other => Some(other.to_string()),
        };
        [state, rate, eta].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    fn line(&self) -> String {
        format!("tally: {}% {}", self.percent(), self.pace()).trim_end().to_owned() + "\n"
    }

    /// What stands beside the bar, what matters most first, each with what parts it from the one before.
    fn beside_bar(&self) -> Vec<String> {
        let amount = if self.bytes { number::byte_amount } else { number::amount };
        let mut parts = vec![
            format!("{:>3}%", self.percent()),
            format!(" {} of {}", amount(self.done), amount(self.elements)),
        ];
        if let Some(folded) = self.folded {
            parts.push(format!(", {} elements", number::amount(folded)));
        }
        let pace = self.pace();
        if !pace.is_empty() {
            parts.push(format!("  {pace}"));
        }
        if self.workers > 0 {
            parts.push(format!("  {}", number::counted(self.workers, "worker")));
        }
        match self.retries {
            0 => {}
            1 => parts.push("  1 retry".to_owned()),
            many => parts.push(format!("  {many} retries")),
        }
        parts
    }

    fn json(&self) -> String {
        let document =
            Document::new("tally.progress/1").maybe("job", self.job.as_ref()).value("state", &self.state);
        let (all, done) = if self.bytes { ("bytes", "bytes_done") } else { ("elements", "elements_done") };
        document
            .value(all, &self.elements.to_string())
            .value(done, &self.done.to_string())
            .value("percent", &self.percent())
            .maybe("rate_per_s", self.rate_per_s.as_ref())
            .maybe("eta_ms", self.eta_ms.as_ref())
            .value("workers", &self.workers)
            .value("retries", &self.retries)
            .value("elapsed_ms", &self.elapsed_ms)
            .line()
    }
}

/// The progress of one job, as it is shown. Dropping it erases the bar.
#[derive(Debug)]
pub(crate) struct Progress {
    how: How,
    begun_ns: u64,
    last: Option<Step>,
    /// A command that lives on has to answer a line with a line: what is told of one that has answered none for long.
    answers: Option<Silence>,
}

/// How long nothing has been answered.
#[derive(Debug, Default)]
struct Silence {
    since_ns: Option<u64>,
}

impl Silence {
    fn due_ns(&self) -> Option<u64> {
        Some(self.since_ns?.saturating_add(limits::COMMAND_SILENT_MS * 1_000_000))
    }
}

#[derive(Debug)]
enum How {
    Silent,
    Json { next_ns: u64 },
    Lines { shown: usize },
    Bar { ascii: bool, drawn_ns: Option<u64>, beacon: Beacon },
}

impl Progress {
    pub(crate) fn new(when: ProgressWhen, quiet: bool, terminal: &Terminal<'_>, now_ns: u64) -> Self {
        let bar = |ascii| How::Bar { ascii, drawn_ns: None, beacon: Beacon::new(terminal.understood()) };
        let how = match (when, terminal.bar()) {
            (ProgressWhen::Json, _) => How::Json { next_ns: 0 },
            (ProgressWhen::Never, _) | (ProgressWhen::Auto, Bar::None) => How::Silent,
            (ProgressWhen::Auto, _) if quiet => How::Silent,
            (ProgressWhen::Always, Bar::None) => How::Lines { shown: 0 },
            (ProgressWhen::Auto | ProgressWhen::Always, Bar::Plain) => bar(true),
            (ProgressWhen::Auto | ProgressWhen::Always, Bar::Blocks) => bar(false),
        };
        Self { how, begun_ns: now_ns, last: None, answers: None }
    }

    /// The same for a job whose command lives on, if it does.
    pub(crate) fn of_command(mut self, lives_on: bool) -> Self {
        let is_seen = matches!(self.how, How::Lines { .. } | How::Bar { .. });
        self.answers = (lives_on && is_seen).then(Silence::default);
        self
    }

    /// The job is this far now.
    pub(crate) fn step(&mut self, now_ns: u64, step: Step, terminal: &mut Terminal<'_>) {
        let before = self.last.replace(step);
        match &mut self.answers {
            Some(silence) if step.done == 0 && step.state == JobState::Running && !step.waits => {
                silence.since_ns = silence.since_ns.or(Some(now_ns))
            }
            Some(Silence { since_ns: Some(_) }) => self.answers = None,
            Some(_) | None => {}
        }
        if let How::Json { next_ns } = &mut self.how
            && (now_ns >= *next_ns || before.is_some_and(|before| before.state != step.state))
        {
            terminal.error(&step.json());
            *next_ns = now_ns.saturating_add(JSON_EVERY_NS);
        }
        self.tick(now_ns, terminal);
    }

    /// The job has ended like this: lines for programs have a last one that says so.
    pub(crate) fn end(&mut self, step: Step, terminal: &mut Terminal<'_>) {
        self.clear();
        // What failed may have lost count.
        let done = self.last.map_or(step.done, |last| last.done.max(step.done));
        let step = Step { done, ..step };
        if let How::Json { .. } = self.how {
            terminal.error(&Step { rate_per_s: None, eta_ms: None, ..step }.json());
        }
    }

    /// The job ends because somebody interrupts whoever watches it.
    pub(crate) fn cut(&mut self, terminal: &mut Terminal<'_>) {
        match self.last {
            Some(last) => self.end(Step { state: JobState::Cancelled, ..last }, terminal),
            None => self.clear(),
        }
    }

    /// Shows what is due.
    pub(crate) fn tick(&mut self, now_ns: u64, terminal: &mut Terminal<'_>) {
        let Some(step) = self.last else { return };
        if self.answers.as_ref().and_then(Silence::due_ns).is_some_and(|due| now_ns >= due) {
            self.answers = None;
            self.clear();
            let told = spoken::silent_command(limits::COMMAND_SILENT_MS);
            terminal.note(&format!("tally: note: {told}\n"));
        }
        let elapsed_ns = now_ns.saturating_sub(self.begun_ns);
        match &mut self.how {
            How::Silent | How::Json { .. } => {}
            How::Lines { shown } => {
                if elapsed_ns >= line_at_ns(*shown) {
                    terminal.error(&step.line());
                    // Lines that were missed, while the process was stopped perhaps, are not made up for.
                    while line_at_ns(*shown) <= elapsed_ns {
                        *shown += 1;
                    }
                }
            }
            How::Bar { ascii, drawn_ns, beacon } => {
                let due = drawn_ns.map_or(BAR_AFTER_NS, |drawn| drawn.saturating_add(BAR_EVERY_NS));
                if elapsed_ns >= due {
                    let columns = tty::size(io::stderr()).map(|size| size.columns);
                    write_beside(&format!("{ERASE}{}", bar_line(&step, columns, *ascii)));
                    beacon.show(&step);
                    *drawn_ns = Some(elapsed_ns);
                }
            }
        }
    }

    /// When `tick` has something to show though no step came, on the monotonic clock.
    pub(crate) fn due_ns(&self) -> Option<u64> {
        let hint = self.answers.as_ref().and_then(Silence::due_ns);
        let drawn = match (&self.how, self.last) {
            (How::Lines { shown }, Some(_)) => Some(self.begun_ns.saturating_add(line_at_ns(*shown))),
            (How::Bar { drawn_ns: None, .. }, Some(_)) => Some(self.begun_ns.saturating_add(BAR_AFTER_NS)),
            (How::Silent | How::Json { .. } | How::Lines { .. } | How::Bar { .. }, _) => None,
        };
        drawn.into_iter().chain(hint).min()
    }

    /// How far the job was at the last step.
    pub(crate) fn percent(&self) -> u64 {
        self.last.map_or(0, |step| step.percent())
    }

    /// Erases the bar.
    pub(crate) fn clear(&mut self) {
        if let How::Bar { drawn_ns, beacon, .. } = &mut self.how {
            if drawn_ns.take().is_some() {
                write_beside(ERASE);
            }
            beacon.clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The bar and what is beside it, no wider than the terminal: a narrow one has a short bar, a very narrow one has none.
fn bar_line(step: &Step, columns: Option<u16>, ascii: bool) -> String {
    let all = step.elements.max(1);
    let per_mille = u64::try_from(u128::from(step.done.min(all)) * 1_000 / u128::from(all)).unwrap_or(1_000);
    let room = usize::from(columns.unwrap_or(80)).saturating_sub(FREE_COLUMNS);
    let width = BAR_COLUMNS.min(room / 3);
    if width < BAR_COLUMNS_MIN {
        return fitting(&step.beside_bar(), room).trim_start().to_owned();
    }
    format!("{} {}", glyphs::bar(per_mille, width, ascii), fitting(&step.beside_bar(), room - width - 1))
}

/// The first parts of what stands beside the bar that there is room for. They are ASCII.
fn fitting(parts: &[String], room: usize) -> String {
    let mut text = String::new();
    for part in parts {
        if text.len() + part.len() > room {
            break;
        }
        text.push_str(part);
    }
    text
}

/// After how long the n-th line comes.
fn line_at_ns(n: usize) -> u64 {
    let beyond = n.saturating_sub(LINES_AT_S.len() - 1);
    let beyond = u64::try_from(beyond).unwrap_or(u64::MAX).saturating_mul(LINES_EVERY_S);
    let at_s = LINES_AT_S.get(n).copied().unwrap_or(LINES_AT_S[LINES_AT_S.len() - 1].saturating_add(beyond));
    at_s.saturating_mul(1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake;

    const S: u64 = 1_000_000_000;

    fn step() -> Step {
        Step {
            rate_per_s: Some(812_000_000),
            eta_ms: Some(31_000),
            workers: 2,
            ..Step::of(&fake::job_running())
        }
    }

    fn shown(when: ProgressWhen, quiet: bool, at_s: &[u64]) -> String {
        let mut err = Vec::new();
        let mut terminal = Terminal::to(io::sink(), &mut err);
        let mut progress = Progress::new(when, quiet, &terminal, 7 * S);
        for s in at_s {
            progress.step((7 + s) * S, step(), &mut terminal);
        }
        drop(terminal);
        String::from_utf8(err).unwrap()
    }

    #[test]
    fn off_a_terminal_nothing_is_shown_by_itself() {
        assert_eq!(shown(ProgressWhen::Auto, false, &[1, 100]), "");
        assert_eq!(shown(ProgressWhen::Never, false, &[1, 100]), "");
    }

    #[test]
    fn lines_come_on_a_widening_schedule() {
        let line = "tally: 50% 812 M/s eta 31s\n";
        assert_eq!(shown(ProgressWhen::Always, false, &[1, 4]), "");
        assert_eq!(shown(ProgressWhen::Always, false, &[5, 6, 7, 8, 9]), line);
        assert_eq!(shown(ProgressWhen::Always, true, &[5, 10, 11, 29]), line.repeat(2));
        assert_eq!(shown(ProgressWhen::Always, false, &[40, 50, 59, 60]), line.repeat(2));
        let seconds: Vec<u64> = (0..=1_200).collect();
        assert_eq!(shown(ProgressWhen::Always, false, &seconds), line.repeat(9));
    }

    #[test]
    fn a_command_that_answers_nothing_is_asked_about_once() {
        let hint = "tally: note: its command was given a line 5s ago and has not answered it";
        let told = |done_at_3_s: u64| {
            let mut err = Vec::new();
            let mut terminal = Terminal::to(io::sink(), &mut err);
            let mut progress = Progress::new(ProgressWhen::Always, false, &terminal, 0).of_command(true);
            progress.step(S, Step { done: 0, ..step() }, &mut terminal);
            assert_eq!(progress.due_ns(), Some(5 * S), "the first line");
            progress.step(3 * S, Step { done: done_at_3_s, ..step() }, &mut terminal);
            progress.tick(5 * S, &mut terminal);
            assert_eq!(progress.due_ns(), Some(if done_at_3_s == 0 { 6 * S } else { 10 * S }));
            (6..9).for_each(|s| progress.tick(s * S, &mut terminal));
            drop(terminal);
            drop(progress);
            String::from_utf8(err).unwrap()
        };
        assert_eq!(told(0).matches(hint).count(), 1, "{}", told(0));
        assert!(!told(1).contains(hint));
    }

    #[test]
    fn what_is_beside_the_bar_leaves_room_for_an_echo() {
        for (columns, line) in [
            (80, "############............  50% 5 of 10  812 M/s eta 31s  2 workers"),
            (60, "#########.........  50% 5 of 10  812 M/s eta 31s"),
            (40, "######......  50% 5 of 10"),
            (30, "####....  50% 5 of 10"),
            (20, "50% 5 of 10"),
            (8, "50%"),
            (7, ""),
        ] {
            assert_eq!(bar_line(&step(), Some(columns), true), line, "{columns}");
        }
        assert_eq!(bar_line(&step(), None, true), bar_line(&step(), Some(80), true));
        for columns in 0..200 {
            let drawn = bar_line(&step(), Some(columns), false).chars().count();
            assert!(drawn <= usize::from(columns).saturating_sub(4), "{columns}");
        }
    }

    #[test]
    fn the_next_line_is_known_beforehand() {
        let mut terminal = Terminal::to(io::sink(), io::sink());
        let mut progress = Progress::new(ProgressWhen::Always, false, &terminal, 7 * S);
        assert_eq!(progress.due_ns(), None);
        progress.step(8 * S, step(), &mut terminal);
        assert_eq!(progress.due_ns(), Some(12 * S));
        progress.tick(12 * S, &mut terminal);
        assert_eq!(progress.due_ns(), Some(17 * S));
        assert_eq!(progress.percent(), 50);
    }

    #[test]
    fn json_lines_come_at_most_ten_times_a_second() {
        let line = "{\"schema\":\"tally.progress/1\",\"job\":\"j1\",\"state\":\"running\",\"elements\":\"10\",\"elements_done\":\"5\",\"percent\":50,\"rate_per_s\":812000000,\"eta_ms\":31000,\"workers\":2,\"retries\":0,\"elapsed_ms\":250}\n";
        assert_eq!(shown(ProgressWhen::Json, true, &[0, 0, 1, 1, 2]), line.repeat(3));
        let mut err = Vec::new();
        let mut terminal = Terminal::to(io::sink(), &mut err);
        let mut progress = Progress::new(ProgressWhen::Json, false, &terminal, 0);
        for state in [JobState::Queued, JobState::Running, JobState::Running, JobState::Paused] {
            progress.step(0, Step { state, ..step() }, &mut terminal);
        }
        drop(terminal);
        assert_eq!(String::from_utf8(err).unwrap().lines().count(), 3, "a change of state is always told");
    }

    #[test]
    fn the_last_line_for_programs_says_how_it_ended() {
        let told = |when| {
            let mut err = Vec::new();
            let mut terminal = Terminal::to(io::sink(), &mut err);
            let mut progress = Progress::new(when, false, &terminal, 0);
            progress.step(0, step(), &mut terminal);
            progress.end(Step { state: JobState::Failed, ..step() }, &mut terminal);
            drop(progress);
            drop(terminal);
            String::from_utf8(err).unwrap()
        };
        let lines = told(ProgressWhen::Json);
        let last = lines.lines().last().unwrap();
        assert!(last.contains("\"state\":\"failed\"") && !last.contains("rate_per_s"), "{lines}");
        assert_eq!(told(ProgressWhen::Always), "");
        let mut err = Vec::new();
        let mut terminal = Terminal::to(io::sink(), &mut err);
        let mut progress = Progress::new(ProgressWhen::Json, false, &terminal, 0);
        progress.cut(&mut terminal);
        progress.step(0, step(), &mut terminal);
        progress.cut(&mut terminal);
        drop(progress);
        drop(terminal);
        let lines = String::from_utf8(err).unwrap();
        assert!(lines.lines().count() == 2 && lines.contains("\"state\":\"cancelled\""), "{lines}");
    }

    #[test]
    fn unknown_pace_is_left_out() {
        let step = Step { rate_per_s: None, eta_ms: None, ..step() };
        assert_eq!(step.line(), "tally: 50%\n");
        let paused = Step { state: JobState::Paused, retries: 1, ..step };
        assert_eq!(paused.beside_bar().concat(), " 50% 5 of 10  paused  2 workers  1 retry");
        let file = Step { bytes: true, done: 1_500_000, elements: 3_000_000, folded: Some(70_123), ..paused };
        assert_eq!(
            file.beside_bar().concat(),
            " 50% 1.50 MB of 3.00 MB, 70.1 k elements  paused  2 workers  1 retry"
        );
        assert_eq!(paused.line(), "tally: 50% paused\n");
        let waiting = Step { waits: true, rate_per_s: Some(0), ..step };
        assert_eq!(waiting.line(), "tally: 50% waiting\n");
    }
}
