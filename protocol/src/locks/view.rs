//! How locks are shown: grants, holders, queues, deadlocks that were refused, orders that contradict each other.
//!
//! Moments are Unix milliseconds of the daemon's clock. A command line is what its process says of itself, and is absent
//! for those who may not see it; the process is the one that connected, as the system tells.

use serde::{Deserialize, Serialize};

use super::{LockKind, LockToken};

/// How something is held or wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LockMode {
    /// A lock, alone.
    Exclusive,
    /// A lock, beside others.
    Shared,
    /// Permits of a semaphore.
    Permits,
}

impl LockMode {
    /// The word that people read.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Exclusive => "exclusive",
            Self::Shared => "shared",
            Self::Permits => "permits",
        }
    }
}

/// A process that holds or waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessView {
    /// The process that connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Its user.
    pub uid: u32,
    /// What it says it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// What a client was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantView {
    /// Of what.
    pub name: String,
    /// A lock or a semaphore.
    pub kind: LockKind,
    /// How.
    pub mode: LockMode,
    /// Permits taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take: Option<u32>,
    /// The fencing number: larger than that of every earlier grant of this name. Below 2^53.
    pub fence: u64,
    /// What programs started under this grant say, so that their waits are known to be this one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<LockToken>,
    /// How long it was waited for.
    pub waited_ms: u64,
    /// It is given back after so long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
    /// Sentences about orders of taking that could become a deadlock.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// One lock or semaphore that is held or waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockView {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: LockKind,
    /// Permits in all, of a semaphore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permits: Option<u32>,
    /// Permits that are free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free: Option<u32>,
    /// Who has it, in the order in which they got it.
    pub holders: Vec<HolderView>,
    /// Who waits, in the order in which they will get it.
    pub waiters: Vec<WaiterView>,
}

/// One who holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderView {
    /// Who.
    #[serde(flatten)]
    pub who: ProcessView,
    /// How it holds.
    pub mode: LockMode,
    /// Permits it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take: Option<u32>,
    /// Its fencing number.
    pub fence: u64,
    /// Since when.
    pub since_ms: u64,
    /// For how long.
    pub held_ms: u64,
    /// It is given back in so long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_left_ms: Option<u64>,
}

/// One who waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaiterView {
    /// Who.
    #[serde(flatten)]
    pub who: ProcessView,
    /// How it wants it.
    pub mode: LockMode,
    /// Permits it wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take: Option<u32>,
    /// Since when.
    pub since_ms: u64,
    /// For how long.
    pub waiting_ms: u64,
    /// It gives up in so long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_left_ms: Option<u64>,
}

/// A deadlock that would have been, had the last of its waits been let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadlockView {
    /// When it was refused.
    pub at_ms: u64,
    /// What was asked for.
    pub name: String,
    /// What that is.
    pub kind: LockKind,
    /// Every wait of it, that of the one who was refused first. Each waits for what the next holds; the last one for
    /// what the first holds. With semaphores of several permits there is no such order: all of them wait for each other.
    pub edges: Vec<EdgeView>,
    /// Further waits that are left out here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<u64>,
}

/// One wait of a deadlock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeView {
    /// Who waits.
    #[serde(flatten)]
    pub who: ProcessView,
    /// What it keeps from others of this deadlock; nothing if it only stands before them in a queue.
    pub holds: Vec<HeldView>,
    /// What it waits for.
    pub wants: WantedView,
}

/// Something held by one who waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldView {
    /// What.
    pub name: String,
    /// A lock or a semaphore.
    pub kind: LockKind,
    /// How.
    pub mode: LockMode,
    /// Permits of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take: Option<u32>,
    /// The fencing number of the grant.
    pub fence: u64,
    /// Since when.
    pub since_ms: u64,
    /// The process that holds it, where that is another one than the one that waits: one under which that was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Its user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// What it says it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// Something waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedView {
    /// What.
    pub name: String,
    /// A lock or a semaphore.
    pub kind: LockKind,
    /// How.
    pub mode: LockMode,
    /// Permits of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take: Option<u32>,
    /// Since when.
    pub since_ms: u64,
}

/// Orders of taking that contradict each other: `names[0]` was held when `names[1]` was asked for, and so on, and the
/// last was held when `names[0]` was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InversionView {
    /// Each as `lock 'A'` or `semaphore 'S'`.
    pub names: Vec<String>,
    /// When it was first seen.
    pub first_ms: u64,
    /// When it was last seen.
    pub last_ms: u64,
    /// How often.
    pub count: u64,
}
