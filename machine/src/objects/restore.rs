//! How the next daemon has the persistent objects of the last one. Whoever had an item is gone, so all items are ready.
//!
//! One that takes over in the same process also has those that live as long as the daemon: they were handed to it, as
//! far as there was room. What ends with a connection has ended with it. The connections of those who had items are open
//! still: each has its items again before anybody else can ask for one.

use tally_protocol::ClientId;
use tally_protocol::locks::handover::HandedLease;
use tally_protocol::objects::handover::{HandedObjects, Writer};
use tally_protocol::objects::{CellRow, Creation, Lifetime, ObjectRow, SavedObject};

use super::dict::{self, Cell};
use super::held::Held;
use super::list::{self, Element};
use super::object::{Object, State};
use super::paper::cells;
use super::queue::{self, Item};
use super::{Deed, ObjectAlarm, Objects, stats};
use crate::moment::{Moment, Span};

impl Objects {
    /// Takes up what a store has. `last` is the last number of a row there, readable or not.
    pub(crate) fn restore(&mut self, saved: Vec<SavedObject>, last: u64) {
        self.pen.last = self.pen.last.max(last);
        for one in saved {
            self.take_up(one);
        }
    }

    /// What is in no store and does not end, for another program that takes over.
    pub(crate) fn hand_over(&self) -> Writer {
        let mut writer = Writer::new(self.version);
        let lasting = |object: &&Object| object.lifetime == Lifetime::Daemon && object.version > 0;
        for object in self.all.values().filter(lasting) {
            let mut rows = vec![self.paper.head_row(object)];
            cells(object, |_, cell| rows.push(ObjectRow::Cell(Box::new(CellRow { of: object.id, ..cell }))));
            writer.add(rows);
        }
        writer
    }

    /// Takes over what another program had. What is there already, from the store, goes before.
    pub(crate) fn take_over(&mut self, handed: HandedObjects) {
        self.version = self.version.max(handed.last_version);
        for mut one in handed.objects {
            if one.head.lifetime == Lifetime::Daemon && !self.names.contains_key(&one.head.name) {
                // Another one than any in the store.
                one.head.id = self.pen.number();
                one.cells.iter_mut().for_each(|cell| cell.row = 0);
                self.take_up(one);
            }
        }
    }

    /// Who has which items, for another program that takes over.
    pub(crate) fn hand_over_leases(&self, now: Moment) -> Vec<HandedLease> {
        let mut handed = Vec::new();
        for (&client, items) in &self.holding {
            for &(id, item) in items {
                let Some(Object { name, state: State::Queue(queue), .. }) = self.all.get(&id) else {
                    continue;
                };
                let Some(lease) = queue.leased.get(&item) else { continue };
                let left_ms = lease.until.map(|until| until.since(now).as_ms());
                let delivery = lease.item.deliveries;
                handed.push(HandedLease { client, queue: name.clone(), item, delivery, left_ms });
            }
        }
        handed
    }

    /// Gives items back to those who had them, as far as both are there.
    pub(crate) fn take_leases(
        &mut self,
        leases: Vec<HandedLease>,
        now: Moment,
        is_there: impl Fn(ClientId) -> bool,
    ) {
        for HandedLease { client, queue, item, delivery, left_ms } in leases {
            let Some(&id) = self.names.get(&queue).filter(|_| is_there(client)) else { continue };
            let Some(Object { state: State::Queue(queue), .. }) = self.all.get_mut(&id) else { continue };
            let until = left_ms.map(|ms| now + Span::ms(ms));
            if queue.lease_again(item, delivery, client, until) {
                self.hold(client, id, item, until);
            }
        }
    }

    fn take_up(&mut self, saved: SavedObject) {
        let state = state_of(&saved);
        let head = saved.head;
        self.version = self.version.max(head.version);
        let ends = head.ends_at_ms.map(|ms| self.paper.moment_of(ms));
        if let Some(ends) = ends {
            self.deeds.push(Deed::Alarm(ObjectAlarm::End(head.id), ends));
        }
        let object = Object {
            id: head.id,
            name: head.name.clone(),
            uid: head.uid,
            others: head.others,
            lifetime: head.lifetime,
            maker: None,
            ttl: head.ttl_ms.map(Span::ms),
            ends,
            version: head.version.max(1),
            charged: 0,
            unsynced: None,
            owed: false,
            state,
        };
        self.names.insert(head.name, head.id);
        self.users.entry(object.uid).or_default().objects += 1;
        self.all.insert(head.id, object);
        self.charge(head.id);
    }
}

fn state_of(saved: &SavedObject) -> State {
    let head = &saved.head;
    let creation = Creation { capacity: head.capacity, deliveries: head.deliveries, ..Creation::default() };
    let mut state = State::new(head.kind, &creation);
    match &mut state {
        State::Value(held) => {
            if let Some(value) = &head.value {
                *held = Held::restored(value.clone(), head.sum.as_deref());
            }
        }
        State::Dict(dict) => {
            for one in &saved.cells {
                let held = Held::restored(one.cell.value.clone(), one.cell.sum.as_deref());
                let key = one.cell.key.clone().unwrap_or_default();
                dict.bytes += dict::cost(&key, &held);
                if let Some(twin) = dict.cells.insert(key.clone(), Cell { row: one.row, held }) {
                    dict.bytes -= dict::cost(&key, &twin.held);
                }
            }
        }
        State::List(list) => {
            let mut elements: Vec<Element> = saved
                .cells
                .iter()
                .map(|one| Element { row: one.row, at: one.cell.at, value: one.cell.value.clone() })
                .collect();
            elements.sort_by_key(|element| element.at);
            list.bytes = elements.iter().map(|element| list::cost(&element.value)).sum();
            list.elements = elements.into();
        }
        State::Queue(queue) => {
            for one in &saved.cells {
                let number = u64::try_from(one.cell.at).unwrap_or(0);
                let item =
                    Item { row: one.row, value: one.cell.value.clone(), deliveries: one.cell.deliveries };
                queue.next = queue.next.max(number.saturating_add(1));
                let cost = queue::cost(&item.value);
                let place = if one.cell.dead { &mut queue.dead } else { &mut queue.ready };
                if place.insert(number, item).is_none() {
                    queue.bytes += cost;
                }
            }
            queue.next = queue.next.max(head.next);
            queue.closed = head.closed;
        }
        State::Event(event) => event.set = head.set,
        State::Stats(partial) => *partial = stats::restored(head.stats.as_deref()),
        State::Barrier(_) => {}
    }
    debug_assert_eq!(state.kind(), head.kind);
    state
}
