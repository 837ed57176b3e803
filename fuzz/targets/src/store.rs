//! The file of the store, damaged: refused as it is, or opened with rows that were written, and never a hang or a panic.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::sync::OnceLock;

use tally_store::{Change, FILE_NAME, OpenErrorKind, Row, Table};
use tempfile::TempDir;

use crate::feed::Feed;
use crate::sparse::Sparse;

/// A good file, closed or killed, and the rows that are or were in it.
struct Specimen {
    files: [Sparse; 2],
    rows: BTreeSet<Row>,
}

fn specimen() -> &'static Specimen {
    static MADE: OnceLock<Specimen> = OnceLock::new();
    MADE.get_or_init(|| {
        let place = directory();
        let (mut store, _) = tally_store::open(place.path()).expect("a new store");
        let mut rows = BTreeSet::new();
        for turn in 0..12_u64 {
            let changes: Vec<Change> = (0..6)
                .map(|at| {
                    let table = Table::ALL[usize::try_from((turn + at) % 4).expect("small")];
                    let (key, value) =
                        (turn * 7 % 11 + at, format!("{turn} {at} {}", "x".repeat(30)).into_bytes());
                    rows.insert(Row { table, key, value: value.clone() });
                    Change::Put(table, key, value)
                })
                .collect();
            store.commit(&changes).expect("there is room");
        }
        let read = || Sparse::of(&fs::read(place.path().join(FILE_NAME)).expect("the file is there"));
        let killed = read();
        drop(store);
        Specimen { files: [read(), killed], rows }
    })
}

/// Where files are in memory: millions are opened.
const IN_MEMORY: &str = "/dev/shm";

fn directory() -> TempDir {
    tempfile::tempdir_in(IN_MEMORY).or_else(|_| tempfile::tempdir()).expect("a directory")
}

/// What is done to a good file: a byte that says which, then changes of single bytes, of runs, and cuts. Of a first byte of
/// 255 the rest is the file.
pub fn run(bytes: &[u8]) {
    let mut feed = Feed::new(bytes);
    let which = feed.byte();
    let specimen = specimen();
    let foreign = which == 255;
    let mut file =
        if foreign { Sparse::of(feed.rest()) } else { specimen.files[usize::from(which & 1)].clone() };
    while !feed.is_empty() {
        damage(&mut file, &mut feed);
    }
    // One for each: what is kept of a damaged file is kept under another name.
    let place = directory();
    let path = place.path().join(FILE_NAME);
    let written = File::create(&path).and_then(|made| {
        file.write(&made)?;
        made.metadata()
    });
    let blocks = written.expect("there is room").blocks();
    match tally_store::open(place.path()) {
        Ok((mut store, opened)) => {
            let known = |row: &Row| foreign || specimen.rows.contains(row);
            assert!(opened.rows.iter().all(known), "a row that nobody wrote");
            let row = Change::Put(Table::Jobs, 1_000_000, b"new".to_vec());
            store.commit(&[row]).expect("what was opened is a store to go on with");
            drop(store);
            let again = tally_store::open(place.path()).expect("it opens again").1;
            assert_eq!(again.rows.len(), opened.rows.iter().filter(|row| row.key != 1_000_000).count() + 1);
        }
        Err(error) => {
            let kind = &error.kind;
            let expected = matches!(
                kind,
                OpenErrorKind::Damaged { .. } | OpenErrorKind::Foreign | OpenErrorKind::Version { .. }
            );
            assert!(expected, "{error}");
            assert!(!error.to_string().contains('\n'), "one line: {error}");
            let found = File::open(&path).expect("it is there");
            let in_memory = path.starts_with(IN_MEMORY);
            assert!(file.is_in(&found, blocks, in_memory).expect("it is read"), "a refused file was changed");
        }
    }
}

fn damage(file: &mut Sparse, feed: &mut Feed<'_>) {
    if file.is_empty() {
        feed.rest();
        return;
    }
    let how = feed.byte();
    // Most of the file is zeros: the header and the first pages are where something is.
    let near = [512, 8192, 65536, file.len()][usize::from(how >> 2 & 3)].min(file.len());
    let at = usize::try_from(feed.below(near as u64)).expect("it is in the file");
    match how & 3 {
        0 => *file.byte(at) ^= feed.byte() | 1,
        1 => {
            let (end, bytes) = (file.len(), feed.take(8));
            bytes.iter().zip(at..end).for_each(|(byte, at)| *file.byte(at) = *byte);
        }
        2 => {
            let end = file.len().min(at + (usize::from(feed.byte()) << 4));
            (at..end).for_each(|at| *file.byte(at) = 0);
        }
        _ if how & 16 != 0 => file.truncate(at),
        _ => *file.byte(at) = feed.byte(),
    }
}
