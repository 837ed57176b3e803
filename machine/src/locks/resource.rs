//! One name: its holders, its queue, and what fits beside what.
//!
//! | held            | exclusive | shared | permits                         |
//! |-----------------|-----------|--------|---------------------------------|
//! | nothing         | yes       | yes    | as many as there are            |
//! | exclusively     | no        | no     |                                 |
//! | shared          | no        | yes    |                                 |
//! | some permits    |           |        | as many as are left             |

use std::collections::VecDeque;

use tally_protocol::ClientId;
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::locks::Want;

use super::Key;
use crate::moment::{Moment, Span};

/// A grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hold {
    pub(super) client: ClientId,
    pub(super) want: Want,
    pub(super) fence: u64,
    /// Unix milliseconds.
    pub(super) since_ms: u64,
    /// It is given back then.
    pub(super) until: Option<Moment>,
}

/// A place in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    pub(super) client: ClientId,
    pub(super) want: Want,
    /// Unix milliseconds.
    pub(super) since_ms: u64,
    /// It is given up then.
    pub(super) until: Option<Moment>,
    /// How long it was to wait.
    pub(super) timeout: Option<Span>,
    /// How long the grant will live.
    pub(super) ttl: Option<Span>,
    /// What comes with the grant.
    pub(super) warnings: Vec<String>,
}

/// How much of it is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    exclusive: usize,
    shared: usize,
    permits: u64,
}

impl Usage {
    pub(super) fn add(&mut self, want: Want) {
        match want {
            Want::Exclusive => self.exclusive += 1,
            Want::Shared => self.shared += 1,
            Want::Permits { take, .. } => self.permits += u64::from(take),
        }
    }

    pub(super) fn remove(&mut self, want: Want) {
        match want {
            Want::Exclusive => self.exclusive -= 1,
            Want::Shared => self.shared -= 1,
            Want::Permits { take, .. } => self.permits -= u64::from(take),
        }
    }

    /// Whether this fits beside what is held.
    pub(super) fn admits(&self, want: Want) -> bool {
        match want {
            Want::Exclusive => self.exclusive == 0 && self.shared == 0,
            Want::Shared => self.exclusive == 0,
            Want::Permits { of, take } => self.permits + u64::from(take) <= u64::from(of),
        }
    }

    /// Permits of so many that are not held.
    pub(super) fn free(&self, of: u32) -> u32 {
        u32::try_from(u64::from(of).saturating_sub(self.permits)).unwrap_or(0)
    }
}

/// One name.
#[derive(Clone, Debug, Default)]
pub(super) struct Resource {
    /// Of a semaphore.
    pub(super) permits: Option<u32>,
    pub(super) holders: Vec<Hold>,
    pub(super) queue: VecDeque<Wait>,
    pub(super) usage: Usage,
}

impl Resource {
    /// Unheld, as the first who asks wants it.
    pub(super) fn of(want: Want) -> Self {
        let permits = match want {
            Want::Exclusive | Want::Shared => None,
            Want::Permits { of, .. } => Some(of),
        };
        Self { permits, ..Self::default() }
    }

    /// Whether one who asks means the same as those who are there.
    pub(super) fn fits(&self, want: Want) -> Result<(), Failure> {
        match (want, self.permits) {
            (Want::Permits { of, .. }, Some(permits)) if of != permits => {
                let why = format!("it has {permits} permits as long as it is in use, not {of}");
                Err(Failure::new(ErrorCode::BadUsage, why))
            }
            (Want::Permits { .. } | Want::Exclusive | Want::Shared, _) => Ok(()),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.holders.is_empty() && self.queue.is_empty()
    }

    pub(super) fn wait_of(&self, client: ClientId) -> Option<&Wait> {
        self.queue.iter().find(|wait| wait.client == client)
    }

    pub(super) fn drop_holder(&mut self, fence: u64) -> Option<Hold> {
        let at = self.holders.iter().position(|hold| hold.fence == fence)?;
        let hold = self.holders.remove(at);
        self.usage.remove(hold.want);
        Some(hold)
    }

    /// Panics unless the holders fit beside each other.
    pub(super) fn check(&self, key: &Key) {
        assert!(!self.is_idle(), "{key} is kept for nobody");
        let mut usage = Usage::default();
        for hold in &self.holders {
            assert!(usage.admits(hold.want), "{key} is held by two who exclude each other");
            usage.add(hold.want);
        }
        assert_eq!(usage, self.usage, "{key}: what is held");
        assert!(self.holders.is_sorted_by_key(|hold| hold.fence), "{key}: the order of numbers");
    }
}
