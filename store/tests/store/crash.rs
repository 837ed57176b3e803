//! A process that is killed at any moment: what it said was committed is there.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tally_store::{Change, Table};

use crate::scene::{Numbers, directory, put, value};

const PLACE: &str = "TALLY_STORE_TEST_PLACE";
const TURN: &str = "TALLY_STORE_TEST_TURN";

/// The process that is killed: commits rows and says each commit once it is made. Without the variables it is no test.
#[test]
fn the_one_that_is_killed() {
    let (Ok(place), Ok(turn)) = (std::env::var(PLACE), std::env::var(TURN)) else { return };
    let turn: u64 = turn.parse().unwrap();
    let (mut store, _) = tally_store::open(Path::new(&place)).unwrap();
    let mut out = std::io::stdout().lock();
    let mut numbers = Numbers(turn);
    for step in 0_u64.. {
        let key = numbers.below(40);
        let both = put(Table::Jobs, key, value(Table::Jobs, key, turn << 20 | step));
        let delete = Change::Delete(Table::Progress, key ^ 1);
        let progress = put(Table::Progress, key, value(Table::Progress, key, turn << 20 | step));
        store.commit(&[both, delete, progress]).unwrap();
        if writeln!(out, "did {step}").is_err() {
            return;
        }
    }
}

fn start(place: &Path, turn: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::the_one_that_is_killed", "--nocapture", "--test-threads=1"])
        .env(PLACE, place)
        .env(TURN, turn.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What the store held after each step of a turn that began with `held`.
fn replay(held: &mut BTreeMap<(Table, u64), Vec<u8>>, turn: u64, steps: u64) {
    let mut numbers = Numbers(turn);
    for step in 0..steps {
        let key = numbers.below(40);
        held.insert((Table::Jobs, key), value(Table::Jobs, key, turn << 20 | step));
        held.remove(&(Table::Progress, key ^ 1));
        held.insert((Table::Progress, key), value(Table::Progress, key, turn << 20 | step));
    }
}

#[test]
fn two_hundred_kills_lose_nothing_that_was_said() {
    let place = directory();
    let mut numbers = Numbers(4);
    let mut held = BTreeMap::new();
    let mut unsaid = 0;
    for turn in 0..200 {
        let mut child = start(place.path(), turn);
        let wanted = numbers.below(12);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = 0;
        while said < wanted {
            let line = lines.next().expect("it commits until it is killed").unwrap();
            said += u64::from(line.contains("did "));
        }
        // A moment that no line marks: somewhere in the next commit, or still in the opening.
        for _ in 0..numbers.below(200_000) {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        said += lines.map_while(Result::ok).filter(|line| line.contains("did ")).count() as u64;

        let (_store, opened) = tally_store::open(place.path()).unwrap();
        let found: BTreeMap<_, _> =
            opened.rows.into_iter().map(|row| ((row.table, row.key), row.value)).collect();
        let mut as_said = held.clone();
        replay(&mut as_said, turn, said);
        let mut one_more = held.clone();
        replay(&mut one_more, turn, said + 1);
        assert!(found == as_said || found == one_more, "turn {turn} after {said} commits");
        unsaid += u64::from(found == one_more);
        held = found;
    }
    assert!(unsaid > 0, "some kills come between the commit and its word, or the moments are not random");
}
