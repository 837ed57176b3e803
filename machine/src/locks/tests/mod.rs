//! The book on its own: the rules one by one, then random worlds against judges that know nothing of how it is done.

mod basics;
mod deadlock;
mod fairness;
mod machine;

use tally_protocol::control::Reply;
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::locks::view::GrantView;
use tally_protocol::locks::{Acquire, Asker, LockReply, LockToken, Patience, Want};
use tally_protocol::{ClientId, limits};

use super::{Fences, Locks, Stamp};
use crate::moment::{Moment, Span};
use crate::permission::{Rights, Who};

const EX: Want = Want::Exclusive;
const SH: Want = Want::Shared;

/// A semaphore of so many permits, of which so many are taken.
fn permits(of: u32, take: u32) -> Want {
    Want::Permits { of, take }
}

/// A book with a clock. Every client is a process of its own number, with a token of that number.
struct Desk {
    locks: Locks,
    at: Stamp,
}

impl Desk {
    fn new() -> Self {
        Self { locks: Locks::new(Fences::new(1, 0, false)), at: Stamp { now: Moment(0), wall_ms: 1_000_000 } }
    }

    fn request(client: u64, name: &str, want: Want) -> Acquire {
        Acquire {
            command: Some(format!("run {client}")),
            asker: Asker {
                pid: Some(u32::try_from(client).unwrap()),
                name: None,
                token: Some(LockToken(u128::from(client))),
            },
            ..Acquire::new(name, want)
        }
    }

    /// The answers that anything led to, in one line each.
    fn told(&mut self) -> Vec<String> {
        self.locks.check();
        self.locks.take_told().iter().map(|(client, reply)| line(*client, reply)).collect()
    }

    fn acquire(&mut self, client: u64, ask: Acquire) -> Vec<String> {
        self.locks.acquire(self.at, ClientId(client), user(1000), ask);
        self.told()
    }

    fn ask(&mut self, client: u64, name: &str, want: Want) -> Vec<String> {
        self.acquire(client, Self::request(client, name, want))
    }

    /// As a command that was started under another one.
    fn ask_within(&mut self, client: u64, elder: u64, name: &str, want: Want) -> Vec<String> {
        let within = Some(LockToken(u128::from(elder)));
        self.acquire(client, Acquire { within, ..Self::request(client, name, want) })
    }

    fn ask_now(&mut self, client: u64, name: &str, want: Want) -> Vec<String> {
        self.acquire(client, Acquire { patience: Patience::None, ..Self::request(client, name, want) })
    }

    fn ask_for(&mut self, client: u64, name: &str, want: Want, ms: u64) -> Vec<String> {
        self.acquire(client, Acquire { patience: Patience::Ms(ms), ..Self::request(client, name, want) })
    }

    fn release(&mut self, client: u64, fence: u64) -> Vec<String> {
        match self.locks.release(self.at, ClientId(client), fence) {
            Ok(()) => self.told(),
            Err(failure) => vec![failure.message],
        }
    }

    fn gone(&mut self, client: u64) -> Vec<String> {
        self.locks.gone(self.at, ClientId(client));
        self.told()
    }

    fn later(&mut self, ms: u64) -> Vec<String> {
        self.at = Stamp { now: self.at.now + Span::ms(ms), wall_ms: self.at.wall_ms + ms };
        self.locks.tick(self.at);
        self.told()
    }
}

fn user(uid: u32) -> Who {
    Who { uid, rights: Rights::Own }
}

fn line(client: ClientId, reply: &Reply) -> String {
    match reply {
        Reply::Lock(LockReply::Granted(grant)) => format!("c{client} has {} #{}", grant.name, grant.fence),
        Reply::Refused(failure) => format!("c{client}: {}", failure.message),
        other => format!("c{client}: {other:?}"),
    }
}

/// The one answer of one request.
fn only(locks: &mut Locks) -> Result<GrantView, Failure> {
    match &locks.take_told()[..] {
        [(_, Reply::Lock(LockReply::Granted(grant)))] => Ok(grant.clone()),
        [(_, Reply::Refused(failure))] => Err(failure.clone()),
        other => panic!("{other:?}"),
    }
}
