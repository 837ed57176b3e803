//! What happened to the partitions of one job, and when: kept for pictures, bounded whatever the job's size.
//!
//! A span is one partition, or several that one slot did after one another. When there are too many spans the grain
//! doubles, and neighbours that fit into one grain become one; what was lost is merged only with what was lost. Elements
//! are counted in buckets of time, which double when there are too many. Nothing is decided from this.

use tally_protocol::SlotId;
use tally_protocol::history::{HistoryView, SpanEnd, SpanView};
use tally_protocol::limits::{HISTORY_BUCKETS_MAX, HISTORY_SPANS_MAX};

use crate::moment::{Moment, Span as Time};

/// The first grain that is tried once there are too many spans.
const GRAIN: Time = Time::ms(1);
/// The first width of a bucket.
const BUCKET: Time = Time::ms(20);

/// The spans and buckets of one job.
#[derive(Clone, Debug)]
pub(crate) struct History {
    /// When it began to be kept.
    since: Moment,
    spans: Vec<Span>,
    grain: Time,
    left_out: u64,
    bucket: Time,
    done: Vec<u64>,
}

/// What one slot did without a break to speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) slot: SlotId,
    pub(crate) pid: u32,
    pub(crate) from: Moment,
    pub(crate) to: Moment,
    pub(crate) partitions: u64,
    pub(crate) attempt: u32,
    pub(crate) how: SpanEnd,
}

impl History {
    pub(crate) fn new(now: Moment) -> Self {
        Self { since: now, spans: Vec::new(), grain: Time(0), left_out: 0, bucket: BUCKET, done: Vec::new() }
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> u64 {
        (size_of::<Self>() + size_of::<Span>() * self.spans.capacity() + 8 * self.done.capacity()) as u64
    }

    /// Elements were accepted just now.
    pub(crate) fn count(&mut self, now: Moment, elements: u64) {
        let passed = now.since(self.since).0;
        while passed / self.bucket.0 >= HISTORY_BUCKETS_MAX as u64 {
            self.bucket = Time(self.bucket.0.saturating_mul(2));
            let halves = self.done.chunks(2);
            self.done =
                halves.map(|pair| pair.iter().fold(0, |sum: u64, &one| sum.saturating_add(one))).collect();
        }
        let at = usize::try_from(passed / self.bucket.0).unwrap_or(usize::MAX);
        if self.done.len() <= at {
            self.done.resize(at + 1, 0);
        }
        self.done[at] = self.done[at].saturating_add(elements);
    }

    /// One partition has ended, one way or another. It began no sooner than the one before it on its slot ended.
    pub(crate) fn note(&mut self, mut span: Span) {
        let last = self.spans.iter_mut().rev().find(|last| last.slot == span.slot);
        if let Some(last) = last {
            span.from = span.from.max(last.to).min(span.to);
            if joins(last, &span, self.grain) {
                return join(last, &span);
            }
        }
        if self.spans.len() >= HISTORY_SPANS_MAX {
            self.coarsen();
        }
        self.spans.push(span);
    }

    /// When the slot ended what it did last for this job.
    pub(crate) fn last_end(&self, slot: SlotId) -> Option<Moment> {
        self.spans.iter().rev().find(|last| last.slot == slot).map(|last| last.to)
    }

    /// Makes room: at least a quarter of the spans becomes part of others, or the oldest go.
    fn coarsen(&mut self) {
        let whole = self.spans.last().map_or(0, |last| last.to.since(self.since).0);
        while self.spans.len() > HISTORY_SPANS_MAX / 4 * 3 {
            if self.grain.0 > whole {
                let surplus = self.spans.len() - HISTORY_SPANS_MAX / 4 * 3;
                self.spans.drain(..surplus);
                self.left_out += surplus as u64;
                return;
            }
            self.grain = Time(self.grain.0.saturating_mul(2).max(GRAIN.0));
            self.merge();
        }
    }

    fn merge(&mut self) {
        let grain = self.grain;
        self.spans.sort_by_key(|span| (span.slot, span.from));
        self.spans.dedup_by(|next, before| {
            let one = joins(before, next, grain);
            if one {
                join(before, next);
            }
            one
        });
        self.spans.sort_by_key(|span| span.to);
    }

    /// As it is told, with what is going on now. `origin` is when the job was submitted, `earlier_ms` its age then.
    pub(crate) fn view(&self, origin: Moment, earlier_ms: u64, to: Moment, running: &[Span]) -> HistoryView {
        let ms = |at: Moment| earlier_ms.saturating_add(at.since(origin).as_ms());
        let mut spans: Vec<&Span> = self.spans.iter().chain(running).collect();
        spans.sort_by_key(|span| (span.slot, span.from));
        let told = |span: &&Span| SpanView {
            slot: span.slot,
            pid: span.pid,
            from_ms: ms(span.from),
            to_ms: ms(span.to),
            partitions: span.partitions,
            attempt: span.attempt,
            how: span.how,
        };
        HistoryView {
            from_ms: ms(self.since),
            to_ms: ms(to),
            grain_ms: self.grain.as_ms(),
            spans: spans.iter().map(told).collect(),
            left_out: self.left_out,
            bucket_ms: self.bucket.as_ms(),
            done: self.done.clone(),
        }
    }
}

/// Whether the second, which begins later, is told as part of the first.
fn joins(first: &Span, second: &Span, grain: Time) -> bool {
    first.slot == second.slot
        && first.how == second.how
        && (first.pid == second.pid || first.how == SpanEnd::Lost)
        && grain.0 > 0
        && second.to.since(first.from) <= grain
}

fn join(first: &mut Span, second: &Span) {
    first.to = second.to;
    first.pid = second.pid;
    first.partitions += second.partitions;
    first.attempt = first.attempt.max(second.attempt);
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn span(slot: u16, from_ms: u64, to_ms: u64) -> Span {
        Span {
            slot: SlotId(slot),
            pid: 100 + u32::from(slot),
            from: Moment(from_ms * MS),
            to: Moment(to_ms * MS),
            partitions: 1,
            attempt: 1,
            how: SpanEnd::Done,
        }
    }

    #[test]
    fn few_spans_are_told_one_by_one() {
        let mut history = History::new(Moment(0));
        history.note(span(0, 0, 10));
        history.note(span(0, 5, 20));
        history.count(Moment(10 * MS), 7);
        history.count(Moment(45 * MS), 8);
        let view = history.view(Moment(0), 1_000, Moment(50 * MS), &[span(1, 0, 50)]);
        let spans: Vec<(u64, u64)> = view.spans.iter().map(|span| (span.from_ms, span.to_ms)).collect();
        assert_eq!(
            spans,
            [(1_000, 1_010), (1_010, 1_020), (1_000, 1_050)],
            "none begins before the last ended"
        );
        assert_eq!((view.from_ms, view.to_ms, view.bucket_ms), (1_000, 1_050, 20));
        assert_eq!(view.done, [7, 0, 8]);
    }

    #[test]
    fn many_become_few_and_no_partition_is_lost() {
        let mut history = History::new(Moment(0));
        for at in 0..100_000_u64 {
            history.note(span((at % 8) as u16, at, at + 8));
            history.count(Moment((at + 8) * MS), 3);
            assert!(history.spans.len() <= HISTORY_SPANS_MAX);
        }
        assert_eq!(history.left_out, 0);
        assert_eq!(history.spans.iter().map(|span| span.partitions).sum::<u64>(), 100_000);
        assert_eq!(history.done.iter().sum::<u64>(), 300_000);
        assert!(history.done.len() <= HISTORY_BUCKETS_MAX && history.done.len() > HISTORY_BUCKETS_MAX / 3);
        assert!(history.spans.len() > HISTORY_SPANS_MAX / 4, "{} say little", history.spans.len());
        let mut ends = [Moment(0); 8];
        for span in &history.view(Moment(0), 0, Moment(200_000 * MS), &[]).spans {
            let slot = usize::from(span.slot.0);
            assert!(Moment(span.from_ms * MS) >= ends[slot], "spans of a slot overlap");
            ends[slot] = Moment(span.to_ms * MS);
        }
        assert!(history.bytes() < 64 << 10, "{}", history.bytes());
    }

    #[test]
    fn what_was_lost_stands_out_however_much_is_merged() {
        let mut history = History::new(Moment(0));
        for at in 0..50_000_u64 {
            let how = if at == 30_000 { SpanEnd::Lost } else { SpanEnd::Done };
            history.note(Span { how, ..span(0, at, at + 1) });
        }
        assert_eq!(history.spans.iter().filter(|span| span.how == SpanEnd::Lost).count(), 1);
    }

    #[test]
    fn deaths_without_end_push_out_the_oldest() {
        let mut history = History::new(Moment(0));
        for at in 0..100_000_u64 {
            let how = if at % 2 == 0 { SpanEnd::Lost } else { SpanEnd::Done };
            history.note(Span { how, ..span(0, at, at + 1) });
            assert!(history.spans.len() <= HISTORY_SPANS_MAX);
        }
        assert!(history.left_out > 0);
    }
}
