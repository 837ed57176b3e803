//! What a commit costs is told in bytes and syncs, never in time.

use std::fs;

use tally_store::{Change, Store, Table};

use crate::scene::{directory, file, open, put};

/// Bytes written and syncs for adding one row, a hundred times.
fn cost_of_adding(store: &mut Store, first: u64) -> (u64, u64) {
    let before = store.cost();
    for key in first..first + 100 {
        store.commit(&[put(Table::Jobs, key, [7; 200])]).unwrap();
    }
    let after = store.cost();
    (after.0 - before.0, after.1 - before.1)
}

#[test]
fn a_job_costs_the_same_beside_a_hundred_thousand() {
    let place = directory();
    let (mut store, _) = open(place.path());
    let (bytes_at_0, syncs_at_0) = cost_of_adding(&mut store, 0);
    for thousand in 1..=100 {
        let rows: Vec<Change> =
            (0..1000).map(|key| put(Table::Jobs, thousand * 1000 + key, [7; 200])).collect();
        store.commit(&rows).unwrap();
    }
    let (bytes, syncs) = cost_of_adding(&mut store, 1_000_000);
    assert_eq!(syncs, syncs_at_0);
    assert!(bytes < bytes_at_0 * 2, "{bytes_at_0} bytes for 100 rows beside none, {bytes} beside 100,000");
    assert!(bytes < 100 * 100_000, "{bytes} bytes for 100 rows: the file is written whole?");
}

#[test]
fn churn_does_not_make_the_file_grow() {
    let place = directory();
    let (mut store, _) = open(place.path());
    let mut size_early = 0;
    for turn in 0..1000_u64 {
        // Fifty cycles in a commit: a row of progress that grows, and goes.
        let mut changes = Vec::new();
        for key in 0..50 {
            changes.push(put(Table::Progress, turn * 50 + key, vec![1; 100]));
            changes.push(put(Table::Progress, turn * 50 + key, vec![2; 900]));
            if turn > 0 {
                changes.push(Change::Delete(Table::Progress, (turn - 1) * 50 + key));
            }
        }
        store.commit(&changes).unwrap();
        if turn == 20 {
            size_early = fs::metadata(file(place.path())).unwrap().len();
        }
    }
    let size = fs::metadata(file(place.path())).unwrap().len();
    assert!(size <= size_early * 2, "{size_early} bytes after 1,000 cycles, {size} after 50,000");
    drop(store);
    assert_eq!(open(place.path()).1.len(), 50);
}

#[test]
fn a_store_that_was_big_becomes_small_again() {
    let place = directory();
    let (mut store, _) = open(place.path());
    for thousand in 0..20 {
        let rows: Vec<Change> =
            (0..1000).map(|key| put(Table::Jobs, thousand * 1000 + key, [7; 500])).collect();
        store.commit(&rows).unwrap();
    }
    let big = fs::metadata(file(place.path())).unwrap().len();
    for thousand in 0..20 {
        let rows: Vec<Change> =
            (0..1000).map(|key| Change::Delete(Table::Jobs, thousand * 1000 + key)).collect();
        store.commit(&rows).unwrap();
    }
    for _ in 0..20 {
        store.commit(&[put(Table::Jobs, 1, "x")]).unwrap();
    }
    drop(store);
    drop(open(place.path()));
    let small = fs::metadata(file(place.path())).unwrap().len();
    println!("{big} bytes with 20,000 rows, {small} with one");
    assert!(small < big / 2, "{big} bytes with 20,000 rows, {small} with one");
}
