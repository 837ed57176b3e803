//! What must hold after every event. Panics with what does not; never changes anything.

use std::collections::{BTreeMap, BTreeSet};

use tally_protocol::work::LeaseId;
use tally_protocol::{JobId, PartitionId, SlotId};

use crate::Machine;
use crate::clients::Pending;
use crate::deadline::Alarm;
use crate::job::{Job, State};
use crate::phase::Phase;
use crate::schedule::Queue;
use crate::worker::{Slot, SlotState, Worker};

/// Up to this many jobs and leases every event is checked; beyond it, one in so many.
#[cfg(any(debug_assertions, test))]
const CHEAP: u64 = 256;

/// Beyond it, each event pays for the check of so many jobs.
#[cfg(any(debug_assertions, test))]
const SELDOM: u64 = 16;

/// The leases that count, with their holder and what it says it has folded.
type Held = BTreeMap<(JobId, PartitionId), (SlotId, u64)>;

impl Machine {
    /// Panics unless all invariants hold.
    pub fn check(&self) {
        self.crew.check();
        self.jobs.check(self.settings.jobs_ended_max);
        let held = self.leases_held();
        self.jobs.all().for_each(|job| self.check_job(job, &held));
        self.crew.slots().iter().for_each(|slot| self.check_slot(slot));
        self.check_queue();
        self.check_clients();
        self.check_started();
        self.check_ledger();
        self.locks.check();
        self.objects.check();
        self.check_phase();
        let due = self.starter.until.filter(|_| self.phase != Phase::Stopped);
        let rings = due.is_none_or(|due| self.alarms.when(Alarm::Starter).is_some_and(|at| at <= due));
        assert!(rings, "the alarm of the forkserver rings too late");
    }

    /// The check in debug builds: always while it is cheap, now and then when there is a lot to check.
    #[cfg(any(debug_assertions, test))]
    pub(crate) fn check_now_and_then(&mut self) {
        let size = (self.jobs.open_count() + self.jobs.ended_count()) as u64;
        self.unchecked += 1;
        if size <= CHEAP || self.unchecked * SELDOM > size {
            self.unchecked = 0;
            self.check();
        }
    }

    fn check_job(&self, job: &Job, held: &Held) {
        job.work.check();
        assert!(job.work.covered() <= job.spec.elements, "{} covers too much", job.id);
        if job.spec.kernel.counts_positions() {
            assert_eq!(
                job.partial.elements(),
                job.work.covered(),
                "{}: partial and coverage disagree",
                job.id
            );
        }
        self.check_leases_of(job, held);
        let want = job.wants_workers() && !job.is_full();
        if job.past.is_some() {
            assert!(!job.is_open(), "{} is open and past", job.id);
        }
        assert_eq!(want, job.filed.is_some(), "{} is not where it should be in the queue", job.id);
        match &job.state {
            State::Queued => assert_eq!(job.work.accepted(), 0, "{} is queued and has partials", job.id),
            State::Running | State::Paused => {}
            State::Ended { .. } => self.check_ended(job),
        }
        if job.is_open() {
            let concludes = job.conclusion.is_some() || job.parting;
            assert_eq!(job.work.is_done(), concludes, "{} is whole and still open, or the reverse", job.id);
            self.check_open(job);
        }
    }

    fn check_open(&self, job: &Job) {
        let rings = self.alarms.when(Alarm::Job(job.id)).is_some();
        let silent = self.phase == Phase::Stopped;
        assert!(silent || rings == job.deadline.is_some(), "{}: alarm", job.id);
        if let Some(owner) = job.owner {
            let waits = job.watchers.contains(&owner) || job.starter == Some(owner);
            assert!(waits, "the owner of {} does not wait for it", job.id);
        }
        assert!(job.quiet.is_subset(&job.watchers), "{} has quiet strangers", job.id);
    }

    fn check_ended(&self, job: &Job) {
        assert_eq!(job.holders, 0, "{} is over and held", job.id);
        assert!(job.hands.is_empty(), "{} is over and workers know it", job.id);
        assert_eq!(job.work.leased(), 0, "{} is over and leased", job.id);
        assert_eq!(job.owner, None, "{} is over and owned", job.id);
        assert!(!job.parting, "{} is over and waits for its processes", job.id);
        assert_eq!(job.conclusion, None, "{} is over and waits for its answers", job.id);
        assert!(self.alarms.when(Alarm::Job(job.id)).is_none(), "{} is over and has a deadline", job.id);
    }

    /// The job's view of its leases and the workers' view are the same.
    fn check_leases_of(&self, job: &Job, held: &Held) {
        let all = (job.id, PartitionId(0))..=(job.id, PartitionId(u64::MAX));
        let mut hands: BTreeMap<SlotId, u32> = job.hands.keys().map(|&slot| (slot, 0)).collect();
        let mut in_flight = 0;
        let mut leased = 0;
        for &(slot, done) in held.range(all).map(|(_, lease)| lease) {
            *hands.entry(slot).or_default() += 1;
            in_flight += done;
            leased += 1;
        }
        assert_eq!(job.work.leased(), leased, "{}: a lease is lost", job.id);
        assert_eq!(hands, job.hands, "{}: who holds its leases", job.id);
        assert_eq!(in_flight, job.in_flight, "{}: elements under way", job.id);
        let holders = hands.values().filter(|&&count| count > 0).count();
        assert_eq!(holders, job.holders as usize, "{}: how many hold its leases", job.id);
        let most = job.spec.request.workers;
        assert!(most.is_none_or(|most| job.holders <= most), "{} has too many workers", job.id);
    }

    /// All leases that count, as their workers hold them. Each is the current one of its partition.
    fn leases_held(&self) -> Held {
        let mut all = Held::new();
        for (slot, worker) in self.crew.slots().iter().filter_map(|slot| Some((slot.id, slot.worker()?))) {
            for held in worker.leases.iter().filter(|held| held.mark.counts()) {
                let LeaseId { job, partition, attempt } = held.lease;
                let current =
                    self.jobs.get(job).and_then(|job| job.work.held_by(partition, attempt, worker.id));
                assert!(current.is_some(), "w{} holds {:?}, which is not its own", worker.id, held.lease);
                let before = all.insert((job, partition), (slot, held.done));
                assert!(before.is_none(), "{:?} is held twice", held.lease);
            }
        }
        all
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
        let mut holding: BTreeMap<JobId, u32> = BTreeMap::new();
        for held in worker.leases.iter().filter(|held| held.mark.counts()) {
            *holding.entry(held.lease.job).or_default() += 1;
        }
        let running = worker.running.is_none_or(|lease| worker.find(lease).is_some());
        assert!(running, "worker {} runs a lease it does not hold", worker.id);
        assert_eq!(holding, worker.holding, "worker {}: what it holds", worker.id);
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
                Pending::Nothing | Pending::Shell | Pending::Next | Pending::Lock => &[],
                Pending::Object => {
                    assert!(self.objects.waits(client), "client {client} waits for no object");
                    &[]
                }
                Pending::Arrival { job } => {
                    assert!(self.ledger.is_arriving(*job, client), "client {client} waits for no submission");
                    &[]
                }
                Pending::Record { job } => {
                    let asked = self.jobs.get(*job).is_some_and(|job| job.paper.is_asked_by(client));
                    assert!(asked, "client {client} waits for no record");
                    &[]
                }
                Pending::End { job } => std::slice::from_ref(job),
                Pending::Stream { job, .. } => {
                    let quiet = self.jobs.get(*job).is_some_and(|job| job.quiet.contains(&client));
                    let due = self.alarms.when(Alarm::Progress(client)).is_some();
                    assert!(quiet != due, "client {client} must be quiet or due");
                    std::slice::from_ref(job)
                }
                Pending::Ends { jobs, .. } => jobs,
            };
            let watched = |id: &JobId| self.jobs.get(*id).is_some_and(|job| job.watchers.contains(&client));
            assert!(jobs.iter().all(watched), "client {client} waits for a job that does not know it");
            let each: BTreeSet<JobId> = jobs.iter().copied().collect();
            let open = each.iter().filter(|&&id| self.jobs.get(id).is_some_and(|job| !job.is_over())).count();
            match &place.pending {
                Pending::Nothing
                | Pending::Shell
                | Pending::Next
                | Pending::Lock
                | Pending::Arrival { .. }
                | Pending::Record { .. }
                | Pending::Object => {}
                Pending::End { .. } | Pending::Stream { .. } => {
                    assert_eq!(open, 1, "client {client} waits for a job that is over");
                }
                Pending::Ends { open: counted, .. } => {
                    assert_eq!(open, *counted, "client {client} miscounts the jobs it waits for");
                    assert!(open > 0, "client {client} waits for nothing");
                }
            }
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
                assert!(!self.is_drained(), "draining with nothing left to drain");
                assert_eq!(
                    self.alarms.when(Alarm::Drain).is_some(),
                    until.is_some(),
                    "the limit of the drain"
                );
            }
            Phase::Stopping => {
                let records = self.settings.durable;
                let fleeting = self.jobs.count(|job| !job.kept || !records);
                assert_eq!(fleeting, 0, "stopping with open jobs");
                assert!(!self.crew.is_deserted() || !self.is_written(), "stopping with nobody left");
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
