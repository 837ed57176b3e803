//! What the store is told, and who waits until it knows.
//!
//! | what happened to a recorded job | who waits for the store                  | when the store refuses            |
//! |---------------------------------|------------------------------------------|-----------------------------------|
//! | submitted                       | its client; the job is not there before  | refused, and there is no such job |
//! | a partition was accepted        | nobody                                   | offered again                     |
//! | paused, resumed, retried        | the client that asked                    | refused, though it holds for now  |
//! | ended                           | all who wait for its end                 | told all the same; offered again  |
//! | forgotten                       | nobody                                   | offered again                     |
//!
//! A job has one record outstanding at the most; what happens meanwhile goes into the next one, which always holds the
//! job as it is then. A store that refuses is tried with one record a second until it takes one.

mod arrivals;
mod closing;
mod ids;
mod news;
mod paper;

use std::collections::{BTreeMap, BTreeSet};

use tally_protocol::JobId;
use tally_protocol::record::{Change, Record};

use crate::Machine;
use crate::action::{Action, Ticket};
use crate::deadline::Alarm;
use crate::moment::Span;
use arrivals::Arrival;
pub(crate) use paper::{News, Paper};

/// Pause between two tries of a store that refuses.
const AGAIN: Span = Span::ms(1_000);

/// All that is under way between the machine and the store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    tickets: u64,
    /// Records the store has not answered.
    open: BTreeMap<Ticket, Entry>,
    /// Submissions that wait for their record.
    arriving: BTreeMap<JobId, Arrival>,
    /// Job ids below this one can be given out: the store knows that they may have been.
    reserved: u64,
    /// The same, once all that was asked is recorded.
    asked: u64,
    /// Doublings of the ids that are reserved ahead.
    haste: u32,
    /// Jobs with news to look at.
    inky: BTreeSet<JobId>,
    /// Jobs with news that wait for the store to be well again.
    held: BTreeSet<JobId>,
    /// Jobs that are gone here and not there.
    gone: BTreeSet<JobId>,
    /// Why the store refused the last record.
    pub(crate) failing: Option<String>,
    /// Nobody waits for the store any more.
    abandoned: bool,
    /// Records it has taken.
    pub(crate) taken: u64,
    /// Records it has refused.
    pub(crate) refused: u64,
}

/// What a record is about.
#[derive(Clone, Debug)]
enum Entry {
    /// A submission, and perhaps ids up to this one.
    Arrival(JobId, Option<u64>),
    /// The news of a job.
    Job(JobId),
    /// Ids up to this one.
    Ids(u64),
    /// Fencing numbers up to this one.
    Fences(u64),
    /// Jobs that are gone.
    Gone(BTreeSet<JobId>),
    /// A batch of the objects'.
    Objects(u64),
}

impl Entry {
    /// The job whose news it is.
    fn job(&self) -> Option<JobId> {
        match self {
            Self::Job(id) => Some(*id),
            Self::Arrival(..) | Self::Ids(_) | Self::Fences(_) | Self::Gone(_) | Self::Objects(_) => None,
        }
    }
}

impl Ledger {
    /// Nothing is under way; job ids below this one can be given out.
    pub(crate) fn new(reserved: u64) -> Self {
        Self { reserved, asked: reserved, ..Self::default() }
    }

    /// Jobs whose newest state the store has refused.
    pub(crate) fn held_count(&self) -> u64 {
        self.held.len() as u64
    }

    /// Whether the store has answered everything.
    pub(crate) fn is_quiet(&self) -> bool {
        self.open.is_empty() && self.inky.is_empty()
    }
}

impl Machine {
    /// Whether what happens is recorded.
    pub(crate) fn records(&self) -> bool {
        self.settings.durable && !self.ledger.abandoned
    }

    fn record(&mut self, entry: Entry, records: &[Record]) -> u64 {
        self.entrust(entry, records.iter().flat_map(Record::changes).collect())
    }

    /// Writes down what the objects want written.
    pub(crate) fn record_objects(&mut self, batch: u64, changes: Vec<Change>) {
        self.entrust(Entry::Objects(batch), changes);
    }

    fn entrust(&mut self, entry: Entry, changes: Vec<Change>) -> u64 {
        let bytes = changes.iter().map(|change| match change {
            Change::Put(_, _, bytes) => bytes.len() as u64,
            Change::Delete(..) => 0,
        });
        let bytes = bytes.sum();
        self.ledger.tickets += 1;
        let ticket = Ticket(self.ledger.tickets);
        self.ledger.open.insert(ticket, entry);
        self.act(Action::Record { ticket, changes });
        bytes
    }

    /// The store has a record.
    pub(crate) fn recorded(&mut self, ticket: Ticket) {
        let Some(entry) = self.ledger.open.remove(&ticket) else { return };
        self.ledger.taken += 1;
        if self.ledger.failing.take().is_some() {
            self.alarms.clear(Alarm::Store);
            let mut held = std::mem::take(&mut self.ledger.held);
            self.ledger.inky.append(&mut held);
        }
        match entry {
            Entry::Arrival(job, ids) => {
                self.ledger.reserved = self.ledger.reserved.max(ids.unwrap_or(0));
                self.arrived(job);
            }
            Entry::Ids(to) => self.ledger.reserved = self.ledger.reserved.max(to),
            Entry::Fences(to) => self.fences_reserved(to),
            Entry::Job(job) => self.written(job, Ok(())),
            Entry::Objects(batch) => self.objects_written(batch, Ok(())),
            Entry::Gone(_) => {}
        }
    }

    /// The store has refused a record.
    pub(crate) fn not_recorded(&mut self, ticket: Ticket, why: &str) {
        let Some(entry) = self.ledger.open.remove(&ticket) else { return };
        self.ledger.refused += 1;
        self.ledger.failing = Some(why.to_owned());
        self.alarms.set(Alarm::Store, self.now + AGAIN);
        match entry {
            Entry::Arrival(job, _) => {
                self.recount_ids();
                self.not_arrived(job, why);
            }
            Entry::Ids(_) => self.recount_ids(),
            Entry::Fences(to) => self.fences_reserved(to),
            Entry::Job(job) => self.written(job, Err(why)),
            Entry::Objects(batch) => self.objects_written(batch, Err(why)),
            Entry::Gone(mut jobs) => self.ledger.gone.append(&mut jobs),
        }
    }

    /// It is time to try a store that refuses.
    pub(crate) fn store_due(&mut self) {
        if self.ledger.failing.is_none() || !self.records() {
            return;
        }
        if let Some(id) = self.ledger.held.pop_first() {
            self.write_down(id);
        } else if !self.ledger.gone.is_empty() {
            self.write_forgotten();
        } else if self.lacks_ids() {
            self.write_ids();
        } else {
            // Nobody needs it: the next one who does will see.
            self.ledger.failing = None;
        }
    }

    /// Writes down what is due.
    pub(crate) fn keep_books(&mut self) {
        if !self.records() {
            self.ledger.inky.clear();
            return;
        }
        while let Some(id) = self.ledger.inky.pop_first() {
            self.look_at_news(id);
        }
        if self.ledger.failing.is_some() {
            if !self.ledger.gone.is_empty() {
                self.alarms.no_later(Alarm::Store, self.now + AGAIN);
            }
        } else {
            while !self.ledger.gone.is_empty() {
                self.write_forgotten();
            }
            if self.phase.works() && self.lacks_ids() {
                self.write_ids();
            }
        }
    }
}
