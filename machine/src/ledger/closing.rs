//! The last words to the store, and whether the books are in order.

use std::collections::BTreeSet;

use tally_protocol::JobId;
use tally_protocol::error::ErrorCode;
use tally_protocol::record::Record;

use super::{Entry, News};
use crate::Machine;
use crate::clients::Pending;
use crate::deadline::Alarm;
use crate::phase::Phase;

impl Machine {
    /// The last words to the store: all progress, and that the ids beyond the last job's are free.
    pub(crate) fn close_books(&mut self) {
        if !self.records() {
            return;
        }
        let left: Vec<JobId> = self.jobs.open().map(|job| job.id).collect();
        for id in left {
            self.report(id, |news| news.urgent = news.is_any());
        }
        let to = self.jobs.named.saturating_add(1);
        self.record(Entry::Ids(to), &[Record::Reserved { to }]);
    }

    /// Nobody waits for the store any more: it is told to end at once.
    pub(crate) fn abandon_store(&mut self) {
        if !self.records() {
            return;
        }
        self.ledger.abandoned = true;
        self.abandon_objects();
        self.crowded = true;
        let mut jobs = std::mem::take(&mut self.ledger.inky);
        jobs.append(&mut self.ledger.held);
        for entry in std::mem::take(&mut self.ledger.open).into_values() {
            match entry {
                Entry::Job(id) => {
                    jobs.insert(id);
                }
                Entry::Arrival(..)
                | Entry::Ids(_)
                | Entry::Gone(_)
                | Entry::Fences(_)
                | Entry::Objects(_) => {}
            }
        }
        self.alarms.clear(Alarm::Store);
        self.fences_unbound();
        const WHY: &str = "could not wait for the store: the daemon was told to end at once";
        self.turn_arrivals_away(WHY);
        for id in jobs {
            self.alarms.clear(Alarm::Record(id));
            let Some(job) = self.jobs.get_mut(id) else { continue };
            let mut askers = std::mem::take(&mut job.paper.askers);
            if let Some(mut writing) = job.paper.writing.take() {
                askers.append(&mut writing.askers);
            }
            job.paper.news = News::default();
            if job.paper.unannounced {
                self.announce(id);
            }
            for client in askers {
                self.wait_for(client, Pending::Nothing);
                self.refuse(client, ErrorCode::Stopping, WHY);
            }
        }
    }

    /// Panics unless the books are in order.
    pub(crate) fn check_ledger(&self) {
        let written: BTreeSet<JobId> = self.ledger.open.values().filter_map(Entry::job).collect();
        for job in self.jobs.all() {
            let paper = &job.paper;
            let open = written.contains(&job.id);
            assert_eq!(open, paper.writing.is_some(), "{}: its record", job.id);
            assert!(paper.kept || !paper.is_busy(), "{} is not recorded and has news", job.id);
            assert!(!paper.unannounced || !job.is_open(), "{} is open and unannounced", job.id);
            let looked_at = self.phase == Phase::Stopped
                || paper.writing.is_some()
                || self.ledger.held.contains(&job.id)
                || self.alarms.when(Alarm::Record(job.id)).is_some();
            assert!(looked_at || !paper.news.is_any(), "nobody writes down the news of {}", job.id);
            assert!(paper.kept || job.past.is_none(), "{} has a past and is not recorded", job.id);
        }
        let held = self.ledger.held.is_empty() && self.ledger.gone.is_empty();
        let tried = self.phase == Phase::Stopped
            || self.alarms.when(Alarm::Store).is_some()
            || !self.ledger.open.is_empty();
        assert!(held || tried || self.ledger.abandoned, "nobody tries the store again");
        assert!(self.settings.durable || self.ledger.tickets == 0, "there is no store");
    }
}
