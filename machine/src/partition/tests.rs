//! Pieces: how they are cut, charged, bisected and forgiven.

use super::*;

const ANNA: WorkerId = WorkerId(1);
const NEVER: Moment = Moment(u64::MAX);

fn cut_all(work: &mut Work, size: u64) -> Vec<(u64, u64)> {
    let mut pieces = Vec::new();
    while let Some(taken) = work.take(size, ANNA, NEVER) {
        pieces.push((taken.position, taken.count));
        work.check();
    }
    pieces
}

#[test]
fn equal_pieces_differ_by_one_at_most() {
    assert_eq!(cut_all(&mut Work::new(10, Some(4)), 0), [(0, 3), (3, 3), (6, 2), (8, 2)]);
    assert_eq!(cut_all(&mut Work::new(3, Some(7)), 0), [(0, 1), (1, 1), (2, 1)]);
    assert_eq!(cut_all(&mut Work::new(0, Some(7)), 0), []);
    for elements in [1, 2, 7, 100, 101] {
        for pieces in 1..=20 {
            let cut = cut_all(&mut Work::new(elements, Some(pieces)), 0);
            assert_eq!(cut.len() as u64, pieces.min(elements));
            assert_eq!(cut.iter().map(|(_, count)| count).sum::<u64>(), elements);
            let sizes = cut.iter().map(|&(_, count)| count);
            assert!(sizes.clone().max().unwrap() - sizes.min().unwrap() <= 1);
        }
    }
}

#[test]
fn the_most_partitions_cost_nothing_before_they_are_cut() {
    let mut work = Work::new(u64::MAX, Some(1 << 32));
    assert_eq!(work.waiting(1), 1 << 32);
    let first = work.take(1, ANNA, NEVER).unwrap();
    assert_eq!((first.partition, first.position, first.count), (PartitionId(0), 0, 1 << 32));
    assert_eq!(work.waiting(1), (1 << 32) - 1);
    work.check();
}

#[test]
fn measured_pieces_have_the_size_asked_for() {
    let mut work = Work::new(10, None);
    assert_eq!(work.waiting(4), 3);
    assert_eq!(cut_all(&mut work, 4), [(0, 4), (4, 4), (8, 2)]);
}

#[test]
fn attempts_count_up_and_only_the_current_one_holds() {
    let mut work = Work::new(4, Some(1));
    let first = work.take(0, ANNA, NEVER).unwrap();
    assert_eq!(first.attempt, Attempt(1));
    work.give_back(first.partition);
    assert!(work.held_by(first.partition, Attempt(1), ANNA).is_none());
    let second = work.take(0, ANNA, NEVER).unwrap();
    assert_eq!(second.attempt, Attempt(2));
    assert!(work.held_by(second.partition, Attempt(1), ANNA).is_none());
    assert!(work.held_by(second.partition, Attempt(2), WorkerId(9)).is_none());
    assert!(work.held_by(second.partition, Attempt(2), ANNA).is_some());
    assert!(work.accept(second.partition));
    assert!(!work.accept(second.partition), "accepted twice");
    assert!(work.is_done());
}

/// Kills a worker each time a piece holds `poison`, until a verdict falls.
fn hunt(elements: u64, poison: u64, retries: u32) -> (Verdict, u32, Work) {
    let mut work = Work::new(elements, Some(1));
    for deaths in 1.. {
        let taken = loop {
            let taken = work.take(0, ANNA, NEVER).unwrap();
            if (taken.position..taken.position + taken.count).contains(&poison) {
                break taken;
            }
            assert!(work.accept(taken.partition));
        };
        let verdict = work.charge(taken.partition, retries);
        work.check();
        if verdict != Verdict::Again {
            return (verdict, deaths, work);
        }
    }
    unreachable!("a poison is always found")
}

#[test]
fn a_poison_is_bisected_down_to_one_element() {
    let convicted = |position, deaths| Verdict::Convicted { position, count: 1, deaths };
    let (verdict, deaths, work) = hunt(16, 5, 3);
    assert_eq!(verdict, convicted(5, 3));
    assert_eq!(deaths, 3 + 3 + 3, "three of the whole, one each of 8, 4 and 2, three of the element");
    assert!(work.covered() >= 8, "the innocent halves that came first are kept: {}", work.covered());
    assert_eq!(hunt(16, 15, 1).0, convicted(15, 1));
    assert_eq!(hunt(1, 0, 3), hunt_of_one());
}

fn hunt_of_one() -> (Verdict, u32, Work) {
    let (_, _, work) = hunt(1, 0, 3);
    (Verdict::Convicted { position: 0, count: 1, deaths: 3 }, 3, work)
}

impl PartialEq for Work {
    fn eq(&self, other: &Self) -> bool {
        self.covered() == other.covered() && self.uncut == other.uncut
    }
}

#[test]
fn no_retries_convict_the_whole_piece() {
    let (verdict, deaths, _) = hunt(16, 5, 0);
    assert_eq!(verdict, Verdict::Convicted { position: 0, count: 16, deaths: 1 });
    assert_eq!(deaths, 1);
}

#[test]
fn what_lies_beyond_a_guilty_piece_waits_until_all_before_it_is_done() {
    for pieces in [Some(8), None] {
        let mut work = Work::new(80, pieces);
        let take = |work: &mut Work| work.take(10, ANNA, NEVER).unwrap();
        let taken: Vec<Taken> = (0..5).map(|_| take(&mut work)).collect();
        work.give_back(taken[4].partition);
        work.give_back(taken[3].partition);
        work.leave_out_from(taken[3].position);
        work.check();
        assert!(!work.has_waiting() && !work.is_done_before_limit());
        assert_eq!(work.leased(), 3);
        assert!(work.accept(taken[0].partition));
        work.give_back(taken[2].partition);
        assert_eq!(take(&mut work).partition, taken[2].partition, "it lies before the guilty one");
        work.give_back(taken[2].partition);
        work.leave_out_from(taken[2].position);
        work.check();
        assert!(work.accept(taken[1].partition) && work.is_done_before_limit());
        work.leave_nothing_out();
        work.check();
        assert_eq!((work.uncut(), work.returned(), work.leased()), (30, 3, 0));
    }
}

#[test]
fn forgiven_pieces_have_all_their_tries_again() {
    let mut work = Work::new(1, Some(1));
    for _ in 0..2 {
        let taken = work.take(0, ANNA, NEVER).unwrap();
        assert_eq!(work.charge(taken.partition, 3), Verdict::Again);
    }
    work.forgive();
    let taken = work.take(0, ANNA, NEVER).unwrap();
    assert_eq!(taken.attempt, Attempt(3), "attempt numbers are never used again");
    assert_eq!(work.charge(taken.partition, 3), Verdict::Again);
}
