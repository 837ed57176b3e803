//! One world: the machine, its simulated surroundings, and a clock that jumps to whatever happens next.

use std::collections::{BTreeMap, BTreeSet};

use tally_protocol::answers::Answers;
use tally_protocol::control::{Reply, Request};
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::record::Change;
use tally_protocol::settings::ReloadView;
use tally_protocol::work::{FromWorker, LeaseId, ToWorker};
use tally_protocol::{ClientId, JobId, SlotId, WorkerId};

use super::clients::Caller;
use super::rng::Rng;
use super::scenario::{Ending, Operator, Poison, Scenario};
use super::store::Store;
use super::text;
use super::workers::{Life, Process};
use crate::action::{Action, Blow, Ticket};
use crate::event::Event;
use crate::moment::{Moment, Span};
use crate::settings::Settings;
use crate::{Machine, Phase};

/// Events after which a world that still goes on is taken to run in circles.
const EVENTS_MAX: u64 = 200_000;
/// Events at one moment after which time is taken to stand still.
const STILL_MAX: u64 = 5_000;
/// How often somebody looks after what was left open.
const CLOSERS: u64 = 4;
/// Simulated time after which a calm world must have settled.
const SETTLED_WITHIN: Span = Span::ms(120_000);

/// Something that is going to happen.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    ToMachine(Event),
    ToWorker(WorkerId, ToWorker),
    /// A process comes into being.
    Boot(WorkerId),
    /// A worker goes on with what it did at that turn.
    Step(WorkerId, u64),
    /// A worker dies of what it did at that turn.
    Die(WorkerId, u64),
    /// The command of a worker fails at what it did at that turn.
    Break(WorkerId, u64),
    Caller(ClientId),
    Operator(Operator),
    /// A record comes to the store.
    Apply(Ticket, Vec<Change>),
    /// A daemon that ended starts again.
    Start,
}

/// A world in motion.
#[derive(Debug)]
pub(super) struct World {
    pub(super) machine: Machine,
    pub(super) scenario: Scenario,
    pub(super) rng: Rng,
    pub(super) now: Moment,
    /// When the daemon was started.
    pub(super) zero: Moment,
    pub(super) store: Store,
    /// The end of the world: who exits now is not started again.
    over: bool,
    pub(super) plans: BTreeMap<(Moment, u64), Happening>,
    planned: u64,
    pub(super) processes: BTreeMap<WorkerId, Process>,
    pub(super) callers: BTreeMap<ClientId, Caller>,
    pub(super) named: u64,
    /// Stretches of integers that jobs were made of.
    pub(super) stretches: u64,
    pub(super) submitted: u64,
    pub(super) poisons: BTreeMap<u64, Poison>,
    /// Workers that died while they ran a range, by range.
    pub(super) deaths: BTreeMap<String, u32>,
    pub(super) kernel_failures: u64,
    /// Forkservers lost since a worker was last made, and the most there ever were.
    starters_lost: u32,
    pub(super) starters_lost_most: u32,
    /// Somebody's last partial.
    pub(super) echo: Option<FromWorker>,
    /// Every lease ever given.
    pub(super) leases: BTreeSet<LeaseId>,
    /// Jobs that were seen done, and their answers.
    pub(super) answers: BTreeMap<JobId, String>,
    /// The most slots the daemon ever had.
    pub(super) slots_most: u16,
    pub(super) exited: bool,
    /// How often it was asked to stop by a signal.
    pub(super) stops: u32,
    /// Whether settings have changed, so that deadlines given before may be longer or shorter.
    pub(super) reloaded: bool,
    pub(super) events: u64,
    still: u64,
    failure: Option<String>,
    trace: Option<Vec<String>>,
}

impl World {
    pub(super) fn new(seed: u64, traced: bool) -> Self {
        let mut rng = Rng::new(seed);
        let scenario = Scenario::new(&mut rng, seed);
        let machine = Machine::new(Moment(0), scenario.settings.clone());
        Self {
            machine,
            slots_most: scenario.settings.slots,
            scenario,
            rng,
            now: Moment(0),
            zero: Moment(0),
            store: Store::default(),
            over: false,
            plans: BTreeMap::new(),
            planned: 0,
            processes: BTreeMap::new(),
            callers: BTreeMap::new(),
            named: 0,
            stretches: 0,
            submitted: 0,
            poisons: BTreeMap::new(),
            deaths: BTreeMap::new(),
            kernel_failures: 0,
            starters_lost: 0,
            starters_lost_most: 0,
            echo: None,
            leases: BTreeSet::new(),
            answers: BTreeMap::new(),
            exited: false,
            stops: 0,
            reloaded: false,
            events: 0,
            still: 0,
            failure: None,
            trace: traced.then(Vec::new),
        }
    }

    /// Lives through the whole life of the world.
    pub(super) fn run(&mut self) -> Result<(), String> {
        self.note(|world| format!("{:?}", world.scenario));
        self.drain_actions();
        for _ in 0..self.scenario.clients {
            self.new_client(self.scenario.requests, false);
        }
        for _ in 0..self.scenario.starters {
            self.new_starter(self.scenario.requests * 4);
        }
        for (at, what) in self.scenario.operator.clone() {
            self.plan(at, Happening::Operator(what));
        }
        self.run_until(|world| world.now >= world.scenario.calm && world.nobody_asks())?;
        self.quiet_down()?;
        self.end()?;
        self.judge_end()
    }

    /// Whether all clients are done, or wait for a job.
    fn nobody_asks(&self) -> bool {
        !self.plans.values().any(|plan| matches!(plan, Happening::Caller(_) | Happening::Operator(_)))
    }

    /// Nothing goes wrong any more: everything must come to its end.
    fn quiet_down(&mut self) -> Result<(), String> {
        let limit = self.now + SETTLED_WITHIN;
        // Somebody may pause a job after the closer has looked: then another one comes.
        for _ in 0..CLOSERS {
            if !self.exited {
                self.new_client(u64::MAX, true);
            }
            self.run_until(|world| world.now > limit)?;
        }
        if self.now > limit || self.machine.jobs.open_count() > 0 {
            return Err("it does not settle".to_owned());
        }
        self.judge_quiet()
    }

    fn end(&mut self) -> Result<(), String> {
        if self.exited {
            return Ok(());
        }
        self.over = true;
        self.note(|world| format!("the end: {:?}", world.scenario.ending));
        match self.scenario.ending {
            Ending::Stop => self.tell(Event::StopRequested),
            Ending::StopNow => self.tell(Event::StopNow),
            Ending::Drain => self.ask_somebody(Request::Drain),
            Ending::StopRequest => self.ask_somebody(Request::Stop { now: true }),
            Ending::ClientsGo => {
                let clients: Vec<ClientId> = self.callers.keys().copied().collect();
                clients.into_iter().for_each(|client| self.leave(client));
            }
        }
        let limit = self.now + SETTLED_WITHIN;
        self.run_until(|world| world.now > limit)
    }

    fn ask_somebody(&mut self, request: Request) {
        self.named += 1;
        let client = ClientId(self.named);
        self.tell(Event::ClientSaid { client, request, more: false });
    }

    /// Goes on until nothing is left to happen, or until told to stop.
    fn run_until(&mut self, stop: impl Fn(&Self) -> bool) -> Result<(), String> {
        while self.failure.is_none() && !stop(self) && self.turn() {}
        match self.failure.take() {
            Some(why) => Err(why),
            None => Ok(()),
        }
    }

    /// One thing happens. False when nothing is left to happen.
    fn turn(&mut self) -> bool {
        let plan = self.plans.first_key_value().map(|(&(at, _), _)| at);
        let alarm = self.machine.next_deadline().map(|due| due + Span(self.zero.0));
        let (next, wakes) = match (plan, alarm) {
            (None, None) => return false,
            (Some(plan), None) => (plan, false),
            (None, Some(alarm)) => (alarm, true),
            // The machine is woken late now and then, as any process is.
            (Some(plan), Some(alarm)) if alarm < plan || self.rng.chance(700) => {
                (plan.min(alarm), alarm <= plan)
            }
            (Some(plan), Some(_)) => (plan, false),
        };
        self.pass_time(next);
        if wakes {
            self.note(|_| "time".to_owned());
            self.machine.handle_timeout(self.clock());
            self.after_event();
        } else if let Some((_, happening)) = self.plans.pop_first() {
            self.happen(happening);
        }
        true
    }

    fn pass_time(&mut self, next: Moment) {
        self.events += 1;
        self.still = if next > self.now { 0 } else { self.still + 1 };
        self.now = self.now.max(next);
        if self.events > EVENTS_MAX {
            self.fail("it goes on for ever".to_owned());
        }
        if self.still > STILL_MAX {
            self.fail("time stands still".to_owned());
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::ToMachine(event) => self.tell(event),
            Happening::ToWorker(worker, message) => self.hear(worker, message),
            Happening::Boot(worker) => self.boot(worker),
            Happening::Step(worker, turn) => self.step(worker, turn),
            Happening::Die(worker, turn) => self.die_at(worker, turn),
            Happening::Break(worker, turn) => self.break_at(worker, turn),
            Happening::Caller(client) => self.caller(client),
            Happening::Operator(Operator::Stop) => self.tell(Event::StopRequested),
            Happening::Operator(Operator::StopNow) => self.tell(Event::StopNow),
            Happening::Operator(Operator::Reload) => self.reload(),
            Happening::Operator(Operator::Kill) => self.kill_daemon(),
            Happening::Apply(ticket, changes) => self.apply(ticket, changes),
            Happening::Start => self.start_again(),
        }
    }

    /// A client wants other settings: they come, or they are bad.
    fn reload_for(&mut self, client: ClientId) {
        let bad = Failure::new(ErrorCode::BadUsage, "could not reload the configuration: bad luck");
        let result = if self.rng.chance(300) { Err(bad) } else { Ok(ReloadView::default()) };
        let at = self.now + self.delay();
        if result.is_ok() {
            self.plan(at, Happening::Operator(Operator::Reload));
        }
        self.plan(at, Happening::ToMachine(Event::Reloaded { client, result }));
    }

    fn reload(&mut self) {
        let settings: Settings = self.scenario.reloaded(&mut self.rng);
        self.slots_most = self.slots_most.max(settings.slots);
        self.reloaded = true;
        self.scenario.settings = settings.clone();
        self.tell(Event::Reload(Box::new(settings)));
    }

    pub(super) fn plan(&mut self, at: Moment, what: Happening) {
        self.planned += 1;
        self.plans.insert((at, self.planned), what);
    }

    pub(super) fn delay(&mut self) -> Span {
        Span(self.rng.below(self.scenario.delay.0) + 1)
    }

    /// Tells the machine of an event and does what it wants done.
    pub(super) fn tell(&mut self, event: Event) {
        if self.exited {
            return;
        }
        self.note(|_| text::event(&event));
        let worked_in = self.learn(&event);
        let stops = matches!(event, Event::StopRequested);
        self.machine.handle(self.clock(), event);
        self.after_event();
        self.judge_restart(worked_in);
        if stops {
            self.stops += 1;
            self.judge_stop();
        }
    }

    /// What the world itself learns from an event that the machine gets. Names the slot whose worker died of its work.
    fn learn(&mut self, event: &Event) -> Option<SlotId> {
        match event {
            Event::WorkerSaid { worker, said: FromWorker::Ready } => {
                if let Some(process) = self.processes.get_mut(worker) {
                    process.ready = true;
                }
            }
            Event::WorkerExited { worker, .. } | Event::SpawnFailed { worker, .. } => {
                let process = self.processes.remove(worker);
                return process.filter(|process| process.worked).map(|process| process.slot);
            }
            Event::StarterLost { workers, .. } => {
                workers.iter().for_each(|worker| drop(self.processes.remove(worker)));
                self.starters_lost += 1;
                self.starters_lost_most = self.starters_lost_most.max(self.starters_lost);
            }
            Event::Spawned { .. } => self.starters_lost = 0,
            Event::ClientSaid { request: Request::Submit(_) | Request::Start(_), .. } => self.submitted += 1,
            Event::ClientSaid { request, .. } => self.expect_changes(request),
            Event::ClientCame { .. }
            | Event::ClientCalls { .. }
            | Event::ClientGone { .. }
            | Event::WorkerSaid { .. }
            | Event::LinkBroken { .. }
            | Event::StopRequested
            | Event::StopNow
            | Event::Recorded { .. }
            | Event::NotRecorded { .. }
            | Event::Concluded { .. }
            | Event::Reloaded { .. }
            | Event::HandingOver { .. }
            | Event::TakingOver(_)
            | Event::TakingOverObjects(_)
            | Event::Reload(_) => {}
        }
        None
    }

    pub(super) fn after_event(&mut self) {
        // Debug builds check by themselves.
        if !cfg!(debug_assertions) {
            self.machine.check();
        }
        self.drain_actions();
    }

    fn drain_actions(&mut self) {
        while let Some(action) = self.machine.next_action() {
            self.note(|_| format!("    {}", text::action(&action)));
            if self.exited {
                self.fail("it acts after its exit".to_owned());
            }
            self.perform(action);
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Spawn { worker, slot, .. } => {
                self.judge_spawn(worker, slot);
                self.processes.insert(worker, Process::new(slot, self.now));
                self.spawn(worker);
            }
            Action::Send { worker, message } => {
                if self.judge_send(worker, &message) {
                    self.send(worker, message);
                }
            }
            Action::Signal { worker, blow } => {
                self.judge_signal(worker, blow);
                if self.processes.contains_key(&worker) {
                    self.signal(worker, blow == Blow::Kill);
                }
            }
            Action::Reply { client, reply, continues } => {
                self.judge_reply(client, &reply, continues);
            }
            Action::Record { ticket, changes } => self.record(ticket, changes),
            Action::Reload { client } => self.reload_for(client),
            Action::Config { client } | Action::Metrics { client } => {
                self.judge_reply(client, &Reply::Metrics(String::new()), false);
            }
            Action::Upgrade { client, .. } => self.judge_reply(client, &Reply::Done, false),
            Action::Conclude { job, number, partial, population } => {
                // Sometimes it takes long: much may happen to the job meanwhile.
                let long = if self.rng.chance(100) { Span(self.rng.below(3_000_000_000)) } else { Span(0) };
                let at = self.now + self.delay() + long;
                let answers = Box::new(Answers::of(&partial, population));
                self.plan(at, Happening::ToMachine(Event::Concluded { job, number, answers }));
            }
            Action::Exit => self.exit(),
        }
    }

    fn exit(&mut self) {
        self.exited = true;
        if !self.processes.is_empty() {
            self.fail("it exits with a child left".to_owned());
        }
        if self.machine.phase() != Phase::Stopped {
            self.fail("it exits and is not stopped".to_owned());
        }
        if self.scenario.settings.durable && !self.over {
            return self.start_later();
        }
        // What is still planned happens to nobody.
        self.plans.clear();
    }

    fn die_at(&mut self, worker: WorkerId, turn: u64) {
        if self.is_at(worker, turn) {
            self.die(worker, "killed by SIGSEGV");
        }
    }

    /// The slots that hold a process.
    pub(super) fn occupied(&self, slot: SlotId) -> bool {
        self.processes.values().any(|process| process.slot == slot)
    }

    pub(super) fn all_settled(&self) -> bool {
        self.processes.values().all(|process| process.life != Life::Wanted)
    }

    pub(super) fn fail(&mut self, why: String) {
        self.note(|_| format!("!!! {why}"));
        self.failure.get_or_insert(why);
    }

    fn note(&mut self, line: impl FnOnce(&Self) -> String) {
        if self.trace.is_some() {
            let line = format!("{:>12} {}", Milliseconds(self.now), line(self));
            if let Some(trace) = &mut self.trace {
                trace.push(line);
            }
        }
    }

    pub(super) fn take_trace(&mut self) -> Vec<String> {
        self.trace.take().unwrap_or_default()
    }
}

/// A moment as people read it.
struct Milliseconds(Moment);

impl std::fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{}.{:06}", self.0.0 / 1_000_000, self.0.0 % 1_000_000))
    }
}
