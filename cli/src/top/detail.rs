//! One job on a whole screen: where it stands, why, what each slot did over time, what went wrong.

use std::collections::BTreeMap;

use tally_protocol::history::{HistoryView, SpanEnd};
use tally_protocol::ids::{JobId, SlotId};
use tally_protocol::view::JobView;

use super::cells::{Frame, Look};
use super::model::{Detail, Model};
use crate::show::answer::failure_of;
use crate::show::progress::Step;
use crate::show::{glyphs, number};
use crate::verbs::what;

/// Columns before a bar.
const LABEL: usize = 10;
/// Columns after the bar of a slot.
const TAIL: usize = 24;

/// A line of the picture: its beginning, its look, the rest.
type Line = (String, Look, String);

pub(crate) fn draw(frame: &mut Frame, model: &Model, id: JobId, scrolled: usize, ascii: bool) {
    let width = frame.columns();
    let Some(detail) = model.detail.as_ref().filter(|detail| detail.job.job == id) else {
        return frame.put(0, 0, width, Look::Dim, &format!("asking about {id}"));
    };
    let room = frame.rows().saturating_sub(2);
    let lines = lines(detail, width, ascii);
    let skip = scrolled.min(lines.len().saturating_sub(room));
    let title = format!("{id}  {}", what(&detail.job));
    frame.put(0, 0, width, Look::Bold, &title);
    for (at, (label, look, text)) in lines.into_iter().skip(skip).take(room).enumerate() {
        frame.put(at + 1, 0, LABEL, Look::Dim, &label);
        frame.put(at + 1, LABEL, width.saturating_sub(LABEL), look, &text);
    }
}

fn lines(detail: &Detail, width: usize, ascii: bool) -> Vec<Line> {
    let job = &detail.job;
    let mut lines = standing(job, width, ascii);
    for (at, reason) in detail.reasons.iter().enumerate() {
        lines.push(line(if at == 0 { "why" } else { "" }, Look::Plain, reason));
    }
    if job.state.is_over() && job.error.is_some() {
        let failure = failure_of(job);
        lines.push(line("error", Look::Bad, &failure.message));
        lines.extend(failure.hint.map(|hint| line("hint", Look::Plain, &hint)));
    }
    lines.extend(
        job.results.iter().map(|one| line("answer", Look::Good, &format!("{} {}", one.reduction, one.value))),
    );
    if let Some(history) = &job.history {
        lines.push(line("", Look::Plain, ""));
        lines.extend(over_time(job, history, width, ascii));
    }
    if !job.incidents.is_empty() {
        lines.push(line("", Look::Plain, ""));
        for incident in job.incidents.iter().rev() {
            let range = incident.range.as_deref().unwrap_or("-");
            let attempt = incident.attempt.map(|attempt| format!(" attempt {attempt}")).unwrap_or_default();
            let text =
                format!("worker-{} ({}) {}, {range}{attempt}", incident.slot, incident.pid, incident.what);
            lines.push(line(&number::duration(incident.after_ms), Look::Bad, &text));
        }
    }
    lines
}

fn line(label: &str, look: Look, text: &str) -> Line {
    (label.to_owned(), look, text.to_owned())
}

fn standing(job: &JobView, width: usize, ascii: bool) -> Vec<Line> {
    let step = Step::of(job);
    let unit = if step.bytes { "bytes" } else { "elements" };
    let done = format!(
        "{} of {} {unit}",
        number::grouped(&step.done.to_string()),
        number::grouped(&step.elements.to_string())
    );
    let state = if step.waits { "waiting".to_owned() } else { job.state.to_string() };
    let mut pace = format!("{state} for {}", number::duration(job.elapsed_ms));
    if let Some(rate) = job.rate_per_s.filter(|_| !step.waits) {
        pace.push_str(&format!(
            "  {}",
            if step.bytes { number::byte_rate(rate) } else { number::rate(rate) }
        ));
    }
    if let Some(eta) = job.eta_ms {
        pace.push_str(&format!("  eta {}", number::eta(eta)));
    }
    let counts = job.partitions;
    let total = counts.total.map(|total| format!(" of {total}")).unwrap_or_default();
    let partitions = format!(
        "{} done{total}, {} leased, {} queued, {} retries, {} too late",
        counts.done, counts.leased, counts.queued, job.retries, job.late
    );
    let how = format!(
        "{}, {}, {}, priority {}, ends {}",
        job.mode,
        job.transport,
        job.start,
        job.priority,
        if job.detached { "by itself" } else { "with its client" }
    );
    let bar = glyphs::bar(step.percent() * 10, width.saturating_sub(LABEL + 6), ascii);
    vec![
        line("state", Look::Plain, &pace),
        line("done", Look::Plain, &format!("{bar} {}%", step.percent())),
        line("", Look::Plain, &done),
        line("parts", Look::Plain, &partitions),
        line("how", Look::Plain, &how),
    ]
}

/// The rate, and what each slot did, over the same columns of time.
fn over_time(job: &JobView, history: &HistoryView, width: usize, ascii: bool) -> Vec<Line> {
    let columns = width.saturating_sub(LABEL + TAIL).max(1);
    let per_column = (history.to_ms.saturating_sub(history.from_ms)).div_ceil(columns as u64).max(1);
    let bucket = |column: usize| column as u64 * per_column / history.bucket_ms.max(1);
    let rate = |column| {
        usize::try_from(bucket(column)).ok().and_then(|at| history.done.get(at)).copied().unwrap_or(0)
    };
    let rates: Vec<u64> = (0..columns).map(rate).collect();
    let plot = glyphs::sparks(&rates, columns, 1, ascii).concat();
    let mut lines = vec![line("rate", Look::Good, &plot)];
    let mut slots: BTreeMap<SlotId, Vec<char>> = BTreeMap::new();
    let column = |ms: u64| {
        let at = ms.saturating_sub(history.from_ms) / per_column;
        usize::try_from(at).unwrap_or(columns).min(columns - 1)
    };
    let [done, running, lost, failed] =
        if ascii { ['#', '>', 'x', '!'] } else { ['\u{2588}', '\u{2593}', '\u{d7}', '!'] };
    for span in &history.spans {
        let row = slots.entry(span.slot).or_insert_with(|| vec![' '; columns]);
        let glyph = if span.how == SpanEnd::Running { running } else { done };
        for place in &mut row[column(span.from_ms)..=column(span.to_ms)] {
            if *place == ' ' {
                *place = glyph;
            }
        }
        match span.how {
            SpanEnd::Lost => row[column(span.to_ms)] = lost,
            SpanEnd::Failed => row[column(span.to_ms)] = failed,
            SpanEnd::Done | SpanEnd::Running => {}
        }
    }
    for (slot, row) in slots {
        let shares = job.workers.iter().filter(|share| share.slot == slot);
        let (partitions, busy) =
            shares.fold((0, 0), |sum, share| (sum.0 + share.partitions, sum.1 + share.busy_ms));
        let text: String = row.into_iter().collect();
        let tail = format!("{} parts {}", number::grouped(&partitions.to_string()), number::duration(busy));
        lines.push(line(&format!("slot {slot}"), Look::Plain, &format!("{text} {tail}")));
    }
    let legend = format!("{done} done {running} under way {lost} worker lost {failed} failed");
    let span = number::duration(history.to_ms.saturating_sub(history.from_ms));
    lines.push(line("", Look::Dim, &format!("{legend}   {span} in all")));
    lines
}
