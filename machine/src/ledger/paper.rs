//! What the store knows of one job, and what it does not.

use std::collections::BTreeSet;

use tally_protocol::ClientId;

use crate::moment::Moment;

/// What the store knows of a job, and what it does not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Paper {
    /// It is recorded and survives the supervisor.
    pub(crate) kept: bool,
    /// The store has it.
    pub(crate) in_store: bool,
    /// What the store has not been told.
    pub(crate) news: News,
    /// What it is being told.
    pub(super) writing: Option<Box<Writing>>,
    /// When its progress was last told.
    pub(crate) told: Moment,
    /// In how many bytes.
    pub(super) bytes: u64,
    /// Clients to be answered once the next record is made.
    pub(super) askers: BTreeSet<ClientId>,
    /// It has ended, and nobody may know until that is recorded.
    pub(crate) unannounced: bool,
    /// The store has refused its newest state.
    pub(super) refused: bool,
}

/// What has happened to a job since its last record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// More of it is done, or may not be done.
    pub(crate) progress: bool,
    /// It went on after its end.
    pub(crate) reopened: bool,
    /// It ended.
    pub(crate) end: bool,
    /// The environment of its command was let go.
    pub(crate) lightened: bool,
    /// Somebody waits for the record.
    pub(crate) urgent: bool,
}

/// What the store is being told of a job, and who waits until it has it.
#[derive(Clone, Debug)]
pub(super) struct Writing {
    pub(super) news: News,
    pub(super) askers: BTreeSet<ClientId>,
}

impl News {
    pub(super) fn is_any(self) -> bool {
        self.progress || self.reopened || self.end || self.lightened
    }

    /// What was refused is news still.
    pub(super) fn take_back(&mut self, refused: Self) {
        self.progress |= refused.progress;
        self.reopened |= refused.reopened;
        self.end |= refused.end;
        self.lightened |= refused.lightened;
    }
}

impl Paper {
    /// It goes on after its end; the store may never have heard of that end, or is hearing of it only now.
    pub(crate) fn reopen(&mut self) {
        self.news.reopened = true;
        self.news.end = false;
        if let Some(writing) = &mut self.writing {
            writing.news.end = false;
        }
    }

    /// Whether the store has yet to be told, or to answer.
    pub(crate) fn is_busy(&self) -> bool {
        self.news.is_any() || self.writing.is_some() || self.unannounced
    }

    /// Whether the store has refused what is newest about it.
    pub(crate) fn is_refused(&self) -> bool {
        self.refused && self.is_busy()
    }

    /// Whether this client waits for a record of it.
    pub(crate) fn is_asked_by(&self, client: ClientId) -> bool {
        self.askers.contains(&client)
            || self.writing.as_ref().is_some_and(|writing| writing.askers.contains(&client))
    }

    pub(crate) fn forget_asker(&mut self, client: ClientId) {
        self.askers.remove(&client);
        if let Some(writing) = &mut self.writing {
            writing.askers.remove(&client);
        }
    }
}
