//! The machine, told anything that could happen and much that could not: no panic, all invariants after each event, one
//! last answer for each request, nothing after the exit.
//!
//! Half of what workers say is about leases they have, so that bytes get beyond the first check.

use std::collections::{BTreeMap, BTreeSet};

use tally_machine::action::{Profile, Ticket};
use tally_machine::{Action, Event, Machine, Moment, Rights, Settings, Who};
use tally_protocol::control::Request;
use tally_protocol::job::{JobRequest, KernelSpec, StartMethod, Transport};
use tally_protocol::locks::{Acquire, LockRequest, Patience, Want};
use tally_protocol::objects::{
    BarrierVerb, Creation, EventVerb, Lifetime, ObjectRequest, Operation, Others, QueueVerb, ValueVerb, Verb,
};
use tally_protocol::settings::ReloadView;
use tally_protocol::work::{Complaint, FromWorker, LeaseId, ToWorker};
use tally_protocol::{Attempt, ClientId, JobId, PartitionId, WorkerId};
use tally_reduce::{Reduction, Shape, Tally};

use crate::feed::Feed;

/// Events of one story: what comes later has little that is new.
const EVENTS_MAX: usize = 300;

/// A byte of settings, then events.
pub fn run(bytes: &[u8]) {
    let mut feed = Feed::new(bytes);
    let how = feed.byte();
    let profile = Profile {
        transport: Transport::Shm,
        start: StartMethod::Forkserver,
        nice: 0,
        memory_limit_bytes: None,
        job: None,
    };
    let settings = Settings {
        trusting: how & 1 == 0,
        durable: how & 2 != 0,
        eager: how & 4 != 0,
        answer_at_once_bytes: if how & 8 == 0 { usize::MAX } else { 0 },
        jobs_open_max: if how & 16 == 0 { 1000 } else { 3 },
        jobs_ended_max: 5,
        ids_ahead: 3,
        ..Settings::new(1 + u16::from(how >> 6), profile)
    };
    let mut story =
        Story { machine: Machine::new(Moment(0), settings.clone()), settings, ..Story::default() };
    story.perform();
    for _ in 0..EVENTS_MAX {
        if feed.is_empty() {
            break;
        }
        story.step(&mut feed);
    }
    story.machine.check();
}

/// What the machine has asked for.
struct Story {
    machine: Machine,
    settings: Settings,
    now: u64,
    exits: u32,
    leases: Vec<(WorkerId, LeaseId, u64)>,
    kernels: BTreeMap<JobId, KernelSpec>,
    workers: Vec<WorkerId>,
    tickets: Vec<Ticket>,
    conclusions: Vec<(JobId, u64, Box<Tally>, bool)>,
    /// Clients with a request that has no last answer yet.
    waiting: BTreeSet<ClientId>,
    known: BTreeSet<ClientId>,
}

impl Default for Story {
    fn default() -> Self {
        let profile = Profile {
            transport: Transport::Pipe,
            start: StartMethod::Fork,
            nice: 0,
            memory_limit_bytes: None,
            job: None,
        };
        let settings = Settings::new(1, profile);
        Self {
            machine: Machine::new(Moment(0), settings.clone()),
            settings,
            now: 0,
            exits: 0,
            leases: Vec::new(),
            kernels: BTreeMap::new(),
            workers: Vec::new(),
            tickets: Vec::new(),
            conclusions: Vec::new(),
            waiting: BTreeSet::new(),
            known: BTreeSet::new(),
        }
    }
}

impl Story {
    fn step(&mut self, feed: &mut Feed<'_>) {
        self.now += match feed.below(8) {
            0 => feed.below(60_000_000_000),
            1 => feed.below(200_000_000),
            _ => 1_000,
        };
        // Now and then a clock that goes back, which the machine does not believe.
        let now = Moment(if feed.byte() == 77 { 0 } else { self.now });
        if feed.below(6) == 0 {
            self.machine.handle_timeout(now);
        } else {
            let event = self.event(feed);
            if let Event::ClientSaid { client, .. } = &event {
                // The shell keeps the next one back until the last one is answered.
                if !self.waiting.insert(*client) {
                    return;
                }
            }
            match &event {
                Event::ClientGone { client } => {
                    self.waiting.remove(client);
                    self.known.remove(client);
                }
                Event::WorkerExited { worker, .. } | Event::SpawnFailed { worker, .. } => {
                    self.leases.retain(|(holder, ..)| holder != worker);
                    self.workers.retain(|one| one != worker);
                }
                _ => {}
            }
            self.machine.handle(now, event);
        }
        // A build with assertions checks the machine after each event; others, which are faster, at the end.
        self.perform();
    }

    fn perform(&mut self) {
        while let Some(action) = self.machine.next_action() {
            assert_eq!(self.exits, 0, "{action:?} after the exit");
            match action {
                Action::Spawn { worker, .. } => self.workers.push(worker),
                Action::Send { worker, message: ToWorker::Lease { lease, count, .. } } => {
                    self.leases.push((worker, lease, count));
                }
                Action::Send { message: ToWorker::Job { job, kernel }, .. } => {
                    drop(self.kernels.insert(job, kernel))
                }
                Action::Reply { client, continues, .. } if !continues => {
                    // To a client that is gone nothing is said.
                    assert!(self.waiting.remove(&client), "an answer that nobody waits for");
                }
                Action::Config { client } | Action::Metrics { client } => drop(self.waiting.remove(&client)),
                Action::Record { ticket, .. } => self.tickets.push(ticket),
                Action::Conclude { job, number, partial, population } => {
                    self.conclusions.push((job, number, partial, population));
                }
                Action::Exit => self.exits += 1,
                _ => {}
            }
        }
    }

    fn client(feed: &mut Feed<'_>) -> ClientId {
        ClientId(feed.below(4))
    }

    fn worker(&self, feed: &mut Feed<'_>) -> WorkerId {
        let at = usize::from(feed.byte());
        match self.workers.len() {
            count @ 1.. if at < 240 => self.workers[at % count],
            _ => WorkerId(at as u64 % 9),
        }
    }

    fn event(&mut self, feed: &mut Feed<'_>) -> Event {
        match feed.below(32) {
            0..=6 => self.request(feed),
            7 => Event::ClientGone { client: Self::client(feed) },
            8 | 9 => {
                let client = Self::client(feed);
                self.known.insert(client);
                let rights = feed.one_of(&[Rights::Own, Rights::Read, Rights::Operate]);
                Event::ClientCame { client, who: Who { uid: 7 + u32::from(feed.coin()), rights } }
            }
            10 | 11 => {
                Event::Spawned { worker: self.worker(feed), pid: 7, transport: feed.one_of(Transport::ALL) }
            }
            12 => Event::SpawnFailed { worker: self.worker(feed), why: "be".into() },
            13 => Event::LinkBroken { worker: self.worker(feed), why: "torn".into() },
            14 | 15 => Event::WorkerExited {
                worker: self.worker(feed),
                how: "vanished".into(),
                stderr: "help".into(),
            },
            16 if feed.below(4) == 0 => Event::StopRequested,
            17 if feed.below(8) == 0 => Event::StopNow,
            18 => {
                let slots = 1 + u16::from(feed.byte() & 3);
                Event::Reload(Box::new(Settings { slots, eager: feed.coin(), ..self.settings.clone() }))
            }
            19 => Event::Reloaded { client: Self::client(feed), result: Ok(ReloadView::default()) },
            20..=22 => match self.tickets.pop() {
                Some(ticket) if feed.below(4) > 0 => Event::Recorded { ticket },
                Some(ticket) => Event::NotRecorded { ticket, why: "full".into() },
                None => Event::Recorded { ticket: Ticket(feed.below(20)) },
            },
            23 => self.concluded(feed),
            24 => Event::ClientCalls { client: Self::client(feed) },
            _ => {
                let (worker, said) = self.said(feed);
                Event::WorkerSaid { worker, said }
            }
        }
    }

    fn concluded(&mut self, feed: &mut Feed<'_>) -> Event {
        let Some((job, number, partial, population)) = self.conclusions.pop() else {
            return Event::SpawnFailed { worker: WorkerId(99), why: "be".into() };
        };
        let number = if feed.byte() == 1 { number + 1 } else { number };
        let answers = tally_protocol::answers::Answers::of(&partial, population);
        Event::Concluded { job, number, answers: Box::new(answers) }
    }

    /// What a worker says: of a lease that there is, as it is or a little wrong, or of one that there is not.
    fn said(&mut self, feed: &mut Feed<'_>) -> (WorkerId, FromWorker) {
        let at = usize::from(feed.byte());
        let held = match self.leases.len() {
            count @ 1.. if at < 200 => Some(self.leases[at % count]),
            _ => None,
        };
        let (worker, lease, count) = held.unwrap_or_else(|| {
            let attempt = Attempt(1 + u32::from(feed.below(4) == 0));
            let lease = LeaseId { job: JobId(feed.below(5)), partition: PartitionId(feed.below(4)), attempt };
            (self.worker(feed), lease, feed.below(5))
        });
        let worker = if feed.byte() == 1 { self.worker(feed) } else { worker };
        let said = match feed.below(10) {
            0 | 1 => FromWorker::Ready,
            2 => FromWorker::Started { lease },
            3 => FromWorker::Progress { lease, done: feed.below(count.saturating_add(2).max(1)) },
            4 => {
                let why = "go on: \u{e9}\u{2014}".repeat(usize::from(feed.byte()));
                FromWorker::Failed { lease, complaint: Box::new(Complaint::new(why)) }
            }
            5 => FromWorker::Cancelled { lease },
            6 => FromWorker::NotIntegers { lease, column: "n".to_owned() },
            _ => self.partial(lease, count, feed),
        };
        if matches!(
            said,
            FromWorker::Partial { .. } | FromWorker::Failed { .. } | FromWorker::Cancelled { .. }
        ) {
            self.leases.retain(|(_, held, _)| *held != lease);
        }
        (worker, said)
    }

    fn partial(&self, lease: LeaseId, count: u64, feed: &mut Feed<'_>) -> FromWorker {
        let lie = feed.byte();
        let elements = if lie == 1 { count.wrapping_add(1) } else { count };
        let (shape, reductions) = match self.kernels.get(&lease.job) {
            Some(kernel) => (kernel.shape(), kernel.reductions.clone()),
            None => (Shape::Plain, vec![Reduction::Sum]),
        };
        let mut tally = Tally::identity(shape, &reductions);
        // Elements that were left out count, and cost nothing to make.
        tally.skip(elements);
        let mut state = tally.to_bytes();
        match lie {
            2 => state = feed.take(40).to_vec(),
            3 => drop(state.pop()),
            _ => {}
        }
        FromWorker::Partial { lease, elements, busy_ns: feed.word(), state }
    }

    fn request(&mut self, feed: &mut Feed<'_>) -> Event {
        let client = Self::client(feed);
        if self.known.insert(client) && !self.settings.trusting {
            return Event::ClientCame { client, who: Who { uid: 9, rights: Rights::Operate } };
        }
        Event::ClientSaid { client, request: request(feed), more: feed.coin() }
    }
}

fn request(feed: &mut Feed<'_>) -> Request {
    let job = JobId(feed.below(6));
    match feed.below(30) {
        0..=6 => match submission(feed).check() {
            Ok(spec) if feed.coin() && !spec.request.detach => Request::Start(Box::new(spec)),
            Ok(spec) => Request::Submit(Box::new(spec)),
            Err(_) => Request::Status,
        },
        7 => Request::Next,
        8 => Request::Cancel { jobs: vec![job], all: feed.below(4) == 0 },
        9 => Request::Pause(job),
        10 => Request::Resume(job),
        11 => Request::Retry(job),
        12 => Request::Follow(job),
        13 => Request::Wait(vec![job, JobId(1)]),
        14 => Request::Explain(job),
        15 => Request::Jobs { all: feed.coin(), after: Some(job) },
        16 => Request::Workers,
        17 => Request::Dump,
        18 => Request::Reload,
        19 => Request::Reprioritize { job, priority: i32::from(feed.byte()) - 100 },
        20 => Request::Metrics,
        21 => Request::Show(job),
        22 => Request::Result(job),
        23..=25 => Request::Lock(lock(feed)),
        26 if feed.below(8) == 0 => Request::Drain,
        26 if feed.below(8) == 0 => Request::Stop { now: feed.coin() },
        _ => Request::Object(object(feed)),
    }
}

fn submission(feed: &mut Feed<'_>) -> JobRequest {
    let elements = feed.one_of(&[0, 3, 9, 1_u64 << 40, u64::MAX - 1]);
    JobRequest {
        reductions: vec![feed.one_of(&["sum", "mean", "min", "product", "variance"]).to_owned()],
        sources: vec![format!("0..{elements}")],
        of: feed.coin().then(|| "i * i".to_owned()),
        partitions: feed.coin().then(|| 1 + feed.below(9)),
        detach: feed.coin(),
        timeout_ms: (feed.below(3) == 0).then(|| 1 + feed.below(5_000)),
        workers: (feed.below(3) == 0).then_some(1),
        nice: (feed.below(4) == 0).then_some(1),
        retries: Some(u32::from(feed.byte() % 3)),
        ..JobRequest::default()
    }
}

fn lock(feed: &mut Feed<'_>) -> LockRequest {
    let permits = Want::Permits { of: 2, take: 1 + u32::from(feed.below(3) == 0) };
    let want = feed.one_of(&[Want::Exclusive, Want::Shared, permits]);
    let name = feed.one_of(&["a", "b"]);
    let patience = feed.one_of(&[Patience::None, Patience::Endless, Patience::Ms(1 + 700)]);
    let ttl_ms = (feed.below(3) == 0).then(|| 1 + feed.below(5_000));
    match feed.below(8) {
        0 => LockRequest::Locks,
        1 => LockRequest::Deadlocks,
        2 => LockRequest::Release { fence: 1 + feed.below(30) },
        _ => LockRequest::Acquire(Box::new(Acquire { patience, ttl_ms, ..Acquire::new(name, want) })),
    }
}

fn object(feed: &mut Feed<'_>) -> ObjectRequest {
    let name = feed.one_of(&["a", "b", "c"]).to_owned();
    let verb = match feed.below(9) {
        0 => Verb::Queue(QueueVerb::Put(vec![1.into()])),
        1 => Verb::Queue(QueueVerb::Get { take: feed.coin(), lease_ms: Some(1 + feed.below(2_000)) }),
        2 => Verb::Queue(QueueVerb::Close),
        3 => Verb::Event(EventVerb::Wait),
        4 => Verb::Event(EventVerb::Set),
        5 => Verb::Barrier(BarrierVerb::Wait { parties: 2 }),
        6 => Verb::Value(ValueVerb::Add(1.into())),
        7 => return ObjectRequest::Watch { object: name, since: None },
        _ => return ObjectRequest::Remove { object: name },
    };
    let lifetime = [Lifetime::Daemon, Lifetime::Connection, Lifetime::Persistent];
    let lifetime = lifetime.get(usize::from(feed.byte() % 5)).copied();
    let creation = Creation { lifetime, others: Some(Others::Write), ..Creation::default() };
    let timeout_ms = feed.coin().then(|| feed.below(3_000));
    let creation = lifetime.map(|_| Box::new(creation));
    let operation = Operation { timeout_ms, creation, ..Operation::new(name, verb) };
    if feed.below(4) == 0 {
        return ObjectRequest::Transact(vec![operation.clone(), operation]);
    }
    ObjectRequest::Operate(Box::new(operation))
}
