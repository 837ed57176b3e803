//! What the machine wants done, as values. Performing one never fails into the machine directly: failures come back
//! as events.

use tally_protocol::control::Reply;
use tally_protocol::job::{StartMethod, Transport};
use tally_protocol::record::Change;
use tally_protocol::work::ToWorker;
use tally_protocol::{ClientId, JobId, SlotId, WorkerId};
use tally_reduce::Tally;

/// How a worker process is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Profile {
    /// Its link.
    pub transport: Transport,
    /// How it is started.
    pub start: StartMethod,
    /// Niceness it sets for itself.
    pub nice: i32,
    /// Bytes of address space it allows itself.
    pub memory_limit_bytes: Option<u64>,
    /// The only job it serves: it has that one's command answer.
    pub job: Option<JobId>,
}

/// How to end a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Blow {
    /// SIGTERM. Workers end at once on it.
    Term,
    /// SIGKILL.
    Kill,
}

/// The name of one list of changes to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// One thing to do, in the order given.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum Action {
    /// Start a process; answered by `Spawned`, `SpawnFailed` or `StarterLost`.
    Spawn {
        /// Its name from now on.
        worker: WorkerId,
        /// The slot it fills.
        slot: SlotId,
        /// How to make it.
        profile: Profile,
    },
    /// Say something to a worker that has said `Ready`.
    Send {
        /// To whom.
        worker: WorkerId,
        /// What.
        message: ToWorker,
    },
    /// End a worker's process; answered by `WorkerExited`. A worker whose process does not exist yet is given up by
    /// the shell: answered by `SpawnFailed` or `StarterLost`.
    Signal {
        /// Whom.
        worker: WorkerId,
        /// How.
        blow: Blow,
    },
    /// Answer a client's request.
    Reply {
        /// Whom.
        client: ClientId,
        /// What.
        reply: Reply,
        /// Whether more replies to the same request follow.
        continues: bool,
    },
    /// Read the configuration again; answered by `Reload`, where it is good, and then by `Reloaded`.
    Reload {
        /// Who asked.
        client: ClientId,
    },
    /// Answer this client's request with the settings in force: the machine does not know where they come from.
    Config {
        /// Whom.
        client: ClientId,
    },
    /// Answer this client's request with the metrics: `Machine::figures` has the machine's part.
    Metrics {
        /// Whom.
        client: ClientId,
    },
    /// Answer this client's request for another program in this one's place: now with why not, or once that program has
    /// shown that it can. If it can, a request to stop follows.
    Upgrade {
        /// Whom.
        client: ClientId,
        /// Which program; the one that is installed now, when absent.
        binary: Option<String>,
    },
    /// Write changes to the store: all of them or none, and after those of earlier tickets. Answered by `Recorded` once
    /// they survive a loss of power, or by `NotRecorded`. Never given unless `Settings::durable`.
    Record {
        /// What the answer names.
        ticket: Ticket,
        /// What changes, in this order.
        changes: Vec<Change>,
    },
    /// Work out the answers of a job, which takes long, beside everything else; answered by `Concluded`. What it is worked
    /// out from is all of the job.
    Conclude {
        /// Which.
        job: JobId,
        /// What the answer names.
        number: u64,
        /// All that was folded.
        partial: Box<Tally>,
        /// Whether variances are of a population.
        population: bool,
    },
    /// End the process: no job runs, every worker is gone, and no record is outstanding. Always the last action.
    Exit,
}
