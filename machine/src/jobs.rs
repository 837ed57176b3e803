//! All jobs, open and ended. Forgets the oldest ended ones, but none that somebody still waits to hear of.

use std::collections::{BTreeMap, BTreeSet};

use tally_protocol::JobId;

use crate::job::Job;

/// The table of jobs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Jobs {
    all: BTreeMap<JobId, Box<Job>>,
    open: BTreeSet<JobId>,
    /// Ended jobs in the order of their ends.
    ended: BTreeSet<(u64, JobId)>,
    /// When each of these ended, as a count of ends.
    ended_as: BTreeMap<JobId, u64>,
    /// Jobs that ended since the start.
    pub(crate) ends: u64,
    named: u64,
}

impl Jobs {
    /// The next id, counting from 1.
    pub(crate) fn name(&mut self) -> JobId {
        self.named += 1;
        JobId(self.named)
    }

    pub(crate) fn insert(&mut self, job: Job) {
        self.open.insert(job.id);
        self.all.insert(job.id, Box::new(job));
    }

    pub(crate) fn get(&self, job: JobId) -> Option<&Job> {
        self.all.get(&job).map(Box::as_ref)
    }

    pub(crate) fn get_mut(&mut self, job: JobId) -> Option<&mut Job> {
        self.all.get_mut(&job).map(Box::as_mut)
    }

    pub(crate) fn open(&self) -> impl Iterator<Item = &Job> {
        self.open.iter().filter_map(|&id| self.get(id))
    }

    pub(crate) fn open_count(&self) -> usize {
        self.open.len()
    }

    #[cfg(any(debug_assertions, test))]
    pub(crate) fn ended_count(&self) -> usize {
        self.ended.len()
    }

    /// Every job that is remembered, in the order of their ids.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Job> {
        self.all.values().map(Box::as_ref)
    }

    /// An open job has ended.
    pub(crate) fn close(&mut self, job: JobId) {
        self.open.remove(&job);
        self.ends += 1;
        self.ended.insert((self.ends, job));
        self.ended_as.insert(job, self.ends);
    }

    /// An ended job goes on.
    pub(crate) fn reopen(&mut self, job: JobId) {
        if let Some(end) = self.ended_as.remove(&job) {
            self.ended.remove(&(end, job));
            self.open.insert(job);
        }
    }

    /// Forgets the oldest ended jobs until `most` are left; those with watchers stay.
    pub(crate) fn forget_beyond(&mut self, most: usize) {
        let Some(surplus) = self.ended.len().checked_sub(most).filter(|&surplus| surplus > 0) else { return };
        let free = |&&(_, id): &&(u64, JobId)| self.get(id).is_none_or(|job| job.watchers.is_empty());
        let old: Vec<_> = self.ended.iter().filter(free).take(surplus).copied().collect();
        for (end, id) in old {
            self.ended.remove(&(end, id));
            self.ended_as.remove(&id);
            self.all.remove(&id);
        }
    }

    /// Panics unless open and ended jobs are where they should be, and no more than `most` are remembered for nobody.
    pub(crate) fn check(&self, most: usize) {
        let unwatched = |id: &&JobId| self.get(**id).is_some_and(|job| job.watchers.is_empty());
        let idle = self.ended_as.keys().filter(unwatched).count();
        assert!(idle <= most, "{idle} ended jobs are remembered, {most} are allowed");
        for job in self.all() {
            assert_eq!(job.is_open(), self.open.contains(&job.id), "{} is in the wrong list", job.id);
            assert_eq!(job.is_open(), !self.ended_as.contains_key(&job.id), "{} has ended twice", job.id);
        }
        assert_eq!(self.all.len(), self.open.len() + self.ended.len(), "a job is lost");
        assert!(
            self.ended.iter().all(|(end, id)| self.ended_as.get(id) == Some(end)),
            "the order of ends is wrong"
        );
        assert_eq!(self.ended.len(), self.ended_as.len(), "a job has ended twice");
    }
}
