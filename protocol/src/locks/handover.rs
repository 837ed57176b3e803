//! What one program of the daemon tells the next about locks, and about items of queues that somebody has, when that takes
//! its place in the same process.
//!
//! Not for a disk and not for another process: it names connections that stay open meanwhile. A program that does not
//! understand it drops those connections, and with them the locks and the leases of items.

use serde::{Deserialize, Serialize};

use super::view::{DeadlockView, InversionView, LockMode, ProcessView};
use super::{LockKind, LockToken};
use crate::ids::ClientId;
use crate::limits;

/// The version of this format.
pub const VERSION: u32 = 1;

/// All locks and their connections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedLocks {
    /// See [`VERSION`].
    pub version: u32,
    /// The first fencing number that has not been given out.
    pub next_fence: u64,
    /// The connections, in order.
    pub parties: Vec<HandedParty>,
    /// What they hold and wait for.
    pub resources: Vec<HandedResource>,
    /// Deadlocks that were refused.
    pub reports: Vec<DeadlockView>,
    /// In which orders names were taken, the oldest first.
    #[serde(default)]
    pub orders: Vec<HandedOrder>,
    /// Orders that contradict each other.
    #[serde(default)]
    pub inversions: Vec<InversionView>,
    /// Items of queues that connections have.
    #[serde(default)]
    pub leases: Vec<HandedLease>,
}

/// An item of a queue that a connection has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedLease {
    /// Whose.
    pub client: ClientId,
    /// The name of the queue.
    pub queue: String,
    /// The number of the item.
    pub item: u64,
    /// Which delivery of it.
    pub delivery: u32,
    /// It comes back in so long.
    pub left_ms: Option<u64>,
}

/// Something was asked for while something else was held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedOrder {
    /// What was held.
    pub held: HandedName,
    /// What was asked for.
    pub wanted: HandedName,
    /// When it was last seen, in Unix milliseconds.
    pub at_ms: u64,
    /// Never but shared, the one as the other.
    pub shared: bool,
    /// By whom it was last seen.
    pub by: ProcessView,
}

/// The name of a lock or a semaphore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedName {
    /// The name.
    pub name: String,
    /// What it is.
    pub kind: LockKind,
}

/// A connection that holds or waits, or has items.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedParty {
    /// Its number.
    pub client: ClientId,
    /// Its process.
    pub pid: Option<u32>,
    /// What that says it runs.
    pub command: Option<String>,
    /// Its secret.
    pub token: Option<LockToken>,
    /// The connection under whose locks it was started.
    pub parent: Option<ClientId>,
    /// It waits for an answer.
    pub waits: bool,
    /// Bytes it has sent that are no whole request yet, or that come after the one it waits on.
    pub incoming: Vec<u8>,
    /// Bytes it has not taken yet.
    pub outgoing: Vec<u8>,
}

/// A lock or a semaphore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedResource {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: LockKind,
    /// Permits of a semaphore.
    pub permits: Option<u32>,
    /// Who has it.
    pub holders: Vec<HandedHold>,
    /// Who waits, in order.
    pub queue: Vec<HandedWait>,
}

/// A grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedHold {
    /// Whose.
    pub client: ClientId,
    /// How.
    pub mode: LockMode,
    /// Permits of it.
    pub take: Option<u32>,
    /// Its number.
    pub fence: u64,
    /// Since when, in Unix milliseconds.
    pub since_ms: u64,
    /// It is given back in so long.
    pub ttl_left_ms: Option<u64>,
}

/// A wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedWait {
    /// Whose.
    pub client: ClientId,
    /// How it wants it.
    pub mode: LockMode,
    /// Permits of it.
    pub take: Option<u32>,
    /// Since when, in Unix milliseconds.
    pub since_ms: u64,
    /// How long it was to wait.
    pub timeout_ms: Option<u64>,
    /// It gives up in so long.
    pub timeout_left_ms: Option<u64>,
    /// Once granted it is given back after so long.
    pub ttl_ms: Option<u64>,
    /// What it will be warned of.
    pub warnings: Vec<String>,
}

impl HandedParty {
    /// One that neither holds a lock nor waits.
    #[must_use]
    pub fn of(client: ClientId) -> Self {
        let (incoming, outgoing) = (Vec::new(), Vec::new());
        Self { client, pid: None, command: None, token: None, parent: None, waits: false, incoming, outgoing }
    }
}

impl HandedLocks {
    /// As bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // These types have names for keys and nothing that refuses: they cannot fail to be written.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// From bytes.
    ///
    /// # Errors
    /// Why they mean nothing, as the end of a sentence.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > limits::HANDED_LOCKS_BYTES_MAX {
            return Err(format!("it has more than {} bytes", limits::HANDED_LOCKS_BYTES_MAX));
        }
        let handed: Self = serde_json::from_slice(bytes).map_err(|why| why.to_string())?;
        if handed.version == VERSION {
            Ok(handed)
        } else {
            Err(format!("it is of version {}, this program reads version {VERSION}", handed.version))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_over_reads_back() {
        let handed = HandedLocks {
            version: VERSION,
            next_fence: 12,
            parties: vec![HandedParty {
                client: ClientId(3),
                pid: Some(4),
                command: None,
                token: Some(LockToken(9)),
                parent: None,
                waits: true,
                incoming: b"{".to_vec(),
                outgoing: Vec::new(),
            }],
            resources: vec![HandedResource {
                name: "a".into(),
                kind: LockKind::Semaphore,
                permits: Some(2),
                holders: vec![HandedHold {
                    client: ClientId(3),
                    mode: LockMode::Permits,
                    take: Some(1),
                    fence: 11,
                    since_ms: 5,
                    ttl_left_ms: None,
                }],
                queue: Vec::new(),
            }],
            reports: Vec::new(),
            orders: vec![HandedOrder {
                held: HandedName { name: "a".into(), kind: LockKind::Semaphore },
                wanted: HandedName { name: "b".into(), kind: LockKind::Lock },
                at_ms: 7,
                shared: false,
                by: ProcessView { pid: Some(4), uid: 0, command: None },
            }],
            inversions: Vec::new(),
            leases: vec![HandedLease {
                client: ClientId(3),
                queue: "q".into(),
                item: 5,
                delivery: 2,
                left_ms: None,
            }],
        };
        assert_eq!(HandedLocks::from_bytes(&handed.to_bytes()), Ok(handed.clone()));
        let other = HandedLocks { version: 2, ..handed };
        assert!(HandedLocks::from_bytes(&other.to_bytes()).unwrap_err().contains("version 2"));
        assert!(HandedLocks::from_bytes(b"{").is_err());
    }
}
