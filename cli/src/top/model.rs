//! What is known of the daemon: its last answers, and what follows from comparing them with the ones before. Pure: times
//! are the daemon's own.

use std::collections::{BTreeMap, VecDeque};

use tally_protocol::ids::JobId;
use tally_protocol::locks::view::LockView;
use tally_protocol::objects::ObjectView;
use tally_protocol::top::TopView;
use tally_protocol::view::JobView;

/// Looks of which the throughput is remembered: the width of the widest plot.
const RATES_MAX: usize = 400;

/// The daemon as it was last seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Model {
    pub(crate) top: TopView,
    /// Whether any answer has come yet.
    pub(crate) seen: bool,
    /// Elements a second at each look, of files bytes, whichever there are more of.
    pub(crate) rates: VecDeque<u64>,
    /// Per cent of one processor that each worker's process uses, by pid.
    pub(crate) load: BTreeMap<u32, u64>,
    /// Processor milliseconds at a time, by pid.
    used: BTreeMap<u32, (u64, u64)>,
    pub(crate) locks: Vec<LockView>,
    pub(crate) objects: Vec<ObjectView>,
    pub(crate) detail: Option<Detail>,
    /// Names of users, by number.
    pub(crate) users: BTreeMap<u32, String>,
    /// Since when nobody answers, in the user's words.
    pub(crate) gone: Option<String>,
}

/// One job with all that is known of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Detail {
    pub(crate) job: JobView,
    /// Why it waits, or what it does.
    pub(crate) reasons: Vec<String>,
}

impl Model {
    /// A new answer of the daemon.
    pub(crate) fn take(&mut self, top: TopView, user: impl Fn(u32) -> String) {
        self.load.clear();
        let mut used = BTreeMap::new();
        for worker in &top.workers {
            let (Some(pid), Some(cpu_ms), Some(age_ms)) = (worker.pid, worker.cpu_ms, worker.age_ms) else {
                continue;
            };
            // At the first sight of a process, over all its life.
            let (busy, passed) = match self.used.get(&pid) {
                Some(&(before, at)) if top.at_ms > at && cpu_ms >= before => {
                    (cpu_ms - before, top.at_ms - at)
                }
                Some(_) | None => (cpu_ms, age_ms.max(1)),
            };
            self.load.insert(pid, busy.saturating_mul(100) / passed);
            used.insert(pid, (cpu_ms, top.at_ms));
        }
        self.used = used;
        if self.rates.len() == RATES_MAX {
            self.rates.pop_front();
        }
        self.rates.push_back(top.rate_per_s.max(top.byte_rate_per_s));
        for job in &top.jobs {
            self.users.entry(job.uid).or_insert_with(|| user(job.uid));
        }
        self.top = top;
        self.seen = true;
        self.gone = None;
    }

    /// Another daemon may be behind the socket: nothing is compared with what was.
    pub(crate) fn lose(&mut self, since: &str) {
        self.used.clear();
        self.load.clear();
        self.gone.get_or_insert_with(|| since.to_owned());
    }

    /// A job with all that is known of it; reasons come later.
    pub(crate) fn take_job(&mut self, job: JobView) {
        let reasons = match self.detail.take() {
            Some(detail) if detail.job.job == job.job => detail.reasons,
            Some(_) | None => Vec::new(),
        };
        self.detail = Some(Detail { job, reasons });
    }

    pub(crate) fn take_reasons(&mut self, id: JobId, reasons: Vec<String>) {
        if let Some(detail) = self.detail.as_mut().filter(|detail| detail.job.job == id) {
            detail.reasons = reasons;
        }
    }

    /// Per cent of a processor and bytes of memory of all workers on the page; nothing where none is known.
    pub(crate) fn totals(&self) -> Option<(u64, u64)> {
        let bytes: Vec<u64> = self.top.workers.iter().filter_map(|worker| worker.rss_bytes).collect();
        (!bytes.is_empty()).then(|| (self.load.values().sum(), bytes.iter().sum()))
    }

    pub(crate) fn user(&self, uid: u32) -> String {
        self.users.get(&uid).cloned().unwrap_or_else(|| uid.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn load_is_what_was_used_between_two_looks() {
        let mut model = Model::default();
        model.take(samples::view(1, 1), |uid| format!("u{uid}"));
        assert_eq!(model.load.values().copied().collect::<Vec<_>>(), [50], "over all its life at first");
        let mut next = samples::view(1, 1);
        next.at_ms += 2_000;
        next.workers[0].cpu_ms = next.workers[0].cpu_ms.map(|ms| ms + 1_960);
        model.take(next.clone(), |uid| format!("u{uid}"));
        assert_eq!(model.load.values().copied().collect::<Vec<_>>(), [98]);
        model.lose("12:00:00");
        assert!(model.load.is_empty() && model.gone.is_some() && model.seen);
        model.take(next, |uid| format!("u{uid}"));
        assert_eq!(model.gone, None);
        assert_eq!(model.user(0), "u0");
    }

    #[test]
    fn throughput_is_remembered_for_a_while() {
        let mut model = Model::default();
        for rate in 0..1_000 {
            model.take(TopView { rate_per_s: rate, ..TopView::default() }, |_| String::new());
        }
        assert_eq!((model.rates.len(), model.rates.back()), (RATES_MAX, Some(&999)));
        assert_eq!(model.totals(), None);
    }
}
