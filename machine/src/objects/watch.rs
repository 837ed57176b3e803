//! Who is told of the changes of which object. A watch is by name: it outlives the object, and begins before it.
//!
//! Nothing is kept here for a slow reader: what it has not read waits with its connection, which is cut when that is
//! too much (`limits::REPLY_BACKLOG_BYTES_MAX`).

use std::collections::{BTreeMap, BTreeSet};

use tally_protocol::ClientId;
use tally_protocol::control::Reply;
use tally_protocol::objects::{Datum, Happening, ObjectChange, ObjectReply, ObjectResult, Verb, Word};
use tally_protocol::objects::{DictVerb, ListVerb, QueueVerb, ValueVerb};

use super::object::Object;
use super::round::Answer;
use super::{Objects, Scene, not_permitted};
use crate::permission::Who;

#[derive(Clone, Debug)]
struct Watcher {
    name: String,
    who: Who,
    more: bool,
}

/// All who watch.
#[derive(Clone, Debug, Default)]
pub(super) struct Watchers {
    by_name: BTreeMap<String, BTreeSet<ClientId>>,
    by_client: BTreeMap<ClientId, Watcher>,
}

impl Watchers {
    pub(super) fn is_empty(&self) -> bool {
        self.by_client.is_empty()
    }

    fn add(&mut self, client: ClientId, watcher: Watcher) {
        self.by_name.entry(watcher.name.clone()).or_default().insert(client);
        self.by_client.insert(client, watcher);
    }

    /// A client watches no more; whether it did.
    pub(super) fn remove(&mut self, client: ClientId) -> bool {
        let Some(watcher) = self.by_client.remove(&client) else { return false };
        if let Some(clients) = self.by_name.get_mut(&watcher.name) {
            clients.remove(&client);
            if clients.is_empty() {
                self.by_name.remove(&watcher.name);
            }
        }
        true
    }

    pub(super) fn contains(&self, client: ClientId) -> bool {
        self.by_client.contains_key(&client)
    }

    pub(super) fn count(&self) -> usize {
        self.by_client.len()
    }

    pub(super) fn clients(&self) -> Vec<ClientId> {
        self.by_client.keys().copied().collect()
    }
}

/// What a change is about.
#[derive(Clone, Debug, Default)]
pub(super) struct Note {
    pub(super) word: Option<Word>,
    pub(super) key: Option<String>,
    pub(super) value: Option<Datum>,
}

impl Note {
    /// Of an operation, before it is done.
    pub(super) fn of(verb: &Verb) -> Self {
        let (key, value) = match verb {
            Verb::Dict(DictVerb::Set(key, value) | DictVerb::Swap { key, new: value, .. }) => {
                (Some(key), Some(value))
            }
            Verb::Dict(DictVerb::Add(key, _) | DictVerb::Delete(key)) => (Some(key), None),
            Verb::Value(ValueVerb::Set(value)) | Verb::List(ListVerb::Set(_, value)) => (None, Some(value)),
            Verb::List(ListVerb::Push { values, .. }) | Verb::Queue(QueueVerb::Put(values)) => {
                (None, values.last())
            }
            _ => (None, None),
        };
        Self { word: Some(verb.word()), key: key.cloned(), value: value.cloned() }
    }
}

impl Objects {
    pub(super) fn watch(&mut self, scene: Scene, name: String, since: Option<u64>, more: bool) {
        let object = self.names.get(&name).and_then(|id| self.all.get(id));
        if let Some(object) = object
            && !object.lets(scene.who, true)
        {
            let failure = not_permitted("watch", &name, object.uid, scene.who);
            return self.round.answer(scene.client, Reply::Refused(failure));
        }
        let version = object.map_or(0, |object| object.version);
        let at_once = more || since.is_some_and(|since| since != version);
        if at_once {
            let change = present(&name, object);
            let id = object.map(|object| object.id);
            id.into_iter().for_each(|id| self.round.saw(id));
            self.round.answers.push(told(scene.client, change, more));
        }
        if more || !at_once {
            self.watchers.add(scene.client, Watcher { name, who: scene.who, more });
        }
    }

    /// What the watchers of an object would be told of an operation; nothing, if nobody watches.
    pub(super) fn note_for(&self, name: &str, verb: &Verb) -> Option<Note> {
        let watched = !self.watchers.is_empty() && self.watchers.by_name.contains_key(name);
        (watched && !verb.reads()).then(|| Note::of(verb))
    }

    /// Whether anybody watches an object.
    pub(super) fn is_watched(&self, id: u64) -> bool {
        !self.watchers.is_empty() && self.watchers.by_name.contains_key(self.name_of(id))
    }

    /// An object has changed.
    pub(super) fn tell_changed(&mut self, id: u64, note: Note, result: Option<&ObjectResult>) {
        let Some(object) = self.all.get(&id) else { return };
        let change = ObjectChange {
            object: object.name.clone(),
            what: Happening::Changed,
            kind: Some(object.state.kind()),
            version: Some(object.version),
            operation: note.word,
            key: note.key,
            value: note.value.or_else(|| result?.value.clone()),
            length: Some(object.state.length()),
        };
        self.tell(id, &change);
    }

    /// An object is about to be gone.
    pub(super) fn tell_removed(&mut self, id: u64) {
        if self.is_watched(id) {
            let name = self.name_of(id);
            let change = ObjectChange { what: Happening::Removed, ..present(name, None) };
            self.tell(id, &change);
        }
    }

    fn tell(&mut self, id: u64, change: &ObjectChange) {
        let Some(object) = self.all.get(&id) else { return };
        let clients = self.watchers.by_name.get(&object.name).cloned().unwrap_or_default();
        for client in clients {
            let Some(watcher) = self.watchers.by_client.get(&client) else { continue };
            if !object.lets(watcher.who, true) {
                continue;
            }
            let more = watcher.more;
            self.round.answers.push(told(client, change.clone(), more));
            if !more {
                self.watchers.remove(client);
            }
        }
    }
}

fn told(client: ClientId, change: ObjectChange, continues: bool) -> Answer {
    let reply = Reply::Object(ObjectReply::Change { change: Box::new(change) });
    Answer { client, reply, continues }
}

fn present(name: &str, object: Option<&Object>) -> ObjectChange {
    ObjectChange {
        object: name.to_owned(),
        what: if object.is_some() { Happening::Present } else { Happening::Absent },
        kind: object.map(|object| object.state.kind()),
        version: object.map(|object| object.version),
        operation: None,
        key: None,
        value: None,
        length: object.map(|object| object.state.length()),
    }
}
