//! All connections: who may come in, who makes room.
//!
//! Clients are bounded. When the house is full the idle client that has been quiet longest makes room, so that a
//! thousand silent connections cannot keep `tally status` out; only if all are busy is the newcomer turned away.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::net::UnixStream;

use tally_protocol::command::RunAs;
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::locks::handover::HandedParty;
use tally_protocol::{ClientId, limits};
use tally_sys::peers::{self, Credentials};

use crate::client::Client;
use crate::quota::Quota;
use crate::rights::Policy;

/// The connections, by number.
#[derive(Debug)]
pub(crate) struct Clients {
    all: BTreeMap<ClientId, Client>,
    last: u64,
    /// How many there may be.
    most: usize,
    /// Whom the configuration trusts.
    policy: Policy,
    quota: Quota,
}

/// Descriptors a worker takes at the most, while it starts.
const PER_WORKER: u64 = 12;
/// Descriptors of the supervisor itself: streams, poll, signals, sockets, locks, log.
const OWN: u64 = 24;

/// What became of a newcomer.
#[derive(Debug)]
pub(crate) enum Admission {
    /// It is in.
    In(ClientId),
    /// It is in, and this one has to go first.
    InFor(ClientId, ClientId),
    /// Turned away, for this reason.
    Refused(UnixStream, Failure),
}

impl Clients {
    /// Nobody yet.
    pub(crate) fn beside(workers: u16) -> Self {
        let policy = Policy { own: tally_sys::process::own_uid(), ..Policy::default() };
        let quota = Quota::new(limits::CLIENTS_MAX);
        let mut clients = Self { all: BTreeMap::new(), last: 0, most: 0, policy, quota };
        clients.make_room(workers, limits::CLIENTS_MAX);
        clients
    }

    /// As many may come as are wanted and as the limit of open files leaves beside so many workers: clients must not
    /// keep a killed worker from being replaced. Those that are there may stay.
    pub(crate) fn make_room(&mut self, workers: u16, wanted: usize) {
        let (files, _) = tally_sys::limits::open_files();
        let left = files.saturating_sub(OWN + PER_WORKER * u64::from(workers));
        self.most =
            usize::try_from(left).unwrap_or(usize::MAX).clamp(4, wanted.clamp(4, limits::CLIENTS_MAX));
    }

    /// From now on these are trusted, and a user may have so many connections. Those that are there stay as they are.
    pub(crate) fn open_to(&mut self, policy: Policy, connections_per_user: usize) {
        self.policy = policy;
        self.quota.connections_max = connections_per_user;
    }

    /// How many there may be.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// Takes a connection in.
    /// `may_go`: whether an idle client may be sent away to make room.
    pub(crate) fn admit(
        &mut self,
        stream: UnixStream,
        now: u64,
        may_go: impl Fn(ClientId) -> bool,
    ) -> Admission {
        let (who, pid, run_as) = match peers::credentials(&stream) {
            Ok(peer) => (self.policy.judge(&peer), pid_of(&peer), run_as(peer)),
            Err(why) => {
                let why = format!("not permitted: the system does not tell who you are: {why}");
                return Admission::Refused(stream, Failure::new(ErrorCode::NotPermitted, why));
            }
        };
        if !self.policy.is_own(who.uid) && !self.quota.has_room(who.uid) {
            let most = self.quota.connections_max;
            let why =
                format!("user {} has {most} connections open, the most that one user may have", who.uid);
            return Admission::Refused(stream, Failure::new(ErrorCode::TooMany, why));
        }
        let evicted = if self.all.len() >= self.most {
            let quietest = self
                .all
                .iter()
                .filter(|&(&id, client)| client.is_idle() && may_go(id))
                .min_by_key(|(_, client)| client.last_heard);
            match quietest {
                Some((&id, _)) => Some(id),
                None => {
                    let full = Failure::new(ErrorCode::TooMany, "too many clients are connected");
                    return Admission::Refused(stream, full);
                }
            }
        } else {
            None
        };
        self.last += 1;
        let id = ClientId(self.last);
        self.quota.came(who.uid);
        self.all.insert(id, Client::new(stream, who, pid, now).run_as(run_as));
        match evicted {
            Some(gone) => Admission::InFor(id, gone),
            None => Admission::In(id),
        }
    }

    /// Takes a connection in that another program of this process had under this number.
    ///
    /// # Errors
    /// The system does not tell any more who is there.
    pub(crate) fn take_over(
        &mut self,
        stream: UnixStream,
        party: &mut HandedParty,
        now: u64,
    ) -> io::Result<&Client> {
        let peer = peers::credentials(&stream)?;
        let who = self.policy.judge(&peer);
        self.last = self.last.max(party.client.0);
        self.quota.came(who.uid);
        let client = Client::new(stream, who, pid_of(&peer), now).taken_over(party).run_as(run_as(peer));
        Ok(self.all.entry(party.client).or_insert(client))
    }

    pub(crate) fn get_mut(&mut self, id: ClientId) -> Option<&mut Client> {
        self.all.get_mut(&id)
    }

    pub(crate) fn remove(&mut self, id: ClientId) -> Option<Client> {
        let client = self.all.remove(&id)?;
        self.quota.went(client.who.uid, client.charged);
        Some(client)
    }

    /// Charges a client's user with what is held for it now. False: that is too much, and the client has to go.
    pub(crate) fn charge(&mut self, id: ClientId) -> bool {
        let Some(client) = self.all.get_mut(&id) else { return true };
        let now = client.held_bytes();
        let before = std::mem::replace(&mut client.charged, now);
        self.quota.holds(client.who.uid, before, now) || self.policy.is_own(client.who.uid)
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Forgets all connections without closing one: they end with the process.
    pub(crate) fn leave_open(&mut self) {
        std::mem::take(&mut self.all).into_values().for_each(std::mem::forget);
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Client> {
        self.all.values_mut()
    }
}

/// As whom the commands of a peer run.
fn run_as(peer: Credentials) -> RunAs {
    RunAs { uid: peer.peer.uid, gid: peer.peer.gid, groups: peer.groups }
}

fn pid_of(peer: &Credentials) -> Option<u32> {
    peer.peer.pid.map(|pid| pid.raw().unsigned_abs())
}
