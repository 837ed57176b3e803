//! What must hold after every event. Panics with what does not; never changes anything.

use std::collections::BTreeMap;

use tally_protocol::{JobId, PartitionId, SlotId};

use crate::Machine;
use crate::clients::Pending;
use crate::deadline::Alarm;
use crate::job::{Job, State};
use crate::partition::PartitionState;
use crate::phase::Phase;
use crate::schedule::Queue;
use crate::worker::{Slot, SlotState, Worker};

/// Up to this many jobs and leases every event is checked; beyond it, one in so many.
#[cfg(any(debug_assertions, test))]
const CHEAP: u64 = 256;

impl Machine {
    /// Panics unless all invariants hold.
    pub fn check(&self) {
        self.crew.check();
        self.jobs.check();
        self.jobs.all().for_each(|job| self.check_job(job));
        self.crew.slots().iter().for_each(|slot| self.check_slot(slot));
        self.check_queue();
        self.check_clients();
        self.check_phase();
    }

    /// The check in debug builds: always while it is cheap, now and then when there is a lot to check.
    #[cfg(any(debug_assertions, test))]
    pub(crate) fn check_now_and_then(&mut self) {
        let size = (self.jobs.open_count() + self.jobs.ended_count()) as u64;
        self.unchecked += 1;
        if size <= CHEAP || self.unchecked * CHEAP > size {
            self.unchecked = 0;
            self.check();
        }
    }

    fn check_job(&self, job: &Job) {
        job.work.check();
        assert!(job.work.covered() <= job.spec.elements, "{} covers too much", job.id);
        assert_eq!(job.partial.elements(), job.work.covered(), "{}: partial and coverage disagree", job.id);
        self.check_leases_of(job);
        let want = job.wants_workers() && !job.is_full();
        assert_eq!(want, job.filed.is_some(), "{} is not where it should be in the queue", job.id);
        match &job.state {
            State::Queued => assert_eq!(job.work.accepted(), 0, "{} is queued and has partials", job.id),
            State::Running | State::Paused => {}
            State::Ended { .. } => self.check_ended(job),
        }
        if job.is_open() {
            assert!(!job.work.is_done(), "{} is whole and still open", job.id);
            self.check_open(job);
        }
    }

    fn check_open(&self, job: &Job) {
        assert_eq!(
            self.alarms.when(Alarm::Job(job.id)).is_some(),
            job.deadline.is_some(),
            "{}: alarm",
            job.id
        );
        if let Some(owner) = job.owner {
            assert!(job.watchers.contains(&owner), "the owner of {} does not wait for it", job.id);
        }
        assert!(job.quiet.is_subset(&job.watchers), "{} has quiet strangers", job.id);
    }

    fn check_ended(&self, job: &Job) {
        assert_eq!(job.holders, 0, "{} is over and held", job.id);
        assert!(job.hands.is_empty(), "{} is over and workers know it", job.id);
        assert_eq!(job.work.leased(), 0, "{} is over and leased", job.id);
        assert_eq!(job.owner, None, "{} is over and owned", job.id);
        assert!(self.alarms.when(Alarm::Job(job.id)).is_none(), "{} is over and has a deadline", job.id);
    }

    /// The job's view of its leases and the workers' view are the same.
    fn check_leases_of(&self, job: &Job) {
        let mut held: BTreeMap<SlotId, u32> = job.hands.keys().map(|&slot| (slot, 0)).collect();
        let mut in_flight = 0;
        for (id, piece) in job.work.live() {
            let PartitionState::Leased { worker, attempt, .. } = piece.state else { continue };
            let slot = self.crew.slot_of(worker);
            let slot =
                slot.unwrap_or_else(|| panic!("{} partition {id} is leased to the dead {worker}", job.id));
            *held.entry(slot).or_default() += 1;
            in_flight += self.check_lease(job, id, slot);
            assert!(attempt.0 >= 1, "attempts count from 1");
        }
        assert_eq!(held, job.hands, "{}: who holds its leases", job.id);
        assert_eq!(in_flight, job.in_flight, "{}: elements under way", job.id);
        let holders = held.values().filter(|&&count| count > 0).count();
        assert_eq!(holders, job.holders as usize, "{}: how many hold its leases", job.id);
        assert!(
            job.spec.request.workers.is_none_or(|most| job.holders <= most),
            "{} has too many workers",
            job.id
        );
    }

    fn check_lease(&self, job: &Job, id: PartitionId, slot: SlotId) -> u64 {
        let worker = self.crew.worker(slot);
        let mut same = worker
            .into_iter()
            .flat_map(|worker| &worker.leases)
            .filter(|held| held.lease.job == job.id && held.lease.partition == id && held.mark.counts());
        let held =
            same.next().unwrap_or_else(|| panic!("{} partition {id}: its worker does not know", job.id));
        assert!(same.next().is_none(), "{} partition {id} is held twice", job.id);
        held.done
    }

    fn check_slot(&self, slot: &Slot) {
        let id = slot.id;
        if let Some(worker) = slot.worker() {
            self.check_worker(slot, worker);
        }
        match &slot.state {
            SlotState::Empty => {}
            SlotState::Starting { worker, .. } => {
                assert!(worker.leases.is_empty(), "slot {id} has leases before it is ready");
            }
            SlotState::Idle { worker } => {
                assert!(worker.leases.is_empty(), "slot {id} idles with leases");
                assert!(!worker.leaving, "slot {id} idles and should go");
                assert!(self.queue.first(worker.profile).is_none(), "slot {id} idles while a job waits");
            }
            SlotState::Busy { worker } => {
                assert!(!worker.leases.is_empty(), "slot {id} is busy with nothing")
            }
            SlotState::Stopping { .. } | SlotState::BackingOff { .. } => {}
        }
        match (self.due_of(slot), self.alarms.when(Alarm::Slot(id))) {
            (Some(due), Some(at)) => assert!(at <= due, "the alarm of slot {id} rings too late"),
            (Some(_), None) => assert!(self.phase == Phase::Stopped, "slot {id} has no alarm"),
            (None, Some(_)) => panic!("slot {id} has an alarm and no deadline"),
            (None, None) => {}
        }
    }

    fn check_worker(&self, slot: &Slot, worker: &Worker) {
        assert_eq!(self.crew.slot_of(worker.id), Some(slot.id), "worker {} is lost", worker.id);
        let mut holding: BTreeMap<JobId, u32> = BTreeMap::new();
        for held in worker.leases.iter().filter(|held| held.mark.counts()) {
            *holding.entry(held.lease.job).or_default() += 1;
            let job = self.jobs.get(held.lease.job);
            let current =
                job.and_then(|job| job.work.held_by(held.lease.partition, held.lease.attempt, worker.id));
            assert!(current.is_some(), "worker {} holds {:?}, which is not its own", worker.id, held.lease);
        }
        assert_eq!(holding, worker.holding, "worker {}: what it holds", worker.id);
        assert!(worker.leases.len() <= self.settings.leases_max.max(2), "worker {} hoards", worker.id);
        let load = worker.leases.iter().fold(0_u64, |sum, held| sum.saturating_add(held.estimate_ns));
        assert!(load == worker.load_ns || load == u64::MAX, "worker {}: its load", worker.id);
        for id in &worker.knows {
            let told = self.jobs.get(*id).is_some_and(|job| job.hands.contains_key(&slot.id));
            assert!(told, "worker {} knows {id}, which does not know it", worker.id);
        }
    }

    fn check_queue(&self) {
        let mut fresh = Queue::default();
        for job in self.jobs.all() {
            if let Some(key) = job.filed {
                fresh.insert(job.profile, key);
                assert_eq!(key, job.key(), "{} stands in the wrong place", job.id);
            }
        }
        assert!(fresh == self.queue, "the queue of jobs is wrong");
    }

    fn check_clients(&self) {
        for (&client, place) in &self.clients {
            let jobs: &[JobId] = match &place.pending {
                Pending::Nothing => &[],
                Pending::End { job } => std::slice::from_ref(job),
                Pending::Stream { job, .. } => {
                    let quiet = self.jobs.get(*job).is_some_and(|job| job.quiet.contains(&client));
                    let due = self.alarms.when(Alarm::Progress(client)).is_some();
                    assert!(quiet != due, "client {client} must be quiet or due");
                    std::slice::from_ref(job)
                }
                Pending::Ends { jobs, open } => {
                    assert!(*open > 0, "client {client} waits for nothing");
                    jobs
                }
            };
            let watched = |id: &JobId| self.jobs.get(*id).is_some_and(|job| job.watchers.contains(&client));
            assert!(jobs.iter().all(watched), "client {client} waits for a job that does not know it");
            let open = jobs.iter().any(|&id| self.jobs.get(id).is_some_and(Job::is_open));
            assert!(open || jobs.is_empty(), "client {client} waits for jobs that are over");
        }
        for job in self.jobs.all() {
            let known =
                |client| self.clients.get(client).is_some_and(|place| place.pending != Pending::Nothing);
            assert!(job.watchers.iter().all(known), "{} has a watcher that waits for nothing", job.id);
        }
    }

    fn check_phase(&self) {
        match self.phase {
            Phase::Running => {}
            Phase::Draining { until } => {
                assert!(self.jobs.open_count() > 0, "draining with no open job");
                assert_eq!(
                    self.alarms.when(Alarm::Drain).is_some(),
                    until.is_some(),
                    "the limit of the drain"
                );
            }
            Phase::Stopping => {
                assert_eq!(self.jobs.open_count(), 0, "stopping with open jobs");
                assert!(!self.crew.is_deserted(), "stopping with nobody left");
                for slot in self.crew.slots() {
                    let goes = match slot.state {
                        SlotState::Empty | SlotState::BackingOff { .. } | SlotState::Stopping { .. } => true,
                        SlotState::Starting { .. } | SlotState::Idle { .. } | SlotState::Busy { .. } => false,
                    };
                    assert!(goes, "stopping and slot {} stays", slot.id);
                }
            }
            Phase::Stopped => assert!(self.crew.is_deserted(), "stopped with a child left"),
        }
    }
}
