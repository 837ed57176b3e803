//! What workers say. Who speaks, and whether that worker holds that lease, is found out before what it says is looked
//! at. Nothing a worker says can panic; what comes too late is counted and dropped; what cannot be costs it its life.

use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::history::SpanEnd;
use tally_protocol::limits;
use tally_protocol::work::{Complaint, FromWorker, LeaseId, shortened};
use tally_protocol::{JobId, SlotId, WorkerId};
use tally_reduce::{Mismatch, Shape, Tally};

use crate::Machine;
use crate::deadline::Alarm;
use crate::deaths::{Death, some_text};
use crate::job::{Accepted, Outcome};
use crate::pace::Meter;
use crate::worker::{Held, Mark, SlotState};

/// What came with a partial.
struct Answer {
    elements: u64,
    busy_ns: u64,
    state: Vec<u8>,
}

/// What became of a partial that is right.
enum Taken {
    /// It is in its job.
    In,
    /// The job has no room for it.
    TooMuch(Mismatch),
}

impl Machine {
    /// A worker said something.
    pub(crate) fn worker_said(&mut self, worker: WorkerId, said: FromWorker) {
        let Some(slot) = self.crew.slot_of(worker) else { return self.said_too_late(&said) };
        if self.crew.worker(slot).is_none_or(|worker| worker.distrusted) {
            return self.said_too_late(&said);
        }
        match said {
            FromWorker::Ready => self.ready(slot),
            FromWorker::Started { lease } => self.started(slot, lease),
            FromWorker::Progress { lease, done } => self.progress(slot, lease, done),
            FromWorker::Partial { lease, elements, busy_ns, state } => {
                self.partial(slot, lease, &Answer { elements, busy_ns, state });
            }
            FromWorker::Failed { lease, complaint } => self.failed(slot, lease, *complaint),
            FromWorker::Broke { lease, why, stderr, hint, for_good } => {
                self.broke(slot, lease, &Breakage { why, stderr, hint, for_good });
            }
            FromWorker::Surplus { job, why, stderr, hint } => {
                self.surplus(slot, job, &Breakage { why, stderr, hint, for_good: true });
            }
            FromWorker::NotIntegers { lease, column } => self.not_integers(slot, lease, column),
            FromWorker::Cancelled { lease } => self.cancelled(slot, lease),
        }
        self.refresh_first(slot);
    }

    fn said_too_late(&mut self, said: &FromWorker) {
        match said {
            FromWorker::Partial { lease, .. } => self.count_late(lease.job),
            FromWorker::Ready
            | FromWorker::Started { .. }
            | FromWorker::Progress { .. }
            | FromWorker::Failed { .. }
            | FromWorker::Broke { .. }
            | FromWorker::Surplus { .. }
            | FromWorker::NotIntegers { .. }
            | FromWorker::Cancelled { .. } => {}
        }
    }

    fn count_late(&mut self, job: JobId) {
        self.late += 1;
        if let Some(job) = self.jobs.get_mut(job) {
            job.late += 1;
        }
    }

    fn ready(&mut self, slot: SlotId) {
        let Some(SlotState::Starting { .. }) = self.crew.get(slot).map(|place| &place.state) else { return };
        self.alarms.clear(Alarm::Slot(slot));
        let now = self.now;
        self.crew.change(slot, |place| {
            if let Some(mut worker) = place.vacate() {
                worker.ready_at = Some(now);
                place.state = SlotState::Idle { worker };
            }
        });
        self.prowl = true;
    }

    fn held(&self, slot: SlotId, lease: LeaseId) -> Option<(usize, Held)> {
        let worker = self.crew.worker(slot)?;
        let at = worker.find(lease)?;
        Some((at, worker.leases[at]))
    }

    fn started(&mut self, slot: SlotId, lease: LeaseId) {
        if self.held(slot, lease).is_none() {
            return;
        }
        if let Some(worker) = self.crew.worker_mut(slot) {
            worker.running = Some(lease);
        }
        self.proven(slot);
    }

    fn progress(&mut self, slot: SlotId, lease: LeaseId, done: u64) {
        let Some((at, held)) = self.held(slot, lease) else { return };
        let more = done.min(held.count).saturating_sub(held.done);
        if !held.mark.counts() || more == 0 {
            return;
        }
        if let Some(worker) = self.crew.worker_mut(slot) {
            worker.leases[at].done += more;
        }
        if let Some(job) = self.jobs.get_mut(lease.job) {
            job.in_flight += more;
            job.meter.done(self.now, more);
        }
        self.note(lease.job);
    }

    fn partial(&mut self, slot: SlotId, lease: LeaseId, answer: &Answer) {
        let Some((at, held)) = self.held(slot, lease) else { return self.count_late(lease.job) };
        if !held.mark.counts() {
            self.settle_account(slot, at);
            return self.count_late(lease.job);
        }
        match self.accept(slot, &held, answer) {
            Ok(Taken::TooMuch(why)) => {
                self.settle_account(slot, at);
                self.give_back(slot, &held);
                let failure = Failure::new(ErrorCode::KernelFailed, format!("could not {why}"));
                let hint = "group by columns with fewer values, or leave rows out with --where";
                self.finish(lease.job, Outcome::Failed(failure.hint(hint)));
            }
            Ok(Taken::In) => {
                self.settle_account(slot, at);
                self.prowl |= held.mark == Mark::Recalled;
                self.accepted(slot, &held);
            }
            Err(fault) => {
                if let Some(worker) = self.crew.worker_mut(slot) {
                    worker.running = Some(lease);
                    worker.distrusted = true;
                }
                self.condemn(slot, fault.to_owned());
            }
        }
    }

    /// Takes a partial into its job, or says what is wrong with it and changes nothing.
    fn accept(&mut self, slot: SlotId, held: &Held, answer: &Answer) -> Result<Taken, &'static str> {
        const WRONG: &str = "it sent a partial that is not that of its lease";
        let worker = self.crew.worker(slot).ok_or(WRONG)?;
        let job = self.jobs.get_mut(held.lease.job).ok_or(WRONG)?;
        job.work.held_by(held.lease.partition, held.lease.attempt, worker.id).ok_or(WRONG)?;
        if !job.work.is_free(held.lease.partition) {
            return Err(WRONG);
        }
        let partial = Tally::from_bytes(&answer.state, limits::GROUPS_BYTES_MAX)
            .map_err(|_| "it sent a partial that cannot be read")?;
        if answer.elements != held.count
            || job.spec.kernel.counts_positions() && partial.elements() != held.count
        {
            return Err("it sent a partial of another number of elements");
        }
        let busy_ns = answer.busy_ns.min(self.now.since(held.granted).0);
        let plain = matches!(job.spec.kernel.shape(), Shape::Plain | Shape::Decimal);
        let copy = (plain && job.spec.request.breakdown).then(|| partial.clone());
        // What a command counts as elements is its own business.
        let folded = if job.spec.kernel.command.is_some() { held.count } else { partial.elements() };
        match job.partial.merge(partial) {
            Ok(()) => {}
            // Each worker's groups had room; all of them together have not.
            Err(why @ Mismatch::Groups { .. }) => return Ok(Taken::TooMuch(why)),
            Err(Mismatch::Reductions | Mismatch::Elements) => {
                return Err("it sent a partial of other reductions");
            }
        }
        job.work.accept(held.lease.partition);
        let who = (slot, worker.id, worker.pid.unwrap_or(0));
        job.credit(
            who,
            Accepted { position: held.position, count: held.count, folded, busy_ns, partial: copy },
        );
        job.note_end(self.now, (slot, who.2), held, SpanEnd::Done);
        job.links.insert(worker.transport.unwrap_or(worker.profile.transport));
        job.in_flight -= held.done;
        job.hand_in(slot);
        self.figures.count_partition(held.count, busy_ns);
        if let Some(worker) = self.crew.worker_mut(slot) {
            worker.longest_ns = worker.longest_ns.max(busy_ns);
        }
        job.pace.measured(held.count, busy_ns);
        job.meter.done(self.now, held.count - held.done);
        let estimate = i64::try_from(held.estimate_ns).unwrap_or(i64::MAX);
        let busy = i64::try_from(busy_ns).unwrap_or(i64::MAX);
        job.misjudged_ns = job.misjudged_ns.saturating_add(busy.saturating_sub(estimate));
        Ok(Taken::In)
    }

    fn accepted(&mut self, slot: SlotId, held: &Held) {
        let id = held.lease.job;
        if let Some(worker) = self.crew.worker_mut(slot) {
            worker.accepted += 1;
        }
        self.note(id);
        if !self.weigh(id) {
            return;
        }
        self.report(id, |news| news.progress = true);
        if self.jobs.get(id).is_some_and(|job| job.guilty.is_some()) {
            return self.judge(id);
        }
        if self.jobs.get(id).is_some_and(|job| job.work.is_done()) {
            self.complete(id);
        } else {
            self.refile(id);
        }
    }

    /// The worker has answered this lease, one way or another.
    fn settle_account(&mut self, slot: SlotId, at: usize) {
        if let Some(worker) = self.crew.worker_mut(slot) {
            worker.remove(at);
        }
        self.stirred.insert(slot);
    }

    fn failed(&mut self, slot: SlotId, lease: LeaseId, complaint: Complaint) {
        let Some((at, held)) = self.held(slot, lease) else { return };
        self.settle_account(slot, at);
        if !held.mark.counts() {
            return;
        }
        self.give_back(slot, &held);
        let pid = self.crew.worker(slot).and_then(|worker| worker.pid).unwrap_or(0);
        let Some(job) = self.jobs.get_mut(lease.job) else { return };
        let range = job.spec.kernel.describe(held.position, held.count);
        let what = format!("could not {}", shortened(&complaint.why));
        job.note_end(self.now, (slot, pid), &held, SpanEnd::Failed);
        let code = match (complaint.usage, &complaint.site) {
            (true, _) => ErrorCode::BadUsage,
            (false, Some(_)) => ErrorCode::BadData,
            (false, None) => ErrorCode::KernelFailed,
        };
        // Where a row or an element is named, the part that it was found in says nothing more.
        let named = complaint.usage || complaint.site.is_some();
        let message = if named { what.clone() } else { format!("{what} (range {range})") };
        let incident = Death { slot, pid, what, stderr: String::new() }.incident(job, self.now, Some(&held));
        job.remember(incident);
        let mut failure = Failure::new(code, message);
        failure.range = Some(range.into_boxed_str());
        failure.place = complaint.place.as_deref().map(|place| shortened(place).into());
        failure.hint = complaint.hint.as_deref().map(|hint| shortened(hint).to_owned());
        failure.site = complaint.site.map(|site| Box::new(site.shortened()));
        if job.guilty.as_ref().is_none_or(|(first, _)| held.position < *first) {
            job.guilty = Some((held.position, failure));
            job.work.leave_out_from(held.position);
        }
        self.judge(lease.job);
    }

    /// A command failed at an attempt: that is charged to its partition, as a death is, and the worker goes on.
    fn broke(&mut self, slot: SlotId, lease: LeaseId, breakage: &Breakage) {
        let Some((at, held)) = self.held(slot, lease) else { return };
        self.settle_account(slot, at);
        if !held.mark.counts() {
            return;
        }
        let pid = self.crew.worker(slot).and_then(|worker| worker.pid).unwrap_or(0);
        let what = shortened(&breakage.why).to_owned();
        let stderr = shortened(&breakage.stderr).to_owned();
        if !breakage.for_good {
            self.feed = true;
            return self.charge(&held, &Death { slot, pid, what, stderr });
        }
        self.give_back(slot, &held);
        let what = format!("could not {what}");
        let Some(job) = self.jobs.get_mut(lease.job) else { return };
        let mut failure = Failure::new(ErrorCode::KernelFailed, what.clone());
        failure.stderr = some_text(&stderr).map(String::into_boxed_str);
        failure.hint = breakage.hint.as_deref().map(|hint| shortened(hint).to_owned());
        let incident = Death { slot, pid, what, stderr }.incident(job, self.now, Some(&held));
        job.remember(incident);
        self.finish(lease.job, Outcome::Failed(failure));
    }

    /// A command said more than it was asked for: what this worker has told of it may be wrong.
    fn surplus(&mut self, slot: SlotId, id: JobId, breakage: &Breakage) {
        let own = self.crew.worker(slot).filter(|worker| worker.profile.job == Some(id));
        let Some(pid) = own.map(|worker| worker.pid.unwrap_or(0)) else { return };
        let Some(job) = self.jobs.get_mut(id).filter(|job| job.is_open()) else { return };
        let what = format!("the command {}", shortened(&breakage.why));
        let stderr = shortened(&breakage.stderr).to_owned();
        let mut failure = Failure::new(ErrorCode::KernelFailed, what.clone());
        failure.stderr = some_text(&stderr).map(String::into_boxed_str);
        failure.hint = breakage.hint.as_deref().map(|hint| shortened(hint).to_owned());
        let incident = Death { slot, pid, what, stderr }.incident(job, self.now, None);
        job.remember(incident);
        self.finish(id, Outcome::Failed(failure));
    }

    /// Ends a job of which a partition has no answer, once all those before it have one.
    fn judge(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        match job.guilty.take() {
            Some((_, failure)) if job.work.is_done_before_limit() => {
                self.finish(id, Outcome::Failed(failure))
            }
            guilty => {
                job.guilty = guilty;
                self.refile(id);
                self.feed = true;
            }
        }
    }

    /// What was read as integers is floats: the job starts over with that known, once for each column.
    fn not_integers(&mut self, slot: SlotId, lease: LeaseId, column: String) {
        let Some((at, held)) = self.held(slot, lease) else { return };
        self.settle_account(slot, at);
        if !held.mark.counts() {
            return;
        }
        self.give_back(slot, &held);
        let Some(job) = self.jobs.get_mut(lease.job) else { return };
        let floats = &mut job.spec.kernel.floats;
        if floats.contains(&column) || floats.len() >= limits::FLOAT_COLUMNS_MAX {
            let why = format!("could not read column '{}' as floats", shortened(&column));
            return self.finish(lease.job, Outcome::Failed(Failure::new(ErrorCode::KernelFailed, why)));
        }
        floats.push(column);
        self.start_over(lease.job);
    }

    /// Forgets all that a job has and begins it anew: its partials are not those of what it folds now.
    pub(crate) fn start_over(&mut self, id: JobId) {
        self.revoke(id);
        let now = self.now;
        let Some(job) = self.jobs.get_mut(id) else { return };
        job.work.start_over();
        job.guilty = None;
        job.conclusion = None;
        job.partial = job.spec.kernel.identity();
        job.shares.clear();
        job.history = None;
        job.meter = Meter::new(now);
        self.jobs.weigh(id);
        self.refile(id);
        self.feed = true;
        self.note(id);
        self.report(id, |news| news.progress = true);
    }

    fn cancelled(&mut self, slot: SlotId, lease: LeaseId) {
        let Some((at, held)) = self.held(slot, lease) else { return };
        match held.mark {
            Mark::Live => self.condemn(slot, "it gave a lease back unasked".to_owned()),
            Mark::Recalled => {
                self.settle_account(slot, at);
                self.give_back(slot, &held);
            }
            Mark::Revoked { .. } => self.settle_account(slot, at),
        }
    }
}

/// How a command failed, in the words of its warden.
struct Breakage {
    why: String,
    stderr: String,
    hint: Option<String>,
    for_good: bool,
}
