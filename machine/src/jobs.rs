//! All jobs, open and ended. Forgets the oldest ended ones, but none that somebody still waits to hear of.
//!
//! Ends come in floods (`cancel --all`, a store that refuses), so none of them may cost a walk over the others: ended jobs
//! that can be forgotten are listed apart, and of those only the ones that were touched are looked at again.

use std::collections::{BTreeMap, BTreeSet};

use tally_protocol::JobId;
use tally_protocol::job::JobState;

use crate::environments::Environments;
use crate::job::Job;

/// As what an open job is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Standing {
    pub(crate) state: JobState,
    /// It survives the supervisor.
    pub(crate) kept: bool,
}

/// The table of jobs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Jobs {
    all: BTreeMap<JobId, Box<Job>>,
    open: BTreeSet<JobId>,
    /// Ended jobs in the order of their ends.
    ended: BTreeSet<(u64, JobId)>,
    /// When each of these ended, as a count of ends.
    ended_as: BTreeMap<JobId, u64>,
    /// Those of `ended` that nobody waits for and that have no business with the store; right but for `touched`.
    free: BTreeSet<(u64, JobId)>,
    /// The same by user.
    free_of: BTreeSet<(u32, u64, JobId)>,
    /// Ended jobs that may have become free, or are free no more.
    touched: BTreeSet<JobId>,
    /// The environments of their commands.
    pub(crate) environments: Environments,
    /// Looks at single jobs.
    #[cfg(test)]
    looks: std::cell::Cell<u64>,
    /// Open jobs by how they stand; looked at often, so that nobody counts them one by one.
    counts: BTreeMap<Standing, u64>,
    /// Open jobs by user.
    by_user: BTreeMap<u32, usize>,
    /// Bytes that the jobs of each user take, ended ones too.
    held: BTreeMap<u32, u64>,
    /// Ends in order, those before a restart too.
    order: u64,
    /// Jobs that ended since the start.
    pub(crate) ends: u64,
    /// The last id that was given out.
    pub(crate) named: u64,
}

impl Jobs {
    /// The next id, counting from 1.
    pub(crate) fn name(&mut self) -> JobId {
        self.named = self.named.saturating_add(1);
        JobId(self.named)
    }

    pub(crate) fn insert(&mut self, mut job: Job) {
        let id = job.id;
        self.environments.share(&mut job.spec);
        self.open.insert(id);
        self.all.insert(id, Box::new(job));
        self.weigh(id);
    }

    pub(crate) fn get(&self, job: JobId) -> Option<&Job> {
        self.look();
        self.all.get(&job).map(Box::as_ref)
    }

    pub(crate) fn get_mut(&mut self, job: JobId) -> Option<&mut Job> {
        self.look();
        let found = self.all.get_mut(&job)?;
        if !found.is_open() {
            self.touched.insert(job);
        }
        Some(found)
    }

    #[cfg(test)]
    fn look(&self) {
        self.looks.set(self.looks.get() + 1);
    }

    #[cfg(not(test))]
    fn look(&self) {}

    /// How often a single job was looked at so far.
    #[cfg(test)]
    pub(crate) fn looks(&self) -> u64 {
        self.looks.get()
    }

    pub(crate) fn open(&self) -> impl Iterator<Item = &Job> {
        self.open.iter().filter_map(|&id| self.get(id))
    }

    pub(crate) fn open_count(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn ended_count(&self) -> usize {
        self.ended.len()
    }

    /// Every job that is remembered, in the order of their ids.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Job> {
        self.all.values().map(Box::as_ref)
    }

    /// Those with higher ids than this one.
    pub(crate) fn after(&self, id: JobId) -> impl Iterator<Item = &Job> {
        let from = (std::ops::Bound::Excluded(id), std::ops::Bound::Unbounded);
        self.all.range(from).map(|(_, job)| job.as_ref())
    }

    /// An open job has ended.
    pub(crate) fn close(&mut self, job: JobId) {
        self.ends += 1;
        self.close_quietly(job);
    }

    /// A job ended before this supervisor was.
    pub(crate) fn close_quietly(&mut self, job: JobId) {
        self.open.remove(&job);
        self.order += 1;
        self.ended.insert((self.order, job));
        self.ended_as.insert(job, self.order);
        if let Some(job) = self.all.get(&job) {
            self.environments.ended(self.order, job);
        }
        self.touched.insert(job);
    }

    /// Counts a job as what it is now.
    pub(crate) fn recount(&mut self, id: JobId) {
        let Some(job) = self.all.get_mut(&id) else { return };
        let now = job.is_open().then(|| Standing { state: job.state.name(), kept: job.paper.kept });
        let before = std::mem::replace(&mut job.standing, now);
        if now == before {
            return;
        }
        if let Some(count) = before.and_then(|before| self.counts.get_mut(&before)) {
            *count -= 1;
        }
        if let Some(now) = now {
            *self.counts.entry(now).or_default() += 1;
        }
        let user = self.by_user.entry(job.uid).or_default();
        match (before, now) {
            (None, Some(_)) => *user += 1,
            (Some(_), None) => *user -= 1,
            (None, None) | (Some(_), Some(_)) => {}
        }
        if *user == 0 {
            self.by_user.remove(&job.uid);
        }
    }

    /// How many open jobs stand like this.
    pub(crate) fn count(&self, like: impl Fn(Standing) -> bool) -> u64 {
        self.counts.iter().filter(|&(&standing, _)| like(standing)).map(|(_, count)| count).sum()
    }

    /// How many open jobs a user has.
    pub(crate) fn count_of(&self, uid: u32) -> usize {
        self.by_user.get(&uid).copied().unwrap_or(0)
    }

    /// Counts again how much a job takes.
    pub(crate) fn weigh(&mut self, id: JobId) {
        let Some(job) = self.all.get_mut(&id) else { return };
        let now = job.held_bytes();
        let before = std::mem::replace(&mut job.held, now);
        self.reckon(id, before, now);
    }

    fn reckon(&mut self, id: JobId, before: u64, now: u64) {
        let Some(uid) = self.get(id).map(|job| job.uid) else { return };
        let held = self.held.entry(uid).or_default();
        *held = held.saturating_sub(before).saturating_add(now);
        if *held == 0 {
            self.held.remove(&uid);
        }
    }

    /// The most open jobs and the most bytes that one of these users has; nothing if none has any.
    pub(crate) fn most_of(&self, counts: impl Fn(u32) -> bool) -> Option<(u64, u64)> {
        let bytes = self.held.iter().filter(|&(&uid, _)| counts(uid)).map(|(_, &bytes)| bytes).max()?;
        let open = self.by_user.iter().filter(|&(&uid, _)| counts(uid)).map(|(_, &open)| open as u64).max();
        Some((open.unwrap_or(0), bytes))
    }

    /// Bytes that the jobs of a user take.
    pub(crate) fn held_by(&self, uid: u32) -> u64 {
        self.held.get(&uid).copied().unwrap_or(0)
    }

    /// An ended job goes on.
    pub(crate) fn reopen(&mut self, job: JobId) {
        if let Some(end) = self.ended_as.remove(&job) {
            self.ended.remove(&(end, job));
            self.open.insert(job);
            self.unlist(end, job);
            self.environments.unlist(end, job);
        }
    }

    /// An ended job has no environment that counts.
    pub(crate) fn unlist_environment(&mut self, job: JobId) {
        if let Some(&end) = self.ended_as.get(&job) {
            self.environments.unlist(end, job);
        }
    }

    /// Looks again at the ended jobs that were touched.
    fn relist(&mut self) {
        for id in std::mem::take(&mut self.touched) {
            let Some(&end) = self.ended_as.get(&id) else { continue };
            match self.get(id).map(|job| (job.uid, job.is_forgettable())) {
                Some((uid, true)) => {
                    self.free.insert((end, id));
                    self.free_of.insert((uid, end, id));
                }
                Some((_, false)) | None => self.unlist(end, id),
            }
        }
    }

    fn unlist(&mut self, end: u64, id: JobId) {
        self.free.remove(&(end, id));
        if let Some(uid) = self.get(id).map(|job| job.uid) {
            self.free_of.remove(&(uid, end, id));
        }
    }

    /// Forgets the oldest ended jobs until `most` are left, and those that ended at `before_ms` or earlier, but for
    /// those that can't be forgotten yet. Says which of them the store has.
    pub(crate) fn forget(&mut self, most: usize, before_ms: Option<u64>) -> Vec<JobId> {
        self.relist();
        let surplus = self.ended.len().saturating_sub(most);
        let old = |job: &Job| before_ms.is_some_and(|before| job.ended_at_ms() <= before);
        let free = self.free.iter().filter_map(|&(_, id)| self.get(id));
        let gone: Vec<(JobId, bool)> = free
            .enumerate()
            .take_while(|(at, job)| *at < surplus || old(job))
            .map(|(_, job)| (job.id, job.paper.in_store))
            .collect();
        self.drop_ended(gone)
    }

    /// Forgets the oldest ended jobs of a user until they take so many bytes less, as far as they can be forgotten. Says
    /// which of them the store has.
    pub(crate) fn shed(&mut self, uid: u32, bytes: u64) -> Vec<JobId> {
        self.relist();
        let mut less = 0;
        let free = self.free_of.range((uid, 0, JobId(0))..=(uid, u64::MAX, JobId(u64::MAX)));
        let gone: Vec<(JobId, bool)> = free
            .filter_map(|&(_, _, id)| self.get(id))
            .take_while(|job| {
                let wanted = less < bytes;
                less += job.held;
                wanted
            })
            .map(|job| (job.id, job.paper.in_store))
            .collect();
        self.drop_ended(gone)
    }

    /// Forgets these ended jobs; of them, those that the store has.
    fn drop_ended(&mut self, gone: Vec<(JobId, bool)>) -> Vec<JobId> {
        for &(id, _) in &gone {
            if let Some(order) = self.ended_as.remove(&id) {
                self.ended.remove(&(order, id));
                self.unlist(order, id);
                self.environments.unlist(order, id);
            }
            let held = self.get(id).map_or(0, |job| job.held);
            self.reckon(id, held, 0);
            if let Some(job) = self.all.remove(&id) {
                self.environments.leave(&job.spec);
            }
        }
        gone.into_iter().filter(|&(_, stored)| stored).map(|(id, _)| id).collect()
    }

    /// When the oldest job that can be forgotten ended, in Unix milliseconds.
    pub(crate) fn oldest_end_ms(&mut self) -> Option<u64> {
        self.relist();
        let &(_, id) = self.free.first()?;
        self.get(id).map(Job::ended_at_ms)
    }

    /// Panics unless open and ended jobs are where they should be, and no more than `most` are remembered for nobody.
    pub(crate) fn check(&self, most: usize) {
        let idle = self.ended_as.keys().filter(|&&id| self.get(id).is_some_and(Job::is_forgettable)).count();
        assert!(idle <= most, "{idle} ended jobs are remembered, {most} are allowed");
        self.check_counts();
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
        self.check_free();
        self.environments.check(self.all());
    }

    fn check_free(&self) {
        for &(end, id) in &self.ended {
            let Some(job) = self.get(id).filter(|_| !self.touched.contains(&id)) else { continue };
            let listed = (self.free.contains(&(end, id)), self.free_of.contains(&(job.uid, end, id)));
            let free = job.is_forgettable();
            assert_eq!(listed, (free, free), "{id} is in the wrong list of what can be forgotten");
        }
        assert!(self.free.iter().all(|end| self.ended.contains(end)), "what has not ended can be forgotten");
        assert_eq!(self.free.len(), self.free_of.len(), "the users' lists of what can be forgotten");
    }

    fn check_counts(&self) {
        let mut counts: BTreeMap<Standing, u64> = self.counts.keys().map(|&standing| (standing, 0)).collect();
        let mut by_user: BTreeMap<u32, usize> = BTreeMap::new();
        for job in self.open() {
            let standing = Standing { state: job.state.name(), kept: job.paper.kept };
            *counts.entry(standing).or_default() += 1;
            *by_user.entry(job.uid).or_default() += 1;
            assert_eq!(job.standing, Some(standing), "{} is counted as something else", job.id);
        }
        let mut held: BTreeMap<u32, u64> = BTreeMap::new();
        for job in self.all() {
            *held.entry(job.uid).or_default() += job.held;
        }
        assert_eq!(held, self.held, "what the jobs of users take");
        assert_eq!(counts, self.counts, "the counts of open jobs");
        assert_eq!(by_user, self.by_user, "the counts of users");
    }
}
