//! What stands under the jobs: workers and what they use, locks and who waits for whom, shared objects.

use tally_protocol::locks::view::{LockMode, LockView, ProcessView};
use tally_protocol::objects::ObjectView;
use tally_protocol::view::WorkerView;

use super::cells::{Frame, Look};
use super::grid::Grid;
use super::model::Model;
use super::ui::{Pane, Ui};
use crate::show::number;
use crate::show::table::Side;

/// Lines that all of it would take.
pub(crate) fn lines(model: &Model, pane: Pane) -> usize {
    match pane {
        Pane::Workers => model.top.workers.len(),
        Pane::Locks => model.locks.iter().map(|lock| lock.holders.len() + lock.waiters.len()).sum(),
        Pane::Objects => model.objects.len(),
    }
}

/// Draws its title, its header, and so many lines.
pub(crate) fn draw(frame: &mut Frame, model: &Model, ui: &Ui, row: usize, count: usize) {
    let all = lines(model, ui.pane);
    let skip = ui.scrolled.min(all.saturating_sub(count));
    title(frame, model, ui, row, skip, count);
    match ui.pane {
        Pane::Workers => workers(frame, model, row + 1, skip, count),
        Pane::Locks => locks(frame, model, row + 1, skip, count),
        Pane::Objects => objects(frame, model, row + 1, skip, count),
    }
}

/// The title alone, where no key changes what is shown.
pub(crate) fn only_title(frame: &mut Frame, pane: Pane, row: usize) {
    let name = match pane {
        Pane::Workers => "workers",
        Pane::Locks => "locks",
        Pane::Objects => "objects",
    };
    let width = frame.columns();
    frame.put(row, 0, width, Look::Plain, &" ".repeat(width));
    frame.put(row, 0, width, Look::Bold, &format!("{name}:"));
}

fn title(frame: &mut Frame, model: &Model, ui: &Ui, row: usize, skip: usize, count: usize) {
    let width = frame.columns();
    let rule = if frame.is_ascii() { "-" } else { "\u{2500}" };
    frame.put(row, 0, width, Look::Dim, &rule.repeat(width));
    let mut at = 2;
    for (pane, name) in
        [(Pane::Workers, " w workers "), (Pane::Locks, " l locks "), (Pane::Objects, " o objects ")]
    {
        let look = if pane == ui.pane { Look::Bold } else { Look::Dim };
        frame.put(row, at, name.len(), look, name);
        at += name.len() + 1;
    }
    let all = lines(model, ui.pane);
    if all > count {
        let text = format!(" {}-{} of {all}, [ ] scroll ", skip + 1, (skip + count).min(all));
        let free = width.saturating_sub(at + 2);
        frame.put_right(row, at, free, Look::Dim, &text);
    }
}

fn workers(frame: &mut Frame, model: &Model, row: usize, skip: usize, count: usize) {
    let width = frame.columns();
    let grid = Grid::new(
        1,
        &[
            (true, ("SLOT", 4, Side::Right)),
            (true, ("PID", 8, Side::Right)),
            (true, ("STATE", 11, Side::Left)),
            (true, ("JOB", 7, Side::Left)),
            (width >= 50, ("CPU", 5, Side::Right)),
            (width >= 60, ("MEM", 8, Side::Right)),
            (width >= 70, ("RST", 3, Side::Right)),
            (width >= 100, ("LEASES", 6, Side::Right)),
            (width >= 100, ("PARTS", 9, Side::Right)),
            (width >= 140, ("LINK", 9, Side::Left)),
            (width >= 140, ("START", 10, Side::Left)),
            (true, ("RANGE", 0, Side::Left)),
        ],
    );
    grid.header(frame, row);
    for (at, worker) in model.top.workers.iter().skip(skip).take(count).enumerate() {
        grid.row(frame, row + 1 + at, worker_cells(model, worker));
    }
}

fn worker_cells(model: &Model, worker: &WorkerView) -> Vec<(&'static str, Look, String)> {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let load = worker.pid.and_then(|pid| model.load.get(&pid));
    let (look, state) = match (worker.state.as_str(), worker.backoff_ms) {
        (_, Some(ms)) => (Look::Bad, format!("back {}", number::duration(ms))),
        ("busy", None) => (Look::Good, "busy".to_owned()),
        (state, None) => (Look::Plain, state.to_owned()),
    };
    vec![
        ("SLOT", Look::Plain, worker.slot.to_string()),
        ("PID", Look::Plain, or_none(worker.pid.map(|pid| pid.to_string()))),
        ("STATE", look, state),
        ("JOB", Look::Plain, or_none(worker.job.map(|job| job.to_string()))),
        ("CPU", Look::Plain, or_none(load.map(|load| format!("{load}%")))),
        ("MEM", Look::Plain, or_none(worker.rss_bytes.map(number::bytes))),
        ("RST", if worker.restarts > 0 { Look::Warn } else { Look::Plain }, worker.restarts.to_string()),
        ("LEASES", Look::Plain, worker.leases.to_string()),
        ("PARTS", Look::Plain, number::grouped(&worker.partitions.to_string())),
        ("LINK", Look::Plain, worker.transport.to_string()),
        ("START", Look::Plain, worker.start.to_string()),
        ("RANGE", Look::Plain, or_none(worker.range.clone())),
    ]
}

/// One line for each who holds, and under it those who wait for it.
fn locks(frame: &mut Frame, model: &Model, row: usize, skip: usize, count: usize) {
    let width = frame.columns();
    let name = if width >= 100 { 24 } else { 14 };
    let grid = Grid::new(
        1,
        &[
            (true, ("NAME", name, Side::Left)),
            (true, ("STATE", 5, Side::Left)),
            (width >= 60, ("HOW", 9, Side::Left)),
            (true, ("PID", 8, Side::Right)),
            (width >= 70, ("SINCE", 8, Side::Right)),
            (true, ("FOR", 9, Side::Left)),
            (true, ("COMMAND", 0, Side::Left)),
        ],
    );
    grid.header(frame, row);
    let all = model.locks.iter().flat_map(lock_lines);
    for (at, cells) in all.skip(skip).take(count).enumerate() {
        grid.row(frame, row + 1 + at, cells);
    }
    if model.locks.is_empty() {
        frame.put(row + 1, 1, width.saturating_sub(1), Look::Dim, "nothing is held and nobody waits");
    }
}

type Cells = Vec<(&'static str, Look, String)>;

fn lock_lines(lock: &LockView) -> Vec<Cells> {
    let pid = |who: &ProcessView| who.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
    let how = |mode: LockMode, take: Option<u32>| match (take, lock.permits) {
        (Some(take), Some(permits)) => format!("{take} of {permits}"),
        _ => mode.name().to_owned(),
    };
    let mut lines = Vec::new();
    for one in &lock.holders {
        lines.push(vec![
            ("NAME", Look::Plain, lock.name.clone()),
            ("STATE", Look::Good, "held".to_owned()),
            ("HOW", Look::Plain, how(one.mode, one.take)),
            ("PID", Look::Plain, pid(&one.who)),
            ("SINCE", Look::Plain, number::duration(one.held_ms)),
            ("FOR", Look::Plain, "-".to_owned()),
            ("COMMAND", Look::Plain, one.who.command.clone().unwrap_or_default()),
        ]);
    }
    // Who stands before one in the queue matters less than who would have to let go.
    let held_by: Vec<String> = lock.holders.iter().map(|one| pid(&one.who)).collect();
    for one in &lock.waiters {
        lines.push(vec![
            ("NAME", Look::Plain, lock.name.clone()),
            ("STATE", Look::Warn, "waits".to_owned()),
            ("HOW", Look::Plain, how(one.mode, one.take)),
            ("PID", Look::Plain, pid(&one.who)),
            ("SINCE", Look::Plain, number::duration(one.waiting_ms)),
            ("FOR", Look::Plain, held_by.join(" ")),
            ("COMMAND", Look::Plain, one.who.command.clone().unwrap_or_default()),
        ]);
    }
    lines
}

fn objects(frame: &mut Frame, model: &Model, row: usize, skip: usize, count: usize) {
    let width = frame.columns();
    let grid = Grid::new(
        1,
        &[
            (true, ("KIND", 8, Side::Left)),
            (true, ("LENGTH", 10, Side::Right)),
            (width >= 60, ("BYTES", 9, Side::Right)),
            (true, ("WAITING", 7, Side::Right)),
            (width >= 60, ("LEASED", 7, Side::Right)),
            (width >= 70, ("DEAD", 6, Side::Right)),
            (true, ("NAME", 0, Side::Left)),
        ],
    );
    grid.header(frame, row);
    for (at, object) in model.objects.iter().skip(skip).take(count).enumerate() {
        grid.row(frame, row + 1 + at, object_cells(object));
    }
    if model.objects.is_empty() {
        frame.put(row + 1, 1, width.saturating_sub(1), Look::Dim, "no shared objects");
    }
}

fn object_cells(object: &ObjectView) -> Cells {
    let or_none = |count: Option<u64>| count.map_or_else(|| "-".to_owned(), |count| count.to_string());
    let length = number::grouped(&object.length.to_string());
    let full = object.capacity.is_some_and(|capacity| object.length >= capacity);
    vec![
        ("KIND", Look::Plain, object.kind.to_string()),
        ("LENGTH", if full { Look::Warn } else { Look::Plain }, length),
        ("BYTES", Look::Plain, number::bytes(object.bytes)),
        ("WAITING", if object.waiting > 0 { Look::Warn } else { Look::Plain }, object.waiting.to_string()),
        ("LEASED", Look::Plain, or_none(object.leased)),
        ("DEAD", Look::Plain, or_none(object.dead)),
        ("NAME", Look::Plain, object.object.clone()),
    ]
}
