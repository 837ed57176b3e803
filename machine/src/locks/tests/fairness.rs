//! Random clients with timeouts, times to live and deaths: nobody is overtaken, nobody is forgotten, numbers only grow.

use std::collections::BTreeMap;

use super::*;
use crate::sim::rng::Rng;

/// What a judge notes: who stands where.
#[derive(Debug, Default)]
struct Lines {
    /// By name: clients in the order in which they came and have not been answered.
    queues: BTreeMap<String, Vec<u64>>,
    fence: u64,
    grants: u64,
}

impl Lines {
    /// Every grant is that of the first in line, with a number larger than all before.
    fn judge(&mut self, told: Vec<(ClientId, Reply)>, seed: u64) {
        for (client, reply) in told {
            match reply {
                Reply::Lock(LockReply::Granted(grant)) => {
                    let queue = self.queues.get_mut(&grant.name).expect("somebody asked");
                    assert_eq!(queue.first(), Some(&client.0), "seed {seed}: {} was overtaken", grant.name);
                    queue.remove(0);
                    assert!(grant.fence > self.fence, "seed {seed}: a number went back");
                    self.fence = grant.fence;
                    self.grants += 1;
                }
                Reply::Refused(_) => self.leaves(client.0),
                other => panic!("seed {seed}: {other:?}"),
            }
        }
    }

    fn leaves(&mut self, client: u64) {
        self.queues.values_mut().for_each(|queue| queue.retain(|&one| one != client));
    }

    fn waits(&self, client: u64) -> bool {
        self.queues.values().flatten().any(|&one| one == client)
    }
}

fn random_request(rng: &mut Rng, client: u64) -> Acquire {
    let (name, want) = rng.pick(&[
        ("a", EX),
        ("a", EX),
        ("a", SH),
        ("b", SH),
        ("b", EX),
        ("s", permits(3, 1)),
        ("s", permits(3, 2)),
        ("s", permits(3, 3)),
    ]);
    let patience = match rng.below(4) {
        0 => Patience::Ms(rng.between(1, 30)),
        1 => Patience::None,
        _ => Patience::Endless,
    };
    let ttl_ms = rng.chance(200).then(|| rng.between(1, 40));
    Acquire { patience, ttl_ms, ..Desk::request(client, name, want) }
}

fn run(seed: u64) -> u64 {
    let mut rng = Rng::new(seed);
    let mut desk = Desk::new();
    let mut lines = Lines::default();
    let mut clients = 0;
    for _ in 0..60 {
        match rng.below(10) {
            0..=5 => {
                let client = if rng.chance(600) || clients == 0 {
                    clients += 1;
                    clients
                } else {
                    rng.between(1, clients)
                };
                if lines.waits(client) {
                    continue;
                }
                let request = random_request(&mut rng, client);
                lines.queues.entry(request.name.clone()).or_default().push(client);
                desk.locks.acquire(desk.at, ClientId(client), user(1000), request);
            }
            6 => drop(desk.locks.release(desk.at, ClientId(rng.between(1, 9)), rng.between(1, 60))),
            7..=8 => {
                let client = rng.between(1, clients.max(1));
                lines.leaves(client);
                desk.locks.gone(desk.at, ClientId(client));
            }
            _ => {
                let ms = rng.between(1, 20);
                desk.at = Stamp { now: desk.at.now + Span::ms(ms), wall_ms: desk.at.wall_ms + ms };
                desk.locks.tick(desk.at);
            }
        }
        desk.locks.check();
        lines.judge(desk.locks.take_told(), seed);
    }
    // When all who hold have gone, all who wait have had it.
    for client in 1..=clients {
        if !lines.waits(client) {
            desk.locks.gone(desk.at, ClientId(client));
            lines.judge(desk.locks.take_told(), seed);
        }
    }
    while let Some(client) = (1..=clients).find(|&client| desk.locks.is_busy(ClientId(client))) {
        let client = (1..=clients)
            .find(|&one| desk.locks.is_busy(ClientId(one)) && !lines.waits(one))
            .unwrap_or(client);
        assert!(!lines.waits(client), "seed {seed}: everybody waits");
        desk.locks.gone(desk.at, ClientId(client));
        lines.judge(desk.locks.take_told(), seed);
    }
    assert!(lines.queues.values().all(Vec::is_empty), "seed {seed}: somebody was forgotten");
    assert!(
        desk.locks.resources.is_empty() && desk.locks.next_due().is_none(),
        "seed {seed}: something is left"
    );
    lines.grants
}

#[test]
fn nobody_is_overtaken_in_random_worlds() {
    let grants: u64 = (0..10_000).map(run).sum();
    assert!(grants > 100_000, "{grants}");
}
