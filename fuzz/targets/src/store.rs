//! The file of the store, damaged: refused as it is, or opened with rows that were written, and never a hang or a panic.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::OnceLock;

use tally_store::{Change, FILE_NAME, OpenErrorKind, Row, Table};
use tempfile::TempDir;

use crate::feed::Feed;

/// A good file, closed or killed, and the rows that are or were in it.
struct Specimen {
    files: [Vec<u8>; 2],
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
        let read = || fs::read(place.path().join(FILE_NAME)).expect("the file is there");
        let killed = read();
        drop(store);
        Specimen { files: [read(), killed], rows }
    })
}

/// In memory: thousands are opened.
fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory")
}

/// Bytes of which a file is written: where all are zeros it has a hole, which costs nothing to write and to read.
const BLOCK_BYTES: usize = 4096;

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = File::create(path)?;
    file.set_len(bytes.len() as u64)?;
    for (at, block) in bytes.chunks(BLOCK_BYTES).enumerate() {
        if block != &[0; BLOCK_BYTES][..block.len()] {
            file.write_all_at(block, (at * BLOCK_BYTES) as u64)?;
        }
    }
    Ok(())
}

/// Room for a file before and after, which is used again: each is a megabyte.
#[derive(Default)]
struct Room {
    given: Vec<u8>,
    found: Vec<u8>,
}

thread_local! {
    static ROOM: RefCell<Room> = RefCell::default();
}

/// What is done to a good file: a byte that says which, then changes of single bytes, of runs, and cuts. Of a first byte of
/// 255 the rest is the file.
pub fn run(bytes: &[u8]) {
    let mut feed = Feed::new(bytes);
    let which = feed.byte();
    ROOM.with_borrow_mut(|room| judge(which, &mut feed, room));
}

fn judge(which: u8, feed: &mut Feed<'_>, room: &mut Room) {
    let specimen = specimen();
    let foreign = which == 255;
    let file = &mut room.given;
    file.clear();
    file.extend_from_slice(if foreign { feed.rest() } else { &specimen.files[usize::from(which & 1)] });
    while !feed.is_empty() {
        damage(file, feed);
    }
    // One for each: what is kept of a damaged file is kept under another name.
    let place = directory();
    let path = place.path().join(FILE_NAME);
    write(&path, file).expect("there is room");
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
            room.found.clear();
            File::open(&path).and_then(|mut file| file.read_to_end(&mut room.found)).expect("it is there");
            assert!(room.found == *file, "a refused file was changed");
        }
    }
}

fn damage(file: &mut Vec<u8>, feed: &mut Feed<'_>) {
    if file.is_empty() {
        feed.rest();
        return;
    }
    let how = feed.byte();
    // Most of the file is zeros: the header and the first pages are where something is.
    let near = [512, 8192, 65536, file.len()][usize::from(how >> 2 & 3)].min(file.len());
    let at = usize::try_from(feed.below(near as u64)).expect("it is in the file");
    match how & 3 {
        0 => file[at] ^= feed.byte() | 1,
        1 => {
            let bytes = feed.take(8);
            let end = file.len().min(at + bytes.len());
            file[at..end].copy_from_slice(&bytes[..end - at]);
        }
        2 => {
            let end = file.len().min(at + (usize::from(feed.byte()) << 4));
            file[at..end].fill(0);
        }
        _ if how & 16 != 0 => file.truncate(at),
        _ => file[at] = feed.byte(),
    }
}
