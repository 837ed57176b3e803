//! A machine with a clock in hand: says events, returns what is done, in the words of `sim::text`.

use std::collections::BTreeMap;

use tally_protocol::control::Request;
use tally_protocol::job::{JobRequest, KernelSpec, StartMethod, Transport};
use tally_protocol::record::{Change, Saved, Table};
use tally_protocol::view::{JobView, StatusView};
use tally_protocol::work::{FromWorker, LeaseId, ToWorker};
use tally_protocol::{Attempt, ClientId, JobId, PartitionId, WorkerId};
use tally_reduce::Partial;

use crate::action::{Action, Profile, Ticket};
use crate::event::Event;
use crate::moment::{Moment, Span};
use crate::settings::Settings;
use crate::sim::text;
use crate::{Machine, Phase};

/// What workers are by default.
pub(crate) fn profile() -> Profile {
    Profile {
        transport: Transport::Shm,
        start: StartMethod::Forkserver,
        nice: 0,
        memory_limit_bytes: None,
        job: None,
    }
}

/// Settings with so many slots, where all answers are worked out at once.
pub(crate) fn settings(slots: u16) -> Settings {
    Settings { trusting: true, answer_at_once_bytes: usize::MAX, ..Settings::new(slots, profile()) }
}

/// A sum over a range in so many partitions.
pub(crate) fn request(range: &str, partitions: u64) -> JobRequest {
    JobRequest {
        reductions: vec!["sum".into()],
        sources: vec![range.into()],
        partitions: Some(partitions),
        ..JobRequest::default()
    }
}

/// The machine under test and what it has told its workers.
pub(crate) struct Bench {
    pub(crate) machine: Machine,
    pub(crate) now: Moment,
    kernels: BTreeMap<JobId, KernelSpec>,
    leases: BTreeMap<LeaseId, (u64, u64)>,
    /// Records the store has not answered.
    records: BTreeMap<u64, Vec<Change>>,
    rows: BTreeMap<(Table, u64), Vec<u8>>,
}

impl Bench {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            machine: Machine::new(Moment(0), settings),
            now: Moment(0),
            kernels: BTreeMap::new(),
            leases: BTreeMap::new(),
            records: BTreeMap::new(),
            rows: BTreeMap::new(),
        }
    }

    /// What it wants done now.
    pub(crate) fn actions(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(action) = self.machine.next_action() {
            lines.push(text::action(&action));
            self.learn(action);
        }
        lines
    }

    fn learn(&mut self, action: Action) {
        if let Action::Record { ticket, changes } = action {
            self.records.insert(ticket.0, changes);
            return;
        }
        let Action::Send { message, .. } = action else { return };
        match message {
            ToWorker::Job { job, kernel } => {
                self.kernels.insert(job, kernel);
            }
            ToWorker::Lease { lease, position, count } => {
                self.leases.insert(lease, (position, count));
            }
            ToWorker::Cancel { .. } | ToWorker::Forget { .. } | ToWorker::Quit => {}
        }
    }

    pub(crate) fn event(&mut self, event: Event) -> Vec<String> {
        self.machine.handle(self.now, event);
        self.machine.check();
        self.actions()
    }

    /// Lets time pass, waking the machine at each of its deadlines.
    pub(crate) fn later(&mut self, ms: u64) -> Vec<String> {
        let end = self.now + Span::ms(ms);
        let mut lines = Vec::new();
        while let Some(due) = self.machine.next_deadline().filter(|&due| due <= end) {
            self.now = self.now.max(due);
            self.machine.handle_timeout(self.now);
            self.machine.check();
            lines.extend(self.actions());
        }
        self.now = end;
        lines
    }

    pub(crate) fn say(&mut self, client: u64, request: Request) -> Vec<String> {
        self.event(Event::ClientSaid { client: ClientId(client), request, more: false })
    }

    pub(crate) fn say_more(&mut self, client: u64, request: Request) -> Vec<String> {
        self.event(Event::ClientSaid { client: ClientId(client), request, more: true })
    }

    pub(crate) fn submit(&mut self, client: u64, request: JobRequest) -> Vec<String> {
        self.say(client, Request::Submit(Box::new(request.check().unwrap())))
    }

    pub(crate) fn submit_more(&mut self, client: u64, request: JobRequest) -> Vec<String> {
        self.say_more(client, Request::Submit(Box::new(request.check().unwrap())))
    }

    pub(crate) fn gone(&mut self, client: u64) -> Vec<String> {
        self.event(Event::ClientGone { client: ClientId(client) })
    }

    pub(crate) fn said(&mut self, worker: u64, said: FromWorker) -> Vec<String> {
        self.event(Event::WorkerSaid { worker: WorkerId(worker), said })
    }

    pub(crate) fn ready(&mut self, worker: u64) -> Vec<String> {
        let pid = u32::try_from(worker).unwrap() + 100;
        let mut lines =
            self.event(Event::Spawned { worker: WorkerId(worker), pid, transport: Transport::Shm });
        lines.extend(self.said(worker, FromWorker::Ready));
        lines
    }

    pub(crate) fn started(&mut self, worker: u64, name: &str) -> Vec<String> {
        self.said(worker, FromWorker::Started { lease: lease(name) })
    }

    /// The right partial for a lease that was given.
    pub(crate) fn partial(&mut self, worker: u64, name: &str) -> Vec<String> {
        let said = self.right(name);
        self.said(worker, said)
    }

    pub(crate) fn right(&self, name: &str) -> FromWorker {
        let id = lease(name);
        let (position, count) = self.leases[&id];
        let kernel = &self.kernels[&id.job];
        let mut partial = Partial::identity(&kernel.reductions);
        for run in kernel.runs(position, count) {
            assert!(partial.absorb_progression(&run.first, &run.step, run.count, &mut |_| true));
        }
        FromWorker::Partial { lease: id, elements: count, busy_ns: 1_000, state: partial.to_bytes() }
    }

    pub(crate) fn cancelled(&mut self, worker: u64, name: &str) -> Vec<String> {
        self.said(worker, FromWorker::Cancelled { lease: lease(name) })
    }

    pub(crate) fn exited(&mut self, worker: u64, how: &str) -> Vec<String> {
        self.event(Event::WorkerExited {
            worker: WorkerId(worker),
            how: how.to_owned(),
            stderr: String::new(),
        })
    }

    /// The job as it would be shown.
    pub(crate) fn view(&self, job: u64) -> JobView {
        self.machine.view(self.machine.jobs.get(JobId(job)).unwrap())
    }

    pub(crate) fn view_status(&self) -> StatusView {
        self.machine.status()
    }

    /// The store takes a record.
    pub(crate) fn recorded(&mut self, ticket: u64) -> Vec<String> {
        for change in self.records.remove(&ticket).unwrap_or_default() {
            match change {
                Change::Put(table, key, bytes) => self.rows.insert((table, key), bytes),
                Change::Delete(table, key) => self.rows.remove(&(table, key)),
            };
        }
        self.event(Event::Recorded { ticket: Ticket(ticket) })
    }

    /// The store refuses a record.
    pub(crate) fn refused(&mut self, ticket: u64, why: &str) -> Vec<String> {
        self.event(Event::NotRecorded { ticket: Ticket(ticket), why: why.to_owned() })
    }

    /// What the store has.
    pub(crate) fn saved(&self) -> Saved {
        Saved::read(self.rows.iter().map(|(&(table, key), bytes)| (table, key, bytes.clone())))
    }

    /// The keys of a table of the store.
    pub(crate) fn rows(&self, table: Table) -> Vec<u64> {
        self.rows.keys().filter(|(of, _)| *of == table).map(|&(_, key)| key).collect()
    }

    /// The next supervisor upon the same store; its first actions are not taken.
    pub(crate) fn restarted(&self, settings: Settings) -> Self {
        let saved = self.saved();
        assert_eq!(saved.problems, Vec::<String>::new());
        let machine = Machine::restore(Moment(0), settings.clone(), saved);
        Self { machine, rows: self.rows.clone(), ..Self::new(Settings { durable: false, ..settings }) }
    }

    /// The states of all slots.
    pub(crate) fn workers(&self) -> Vec<String> {
        self.machine.workers().into_iter().map(|view| view.state).collect()
    }

    /// What a worker should fold now.
    pub(crate) fn first_lease(&self, worker: u64) -> Option<String> {
        let slot = self.machine.crew.slot_of(WorkerId(worker))?;
        let LeaseId { job, partition, attempt } = self.machine.crew.worker(slot)?.leases.front()?.lease;
        Some(format!("{job}/{partition}.{attempt}"))
    }

    /// For many jobs: the machine checks itself now and then only.
    pub(crate) fn submit_unchecked(&mut self, client: u64, request: JobRequest) -> Vec<String> {
        let request = Request::Submit(Box::new(request.check().unwrap()));
        self.machine.handle(self.now, Event::ClientSaid { client: ClientId(client), request, more: false });
        self.actions()
    }

    pub(crate) fn phase(&self) -> Phase {
        self.machine.phase()
    }
}

/// Reads `j1/0.2`: job 1, partition 0, attempt 2.
pub(crate) fn lease(name: &str) -> LeaseId {
    let (job, rest) = name.split_once('/').unwrap();
    let (partition, attempt) = rest.split_once('.').unwrap();
    LeaseId {
        job: job.parse().unwrap(),
        partition: PartitionId(partition.parse().unwrap()),
        attempt: Attempt(attempt.parse().unwrap()),
    }
}
