//! Losses of power, in a test: a disk that keeps what was synced, and of what was not any part in any order.
//!
//! A killed process loses nothing that it wrote; a machine without power does. At every step of every commit images of
//! what such a disk may hold are made, and each must open with all that was acknowledged.

use std::io;
use std::ops::Bound;
use std::sync::{Arc, Mutex};

use redb::StorageBackend;

use crate::change::{Change, Row, Table};
use crate::make::builder;
use crate::rows::{Sums, write};

/// The unit that a disk writes whole.
const SECTOR: usize = 512;

#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    synced: Vec<u8>,
    now: Vec<u8>,
    pending: Vec<Step>,
    acknowledged: u64,
    seed: u64,
    images: Vec<(Vec<u8>, u64)>,
}

#[derive(Clone, Debug)]
enum Step {
    Write(usize, Vec<u8>),
    Resize(usize),
}

impl Step {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(at, data) => {
                if bytes.len() < at + data.len() {
                    bytes.resize(at + data.len(), 0);
                }
                bytes[*at..*at + data.len()].copy_from_slice(data);
            }
            Self::Resize(len) => bytes.resize(*len, 0),
        }
    }
}

impl State {
    fn number(&mut self, bound: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % bound
    }

    /// What the disk may hold if the power went now.
    fn imagine(&mut self) {
        let mut image = self.synced.clone();
        let share = [0, 20, 50, 80, 100][usize::try_from(self.number(5)).unwrap()];
        for step in self.pending.clone() {
            match step {
                // The length of a file is the file system's own affair, and its journal keeps the order.
                Step::Resize(_) => step.apply(&mut image),
                Step::Write(at, data) => {
                    for (sector, piece) in data.chunks(SECTOR).enumerate() {
                        let at = at + sector * SECTOR;
                        if self.number(100) < share && at + piece.len() <= image.len() {
                            Step::Write(at, piece.to_vec()).apply(&mut image);
                        }
                    }
                }
            }
        }
        let acknowledged = self.acknowledged;
        self.images.push((image, acknowledged));
    }

    fn step(&mut self, step: Step) {
        step.apply(&mut self.now);
        self.pending.push(step);
        if self.number(6) == 0 {
            self.imagine();
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap();
        out.copy_from_slice(&self.0.lock().unwrap().now[at..at + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.lock().unwrap().step(Step::Resize(usize::try_from(len).unwrap()));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.imagine();
        state.synced = state.now.clone();
        state.pending.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap().step(Step::Write(usize::try_from(offset).unwrap(), data.to_vec()));
        Ok(())
    }

    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, redb::BackendError> {
        Ok(true)
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), redb::BackendError> {
        Ok(())
    }
}

/// The rows after so many commits: each puts one and replaces one, and every third removes one.
fn changes(turn: u64) -> Vec<Change> {
    let byte = u8::try_from(turn % 251).unwrap();
    let mut changes = vec![
        Change::Put(Table::Jobs, turn, vec![byte; 150]),
        Change::Put(Table::Progress, turn % 7, vec![byte; 700]),
    ];
    if turn % 3 == 2 {
        changes.push(Change::Delete(Table::Jobs, turn - 2));
    }
    changes
}

fn rows_after(turns: u64) -> Vec<Row> {
    let mut rows = std::collections::BTreeMap::new();
    for change in (0..turns).flat_map(changes) {
        match change {
            Change::Put(table, key, value) => drop(rows.insert((table, key), value)),
            Change::Delete(table, key) => drop(rows.remove(&(table, key))),
        }
    }
    rows.into_iter().map(|((table, key), value)| Row { table, key, value }).collect()
}

#[test]
fn what_was_acknowledged_survives_a_loss_of_power() {
    let disk = Disk::default();
    let mut sums = Sums::default();
    {
        // The new file is put in its place only when it is whole.
        let database = builder().create_with_backend(disk.clone()).unwrap();
        write(&database, &[], (&mut sums, &mut 0), true).unwrap();
    }
    disk.0.lock().unwrap().images.clear();
    let place = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let database = builder().create_with_backend(disk.clone()).unwrap();
    let mut opened = 0;
    for turn in 0..60 {
        write(&database, &changes(turn), (&mut sums, &mut 0), false).unwrap();
        let mut state = disk.0.lock().unwrap();
        state.acknowledged = turn + 1;
        state.imagine();
        let images = std::mem::take(&mut state.images);
        drop(state);
        for (image, acknowledged) in images {
            std::fs::write(place.path().join(crate::FILE_NAME), &image).unwrap();
            let (store, found) =
                crate::open(place.path()).unwrap_or_else(|why| panic!("after {acknowledged} commits: {why}"));
            drop(store);
            let fits = found.rows == rows_after(acknowledged) || found.rows == rows_after(acknowledged + 1);
            assert!(fits, "after {acknowledged} commits: {} rows, {:?}", found.rows.len(), found.notes);
            opened += 1;
        }
    }
    assert!(opened > 200, "{opened} images were opened");
}
