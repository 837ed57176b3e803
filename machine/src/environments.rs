//! The environments of commands: equal ones are there once, and ended jobs keep theirs only while there is room.
//!
//! A job that is done needs its environment no more. One that ended otherwise needs it for a retry, and may have half a
//! megabyte of it: of those that ended, the newest keep theirs, up to `ENDED_ENVIRONMENTS_BYTES_MAX` together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tally_protocol::command::{CommandRequest, Variables};
use tally_protocol::job::JobSpec;
use tally_protocol::{JobId, limits};

use crate::Machine;
use crate::job::{Job, Outcome, State};
use crate::jobs::Jobs;

/// What the jobs of a machine have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environments {
    /// Each one, and how many jobs have it.
    shared: BTreeMap<Variables, usize>,
    /// Ended jobs that still have one, in the order of their ends, and its bytes.
    ended: BTreeMap<(u64, JobId), usize>,
    ended_bytes: usize,
}

impl Environments {
    /// A job comes: from now on it has the same as those that have an equal one.
    pub(crate) fn share(&mut self, spec: &mut JobSpec) {
        let Some(request) = spec.request.command.as_ref().filter(|request| request.has_variables()) else {
            return;
        };
        let mut request = CommandRequest::clone(request);
        for variables in [&mut request.environment, &mut request.environment_bytes] {
            *variables = self.one_more(variables);
        }
        give(spec, request);
    }

    fn one_more(&mut self, variables: &Variables) -> Variables {
        let same = self.shared.get_key_value(variables).map(|(same, _)| Arc::clone(same));
        let same = same.unwrap_or_else(|| Arc::clone(variables));
        *self.shared.entry(Arc::clone(&same)).or_default() += 1;
        same
    }

    /// A job goes, or goes on without.
    pub(crate) fn leave(&mut self, spec: &JobSpec) {
        let Some(request) = spec.request.command.as_ref().filter(|request| request.has_variables()) else {
            return;
        };
        for variables in [&request.environment, &request.environment_bytes] {
            if let Some(users) = self.shared.get_mut(variables) {
                *users -= 1;
                if *users == 0 {
                    self.shared.remove(variables);
                }
            }
        }
    }

    /// A job ended as this one in order.
    pub(crate) fn ended(&mut self, end: u64, job: &Job) {
        let bytes = job.spec.request.command.as_ref().map_or(0, |request| request.variables_bytes());
        if bytes > 0 {
            self.ended.insert((end, job.id), bytes);
            self.ended_bytes += bytes;
        }
    }

    /// It has not ended any more, or is gone.
    pub(crate) fn unlist(&mut self, end: u64, job: JobId) {
        self.ended_bytes -= self.ended.remove(&(end, job)).unwrap_or(0);
    }

    /// The ended job that is to go on without first, if there is no room for all.
    fn surplus(&self) -> Option<JobId> {
        let (&(_, job), _) = self.ended.first_key_value()?;
        (self.ended_bytes > limits::ENDED_ENVIRONMENTS_BYTES_MAX).then_some(job)
    }

    /// Panics unless it has what these jobs have, each once.
    pub(crate) fn check<'a>(&self, jobs: impl Iterator<Item = &'a Job>) {
        let mut users: BTreeMap<*const String, usize> = BTreeMap::new();
        let requests = jobs.filter_map(|job| job.spec.request.command.as_ref());
        for request in requests.filter(|request| request.has_variables()) {
            for variables in [&request.environment, &request.environment_bytes] {
                *users.entry(variables.as_ptr()).or_default() += 1;
            }
        }
        for (variables, count) in &self.shared {
            assert_eq!(users.remove(&variables.as_ptr()), Some(*count), "the users of an environment");
        }
        assert!(users.is_empty(), "an environment is not shared");
        assert_eq!(self.ended_bytes, self.ended.values().sum::<usize>(), "the environments of ended jobs");
    }
}

/// Both who were told of the command get this one.
fn give(spec: &mut JobSpec, request: CommandRequest) {
    let request = Arc::new(request);
    if let Some(command) = &mut spec.kernel.command {
        command.request = Arc::clone(&request);
    }
    spec.request.command = Some(request);
}

impl Jobs {
    /// Jobs that have ended go on without their environments, as far as they must: which.
    fn lighten(&mut self, ended: JobId) -> BTreeSet<JobId> {
        let mut light = BTreeSet::new();
        if self.get(ended).is_some_and(|job| {
            matches!(job.state, State::Ended { outcome: Outcome::Done(_), .. }) || job.lame
        }) {
            light.extend(self.strip(ended).then_some(ended));
        }
        while let Some(job) = self.environments.surplus() {
            if !self.strip(job) {
                break;
            }
            light.insert(job);
        }
        light
    }

    /// Takes a job's environment. Whether it had one.
    fn strip(&mut self, id: JobId) -> bool {
        self.unlist_environment(id);
        let Some(mut spec) = self.get_mut(id).map(|job| job.spec.clone()) else { return false };
        let Some(request) = spec.request.command.as_ref().filter(|request| request.has_variables()) else {
            return false;
        };
        let bare = CommandRequest {
            environment: Variables::default(),
            environment_bytes: Variables::default(),
            ..CommandRequest::clone(request)
        };
        self.environments.leave(&spec);
        give(&mut spec, bare);
        if let Some(job) = self.get_mut(id) {
            job.spec = spec;
            job.lightened = true;
        }
        self.weigh(id);
        true
    }
}

impl Machine {
    /// A job has ended: what it needs no more of the environment of its command is let go, here and in the store.
    pub(crate) fn let_environments_go(&mut self, ended: JobId) {
        for id in self.jobs.lighten(ended) {
            self.report(id, |news| news.lightened = true);
        }
    }
}
