//! The words of the store: tables, rows and changes of them. The bytes of a row mean nothing here.

/// The tables. Each maps a number to bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// A few rows about the whole.
    Meta,
    /// What was asked for.
    Jobs,
    /// How far it has come.
    Progress,
    /// How it ended.
    Outcomes,
    /// Things that are kept for clients.
    Objects,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Meta, Self::Jobs, Self::Progress, Self::Outcomes, Self::Objects];

    /// Its name in the file and in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Jobs => "jobs",
            Self::Progress => "progress",
            Self::Outcomes => "outcomes",
            Self::Objects => "objects",
        }
    }

    /// Its place in [`ALL`](Self::ALL), and its number in checksums: never to be changed.
    pub(crate) fn index(self) -> usize {
        match self {
            Self::Meta => 0,
            Self::Jobs => 1,
            Self::Progress => 2,
            Self::Outcomes => 3,
            Self::Objects => 4,
        }
    }
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// Where it is.
    pub table: Table,
    /// Under which number.
    pub key: u64,
    /// What was put there.
    pub value: Vec<u8>,
}

/// One change of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Makes the row, or replaces it.
    Put(Table, u64, Vec<u8>),
    /// Removes the row; nothing if there is none.
    Delete(Table, u64),
}
