//! One page of a live view: the jobs in the order asked, counted and cut so that a view costs no more than it shows.
//!
//! Of each job only its key is worked out; what a line says, only for the lines of the page. Jobs that have workers are
//! always among those looked at; of the others no more than a bound.

use std::collections::BTreeSet;

use tally_protocol::history::{HistoryView, SpanEnd};
use tally_protocol::job::JobState;
use tally_protocol::limits::{TOP_JOBS_MAX, TOP_LOOKED_AT_MAX, TOP_WHAT_BYTES_MAX, TOP_WORKERS_MAX};
use tally_protocol::printable::in_quotes;
use tally_protocol::source::Source;
use tally_protocol::top::{TopJob, TopQuery, TopSort, TopView};
use tally_protocol::view::JobView;
use tally_protocol::{JobId, SlotId};

use crate::Machine;
use crate::history::{History, Span};
use crate::job::{Job, State};
use crate::pace::eta_ms;
use crate::permission::Who;

/// Where a job stands on the pages: the smallest first, equal ones by number; all bits turned where the order is reversed.
type Key = (i128, u64);

impl Machine {
    /// The page that a client asked for, as far as it may know.
    pub(crate) fn top(&self, who: Who, query: &TopQuery) -> TopView {
        let busy: BTreeSet<JobId> = self
            .crew
            .slots()
            .iter()
            .filter_map(|slot| slot.worker()?.leases.front())
            .filter(|held| held.mark.counts())
            .map(|held| held.lease.job)
            .collect();
        let (mut keys, cut_off) = self.keys(who, query, &busy);
        let matched = keys.len();
        let page = page(&mut keys, query);
        let id = |&(_, number): &Key| JobId(if query.reverse { !number } else { number });
        let jobs = page.iter().filter_map(|key| self.jobs.get(id(key)));
        let (mut rate_per_s, mut byte_rate_per_s) = (0_u64, 0_u64);
        for job in busy.iter().filter_map(|&id| self.jobs.get(id)) {
            let total = if is_bytes(job) { &mut byte_rate_per_s } else { &mut rate_per_s };
            *total = total.saturating_add(self.rate(job).unwrap_or(0));
        }
        TopView {
            at_ms: self.settings.wall_ms(self.now),
            status: self.status(),
            rate_per_s,
            byte_rate_per_s,
            jobs: jobs.map(|job| self.top_job(job)).collect(),
            matched: matched as u64,
            cut_off,
            workers: self.workers_for(
                who,
                query.workers_offset,
                query.workers_limit.min(TOP_WORKERS_MAX as u64),
            ),
        }
    }

    /// The keys of all jobs that fit, and whether there are more than were looked at.
    fn keys(&self, who: Who, query: &TopQuery, busy: &BTreeSet<JobId>) -> (Vec<Key>, bool) {
        let filter = query.filter.to_lowercase();
        let fits = |job: &&Job| {
            who.sees(job)
                && (!query.own || job.uid == who.uid)
                && (filter.is_empty() || answers_to(job, &filter))
        };
        let first = busy.iter().filter_map(|&id| self.jobs.get(id));
        let jobs: Box<dyn Iterator<Item = &Job>> =
            if query.all { Box::new(self.jobs.all()) } else { Box::new(self.jobs.open()) };
        let mut rest = jobs.filter(|job| !busy.contains(&job.id));
        let looked_at = first.chain(rest.by_ref().take(TOP_LOOKED_AT_MAX));
        let key = |job: &Job| {
            let (key, number) = (self.key(job, query.sort), job.id.0);
            if query.reverse { (!key, !number) } else { (key, number) }
        };
        let keys = looked_at.filter(fits).map(key).collect();
        (keys, rest.next().is_some())
    }

    fn key(&self, job: &Job, sort: TopSort) -> i128 {
        let done = || i128::from(job.work.covered() + job.in_flight);
        match sort {
            TopSort::Job => 0,
            TopSort::State => match job.shown_state() {
                JobState::Running => 0,
                JobState::Paused => 1,
                JobState::Queued => 2,
                JobState::Done | JobState::Failed | JobState::Cancelled | JobState::TimedOut => 3,
            },
            // Per million, so that no length of a job plays a part.
            TopSort::Done => -(done() * 1_000_000 / i128::from(job.spec.elements.max(1))),
            TopSort::Rate => -self.rate(job).map_or(-1, i128::from),
            TopSort::Eta => self.eta_of(job).map_or(i128::MAX, i128::from),
            TopSort::Retries => -i128::from(job.retries),
            TopSort::Priority => -i128::from(job.priority),
            TopSort::Workers => -i128::from(job.holders),
            TopSort::User => i128::from(job.uid),
            TopSort::Age => -i128::from(job.age_ms(self.now)),
        }
    }

    fn eta_of(&self, job: &Job) -> Option<u64> {
        let left = job.spec.elements.saturating_sub(job.work.covered() + job.in_flight);
        self.rate(job).and_then(|rate| eta_ms(left, rate))
    }

    fn top_job(&self, job: &Job) -> TopJob {
        // One that ended before this supervisor was has no work left to look at.
        let past = job.past.as_deref();
        let done = job.work.covered() + job.in_flight;
        let of = |elements: fn(&JobView) -> &String, bytes: fn(&JobView) -> &Option<String>, now: u64| {
            past.map_or_else(
                || now.to_string(),
                |past| bytes(past).as_ref().unwrap_or(elements(past)).clone(),
            )
        };
        let ended = (job.is_over() && past.is_none()).then(|| job.ended_at_ms());
        let elapsed = ended.map(|end| end.saturating_sub(job.submitted_at_ms));
        TopJob {
            job: job.id,
            state: job.shown_state(),
            what: what(job),
            uid: job.uid,
            all: of(|past| &past.elements, |past| &past.bytes, job.spec.elements),
            done: of(|past| &past.elements_done, |past| &past.bytes_done, done),
            bytes: past.map_or_else(|| is_bytes(job), |past| past.bytes.is_some()),
            rate_per_s: self.rate(job),
            eta_ms: self.eta_of(job),
            elapsed_ms: past.map(|past| past.elapsed_ms).or(elapsed).unwrap_or_else(|| job.age_ms(self.now)),
            workers: u64::from(job.holders),
            retries: job.retries,
            priority: job.priority,
            detached: job.detached,
        }
    }

    /// What happened to a job's partitions, with those under way; nothing of one that ended under an earlier supervisor.
    pub(crate) fn history_of(&self, job: &Job) -> Option<Box<HistoryView>> {
        let history = job.history.as_ref()?;
        let to = match job.state {
            State::Ended { at, .. } => at,
            State::Queued | State::Running | State::Paused => self.now,
        };
        let running: Vec<Span> =
            job.hands.keys().filter_map(|&slot| self.running_span(slot, job, history)).collect();
        Some(Box::new(history.view(job.submitted, job.earlier_ms, to, &running)))
    }

    fn running_span(&self, slot: SlotId, job: &Job, history: &History) -> Option<Span> {
        let worker = self.crew.worker(slot)?;
        let held = worker.leases.front().filter(|held| held.lease.job == job.id && held.mark.counts())?;
        let from = history.last_end(slot).unwrap_or(held.granted).max(held.granted);
        Some(Span {
            slot,
            pid: worker.pid.unwrap_or(0),
            from,
            to: self.now,
            partitions: 1,
            attempt: held.lease.attempt.0,
            how: SpanEnd::Running,
        })
    }
}

fn is_bytes(job: &Job) -> bool {
    matches!(job.spec.kernel.source, Source::Files(_))
}

/// Cuts the page out of all keys; only what comes before it and on it is put in order.
fn page<'a>(keys: &'a mut [Key], query: &TopQuery) -> &'a [Key] {
    let offset = usize::try_from(query.offset).unwrap_or(usize::MAX).min(keys.len());
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX).min(TOP_JOBS_MAX);
    let end = offset.saturating_add(limit).min(keys.len());
    if end > 0 && end < keys.len() {
        keys.select_nth_unstable(end - 1);
    }
    keys[..end].sort_unstable();
    &keys[offset..end]
}

/// A job as one would type it.
fn what(job: &Job) -> String {
    let request = &job.spec.request;
    let words = match &request.reductions[..] {
        [one] => one.clone(),
        several => format!("reduce {}", several.join(",")),
    };
    let step = request.step.iter().map(|step| format!("--step {step}"));
    let of = request.of.iter().map(|of| format!("--of {}", in_quotes(of)));
    let filter = request.filter.iter().map(|filter| format!("--where {}", in_quotes(filter)));
    let by = (!request.by.is_empty()).then(|| format!("--by {}", request.by.join(",")));
    let mut text = words;
    for word in request.sources.iter().cloned().chain(step).chain(of).chain(filter).chain(by) {
        if text.len() > TOP_WHAT_BYTES_MAX {
            break;
        }
        text.push(' ');
        text.push_str(&word);
    }
    if text.len() > TOP_WHAT_BYTES_MAX {
        let end = (0..=TOP_WHAT_BYTES_MAX - 3).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.truncate(end);
        text.push_str("...");
    }
    text
}

/// Whether a job's id, state or text has this in it; `wanted` is in lower case.
fn answers_to(job: &Job, wanted: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(wanted);
    let request = &job.spec.request;
    let texts = request.reductions.iter().chain(&request.sources).chain(&request.of).chain(&request.filter);
    job.id.to_string() == wanted
        || has(&job.shown_state().to_string())
        || texts.map(String::as_str).any(has)
        || has(&what(job))
}
