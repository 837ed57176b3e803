//! Deadlocks: the usual ones by hand, then random worlds against a judge that tries out every order of events.

use std::collections::BTreeMap;

use super::*;
use crate::sim::rng::Rng;

const NOTHING: [&str; 0] = [];

#[test]
fn crosswise_is_refused_with_both_edges() {
    let mut desk = Desk::new();
    desk.ask(1, "a", EX);
    desk.ask(2, "b", EX);
    desk.later(3_000);
    assert_eq!(desk.ask(1, "b", EX), NOTHING);
    desk.later(500);
    desk.locks.acquire(desk.at, ClientId(2), user(1000), Desk::request(2, "a", EX));
    let failure = only(&mut desk.locks).unwrap_err();
    assert_eq!(
        failure.message,
        "could not take lock 'a': a deadlock of 2 waits: process 1 (run 1) has it and waits for lock 'b'"
    );
    assert_eq!((failure.code, failure.exit), (ErrorCode::Deadlock, 9));
    let report = failure.deadlock.unwrap();
    let told: Vec<_> = report
        .edges
        .iter()
        .map(|edge| {
            let held = edge.holds.iter().map(|held| (held.name.as_str(), held.since_ms)).collect::<Vec<_>>();
            (edge.who.pid, edge.who.command.as_deref(), held, (edge.wants.name.as_str(), edge.wants.since_ms))
        })
        .collect();
    assert_eq!(
        told,
        [
            (Some(2), Some("run 2"), vec![("b", 1_000_000)], ("a", 1_003_500)),
            (Some(1), Some("run 1"), vec![("a", 1_000_000)], ("b", 1_003_000)),
        ]
    );
    assert_eq!(desk.locks.deadlocks(user(1000)), [*report]);
    let masked = desk.locks.deadlocks(user(7));
    assert!(masked[0].edges.iter().all(|edge| edge.who.command.is_none() && edge.who.pid.is_some()));
    // It did not wait, so the other one goes on.
    assert_eq!(desk.gone(2), ["c1 has b #3"]);
}

#[test]
fn commands_under_commands_are_one_chain() {
    let mut desk = Desk::new();
    desk.ask(1, "a", EX);
    desk.ask(2, "b", EX);
    assert_eq!(desk.ask_within(11, 1, "b", EX), NOTHING);
    desk.locks.acquire(
        desk.at,
        ClientId(12),
        user(1000),
        Acquire { within: Some(LockToken(2)), ..Desk::request(12, "a", EX) },
    );
    let report = *only(&mut desk.locks).unwrap_err().deadlock.unwrap();
    let told: Vec<_> = report
        .edges
        .iter()
        .map(|edge| (edge.who.pid, edge.holds[0].pid, edge.holds[0].name.as_str(), edge.wants.name.as_str()))
        .collect();
    assert_eq!(told, [(Some(12), Some(2), "b", "a"), (Some(11), Some(1), "a", "b")]);
    // Without the token they would be strangers, and wait.
    assert_eq!(desk.ask(13, "a", EX), NOTHING);
    assert_eq!(desk.gone(2), ["c11 has b #3"]);
}

#[test]
fn one_waits_for_itself() {
    let mut desk = Desk::new();
    desk.ask(1, "a", SH);
    let alone = "c1: could not take lock 'a': a deadlock of 1 wait: it would wait for itself for ever";
    assert_eq!(desk.ask(1, "a", EX), [alone]);
    assert_eq!(desk.ask(1, "a", SH), ["c1 has a #2"]);
    assert!(desk.ask_within(2, 1, "a", EX)[0].contains("a deadlock of 1 wait"));
    // A reader behind a writer that waits for that same reader.
    assert_eq!(desk.ask(3, "a", EX), NOTHING);
    let told = desk.ask_within(4, 1, "a", SH);
    assert!(
        told[0].contains("process 3 (run 3) is before it in the queue and waits for lock 'a'"),
        "{told:?}"
    );
}

#[test]
fn a_brother_who_works_is_not_in_the_way() {
    let mut desk = Desk::new();
    desk.ask(1, "a", EX);
    desk.ask_within(2, 1, "b", EX);
    desk.ask(3, "c", EX);
    assert_eq!(desk.ask(3, "b", EX), NOTHING);
    // 4 is started under 1 beside 2, which holds b and waits for nothing: it will end, then 3, then 4.
    assert_eq!(desk.ask_within(4, 1, "c", EX), NOTHING);
    assert_eq!(desk.gone(2), ["c3 has b #4"]);
    assert_eq!(desk.gone(3), ["c4 has c #5"]);
}

#[test]
fn a_cycle_of_fifty_is_told_in_order() {
    let mut desk = Desk::new();
    for client in 0..50 {
        desk.ask(client, &format!("l{client}"), EX);
    }
    for client in 0..49 {
        assert_eq!(desk.ask(client, &format!("l{}", client + 1), EX), NOTHING);
    }
    desk.locks.acquire(desk.at, ClientId(49), user(1000), Desk::request(49, "l0", EX));
    let report = *only(&mut desk.locks).unwrap_err().deadlock.unwrap();
    assert_eq!(report.edges.len(), 50);
    for (at, edge) in report.edges.iter().enumerate() {
        let next = &report.edges[(at + 1) % 50];
        assert_eq!(edge.wants.name, next.holds[0].name);
    }
}

#[test]
fn permits_are_a_deadlock_only_if_all_of_their_holders_wait() {
    let mut desk = Desk::new();
    desk.ask(1, "s", permits(2, 1));
    desk.ask(2, "s", permits(2, 1));
    desk.ask(3, "a", EX);
    assert_eq!(desk.ask(1, "a", EX), NOTHING);
    assert_eq!(desk.ask(3, "s", permits(2, 1)), NOTHING, "2 works and will give its permit back");
    let told = desk.ask(2, "a", EX);
    assert!(told[0].contains("a deadlock of 3 waits"), "{told:?}");
    assert_eq!(desk.gone(2), ["c3 has s #4"]);
    // Both permits at once: one holder that waits is enough.
    let mut desk = Desk::new();
    desk.ask(1, "s", permits(2, 1));
    desk.ask(2, "s", permits(2, 1));
    desk.ask(3, "a", EX);
    desk.ask(1, "a", EX);
    assert!(desk.ask(3, "s", permits(2, 2))[0].contains("a deadlock of 2 waits"));
}

#[test]
fn who_does_not_wait_is_busy_and_no_deadlock() {
    let mut desk = Desk::new();
    desk.ask(1, "a", EX);
    desk.ask(2, "b", EX);
    desk.ask(1, "b", EX);
    assert_eq!(desk.ask_now(2, "a", EX), ["c2: could not take lock 'a': process 1 (run 1) has it"]);
    assert!(desk.ask_for(2, "a", EX, 1)[0].contains("deadlock"), "a time out does not make it better");
}

#[test]
fn the_last_reports_are_kept() {
    let mut desk = Desk::new();
    desk.ask(1, "a", EX);
    desk.ask(2, "b", EX);
    desk.ask(1, "b", EX);
    for _ in 0..limits::DEADLOCKS_KEPT_MAX + 5 {
        desk.later(1);
        desk.ask(2, "a", EX);
    }
    let kept = desk.locks.deadlocks(user(1000));
    assert_eq!(kept.len(), limits::DEADLOCKS_KEPT_MAX);
    assert_eq!(kept.last().unwrap().at_ms, desk.at.wall_ms);
}

/// A world as a judge sees it: nothing but who holds what and who waits where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Plain {
    /// By client: the one it was started under.
    clients: BTreeMap<u64, Option<u64>>,
    /// Client, resource, want.
    holds: Vec<(u64, usize, Want)>,
    /// By resource: client and want, in order.
    queues: [Vec<(u64, Want)>; RESOURCES],
}

const RESOURCES: usize = 4;
/// Kinds of the resources: two locks, two semaphores.
const PERMITS: [Option<u32>; RESOURCES] = [None, None, Some(2), Some(3)];

impl Plain {
    fn fits(&self, resource: usize, want: Want) -> bool {
        let held: Vec<Want> =
            self.holds.iter().filter(|hold| hold.1 == resource).map(|hold| hold.2).collect();
        match want {
            Want::Exclusive => held.is_empty(),
            Want::Shared => !held.contains(&EX),
            Want::Permits { of, take } => {
                let used: u32 = held
                    .iter()
                    .map(|want| match want {
                        Want::Permits { take, .. } => *take,
                        Want::Exclusive | Want::Shared => 0,
                    })
                    .sum();
                used + take <= of
            }
        }
    }

    /// Serves every queue as far as it goes.
    fn serve(&mut self) {
        for resource in 0..RESOURCES {
            while let Some(&(client, want)) = self.queues[resource].first() {
                if !self.fits(resource, want) {
                    break;
                }
                self.queues[resource].remove(0);
                self.holds.push((client, resource, want));
            }
        }
    }

    fn waits(&self, client: u64) -> bool {
        self.queues.iter().flatten().any(|&(waiter, _)| waiter == client)
    }

    /// Who can end by itself: it waits for nothing, and nothing that was started under it is left.
    fn can_end(&self, client: u64) -> bool {
        !self.waits(client) && !self.clients.values().any(|parent| *parent == Some(client))
    }

    fn end(&mut self, client: u64) {
        self.clients.remove(&client);
        self.holds.retain(|hold| hold.0 != client);
        self.serve();
    }

    /// Whether there is any order of events in which this client ends. Every order is tried.
    fn can_ever_end(&self, client: u64, known: &mut BTreeMap<Vec<u64>, bool>) -> bool {
        if !self.clients.contains_key(&client) {
            return true;
        }
        let left: Vec<u64> = self.clients.keys().copied().collect();
        if let Some(&answer) = known.get(&left) {
            return answer;
        }
        let answer = self.clients.keys().copied().filter(|&one| self.can_end(one)).any(|one| {
            let mut next = self.clone();
            next.end(one);
            next.can_ever_end(client, known)
        });
        known.insert(left, answer);
        answer
    }
}

/// What a random run came to.
#[derive(Debug, Default)]
struct Tally {
    waits: u64,
    refused: u64,
    deepest: usize,
}

fn random_want(rng: &mut Rng, resource: usize) -> Want {
    match PERMITS[resource] {
        None if rng.chance(300) => SH,
        None => EX,
        Some(of) => permits(of, u32::try_from(rng.between(1, u64::from(of))).unwrap()),
    }
}

/// Random clients ask, release and go; each wait is let in exactly if the judge says that it can end.
fn run(seed: u64, tally: &mut Tally) {
    let mut rng = Rng::new(seed);
    let mut desk = Desk::new();
    let mut plain = Plain::default();
    let mut fences: BTreeMap<u64, Vec<(u64, usize)>> = BTreeMap::new();
    let mut last = 0;
    for _ in 0..40 {
        let clients: Vec<u64> = plain.clients.keys().copied().collect();
        let able: Vec<u64> = clients.iter().copied().filter(|&client| !plain.waits(client)).collect();
        match rng.below(10) {
            0..=1 if clients.len() < 7 => {
                last += 1;
                let parent =
                    if rng.chance(400) && !clients.is_empty() { Some(rng.pick(&clients)) } else { None };
                plain.clients.insert(last, parent);
                ask(&mut rng, &mut desk, &mut plain, &mut fences, last, seed, tally);
            }
            2..=7 if !able.is_empty() => {
                let client = rng.pick(&able);
                ask(&mut rng, &mut desk, &mut plain, &mut fences, client, seed, tally);
            }
            8 if !able.is_empty() => {
                let client = rng.pick(&able);
                if let Some((fence, resource)) = fences.get_mut(&client).and_then(Vec::pop) {
                    desk.release(client, fence);
                    let at = plain.holds.iter().rposition(|hold| (hold.0, hold.1) == (client, resource));
                    plain.holds.remove(at.unwrap());
                    settle(&mut desk, &mut plain, &mut fences);
                }
            }
            _ => {
                let leaves: Vec<u64> = clients
                    .into_iter()
                    .filter(|client| !plain.clients.values().any(|parent| *parent == Some(*client)))
                    .collect();
                if !leaves.is_empty() {
                    let client = rng.pick(&leaves);
                    desk.gone(client);
                    fences.remove(&client);
                    plain.queues.iter_mut().for_each(|queue| queue.retain(|wait| wait.0 != client));
                    plain.end(client);
                    settle(&mut desk, &mut plain, &mut fences);
                }
            }
        }
    }
}

/// The judge serves its queues, and both must have come to the same.
fn settle(desk: &mut Desk, plain: &mut Plain, fences: &mut BTreeMap<u64, Vec<(u64, usize)>>) {
    plain.serve();
    for (client, party) in &desk.locks.parties {
        let held = party.holds.iter().map(|(&fence, (key, _))| (fence, number(&key.name))).collect();
        fences.insert(client.0, held);
    }
    let mut held: Vec<(u64, usize)> =
        fences.iter().flat_map(|(&client, held)| held.iter().map(move |&(_, at)| (client, at))).collect();
    let mut expected: Vec<(u64, usize)> = plain.holds.iter().map(|hold| (hold.0, hold.1)).collect();
    held.sort_unstable();
    expected.sort_unstable();
    assert_eq!(held, expected);
}

fn number(name: &str) -> usize {
    name.trim_start_matches('r').parse().unwrap()
}

fn ask(
    rng: &mut Rng,
    desk: &mut Desk,
    plain: &mut Plain,
    fences: &mut BTreeMap<u64, Vec<(u64, usize)>>,
    client: u64,
    seed: u64,
    tally: &mut Tally,
) {
    let resource = usize::try_from(rng.below(RESOURCES as u64)).unwrap();
    let want = random_want(rng, resource);
    let within = plain.clients[&client].map(|parent| LockToken(u128::from(parent)));
    let request = Acquire { within, ..Desk::request(client, &format!("r{resource}"), want) };
    let mut asked = plain.clone();
    asked.queues[resource].push((client, want));
    asked.serve();
    let can_end = asked.can_ever_end(client, &mut BTreeMap::new());
    desk.locks.acquire(desk.at, ClientId(client), user(1000), request);
    desk.locks.check();
    let told = desk.locks.take_told();
    let refused = matches!(&told[..], [(_, Reply::Refused(failure))] if failure.code == ErrorCode::Deadlock);
    assert_eq!(refused, !can_end, "seed {seed}: c{client} asks {want:?} of r{resource} in {plain:?}");
    tally.waits += u64::from(told.is_empty());
    if let [(_, Reply::Refused(failure))] = &told[..] {
        tally.refused += 1;
        let edges = failure.deadlock.as_ref().unwrap().edges.len();
        assert!(edges > 0);
        tally.deepest = tally.deepest.max(edges);
    } else {
        *plain = asked;
        settle(desk, plain, fences);
    }
}

/// No false report, and none missed.
#[test]
fn ten_thousand_random_runs_agree_with_trying_everything() {
    let mut tally = Tally::default();
    for seed in 0..10_000 {
        run(seed, &mut tally);
    }
    assert!(tally.waits > 10_000 && tally.refused > 10_000 && tally.deepest >= 4, "{tally:?}");
}
