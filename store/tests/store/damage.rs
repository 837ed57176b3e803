//! Files that are cut and flipped: each is opened with every row right, or with a note, or refused; never a wrong row,
//! never a panic, and never a change of a file that was refused.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tally_store::{Change, OpenErrorKind, Opened, Row, Table};

use crate::scene::{Numbers, directory, directory_in_memory, file, open, put, value};

/// A store of a few hundred rows with a history of changes, closed or killed.
fn specimen(closed: bool) -> (Vec<u8>, BTreeSet<Row>) {
    let place = directory();
    let (mut store, _) = open(place.path());
    let mut numbers = Numbers(1);
    for turn in 0..60 {
        let mut changes: Vec<Change> = (0..10)
            .map(|_| {
                let table = Table::ALL[usize::try_from(numbers.below(4)).unwrap()];
                let key = numbers.below(60);
                put(table, key, value(table, key, turn))
            })
            .collect();
        changes.push(Change::Delete(Table::Progress, numbers.below(60)));
        store.commit(&changes).unwrap();
    }
    let killed = fs::read(file(place.path())).unwrap();
    drop(store);
    let bytes = if closed { fs::read(file(place.path())).unwrap() } else { killed };
    (bytes, open(place.path()).1.into_iter().collect())
}

#[derive(Debug, Default)]
struct Tally {
    right: u32,
    noted: u32,
    lost_rows: u32,
    refused: u32,
}

/// Opens one damaged copy and judges what comes of it.
fn judge(bytes: &[u8], rows: &BTreeSet<Row>, what: &str, tally: &mut Tally) {
    let place = directory_in_memory();
    fs::write(file(place.path()), bytes).unwrap();
    match tally_store::open(place.path()) {
        Ok((mut store, Opened { rows: found, notes })) => {
            let found: BTreeSet<Row> = found.into_iter().collect();
            if notes.is_empty() {
                assert!(&found == rows, "{what}: rows are wrong and nothing is said");
                tally.right += 1;
            } else {
                let undone = notes.iter().any(|note| note.ends_with("it is undone"));
                assert!(undone || found.is_subset(rows), "{what}: a wrong row, {notes:?}");
                tally.lost_rows += u32::from(found != *rows);
                tally.noted += 1;
            }
            // What was accepted is a store to go on with.
            store.commit(&[put(Table::Jobs, 1_000_000, "new")]).unwrap_or_else(|why| panic!("{what}: {why}"));
            drop(store);
            let again = tally_store::open(place.path()).unwrap_or_else(|why| panic!("{what}: {why}"));
            assert_eq!(again.1.rows.len(), found.len() + 1, "{what}");
        }
        Err(error) => {
            assert!(
                matches!(
                    error.kind,
                    OpenErrorKind::Damaged { .. } | OpenErrorKind::Foreign | OpenErrorKind::Version { .. }
                ),
                "{what}: {error}"
            );
            assert!(fs::read(file(place.path())).unwrap() == bytes, "{what}: a refused file was changed");
            assert_names(place.path());
            tally.refused += 1;
        }
    }
}

fn assert_names(place: &Path) {
    assert_eq!(fs::read_dir(place).unwrap().count(), 1, "a refused file has no company");
}

#[test]
fn cut_files_are_refused() {
    for closed in [true, false] {
        let (bytes, rows) = specimen(closed);
        let mut tally = Tally::default();
        let mut numbers = Numbers(2);
        let edges = [0, 1, 8, 9, 10, 63, 64, 319, 320, 4095, 4096, 8192, bytes.len() - 1, bytes.len() - 4096];
        let anywhere = (0..120).map(|_| usize::try_from(numbers.below(bytes.len() as u64)).unwrap());
        for len in edges.into_iter().chain(anywhere) {
            judge(&bytes[..len], &rows, &format!("closed {closed}, cut at {len}"), &mut tally);
        }
        assert!(tally.refused > 100, "{tally:?}");
    }
}

#[test]
fn flipped_bits_are_found() {
    for closed in [true, false] {
        let (bytes, rows) = specimen(closed);
        let mut tally = Tally::default();
        let mut numbers = Numbers(3);
        // Where something is: flips in pages of zeros prove little.
        let used: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
        let header = (0..320).map(|at| (at, numbers.below(8)));
        let header: Vec<_> = header.collect();
        let anywhere = (0..400).map(|_| {
            let at = used[usize::try_from(numbers.below(used.len() as u64)).unwrap()];
            (at, numbers.below(8))
        });
        for (at, bit) in header.into_iter().chain(anywhere) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            judge(&flipped, &rows, &format!("closed {closed}, bit {bit} of byte {at}"), &mut tally);
        }
        println!("closed {closed}: {tally:?}");
        assert!(tally.right > 0 && tally.refused > 0, "{tally:?}");
        assert!(!closed || tally.lost_rows > 0, "{tally:?}");
    }
}

#[test]
fn a_flip_in_a_value_costs_that_row_and_says_which() {
    let place = directory();
    let (mut store, _) = open(place.path());
    let marked = |key: u64| format!("the row with the number {key}, and a text that is found again");
    store.commit(&(0..30).map(|key| put(Table::Jobs, key, marked(key))).collect::<Vec<_>>()).unwrap();
    drop(store);
    let mut bytes = fs::read(file(place.path())).unwrap();
    let wanted = marked(17).into_bytes();
    let places: Vec<usize> =
        (0..bytes.len() - wanted.len()).filter(|at| bytes[*at..].starts_with(&wanted)).collect();
    for at in places {
        bytes[at + 9] ^= 4;
    }
    fs::write(file(place.path()), &bytes).unwrap();
    let (store, Opened { rows, notes }) = tally_store::open(place.path()).unwrap();
    assert_eq!(rows.len(), 29);
    assert!(rows.iter().all(|row| row.key != 17 && row.value == marked(row.key).into_bytes()));
    assert!(notes[0].contains(&file(place.path()).display().to_string()), "{notes:?}");
    assert_eq!(notes[1..], ["row 17 of jobs was damaged and is lost"]);
    drop(store);
    let kept = place.path().join("jobs.redb.damaged-1");
    assert!(fs::read(kept).unwrap() == bytes, "the damaged file is kept as it was");
    assert_eq!(open(place.path()).1.len(), 29, "said once");
}
