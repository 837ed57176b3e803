//! The alarms of the machine: who wants to be looked at, and when.
//!
//! An alarm may ring too early: whoever it rings for compares with the deadline it knows and sets the next one. So an
//! extended deadline costs nothing until the old one passes. An alarm must never ring too late.

use std::collections::{BTreeMap, BTreeSet};

use tally_protocol::{ClientId, JobId, SlotId};

use crate::moment::Moment;
use crate::objects::ObjectAlarm;

/// Whose deadline it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Alarm {
    /// The open jobs of a draining supervisor are given up.
    Drain,
    /// A slot: too slow a start, a silent worker, the end of grace or of a back-off.
    Slot(SlotId),
    /// The next forkserver may be started.
    Starter,
    /// A job's own deadline.
    Job(JobId),
    /// The next progress reply to a client.
    Progress(ClientId),
    /// The next record of a job's progress.
    Record(JobId),
    /// The next try of a store that refuses.
    Store,
    /// The oldest ended job has been remembered for long enough.
    Forget,
    /// Somebody may be waiting in vain for places that commands hold.
    Relief,
    /// A timeout or a time to live of a lock.
    Locks,
    /// An object, a client that waits for one, an item.
    Object(ObjectAlarm),
}

/// All alarms that are set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alarms {
    due: BTreeSet<(Moment, Alarm)>,
    at: BTreeMap<Alarm, Moment>,
}

impl Alarms {
    /// Sets an alarm, moving it if it is set.
    pub(crate) fn set(&mut self, alarm: Alarm, at: Moment) {
        if let Some(before) = self.at.insert(alarm, at) {
            self.due.remove(&(before, alarm));
        }
        self.due.insert((at, alarm));
    }

    /// Makes sure that an alarm rings at `at` or before.
    pub(crate) fn no_later(&mut self, alarm: Alarm, at: Moment) {
        if self.at.get(&alarm).is_none_or(|&before| before > at) {
            self.set(alarm, at);
        }
    }

    /// Takes an alarm away.
    pub(crate) fn clear(&mut self, alarm: Alarm) {
        if let Some(before) = self.at.remove(&alarm) {
            self.due.remove(&(before, alarm));
        }
    }

    /// Takes the earliest alarm that is due.
    pub(crate) fn take_due(&mut self, now: Moment) -> Option<Alarm> {
        let &(at, alarm) = self.due.first()?;
        if at > now {
            return None;
        }
        self.clear(alarm);
        Some(alarm)
    }

    /// When the next one rings.
    pub(crate) fn next(&self) -> Option<Moment> {
        self.due.first().map(|&(at, _)| at)
    }

    /// When this one rings.
    pub(crate) fn when(&self, alarm: Alarm) -> Option<Moment> {
        self.at.get(&alarm).copied()
    }

    /// Takes every alarm away.
    pub(crate) fn silence(&mut self) {
        self.due.clear();
        self.at.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Alarm = Alarm::Drain;
    const B: Alarm = Alarm::Job(JobId(1));

    #[test]
    fn alarms_ring_in_order_of_time() {
        let mut alarms = Alarms::default();
        alarms.set(A, Moment(5));
        alarms.set(B, Moment(3));
        assert_eq!(alarms.next(), Some(Moment(3)));
        assert_eq!(alarms.take_due(Moment(2)), None);
        assert_eq!(alarms.take_due(Moment(9)), Some(B));
        assert_eq!(alarms.take_due(Moment(9)), Some(A));
        assert_eq!(alarms.next(), None);
    }

    #[test]
    fn a_moved_alarm_rings_once() {
        let mut alarms = Alarms::default();
        alarms.set(A, Moment(5));
        alarms.no_later(A, Moment(7));
        assert_eq!(alarms.when(A), Some(Moment(5)));
        alarms.no_later(A, Moment(4));
        alarms.set(A, Moment(6));
        assert_eq!(alarms.take_due(Moment(5)), None);
        assert_eq!(alarms.take_due(Moment(6)), Some(A));
        assert_eq!(alarms.take_due(Moment(6)), None);
        alarms.clear(A);
    }
}
