//! A disk without room: the commit says so, the store can still be used, and goes on when there is room.

use std::fs;
use std::path::Path;
use std::process::Command;

use tally_store::{Change, CommitError, Table};

use crate::scene::{directory, open, put};

/// A small disk of its own, taken down when dropped.
struct Disk(tempfile::TempDir);

impl Disk {
    /// None where mounting is not allowed.
    fn new(bytes: u64) -> Option<Self> {
        let place = directory();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes},mode=0700"), "tally-test"])
            .arg(place.path())
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            println!("skipped: a small disk cannot be mounted here");
            return None;
        }
        Some(Self(place))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let done = Command::new("umount").arg(self.0.path()).status().is_ok_and(|status| status.success());
        assert!(done || std::thread::panicking(), "the small disk is taken down");
    }
}

#[test]
fn a_full_disk_is_told_and_survived() {
    let Some(disk) = Disk::new(4 << 20) else { return };
    let state = disk.path().join("state");
    let (mut store, _) = open(&state);
    store.commit(&[put(Table::Jobs, 0, "first")]).unwrap();
    let ballast = disk.path().join("ballast");
    // Takes what is left.
    let mut block = 1 << 20;
    let mut taken = Vec::new();
    while block > 0 {
        let longer = [taken.as_slice(), &vec![1; block]].concat();
        if fs::write(&ballast, &longer).is_ok() { taken = longer } else { block /= 2 }
    }
    fs::write(&ballast, &taken).unwrap();

    let mut held = 1;
    let failure = loop {
        match store.commit(&[put(Table::Jobs, held, [3; 3000])]) {
            Ok(()) => held += 1,
            Err(why) => break why,
        }
        assert!(held < 10_000, "the disk never fills");
    };
    assert_eq!(failure, CommitError::Full);
    assert_eq!(failure.to_string(), "write to the store: no space is left on the disk");
    for _ in 0..5 {
        assert_eq!(store.commit(&[put(Table::Jobs, 999_999, vec![3; 300_000])]), Err(CommitError::Full));
    }

    fs::remove_file(&ballast).unwrap();
    store.commit(&[put(Table::Jobs, held, [3; 3000]), Change::Delete(Table::Jobs, 0)]).unwrap();
    drop(store);
    let (_store, rows) = open(&state);
    let keys: Vec<u64> = rows.iter().map(|row| row.key).collect();
    assert_eq!(keys, (1..=held).collect::<Vec<_>>());
}

#[test]
fn a_store_that_is_opened_on_a_full_disk_reads_what_it_has() {
    let Some(disk) = Disk::new(4 << 20) else { return };
    let state = disk.path().join("state");
    let (mut store, _) = open(&state);
    store.commit(&[put(Table::Jobs, 0, "first")]).unwrap();
    drop(store);
    let block = vec![1; 8 << 20];
    assert!(fs::write(disk.path().join("ballast"), &block).is_err());
    let (mut store, rows) = open(&state);
    assert_eq!(rows.len(), 1);
    let full = (1..2000).find_map(|key| store.commit(&[put(Table::Jobs, key, [3; 3000])]).err());
    assert_eq!(full, Some(CommitError::Full));
    drop(store);
    assert!(!open(&state).1.is_empty());
}

#[test]
fn no_store_is_made_where_there_is_no_room() {
    let Some(disk) = Disk::new(256 << 10) else { return };
    assert!(fs::write(disk.path().join("ballast"), vec![1; 1 << 20]).is_err());
    let error = tally_store::open(disk.path()).unwrap_err();
    assert!(error.to_string().ends_with("no storage space"), "{error}");
    assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 1, "{error}");
    fs::remove_file(disk.path().join("ballast")).unwrap();
}
