//! All connections: who may come in, who makes room.
//!
//! Clients are bounded. When the house is full the idle client that has been quiet longest makes room, so that a
//! thousand silent connections cannot keep `tally status` out; only if all are busy is the newcomer turned away.

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;

use tally_protocol::{ClientId, limits};

use crate::client::Client;

/// The connections, by number.
#[derive(Debug)]
pub(crate) struct Clients {
    all: BTreeMap<ClientId, Client>,
    last: u64,
    /// How many there may be.
    most: usize,
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
    /// All are busy.
    Full(UnixStream),
}

impl Clients {
    /// Nobody yet.
    pub(crate) fn beside(workers: u16) -> Self {
        let mut clients = Self { all: BTreeMap::new(), last: 0, most: 0 };
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

    /// Takes a connection in.
    pub(crate) fn admit(&mut self, stream: UnixStream, now: u64) -> Admission {
        let evicted = if self.all.len() >= self.most {
            let quietest = self
                .all
                .iter()
                .filter(|(_, client)| client.is_idle())
                .min_by_key(|(_, client)| client.last_heard);
            match quietest {
                Some((&id, _)) => Some(id),
                None => return Admission::Full(stream),
            }
        } else {
            None
        };
        self.last += 1;
        let id = ClientId(self.last);
        self.all.insert(id, Client::new(stream, now));
        match evicted {
            Some(gone) => Admission::InFor(id, gone),
            None => Admission::In(id),
        }
    }

    pub(crate) fn get_mut(&mut self, id: ClientId) -> Option<&mut Client> {
        self.all.get_mut(&id)
    }

    pub(crate) fn remove(&mut self, id: ClientId) -> Option<Client> {
        self.all.remove(&id)
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Client> {
        self.all.values_mut()
    }
}
