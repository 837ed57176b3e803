//! What the world expects of the machine: right answers, one last reply to each request, no child left behind, no word
//! to whom it must not speak. The other two judges are `Machine::check` and the limits on events and time in `world`.

use tally_protocol::control::{Reply, Request};
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::job::{JobState, KernelSpec};
use tally_protocol::range::parse_range;
use tally_protocol::view::JobView;
use tally_protocol::work::{LeaseId, ToWorker};
use tally_protocol::{ClientId, SlotId, WorkerId};
use tally_reduce::{Integer, Reduction};

use super::fold;
use super::workers::Life;
use super::world::World;
use crate::Phase;
use crate::action::Blow;
use crate::permission::{Rights, Who};
use crate::worker::SlotState;

impl World {
    pub(super) fn judge_spawn(&mut self, worker: WorkerId, slot: SlotId) {
        if self.occupied(slot) {
            self.fail(format!("slot {slot} gets w{worker} while another one is in it"));
        }
        // Beside commands that take long there may be as many again of theirs, and as many of others.
        let places = if self.scenario.commands > 0 { 3 } else { 1 };
        if slot.0 >= self.scenario.settings.slots.saturating_mul(places) {
            self.fail(format!("w{worker} is started in slot {slot}, which there is not"));
        }
    }

    /// Whether this may be said to that worker now.
    pub(super) fn judge_send(&mut self, worker: WorkerId, message: &ToWorker) -> bool {
        let Some(process) = self.processes.get_mut(&worker) else {
            self.fail(format!("w{worker} is gone and is spoken to"));
            return false;
        };
        let (ready, quit) = (process.ready, process.quit);
        match message {
            ToWorker::Quit => process.quit = true,
            ToWorker::Lease { lease, position, count } => {
                let (lease, position, count) = (*lease, *position, *count);
                self.judge_new_work(lease.job, position, count);
                self.judge_lease(lease, count);
            }
            ToWorker::Job { .. } | ToWorker::Cancel { .. } | ToWorker::Forget { .. } => {}
        }
        if !ready {
            self.fail(format!("w{worker} is not ready and is spoken to"));
        }
        if quit {
            self.fail(format!("w{worker} was told to quit and is spoken to"));
        }
        true
    }

    /// A slot whose worker died of its work is filled at once; it never backs off for that.
    pub(super) fn judge_restart(&mut self, worked_in: Option<SlotId>) {
        let backs_off =
            worked_in.and_then(|slot| self.machine.crew.get(slot)).is_some_and(|slot| match slot.state {
                SlotState::BackingOff { .. } => true,
                SlotState::Empty
                | SlotState::Starting { .. }
                | SlotState::Idle { .. }
                | SlotState::Busy { .. }
                | SlotState::Stopping { .. } => false,
            });
        if backs_off {
            self.fail("a slot backs off though its worker died of its work".to_owned());
        }
    }

    /// A second request to stop is obeyed at once.
    pub(super) fn judge_stop(&mut self) {
        match self.machine.phase() {
            Phase::Draining { .. } if self.stops < 2 => {}
            Phase::Stopping | Phase::Stopped => {}
            phase @ (Phase::Running | Phase::Draining { .. }) => {
                self.fail(format!("asked to stop {} times, it is {phase:?}", self.stops));
            }
        }
    }

    /// In worlds where workers keep to the rules, nobody who lives and speaks is killed before it all ends.
    pub(super) fn judge_signal(&mut self, worker: WorkerId, blow: Blow) {
        let Some(process) = self.processes.get(&worker) else {
            return self.fail(format!("w{worker} is gone and gets a signal"));
        };
        let healthy = process.life == Life::Alive && !self.scenario.faults.any_offending();
        let goes_on = match self.machine.phase() {
            Phase::Running | Phase::Draining { .. } => true,
            Phase::Stopping | Phase::Stopped => false,
        };
        if healthy && goes_on && blow == Blow::Kill && !self.reloaded {
            self.fail(format!("w{worker} is killed and has done nothing wrong"));
        }
    }

    fn judge_lease(&mut self, lease: LeaseId, count: u64) {
        if count == 0 {
            self.fail(format!("{lease:?} is empty"));
        }
        if !self.leases.insert(lease) {
            self.fail(format!("{lease:?} is given twice"));
        }
        let overtaken = self.machine.jobs.get(lease.job).is_some_and(|job| {
            let mut waiting = self.machine.queue.keys(job.profile);
            waiting
                .any(|key| self.machine.jobs.get(key.job).is_some_and(|other| other.priority > job.priority))
        });
        if overtaken {
            self.fail(format!("{lease:?} is given while a more urgent job waits"));
        }
        if self.answers.contains_key(&lease.job) {
            self.fail(format!("{lease:?} is given though its job is done"));
        }
    }

    pub(super) fn judge_reply(&mut self, client: ClientId, reply: &Reply, continues: bool) {
        self.judge_content(reply);
        // Those who ask for the end are not kept.
        if !self.callers.contains_key(&client) && client.0 == self.named && !continues {
            return;
        }
        let now = self.now;
        let progress = self.scenario.settings.progress;
        let Some(caller) = self.callers.get_mut(&client) else {
            return self.fail(format!("c{client} is gone and gets a reply"));
        };
        let Some(asked) = &mut caller.asked else {
            return self.fail(format!("c{client} gets a reply it did not ask for"));
        };
        let who = caller.who;
        if !continues {
            let request = asked.request.clone();
            caller.asked = None;
            self.judge_rights(client, who, &request, reply);
            self.judge_last(client, &request, reply);
            return self.answered(client, &request, reply);
        }
        let streams = asked.more && matches!(asked.request, Request::Submit(_) | Request::Follow(_));
        let too_soon = asked.told.replace(now).is_some_and(|told| told + progress > now);
        if !streams {
            self.fail(format!("c{client} gets a stream it did not ask for"));
        }
        // After a reload the old pause may still run.
        if too_soon && self.scenario.operator.is_empty() {
            self.fail(format!("c{client} is told too often"));
        }
    }

    fn judge_last(&mut self, client: ClientId, request: &Request, reply: &Reply) {
        self.judge_told(request, reply);
        let over = |view: &JobView| view.state.is_over();
        let good = match (request, reply) {
            (Request::Next, Reply::Refused(failure)) => {
                may_refuse(request, failure.code) && self.judge_started(client, request, reply)
            }
            (_, Reply::Refused(failure)) => may_refuse(request, failure.code),
            (Request::Start(_) | Request::Next, _) => self.judge_started(client, request, reply),
            (Request::Submit(spec), Reply::Job(view)) => spec.request.detach || over(view),
            (Request::Follow(_) | Request::Result(_), Reply::Job(view)) => over(view),
            (
                Request::Show(_)
                | Request::ShowHistory(_)
                | Request::Pause(_)
                | Request::Resume(_)
                | Request::Retry(_)
                | Request::Reprioritize { .. },
                Reply::Job(_),
            ) => true,
            (Request::Wait(jobs), Reply::Jobs(views)) => jobs.len() == views.len() && views.iter().all(over),
            (Request::Cancel { .. }, Reply::Jobs(views)) => views.iter().all(over),
            (Request::Jobs { .. }, Reply::Listed { .. }) => true,
            (Request::Explain(_), Reply::Explanation { reasons, .. }) => !reasons.is_empty(),
            (Request::Hello(_), Reply::Hello(_)) => true,
            (Request::Status, Reply::Status(_)) | (Request::Workers, Reply::Workers(_)) => true,
            (Request::Top(query), Reply::Top(top)) => {
                top.jobs.len() as u64 <= query.limit && top.jobs.len() as u64 <= top.matched
            }
            (Request::Dump, Reply::Dump(_)) => true,
            (
                Request::Ping | Request::Drain | Request::Stop { .. } | Request::Upgrade { .. },
                Reply::Done,
            ) => true,
            (Request::Reload, Reply::Reloaded(_)) => true,
            (Request::Config | Request::Metrics, Reply::Metrics(_)) => true,
            (Request::Lock(_), Reply::Lock(_)) => true,
            (Request::Object(_), Reply::Object(_)) => true,
            (_, _) => false,
        };
        if !good {
            self.fail(format!("c{client} asked {request:?} and got {reply:?}"));
        }
    }

    /// Nobody is shown or may do more than it may.
    fn judge_rights(&mut self, client: ClientId, who: Option<Who>, request: &Request, reply: &Reply) {
        let Some(who) = who else { return };
        let views: &[JobView] = match reply {
            Reply::Job(view) | Reply::Explanation { job: view, .. } => std::slice::from_ref(view),
            Reply::Jobs(views) | Reply::Listed { jobs: views, .. } => views,
            _ => &[],
        };
        let others = views.iter().any(|view| view.uid != Some(who.uid));
        let listed = matches!(request, Request::Jobs { .. } | Request::Wait(_));
        let looks = listed
            || matches!(
                request,
                Request::Show(_)
                    | Request::ShowHistory(_)
                    | Request::Explain(_)
                    | Request::Follow(_)
                    | Request::Result(_)
            );
        let may = match who.rights {
            Rights::Operate => true,
            Rights::Read => looks || !others,
            Rights::Own => !others,
        };
        if !may {
            self.fail(format!("c{client} of user {} got {reply:?} to {request:?}", who.uid));
        }
        let refused = matches!(reply, Reply::Refused(failure) if failure.code == ErrorCode::NotPermitted);
        if refused && who.rights == Rights::Operate {
            self.fail(format!("c{client} may do everything and not {request:?}"));
        }
        let grave = matches!(
            request,
            Request::Drain | Request::Stop { .. } | Request::Dump | Request::Reload | Request::Upgrade { .. }
        );
        if grave && !refused && who.rights != Rights::Operate {
            self.fail(format!("c{client} is no operator and may {request:?}"));
        }
    }

    fn judge_content(&mut self, reply: &Reply) {
        match reply {
            Reply::Job(view) | Reply::Explanation { job: view, .. } => self.judge_view(view),
            Reply::Jobs(views) | Reply::Listed { jobs: views, .. } => {
                views.iter().for_each(|view| self.judge_view(view))
            }
            Reply::Hello(_)
            | Reply::Status(_)
            | Reply::Workers(_)
            | Reply::Top(_)
            | Reply::Dump(_)
            | Reply::Reloaded(_)
            | Reply::Config(_)
            | Reply::Metrics(_)
            | Reply::Started(_)
            | Reply::Lock(_)
            | Reply::Object(_)
            | Reply::Done
            | Reply::Refused(_) => {}
        }
    }

    fn judge_view(&mut self, view: &JobView) {
        self.judge_stored(view);
        let Some(kernel) = kernel_of(view) else {
            return self.fail(format!("{} shows no source", view.job));
        };
        let (all, done) = (number(&view.elements), number(&view.elements_done));
        if all != kernel.count() || done > all {
            self.fail(format!("{} shows {done} of {all} elements", view.job));
        }
        if let Some(answer) = self.answers.get(&view.job).cloned()
            && view.results.first().map(|result| &result.value) != Some(&answer)
        {
            self.fail(format!("{} was done with {answer} and is not any more", view.job));
        }
        let deaths: u64 = self.deaths.values().map(|&deaths| u64::from(deaths)).sum();
        let innocent = !self.scenario.faults.any_deadly() && self.poison_of(&kernel).is_none();
        if view.retries > deaths || (innocent && view.retries > 0) {
            self.fail(format!("{} shows {} retries of {deaths} deaths", view.job, view.retries));
        }
        match (&view.state, &view.error) {
            (JobState::Done, None) => self.judge_answer(view, &kernel),
            (JobState::Failed, Some(failure)) => self.judge_failure(view, &kernel, failure),
            (JobState::Cancelled, Some(failure))
                if matches!(failure.code, ErrorCode::Cancelled | ErrorCode::Stopping) => {}
            (JobState::TimedOut, Some(failure)) if failure.code == ErrorCode::TimedOut => {}
            (JobState::Queued | JobState::Running | JobState::Paused, None) if view.results.is_empty() => {}
            (state, error) => self.fail(format!("{} is {state} with {error:?}", view.job)),
        }
    }

    fn poison_of(&self, kernel: &KernelSpec) -> Option<u64> {
        let run = kernel.runs(0, kernel.count()).next()?;
        let (first, last) = (u64::try_from(&run.first).ok()?, u64::try_from(&run.at(run.count - 1)).ok()?);
        self.poisons.range(first..=last).next().map(|(&element, _)| element)
    }

    fn judge_answer(&mut self, view: &JobView, kernel: &KernelSpec) {
        let sum = fold::total(kernel, 0, kernel.count()).to_string();
        let value = view.results.first().map(|result| result.value.clone()).unwrap_or_default();
        if value != sum {
            self.fail(format!("{} says {value}, the sum is {sum}", view.job));
        }
        let shared: u64 = view.workers.iter().map(|share| number(&share.elements)).sum();
        let pieces: u64 = view.workers.iter().map(|share| share.partitions).sum();
        if shared != kernel.count() || pieces != view.partitions.done {
            self.fail(format!("{}: its workers did {shared} elements in {pieces} partitions", view.job));
        }
        if view.elements_done != view.elements || view.partitions.leased + view.partitions.queued > 0 {
            self.fail(format!("{} is done with work left", view.job));
        }
        let parts = view.workers.iter().filter_map(|share| share.results.first());
        let parts: Vec<Integer> = parts.filter_map(|result| result.value.parse().ok()).collect();
        // The parts of an earlier daemon's workers are not kept.
        let complete = parts.len() == view.workers.len() && !parts.is_empty();
        if complete && parts.iter().fold(Integer::from(0), |sum, part| sum + part).to_string() != sum {
            self.fail(format!("{}: the parts of its workers are not its sum", view.job));
        }
        // What the store has refused may be taken back by a crash.
        if view.stored != Some(false) && self.machine.records() == self.scenario.settings.durable {
            self.answers.insert(view.job, value);
        }
    }

    fn judge_failure(&mut self, view: &JobView, kernel: &KernelSpec, failure: &Failure) {
        match failure.code {
            ErrorCode::WorkerKilled => self.judge_conviction(view, kernel, failure),
            ErrorCode::KernelFailed if failure.message.starts_with("the command failed ") => {
                self.judge_conviction(view, kernel, failure);
            }
            ErrorCode::KernelFailed if self.kernel_failures > 0 => {}
            ErrorCode::NoWorkers if self.scenario.barren || self.scenario.faults.any_young() => {}
            // None was made by ten in a row.
            ErrorCode::NoWorkers if self.starters_lost_most >= 10 => {}
            code => self.fail(format!("{} failed with {code:?}: {}", view.job, failure.message)),
        }
    }

    /// A convicted range must have killed as many workers as it is said to have; in a world where nothing else kills,
    /// it must be exactly the poison.
    fn judge_conviction(&mut self, view: &JobView, kernel: &KernelSpec, failure: &Failure) {
        let range = failure.range.as_deref().unwrap_or_default();
        let killed = self.deaths.get(range).copied().unwrap_or(0);
        let said = times(&failure.message);
        if said.is_none_or(|said: u32| said == 0 || said > killed) {
            self.fail(format!("{}: {}, but {killed} were", view.job, failure.message));
        }
        if self.scenario.faults.any_deadly() {
            return;
        }
        let Ok(run) = parse_range(range, &Integer::from(1)) else {
            return self.fail(format!("{} blames {range}", view.job));
        };
        let (Ok(first), Ok(last)) = (u64::try_from(&run.first), u64::try_from(&run.at(run.count.max(1) - 1)))
        else {
            return self.fail(format!("{} blames {range}", view.job));
        };
        let guilty = self.poisons.range(first..=last).next().is_some();
        let whole = run.count == 1 || said == Some(1);
        if !guilty || !whole || run.count > kernel.count() {
            self.fail(format!("{} blames {range}, which is innocent or too wide", view.job));
        }
    }

    /// Nothing is left to happen: everybody must have been answered, and the machine must sleep.
    pub(super) fn judge_quiet(&mut self) -> Result<(), String> {
        if let Some((client, caller)) = self.callers.iter().find(|(_, caller)| caller.asked.is_some())
            && !self.exited
        {
            let request = caller.asked.as_ref().map(|asked| &asked.request);
            return Err(format!("c{client} is never answered: {request:?}"));
        }
        if self.machine.next_deadline().is_some() {
            return Err("it does not sleep".to_owned());
        }
        if !self.all_settled() {
            return Err("a process is neither started nor given up".to_owned());
        }
        self.judge_untold()?;
        self.judge_acknowledged()
    }

    /// The world is over: the machine must have exited, everybody must have been answered.
    pub(super) fn judge_end(&mut self) -> Result<(), String> {
        if !self.exited || self.machine.phase() != Phase::Stopped {
            return Err("it does not exit".to_owned());
        }
        if let Some((client, caller)) = self.callers.iter().find(|(_, caller)| caller.asked.is_some()) {
            return Err(format!("c{client} is not answered before the exit: {:?}", caller.asked));
        }
        if self.machine.next_deadline().is_some() {
            return Err("it is gone and wants to be woken".to_owned());
        }
        Ok(())
    }
}

/// How often a range is said to have killed a worker, or broken its command.
fn times(message: &str) -> Option<u32> {
    let (_, rest) = message.split_once("command failed ").or_else(|| message.split_once(" killed "))?;
    match rest.split(' ').next()? {
        "once" => Some(1),
        count => count.parse().ok(),
    }
}

fn may_refuse(request: &Request, code: ErrorCode) -> bool {
    let changes = matches!(
        request,
        Request::Pause(_) | Request::Resume(_) | Request::Retry(_) | Request::Reprioritize { .. }
    );
    match code {
        // Locks are judged by their own tests.
        _ if matches!(request, Request::Lock(_)) => true,
        ErrorCode::TooMany => matches!(request, Request::Submit(_) | Request::Start(_) | Request::Retry(_)),
        ErrorCode::Stopping => {
            changes
                || matches!(
                    request,
                    Request::Submit(_)
                        | Request::Start(_)
                        | Request::Next
                        | Request::Follow(_)
                        | Request::Wait(_)
                        | Request::Reload
                        | Request::Upgrade { .. }
                        | Request::Object(_)
                )
        }
        ErrorCode::StoreFailed => changes || matches!(request, Request::Submit(_) | Request::Object(_)),
        ErrorCode::WrongState => changes || matches!(request, Request::Cancel { .. } | Request::Next),
        ErrorCode::NotEnded => matches!(request, Request::Result(_)),
        ErrorCode::BadUsage => matches!(request, Request::Reload),
        ErrorCode::VersionMismatch => matches!(request, Request::Hello(_)),
        ErrorCode::NoSuchJob => !matches!(
            request,
            Request::Submit(_) | Request::Start(_) | Request::Next | Request::Jobs { .. } | Request::Ping
        ),
        // Of those that are somebody's, and those that are only the operators'.
        ErrorCode::NotPermitted => {
            changes
                || matches!(
                    request,
                    Request::Cancel { all: false, .. }
                        | Request::Drain
                        | Request::Stop { .. }
                        | Request::Dump
                        | Request::Reload
                        | Request::Upgrade { .. }
                        | Request::Object(_)
                )
        }
        ErrorCode::TimedOut
        | ErrorCode::NoSuchObject
        | ErrorCode::Closed
        | ErrorCode::Conflict
        | ErrorCode::BarrierBroken => matches!(request, Request::Object(_)),
        ErrorCode::WorkerKilled
        | ErrorCode::KernelFailed
        | ErrorCode::BadData
        | ErrorCode::NoAnswer
        | ErrorCode::NoWorkers
        | ErrorCode::SupervisorGone
        | ErrorCode::Internal
        | ErrorCode::NoDaemon
        | ErrorCode::Cancelled
        | ErrorCode::Busy
        | ErrorCode::Deadlock
        | ErrorCode::System
        | ErrorCode::Interrupted => false,
    }
}

fn kernel_of(view: &JobView) -> Option<KernelSpec> {
    let source = view.sources.iter().map(|text| parse_range(text, &Integer::from(1)).ok());
    Some(KernelSpec::of_ranges(vec![Reduction::Sum], source.collect::<Option<_>>()?))
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or(u64::MAX)
}
