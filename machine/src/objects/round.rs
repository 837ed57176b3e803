//! The answers to one request, and to all whom it lets go on: given when what they rest on is on the disk.

use tally_protocol::ClientId;
use tally_protocol::control::Reply;

use super::{Deed, Objects};
use crate::moment::Moment;

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) client: ClientId,
    pub(super) reply: Reply,
    pub(super) continues: bool,
}

/// What one request has led to so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Round {
    /// Objects that the answers tell of.
    pub(super) seen: Vec<u64>,
    /// Those of them that have changed.
    pub(super) touched: Vec<u64>,
    pub(super) answers: Vec<Answer>,
}

impl Round {
    /// The last answer to a client's request.
    pub(super) fn answer(&mut self, client: ClientId, reply: Reply) {
        self.answers.push(Answer { client, reply, continues: false });
    }

    pub(super) fn saw(&mut self, id: u64) {
        if !self.seen.contains(&id) {
            self.seen.push(id);
        }
    }

    pub(super) fn touched(&mut self, id: u64) {
        if !self.touched.contains(&id) {
            self.touched.push(id);
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.seen.is_empty() && self.touched.is_empty() && self.answers.is_empty()
    }
}

impl Objects {
    /// Writes down what has changed, and sends the answers off.
    pub(super) fn finish(&mut self, now: Moment) {
        for at in 0..self.round.touched.len() {
            let id = self.round.touched[at];
            self.prolong(id, now);
            self.charge(id);
        }
        let batch = self.write_down();
        let seen = self.round.seen.iter().filter_map(|id| self.all.get(id)?.unsynced);
        let hold = seen.chain(batch).max();
        self.round.seen.clear();
        self.round.touched.clear();
        let mut answers = std::mem::take(&mut self.round.answers);
        match hold {
            Some(batch) => self.paper.hold(batch, &mut answers),
            None => self.send(&mut answers),
        }
        // Its room is used again.
        self.round.answers = answers;
    }

    /// Gives answers.
    pub(super) fn send(&mut self, answers: &mut Vec<Answer>) {
        let deeds = answers.drain(..).map(|answer| {
            let Answer { client, reply, continues } = answer;
            Deed::Reply { client, reply, continues }
        });
        self.deeds.extend(deeds);
    }
}
