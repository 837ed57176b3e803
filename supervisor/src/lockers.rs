//! Clients that hold or wait for named locks, or have items of queues: who they are, and how they come through an upgrade.
//!
//! A lock belongs to a connection, and so does an item, so the connection must stay: its descriptor is kept open over the exec, and the book of
//! the machine goes along in a descriptor of its own. What cannot be read is dropped, connections and all.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use tally_machine::Event;
use tally_protocol::control::Request;
use tally_protocol::locks::handover::{HandedLocks, HandedParty};
use tally_protocol::locks::{Asker, LockRequest, LockToken};
use tally_protocol::{ClientId, limits};
use tally_sys::activation::Passed;
use tally_sys::{blob, clock, random, usage};

use crate::hosted::OBJECTS;
use crate::token::Token;
use crate::turn::Supervisor;

/// The descriptor of the book.
const BOOK: &str = "book";
/// Those of the connections: this and their number.
const CONNECTION: &str = "c";

/// What another program of this process had.
#[derive(Debug, Default)]
pub(crate) struct Lockers {
    book: Option<OwnedFd>,
    connections: Vec<(ClientId, OwnedFd)>,
    /// Its objects that are in no store.
    pub(crate) objects: Option<OwnedFd>,
}

impl Lockers {
    /// Picks them out of what was kept, and returns the rest.
    pub(crate) fn among(kept: Vec<Passed>) -> (Self, Vec<Passed>) {
        let mut lockers = Self::default();
        let mut rest = Vec::new();
        for Passed { name, fd } in kept {
            let number = name.strip_prefix(CONNECTION).and_then(|number| number.parse().ok());
            match number {
                Some(number) => lockers.connections.push((ClientId(number), fd)),
                None if name == BOOK => lockers.book = Some(fd),
                None if name == OBJECTS => lockers.objects = Some(fd),
                None => rest.push(Passed { name, fd }),
            }
        }
        (lockers, rest)
    }

    fn take(&mut self, client: ClientId) -> Option<UnixStream> {
        let at = self.connections.iter().position(|(id, _)| *id == client)?;
        Some(self.connections.swap_remove(at).1.into())
    }
}

impl Supervisor {
    /// Adds to a request for a lock who asks: the process that connected, by the system's word, and a secret for it.
    pub(crate) fn introduce(&mut self, id: ClientId, request: &mut Request) {
        self.name_user(id, request);
        let Request::Lock(LockRequest::Acquire(acquire)) = request else { return };
        let pid = self.clients.get_mut(id).and_then(|client| client.pid);
        let token = random::secret().map(LockToken);
        if let Err(why) = &token {
            tracing::warn!("could not make a secret: {why}; deadlocks across commands may not be found");
        }
        // Not its command line: to read that from the system is to read its memory, for which it could have us wait.
        let name = if acquire.command.is_none() { pid.and_then(usage::name) } else { None };
        acquire.asker = Asker { pid, name, token: token.ok() };
    }

    /// All that is to be kept open for the program that takes over, by name. The last thing a supervisor does.
    pub(crate) fn hand_over_lockers(&mut self) -> Vec<(String, OwnedFd)> {
        let mut handed = self.machine.hand_over_locks();
        let mut kept = Vec::new();
        for party in &mut handed.parties {
            let Some(client) = self.clients.remove(party.client) else { continue };
            let (fd, incoming, outgoing) = client.into_parts();
            party.incoming = incoming;
            party.outgoing = outgoing;
            kept.push((format!("{CONNECTION}{}", party.client), fd));
        }
        if kept.is_empty() && handed.reports.is_empty() && handed.orders.is_empty() {
            return Vec::new();
        }
        match blob::write("tally-locks", &handed.to_bytes()) {
            Ok(book) => {
                tracing::info!(
                    "handing over {} connections that hold or wait for locks, or have items of queues",
                    kept.len()
                );
                kept.push((BOOK.to_owned(), book));
                kept
            }
            Err(why) => {
                tracing::error!("could not hand over the locks: {why}; they are lost");
                Vec::new()
            }
        }
    }

    /// Goes on with what another program of this process had.
    pub(crate) fn take_over_lockers(&mut self, mut lockers: Lockers) {
        let Some(book) = lockers.book.take() else { return };
        let read = blob::read(book, limits::HANDED_LOCKS_BYTES_MAX).map_err(|why| why.to_string());
        let mut handed = match read.and_then(|bytes| HandedLocks::from_bytes(&bytes)) {
            Ok(handed) => handed,
            Err(why) => {
                let count = lockers.connections.len();
                return tracing::error!("could not take over the locks of {count} connections: {why}");
            }
        };
        let mut clients = Vec::new();
        for party in &mut handed.parties {
            if let Some(stream) = lockers.take(party.client)
                && self.take_over_locker(stream, party)
            {
                clients.push(party.client);
            }
        }
        self.feed(Event::TakingOver(Box::new(handed)));
        // Not a locker after all: there is nobody whom it would surprise to hear of the end of its daemon.
        let holds = |id| self.machine.is_locker(id) || self.machine.has_items(id);
        for id in clients.iter().copied().filter(|&id| !holds(id)).collect::<Vec<_>>() {
            self.client_gone(id);
        }
        self.asking.extend(&clients);
        tracing::info!(
            "took over {} connections that hold or wait for locks, or have items of queues",
            clients.len()
        );
    }

    fn take_over_locker(&mut self, stream: UnixStream, party: &mut HandedParty) -> bool {
        let id = party.client;
        let taken = self.clients.take_over(stream, party, clock::monotonic_ns()).and_then(|client| {
            self.poll.watch(client, Token::Client(id).key(), client.watched)?;
            Ok(client.who)
        });
        match taken {
            Ok(who) => self.feed(Event::ClientCame { client: id, who }),
            Err(why) => {
                tracing::warn!("could not take over a connection: {why}");
                self.clients.remove(id);
                return false;
            }
        }
        true
    }
}
