//! The book inside the machine: answers, alarms, the store, the end, and another program that goes on.

use tally_protocol::control::Request;
use tally_protocol::locks::LockRequest;

use super::*;
use crate::event::Event;
use crate::settings::Settings;
use crate::tests::{Bench, settings};

const NOTHING: [&str; 0] = [];

fn acquire(name: &str, patience: Patience) -> Request {
    let ask = Acquire { patience, ..Acquire::new(name, EX) };
    Request::Lock(LockRequest::Acquire(Box::new(ask)))
}

/// The fencing numbers in lines about grants.
fn fences(lines: &[String]) -> Vec<u64> {
    let after = |line: &String| {
        let (_, rest) = line.split_once("fence: ")?;
        rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
    };
    lines.iter().filter_map(after).collect()
}

fn whom(lines: &[String]) -> Vec<&str> {
    lines.iter().map(|line| line.split(' ').next().unwrap()).collect()
}

#[test]
fn a_connection_that_ends_lets_the_next_one_in() {
    let mut bench = Bench::new(settings(1));
    assert_eq!(whom(&bench.say(1, acquire("a", Patience::Endless))), ["c1"]);
    assert_eq!(bench.say(2, acquire("a", Patience::Endless)), NOTHING);
    assert!(bench.machine.is_locker(ClientId(1)) && bench.machine.is_locker(ClientId(2)));
    let second = bench.say(2, Request::Ping);
    assert_eq!(second, ["c2 <- refused: could not take a second request before the first is answered"]);
    assert_eq!(whom(&bench.gone(1)), ["c2"]);
    assert!(!bench.machine.is_locker(ClientId(1)));
    assert_eq!(bench.machine.next_deadline(), None, "nothing wakes a daemon for the sake of a lock");
}

#[test]
fn a_timeout_is_an_alarm() {
    let mut bench = Bench::new(settings(1));
    bench.say(1, acquire("a", Patience::Endless));
    assert_eq!(bench.say(2, acquire("a", Patience::Ms(20))), NOTHING);
    assert_eq!(bench.later(19), NOTHING);
    let told = bench.later(1);
    assert!(
        told[0].starts_with("c2 <- refused: could not take lock 'a': it was not free within 20ms"),
        "{told:?}"
    );
    assert_eq!(bench.machine.next_deadline(), None);
}

#[test]
fn numbers_are_in_the_store_before_they_are_out() {
    let settings = Settings { durable: true, wall_ms_at_zero: 1_000, ..settings(1) };
    let mut bench = Bench::new(settings.clone());
    assert_eq!(bench.actions(), ["record 1: ids"]);
    bench.recorded(1);
    assert_eq!(bench.say(1, acquire("a", Patience::Endless)), ["record 2: fences"]);
    assert_eq!(
        bench.say(2, acquire("a", Patience::None)),
        ["c2 <- refused: could not take lock 'a': a process of user 0 waits for it"]
    );
    let told = bench.recorded(2);
    assert_eq!(fences(&told), [1_000_000]);
    // The next daemon, with a clock that was set back, goes on behind all that may have been given out.
    let mut next = bench.restarted(Settings { wall_ms_at_zero: 0, ..settings.clone() });
    next.actions();
    next.say(1, acquire("a", Patience::Endless));
    let told = next.recorded(2);
    assert_eq!(fences(&told), [1_000_000 + limits::FENCES_AHEAD]);
    // One whose clock has gone on begins there.
    let mut later = bench.restarted(Settings { wall_ms_at_zero: 2_000_000, ..settings });
    later.actions();
    later.say(1, acquire("a", Patience::Endless));
    assert_eq!(fences(&later.recorded(2)), [2_000_000_000]);
}

#[test]
fn a_store_that_refuses_does_not_stop_the_locks() {
    let mut bench = Bench::new(Settings { durable: true, wall_ms_at_zero: 1_000, ..settings(1) });
    bench.actions();
    bench.recorded(1);
    assert_eq!(bench.say(1, acquire("a", Patience::Endless)), ["record 2: fences"]);
    assert_eq!(fences(&bench.refused(2, "no space left on device")), [1_000_000]);
    bench.later(5_000);
    assert_eq!(bench.say(2, acquire("b", Patience::Endless)).len(), 1);
}

#[test]
fn who_waits_hears_of_the_end() {
    let mut bench = Bench::new(settings(1));
    bench.say(1, acquire("a", Patience::Endless));
    bench.say(2, acquire("a", Patience::Endless));
    let told = bench.event(Event::StopRequested);
    assert_eq!(told, ["c2 <- refused: could not take lock 'a': the daemon is stopping", "exit"]);
}

#[test]
fn locks_go_on_while_the_daemon_drains() {
    let mut bench = Bench::new(settings(1));
    bench.submit(9, crate::tests::request("0..10", 1));
    bench.event(Event::StopRequested);
    assert_eq!(whom(&bench.say(1, acquire("a", Patience::Endless))), ["c1"]);
    assert_eq!(bench.say(2, acquire("a", Patience::Endless)), NOTHING);
    assert_eq!(whom(&bench.gone(1)), ["c2"]);
}

#[test]
fn another_program_goes_on_where_this_one_stops() {
    let mut bench = Bench::new(settings(1));
    let first = fences(&bench.say(1, acquire("a", Patience::Endless)));
    bench.say(2, acquire("a", Patience::Endless));
    bench.event(Event::HandingOver { locks: true });
    assert_eq!(bench.event(Event::StopRequested), ["exit"], "nobody is sent away");
    let handed = bench.machine.hand_over_locks();

    let mut next = Bench::new(settings(1));
    let who = Who { uid: 5, rights: Rights::Own };
    for client in [1, 2] {
        next.event(Event::ClientCame { client: ClientId(client), who });
    }
    assert_eq!(next.event(Event::TakingOver(Box::new(handed))), NOTHING);
    assert!(next.machine.is_locker(ClientId(1)) && next.machine.is_locker(ClientId(2)));
    let told = next.gone(1);
    assert_eq!(whom(&told), ["c2"]);
    assert!(fences(&told) > first);
}

#[test]
fn who_waits_over_an_upgrade_gets_a_number_from_the_next_program() {
    let durable = || Settings { durable: true, wall_ms_at_zero: 1_000, ..settings(1) };
    let mut bench = Bench::new(durable());
    bench.recorded(1);
    bench.say(1, acquire("a", Patience::Endless));
    let first = fences(&bench.recorded(2));
    bench.say(2, acquire("a", Patience::Endless));
    let handed = bench.machine.hand_over_locks();

    let mut next = Bench::new(durable());
    next.recorded(1);
    for client in [1, 2] {
        next.event(Event::ClientCame { client: ClientId(client), who: Who { uid: 5, rights: Rights::Own } });
    }
    assert_eq!(
        next.event(Event::TakingOver(Box::new(handed))),
        ["record 2: fences"],
        "nobody else asks for them"
    );
    assert_eq!(next.gone(1), NOTHING, "its number is not reserved yet");
    let told = next.recorded(2);
    assert_eq!(whom(&told), ["c2"]);
    assert!(fences(&told) > first);
}

#[test]
fn who_waits_for_the_store_alone_is_not_in_its_own_way() {
    let mut bench = Bench::new(Settings { durable: true, wall_ms_at_zero: 1_000, ..settings(1) });
    bench.recorded(1);
    bench.say(1, acquire("a", Patience::Ms(20)));
    let told = bench.later(20);
    let why = "it was not free within 20ms: the store has not answered yet";
    assert!(told.contains(&format!("c1 <- refused: could not take lock 'a': {why}")), "{told:?}");
}
