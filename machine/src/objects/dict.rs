//! A dict: data by keys, in the order of the keys.

use std::collections::BTreeMap;
use std::ops::Bound;

use tally_protocol::limits;
use tally_protocol::objects::{CellRow, Datum, DictVerb, ObjectResult, Pairs};

use super::fault::{Fault, conflict, missing, quoted, unlike};
use super::held::Held;
use super::pen::{Pen, Undo, cell};

/// What is there for one key.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) row: u64,
    pub(super) held: Held,
}

/// The keys, and the bytes of all.
#[derive(Clone, Debug, Default)]
pub(super) struct Dict {
    pub(super) cells: BTreeMap<String, Cell>,
    pub(super) bytes: usize,
}

/// Bytes that a key and what is there are counted with.
pub(super) fn cost(key: &str, held: &Held) -> usize {
    limits::OBJECT_CELL_BYTES + key.len() + held.size()
}

impl Dict {
    pub(super) fn apply(&mut self, verb: DictVerb, pen: &mut Pen) -> Result<ObjectResult, Fault> {
        let mut result = ObjectResult::default();
        match verb {
            DictVerb::Get(key) => result.value = Some(self.find(&key)?.datum.clone()),
            DictVerb::Set(key, value) => self.set(key, value.into(), pen),
            DictVerb::Add(key, by) => {
                let zero = Held::from(Datum::from(0));
                let sum = self.cells.get(&key).map_or(&zero, |cell| &cell.held).plus(&by)?;
                result.value = Some(sum.datum.clone());
                self.set(key, sum, pen);
            }
            DictVerb::Swap { key, old, new } => {
                self.compare(&key, old.as_ref())?;
                self.set(key, new.into(), pen);
            }
            DictVerb::Update(items) => {
                for (key, value) in items {
                    self.set(key, value.into(), pen);
                }
            }
            DictVerb::Delete(key) => result.value = Some(self.delete(&key, pen)?),
            DictVerb::Keys(after) => {
                let (page, next) = self.page(after);
                result.keys = Some(page.into_iter().map(|(key, _)| key.clone()).collect());
                result.next = next;
            }
            DictVerb::Items(after) => {
                let (page, next) = self.page(after);
                let items = page.into_iter().map(|(key, cell)| (key.clone(), cell.held.datum.clone()));
                result.items = Some(Pairs(items.collect()));
                result.next = next;
            }
            DictVerb::Length => result.length = Some(self.cells.len() as u64),
        }
        Ok(result)
    }

    fn find(&self, key: &str) -> Result<&Held, Fault> {
        let found = self.cells.get(key).map(|cell| &cell.held);
        found.ok_or_else(|| missing(format!("there is no key {}", quoted(key))))
    }

    fn compare(&self, key: &str, old: Option<&Datum>) -> Result<(), Fault> {
        let found = self.cells.get(key).map(|cell| &cell.held.datum);
        let key = quoted(key);
        match (found, old) {
            (found, old) if found == old => Ok(()),
            (Some(found), Some(old)) => Err(conflict(format!("{key} is {}", unlike(found, old)))),
            (None, _) => Err(conflict(format!("there is no key {key}"))),
            (Some(found), None) => Err(conflict(format!("{key} is there, and is {}", quoted(found)))),
        }
    }

    fn set(&mut self, key: String, held: Held, pen: &mut Pen) {
        self.bytes += cost(&key, &held);
        if let Some(there) = self.cells.get_mut(&key) {
            self.bytes -= cost(&key, &there.held);
            let before = std::mem::replace(&mut there.held, held);
            pen.put(there.row, || cell_of(&key, &there.held));
            let row = there.row;
            pen.step(|| Undo::Key(key, Some(Cell { row, held: before })));
            return;
        }
        let row = pen.row();
        pen.put(row, || cell_of(&key, &held));
        pen.step(|| Undo::Key(key.clone(), None));
        self.cells.insert(key, Cell { row, held });
    }

    fn delete(&mut self, key: &str, pen: &mut Pen) -> Result<Datum, Fault> {
        self.find(key)?;
        let Some(cell) = self.cells.remove(key) else { return Ok(Datum::from(0)) };
        self.bytes -= cost(key, &cell.held);
        pen.delete(cell.row);
        let datum = cell.held.datum.clone();
        pen.step(|| Undo::Key(key.to_owned(), Some(cell)));
        Ok(datum)
    }

    /// As many as a reply takes behind a key, and the last of them if there are more.
    fn page(&self, after: Option<String>) -> (Vec<(&String, &Cell)>, Option<String>) {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let (mut page, mut room) = (Vec::new(), limits::OBJECT_PAGE_BYTES);
        for (key, cell) in self.cells.range((from, Bound::Unbounded)) {
            let cost = cost(key, &cell.held);
            if cost > room && !page.is_empty() {
                let last = page.last().map(|(key, _): &(&String, _)| (*key).clone());
                return (page, last);
            }
            room = room.saturating_sub(cost);
            page.push((key, cell));
        }
        (page, None)
    }

    /// Takes a step back.
    pub(super) fn undo(&mut self, key: String, before: Option<Cell>) {
        let gone = match before {
            Some(cell) => {
                self.bytes += cost(&key, &cell.held);
                self.cells.insert(key.clone(), cell)
            }
            None => self.cells.remove(&key),
        };
        self.bytes -= gone.map_or(0, |gone| cost(&key, &gone.held));
    }
}

/// The row of a key.
pub(super) fn cell_of(key: &str, held: &Held) -> CellRow {
    CellRow { key: Some(key.to_owned()), sum: held.sum_bytes(), ..cell(&held.datum) }
}
