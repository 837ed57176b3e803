//! A barrier: some wait for each other, and go on when all are there.
//!
//! As Python's: a party that dies or gives up breaks it, all who wait hear that, and so does everybody who comes until
//! it is reset. When all were there it is whole again for the next round.

use std::collections::VecDeque;

use tally_protocol::ClientId;
use tally_protocol::error::ErrorCode;

use super::fault::{Fault, conflict};

/// A barrier.
#[derive(Clone, Debug, Default)]
pub(super) struct Barrier {
    /// How many there are in all, as the first of them said.
    pub(super) parties: u32,
    /// In the order in which they came.
    pub(super) waiting: VecDeque<ClientId>,
    pub(super) broken: bool,
}

/// Why nobody waits at a broken barrier.
pub(super) fn broken() -> Fault {
    let why = "it is broken: a party died, or did not wait long enough".to_owned();
    Fault { code: ErrorCode::BarrierBroken, why }
}

impl Barrier {
    /// One more party comes. All of them, in their order, if it was the last.
    pub(super) fn arrive(&mut self, client: ClientId, parties: u32) -> Result<Option<Vec<ClientId>>, Fault> {
        if self.broken {
            return Err(broken());
        }
        if !self.waiting.is_empty() && self.parties != parties {
            return Err(conflict(format!("it is for {} parties, not {parties}", self.parties)));
        }
        self.parties = parties;
        self.waiting.push_back(client);
        let full = self.waiting.len() >= usize::try_from(parties).unwrap_or(usize::MAX);
        Ok(full.then(|| std::mem::take(&mut self.waiting).into()))
    }

    /// A party is gone: the others, who are not to wait any more.
    pub(super) fn leave(&mut self, client: ClientId) -> Vec<ClientId> {
        let before = self.waiting.len();
        self.waiting.retain(|&one| one != client);
        if self.waiting.len() == before {
            return Vec::new();
        }
        self.broken = true;
        std::mem::take(&mut self.waiting).into()
    }
}
