//! Partitions a second through the machine alone: leases out, words in, no processes and no system in between.

use std::collections::VecDeque;

use tally_machine::action::Profile;
use tally_machine::{Action, Event, Machine, Moment, Settings};
use tally_protocol::control::{Reply, Request};
use tally_protocol::job::{JobRequest, StartMethod, Transport};
use tally_protocol::work::{FromWorker, LeaseId, ToWorker};
use tally_protocol::{ClientId, WorkerId};
use tally_reduce::{Integer, Partial, Reduction};

use crate::measure::seconds;

/// A world in which every partition takes a microsecond.
struct World {
    machine: Machine,
    now: Moment,
    /// Leases of each worker, in order.
    work: Vec<VecDeque<(LeaseId, u64, u64)>>,
    /// What workers answer, by position: folded before the clock runs.
    states: Vec<Vec<u8>>,
    /// The job that is measured: the last one.
    measured: u64,
    done: Option<String>,
    messages: u64,
}

/// A million partitions, by two workers and by many, alone and beside other jobs.
pub(crate) fn decisions(_binary: &str) {
    for (workers, jobs) in [(2, 0), (64, 0), (2, 1_000)] {
        measure(1_000_000, workers, jobs);
    }
}

fn measure(partitions: u64, workers: u16, jobs: u64) {
    let mut world = World::new(workers);
    for client in 0..jobs {
        world.submit(100 + client, "0..1000000", Some(-1), 1_000_000);
    }
    world.measured = jobs + 1;
    world.states = (0..partitions).map(folded).collect();
    let took = seconds(|| {
        world.submit(1, &format!("0..{partitions}"), None, partitions);
        world.run();
    });
    let sum = world.done.unwrap_or_default();
    let rate = partitions as f64 / took;
    println!(
        "{partitions} partitions, {workers} workers, {jobs} other jobs: {took:.3} s, {rate:.0} a second, {} messages, sum {sum}",
        world.messages
    );
}

fn folded(position: u64) -> Vec<u8> {
    let mut partial = Partial::identity(&[Reduction::Sum]);
    let whole = partial.absorb_progression(&Integer::from(position), &Integer::from(1), 1, &mut |_| true);
    if whole { partial.to_bytes() } else { Vec::new() }
}

impl World {
    fn new(workers: u16) -> Self {
        let profile = Profile {
            transport: Transport::Shm,
            start: StartMethod::Forkserver,
            nice: 0,
            memory_limit_bytes: None,
            job: None,
        };
        Self {
            machine: Machine::new(Moment(0), Settings { trusting: true, ..Settings::new(workers, profile) }),
            now: Moment(0),
            work: vec![VecDeque::new(); usize::from(workers) + 1],
            states: Vec::new(),
            measured: 0,
            done: None,
            messages: 0,
        }
    }

    fn submit(&mut self, client: u64, range: &str, priority: Option<i32>, partitions: u64) {
        let request = JobRequest {
            reductions: vec!["sum".into()],
            sources: vec![range.to_owned()],
            partitions: Some(partitions),
            priority,
            ..JobRequest::default()
        };
        let Ok(spec) = request.check() else { return };
        let request = Request::Submit(Box::new(spec));
        self.tell(Event::ClientSaid { client: ClientId(client), request, more: false });
    }

    fn tell(&mut self, event: Event) {
        self.messages += 1;
        self.machine.handle(self.now, event);
        while let Some(action) = self.machine.next_action() {
            self.perform(action);
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Spawn { worker, .. } => {
                self.tell(Event::WorkerSaid { worker, said: FromWorker::Ready });
            }
            Action::Send { worker, message: ToWorker::Lease { lease, position, count } } => {
                if let Some(queue) = usize::try_from(worker.0).ok().and_then(|at| self.work.get_mut(at)) {
                    queue.push_back((lease, position, count));
                }
            }
            Action::Reply { reply: Reply::Job(view), .. } => {
                self.done = view.results.first().map(|result| result.value.clone());
            }
            Action::Send { .. }
            | Action::Signal { .. }
            | Action::Reply { .. }
            | Action::Record { .. }
            | Action::Reload { .. }
            | Action::Config { .. }
            | Action::Metrics { .. }
            | Action::Upgrade { .. }
            | Action::Conclude { .. }
            | Action::Exit => {}
        }
    }

    /// All workers in turn fold all they have, until the job is done.
    fn run(&mut self) {
        while self.done.is_none() {
            for at in 1..self.work.len() {
                let batch = std::mem::take(&mut self.work[at]);
                for (lease, position, count) in batch {
                    self.fold(WorkerId(at as u64), lease, position, count);
                }
            }
        }
    }

    fn fold(&mut self, worker: WorkerId, lease: LeaseId, position: u64, count: u64) {
        self.tell(Event::WorkerSaid { worker, said: FromWorker::Started { lease } });
        self.now.0 += 1_000;
        let mine = (lease.job.0 == self.measured).then_some(position);
        let known = mine.and_then(|at| usize::try_from(at).ok()).and_then(|at| self.states.get_mut(at));
        let state = known.map_or_else(|| folded(position), std::mem::take);
        let said = FromWorker::Partial { lease, elements: count, busy_ns: 1_000, state };
        self.tell(Event::WorkerSaid { worker, said });
    }
}
