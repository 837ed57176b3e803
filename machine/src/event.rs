//! What can happen to a supervisor, as values.

use tally_protocol::answers::Answers;
use tally_protocol::control::Request;
use tally_protocol::error::Failure;
use tally_protocol::job::Transport;
use tally_protocol::locks::handover::HandedLocks;
use tally_protocol::objects::handover::HandedObjects;
use tally_protocol::settings::ReloadView;
use tally_protocol::work::FromWorker;
use tally_protocol::{ClientId, JobId, WorkerId};

use crate::action::Ticket;
use crate::permission::Who;
use crate::settings::Settings;

/// One thing that happened. The shell has already decoded it and knows that the sender is who it says.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A client connected. Comes before anything it says.
    ClientCame {
        /// The connection.
        client: ClientId,
        /// Who speaks over it, as the system says, and what it may do.
        who: Who,
    },
    /// A client made a request. A client has at most one unanswered request at a time: the shell keeps the next
    /// one back until the machine has answered with a last reply.
    ClientSaid {
        /// Who.
        client: ClientId,
        /// What.
        request: Request,
        /// Whether it reads several replies (`more`).
        more: bool,
    },
    /// A client has made another request while its last one, which may be answered early, is unanswered.
    ClientCalls {
        /// Who.
        client: ClientId,
    },
    /// A client hung up, or was hung up on. It gets no more replies.
    ClientGone {
        /// Who.
        client: ClientId,
    },
    /// The process of a worker exists now. The pid is for people only.
    Spawned {
        /// Which.
        worker: WorkerId,
        /// Its process.
        pid: u32,
        /// The link it really has: not always the one that was asked for.
        transport: Transport,
    },
    /// The process of a worker could not be started.
    SpawnFailed {
        /// Which.
        worker: WorkerId,
        /// Why, as a fragment after "could not".
        why: String,
    },
    /// What makes workers is gone. Those it was asked for did not come to be, through no fault of theirs; the next start
    /// makes another one.
    StarterLost {
        /// Whom it was asked for.
        workers: Vec<WorkerId>,
        /// How it went, as a fragment that stands alone.
        why: String,
    },
    /// A worker said something over its link.
    WorkerSaid {
        /// Which.
        worker: WorkerId,
        /// What.
        said: FromWorker,
    },
    /// A worker's link broke or lied: bytes that are no frame, indices out of range. The worker still lives.
    LinkBroken {
        /// Which.
        worker: WorkerId,
        /// How.
        why: String,
    },
    /// A worker's process ended, its link has been drained, nothing more will come from it.
    WorkerExited {
        /// Which.
        worker: WorkerId,
        /// "exited with status 3", "killed by SIGKILL".
        how: String,
        /// Tail of its standard error; may be empty.
        stderr: String,
    },
    /// SIGTERM or SIGINT came. The first drains, the second stops at once.
    StopRequested,
    /// SIGQUIT came, or the one client of a private supervisor is gone: stop at once.
    StopNow,
    /// The store has these changes, and they survive a loss of power.
    Recorded {
        /// Which.
        ticket: Ticket,
    },
    /// The store has none of these changes and will not have them.
    NotRecorded {
        /// Which.
        ticket: Ticket,
        /// Why, as a fragment that stands alone: "no space left on device".
        why: String,
    },
    /// The answer to `Action::Conclude`.
    Concluded {
        /// Whose answers.
        job: JobId,
        /// That of the action.
        number: u64,
        /// They, or why there are none.
        answers: Box<Result<Answers, Failure>>,
    },
    /// The answer to `Action::Reload`. New settings come as `Reload`, before it.
    Reloaded {
        /// Who asked.
        client: ClientId,
        /// What has changed, or why nothing has.
        result: Result<ReloadView, Failure>,
    },
    /// A new configuration was read.
    Reload(Box<Settings>),
    /// When this machine has stopped, another program of the same process goes on with the locks, or not.
    HandingOver {
        /// Whether it does.
        locks: bool,
    },
    /// This machine goes on with the locks of another program, whose connections have come already (`ClientCame`).
    TakingOver(Box<HandedLocks>),
    /// And with its objects that are in no store.
    TakingOverObjects(Box<HandedObjects>),
}
