//! What a worker has been told: jobs it may get leases of, and leases it has not begun.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::OwnedFd;

use tally_kernel::Kernel;
use tally_protocol::JobId;
use tally_protocol::job::KernelSpec;
use tally_protocol::work::{LeaseId, ToWorker};

/// One lease that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    pub(crate) id: LeaseId,
    pub(crate) position: u64,
    pub(crate) count: u64,
}

/// What to do about a message beyond remembering it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Nothing.
    Noted,
    /// A waiting lease was dropped: say so.
    Dropped(LeaseId),
    /// Not waiting here: the running one, or already answered.
    CancelRunning(LeaseId),
    /// So many descriptors of this job's files have been sent.
    FilesCome(JobId, usize),
    /// End.
    Quit,
}

/// What was told of a job.
#[derive(Debug)]
pub(crate) enum Job {
    /// What it folds.
    Spec(Box<KernelSpec>, Vec<OwnedFd>),
    /// The same, ready to fold.
    Ready(Box<Kernel>),
    /// It is being folded just now.
    Lent,
}

/// Jobs and leases, in the order they came.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    jobs: BTreeMap<JobId, Job>,
    waiting: VecDeque<Lease>,
}

impl Leases {
    /// Takes one message of the supervisor.
    pub(crate) fn take(&mut self, message: ToWorker) -> Told {
        match message {
            ToWorker::Job { job, kernel } => {
                let files = kernel.source.files().len();
                self.jobs.insert(job, Job::Spec(Box::new(kernel), Vec::new()));
                if files > 0 { Told::FilesCome(job, files) } else { Told::Noted }
            }
            ToWorker::Lease { lease, position, count } => {
                self.waiting.push_back(Lease { id: lease, position, count });
                Told::Noted
            }
            ToWorker::Cancel { lease } => {
                let before = self.waiting.len();
                self.waiting.retain(|one| one.id != lease);
                if self.waiting.len() < before { Told::Dropped(lease) } else { Told::CancelRunning(lease) }
            }
            ToWorker::Forget { job } => {
                self.jobs.remove(&job);
                Told::Noted
            }
            ToWorker::Quit => Told::Quit,
        }
    }

    /// The next lease to fold.
    pub(crate) fn next(&mut self) -> Option<Lease> {
        self.waiting.pop_front()
    }

    /// Whether none waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// What a job folds, lent until it is given back; `None` for a job it was not told of.
    pub(crate) fn borrow(&mut self, job: JobId) -> Option<Job> {
        Some(std::mem::replace(self.jobs.get_mut(&job)?, Job::Lent))
    }

    /// The files of a job that was just told of.
    pub(crate) fn take_files(&mut self, job: JobId, fds: Vec<OwnedFd>) {
        if let Some(Job::Spec(_, files)) = self.jobs.get_mut(&job) {
            *files = fds;
        }
    }

    /// Gives it back; one that was forgotten meanwhile, or told of anew, is dropped.
    pub(crate) fn give_back(&mut self, job: JobId, kernel: Box<Kernel>) {
        // Told of anew while it was being folded, it is another fold: what was lent is out of date.
        if let Some(place @ Job::Lent) = self.jobs.get_mut(&job) {
            *place = Job::Ready(kernel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tally_protocol::{Attempt, PartitionId};

    fn lease(partition: u64) -> LeaseId {
        LeaseId { job: JobId(1), partition: PartitionId(partition), attempt: Attempt(1) }
    }

    fn give(leases: &mut Leases, partition: u64) {
        let told = leases.take(ToWorker::Lease { lease: lease(partition), position: partition, count: 1 });
        assert_eq!(told, Told::Noted);
    }

    #[test]
    fn leases_are_folded_in_order() {
        let mut leases = Leases::default();
        give(&mut leases, 7);
        give(&mut leases, 3);
        assert_eq!(leases.next().map(|one| one.position), Some(7));
        assert_eq!(leases.next().map(|one| one.position), Some(3));
        assert!(leases.is_empty());
    }

    #[test]
    fn a_cancel_drops_a_waiting_lease_and_names_a_running_one() {
        let mut leases = Leases::default();
        give(&mut leases, 1);
        give(&mut leases, 2);
        assert_eq!(leases.take(ToWorker::Cancel { lease: lease(2) }), Told::Dropped(lease(2)));
        assert_eq!(leases.take(ToWorker::Cancel { lease: lease(9) }), Told::CancelRunning(lease(9)));
        assert_eq!(leases.next().map(|one| one.position), Some(1));
        assert!(leases.next().is_none());
    }
}
