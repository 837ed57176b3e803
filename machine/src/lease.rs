//! What a lease goes through: granted, recalled, revoked, lost with its worker.
//!
//! A lease that counts is Leased in its job's work, in the list of its worker, and in the counts of both; the functions
//! here change all of them together.

use tally_protocol::work::{LeaseId, ToWorker};
use tally_protocol::{JobId, SlotId};

use crate::Machine;
use crate::action::Action;
use crate::deadline::Alarm;
use crate::job::State;
use crate::moment::Moment;
use crate::pace::Meter;
use crate::worker::{Held, Mark, SlotState, Worker};

impl Machine {
    /// Leases the next piece of a job to a ready worker. False when the job has none.
    #[must_use]
    pub(crate) fn grant(&mut self, slot: SlotId, id: JobId) -> bool {
        let Some(held) = self.take_piece(slot, id) else { return false };
        self.occupy(slot);
        self.tell_lease(slot, &held);
        self.book(slot, &held);
        self.begin(id);
        self.refile(id);
        true
    }

    fn take_piece(&mut self, slot: SlotId, id: JobId) -> Option<Held> {
        let worker = self.crew.worker(slot)?.id;
        let job = self.jobs.get_mut(id)?;
        let size = job.next_size(&self.settings);
        let taken = job.work.take(size, worker, self.now + self.settings.lease)?;
        Some(Held {
            lease: LeaseId { job: id, partition: taken.partition, attempt: taken.attempt },
            position: taken.position,
            count: taken.count,
            granted: self.now,
            estimate_ns: job.pace.time_for(taken.count).unwrap_or(self.settings.ahead).0,
            done: 0,
            mark: Mark::Live,
        })
    }

    fn tell_lease(&mut self, slot: SlotId, held: &Held) {
        let Some(worker) = self.crew.worker_mut(slot) else { return };
        let Some(job) = self.jobs.get(held.lease.job) else { return };
        if worker.knows.insert(job.id) {
            let message = ToWorker::Job { job: job.id, kernel: job.spec.kernel.clone() };
            self.actions.push_back(Action::Send { worker: worker.id, message });
        }
        let Held { lease, position, count, .. } = *held;
        let message = ToWorker::Lease { lease, position, count };
        self.actions.push_back(Action::Send { worker: worker.id, message });
    }

    /// Writes a lease down wherever it is counted.
    fn book(&mut self, slot: SlotId, held: &Held) {
        let Some(worker) = self.crew.worker_mut(slot) else { return };
        let Some(job) = self.jobs.get_mut(held.lease.job) else { return };
        worker.push(*held);
        job.hand_out(slot);
        let misjudged = std::mem::take(&mut job.misjudged_ns);
        job.served_ns = job.served_ns.saturating_add(held.estimate_ns).saturating_add_signed(misjudged);
        if worker.leases.len() == 1 {
            self.alarms.no_later(Alarm::Slot(slot), self.now + self.settings.lease);
        }
    }

    /// A queued job runs from its first lease on.
    fn begin(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(id).filter(|job| job.state == State::Queued) else { return };
        job.state = State::Running;
        job.meter = Meter::new(self.now);
        self.note(id);
    }

    fn occupy(&mut self, slot: SlotId) {
        if let Some(SlotState::Idle { .. }) = self.crew.get(slot).map(|place| &place.state) {
            self.crew.change(slot, |place| {
                if let Some(worker) = place.vacate() {
                    place.state = SlotState::Busy { worker };
                }
            });
        }
    }

    /// A busy worker has no leases left.
    pub(crate) fn idle(&mut self, slot: SlotId) {
        self.alarms.clear(Alarm::Slot(slot));
        self.crew.change(slot, |place| {
            if let Some(worker) = place.vacate() {
                place.state = SlotState::Idle { worker };
            }
        });
    }

    /// Starts the clock of the first lease of a worker anew: after any word of it, or when another one came first.
    pub(crate) fn refresh_first(&mut self, slot: SlotId) {
        let Some(place) = self.crew.get_mut(slot) else { return };
        let SlotState::Busy { worker } = &mut place.state else { return };
        let Some(first) = worker.leases.front_mut() else { return };
        let due = match &mut first.mark {
            Mark::Live | Mark::Recalled => {
                let until = self.now + self.settings.lease;
                if let Some(job) = self.jobs.get_mut(first.lease.job) {
                    job.work.extend(first.lease.partition, until);
                }
                until
            }
            Mark::Revoked { until } => *until.get_or_insert(self.now + self.settings.grace),
        };
        self.alarms.no_later(Alarm::Slot(slot), due);
    }

    /// When the first lease of a worker has taken too long.
    pub(crate) fn first_due(&self, worker: &Worker) -> Option<Moment> {
        let first = worker.leases.front()?;
        match first.mark {
            Mark::Live | Mark::Recalled => self.jobs.get(first.lease.job)?.work.until(first.lease.partition),
            Mark::Revoked { until } => until,
        }
    }

    /// Asks a worker to give its last lease back.
    pub(crate) fn recall(&mut self, slot: SlotId) {
        let Some(worker) = self.crew.worker_mut(slot) else { return };
        let Some(last) = worker.leases.back_mut() else { return };
        last.mark = Mark::Recalled;
        let message = ToWorker::Cancel { lease: last.lease };
        let worker = worker.id;
        self.act(Action::Send { worker, message });
    }

    /// A worker gives a lease back, unblamed.
    pub(crate) fn give_back(&mut self, slot: SlotId, held: &Held) {
        let Some(job) = self.jobs.get_mut(held.lease.job) else { return };
        job.work.give_back(held.lease.partition);
        job.in_flight -= held.done;
        job.hand_in(slot);
        self.refile(held.lease.job);
        self.feed = true;
    }

    /// Takes all leases of a job that is over from whoever holds them. Partitions wait again, in case of a retry.
    pub(crate) fn revoke(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        job.in_flight = 0;
        job.holders = 0;
        let hands = std::mem::take(&mut job.hands);
        for &slot in hands.keys() {
            self.revoke_from(slot, id);
        }
    }

    fn revoke_from(&mut self, slot: SlotId, id: JobId) {
        let tell = self.phase.works() && self.crew.get(slot).is_some_and(|place| place.ready().is_some());
        let Some(job) = self.jobs.get_mut(id) else { return };
        let Some(worker) = self.crew.worker_mut(slot) else { return };
        let name = worker.id;
        worker.knows.remove(&id);
        worker.holding.remove(&id);
        let mut revoked = false;
        for held in &mut worker.leases {
            if held.lease.job == id && held.mark.counts() {
                let cancelled = held.mark == Mark::Recalled;
                held.mark = Mark::Revoked { until: None };
                revoked = true;
                job.work.give_back(held.lease.partition);
                if tell && !cancelled {
                    let message = ToWorker::Cancel { lease: held.lease };
                    self.actions.push_back(Action::Send { worker: name, message });
                }
            }
        }
        if tell {
            self.act(Action::Send { worker: name, message: ToWorker::Forget { job: id } });
        }
        if revoked {
            self.refresh_first(slot);
            self.stirred.insert(slot);
        }
    }
}
