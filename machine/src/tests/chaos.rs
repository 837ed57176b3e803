//! Events in any order, from anybody, at any time, even back in time: nothing may panic and all invariants hold.

use tally_protocol::control::Request;
use tally_protocol::job::{JobRequest, Transport};
use tally_protocol::locks::{Acquire, LockRequest, Patience, Want};
use tally_protocol::objects::{
    BarrierVerb, Creation, EventVerb, Lifetime, ObjectRequest, Operation, Others, QueueVerb, ValueVerb, Verb,
};
use tally_protocol::settings::ReloadView;
use tally_protocol::work::{Complaint, FromWorker, LeaseId};
use tally_protocol::{Attempt, ClientId, JobId, PartitionId, WorkerId};
use tally_reduce::{Integer, Partial, Reduction};

use super::{request, settings};
use crate::action::Ticket;
use crate::event::Event;
use crate::{Machine, Moment, Rights, Settings, Who};

struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn worker(&mut self) -> WorkerId {
        WorkerId(self.below(7))
    }

    fn client(&mut self) -> ClientId {
        ClientId(self.below(3))
    }

    fn job(&mut self) -> JobId {
        JobId(self.below(5))
    }

    fn lease(&mut self) -> LeaseId {
        let (partition, attempt) = (PartitionId(self.below(4)), Attempt(1 + u32::from(self.below(4) == 0)));
        LeaseId { job: self.job(), partition, attempt }
    }

    fn said(&mut self) -> FromWorker {
        let lease = self.lease();
        match self.below(8) {
            0..=2 => FromWorker::Ready,
            3 => FromWorker::Started { lease },
            4 => FromWorker::Progress { lease, done: self.below(5) },
            5 => FromWorker::Failed {
                lease,
                complaint: Box::new(Complaint::new("go on: \u{e9}\u{2014}".repeat(900))),
            },
            6 => FromWorker::Cancelled { lease },
            _ => self.partial(lease),
        }
    }

    fn partial(&mut self, lease: LeaseId) -> FromWorker {
        let count = self.below(4);
        let mut partial = Partial::identity(&[Reduction::Sum]);
        let whole = partial.absorb_progression(&Integer::from(3), &Integer::from(1), count, &mut |_| true);
        assert!(whole);
        FromWorker::Partial {
            lease,
            elements: count,
            busy_ns: self.below(u64::MAX),
            state: partial.to_bytes(),
        }
    }

    fn request(&mut self) -> Request {
        let job = self.job();
        match self.below(23) {
            17 | 18 => Request::Object(self.object()),
            20..=22 => self.lock_request(),
            13 => Request::Reload,
            14 => Request::Upgrade { binary: None },
            15 => Request::Reprioritize { job, priority: 4 },
            16 => Request::Metrics,
            0..=3 => Request::Submit(Box::new(self.submission().check().unwrap())),
            4 => Request::Cancel { jobs: vec![job], all: false },
            5 => Request::Pause(job),
            6 => Request::Resume(job),
            7 => Request::Retry(job),
            8 => Request::Follow(job),
            9 => Request::Wait(vec![job, JobId(1)]),
            10 => Request::Explain(job),
            11 => Request::Jobs { all: true, after: None },
            12 => Request::Top(tally_protocol::top::TopQuery::default()),
            _ => Request::Dump,
        }
    }

    fn lock_request(&mut self) -> Request {
        let want =
            [Want::Exclusive, Want::Shared, Want::Permits { of: 2, take: 1 + u32::from(self.below(3) == 0) }]
                [usize::try_from(self.below(3)).unwrap()];
        let name = ["a", "b"][usize::from(self.below(2) == 0)];
        let patience = [Patience::None, Patience::Endless, Patience::Ms(1 + self.below(5_000))]
            [usize::try_from(self.below(3)).unwrap()];
        let ttl_ms = (self.below(3) == 0).then(|| 1 + self.below(5_000));
        Request::Lock(match self.below(8) {
            0 => LockRequest::Locks,
            1 => LockRequest::Deadlocks,
            2 => LockRequest::Release { fence: 1 + self.below(30) },
            _ => LockRequest::Acquire(Box::new(Acquire { patience, ttl_ms, ..Acquire::new(name, want) })),
        })
    }

    fn object(&mut self) -> ObjectRequest {
        let name = ["a", "b", "c"][usize::try_from(self.below(3)).unwrap()].to_owned();
        let verb = match self.below(9) {
            0 => Verb::Queue(QueueVerb::Put(vec![1.into()])),
            1 => Verb::Queue(QueueVerb::Get { take: false, lease_ms: Some(1 + self.below(20)) }),
            2 => Verb::Queue(QueueVerb::Close),
            3 => Verb::Event(EventVerb::Wait),
            4 => Verb::Event(EventVerb::Set),
            5 => Verb::Barrier(BarrierVerb::Wait { parties: 2 }),
            6 => Verb::Value(ValueVerb::Add(1.into())),
            7 => return ObjectRequest::Watch { object: name, since: None },
            _ => return ObjectRequest::Remove { object: name },
        };
        let lifetime = [Lifetime::Daemon, Lifetime::Connection, Lifetime::Persistent];
        let lifetime = lifetime.get(usize::try_from(self.below(5)).unwrap()).copied();
        let creation = Creation { lifetime, others: Some(Others::Write), ..Creation::default() };
        let timeout_ms = (self.below(2) == 0).then(|| self.below(20));
        let operation = Operation {
            timeout_ms,
            creation: lifetime.map(|_| Box::new(creation)),
            ..Operation::new(name, verb)
        };
        if self.below(4) == 0 {
            return ObjectRequest::Transact(vec![operation.clone(), operation]);
        }
        ObjectRequest::Operate(Box::new(operation))
    }

    fn submission(&mut self) -> JobRequest {
        let elements = [0, 3, 9, 1_u64 << 40][usize::try_from(self.below(4)).unwrap()];
        JobRequest {
            partitions: (self.below(2) == 0).then(|| 1 + self.below(1 << 32)),
            detach: self.below(2) == 0,
            timeout_ms: (self.below(3) == 0).then(|| 1 + self.below(50)),
            workers: (self.below(3) == 0).then_some(1),
            nice: (self.below(4) == 0).then_some(1),
            retries: Some(u32::try_from(self.below(3)).unwrap()),
            ..request(&format!("0..{elements}"), 1)
        }
    }

    fn event(&mut self) -> Event {
        let worker = self.worker();
        match self.below(40) {
            0..=7 => {
                Event::ClientSaid { client: self.client(), request: self.request(), more: self.below(2) == 0 }
            }
            8 => Event::ClientGone { client: self.client() },
            9..=11 => Event::Spawned { worker, pid: 7, transport: Transport::Pipe },
            12 if self.below(2) == 0 => Event::StarterLost { workers: vec![worker], why: "gone".into() },
            12 => Event::SpawnFailed { worker, why: "be".into() },
            13 => Event::LinkBroken { worker, why: "torn".into() },
            14..=17 => Event::WorkerExited { worker, how: "vanished".into(), stderr: "help".into() },
            18 if self.below(4) == 0 => Event::StopRequested,
            19 if self.below(8) == 0 => Event::StopNow,
            20 => Event::Reload(Box::new(Settings {
                eager: self.below(2) == 0,
                ..settings(1 + u16::try_from(self.below(4)).unwrap())
            })),
            21 => Event::ClientCame {
                client: self.client(),
                who: Who { uid: 7, rights: [Rights::Own, Rights::Operate][usize::from(self.below(2) == 0)] },
            },
            22..=25 => Event::Recorded { ticket: Ticket(self.below(20)) },
            26 => Event::NotRecorded { ticket: Ticket(self.below(20)), why: "full".into() },
            27 => Event::Reloaded { client: self.client(), result: Ok(ReloadView::default()) },
            _ => Event::WorkerSaid { worker, said: self.said() },
        }
    }
}

#[test]
fn nothing_that_happens_can_panic() {
    for seed in 1..=3_000 {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        let durable = seed % 2 == 0;
        let mut machine = Machine::new(Moment(0), Settings { durable, ids_ahead: 3, ..settings(2) });
        let mut exits = 0;
        for _ in 0..60 {
            let now = Moment(dice.below(20_000_000_000));
            if dice.below(6) == 0 {
                machine.handle_timeout(now);
            } else {
                machine.handle(now, dice.event());
            }
            while let Some(action) = machine.next_action() {
                assert_eq!(exits, 0, "{action:?} after the exit");
                exits += u32::from(action == crate::Action::Exit);
            }
        }
    }
}
