//! Hosted objects: values, dicts, lists, queues, events, barriers, statistics, for clients that share them.
//!
//! A book of its own: requests in, deeds out, time passed in; it knows nothing of jobs and workers. `apply` is what an
//! operation does, `object` and one file for each kind what it is done to, `round` how its answers go out, `paper` what
//! survives the daemon, `watch` who is told of changes, `waits` who waits and whose waiting ends, `host` how the machine
//! asks. An answer about a persistent object is given when all that it rests on is on the disk.

mod apply;
mod barrier;
mod dict;
mod event;
mod fault;
mod held;
mod host;
mod list;
mod object;
mod paper;
mod pen;
mod queue;
mod restore;
mod round;
mod stats;
mod value;
mod waits;
mod watch;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use tally_protocol::control::Reply;
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::objects::{Creation, Lifetime, ObjectReply, ObjectRequest, Others};
use tally_protocol::record::Change;
use tally_protocol::{ClientId, limits};

use crate::figures::ObjectFigures;
use crate::moment::{Moment, Span};
use crate::permission::{Rights, Who};
use object::{Object, State};
use paper::Paper;
use pen::{Pen, Undo};
use round::Round;
use watch::Watchers;

/// What is to be done for the objects.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Deed {
    /// Answer a client.
    Reply {
        /// Whom.
        client: ClientId,
        /// What.
        reply: Reply,
        /// More follow.
        continues: bool,
    },
    /// Write to the store, and tell by the number of the batch.
    Record {
        /// The number.
        batch: u64,
        /// What.
        changes: Vec<Change>,
    },
    /// Ring.
    Alarm(ObjectAlarm, Moment),
    /// Do not ring.
    Silence(ObjectAlarm),
}

/// Whose time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ObjectAlarm {
    /// An object's, to end.
    End(u64),
    /// A client's, to wait no longer.
    Wait(ClientId),
    /// A leased item's, by its object.
    Lease(u64, u64),
    /// Of the store, to be tried again.
    Store,
}

/// Who asks, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene {
    pub(crate) now: Moment,
    pub(crate) client: ClientId,
    pub(crate) who: Who,
}

/// What one user has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Use {
    objects: usize,
    bytes: usize,
}

/// All objects, and who has to do with them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Objects {
    names: BTreeMap<String, u64>,
    all: BTreeMap<u64, Object>,
    users: BTreeMap<u32, Use>,
    bytes: usize,
    /// The version that was given last.
    version: u64,
    pen: Pen,
    round: Round,
    /// Who waits, and for which object.
    waiting: BTreeMap<ClientId, u64>,
    /// Who has items, by object and number.
    holding: BTreeMap<ClientId, BTreeSet<(u64, u64)>>,
    /// Objects that end with a connection.
    tied: BTreeMap<ClientId, BTreeSet<u64>>,
    watchers: Watchers,
    paper: Paper,
    deeds: Vec<Deed>,
}

impl Clone for Pen {
    /// Between two requests a pen holds nothing but its counter.
    fn clone(&self) -> Self {
        Self { last: self.last, ..Self::default() }
    }
}

impl Objects {
    /// No objects. `wall_ms` is the Unix time at `Moment(0)`; `durable`: there is a store.
    pub(crate) fn new(wall_ms: u64, durable: bool) -> Self {
        Self { paper: Paper::new(wall_ms, durable), ..Self::default() }
    }

    /// What is to be done since the last call.
    pub(crate) fn take_deeds(&mut self) -> Vec<Deed> {
        std::mem::take(&mut self.deeds)
    }

    /// A client asks for something.
    pub(crate) fn said(&mut self, scene: Scene, request: ObjectRequest, more: bool) {
        match request {
            ObjectRequest::Operate(operation) => self.operate(scene, *operation),
            ObjectRequest::Transact(operations) => self.transact(scene, operations),
            ObjectRequest::Watch { object, since } => self.watch(scene, object, since, more),
            ObjectRequest::List => self.list(scene),
            ObjectRequest::Remove { object } => self.remove_asked(scene, &object),
        }
        self.finish(scene.now);
    }

    /// Whether a client has items of queues.
    pub(crate) fn has_items(&self, client: ClientId) -> bool {
        self.holding.contains_key(&client)
    }

    /// Clients that have items of queues.
    pub(crate) fn holders(&self) -> usize {
        self.holding.len()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.all.len()
    }

    /// What all of them take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// All of it as numbers.
    pub(crate) fn figures(&self) -> ObjectFigures {
        let mut kinds = BTreeMap::new();
        for object in self.all.values() {
            *kinds.entry(object.state.kind()).or_default() += 1;
        }
        ObjectFigures {
            kinds,
            bytes: self.bytes as u64,
            waiting: self.waiting.len() as u64,
            watching: self.watchers.count() as u64,
            leased: self.holding.values().map(|held| held.len() as u64).sum(),
        }
    }

    fn list(&mut self, scene: Scene) {
        let seen = self.names.values().filter_map(|id| self.all.get(id));
        let seen = seen.filter(|object| object.lets(scene.who, true));
        let objects = seen.map(|object| object.view(scene.now)).collect();
        self.round.answer(scene.client, Reply::Object(ObjectReply::Objects { objects }));
    }

    /// Makes an object.
    fn make(
        &mut self,
        scene: Scene,
        name: String,
        state: State,
        creation: &Creation,
    ) -> Result<u64, Failure> {
        let refuse = |code, why: String| Failure::new(code, format!("could not make {name}: {why}"));
        if self.all.len() >= limits::OBJECTS_MAX {
            let why = format!("there are {} objects, which is the most", self.all.len());
            return Err(refuse(ErrorCode::TooMany, why));
        }
        let used = self.users.get(&scene.who.uid).copied().unwrap_or_default();
        if used.objects >= limits::OBJECTS_PER_USER_MAX && is_bounded(scene.who) {
            let why = format!("user {} has {} objects, which is the most", scene.who.uid, used.objects);
            return Err(refuse(ErrorCode::TooMany, why));
        }
        let lifetime = creation.lifetime.unwrap_or_default();
        if lifetime == Lifetime::Persistent {
            self.paper.can_keep().map_err(|why| refuse(ErrorCode::StoreFailed, why))?;
        }
        let id = self.pen.number();
        let maker = (lifetime == Lifetime::Connection).then_some(scene.client);
        if let Some(maker) = maker {
            self.tied.entry(maker).or_default().insert(id);
        }
        let object = Object {
            id,
            name: name.clone(),
            uid: scene.who.uid,
            others: creation.others.unwrap_or(Others::None),
            lifetime,
            maker,
            ttl: creation.ttl_ms.map(Span::ms),
            ends: None,
            version: 0,
            charged: 0,
            unsynced: None,
            owed: false,
            state,
        };
        self.names.insert(name, id);
        self.users.entry(object.uid).or_default().objects += 1;
        self.all.insert(id, object);
        self.pen.object = id;
        self.pen.step(|| Undo::Made);
        self.charge(id);
        Ok(id)
    }

    /// Charges an object's owner with what it takes now.
    fn charge(&mut self, id: u64) {
        let Some(object) = self.all.get_mut(&id) else { return };
        let bytes = object.bytes();
        let before = std::mem::replace(&mut object.charged, bytes);
        self.bytes = self.bytes - before + bytes;
        let user = self.users.entry(object.uid).or_default();
        user.bytes = user.bytes - before + bytes;
    }

    /// Whether so many more bytes may be put into an object.
    fn has_room(&self, who: Who, object: &Object, more: usize) -> Result<(), String> {
        let check = |what: &dyn Fn() -> String, used: usize, most: usize| {
            if used + more <= most {
                return Ok(());
            }
            Err(format!("{} {used} bytes, the most is {most}", what()))
        };
        check(&|| "it takes".to_owned(), object.charged, limits::OBJECT_BYTES_MAX)?;
        check(&|| "all objects take".to_owned(), self.bytes, limits::OBJECTS_BYTES_MAX)?;
        if !is_bounded(who) {
            return Ok(());
        }
        let used = self.users.get(&object.uid).map_or(0, |user| user.bytes);
        let what = || format!("the objects of user {} take", object.uid);
        check(&what, used, limits::OBJECTS_BYTES_PER_USER_MAX)
    }

    fn remove_asked(&mut self, scene: Scene, name: &str) {
        let result = match self.names.get(name).and_then(|id| self.all.get(id)) {
            None => Err(no_such(name)),
            Some(object) if !object.is_of(scene.who) => {
                Err(not_permitted("remove", name, object.uid, scene.who))
            }
            Some(object) => Ok(object.id),
        };
        match result {
            Ok(id) => {
                self.remove(id, "it was removed");
                self.round.answer(scene.client, Reply::Object(ObjectReply::Removed {}));
            }
            Err(failure) => self.round.answer(scene.client, Reply::Refused(failure)),
        }
    }

    /// An object is no more: who waits for it hears why, and its rows go.
    fn remove(&mut self, id: u64, why: &str) {
        let Some(object) = self.all.get(&id) else { return };
        for client in object.state.waiting() {
            self.stop_waiting(client);
            let message = format!("could not wait for {}: {why}", self.name_of(id));
            self.round.answer(client, Reply::Refused(Failure::new(ErrorCode::NoSuchObject, message)));
        }
        self.erase_rows(id);
        self.tell_removed(id);
        self.forget(id);
    }

    /// The last of an object in this book.
    fn forget(&mut self, id: u64) {
        let Some(object) = self.all.remove(&id) else { return };
        self.names.remove(&object.name);
        self.bytes -= object.charged;
        if let Some(user) = self.users.get_mut(&object.uid) {
            user.bytes -= object.charged;
            user.objects -= 1;
            if user.objects == 0 {
                self.users.remove(&object.uid);
            }
        }
        if let Some(maker) = object.maker
            && let Some(tied) = self.tied.get_mut(&maker)
        {
            tied.remove(&id);
            if tied.is_empty() {
                self.tied.remove(&maker);
            }
        }
        if object.ends.is_some() {
            self.deeds.push(Deed::Silence(ObjectAlarm::End(id)));
        }
        if let State::Queue(queue) = &object.state {
            for (&number, lease) in &queue.leased {
                self.release(lease.client, id, number, lease.until.is_some());
            }
        }
    }

    fn name_of(&self, id: u64) -> &str {
        self.all.get(&id).map_or("it", |object| &object.name)
    }

    /// Panics unless all fits together.
    pub(crate) fn check(&self) {
        assert_eq!(self.names.len(), self.all.len(), "names of objects");
        let mut users: BTreeMap<u32, Use> = BTreeMap::new();
        for (id, object) in &self.all {
            assert_eq!(self.names.get(&object.name), Some(id), "the name of {}", object.name);
            assert_eq!(object.charged, object.bytes(), "the bytes of {}", object.name);
            let user = users.entry(object.uid).or_default();
            user.objects += 1;
            user.bytes += object.charged;
            for client in object.state.waiting() {
                assert_eq!(self.waiting.get(&client), Some(id), "client {client} waits for {}", object.name);
            }
            if let State::Queue(queue) = &object.state {
                for (&number, lease) in &queue.leased {
                    let held =
                        self.holding.get(&lease.client).is_some_and(|held| held.contains(&(*id, number)));
                    assert!(held, "client {} has item {number} of {}", lease.client, object.name);
                }
                let served = queue.getters.is_empty() || queue.ready.is_empty();
                assert!(served, "{} has items and somebody waits for one", object.name);
            }
        }
        assert_eq!(users, self.users, "what users have");
        assert_eq!(self.bytes, users.values().map(|user| user.bytes).sum::<usize>(), "bytes of all");
        for (client, id) in &self.waiting {
            let waits = self.all.get(id).is_some_and(|object| object.state.waiting().contains(client));
            assert!(waits, "client {client} waits for nothing");
        }
        let leases: usize = self.holding.values().map(BTreeSet::len).sum();
        let leased = self.all.values().map(|object| match &object.state {
            State::Queue(queue) => queue.leased.len(),
            _ => 0,
        });
        assert_eq!(leases, leased.sum::<usize>(), "leases");
        assert!(
            self.round.is_over() && self.pen.changes.is_empty() && self.pen.steps.is_empty(),
            "a round is over"
        );
        self.paper.check(&self.all);
    }
}

/// Whether the bounds of one user hold for this one.
fn is_bounded(who: Who) -> bool {
    who.uid != 0 && who.rights < Rights::Operate
}

fn no_such(name: &str) -> Failure {
    let failure = Failure::new(ErrorCode::NoSuchObject, format!("there is no object {name}"));
    failure.hint("'tally objects' lists those that are there")
}

fn not_permitted(doing: &str, name: &str, uid: u32, who: Who) -> Failure {
    let why = format!("not permitted: {name} is an object of user {uid}, you are user {}", who.uid);
    let failure = Failure::new(ErrorCode::NotPermitted, format!("could not {doing} {name}: {why}"));
    failure.hint("its owner can make it with --others read or --others write")
}
