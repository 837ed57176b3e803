//! The decisions of the supervisor: events in, actions out, time passed in.
//!
//! Pure. No descriptor, path, clock, thread or random number; ordered collections only, so that equal event lists
//! give equal action lists. What the system does is done by crate supervisor, which feeds events and performs actions.
//!
//! Where to go next: `requests` (what clients ask), `words` (what workers say), `schedule` (who gets which partition
//! next), `lease` (what a lease goes through), `staff` (which workers are started and ended), `deaths` (what a death
//! costs, and whom), `finish` (how a job ends),
//! `locks` (named locks and semaphores), `objects` (what clients share),
//! `started` (jobs that a client starts and hears of one by one), `ledger` (what survives the supervisor),
//! `restore` (how the next one goes on), `permission` (who may do what), `check` (what must always hold), `sim` (the seeded worlds it is tested
//! in).
#![forbid(unsafe_code)]

pub mod action;
mod check;
mod clients;
mod coverage;
mod crew;
mod deadline;
mod deaths;
mod dump;
mod ends;
mod environments;
pub mod event;
mod explain;
pub mod figures;
mod finish;
mod history;
mod job;
mod jobs;
mod lease;
mod ledger;
mod locks;
mod memory;
pub mod moment;
mod objects;
mod pace;
mod partition;
pub mod permission;
pub mod phase;
mod relief;
mod requests;
mod restore;
mod schedule;
pub mod settings;
mod staff;
mod started;
mod starter;
mod stop;
mod top;
mod views;
mod vitals;
mod words;
mod worker;

#[cfg(any(test, feature = "sim"))]
pub mod sim;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tally_protocol::{ClientId, SlotId};

pub use action::Action;
pub use ends::JobEnd;
pub use event::Event;
pub use memory::Fullest;
pub use moment::Moment;
pub use permission::{Rights, Who};
pub use phase::Phase;
pub use settings::Settings;
pub use vitals::Vitals;

use action::Profile;
use clients::Client;
use crew::Crew;
use deadline::{Alarm, Alarms};
use deaths::Drought;
use figures::Figures;
use jobs::Jobs;
use ledger::Ledger;
use locks::{Fences, Locks};
use objects::Objects;
use schedule::Queue;
use starter::Starter;

/// The supervisor's state. Feed it events, perform its actions, wake it at its deadline.
#[derive(Clone, Debug)]
pub struct Machine {
    now: Moment,
    settings: Settings,
    phase: Phase,
    jobs: Jobs,
    /// Jobs that want workers, in the order in which they get them.
    queue: Queue,
    crew: Crew,
    clients: BTreeMap<ClientId, Client>,
    /// What is under way to the store.
    ledger: Ledger,
    locks: Locks,
    /// Another program of this process will go on with connections that hold or wait for locks.
    handing_over: bool,
    /// What clients share.
    objects: Objects,
    alarms: Alarms,
    actions: VecDeque<Action>,
    /// Starts that failed in a row, by kind of worker.
    droughts: BTreeMap<Profile, Drought>,
    /// How forkservers have fared.
    starter: Starter,
    random: u64,
    late: u64,
    restarts: u64,
    /// How often answers were to be worked out beside everything else.
    conclusions: u64,
    figures: Figures,
    /// Ends of jobs that the shell has not asked for.
    ends: Vec<ends::JobEnd>,
    /// Sets of files that the shell may close.
    released: Vec<u64>,
    /// Recorded jobs with files that the shell has not asked for.
    filed: Vec<(tally_protocol::JobId, u64)>,
    /// Slots whose worker may want another lease; looked at when the event has been taken in.
    stirred: BTreeSet<SlotId>,
    /// New pieces wait that any worker may take.
    feed: bool,
    /// A worker found nothing to do: perhaps another one holds too much.
    prowl: bool,
    /// There may be more ended jobs than are remembered.
    crowded: bool,
    /// Events since the last check.
    #[cfg(any(debug_assertions, test))]
    unchecked: u64,
}

impl Machine {
    /// A supervisor without jobs and clients. An eager one starts its workers at once: its first actions are ready.
    #[must_use]
    pub fn new(now: Moment, settings: Settings) -> Self {
        let mut machine = Self::bare(now, settings);
        machine.settle();
        machine
    }

    fn bare(now: Moment, settings: Settings) -> Self {
        let mut machine = Self {
            now,
            phase: Phase::Running,
            jobs: Jobs::default(),
            queue: Queue::default(),
            crew: Crew::default(),
            clients: BTreeMap::new(),
            ledger: Ledger::new(1),
            locks: Locks::new(Fences::new(0, settings.wall_ms(now), settings.durable)),
            handing_over: false,
            objects: Objects::new(settings.wall_ms_at_zero, settings.durable),
            alarms: Alarms::default(),
            actions: VecDeque::new(),
            droughts: BTreeMap::new(),
            starter: Starter::default(),
            random: settings.seed,
            late: 0,
            restarts: 0,
            conclusions: 0,
            figures: Figures::default(),
            ends: Vec::new(),
            released: Vec::new(),
            filed: Vec::new(),
            stirred: BTreeSet::new(),
            feed: false,
            prowl: false,
            crowded: false,
            #[cfg(any(debug_assertions, test))]
            unchecked: 0,
            settings,
        };
        machine.crew.grow(machine.settings.slots);
        machine
    }

    /// Takes in one event. `now` never goes back.
    pub fn handle(&mut self, now: Moment, event: Event) {
        self.now = self.now.max(now);
        match self.phase {
            Phase::Running | Phase::Draining { .. } | Phase::Stopping => {
                self.take_in(event);
                self.settle();
            }
            Phase::Stopped => {}
        }
    }

    fn take_in(&mut self, event: Event) {
        match event {
            Event::ClientCame { client, who } => self.client_came(client, who),
            Event::ClientSaid { client, request, more } => self.client_said(client, request, more),
            Event::ClientCalls { client } => self.client_calls(client),
            Event::ClientGone { client } => self.client_gone(client),
            Event::Spawned { worker, pid, transport } => self.spawned(worker, pid, transport),
            Event::SpawnFailed { worker, why } => {
                self.worker_gone(worker, &format!("could not {why}"), String::new());
            }
            Event::StarterLost { workers, why } => self.starter_lost(&workers, &why),
            Event::WorkerSaid { worker, said } => self.worker_said(worker, said),
            Event::LinkBroken { worker, why } => self.link_broken(worker, &why),
            Event::WorkerExited { worker, how, stderr } => self.worker_gone(worker, &how, stderr),
            Event::StopRequested => self.stop_requested(),
            Event::StopNow => self.stop_now(false),
            Event::Recorded { ticket } => self.recorded(ticket),
            Event::NotRecorded { ticket, why } => self.not_recorded(ticket, &why),
            Event::Concluded { job, number, answers } => self.concluded(job, number, *answers),
            Event::Reloaded { client, result } => self.reloaded(client, result),
            Event::Reload(settings) => self.reload(*settings),
            Event::HandingOver { locks } => self.hand_over(locks),
            Event::TakingOver(handed) => self.take_over_locks(*handed),
            Event::TakingOverObjects(handed) => self.take_over_objects(*handed),
        }
    }

    /// Does everything that was due at `now` or before.
    pub fn handle_timeout(&mut self, now: Moment) {
        self.now = self.now.max(now);
        while let Some(alarm) = self.alarms.take_due(self.now) {
            match alarm {
                Alarm::Drain => self.drained_too_long(),
                Alarm::Slot(slot) => self.slot_due(slot),
                Alarm::Starter => self.starter_due(),
                Alarm::Job(job) => self.job_due(job),
                Alarm::Progress(client) => self.progress_due(client),
                Alarm::Record(job) => self.record_due(job),
                Alarm::Store => self.store_due(),
                Alarm::Forget => self.crowded = true,
                Alarm::Relief => self.relieve(),
                Alarm::Locks => self.locks_due(),
                Alarm::Object(alarm) => self.object_due(alarm),
            }
            self.settle();
        }
    }

    /// What the last event has led to: gives leases, starts and ends workers, ends the process.
    fn settle(&mut self) {
        if self.phase.works() {
            self.give_leases();
            self.staff();
            self.end_relief();
            self.watch_for_relief();
        }
        self.stirred.clear();
        self.feed = false;
        self.prowl = false;
        self.advance_phase();
        // Not before all who are to hear of an end have been told.
        if std::mem::take(&mut self.crowded) {
            self.forget();
        }
        self.keep_books();
        self.exit_when_done();
        #[cfg(any(debug_assertions, test))]
        self.check_now_and_then();
    }

    /// The next thing to do. Drain it after each event and timeout, and once after `new`.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When `handle_timeout` must be called; `None` while nothing has a deadline. It may be a little early.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        self.alarms.next()
    }

    /// Where the supervisor is in its life.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Forgets ended jobs that are too many or too old.
    fn forget(&mut self) {
        let wall_ms = self.settings.wall_ms(self.now);
        let age = self.settings.jobs_ended_age.map(moment::Span::as_ms);
        let before_ms = age.and_then(|age| wall_ms.checked_sub(age));
        let gone = self.jobs.forget(self.settings.jobs_ended_max, before_ms);
        self.forgotten(gone);
        self.alarms.clear(Alarm::Forget);
        if let Some((end, age)) = self.jobs.oldest_end_ms().zip(age) {
            let due = self.settings.moment_of(end.saturating_add(age));
            self.alarms.set(Alarm::Forget, due);
        }
    }

    fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    /// A number nobody depends on, from the seed: for jitter.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.random;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }
}
