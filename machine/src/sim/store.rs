//! The simulated store, and daemons that are killed and started again upon what it has.
//!
//! Records are applied in their order, each as a whole, some time after they were asked for; the news of it comes later
//! still. A store refuses now and then, and is full for a while. When the daemon is killed, what was applied stays; all
//! else, processes and connections too, is gone.

use std::collections::{BTreeMap, BTreeSet};

use tally_protocol::control::{Reply, Request};
use tally_protocol::job::JobState;
use tally_protocol::record::{Change, Saved, Table};
use tally_protocol::view::JobView;
use tally_protocol::{ClientId, JobId};

use super::world::{Happening, World};
use crate::action::Ticket;
use crate::coverage::Coverage;
use crate::event::Event;
use crate::job::State;
use crate::moment::{Moment, Span};
use crate::{Machine, Settings};

/// A store and what is known of what must be in it.
#[derive(Debug, Default)]
pub(super) struct Store {
    rows: BTreeMap<(Table, u64), Vec<u8>>,
    /// When the last record asked for is applied; the next one not before.
    busy_until: Moment,
    /// Jobs that a client was told are there.
    acknowledged: BTreeSet<JobId>,
    /// Jobs whose end was ever applied.
    ended: BTreeSet<JobId>,
    /// Jobs somebody wanted to go on after their end.
    retried: BTreeSet<JobId>,
    /// Jobs that a client was told are paused.
    paused: BTreeSet<JobId>,
    /// What was covered when the daemon was last started.
    recovered: BTreeMap<JobId, Coverage>,
    /// Sources of each job ever shown.
    shown: BTreeMap<JobId, Vec<String>>,
    /// A record was refused, so that attached jobs may have had ids that are not reserved.
    pub(super) refused: bool,
}

impl World {
    /// The machine's own time.
    pub(super) fn clock(&self) -> Moment {
        Moment(self.now.0.saturating_sub(self.zero.0))
    }

    /// A record is asked for: it will be applied, or refused.
    pub(super) fn record(&mut self, ticket: Ticket, changes: Vec<Change>) {
        if !self.scenario.settings.durable {
            return self.fail("a record is asked for and there is no store".to_owned());
        }
        let wait = Span(self.rng.below(self.scenario.store.delay.0) + 1);
        let at = self.now.max(self.store.busy_until) + wait;
        self.store.busy_until = at;
        self.plan(at, Happening::Apply(ticket, changes));
    }

    /// A record comes to the store.
    pub(super) fn apply(&mut self, ticket: Ticket, changes: Vec<Change>) {
        let full = self.scenario.store.full.is_some_and(|(from, to)| from <= self.now && self.now < to);
        let refused = full || (self.now < self.scenario.calm && self.rng.chance(self.scenario.store.refuses));
        let news = if refused {
            self.store.refused = true;
            Event::NotRecorded { ticket, why: "no space left on device".to_owned() }
        } else {
            changes.into_iter().for_each(|change| self.change(change));
            Event::Recorded { ticket }
        };
        let at = self.now + Span(self.rng.below(self.scenario.store.delay.0) + 1);
        self.store.busy_until = self.store.busy_until.max(at);
        self.plan(at, Happening::ToMachine(news));
    }

    fn change(&mut self, change: Change) {
        match change {
            Change::Put(table, key, bytes) => {
                let before = self.store.rows.insert((table, key), bytes);
                if table == Table::Outcomes {
                    self.store.ended.insert(JobId(key));
                    if before.is_some() {
                        self.fail(format!("the end of j{key} is recorded twice"));
                    }
                }
            }
            Change::Delete(table, key) => {
                let open = !self.store.rows.contains_key(&(Table::Outcomes, key));
                if table == Table::Jobs && open {
                    self.fail(format!("j{key} is forgotten and has not ended"));
                }
                // Forgetting deletes the job first.
                let forgotten = !self.store.rows.contains_key(&(Table::Jobs, key));
                if table == Table::Outcomes && !forgotten && !self.store.retried.contains(&JobId(key)) {
                    self.fail(format!("the end of j{key} is taken back unasked"));
                }
                self.store.rows.remove(&(table, key));
            }
        }
    }

    /// A request is made that may change what must be in the store.
    pub(super) fn expect_changes(&mut self, request: &Request) {
        match request {
            Request::Retry(job) => {
                self.store.retried.insert(*job);
                self.store.paused.remove(job);
            }
            Request::Resume(job) => {
                self.store.paused.remove(job);
            }
            Request::Cancel { all: true, .. } => self.store.paused.clear(),
            Request::Cancel { jobs, .. } => jobs.iter().for_each(|job| {
                self.store.paused.remove(job);
            }),
            _ => {}
        }
    }

    /// What a client is told must be in the store already.
    pub(super) fn judge_told(&mut self, request: &Request, reply: &Reply) {
        if !self.scenario.settings.durable {
            return;
        }
        let Reply::Job(view) = reply else { return };
        if matches!(request, Request::Submit(spec) if spec.request.detach) {
            self.store.acknowledged.insert(view.job);
            if !self.store.rows.contains_key(&(Table::Jobs, view.job.0))
                && !self.store.ended.contains(&view.job)
            {
                self.fail(format!("{} is acknowledged and not recorded", view.job));
            }
        }
        if matches!(request, Request::Pause(_)) && view.state == JobState::Paused && view.detached {
            self.store.paused.insert(view.job);
        }
    }

    /// An end that is shown must have been applied, unless the store refuses it; no id is shown for two jobs.
    pub(super) fn judge_stored(&mut self, view: &JobView) {
        let shown = self.store.shown.entry(view.job).or_insert_with(|| view.sources.clone());
        if *shown != view.sources {
            // Ids that the store would not reserve were given to attached jobs all the same.
            if !self.store.refused {
                return self.fail(format!("{} is two jobs", view.job));
            }
            shown.clone_from(&view.sources);
            self.answers.remove(&view.job);
        }
        let kept = self.scenario.settings.durable
            && self.machine.jobs.get(view.job).is_some_and(|job| job.paper.kept);
        if kept && view.state.is_over() && view.stored != Some(false) {
            let recorded = self.store.rows.contains_key(&(Table::Outcomes, view.job.0));
            // A stop that could not wait says so to those who asked; others are told what is.
            if !recorded && self.machine.records() {
                self.fail(format!("{} is shown as {} and that is not recorded", view.job, view.state));
            }
        }
    }

    /// What was covered when the daemon started is not folded again.
    pub(super) fn judge_new_work(&mut self, job: JobId, position: u64, count: u64) {
        if self.store.recovered.get(&job).is_some_and(|covered| !covered.is_free(position, count)) {
            self.fail(format!("{job} folds {position}+{count}, which the store has"));
        }
    }

    /// The daemon is gone at once, with all its processes and connections.
    pub(super) fn kill_daemon(&mut self) {
        if !self.scenario.settings.durable {
            return;
        }
        self.lose_all();
        self.start_again();
    }

    /// Nothing that was under way arrives any more.
    fn lose_all(&mut self) {
        self.plans.retain(|_, plan| matches!(plan, Happening::Caller(_) | Happening::Operator(_)));
        self.processes.clear();
        self.leases.clear();
        self.store.busy_until = self.now;
    }

    /// The daemon ended in good order while others still want something of it.
    pub(super) fn start_later(&mut self) {
        self.lose_all();
        let at = self.now + Span(self.rng.below(5_000_000));
        self.plan(at, Happening::Start);
    }

    /// A daemon starts upon what the store has.
    pub(super) fn start_again(&mut self) {
        self.exited = false;
        self.stops = 0;
        self.zero = self.now;
        let saved = Saved::read(self.store.rows.iter().map(|(&(table, key), row)| (table, key, row.clone())));
        if let Some(problem) = saved.problems.first() {
            self.fail(problem.clone());
        }
        self.store.recovered.clear();
        for saved in saved.jobs.iter().filter(|saved| saved.ended.is_none()) {
            let mut covered = Coverage::default();
            for &(position, count) in saved.progress.iter().flat_map(|progress| &progress.covered) {
                covered.add(position, count);
            }
            self.store.recovered.insert(saved.job, covered);
        }
        let wall_ms_at_zero = self.scenario.wall_ms + self.zero.0 / 1_000_000;
        let settings = Settings { wall_ms_at_zero, ..self.scenario.settings.clone() };
        self.slots_most = self.slots_most.max(settings.slots);
        self.machine = Machine::restore(Moment(0), settings, saved);
        // Those of attached jobs are nobody's any more.
        let store = &self.store;
        self.answers.retain(|job, _| store.ended.contains(job));
        self.judge_start();
        self.after_event();
        let clients: Vec<ClientId> = self.callers.keys().copied().collect();
        for client in clients {
            if let Some(caller) = self.callers.get_mut(&client) {
                caller.asked = None;
                caller.announced = false;
                if let Some(starter) = &mut caller.starter {
                    starter.under_way.clear();
                }
                self.plan(self.now, Happening::Caller(client));
            }
        }
    }

    fn judge_start(&mut self) {
        for id in self.store.paused.clone() {
            let Some(job) = self.machine.jobs.get(id).filter(|job| job.is_open()) else { continue };
            if job.state != State::Paused {
                self.fail(format!("{id} was paused and goes on by itself"));
            }
        }
        for id in self.store.acknowledged.clone() {
            let known = self.machine.jobs.get(id).is_some();
            if !known && !self.store.ended.contains(&id) {
                self.fail(format!("{id} was acknowledged and is lost"));
            }
        }
    }

    /// Every job that was acknowledged has ended, and the store knows.
    pub(super) fn judge_acknowledged(&self) -> Result<(), String> {
        match self.store.acknowledged.iter().find(|id| !self.store.ended.contains(id)) {
            Some(id) => Err(format!("{id} was acknowledged and has not ended")),
            None => Ok(()),
        }
    }
}
