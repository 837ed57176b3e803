//! What one request changes: rows for the store, and how to take it all back.
//!
//! The kinds write with it and know neither whether their object is persistent nor whether they are part of a
//! transaction: a pen of an object that is not kept writes no rows, and one outside of a transaction keeps no way back.

use tally_protocol::objects::{CellRow, Datum, ObjectRow};
use tally_protocol::record::{Change, Table};
use tally_reduce::Partial;

use super::held::Held;
use super::queue::{Item, Lease};

/// How to undo one step.
#[derive(Debug)]
pub(super) enum Undo {
    /// The object was made.
    Made,
    /// It had this version.
    Version(u64),
    /// A value was this.
    Value(Held),
    /// A key had this, or was not there.
    Key(String, Option<super::dict::Cell>),
    /// So many elements were pushed.
    Pushed {
        /// How many.
        count: usize,
        /// At the front.
        front: bool,
    },
    /// An element was taken out.
    Popped(usize, super::list::Element),
    /// An element was this.
    Element(usize, Datum),
    /// Items were put, from this number on.
    Put(u64),
    /// An item was taken for good.
    Taken(u64, Item),
    /// An item was delivered.
    Delivered(u64),
    /// An item was acknowledged.
    Acknowledged(u64, Lease),
    /// A queue was closed.
    Closed,
    /// An event was set or not.
    Event(bool),
    /// Statistics were these.
    Stats(Box<Partial>),
}

/// The pen of one request.
#[derive(Debug, Default)]
pub(super) struct Pen {
    /// The last number of an object or a row.
    pub(super) last: u64,
    /// The object that is written to.
    pub(super) object: u64,
    /// It is persistent.
    pub(super) keeps: bool,
    /// Rows that change.
    pub(super) changes: Vec<Change>,
    /// All of it may have to be undone.
    pub(super) transacts: bool,
    /// Steps that can be undone, with their objects.
    pub(super) steps: Vec<(u64, Undo)>,
}

impl Pen {
    /// A number that nothing has.
    pub(super) fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// The number of a new row; 0 for an object that is not kept.
    pub(super) fn row(&mut self) -> u64 {
        if self.keeps { self.number() } else { 0 }
    }

    /// The row is this from now on.
    pub(super) fn put(&mut self, row: u64, cell: impl FnOnce() -> CellRow) {
        if self.keeps {
            let mut cell = cell();
            cell.of = self.object;
            let bytes = ObjectRow::Cell(Box::new(cell)).to_bytes();
            self.changes.push(Change::Put(Table::Objects, row, bytes));
        }
    }

    /// There is no such row any more.
    pub(super) fn delete(&mut self, row: u64) {
        if self.keeps {
            self.changes.push(Change::Delete(Table::Objects, row));
        }
    }

    /// Something was done that this takes back.
    pub(super) fn step(&mut self, undo: impl FnOnce() -> Undo) {
        if self.transacts {
            self.steps.push((self.object, undo()));
        }
    }
}

/// A cell with nothing special about it.
pub(super) fn cell(value: &Datum) -> CellRow {
    CellRow { of: 0, key: None, at: 0, value: value.clone(), sum: None, deliveries: 0, dead: false }
}
