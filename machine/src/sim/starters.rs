//! The simulated clients that start many jobs and hear of their ends one by one: `Start` and `Next`.
//!
//! Now and then one has more to ask while it waits; it must be answered at once then.

use std::collections::BTreeSet;

use tally_protocol::control::{Reply, Request};
use tally_protocol::view::JobView;
use tally_protocol::{ClientId, JobId};

use super::world::{Happening, World};
use crate::event::Event;
use crate::moment::Moment;

/// What such a client knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Starter {
    /// Its jobs whose end it has not been told.
    pub(super) under_way: BTreeSet<JobId>,
    /// It has more to ask: it may be told of nothing.
    hurried: bool,
}

impl World {
    pub(super) fn new_starter(&mut self, left: u64) {
        let client = self.new_client(left, false);
        if let Some(caller) = self.callers.get_mut(&client) {
            caller.starter = Some(Starter::default());
        }
    }

    /// Such a client has thought of something.
    pub(super) fn starter(&mut self, client: ClientId) {
        let Some(caller) = self.callers.get(&client) else { return };
        let Some(starter) = &caller.starter else { return };
        let (left, under_way) = (caller.left, starter.under_way.len());
        let waits = caller.asked.as_ref().map(|asked| asked.request == Request::Next);
        match waits {
            Some(true) => self.hurry(client),
            Some(false) => {}
            None if self.rng.chance(self.scenario.leavers / 4) => self.leave(client),
            None if left > 0 && (under_way == 0 || self.rng.chance(600)) => {
                let request = self.started_job();
                self.ask(client, request, false);
            }
            None if under_way > 0 || self.rng.chance(100) => {
                if let Some(starter) = self.starter_of(client) {
                    starter.hurried = false;
                }
                self.ask(client, Request::Next, false);
                if self.now < self.scenario.calm && self.rng.chance(500) {
                    let at = Moment(self.now.0 + self.rng.below(20_000_000));
                    self.plan(at, Happening::Caller(client));
                }
            }
            None => {}
        }
    }

    fn hurry(&mut self, client: ClientId) {
        if let Some(starter) = self.starter_of(client) {
            starter.hurried = true;
        }
        self.tell(Event::ClientCalls { client });
        let waits = self.callers.get(&client).is_some_and(|caller| caller.asked.is_some());
        if waits && !self.exited {
            self.fail(format!("c{client} has more to ask and is not answered"));
        }
    }

    fn started_job(&mut self) -> Request {
        match self.submission() {
            Request::Submit(mut spec) => {
                spec.request.detach = false;
                Request::Start(spec)
            }
            other => other,
        }
    }

    fn starter_of(&mut self, client: ClientId) -> Option<&mut Starter> {
        self.callers.get_mut(&client)?.starter.as_mut()
    }

    /// Each job that was started is told once, and not before its end. Whether the reply is a good one.
    pub(super) fn judge_started(&mut self, client: ClientId, request: &Request, reply: &Reply) -> bool {
        let works = self.machine.phase().works();
        let Some(starter) = self.starter_of(client) else { return false };
        match (request, reply) {
            (Request::Start(_), Reply::Started(id)) => starter.under_way.insert(*id),
            (Request::Next, Reply::Jobs(views)) => {
                let told = |view: &JobView| view.state.is_over() && starter.under_way.remove(&view.job);
                // Each is taken out, whatever the others are.
                let good = views.iter().map(told).filter(|good| *good).count();
                good == views.len() && (starter.hurried || !views.is_empty())
            }
            // What was made to last is left to the next daemon.
            (Request::Next, Reply::Refused(_)) => starter.under_way.is_empty() || !works,
            (_, _) => false,
        }
    }

    /// Everybody quiet: what a client was not told of, it can still ask for.
    pub(super) fn judge_untold(&self) -> Result<(), String> {
        for (client, caller) in &self.callers {
            let under_way = caller.starter.iter().flat_map(|starter| &starter.under_way);
            let lost =
                |id: &&JobId| self.machine.jobs.get(**id).is_none_or(|job| job.starter != Some(*client));
            if let Some(id) = under_way.clone().find(lost).filter(|_| self.machine.phase().works()) {
                return Err(format!("c{client} will never be told of {id}"));
            }
        }
        Ok(())
    }
}
