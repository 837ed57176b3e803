//! Who a client is and what it may do. Every request is judged here, before anything else is done about it.
//!
//! | request                                          | own rights    | read          | operate |
//! |--------------------------------------------------|---------------|---------------|---------|
//! | Hello, Ping, Status, Workers, Top, Config, Metrics | yes           | yes           | yes     |
//! | Next                                             | its own       | its own       | its own |
//! | Submit, Start (***)                              | within limits | within limits | yes     |
//! | Acquire                                          | within limits | within limits | yes     |
//! | Release                                          | its own       | its own       | its own |
//! | Locks, Deadlocks (**)                            | yes           | yes           | yes     |
//! | Jobs                                             | lists its own | yes           | yes     |
//! | Show, Explain, Wait, Result, Follow              | its own       | yes           | yes     |
//! | Cancel, Pause, Resume, Retry, Reprioritize (*)   | its own       | its own       | yes     |
//! | Cancel of all                                    | all its own   | all its own   | all     |
//! | Reload, Drain, Stop, Upgrade, Dump               | no            | no            | yes     |
//! | Operate, Transact, WatchObject, RemoveObject     | by the object | sees          | yes     |
//! | Objects                                          | lists those it may see | yes  | yes     |
//!
//! (*) A retry is within limits, as a submission is.
//! (**) Without the command lines of other users, but for readers and operators.
//! (***) With a command, only of the supervisor's own user, unless that is root.
//!
//! A job that a client may not see is to it as if it were not there. The limits are those of one user; root has none.

use tally_protocol::control::{Reply, Request};
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::job::JobSpec;
use tally_protocol::{ClientId, JobId};

use crate::Machine;
use crate::clients::Client;
use crate::job::Job;

/// Whom a connection belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    /// The user, as the system says.
    pub uid: u32,
    /// What that user may do here.
    pub rights: Rights,
}

/// What a client may do. Each includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rights {
    /// Its own jobs; nothing is known of others'.
    Own,
    /// It sees the jobs of others, too.
    Read,
    /// Everything: others' jobs, stop, drain, reload.
    Operate,
}

impl Rights {
    /// The word that people read.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Read => "read",
            Self::Operate => "operate",
        }
    }
}

impl Who {
    /// Whether it may know of a job.
    pub(crate) fn sees(self, job: &Job) -> bool {
        job.uid == self.uid || self.rights >= Rights::Read
    }

    /// Whether it may do something to a job.
    pub(crate) fn changes(self, job: &Job) -> bool {
        job.uid == self.uid || self.rights >= Rights::Operate
    }
}

impl Machine {
    /// A client connected.
    pub(crate) fn client_came(&mut self, client: ClientId, who: Who) {
        self.clients.entry(client).or_insert_with(|| Client::new(who));
    }

    /// Who a client is that was not announced.
    pub(crate) fn nobody(&self) -> Who {
        let rights = if self.settings.trusting { Rights::Operate } else { Rights::Own };
        Who { uid: self.settings.identity.uid, rights }
    }

    /// Whether a client may ask for this.
    pub(crate) fn permit(&self, who: Who, request: &Request) -> Result<(), Failure> {
        match request {
            Request::Hello(_)
            | Request::Ping
            | Request::Status
            | Request::Workers
            | Request::Top(_)
            | Request::Config
            | Request::Metrics
            | Request::Lock(_)
            | Request::Object(_)
            | Request::Jobs { .. }
            | Request::Next
            | Request::Cancel { all: true, .. } => Ok(()),
            Request::Submit(spec) | Request::Start(spec) => {
                self.may_run(who, spec)?;
                self.has_room_for(who)
            }
            Request::Show(job)
            | Request::ShowHistory(job)
            | Request::Explain(job)
            | Request::Result(job)
            | Request::Follow(job) => self.may_see(who, *job),
            Request::Wait(jobs) => jobs.iter().try_for_each(|&job| self.may_see(who, job)),
            Request::Cancel { jobs, all: false } => {
                jobs.iter().try_for_each(|&job| self.may_change(who, job))
            }
            Request::Pause(job) | Request::Resume(job) | Request::Reprioritize { job, .. } => {
                self.may_change(who, *job)
            }
            Request::Retry(job) => {
                self.may_change(who, *job)?;
                self.has_room_for(who)
            }
            Request::Reload => may_operate(who, "reload the configuration"),
            Request::Drain => may_operate(who, "drain the daemon"),
            Request::Stop { .. } => may_operate(who, "stop the daemon"),
            Request::Upgrade { .. } => may_operate(who, "upgrade the daemon"),
            Request::Dump => may_operate(who, "dump the state of the daemon"),
        }
    }

    fn may_see(&self, who: Who, id: JobId) -> Result<(), Failure> {
        match self.jobs.get(id) {
            Some(job) if !who.sees(job) => Err(no_such_job(id)),
            Some(_) | None => Ok(()),
        }
    }

    fn may_change(&self, who: Who, id: JobId) -> Result<(), Failure> {
        self.may_see(who, id)?;
        match self.jobs.get(id) {
            Some(job) if !who.changes(job) => {
                let why =
                    format!("not permitted: {id} is a job of user {}, you are user {}", job.uid, who.uid);
                Err(Failure::new(ErrorCode::NotPermitted, why))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A command runs as its user: root's supervisor can see to that, any other runs those of its own user only.
    fn may_run(&self, who: Who, spec: &JobSpec) -> Result<(), Failure> {
        let own = self.settings.identity.uid;
        if spec.kernel.command.is_none() || own == 0 || own == who.uid {
            return Ok(());
        }
        let why = format!("not permitted: the daemon is user {own} and runs no command of user {}", who.uid);
        let hint =
            "a daemon of root's runs commands as whoever submits them; one of your own, or none, runs yours";
        Err(Failure::new(ErrorCode::NotPermitted, why).hint(hint))
    }

    /// Whether this user may have one more open job.
    fn has_room_for(&self, who: Who) -> Result<(), Failure> {
        if who.uid == 0 || who.rights == Rights::Operate {
            return Ok(());
        }
        let most = self.settings.jobs_open_per_user_max;
        let open = self.jobs.count_of(who.uid) + self.ledger.arriving_of(who.uid);
        if open < most {
            return Ok(());
        }
        let why =
            format!("could not take one more job of user {}: {open} are open, the most is {most}", who.uid);
        Err(Failure::new(ErrorCode::TooMany, why).hint("wait for some to end, or cancel some"))
    }

    /// Who a client is that has come.
    pub(crate) fn who(&self, client: ClientId) -> Who {
        self.clients.get(&client).map_or_else(|| self.nobody(), |known| known.who)
    }

    /// Answers that there is no such job.
    pub(crate) fn refuse_missing(&mut self, client: ClientId, id: JobId) {
        self.answer(client, Reply::Refused(no_such_job(id)));
    }
}

fn no_such_job(id: JobId) -> Failure {
    let failure = Failure::new(ErrorCode::NoSuchJob, format!("there is no job {id}"));
    failure.hint("'tally jobs --all' lists those that are remembered")
}

fn may_operate(who: Who, what: &str) -> Result<(), Failure> {
    if who.rights == Rights::Operate {
        return Ok(());
    }
    let why = format!("not permitted: user {} may not {what}", who.uid);
    let hint = "root, the daemon's user and the operators of its configuration may";
    Err(Failure::new(ErrorCode::NotPermitted, why).hint(hint))
}
