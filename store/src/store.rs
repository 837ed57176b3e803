//! The open store: one commit at a time, each whole or not at all.
//!
//! After a failure the database is thrown away and opened anew from the file, with all checks: what it holds in memory
//! then is no longer to be trusted, and it would refuse to go on.

use std::path::{Path, PathBuf};

use redb::Database;

use crate::change::Change;
use crate::contain::contained;
use crate::disk::Disk;
use crate::error::CommitError;
use crate::open::load;
use crate::rows::{Sums, write};

/// Files shorter than this are left as they are.
const SHRINK_FROM_BYTES: u64 = 8 << 20;
/// A file is too long when it is this many times as long as its values.
const SHRINK_RATIO: u64 = 8;

/// A store of rows. Dropping it closes the file; a process that is killed instead costs the next opening a repair.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    /// None after a failure that no new opening has mended yet.
    database: Option<Database>,
    disk: Disk,
    sums: Sums,
    /// Of all values.
    bytes: u64,
    /// How long the file was after it was last made shorter.
    shrunk_to: u64,
}

impl Store {
    pub(crate) fn new(path: PathBuf, database: Database, disk: Disk, (sums, bytes): (Sums, u64)) -> Self {
        Self { path, database: Some(database), disk, sums, bytes, shrunk_to: 0 }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many rows it holds.
    pub fn rows(&self) -> u64 {
        self.sums.iter().map(|sum| sum.rows).sum()
    }

    /// How many bytes were written to the file and how often it was synced, since it was last opened.
    pub fn cost(&self) -> (u64, u64) {
        self.disk.cost()
    }

    /// Makes all changes, in their order, or none; when it returns they are on the disk.
    ///
    /// # Errors
    /// When the disk is full or fails. The store can be used again: the next commit tries anew.
    pub fn commit(&mut self, changes: &[Change]) -> Result<(), CommitError> {
        self.commit_all(&[changes])
    }

    /// As [`commit`](Self::commit), of several lists in one transaction.
    pub(crate) fn commit_all(&mut self, lists: &[&[Change]]) -> Result<(), CommitError> {
        if lists.iter().all(|list| list.is_empty()) {
            return Ok(());
        }
        // What is written to a file without a name is lost with the daemon.
        if !self.disk.is_at(&self.path) {
            return Err(CommitError::Other(format!("{} was removed or replaced", self.path.display())));
        }
        if self.database.is_none() {
            self.reopen(self.sums)?;
        }
        let Some(database) = &self.database else {
            return Err(CommitError::Other("it is closed".to_owned()));
        };
        let (mut after, mut bytes) = (self.sums, self.bytes);
        let changes = lists.iter().copied().flatten();
        let why = match contained(|| write(database, changes, (&mut after, &mut bytes), false)) {
            Ok(Ok(())) => {
                (self.sums, self.bytes) = (after, bytes);
                return Ok(());
            }
            Ok(Err(error)) => error.to_string(),
            Err(panic) => panic,
        };
        let error = CommitError::of(self.disk.take_failure(), why);
        if let Some(database) = self.database.take() {
            drop(contained(|| drop(database)));
        }
        let before = self.sums;
        match self.reopen(after) {
            // The failure came after the commit counted.
            Ok(()) if self.sums != before => Ok(()),
            _ => Err(error),
        }
    }

    /// Gives back the space of a file that is much longer than its values need: at the opening, and once much of what
    /// was kept is gone. What is freed otherwise is used again first. A failure costs nothing but the space.
    pub(crate) fn shrink(&mut self) {
        let Ok(len) = self.path.metadata().map(|found| found.len()) else { return };
        // A file that could not be made short enough is left alone until it has grown.
        if len < SHRINK_FROM_BYTES || len / SHRINK_RATIO < self.bytes || len / 2 < self.shrunk_to {
            return;
        }
        let Some(mut database) = self.database.take() else { return };
        match contained(|| database.compact()) {
            Ok(Ok(_)) => self.database = Some(database),
            Ok(Err(_)) | Err(_) => drop(contained(|| drop(database))),
        }
        self.shrunk_to = self.path.metadata().map_or(len, |found| found.len());
    }

    /// Opens the file again: it must hold what it held before, or that and the commit that failed.
    fn reopen(&mut self, after: Sums) -> Result<(), CommitError> {
        let loaded = load(&self.path, false).map_err(|error| match &error.kind {
            crate::OpenErrorKind::Io { error: io, .. } => CommitError::of(Some(io.kind()), error.to_string()),
            _ => CommitError::Other(error.to_string()),
        })?;
        let found = loaded.content.found;
        if found != self.sums && found != after {
            drop(contained(|| drop(loaded.database)));
            return Err(CommitError::Other(format!("{} is no longer what it was", self.path.display())));
        }
        (self.sums, self.bytes) = (found, loaded.content.bytes);
        self.database = Some(loaded.database);
        #[cfg(test)]
        loaded.disk.limit(self.disk.room());
        self.disk = loaded.disk;
        Ok(())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(database) = self.database.take() {
            drop(contained(|| drop(database)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Table;

    fn put(key: u64, bytes: usize) -> Vec<Change> {
        vec![Change::Put(Table::Jobs, key, vec![1; bytes])]
    }

    #[test]
    fn without_room_a_commit_fails_whole_and_the_next_may_succeed() {
        let directory = tempfile::tempdir().unwrap();
        let (mut store, _) = crate::open(directory.path()).unwrap();
        store.commit(&put(1, 10)).unwrap();
        store.disk.limit(store.path().metadata().unwrap().len());
        for key in 2..10 {
            let both = [put(1, 20), put(key, 10 << 20)].concat();
            assert_eq!(store.commit(&both), Err(CommitError::Full));
        }
        // What fits into the file as it is can be added all the while.
        store.commit(&put(2, 10)).unwrap();
        store.disk.limit(u64::MAX);
        store.commit(&put(3, 10 << 20)).unwrap();
        drop(store);
        let (_store, opened) = crate::open(directory.path()).unwrap();
        let lengths: Vec<_> = opened.rows.iter().map(|row| (row.key, row.value.len())).collect();
        assert_eq!(lengths, [(1, 10), (2, 10), (3, 10 << 20)]);
    }

    #[test]
    fn a_file_of_which_most_is_gone_gets_short_again() {
        let directory = tempfile::tempdir().unwrap();
        let (mut store, _) = crate::open(directory.path()).unwrap();
        let len = |store: &Store| store.path().metadata().unwrap().len();
        for key in 0..30 {
            store.commit(&put(key, 1 << 20)).unwrap();
            store.shrink();
        }
        assert!(len(&store) > 30 << 20, "what is needed stays");
        for key in 1..30 {
            store.commit(&[Change::Delete(Table::Jobs, key)]).unwrap();
            store.shrink();
        }
        assert_eq!(store.bytes, 1 << 20);
        assert!(len(&store) < 2 * SHRINK_FROM_BYTES, "{}", len(&store));
        store.commit(&put(0, 5)).unwrap();
        assert_eq!((store.bytes, store.rows()), (5, 1));
        drop(store);
        let (_store, opened) = crate::open(directory.path()).unwrap();
        assert_eq!(opened.rows.len(), 1);
    }

    #[test]
    fn a_file_that_was_removed_is_noticed_and_taken_back() {
        let directory = tempfile::tempdir().unwrap();
        let (mut store, _) = crate::open(directory.path()).unwrap();
        store.commit(&put(1, 10)).unwrap();
        let beside = directory.path().join("beside");
        std::fs::rename(store.path(), &beside).unwrap();
        for other in [false, true] {
            if other {
                std::fs::write(store.path(), "another one").unwrap();
            }
            let Err(CommitError::Other(why)) = store.commit(&put(2, 10)) else { panic!("it went on") };
            assert!(why.ends_with("jobs.redb was removed or replaced"), "{why}");
        }
        std::fs::rename(&beside, store.path()).unwrap();
        store.commit(&put(2, 10)).unwrap();
        assert_eq!(store.rows(), 2);
    }

    #[test]
    fn a_file_that_somebody_else_changed_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let (mut store, _) = crate::open(directory.path()).unwrap();
        store.commit(&put(1, 10)).unwrap();
        store.disk.limit(0);
        assert_eq!(store.commit(&put(2, 10 << 20)), Err(CommitError::Full));
        if let Some(database) = store.database.take() {
            drop(database);
        }
        // The same file, with what another one holds.
        let other = tempfile::tempdir().unwrap();
        drop(crate::open(other.path()).unwrap());
        std::fs::copy(other.path().join(crate::FILE_NAME), store.path()).unwrap();
        let Err(CommitError::Other(why)) = store.commit(&put(2, 10)) else { panic!("it went on") };
        assert!(why.ends_with("jobs.redb is no longer what it was"), "{why}");
    }
}
