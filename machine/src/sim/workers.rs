//! The simulated worker processes: each works off its leases in order, says what a worker says, and has its faults.

use std::collections::{BTreeMap, VecDeque};

use tally_protocol::job::{KernelSpec, Transport};
use tally_protocol::work::{Complaint, FromWorker, LeaseId, ToWorker};
use tally_protocol::{Attempt, JobId, SlotId, WorkerId};
use tally_reduce::{Partial, Reduction};

use super::fold;
use super::scenario::Poison;
use super::world::{Happening, World};
use crate::event::Event;
use crate::moment::{Moment, Span};

/// One process, from the wish for it to its reported end.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) slot: SlotId,
    pub(super) life: Life,
    /// When the last message to it arrives; the next one not before.
    heard: Moment,
    /// When its last message arrives; the next one not before.
    spoken: Moment,
    pub(super) ready: bool,
    pub(super) quit: bool,
    /// Whether it died while it ran a partition.
    pub(super) worked: bool,
    stubborn: bool,
    kernels: BTreeMap<JobId, KernelSpec>,
    waiting: VecDeque<Lease>,
    running: Option<Lease>,
    /// Counts what it has begun; a step that was planned for something else is void.
    turn: u64,
    last: Option<FromWorker>,
}

/// Where a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// Not yet a process.
    Wanted,
    Alive,
    /// Alive and silent.
    Hung,
    /// Ended; the machine may not know yet.
    Ended,
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    id: LeaseId,
    position: u64,
    count: u64,
    began: Moment,
    ends: Moment,
}

impl Process {
    pub(super) fn new(slot: SlotId, now: Moment) -> Self {
        Self {
            slot,
            life: Life::Wanted,
            heard: now,
            spoken: now,
            ready: false,
            quit: false,
            worked: false,
            stubborn: false,
            kernels: BTreeMap::new(),
            waiting: VecDeque::new(),
            running: None,
            turn: 0,
            last: None,
        }
    }
}

impl World {
    fn process(&mut self, worker: WorkerId) -> &mut Process {
        self.processes.get_mut(&worker).expect("only hired workers are asked for")
    }

    /// Whether something goes wrong now.
    fn strikes(&mut self, permille: u64) -> bool {
        permille > 0 && self.now < self.scenario.calm && self.rng.chance(permille)
    }

    pub(super) fn spawn(&mut self, worker: WorkerId) {
        let at = self.now + self.delay();
        if self.scenario.barren || self.strikes(self.scenario.faults.spawn_fails) {
            self.process(worker).life = Life::Ended;
            let why = "start a worker: out of processes".to_owned();
            return self.plan(at, Happening::ToMachine(Event::SpawnFailed { worker, why }));
        }
        if self.strikes(self.scenario.faults.starter_dies) {
            return self.lose_starter(at);
        }
        self.plan(at, Happening::Boot(worker));
    }

    /// The forkserver dies: whoever was wanted and is no process yet will not be one.
    fn lose_starter(&mut self, at: Moment) {
        let wanted = self.processes.iter_mut().filter(|(_, process)| process.life == Life::Wanted);
        let workers = wanted.map(|(&id, process)| {
            process.life = Life::Ended;
            id
        });
        let workers = workers.collect();
        self.plan(
            at,
            Happening::ToMachine(Event::StarterLost { workers, why: "killed by SIGKILL".to_owned() }),
        );
    }

    /// The process begins to be, unless it was given up.
    pub(super) fn boot(&mut self, worker: WorkerId) {
        match self.processes.get_mut(&worker) {
            Some(process) if process.life == Life::Wanted => process.life = Life::Alive,
            Some(_) | None => return,
        }
        let stubborn = self.strikes(self.scenario.faults.stubborn);
        self.process(worker).stubborn = stubborn;
        let pid = 1000 + u32::try_from(worker.0).unwrap_or(0);
        self.tell(Event::Spawned { worker, pid, transport: Transport::Shm });
        if self.strikes(self.scenario.faults.never_ready) {
            self.process(worker).life = Life::Hung;
        } else if self.strikes(self.scenario.faults.dies_starting) {
            self.die(worker, "exited with status 1");
        } else {
            let slow = self.strikes(self.scenario.faults.slow_start);
            let wait = if slow { self.rng.below(2 * self.scenario.settings.start.0) } else { 200_000 };
            let turn = self.process(worker).turn;
            self.plan(self.now + Span(wait), Happening::Step(worker, turn));
        }
    }

    /// Says something over the link: it arrives later, but in order.
    fn say(&mut self, worker: WorkerId, said: FromWorker) {
        let at = self.now + self.delay();
        let process = self.process(worker);
        process.spoken = process.spoken.max(at);
        let at = process.spoken;
        self.plan(at, Happening::ToMachine(Event::WorkerSaid { worker, said }));
    }

    /// Ends a process. What it said arrives before the news of its end.
    pub(super) fn die(&mut self, worker: WorkerId, how: &str) {
        let at = self.now + self.delay();
        let process = self.process(worker);
        if process.life == Life::Ended {
            return;
        }
        process.life = Life::Ended;
        let at = process.spoken.max(at);
        if let Some(lease) = process.running {
            process.worked = true;
            self.blame(worker, &lease);
        }
        let event = Event::WorkerExited { worker, how: how.to_owned(), stderr: String::new() };
        self.plan(at, Happening::ToMachine(event));
    }

    /// The worker's death may be charged to this lease.
    fn blame(&mut self, worker: WorkerId, lease: &Lease) {
        if let Some(kernel) = self.process(worker).kernels.get(&lease.id.job) {
            let range = kernel.describe(lease.position, lease.count);
            *self.deaths.entry(range).or_default() += 1;
        }
    }

    /// Whether a worker is alive and still does what it did at that turn.
    pub(super) fn is_at(&mut self, worker: WorkerId, turn: u64) -> bool {
        self.processes.get(&worker).is_some_and(|process| process.life != Life::Ended && process.turn == turn)
    }

    /// A message to a worker is on its way.
    pub(super) fn send(&mut self, worker: WorkerId, message: ToWorker) {
        let at = self.now + self.delay();
        let process = self.process(worker);
        process.heard = process.heard.max(at);
        let at = process.heard;
        self.plan(at, Happening::ToWorker(worker, message));
    }

    pub(super) fn signal(&mut self, worker: WorkerId, kill: bool) {
        let process = self.process(worker);
        match process.life {
            Life::Wanted => {
                process.life = Life::Ended;
                let at = self.now + self.delay();
                let why = "start a worker: it is not wanted any more".to_owned();
                self.plan(at, Happening::ToMachine(Event::SpawnFailed { worker, why }));
            }
            Life::Alive | Life::Hung if kill => self.die(worker, "killed by SIGKILL"),
            Life::Alive | Life::Hung if !process.stubborn => self.die(worker, "killed by SIGTERM"),
            Life::Alive | Life::Hung | Life::Ended => {}
        }
    }

    /// A message reaches a worker.
    pub(super) fn hear(&mut self, worker: WorkerId, message: ToWorker) {
        let Some(process) = self.processes.get_mut(&worker).filter(|process| process.life == Life::Alive)
        else {
            return;
        };
        match message {
            ToWorker::Job { job, kernel } => {
                process.kernels.insert(job, kernel);
            }
            ToWorker::Lease { lease: id, position, count } => {
                let now = Moment(0);
                process.waiting.push_back(Lease { id, position, count, began: now, ends: now });
                self.work(worker);
            }
            ToWorker::Cancel { lease } => self.give_up(worker, lease),
            ToWorker::Forget { job } => {
                process.kernels.retain(|&id, _| id != job || process.running.is_some());
            }
            ToWorker::Quit => {
                if !process.stubborn {
                    self.die(worker, "exited with status 0");
                }
            }
        }
    }

    fn give_up(&mut self, worker: WorkerId, lease: LeaseId) {
        let process = self.process(worker);
        if process.stubborn {
            return;
        }
        let before = process.waiting.len();
        process.waiting.retain(|waiting| waiting.id != lease);
        let ran = process.running.is_some_and(|running| running.id == lease);
        if ran {
            process.running = None;
            process.turn += 1;
        }
        if ran || process.waiting.len() < before {
            self.say(worker, FromWorker::Cancelled { lease });
            self.work(worker);
        }
    }

    /// Begins the next lease, if it is free to.
    fn work(&mut self, worker: WorkerId) {
        let process = self.process(worker);
        if process.life != Life::Alive || process.running.is_some() {
            return;
        }
        let Some(lease) = process.waiting.pop_front() else { return };
        if self.strikes(self.scenario.faults.dies_before_started) {
            return self.die(worker, "killed by SIGSEGV");
        }
        if self.strikes(self.scenario.faults.nonsense) {
            self.babble(worker, lease.id);
        }
        self.say(worker, FromWorker::Started { lease: lease.id });
        let Some(kernel) = self.process(worker).kernels.get(&lease.id.job).cloned() else {
            return self.fail(format!("w{worker} was leased {:?} without its job", lease.id));
        };
        let cost = self.cost(&kernel, lease.count);
        let slow = self.strikes(self.scenario.faults.slow);
        let time = if slow { Span(cost.0 + self.scenario.settings.lease.0 * 2) } else { cost };
        let (began, ends) = (self.now, self.now + time);
        self.process(worker).running = Some(Lease { began, ends, ..lease });
        self.begin(worker, &kernel, lease, time);
    }

    fn begin(&mut self, worker: WorkerId, kernel: &KernelSpec, lease: Lease, time: Span) {
        let met = self.poison_in(kernel, lease.position, lease.count);
        // Soon enough that it is not killed for its silence before.
        let half = Span(self.rng.below(time.0.min(self.scenario.settings.lease.0 / 2) + 1));
        let turn = self.process(worker).turn;
        let breaks = kernel.command.is_some()
            && (met == Some(Fate::Dies) || self.strikes(self.scenario.faults.breaks));
        if breaks {
            self.plan(self.now + half, Happening::Break(worker, turn));
        } else if met == Some(Fate::Dies) || self.strikes(self.scenario.faults.dies_folding) {
            self.plan(self.now + half, Happening::Die(worker, turn));
        } else if met == Some(Fate::Silent) || self.strikes(self.scenario.faults.hangs) {
            self.process(worker).life = Life::Hung;
        } else if self.strikes(self.scenario.faults.link_breaks) {
            let at = self.now + half;
            let at = self.process(worker).spoken.max(at);
            self.process(worker).spoken = at;
            self.process(worker).life = Life::Hung;
            let why = "a frame has the wrong checksum".to_owned();
            self.plan(at, Happening::ToMachine(Event::LinkBroken { worker, why }));
        } else {
            self.plan_step(worker);
        }
    }

    /// The process of a command fails at what it was asked; its worker goes on with the next.
    pub(super) fn break_at(&mut self, worker: WorkerId, turn: u64) {
        if !self.is_at(worker, turn) || self.process(worker).life != Life::Alive {
            return;
        }
        let process = self.process(worker);
        process.turn += 1;
        let Some(lease) = process.running.take() else { return };
        self.blame(worker, &lease);
        let (why, stderr) = ("exited with status 1".to_owned(), "bad luck".to_owned());
        self.say(worker, FromWorker::Broke { lease: lease.id, why, stderr, hint: None, for_good: false });
        self.work(worker);
    }

    /// The next sign of life: progress within the lease, or the end.
    fn plan_step(&mut self, worker: WorkerId) {
        let pause = Span(self.scenario.settings.lease.0 / 4);
        let now = self.now;
        let process = self.process(worker);
        let Some(lease) = process.running else { return };
        let turn = process.turn;
        self.plan(lease.ends.min(now + pause), Happening::Step(worker, turn));
    }

    /// A planned step of a worker: it is ready, says progress, or is done with its lease.
    pub(super) fn step(&mut self, worker: WorkerId, turn: u64) {
        if !self.is_at(worker, turn) || self.process(worker).life != Life::Alive {
            return;
        }
        let now = self.now;
        let process = self.process(worker);
        let Some(lease) = process.running else {
            process.turn += 1;
            self.say(worker, FromWorker::Ready);
            if self.strikes(self.scenario.faults.dies_ready) {
                self.die(worker, "exited with status 3");
            }
            return;
        };
        if now < lease.ends {
            let done = lease.count / 2;
            self.say(worker, FromWorker::Progress { lease: lease.id, done });
            return self.plan_step(worker);
        }
        self.process(worker).turn += 1;
        self.conclude(worker, &lease);
        self.process(worker).running = None;
        if self.strikes(self.scenario.faults.dies_after_partial) {
            self.die(worker, "killed by SIGKILL");
        }
        self.work(worker);
    }

    /// Says the answer of a lease, with all that may go wrong about it.
    fn conclude(&mut self, worker: WorkerId, lease: &Lease) {
        let Some(kernel) = self.process(worker).kernels.get(&lease.id.job).cloned() else { return };
        if self.strikes(self.scenario.faults.fails) {
            self.kernel_failures += 1;
            let why = "fold it: bad luck".to_owned();
            return self.say(
                worker,
                FromWorker::Failed { lease: lease.id, complaint: Box::new(Complaint::new(why)) },
            );
        }
        let busy_ns = self.now.since(lease.began).0;
        let state = fold::partial(&kernel, lease.position, lease.count).to_bytes();
        let right = FromWorker::Partial { lease: lease.id, elements: lease.count, busy_ns, state };
        for said in self.variations(worker, lease, &right) {
            self.say(worker, said);
        }
        self.process(worker).last = Some(right.clone());
        self.echo = Some(right);
    }

    fn variations(&mut self, worker: WorkerId, lease: &Lease, right: &FromWorker) -> Vec<FromWorker> {
        let mut list = Vec::new();
        if self.strikes(self.scenario.faults.stale) {
            list.extend(self.process(worker).last.clone());
        }
        if self.strikes(self.scenario.faults.echoes) {
            list.extend(self.echo.clone());
        }
        if self.strikes(self.scenario.faults.wrong_attempt) {
            let attempt = Attempt(lease.id.attempt.0 ^ 1);
            list.push(with_lease(right, LeaseId { attempt, ..lease.id }));
            if self.rng.chance(300) {
                self.blame(worker, lease);
                return list;
            }
        }
        if self.strikes(self.scenario.faults.malformed) {
            self.blame(worker, lease);
            list.push(malformed(right));
        } else if self.strikes(self.scenario.faults.wrong_elements) {
            self.blame(worker, lease);
            list.push(wrong_elements(right, self.rng.chance(500)));
        } else {
            list.push(right.clone());
        }
        if self.strikes(self.scenario.faults.duplicates) {
            list.push(right.clone());
        }
        list
    }

    /// Words that no honest worker says.
    fn babble(&mut self, worker: WorkerId, lease: LeaseId) {
        let said = match self.rng.below(6) {
            0 => FromWorker::Ready,
            1 => FromWorker::Cancelled { lease },
            2 => FromWorker::Progress { lease, done: u64::MAX },
            3 => FromWorker::Started { lease: LeaseId { job: JobId(9999), ..lease } },
            4 => FromWorker::Failed {
                lease: LeaseId { attempt: Attempt(77), ..lease },
                complaint: Box::new(Complaint::new("")),
            },
            _ => FromWorker::Partial {
                lease: LeaseId { job: JobId(u64::MAX), ..lease },
                elements: u64::MAX,
                busy_ns: u64::MAX,
                state: vec![0; 3],
            },
        };
        self.say(worker, said);
    }

    /// What happens to a worker that folds these elements. Meeting a poison wears it out.
    fn poison_in(&mut self, kernel: &KernelSpec, position: u64, count: u64) -> Option<Fate> {
        for run in kernel.runs(position, count) {
            let (Ok(first), Ok(last)) = (u64::try_from(&run.first), u64::try_from(&run.at(run.count - 1)))
            else {
                continue;
            };
            let Some((_, poison)) = self.poisons.range_mut(first..=last).next() else { continue };
            return match poison {
                Poison::Kills(0) | Poison::Silences(0) => None,
                Poison::Kills(left) => {
                    *left = left.saturating_sub(u32::from(*left < u32::MAX));
                    Some(Fate::Dies)
                }
                Poison::Silences(left) => {
                    *left = left.saturating_sub(u32::from(*left < u32::MAX));
                    Some(Fate::Silent)
                }
            };
        }
        None
    }

    /// How long so many elements take: so that the whole job takes some milliseconds of work.
    fn cost(&mut self, kernel: &KernelSpec, count: u64) -> Span {
        let all = kernel.count().max(1);
        let whole = 1_000_000 + all.min(60) * 500_000;
        let part = u128::from(whole) * u128::from(count) / u128::from(all);
        let part = u64::try_from(part).unwrap_or(whole);
        Span(part / 2 + self.rng.below(part + 1))
    }
}

/// What a poison does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Dies,
    Silent,
}

fn with_lease(partial: &FromWorker, lease: LeaseId) -> FromWorker {
    match partial.clone() {
        FromWorker::Partial { elements, busy_ns, state, .. } => {
            FromWorker::Partial { lease, elements, busy_ns, state }
        }
        other => other,
    }
}

fn malformed(partial: &FromWorker) -> FromWorker {
    match partial.clone() {
        FromWorker::Partial { lease, elements, busy_ns, mut state } => {
            state.truncate(state.len() / 2);
            FromWorker::Partial { lease, elements, busy_ns, state }
        }
        other => other,
    }
}

fn wrong_elements(partial: &FromWorker, reductions: bool) -> FromWorker {
    match partial.clone() {
        FromWorker::Partial { lease, elements, busy_ns, .. } if reductions => {
            let state = Partial::identity(&[Reduction::Sum, Reduction::Max]).to_bytes();
            FromWorker::Partial { lease, elements, busy_ns, state }
        }
        FromWorker::Partial { lease, elements, busy_ns, state } => {
            FromWorker::Partial { lease, elements: elements + 1, busy_ns, state }
        }
        other => other,
    }
}
