//! What a job's workers did, from its history, as what is to be drawn.

use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::history::{HistoryView, SpanEnd, SpanView};
use tally_protocol::view::{Incident, JobView};

use super::number;
use crate::studies::{TimeBar, TimeBarKind, TimeDrawing, TimeMark};

/// Steps of the rate at the most.
const STEPS_MAX: usize = 40;

/// The drawing of a job.
///
/// # Errors
/// When nothing is known of its partitions: it has not begun, or ended under an earlier daemon.
pub(crate) fn drawing(job: &JobView, what: &str) -> Result<TimeDrawing, Failure> {
    let Some(history) = job.history.as_deref() else {
        let why = format!("could not draw {}: nothing is known of what happened to its partitions", job.job);
        return Err(Failure::new(ErrorCode::WrongState, why)
            .hint("it has not begun, or it ended before this daemon started"));
    };
    // Few enough that a step says more than when a partition happened to end.
    let together = history.done.len().div_ceil(STEPS_MAX).max(1);
    let rate_ms = history.bucket_ms.max(1).saturating_mul(together as u64);
    let per_s =
        |counts: &[u64]| counts.iter().map(|&count| count as f64).sum::<f64>() * 1_000.0 / (rate_ms as f64);
    // What was only taken back from a worker before it had begun, nobody did before.
    let lost = history.spans.iter().any(|span| span.how == SpanEnd::Lost);
    let repeats = lost || job.retries > 0 || !job.incidents.is_empty();
    Ok(TimeDrawing {
        title: format!("{}: {what}", job.job),
        about: about(job, history),
        row_name: "worker".to_owned(),
        from_ms: 0,
        to_ms: history.to_ms,
        bars: history.spans.iter().map(|span| bar(span, repeats)).collect(),
        marks: job.incidents.iter().map(mark).collect(),
        rates_from_ms: history.from_ms,
        rates: history.done.chunks(together).map(per_s).collect(),
        rate_ms,
        unit: if job.bytes.is_some() { "B/s" } else { "per second" }.to_owned(),
    })
}

fn about(job: &JobView, history: &HistoryView) -> String {
    let count = |count: u64, one: &str, many: &str| {
        format!("{} {}", number::grouped(&count.to_string()), if count == 1 { one } else { many })
    };
    let mut text = format!(
        "{}, {}, {}, {}",
        job.state,
        number::duration(job.elapsed_ms),
        count(job.partitions.done, "partition", "partitions"),
        count(job.retries, "retry", "retries")
    );
    if !job.incidents.is_empty() {
        let deaths = u64::try_from(job.incidents.len()).unwrap_or(u64::MAX);
        text.push_str(&format!(", {}", count(deaths, "death", "deaths")));
    }
    if history.grain_ms > 0 {
        text.push_str("; partitions that follow each other are drawn as one");
    }
    if history.left_out > 0 {
        let earlier = count(history.left_out, "earlier bar is", "earlier bars are");
        text.push_str(&format!("; {earlier} left out"));
    }
    text
}

fn bar(span: &SpanView, repeats: bool) -> TimeBar {
    let (kind, how) = match (span.how, span.attempt) {
        (SpanEnd::Done, attempt) if attempt < 2 || !repeats => (TimeBarKind::Done, "done".to_owned()),
        (SpanEnd::Done, attempt) => (TimeBarKind::Again, format!("done at attempt {attempt}")),
        (SpanEnd::Lost, attempt) => (TimeBarKind::Lost, format!("lost at attempt {attempt}")),
        (SpanEnd::Failed, _) => (TimeBarKind::Failed, "failed".to_owned()),
        (SpanEnd::Running, attempt) => (TimeBarKind::Running, format!("under way, attempt {attempt}")),
    };
    let partitions =
        if span.partitions == 1 { String::new() } else { format!(" {} partitions", span.partitions) };
    let tip = format!(
        "worker {} ({}): {how}{partitions}, {} to {} ms",
        span.slot, span.pid, span.from_ms, span.to_ms
    );
    TimeBar { row: u32::from(span.slot.0), from_ms: span.from_ms, to_ms: span.to_ms, kind, tip }
}

/// A death, between two leases, too.
fn mark(incident: &Incident) -> TimeMark {
    let at = match (&incident.range, incident.attempt) {
        (Some(range), Some(attempt)) => format!(" at {range}, attempt {attempt}"),
        (Some(range), None) => format!(" at {range}"),
        (None, _) => String::new(),
    };
    let tip = format!(
        "worker {} ({}) after {}: {}{at}",
        incident.slot,
        incident.pid,
        number::duration(incident.after_ms),
        incident.what
    );
    TimeMark { row: u32::from(incident.slot.0), at_ms: incident.after_ms, tip }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake;
    use tally_protocol::ids::SlotId;

    #[test]
    fn a_history_becomes_bars_and_rates() {
        let span = |how, attempt, partitions| SpanView {
            slot: SlotId(3),
            pid: 9,
            from_ms: 10,
            to_ms: 20,
            partitions,
            attempt,
            how,
        };
        let mut job = fake::job_running();
        assert_eq!(drawing(&job, "sum").unwrap_err().code, ErrorCode::WrongState);
        job.history = Some(Box::new(HistoryView {
            from_ms: 5,
            to_ms: 250,
            grain_ms: 4,
            spans: vec![span(SpanEnd::Done, 1, 7), span(SpanEnd::Done, 2, 1), span(SpanEnd::Lost, 1, 1)],
            left_out: 1,
            bucket_ms: 20,
            done: vec![4, 0],
        }));
        let drawing = drawing(&job, "sum 0..10").unwrap();
        assert_eq!(drawing.title, "j1: sum 0..10");
        assert_eq!(
            drawing.about,
            "running, 0.2s, 1 partition, 0 retries; partitions that follow each other are drawn as one; 1 earlier bar is left out"
        );
        assert_eq!(drawing.rates, [200.0, 0.0]);
        let kinds: Vec<TimeBarKind> = drawing.bars.iter().map(|bar| bar.kind).collect();
        assert_eq!(kinds, [TimeBarKind::Done, TimeBarKind::Again, TimeBarKind::Lost]);
        let mut calm = job.clone();
        calm.history.as_mut().unwrap().spans.pop();
        let kinds: Vec<TimeBarKind> =
            super::drawing(&calm, "sum 0..10").unwrap().bars.iter().map(|bar| bar.kind).collect();
        assert_eq!(kinds, [TimeBarKind::Done; 2], "nothing was lost, so nothing is done again");
        job.incidents = vec![Incident {
            after_ms: 40,
            slot: SlotId(4),
            pid: 77,
            range: None,
            attempt: None,
            what: "killed by SIGKILL".into(),
            stderr: None,
        }];
        let with_death = super::drawing(&job, "sum 0..10").unwrap();
        assert!(
            with_death.about.starts_with("running, 0.2s, 1 partition, 0 retries, 1 death;"),
            "{}",
            with_death.about
        );
        assert_eq!((with_death.marks[0].row, with_death.marks[0].at_ms), (4, 40));
        assert_eq!(with_death.marks[0].tip, "worker 4 (77) after 0.0s: killed by SIGKILL");
        assert_eq!(drawing.bars[0].tip, "worker 3 (9): done 7 partitions, 10 to 20 ms");
    }
}
