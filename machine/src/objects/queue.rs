//! A queue: items for one consumer each, first come first served on both sides.
//!
//! | an item is | until                                                                                   |
//! |------------|-----------------------------------------------------------------------------------------|
//! | ready      | a consumer gets it: leased, or gone at once if it takes it                              |
//! | leased     | acknowledged: gone; returned, its consumer gone or its time over: ready, in its old place |
//! | dead       | its last allowed delivery came to nothing; revived: ready, in its old place             |
//!
//! Closed, it takes no more items; those that are in it are still delivered, and whoever comes when none is ready and
//! none leased hears that it is closed. Only ready items count for its capacity: one that comes back needs no room.

use std::collections::{BTreeMap, VecDeque};

use tally_protocol::error::ErrorCode;
use tally_protocol::objects::{CellRow, Datum, ObjectResult, Receipt};
use tally_protocol::{ClientId, limits};

use super::fault::{Fault, conflict, full, late};
use super::pen::{Pen, Undo, cell};
use crate::moment::{Moment, Span};

/// One item.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) row: u64,
    pub(super) value: Datum,
    /// How often it was delivered.
    pub(super) deliveries: u32,
}

/// An item that a consumer has.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    pub(super) item: Item,
    pub(super) client: ClientId,
    /// When it comes back even if the consumer lives.
    pub(super) until: Option<Moment>,
}

/// Who waits for an item.
#[derive(Clone, Debug)]
pub(super) struct Getter {
    pub(super) client: ClientId,
    pub(super) take: bool,
    pub(super) lease: Option<Span>,
}

/// A queue.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    pub(super) ready: BTreeMap<u64, Item>,
    pub(super) leased: BTreeMap<u64, Lease>,
    pub(super) dead: BTreeMap<u64, Item>,
    /// The number of the next item.
    pub(super) next: u64,
    pub(super) capacity: Option<u64>,
    pub(super) deliveries: Option<u32>,
    pub(super) closed: bool,
    pub(super) getters: VecDeque<Getter>,
    pub(super) putters: VecDeque<(ClientId, Vec<Datum>)>,
    pub(super) bytes: usize,
}

/// Somebody who waited need not any more.
#[derive(Debug)]
pub(super) enum Served {
    /// An item is there.
    Got {
        /// For whom.
        getter: Getter,
        /// Which.
        receipt: Receipt,
        /// What is in it.
        value: Datum,
    },
    /// There was room.
    Put(ClientId, Vec<Datum>),
    /// The queue was closed.
    Closed(ClientId),
}

/// What a delivery tells.
pub(super) fn delivered(receipt: Receipt, value: Datum, take: bool) -> ObjectResult {
    ObjectResult {
        value: Some(value),
        receipt: (!take).then(|| receipt.to_string()),
        deliveries: Some(receipt.delivery),
        ..ObjectResult::default()
    }
}

/// Bytes that an item is counted with.
pub(super) fn cost(value: &Datum) -> usize {
    limits::OBJECT_CELL_BYTES + value.size()
}

/// Why nothing can be put in or taken out.
pub(super) fn closed() -> Fault {
    Fault { code: ErrorCode::Closed, why: "it is closed".to_owned() }
}

impl Queue {
    pub(super) fn new(capacity: Option<u64>, deliveries: Option<u32>) -> Self {
        Self {
            ready: BTreeMap::new(),
            leased: BTreeMap::new(),
            dead: BTreeMap::new(),
            next: 1,
            capacity,
            deliveries,
            closed: false,
            getters: VecDeque::new(),
            putters: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Whether nothing will ever come out of it again.
    fn is_drained(&self) -> bool {
        self.closed && self.ready.is_empty() && self.leased.is_empty()
    }

    fn has_room(&self, count: usize) -> bool {
        let most = self.capacity.unwrap_or(limits::QUEUE_ITEMS_MAX);
        (self.ready.len() + count) as u64 <= most
    }

    /// Puts items in, if that can be now. They come back if it would have to wait.
    pub(super) fn put(&mut self, values: Vec<Datum>, pen: &mut Pen) -> Result<Option<Vec<Datum>>, Fault> {
        if self.closed {
            return Err(closed());
        }
        let most = self.capacity.unwrap_or(limits::QUEUE_ITEMS_MAX);
        if values.len() as u64 > most {
            return Err(full(format!("{} items never fit, its capacity is {most}", values.len())));
        }
        let held = self.ready.len() + self.leased.len() + self.dead.len() + values.len();
        if held as u64 > 2 * limits::QUEUE_ITEMS_MAX {
            return Err(full(format!("it holds {held} items, ready, leased and dead")));
        }
        if !self.putters.is_empty() || !self.has_room(values.len()) {
            return Ok(Some(values));
        }
        self.append(values, pen);
        Ok(None)
    }

    fn append(&mut self, values: Vec<Datum>, pen: &mut Pen) {
        let first = self.next;
        for value in values {
            let number = self.next;
            self.next += 1;
            self.bytes += cost(&value);
            let item = Item { row: pen.row(), value, deliveries: 0 };
            pen.put(item.row, || cell_of(number, &item));
            self.ready.insert(number, item);
        }
        pen.step(|| Undo::Put(first));
    }

    /// Takes the next item out, if there is one and nobody was there before.
    pub(super) fn get(
        &mut self,
        getter: &Getter,
        now: Moment,
        pen: &mut Pen,
    ) -> Result<Option<(Receipt, Datum)>, Fault> {
        if self.is_drained() {
            return Err(closed());
        }
        if !self.getters.is_empty() {
            return Ok(None);
        }
        Ok(self.deliver(getter, now, pen))
    }

    fn deliver(&mut self, getter: &Getter, now: Moment, pen: &mut Pen) -> Option<(Receipt, Datum)> {
        let (number, mut item) = self.ready.pop_first()?;
        if getter.take {
            self.bytes -= cost(&item.value);
            pen.delete(item.row);
            let receipt = Receipt { item: number, delivery: item.deliveries + 1 };
            let value = item.value.clone();
            pen.step(|| Undo::Taken(number, item));
            return Some((receipt, value));
        }
        item.deliveries += 1;
        pen.put(item.row, || cell_of(number, &item));
        pen.step(|| Undo::Delivered(number));
        let receipt = Receipt { item: number, delivery: item.deliveries };
        let value = item.value.clone();
        let until = getter.lease.map(|lease| now + lease);
        self.leased.insert(number, Lease { item, client: getter.client, until });
        Some((receipt, value))
    }

    /// Serves who waits, as long as somebody can be served.
    pub(super) fn serve(&mut self, now: Moment, pen: &mut Pen) -> Vec<Served> {
        let mut served = Vec::new();
        loop {
            if let Some((_, values)) = self.putters.front()
                && (self.closed || self.has_room(values.len()))
                && let Some((client, values)) = self.putters.pop_front()
            {
                if self.closed {
                    served.push(Served::Closed(client));
                } else {
                    self.append(values.clone(), pen);
                    served.push(Served::Put(client, values));
                }
            } else if !self.getters.is_empty() && !self.ready.is_empty() {
                let Some(getter) = self.getters.pop_front() else { break };
                if let Some((receipt, value)) = self.deliver(&getter, now, pen) {
                    served.push(Served::Got { getter, receipt, value });
                }
            } else if self.is_drained() && !self.getters.is_empty() {
                served.extend(self.getters.drain(..).map(|getter| Served::Closed(getter.client)));
            } else {
                break;
            }
        }
        served
    }

    /// A ready item belongs to somebody who had it before the program changed, if this delivery of it is the last.
    pub(super) fn lease_again(
        &mut self,
        number: u64,
        delivery: u32,
        client: ClientId,
        until: Option<Moment>,
    ) -> bool {
        if self.ready.get(&number).is_none_or(|item| item.deliveries != delivery) {
            return false;
        }
        let Some(item) = self.ready.remove(&number) else { return false };
        self.leased.insert(number, Lease { item, client, until });
        true
    }

    fn leased(&self, receipt: Receipt) -> Result<&Lease, Fault> {
        let lease = self.leased.get(&receipt.item).filter(|lease| lease.item.deliveries == receipt.delivery);
        lease.ok_or_else(|| conflict(format!("nobody has item {receipt} any more")))
    }

    /// An item is done with; who had it.
    pub(super) fn acknowledge(&mut self, receipt: Receipt, pen: &mut Pen) -> Result<Option<ClientId>, Fault> {
        self.leased(receipt)?;
        let Some(lease) = self.leased.remove(&receipt.item) else { return Ok(None) };
        self.bytes -= cost(&lease.item.value);
        pen.delete(lease.item.row);
        let client = lease.client;
        pen.step(|| Undo::Acknowledged(receipt.item, lease));
        Ok(Some(client))
    }

    /// An item comes back; who had it.
    pub(super) fn give_back(&mut self, receipt: Receipt, pen: &mut Pen) -> Result<Option<ClientId>, Fault> {
        self.leased(receipt)?;
        Ok(self.take_back(receipt.item, pen))
    }

    /// A lease is over: the item goes back to its place, or has died.
    pub(super) fn take_back(&mut self, number: u64, pen: &mut Pen) -> Option<ClientId> {
        let Lease { item, client, .. } = self.leased.remove(&number)?;
        if self.deliveries.is_some_and(|most| item.deliveries >= most) {
            pen.put(item.row, || CellRow { dead: true, ..cell_of(number, &item) });
            self.dead.insert(number, item);
        } else {
            self.ready.insert(number, item);
        }
        Some(client)
    }

    /// Dead items are alive again; how many.
    pub(super) fn revive(&mut self, pen: &mut Pen) -> u64 {
        let dead = std::mem::take(&mut self.dead);
        let count = dead.len() as u64;
        for (number, item) in dead {
            let item = Item { deliveries: 0, ..item };
            pen.put(item.row, || cell_of(number, &item));
            self.ready.insert(number, item);
        }
        count
    }

    /// Dead items from a number on, as many as a reply takes, and the number of the next.
    pub(super) fn dead_from(&self, from: u64) -> (Vec<Datum>, Option<u64>) {
        let (mut page, mut room) = (Vec::new(), limits::OBJECT_PAGE_BYTES);
        for (&number, item) in self.dead.range(from..) {
            let cost = cost(&item.value);
            if cost > room && !page.is_empty() {
                return (page, Some(number));
            }
            room = room.saturating_sub(cost);
            page.push(item.value.clone());
        }
        (page, None)
    }

    /// A client does not wait any more.
    pub(super) fn leave(&mut self, client: ClientId) {
        self.getters.retain(|getter| getter.client != client);
        self.putters.retain(|(one, _)| *one != client);
    }

    /// Why somebody who did not want to wait has got nothing.
    pub(super) fn not_now(&self, puts: bool) -> Fault {
        match (puts, self.ready.len()) {
            (true, 1) => late("it is full, with 1 item"),
            (true, ready) => late(format!("it is full, with {ready} items")),
            (false, 0) => late("it is empty"),
            (false, _) => late("others were here before"),
        }
    }

    /// Takes a step back.
    pub(super) fn undo(&mut self, undo: Undo) {
        match undo {
            Undo::Put(first) => {
                while self.next > first {
                    self.next -= 1;
                    let gone = self.ready.remove(&self.next);
                    self.bytes -= gone.map_or(0, |gone| cost(&gone.value));
                }
            }
            Undo::Taken(number, item) => {
                self.bytes += cost(&item.value);
                self.ready.insert(number, item);
            }
            Undo::Delivered(number) => {
                if let Some(mut lease) = self.leased.remove(&number) {
                    lease.item.deliveries -= 1;
                    self.ready.insert(number, lease.item);
                }
            }
            Undo::Acknowledged(number, lease) => {
                self.bytes += cost(&lease.item.value);
                self.leased.insert(number, lease);
            }
            Undo::Closed => self.closed = false,
            Undo::Made
            | Undo::Version(_)
            | Undo::Value(_)
            | Undo::Key(..)
            | Undo::Pushed { .. }
            | Undo::Popped(..)
            | Undo::Element(..)
            | Undo::Event(_)
            | Undo::Stats(_) => {}
        }
    }
}

/// The row of an item.
pub(super) fn cell_of(number: u64, item: &Item) -> CellRow {
    let at = i64::try_from(number).unwrap_or(i64::MAX);
    CellRow { at, deliveries: item.deliveries, ..cell(&item.value) }
}
