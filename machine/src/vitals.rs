//! A few counts that tell how the supervisor is: for one line of status, and for whoever watches that it advances.

use tally_protocol::job::JobState;

use crate::Machine;
use crate::moment::Span;

/// The counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Slots of workers.
    pub slots: u64,
    /// Workers that are ready.
    pub workers: u64,
    /// Jobs at which workers are, or may be soon.
    pub running: u64,
    /// Jobs that wait for their turn.
    pub queued: u64,
    /// Jobs that somebody paused.
    pub paused: u64,
    /// Leases that workers hold: each of them owes a word.
    pub leases: u64,
}

impl Machine {
    /// How long workers that hold leases can be silent before all of them have been killed for it.
    #[must_use]
    pub fn silence_max(&self) -> Span {
        Span(self.settings.lease.0.max(self.settings.start.0).saturating_add(self.settings.grace.0))
    }

    /// How it is. Takes a look at every slot: not for every turn.
    #[must_use]
    pub fn vitals(&self) -> Vitals {
        let count = |state: JobState| self.jobs.count(|job| job.state == state);
        let mut vitals = Vitals {
            slots: u64::from(self.settings.slots),
            queued: count(JobState::Queued),
            running: count(JobState::Running),
            paused: count(JobState::Paused),
            ..Vitals::default()
        };
        for slot in self.crew.slots() {
            vitals.workers += u64::from(slot.ready().is_some());
            vitals.leases += slot.worker().map_or(0, |worker| worker.leases.len() as u64);
        }
        vitals
    }
}
