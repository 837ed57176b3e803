//! What survives the daemon: persistent objects, written down with each change, before anybody is told.
//!
//! A change goes to the store as one batch, with the head of each object and the cells that changed. Answers that tell of
//! an object wait for its last batch. When the store refuses one, those who wait for it hear that; the change holds, as
//! long as the daemon lives. From then on nothing persistent is changed until the store has taken a batch again, which
//! holds all of the objects that it lacks, as they are then; that is tried once a second.

use std::collections::{BTreeMap, BTreeSet};

use tally_protocol::ClientId;
use tally_protocol::control::Reply;
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::objects::{HeadRow, ObjectRow};
use tally_protocol::record::{Change, Table};

use super::object::{Object, State};
use super::round::Answer;
use super::{Deed, ObjectAlarm, Objects, dict, list, queue};
use crate::moment::{Moment, Span};

/// Pause between two tries of a store that refuses.
const AGAIN: Span = Span::ms(1_000);

/// What the store was told and has not answered.
#[derive(Clone, Debug, Default)]
struct Batch {
    objects: Vec<u64>,
    deleted: Vec<u64>,
    answers: Vec<Answer>,
    /// It has all that was lacking.
    mends: bool,
}

/// What is under way to the store.
#[derive(Clone, Debug, Default)]
pub(super) struct Paper {
    /// Unix milliseconds at `Moment(0)`.
    wall_ms: u64,
    durable: bool,
    last: u64,
    batches: BTreeMap<u64, Batch>,
    /// Why the store refused the last batch.
    failing: Option<String>,
    /// Rows that are gone here and not there.
    deleted: BTreeSet<u64>,
}

impl Paper {
    pub(super) fn new(wall_ms: u64, durable: bool) -> Self {
        Self { wall_ms, durable, ..Self::default() }
    }

    /// Whether a persistent object can be made; why not.
    pub(super) fn can_keep(&self) -> Result<(), String> {
        if !self.durable {
            return Err("the daemon has no state directory, so nothing is persistent".to_owned());
        }
        self.can_write()
    }

    /// Whether a persistent object may change; why not.
    pub(super) fn can_write(&self) -> Result<(), String> {
        match &self.failing {
            None => Ok(()),
            Some(why) => Err(format!("the store refuses to record it: {why}")),
        }
    }

    /// Keeps answers until a batch is on the disk.
    pub(super) fn hold(&mut self, batch: u64, answers: &mut Vec<Answer>) {
        if let Some(batch) = self.batches.get_mut(&batch) {
            batch.answers.append(answers);
        }
    }

    /// Whether a client waits for the store.
    pub(super) fn holds_for(&self, client: ClientId) -> bool {
        self.batches.values().any(|batch| batch.answers.iter().any(|answer| answer.client == client))
    }

    /// A client is gone: nobody needs to tell it anything.
    pub(super) fn forget(&mut self, client: ClientId) {
        for batch in self.batches.values_mut() {
            batch.answers.retain(|answer| answer.client != client);
        }
    }

    fn wall(&self, at: Moment) -> u64 {
        self.wall_ms.saturating_add(at.since(Moment(0)).as_ms())
    }

    pub(super) fn moment_of(&self, wall_ms: u64) -> Moment {
        Moment(0) + Span::ms(wall_ms.saturating_sub(self.wall_ms))
    }

    pub(super) fn check(&self, all: &BTreeMap<u64, Object>) {
        for object in all.values() {
            let open = object.unsynced.is_none_or(|batch| self.batches.contains_key(&batch));
            assert!(open, "{} waits for a batch that is over", object.name);
            let owed =
                self.failing.is_some() || self.batches.values().any(|batch| batch.mends) || !object.owed;
            assert!(owed, "nobody writes {} down", object.name);
        }
    }

    fn head(&self, object: &Object) -> Change {
        Change::Put(Table::Objects, object.id, self.head_row(object).to_bytes())
    }

    /// The head of an object as it is now.
    pub(super) fn head_row(&self, object: &Object) -> ObjectRow {
        let mut head = HeadRow {
            id: object.id,
            name: object.name.clone(),
            kind: object.state.kind(),
            uid: object.uid,
            others: object.others,
            version: object.version,
            lifetime: object.lifetime,
            ttl_ms: object.ttl.map(Span::as_ms),
            ends_at_ms: object.ends.map(|ends| self.wall(ends)),
            value: None,
            sum: None,
            stats: None,
            capacity: None,
            deliveries: None,
            closed: false,
            set: false,
            next: 0,
        };
        match &object.state {
            State::Value(held) => {
                head.value = Some(held.datum.clone());
                head.sum = held.sum_bytes();
            }
            State::Queue(queue) => {
                head.capacity = queue.capacity;
                head.deliveries = queue.deliveries;
                head.closed = queue.closed;
                head.next = queue.next;
            }
            State::Event(event) => head.set = event.set,
            State::Stats(partial) => head.stats = Some(partial.to_bytes()),
            State::Dict(_) | State::List(_) | State::Barrier(_) => {}
        }
        ObjectRow::Head(Box::new(head))
    }
}

/// Every row of an object but its head.
pub(super) fn cells(object: &Object, mut each: impl FnMut(u64, tally_protocol::objects::CellRow)) {
    match &object.state {
        State::Dict(dict) => {
            dict.cells.iter().for_each(|(key, cell)| each(cell.row, dict::cell_of(key, &cell.held)));
        }
        State::List(list) => {
            list.elements.iter().for_each(|element| each(element.row, list::cell_of(element)));
        }
        State::Queue(queue) => {
            let leased = queue.leased.iter().map(|(number, lease)| (number, &lease.item));
            for (&number, item) in queue.ready.iter().chain(leased) {
                each(item.row, queue::cell_of(number, item));
            }
            for (&number, item) in &queue.dead {
                let cell = queue::cell_of(number, item);
                each(item.row, tally_protocol::objects::CellRow { dead: true, ..cell });
            }
        }
        State::Value(_) | State::Event(_) | State::Barrier(_) | State::Stats(_) => {}
    }
}

impl Objects {
    /// An object that is to end some time after its last change ends later.
    pub(super) fn prolong(&mut self, id: u64, now: Moment) {
        let Some(object) = self.all.get_mut(&id) else { return };
        let Some(ttl) = object.ttl else { return };
        // An alarm that is set rings too early, and is set anew then.
        if object.ends.replace(now + ttl).is_none() {
            self.deeds.push(Deed::Alarm(ObjectAlarm::End(id), now + ttl));
        }
    }

    /// Hands what has changed to the store; the number of the batch.
    pub(super) fn write_down(&mut self) -> Option<u64> {
        let mut changes = std::mem::take(&mut self.pen.changes);
        let kept = |id: &&u64| self.all.get(id).is_some_and(Object::is_kept);
        let objects: Vec<u64> = self.round.touched.iter().filter(kept).copied().collect();
        if !self.paper.durable || (changes.is_empty() && objects.is_empty()) {
            return None;
        }
        let deleted: Vec<u64> = changes.iter().filter_map(deleted).collect();
        if self.paper.failing.is_some() {
            // The alarm that is set, or the batch that is to mend, sees to it: an alarm set anew with each change would
            // never ring where changes come more often.
            self.owe(&objects, deleted);
            return None;
        }
        let heads = objects.iter().filter_map(|id| self.all.get(id)).map(|object| self.paper.head(object));
        changes.extend(heads);
        Some(self.submit(changes, Batch { objects, deleted, ..Batch::default() }))
    }

    fn submit(&mut self, changes: Vec<Change>, batch: Batch) -> u64 {
        self.paper.last += 1;
        let number = self.paper.last;
        for id in &batch.objects {
            if let Some(object) = self.all.get_mut(id) {
                object.unsynced = Some(number);
            }
        }
        self.paper.batches.insert(number, batch);
        self.deeds.push(Deed::Record { batch: number, changes });
        number
    }

    /// The store lacks what these are, and has rows that are no more.
    fn owe(&mut self, objects: &[u64], deleted: Vec<u64>) {
        for id in objects {
            if let Some(object) = self.all.get_mut(id) {
                object.owed = true;
            }
        }
        self.paper.deleted.extend(deleted);
    }

    /// The rows of an object that is removed.
    pub(super) fn erase_rows(&mut self, id: u64) {
        let Some(object) = self.all.get(&id).filter(|object| object.is_kept()) else { return };
        let pen = &mut self.pen;
        pen.keeps = true;
        pen.delete(id);
        cells(object, |row, _| pen.delete(row));
    }

    /// A batch is on the disk.
    pub(crate) fn recorded(&mut self, number: u64) {
        let Some(mut batch) = self.close(number) else { return };
        if batch.mends {
            // What has changed since it set off is not in it: another one follows, or all is well.
            self.mend();
        }
        self.send(&mut batch.answers);
    }

    fn close(&mut self, number: u64) -> Option<Batch> {
        let batch = self.paper.batches.remove(&number)?;
        for id in &batch.objects {
            if let Some(object) = self.all.get_mut(id).filter(|object| object.unsynced == Some(number)) {
                object.unsynced = None;
            }
        }
        Some(batch)
    }

    /// The store has refused a batch.
    pub(crate) fn not_recorded(&mut self, number: u64, why: &str, now: Moment) {
        let Some(mut batch) = self.close(number) else { return };
        self.paper.failing = Some(why.to_owned());
        self.owe(&batch.objects, std::mem::take(&mut batch.deleted));
        self.deeds.push(Deed::Alarm(ObjectAlarm::Store, now + AGAIN));
        for answer in batch.answers.iter_mut().filter(|answer| !answer.continues) {
            if matches!(answer.reply, Reply::Object(_)) {
                let why = format!("could not record it, so that a crash would take it back: {why}");
                answer.reply = Reply::Refused(Failure::new(ErrorCode::StoreFailed, why));
            }
        }
        self.send(&mut batch.answers);
    }

    /// It is time to try a store that refuses.
    pub(super) fn store_due(&mut self, _now: Moment) {
        if self.paper.failing.is_some() && !self.paper.batches.values().any(|batch| batch.mends) {
            self.mend();
        }
    }

    /// Hands in all that the store lacks; where that is nothing it may be trusted again.
    fn mend(&mut self) {
        let mut changes: Vec<Change> = Vec::new();
        let mut objects = Vec::new();
        for object in self.all.values_mut().filter(|object| object.owed) {
            object.owed = false;
            objects.push(object.id);
            changes.push(self.paper.head(object));
            let of = object.id;
            cells(object, |row, cell| {
                let cell = tally_protocol::objects::CellRow { of, ..cell };
                let bytes = ObjectRow::Cell(Box::new(cell)).to_bytes();
                changes.push(Change::Put(Table::Objects, row, bytes));
            });
        }
        let deleted: Vec<u64> = std::mem::take(&mut self.paper.deleted).into_iter().collect();
        changes.extend(deleted.iter().map(|&row| Change::Delete(Table::Objects, row)));
        if changes.is_empty() {
            self.paper.failing = None;
            return;
        }
        self.submit(changes, Batch { objects, deleted, mends: true, ..Batch::default() });
    }

    /// Nobody waits for the store any more.
    pub(crate) fn abandon(&mut self) {
        self.paper.durable = false;
        for number in self.paper.batches.keys().copied().collect::<Vec<_>>() {
            let Some(mut batch) = self.close(number) else { continue };
            for answer in batch.answers.iter_mut().filter(|answer| !answer.continues) {
                let why = "could not wait for the store: the daemon was told to end at once";
                answer.reply = Reply::Refused(Failure::new(ErrorCode::Stopping, why));
            }
            self.send(&mut batch.answers);
        }
        for object in self.all.values_mut() {
            object.owed = false;
        }
    }
}

fn deleted(change: &Change) -> Option<u64> {
    match change {
        Change::Delete(_, row) => Some(*row),
        Change::Put(..) => None,
    }
}
