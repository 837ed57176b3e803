//! The picture of the whole: head, jobs, what stands under them, one line for keys. Pure: what is known and what the user
//! looks at become a frame of any size.

use std::collections::BTreeSet;

use tally_protocol::job::JobState;
use tally_protocol::top::TopJob;
use tally_sys::tty::Size;

use super::cells::{Frame, Look};
use super::grid::Grid;
use super::model::Model;
use super::ui::{Mode, Pane, Ui};
use super::{detail, panes};
use crate::show::table::Side;
use crate::show::{glyphs, number};

/// How the rows of the screen are shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Rows of the plot of throughput.
    pub(crate) plot: usize,
    /// Lines of jobs.
    pub(crate) jobs: usize,
    /// Lines of what stands under them; none where there is no room for its title either.
    pub(crate) pane: usize,
}

/// Two lines of figures, the header of the jobs, the line for keys.
const AROUND: usize = 4;

pub(crate) fn layout(size: Size, model: &Model, ui: &Ui) -> Layout {
    let rows = usize::from(size.rows);
    let plot = match rows {
        0..16 => 0,
        16..40 => 1,
        _ => 4,
    };
    let free = rows.saturating_sub(AROUND + plot);
    // Its title, its header, and at least one line of each.
    if free < 6 {
        return Layout { plot, jobs: free, pane: 0 };
    }
    let free = free - 2;
    let jobs = usize::try_from(model.top.matched).unwrap_or(usize::MAX).clamp(1, free);
    let pane = panes::lines(model, ui.pane).clamp(1, (free / 2).max(free - jobs));
    Layout { plot, jobs: free - pane, pane }
}

/// The picture.
pub(crate) fn draw(model: &Model, ui: &Ui, size: Size, ascii: bool) -> Frame {
    let mut frame = Frame::new(size, ascii);
    let last = frame.rows().saturating_sub(1);
    match &ui.mode {
        Mode::Help => help(&mut frame),
        Mode::Detail(job) => detail::draw(&mut frame, model, *job, ui.scrolled, ascii),
        Mode::List | Mode::Filter(_) | Mode::Confirm(_) => {
            let layout = layout(size, model, ui);
            head(&mut frame, model);
            plot(&mut frame, model, layout.plot, ascii);
            jobs(&mut frame, model, ui, 2 + layout.plot, layout.jobs, ascii);
            if layout.pane > 0 {
                let row = 3 + layout.plot + layout.jobs;
                panes::draw(&mut frame, model, ui, row, layout.pane);
            }
        }
    }
    foot(&mut frame, model, ui, last);
    frame
}

pub(super) fn head(frame: &mut Frame, model: &Model) {
    let width = frame.columns();
    let status = &model.top.status;
    let mut first = format!("tally {}  up {}", status.version, number::duration(status.uptime_ms));
    first.push_str(&format!("  {} of {} workers", status.workers, status.slots));
    first.push_str(&format!("  {}", status.phase));
    if let Some(socket) = &status.socket {
        first.push_str(&format!("  {socket}"));
    }
    frame.put(0, 0, width, Look::Bold, &first);
    let mut figures = Vec::new();
    if let Some((load, bytes)) = model.totals() {
        figures.push(format!("cpu {load}%"));
        figures.push(format!("mem {}", number::bytes(bytes)));
    }
    figures.push(format!("{} running, {} queued, {} paused", status.running, status.queued, status.paused));
    figures.push(format!("restarts {}", number::grouped(&status.restarts.to_string())));
    if model.top.byte_rate_per_s > 0 {
        figures.push(number::byte_rate(model.top.byte_rate_per_s));
    }
    if model.top.rate_per_s > 0 || model.top.byte_rate_per_s == 0 {
        figures.push(number::rate(model.top.rate_per_s));
    }
    match &status.store_error {
        Some(why) => frame.put(1, 0, width, Look::Bad, &format!("the store refuses records: {why}")),
        None => frame.put(1, 0, width, Look::Plain, &figures.join("  ")),
    }
}

fn plot(frame: &mut Frame, model: &Model, rows: usize, ascii: bool) {
    let width = frame.columns();
    let rates: Vec<u64> = model.rates.iter().copied().collect();
    for (row, line) in glyphs::sparks(&rates, width, rows.max(1), ascii).iter().take(rows).enumerate() {
        frame.put(2 + row, 0, width, Look::Good, line);
    }
    let most = rates[rates.len().saturating_sub(width)..].iter().copied().max().unwrap_or(0);
    if rows > 1 && most > 0 {
        let rate = if model.top.byte_rate_per_s > model.top.rate_per_s {
            number::byte_rate(most)
        } else {
            number::rate(most)
        };
        frame.put(2, 0, width, Look::Dim, &format!("{rate} at the most"));
    }
}

pub(super) fn jobs(frame: &mut Frame, model: &Model, ui: &Ui, row: usize, lines: usize, ascii: bool) {
    let width = frame.columns();
    let users: BTreeSet<u32> = model.top.jobs.iter().map(|job| job.uid).collect();
    let bar = match width {
        0..70 => 0,
        70..100 => 6,
        100..140 => 12,
        _ => 24,
    };
    let grid = Grid::new(
        1,
        &[
            (true, ("JOB", 7, Side::Left)),
            (width >= 100 || users.len() > 1 && width >= 60, ("USER", 8, Side::Left)),
            (true, ("STATE", 9, Side::Left)),
            (bar > 0, ("", bar, Side::Left)),
            (true, ("DONE", 4, Side::Right)),
            (width >= 50, ("RATE", 9, Side::Right)),
            (width >= 60, ("ETA", 8, Side::Right)),
            (width >= 100, ("AGE", 8, Side::Right)),
            (width >= 90, ("WRK", 4, Side::Right)),
            (width >= 120, ("PRI", 4, Side::Right)),
            (width >= 70, ("RTY", 3, Side::Right)),
            (true, ("WHAT", 0, Side::Left)),
        ],
    );
    grid.header(frame, row);
    sorted_by(frame, model, ui, row);
    for (at, job) in model.top.jobs.iter().take(lines).enumerate() {
        let row = row + 1 + at;
        let done = permille(job);
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        // As `progress::waits`: who has a lease of it is a worker of it, and here only those are told.
        let waits = job.state == JobState::Running && job.workers == 0 && job.rate_per_s == Some(0);
        let state = if waits { "waiting".to_owned() } else { job.state.to_string() };
        let rate =
            job.rate_per_s.filter(|_| !waits).map(if job.bytes { number::byte_rate } else { number::rate });
        let cells = [
            ("JOB", Look::Plain, job.job.to_string()),
            ("USER", Look::Plain, model.user(job.uid)),
            ("STATE", look_of(job.state), state),
            ("", Look::Plain, glyphs::bar(done, bar, ascii)),
            ("DONE", Look::Plain, format!("{}%", done / 10)),
            ("RATE", Look::Plain, or_none(rate)),
            ("ETA", Look::Plain, or_none(job.eta_ms.map(number::eta))),
            ("AGE", Look::Plain, number::duration(job.elapsed_ms)),
            ("WRK", Look::Plain, job.workers.to_string()),
            ("PRI", Look::Plain, job.priority.to_string()),
            ("RTY", if job.retries > 0 { Look::Warn } else { Look::Plain }, job.retries.to_string()),
            ("WHAT", Look::Plain, job.what.clone()),
        ];
        grid.row(frame, row, cells);
        if at == ui.cursor {
            frame.tint(row, Look::Selected);
            frame.put(row, 0, 1, Look::Selected, ">");
        }
    }
    if model.top.jobs.is_empty() {
        let text = match (model.seen, ui.query.filter.is_empty(), ui.query.all) {
            (false, ..) => "asking the daemon",
            (true, false, _) => "no job has this in it",
            (true, true, true) => "no jobs",
            (true, true, false) => "no open jobs",
        };
        frame.put(row + 1, 1, width.saturating_sub(1), Look::Dim, text);
    }
}

/// What the jobs are sorted by, what is left out, and where the page is, at the end of their header.
fn sorted_by(frame: &mut Frame, model: &Model, ui: &Ui, row: usize) {
    let query = &ui.query;
    let mut words =
        vec![format!("by {}{}", query.sort.name(), if query.reverse { ", reversed" } else { "" })];
    if query.own {
        words.push("own".to_owned());
    }
    if query.all {
        words.push("all".to_owned());
    }
    let count = model.top.jobs.len() as u64;
    if model.top.matched > count && count > 0 {
        let first = query.offset + 1;
        let more = if model.top.cut_off { "+" } else { "" };
        let all = number::grouped(&model.top.matched.to_string());
        words.push(format!("{first}-{} of {all}{more}", query.offset + count));
    }
    let text = format!(" {}", words.join(", "));
    let width = frame.columns();
    // Not over the names of the columns before the last.
    if width >= 70 + text.len() {
        frame.put_right(row, width - text.len(), text.len(), Look::Dim, &text);
    }
}

fn look_of(state: JobState) -> Look {
    match state {
        JobState::Running => Look::Good,
        JobState::Queued | JobState::Done => Look::Plain,
        JobState::Paused => Look::Warn,
        JobState::Failed | JobState::Cancelled | JobState::TimedOut => Look::Bad,
    }
}

fn permille(job: &TopJob) -> u64 {
    let [done, all] = [&job.done, &job.all].map(|text| text.parse::<u64>().unwrap_or(0));
    let part = u128::from(done.min(all)) * 1_000;
    part.checked_div(u128::from(all)).map_or(1_000, |part| u64::try_from(part).unwrap_or(1_000))
}

fn foot(frame: &mut Frame, model: &Model, ui: &Ui, row: usize) {
    let width = frame.columns();
    let keys = match (&ui.mode, ui.pane) {
        (Mode::Detail(_), _) => {
            "Esc back  \u{2191}\u{2193} scroll  p pause  r resume  t retry  c cancel  ? help"
        }
        (Mode::Help, _) => "any key goes back",
        (_, Pane::Workers | Pane::Locks | Pane::Objects) => {
            "q quit  Enter look  p pause  r resume  t retry  c cancel  s sort  / find  ? help"
        }
    };
    let (look, text) = match (&ui.mode, &model.gone, &ui.note) {
        (Mode::Confirm(job), ..) => {
            (Look::Selected, format!("cancel {job}? y does it, any other key does not"))
        }
        (Mode::Filter(_), ..) => {
            (Look::Selected, format!("find: {}_  (Enter keeps it, Esc takes it back)", ui.query.filter))
        }
        (_, Some(since), _) => (Look::Bad, format!("daemon gone since {since}, waiting for it")),
        (_, None, Some(note)) => (Look::Warn, note.clone()),
        (_, None, None) if ui.frozen => (Look::Warn, "frozen: Space goes on".to_owned()),
        (_, None, None) if !ui.focused => (
            Look::Dim,
            format!("another window is used: a look every {}", number::duration(ui.look_every_ms())),
        ),
        (_, None, None) if !ui.query.filter.is_empty() && ui.mode == Mode::List => {
            (Look::Warn, format!("only jobs with '{}' in them: Esc shows all", ui.query.filter))
        }
        (_, None, None) => (
            Look::Dim,
            if frame.is_ascii() { keys.replace("\u{2191}\u{2193}", "j k") } else { keys.to_owned() },
        ),
    };
    frame.put(row, 0, width, look, &text);
}

const HELP: &[(&str, &str)] = &[
    ("up down j k", "another job; PgUp PgDn Home End go further"),
    ("Enter e", "all that is known of one job, and why it waits; Esc goes back"),
    ("p r", "pause it; resume it"),
    ("t", "try again what failed, was cancelled or timed out"),
    ("c", "cancel it, after one more key"),
    ("s S i", "sort by something else; back; the other way round"),
    ("/", "find: only jobs with this in their id, state or text"),
    ("a u", "ended jobs, too; only one's own"),
    ("w l o Tab", "workers, locks and who waits for whom, shared objects"),
    ("[ ]", "scroll what stands under the jobs"),
    ("Space", "freeze; nothing is asked meanwhile"),
    ("+ -", "look less often; more often"),
    ("Ctrl-Z", "stop; the shell's 'fg' goes on"),
    ("q Ctrl-C", "quit"),
];

fn help(frame: &mut Frame) {
    let width = frame.columns();
    frame.put(0, 0, width, Look::Bold, "keys of 'tally top'");
    for (at, (keys, what)) in HELP.iter().enumerate() {
        frame.put(at + 2, 1, 13, Look::Bold, keys);
        frame.put(at + 2, 15, width.saturating_sub(15), Look::Plain, what);
    }
}
