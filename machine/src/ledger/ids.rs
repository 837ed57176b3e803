//! Numbers that are never given out twice, not even by the next supervisor: job ids and fencing numbers.

use tally_protocol::record::Record;

use super::Entry;
use crate::Machine;

impl Machine {
    /// Ids that will be reserved once all is recorded that is under way.
    pub(super) fn recount_ids(&mut self) {
        let under_way = self.ledger.open.values().filter_map(|entry| match entry {
            Entry::Arrival(_, ids) => *ids,
            Entry::Ids(to) => Some(*to),
            Entry::Job(_) | Entry::Gone(_) | Entry::Fences(_) | Entry::Objects(_) => None,
        });
        self.ledger.asked = under_way.fold(self.ledger.reserved, u64::max);
    }

    /// How many ids are reserved ahead: twice as many after each time that somebody had to wait for one.
    pub(super) fn ids_ahead(&self) -> u64 {
        self.settings.ids_ahead.saturating_mul(1 << self.ledger.haste)
    }

    pub(super) fn lacks_ids(&self) -> bool {
        self.ledger.asked <= self.jobs.named.saturating_add(1 + self.ids_ahead() / 2)
    }

    pub(super) fn write_ids(&mut self) {
        let to = self.jobs.named.saturating_add(1 + self.ids_ahead().max(1));
        self.ledger.asked = to;
        self.record(Entry::Ids(to), &[Record::Reserved { to }]);
    }

    /// Fencing numbers below this one may be given out soon.
    pub(crate) fn reserve_fences(&mut self, to: u64) {
        self.record(Entry::Fences(to), &[Record::Fenced { to }]);
    }
}
