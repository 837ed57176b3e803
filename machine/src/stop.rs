//! How the supervisor ends: drain, stop, kill; and how it takes new settings.
//!
//! `phase` has the table. Recorded jobs are not ended by a stop: the next supervisor goes on with them.
//! The first request to stop drains within a limit, the second one stops, one more kills.

use tally_protocol::error::ErrorCode;
use tally_protocol::job::JobState;
use tally_protocol::{ClientId, JobId, SlotId};

use crate::Machine;
use crate::action::Action;
use crate::clients::{Client, Pending};
use crate::deadline::Alarm;
use crate::finish::stopped;
use crate::job::Job;
use crate::phase::Phase;
use crate::settings::Settings;
use crate::worker::{Leaving, SlotState};

impl Machine {
    /// A signal or a client asks to end in good order.
    pub(crate) fn stop_requested(&mut self) {
        match self.phase {
            Phase::Running | Phase::Draining { until: None } => {
                let until = self.now + self.settings.drain;
                self.phase = Phase::Draining { until: Some(until) };
                self.alarms.set(Alarm::Drain, until);
            }
            Phase::Draining { until: Some(_) } => self.stop_now(false),
            Phase::Stopping => self.kill_all(),
            Phase::Stopped => {}
        }
    }

    /// A client asks to finish what is open and then end.
    pub(crate) fn drain(&mut self) {
        match self.phase {
            Phase::Running => self.phase = Phase::Draining { until: None },
            Phase::Draining { .. } | Phase::Stopping | Phase::Stopped => {}
        }
    }

    /// Ends every job and every worker; `at_once` without any grace, as does asking twice.
    pub(crate) fn stop_now(&mut self, at_once: bool) {
        match self.phase {
            Phase::Running | Phase::Draining { .. } => {
                self.phase = Phase::Stopping;
                self.alarms.clear(Alarm::Drain);
                self.send_object_waiters_away();
                self.end_all_jobs();
                self.send_lockers_away();
                if at_once {
                    self.kill_all();
                } else {
                    self.for_all_slots(Self::dismiss);
                }
            }
            Phase::Stopping => self.kill_all(),
            Phase::Stopped => {}
        }
    }

    fn end_all_jobs(&mut self) {
        let ids: Vec<JobId> = self.jobs.open().map(|job| job.id).collect();
        for id in ids {
            if self.records() && self.jobs.get(id).is_some_and(|job| job.paper.kept) {
                self.leave(id);
            } else {
                self.finish(id, stopped(id));
            }
        }
        self.close_books();
    }

    /// A recorded job stays open in the store, for the next supervisor.
    fn leave(&mut self, id: JobId) {
        self.revoke(id);
        self.refile(id);
        self.send_watchers_away(id);
    }

    fn kill_all(&mut self) {
        self.abandon_store();
        self.for_all_slots(|machine, slot| match machine.crew.get(slot).map(|place| &place.state) {
            Some(SlotState::Starting { .. } | SlotState::Idle { .. } | SlotState::Busy { .. }) => {
                machine.kill(slot, Leaving::Dismissed);
            }
            Some(SlotState::Stopping { until: Some(_), why, .. }) => machine.kill(slot, *why),
            Some(
                SlotState::Stopping { until: None, .. } | SlotState::Empty | SlotState::BackingOff { .. },
            )
            | None => {}
        });
    }

    fn for_all_slots(&mut self, mut each: impl FnMut(&mut Self, SlotId)) {
        let ids: Vec<SlotId> = self.crew.slots().iter().map(|place| place.id).collect();
        for id in ids {
            each(self, id);
        }
    }

    /// Open jobs had their time to finish.
    pub(crate) fn drained_too_long(&mut self) {
        match self.phase {
            Phase::Draining { until: Some(until) } if until <= self.now => self.stop_now(false),
            Phase::Draining { until: Some(until) } => self.alarms.set(Alarm::Drain, until),
            Phase::Running | Phase::Draining { until: None } | Phase::Stopping | Phase::Stopped => {}
        }
    }

    /// Stops when nothing is left to drain.
    pub(crate) fn advance_phase(&mut self) {
        if self.is_drained() {
            self.stop_now(false);
        }
    }

    /// Recorded jobs can go on later: nobody waits for them who wants to end soon, and nobody at all for paused ones.
    pub(crate) fn is_drained(&self) -> bool {
        let open = match self.phase {
            Phase::Draining { until: Some(_) } => self.jobs.count(|job| !job.kept),
            Phase::Draining { until: None } => {
                self.jobs.count(|job| !(job.kept && job.state == JobState::Paused))
            }
            Phase::Running | Phase::Stopping | Phase::Stopped => return false,
        };
        open == 0
    }

    /// Ends the process when every worker is gone and the store has answered.
    pub(crate) fn exit_when_done(&mut self) {
        if self.phase == Phase::Stopping && self.crew.is_deserted() && self.is_written() {
            self.send_shell_askers_away();
            self.send_lockers_away();
            self.phase = Phase::Stopped;
            self.alarms.silence();
            self.act(Action::Exit);
        }
    }

    /// The shell has not answered them, and now it never will.
    fn send_shell_askers_away(&mut self) {
        let waits =
            |(client, known): (&ClientId, &Client)| (known.pending == Pending::Shell).then_some(*client);
        let askers: Vec<ClientId> = self.clients.iter().filter_map(waits).collect();
        for client in askers {
            self.wait_for(client, Pending::Nothing);
            self.refuse(client, ErrorCode::Stopping, "the daemon is stopping");
        }
    }

    /// Whether nobody waits for the store.
    pub(crate) fn is_written(&self) -> bool {
        !self.records() || self.ledger.is_quiet()
    }

    /// New settings hold for everything decided from now on. Surplus workers finish what they have.
    pub(crate) fn reload(&mut self, settings: Settings) {
        let Settings { seed, wall_ms_at_zero, durable, trusting, .. } = self.settings;
        self.settings = Settings { seed, wall_ms_at_zero, durable, trusting, ..settings };
        let slots = self.settings.slots;
        self.crew.grow(slots);
        self.for_all_slots(|machine, slot| {
            if slot.0 >= slots {
                machine.let_go(slot);
            } else if let Some(worker) = machine.crew.worker_mut(slot)
                && worker.profile.job.is_none_or(|id| machine.jobs.get(id).is_some_and(Job::is_open))
            {
                worker.leaving = false;
            }
        });
        self.drop_surplus_slots();
        self.crowded = true;
        self.feed = true;
    }

    /// Slots beyond the settings' go once nobody is in them, with their alarms: one that backs off has one.
    pub(crate) fn drop_surplus_slots(&mut self) {
        let alarms = &mut self.alarms;
        self.crew.shrink(self.settings.slots, |slot| alarms.clear(Alarm::Slot(slot)));
    }
}
