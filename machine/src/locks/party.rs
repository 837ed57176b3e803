//! A connection that has asked for something: what it holds, what it waits for, and under which other one it was started.

use std::collections::{BTreeMap, BTreeSet};

use tally_protocol::ClientId;
use tally_protocol::locks::view::ProcessView;
use tally_protocol::locks::{Acquire, LockToken, Want};

use super::Key;
use crate::permission::{Rights, Who};

/// One connection.
#[derive(Clone, Debug)]
pub(super) struct Party {
    pub(super) uid: u32,
    /// For people.
    pub(super) pid: Option<u32>,
    /// For people.
    pub(super) command: Option<String>,
    /// By which those started under it are known.
    pub(super) token: Option<LockToken>,
    /// The connection under whose locks it was started: that one cannot end before this one has ended.
    pub(super) parent: Option<ClientId>,
    pub(super) children: BTreeSet<ClientId>,
    /// By fencing number.
    pub(super) holds: BTreeMap<u64, (Key, Want)>,
    pub(super) waits: Option<Key>,
}

impl Party {
    pub(super) fn new(uid: u32, ask: &Acquire) -> Self {
        Self {
            uid,
            pid: ask.asker.pid,
            command: ask.command.clone().or_else(|| ask.asker.name.clone()),
            token: ask.asker.token,
            parent: None,
            children: BTreeSet::new(),
            holds: BTreeMap::new(),
            waits: None,
        }
    }

    pub(super) fn is_busy(&self) -> bool {
        self.waits.is_some() || !self.holds.is_empty()
    }

    /// Its process.
    pub(super) fn view(&self) -> ProcessView {
        ProcessView { pid: self.pid, uid: self.uid, command: self.command.clone() }
    }

    /// Its process, as it is shown to somebody.
    pub(super) fn view_for(&self, viewer: Who) -> ProcessView {
        let command = self.command.clone().filter(|_| sees_commands_of(viewer, self.uid));
        ProcessView { command, ..self.view() }
    }

    /// As it is called in a sentence: `process 12 (sh backup.sh)`.
    pub(super) fn called(&self, viewer: Who) -> String {
        called(&self.view_for(viewer))
    }
}

/// Whether somebody may see the command lines of a user.
pub(super) fn sees_commands_of(viewer: Who, uid: u32) -> bool {
    viewer.uid == uid || viewer.rights >= Rights::Read
}

/// A process in a sentence.
pub(super) fn called(who: &ProcessView) -> String {
    let uid = who.uid;
    match (who.pid, &who.command) {
        (Some(pid), Some(command)) => format!("process {pid} ({command})"),
        (Some(pid), None) => format!("process {pid} of user {uid}"),
        (None, Some(command)) => format!("a process of user {uid} ({command})"),
        (None, None) => format!("a process of user {uid}"),
    }
}
