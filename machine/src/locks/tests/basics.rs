//! The rules one by one.

use super::*;

const NOTHING: [&str; 0] = [];

#[test]
fn first_come_first_served() {
    let mut desk = Desk::new();
    assert_eq!(desk.ask(1, "a", EX), ["c1 has a #1"]);
    assert_eq!(desk.ask(2, "a", EX), NOTHING);
    assert_eq!(desk.ask(3, "a", EX), NOTHING);
    assert_eq!(desk.ask(4, "b", EX), ["c4 has b #2"]);
    assert_eq!(desk.release(1, 1), ["c2 has a #3"]);
    assert_eq!(desk.gone(2), ["c3 has a #4"]);
    assert_eq!(desk.release(3, 4), NOTHING);
    assert!(desk.locks.list(desk.at, user(1000)).iter().all(|lock| lock.name == "b"));
    assert_eq!(desk.gone(4), NOTHING);
    assert!(desk.locks.resources.is_empty(), "a name that nobody holds is not kept");
}

#[test]
fn readers_share_and_do_not_overtake_a_writer() {
    let mut desk = Desk::new();
    assert_eq!(desk.ask(1, "a", SH), ["c1 has a #1"]);
    assert_eq!(desk.ask(2, "a", SH), ["c2 has a #2"]);
    assert_eq!(desk.ask(3, "a", EX), NOTHING);
    assert_eq!(desk.ask(4, "a", SH), NOTHING, "it stands behind the writer");
    assert_eq!(desk.ask(5, "a", SH), NOTHING);
    assert_eq!(desk.gone(1), NOTHING);
    assert_eq!(desk.gone(2), ["c3 has a #3"]);
    assert_eq!(desk.gone(3), ["c4 has a #4", "c5 has a #5"]);
}

#[test]
fn a_writer_that_goes_lets_the_readers_behind_it_in() {
    let mut desk = Desk::new();
    desk.ask(1, "a", SH);
    desk.ask(2, "a", EX);
    assert_eq!(desk.ask(3, "a", SH), NOTHING);
    assert_eq!(desk.gone(2), ["c3 has a #2"]);
    desk.ask_for(4, "a", EX, 50);
    assert_eq!(desk.ask(5, "a", SH), NOTHING);
    let why =
        "c4: could not take lock 'a': it was not free within 50ms: process 1 (run 1) has it, and one more";
    assert_eq!(desk.later(50), [why, "c5 has a #3"]);
}

#[test]
fn permits_are_counted_and_the_first_of_the_queue_comes_first() {
    let mut desk = Desk::new();
    assert_eq!(desk.ask(1, "s", permits(3, 1)), ["c1 has s #1"]);
    assert_eq!(desk.ask(2, "s", permits(3, 1)), ["c2 has s #2"]);
    assert_eq!(desk.ask(3, "s", permits(3, 2)), NOTHING);
    assert_eq!(desk.ask(4, "s", permits(3, 1)), NOTHING, "one is free and another one waits for two");
    assert_eq!(desk.gone(1), ["c3 has s #3"]);
    assert_eq!(desk.gone(2), ["c4 has s #4"]);
    let wrong = "c5: could not take semaphore 's': it has 3 permits as long as it is in use, not 4";
    assert_eq!(desk.ask(5, "s", permits(4, 1)), [wrong]);
    assert_eq!(desk.ask(5, "s", EX), ["c5 has s #5"], "locks and semaphores have names of their own");
    let list = desk.locks.list(desk.at, user(1000));
    let told: Vec<_> = list.iter().map(|lock| (lock.kind.name(), lock.permits, lock.free)).collect();
    assert_eq!(told, [("lock", None, None), ("semaphore", Some(3), Some(0))]);
}

#[test]
fn who_does_not_wait_hears_who_has_it() {
    let mut desk = Desk::new();
    desk.ask(1, "a", SH);
    assert_eq!(desk.ask_now(2, "a", EX), ["c2: could not take lock 'a': process 1 (run 1) has it"]);
    assert_eq!(desk.ask_now(2, "a", SH), ["c2 has a #2"]);
    desk.ask(3, "a", EX);
    let why = "c4: could not take lock 'a': process 3 (run 3) waits for it";
    assert_eq!(desk.ask_now(4, "a", SH), [why], "it does not overtake");
}

#[test]
fn other_users_command_lines_are_not_told() {
    let mut desk = Desk::new();
    desk.ask(1, "a", EX);
    desk.locks.acquire(
        desk.at,
        ClientId(2),
        user(1001),
        Acquire { patience: Patience::None, ..Desk::request(2, "a", EX) },
    );
    assert_eq!(desk.told(), ["c2: could not take lock 'a': process 1 of user 1000 has it"]);
    let reader = Who { uid: 1001, rights: Rights::Read };
    for (viewer, seen) in [(user(1001), None), (reader, Some("run 1")), (user(1000), Some("run 1"))] {
        let list = desk.locks.list(desk.at, viewer);
        assert_eq!(list[0].holders[0].who.command.as_deref(), seen);
        assert_eq!(list[0].holders[0].who.pid, Some(1));
    }
}

#[test]
fn a_timeout_ends_the_wait_and_nothing_else() {
    let mut desk = Desk::new();
    desk.ask(1, "a", EX);
    desk.ask_for(2, "a", EX, 2_000);
    desk.ask_for(3, "a", EX, 10);
    assert_eq!(
        desk.later(10),
        ["c3: could not take lock 'a': it was not free within 10ms: process 1 (run 1) has it"]
    );
    assert_eq!(desk.gone(1), ["c2 has a #2"]);
    assert_eq!(desk.later(5_000), NOTHING, "who has it waits no more");
    assert_eq!(desk.locks.next_due(), None);
}

#[test]
fn a_grant_that_has_lived_long_enough_is_over() {
    let mut desk = Desk::new();
    assert_eq!(desk.acquire(1, Acquire { ttl_ms: Some(100), ..Desk::request(1, "a", EX) }), ["c1 has a #1"]);
    desk.ask(2, "a", EX);
    assert_eq!(desk.later(99), NOTHING);
    assert_eq!(desk.later(1), ["c2 has a #2"]);
    let late = "could not release 1: this connection holds nothing of that number";
    assert_eq!(desk.release(1, 1), [late]);
    assert_eq!(desk.release(1, 2), ["could not release 2: this connection holds nothing of that number"]);
    assert_eq!(desk.gone(2), NOTHING);
}

#[test]
fn a_connection_may_hold_several_things_and_loses_all_of_them() {
    let mut desk = Desk::new();
    desk.ask(1, "a", EX);
    desk.ask(1, "b", EX);
    desk.ask(2, "b", EX);
    desk.ask(3, "a", EX);
    assert_eq!(desk.gone(1), ["c3 has a #3", "c2 has b #4"]);
}

#[test]
fn there_are_bounds() {
    let mut desk = Desk::new();
    let most = limits::LOCK_HOLDS_PER_CLIENT_MAX as u64;
    for number in 0..most {
        desk.locks.acquire(desk.at, ClientId(1), user(1000), Desk::request(1, &number.to_string(), EX));
    }
    desk.told();
    let why =
        format!("c1: could not take lock 'x': this connection holds {most} already, the most that one can");
    assert_eq!(desk.ask(1, "x", EX), [why]);
    let held = limits::LOCK_HOLDS_PER_USER_MAX as u64;
    for number in most..held {
        let client = 2 + number / most;
        desk.locks.acquire(
            desk.at,
            ClientId(client),
            user(1000),
            Desk::request(client, &number.to_string(), EX),
        );
    }
    desk.told();
    let why = format!("c99: could not take lock 'x': user 1000 holds {held} already, the most that one can");
    assert_eq!(desk.ask(99, "x", EX), [why]);
    desk.locks.acquire(desk.at, ClientId(99), user(1001), Desk::request(99, "x", EX));
    assert_eq!(desk.told().len(), 1);
    for client in 1_000..1_000 + limits::LOCK_CLIENTS_MAX as u64 {
        desk.locks.acquire(desk.at, ClientId(client), user(1002), Desk::request(client, "q", SH));
    }
    let told = desk.told();
    assert!(told.last().unwrap().ends_with("connections hold or wait for something, the most there can be"));
}

#[test]
fn an_order_that_contradicts_another_is_warned_of() {
    let mut desk = Desk::new();
    let grant = |desk: &mut Desk, client, name, want| {
        desk.locks.acquire(desk.at, ClientId(client), user(1000), Desk::request(client, name, want));
        only(&mut desk.locks).unwrap()
    };
    assert_eq!(grant(&mut desk, 1, "a", EX).warnings, NOTHING);
    assert_eq!(grant(&mut desk, 1, "b", EX).warnings, NOTHING);
    desk.gone(1);
    desk.later(5_000);
    assert_eq!(grant(&mut desk, 2, "b", EX).warnings, NOTHING);
    let warned = "lock 'a' is taken here while lock 'b' is held, and elsewhere lock 'b' while lock 'a' is held (last by process 1 (run 1), 5 s ago): two such commands at once can be a deadlock";
    assert_eq!(grant(&mut desk, 2, "a", EX).warnings, [warned]);
    desk.gone(2);
    let seen = desk.locks.inversions();
    assert_eq!(seen[0].names, ["lock 'a'", "lock 'b'"]);
    // Around three names, and from a command under another one.
    for (client, first, second) in [(3, "x", "y"), (4, "y", "z")] {
        grant(&mut desk, client, first, EX);
        assert_eq!(grant(&mut desk, client, second, EX).warnings, NOTHING);
        desk.gone(client);
    }
    grant(&mut desk, 5, "z", EX);
    assert_eq!(desk.ask_within(6, 5, "x", EX).len(), 1);
    let names: Vec<_> = desk.locks.inversions().into_iter().map(|seen| seen.names).collect();
    assert_eq!(names[1..], [["lock 'x'", "lock 'y'", "lock 'z'"].map(str::to_owned).to_vec()]);
}

#[test]
fn readers_alone_are_not_warned_and_neither_is_who_does_not_wait() {
    let mut desk = Desk::new();
    for (client, first, second) in [(1, "a", "b"), (2, "b", "a")] {
        desk.ask(client, first, SH);
        desk.ask(client, second, SH);
        desk.gone(client);
    }
    for (client, first, second) in [(3, "x", "y"), (4, "y", "x")] {
        desk.ask(client, first, EX);
        desk.ask_now(client, second, EX);
        desk.gone(client);
    }
    assert_eq!(desk.locks.inversions(), []);
}

#[test]
fn what_was_seen_of_orders_is_bounded() {
    let mut desk = Desk::new();
    desk.ask(1, "first", EX);
    for number in 0..limits::LOCK_ORDERS_MAX + 10 {
        let told = desk.ask(1, &number.to_string(), EX);
        assert_eq!(told.len(), 1);
        desk.release(1, number as u64 + 2);
    }
    desk.gone(1);
    desk.ask(2, "0", EX);
    desk.ask(2, "first", EX);
    assert_eq!(desk.locks.inversions(), [], "the oldest pair is forgotten");
    desk.ask(3, "4000", EX);
    desk.ask(3, "first", EX);
    assert_eq!(desk.locks.inversions().len(), 1, "the list knows though c3 still waits");
}

#[test]
fn another_program_goes_on_with_the_book() {
    let mut desk = Desk::new();
    desk.ask(1, "a", EX);
    desk.ask_within(2, 1, "b", SH);
    desk.ask_for(3, "a", EX, 10_000);
    desk.ask(4, "s", permits(2, 2));
    desk.ask(5, "s", permits(2, 1));
    desk.acquire(6, Acquire { ttl_ms: Some(5_000), ..Desk::request(6, "t", EX) });
    desk.later(1_000);
    let handed = desk.locks.hand_over(desk.at);
    let before = desk.locks.list(desk.at, user(1000));

    let mut next = Desk::new();
    next.at = Stamp { now: Moment(7), wall_ms: desk.at.wall_ms };
    next.locks.take_over(next.at, handed, |_| Some(1000));
    assert_eq!(next.told(), NOTHING);
    assert_eq!(next.locks.list(next.at, user(1000)), before);
    // Tokens, parents, queues, numbers and alarms are as they were.
    assert_eq!(next.ask_within(7, 1, "c", EX), ["c7 has c #5"]);
    assert!(next.ask_within(8, 3, "a", EX)[0].contains("a deadlock of 1 wait"));
    assert_eq!(next.later(4_000), NOTHING);
    assert_eq!(next.ask(9, "t", EX), ["c9 has t #6"]);
    assert!(next.later(5_000)[0].starts_with("c3: could not take lock 'a': it was not free within 10s"));
    assert_eq!(next.gone(4), ["c5 has s #7"]);
}

#[test]
fn what_was_handed_over_and_does_not_fit_is_left_out() {
    let mut desk = Desk::new();
    desk.ask(1, "a", EX);
    desk.ask(2, "a", EX);
    let mut handed = desk.locks.hand_over(desk.at);
    // Two who exclude each other, a number from the future, a circle of parents, and a connection that is not there.
    let mut twice = handed.resources[0].holders[0];
    twice.client = ClientId(2);
    handed.resources[0].holders.push(twice);
    handed.resources[0].holders[0].fence = 99;
    handed.parties[0].parent = Some(ClientId(2));
    handed.parties[1].parent = Some(ClientId(1));
    let mut next = Desk::new();
    next.locks.take_over(next.at, handed, |client| (client != ClientId(7)).then_some(1000));
    next.told();
    next.gone(1);
    next.gone(2);
    assert!(next.locks.resources.is_empty());
}
