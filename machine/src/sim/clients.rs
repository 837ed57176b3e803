//! The simulated clients: each makes some requests, one after the other, and may leave at any time.

use tally_protocol::command::RunAs;
use tally_protocol::control::{Reply, Request};
use tally_protocol::locks::{Acquire, LockRequest, Patience, Want};
use tally_protocol::objects::{
    Creation, Datum, DictVerb, EventVerb, Lifetime, ObjectRequest, Operation, Others, QueueVerb, ValueVerb,
    Verb,
};
use tally_protocol::top::TopQuery;
use tally_protocol::version::Spoken;
use tally_protocol::{ClientId, JobId};

use super::scenario;
use super::starters::Starter;
use super::world::{Happening, World};
use crate::event::Event;
use crate::moment::{Moment, Span};
use crate::permission::{Rights, Who};

/// One client.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// Whom it was announced as, in worlds where that is done.
    pub(super) who: Option<Who>,
    /// The daemon that runs now has been told.
    pub(super) announced: bool,
    /// What it waits for.
    pub(super) asked: Option<Asked>,
    /// Requests it still wants to make.
    pub(super) left: u64,
    /// It starts jobs and hears of their ends one by one.
    pub(super) starter: Option<Starter>,
    /// The one that comes last and sees to it that everything ends.
    closer: bool,
}

/// A request on its way.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) request: Request,
    pub(super) more: bool,
    /// When it was last told something.
    pub(super) told: Option<Moment>,
}

impl World {
    pub(super) fn new_client(&mut self, left: u64, closer: bool) -> ClientId {
        self.named += 1;
        let client = ClientId(self.named);
        let who = self.somebody(closer);
        self.callers
            .insert(client, Caller { who, announced: false, asked: None, left, starter: None, closer });
        let at = Moment(self.now.0 + self.rng.below(self.scenario.calm.0 / 2));
        let at = if closer { self.now } else { at };
        self.plan(at, Happening::Caller(client));
        client
    }

    fn somebody(&mut self, closer: bool) -> Option<Who> {
        if !self.scenario.settings.durable {
            return None;
        }
        let uid = u32::try_from(self.rng.below(3)).unwrap_or(0);
        let rights = self.rng.pick(&[Rights::Own, Rights::Own, Rights::Read, Rights::Operate]);
        Some(Who { uid, rights: if closer { Rights::Operate } else { rights } })
    }

    /// A client has thought of something, or has had enough.
    pub(super) fn caller(&mut self, client: ClientId) {
        let Some(caller) = self.callers.get(&client) else { return };
        if caller.starter.is_some() {
            return self.starter(client);
        }
        let (waits, left, closer) = (caller.asked.is_some(), caller.left, caller.closer);
        if closer {
            return if waits {
            } else {
                self.ask(client, Request::Jobs { all: false, after: None }, false)
            };
        }
        if self.rng.chance(self.scenario.leavers) {
            return self.leave(client);
        }
        if !waits && left > 0 {
            let (request, more) = self.request();
            self.ask(client, request, more);
        } else if !waits && self.rng.chance(300) {
            self.leave(client);
        }
        if self.rng.chance(self.scenario.leavers) {
            let at = Moment(self.now.0 + self.rng.below(50_000_000));
            self.plan(at, Happening::Caller(client));
        }
    }

    pub(super) fn leave(&mut self, client: ClientId) {
        if self.callers.remove(&client).is_some() {
            self.tell(Event::ClientGone { client });
        }
    }

    pub(super) fn ask(&mut self, client: ClientId, mut request: Request, more: bool) {
        let Some(caller) = self.callers.get_mut(&client).filter(|_| !self.exited) else { return };
        if let Some(who) = caller.who.filter(|_| !caller.announced) {
            caller.announced = true;
            self.tell(Event::ClientCame { client, who });
        }
        let Some(caller) = self.callers.get_mut(&client).filter(|_| !self.exited) else { return };
        if let (Request::Submit(spec) | Request::Start(spec), Some(who)) = (&mut request, caller.who)
            && let Some(command) = &mut spec.kernel.command
        {
            command.run_as = Some(RunAs { uid: who.uid, gid: who.uid, groups: Vec::new() });
        }
        caller.left = caller.left.saturating_sub(1);
        caller.asked = Some(Asked { request: request.clone(), more, told: None });
        self.tell(Event::ClientSaid { client, request, more });
    }

    /// The highest id that may have been given out.
    fn last_id(&self) -> u64 {
        self.submitted.max(self.machine.jobs.named)
    }

    fn request(&mut self) -> (Request, bool) {
        if !self.rng.chance(self.scenario.chatter) || self.submitted == 0 {
            return (self.submission(), self.rng.chance(400));
        }
        let unknown = u64::from(self.rng.chance(100));
        let job = JobId(self.rng.between(1, self.last_id() + unknown));
        let request = match self.rng.below(22) {
            0..=2 => Request::Cancel { jobs: vec![job], all: false },
            3 => Request::Cancel { jobs: Vec::new(), all: true },
            4 => Request::Cancel { jobs: vec![job, JobId(1), JobId(1)], all: false },
            5 | 6 => Request::Pause(job),
            7 | 8 => Request::Resume(job),
            9 | 10 => Request::Retry(job),
            11 | 12 => Request::Follow(job),
            13 => self.wait_for_all(),
            14 => Request::Wait(vec![job, job]),
            15 => Request::Explain(job),
            16 => Request::Result(job),
            17 if self.now.0.is_multiple_of(2) => Request::ShowHistory(job),
            17 => Request::Show(job),
            18 => Request::Jobs { all: true, after: None },
            19 => self
                .rng
                .pick(&[&Request::Status, &Request::Workers, &Request::Top(TopQuery::default())])
                .clone(),
            20 => Request::Dump,
            _ => self.rare(),
        };
        (request, self.rng.chance(500))
    }

    fn wait_for_all(&self) -> Request {
        if self.scenario.settings.durable {
            return Request::Wait(self.machine.jobs.all().map(|job| job.id).collect());
        }
        Request::Wait((1..=self.submitted).map(JobId).collect())
    }

    fn rare(&mut self) -> Request {
        let kinds = if self.scenario.settings.durable { 18 } else { 6 };
        match self.rng.below(kinds) {
            6 => Request::Reload,
            7 if self.now.0.is_multiple_of(3) => Request::Config,
            7 => Request::Object(object(self.now.0)),
            8 => Request::Metrics,
            9 => Request::Upgrade { binary: None },
            10..=13 => {
                let job = JobId(self.rng.between(1, self.last_id()));
                Request::Reprioritize { job, priority: i32::try_from(self.rng.below(4)).unwrap_or(0) - 1 }
            }
            14..=17 => self.lock_request(),
            0 => Request::Drain,
            1 => Request::Stop { now: false },
            2 => Request::Stop { now: true },
            3 => Request::Hello(Spoken { oldest: 7, newest: 9 }),
            4 => Request::Hello(Spoken { oldest: 1, newest: 9 }),
            _ => Request::Wait(Vec::new()),
        }
    }

    /// Nobody waits for ever: who holds a lock here may do so until the end of the world.
    fn lock_request(&mut self) -> Request {
        let name = self.rng.pick(&["a", "b"]);
        let want = self.rng.pick(&[Want::Exclusive, Want::Shared, Want::Permits { of: 2, take: 1 }]);
        let patience = self.rng.pick(&[Patience::None, Patience::Ms(5), Patience::Ms(50)]);
        let ttl_ms = self.rng.chance(300).then(|| self.rng.between(1, 100));
        let request = match self.rng.below(6) {
            0 => LockRequest::Locks,
            1 => LockRequest::Deadlocks,
            2 => LockRequest::Release { fence: self.rng.below(9) },
            _ => LockRequest::Acquire(Box::new(Acquire { patience, ttl_ms, ..Acquire::new(name, want) })),
        };
        Request::Lock(request)
    }

    pub(super) fn submission(&mut self) -> Request {
        let (request, poison) = scenario::job(&self.scenario, &mut self.rng, self.stretches + 1);
        self.stretches += 1;
        self.poisons.extend(poison);
        let spec = request.check().expect("simulated jobs are well-formed");
        Request::Submit(Box::new(spec))
    }

    /// A client got its last reply: it may think of something else.
    pub(super) fn answered(&mut self, client: ClientId, asked: &Request, reply: &Reply) {
        let Some(caller) = self.callers.get_mut(&client) else { return };
        if caller.closer {
            return self.close(client, asked, reply);
        }
        let pause = Span(self.rng.below(20_000_000));
        self.plan(self.now + pause, Happening::Caller(client));
    }

    /// The closer resumes what is paused, then waits for everything.
    fn close(&mut self, client: ClientId, asked: &Request, reply: &Reply) {
        let Reply::Listed { jobs: views, .. } = reply else {
            let again = !matches!(asked, Request::Wait(_));
            if again {
                self.plan(self.now, Happening::Caller(client));
            }
            return;
        };
        if matches!(asked, Request::Wait(_)) {
            return;
        }
        let paused = views.iter().find(|view| view.state == tally_protocol::job::JobState::Paused);
        let next = match paused {
            Some(view) => Request::Resume(view.job),
            None => Request::Wait(views.iter().map(|view| view.job).collect()),
        };
        self.ask(client, next, false);
    }
}

/// Something about a persistent object, by a number: it takes no dice, so that the scenarios stay what they were.
fn object(number: u64) -> ObjectRequest {
    let value = || Datum::from(i64::try_from(number % 100).unwrap_or(0));
    let (name, verb) = match number % 5 {
        0 => ("queue", Verb::Queue(QueueVerb::Put(vec![value()]))),
        1 => ("queue", Verb::Queue(QueueVerb::Get { take: number.is_multiple_of(2), lease_ms: None })),
        2 => ("sum", Verb::Value(ValueVerb::Add(value()))),
        3 => ("dict", Verb::Dict(DictVerb::Set((number % 7).to_string(), value()))),
        _ => ("event", Verb::Event(EventVerb::Wait)),
    };
    let creation =
        Creation { lifetime: Some(Lifetime::Persistent), others: Some(Others::Write), ..Creation::default() };
    let operation =
        Operation { timeout_ms: Some(5), creation: Some(Box::new(creation)), ..Operation::new(name, verb) };
    ObjectRequest::Operate(Box::new(operation))
}
