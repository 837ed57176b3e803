//! What the tests share: a directory, seeded numbers, and what a store holds.

use std::path::{Path, PathBuf};

use tally_store::{Change, FILE_NAME, Opened, Row, Store, Table};

/// A directory of its own, removed when dropped.
pub(crate) fn directory() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// The same in memory, for tests that open hundreds of files and are about something else than disks.
pub(crate) fn directory_in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| directory())
}

pub(crate) fn file(directory: &Path) -> PathBuf {
    directory.join(FILE_NAME)
}

/// Opens a store that must be whole.
pub(crate) fn open(directory: &Path) -> (Store, Vec<Row>) {
    let (store, Opened { rows, notes }) = tally_store::open(directory).unwrap();
    assert_eq!(notes, Vec::<String>::new());
    (store, rows)
}

pub(crate) fn put(table: Table, key: u64, value: impl AsRef<[u8]>) -> Change {
    Change::Put(table, key, value.as_ref().to_vec())
}

pub(crate) fn row(table: Table, key: u64, value: impl AsRef<[u8]>) -> Row {
    Row { table, key, value: value.as_ref().to_vec() }
}

/// Numbers that are the same in every run (splitmix64).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// A value that tells its row, of 0 to 299 bytes beyond that.
pub(crate) fn value(table: Table, key: u64, turn: u64) -> Vec<u8> {
    let mut numbers = Numbers(key ^ (turn << 32) ^ (table as u64) << 60);
    let mut value = format!("{} {key} {turn} ", table.name()).into_bytes();
    let more = numbers.below(300);
    value.extend((0..more).map(|_| numbers.next().to_le_bytes()[0]));
    value
}
