//! What makes workers on request, the forkserver, may itself be lost.
//!
//! A worker that it was asked for did not come to be then, which says nothing about workers: it is no failed start of
//! theirs, and its slot does not back off. What bounds the restarts is the forkserver's own health, by the rules that hold
//! for each slot. Only when none could be had for as long as a worker may take to be ready do the jobs that wait for it
//! fail rather than wait for ever.

use tally_protocol::WorkerId;
use tally_protocol::job::StartMethod;

use crate::Machine;
use crate::action::Profile;
use crate::deadline::Alarm;
use crate::deaths::{DROUGHT, Drought};
use crate::moment::{Moment, Span};
use crate::settings::Settings;
use crate::worker::{Health, Slot};

/// How forkservers have fared.
#[derive(Clone, Debug, Default)]
pub(crate) struct Starter {
    health: Health,
    /// Those that were lost since a worker was last made, and since when.
    pub(crate) lost: u32,
    since: Option<Moment>,
    /// The first worker that the present one has made.
    made_at: Option<Moment>,
    /// Nobody is asked before.
    pub(crate) until: Option<Moment>,
    pub(crate) last: String,
}

impl Starter {
    /// One was lost that workers were asked of: how long the next one must wait, if it must.
    fn note_loss(&mut self, now: Moment, settings: &Settings, jitter: u64, why: &str) -> Option<Span> {
        if self.made_at.take().is_some_and(|made| now.since(made) >= settings.backoff_reset) {
            self.health.recovered();
        }
        self.lost = self.lost.saturating_add(1);
        self.since.get_or_insert(now);
        why.clone_into(&mut self.last);
        self.health.died_young(now, settings, jitter)
    }

    /// It has made a worker.
    fn note_worker(&mut self, now: Moment) {
        self.lost = 0;
        self.since = None;
        self.made_at.get_or_insert(now);
    }

    fn is_hopeless(&self, now: Moment, settings: &Settings) -> bool {
        self.lost >= DROUGHT && self.since.is_some_and(|since| now.since(since) >= settings.start)
    }
}

fn is_asked(profile: Profile) -> bool {
    profile.start == StartMethod::Forkserver
}

impl Machine {
    /// The forkserver is gone, and with it those it was asked for.
    pub(crate) fn starter_lost(&mut self, workers: &[WorkerId], why: &str) {
        let mut asked = false;
        for &id in workers {
            asked |= self.unborn(id);
        }
        self.drop_surplus_slots();
        if !asked || !self.phase.works() {
            return;
        }
        let (now, jitter) = (self.now, self.random());
        if let Some(delay) = self.starter.note_loss(now, &self.settings, jitter, why) {
            self.starter.until = Some(now + delay);
            self.alarms.set(Alarm::Starter, now + delay);
        }
        if self.starter.is_hopeless(now, &self.settings) {
            let drought = Drought { failures: self.starter.lost, last: why.to_owned(), ..Drought::default() };
            self.give_up(&drought, is_asked);
        }
        self.feed = true;
    }

    /// A worker that was wanted will not be. False when it is not known.
    fn unborn(&mut self, id: WorkerId) -> bool {
        let Some(slot) = self.crew.slot_of(id) else { return false };
        let Some(worker) = self.crew.worker(slot) else { return false };
        if worker.pid.is_some() || !worker.leases.is_empty() {
            self.worker_gone(id, "lost with its forkserver", String::new());
            return false;
        }
        let profile = worker.profile;
        self.crew.change(slot, Slot::vacate);
        self.crew.dismiss(id, profile);
        self.alarms.clear(Alarm::Slot(slot));
        true
    }

    /// A worker exists now.
    pub(crate) fn starter_made(&mut self, profile: Profile) {
        if is_asked(profile) {
            self.starter.note_worker(self.now);
        }
    }

    /// Whether a worker of this kind cannot be asked for yet.
    pub(crate) fn starter_waits(&self, profile: Profile) -> bool {
        is_asked(profile) && self.starter.until.is_some_and(|until| until > self.now)
    }

    /// The wait may be over.
    pub(crate) fn starter_due(&mut self) {
        match self.starter.until {
            Some(until) if until > self.now => self.alarms.set(Alarm::Starter, until),
            Some(_) => {
                self.starter.until = None;
                self.feed = true;
            }
            None => {}
        }
    }
}
