//! A list: data in a row, pushed and popped at both ends. Indices count from 0, negative ones from the end.

use std::collections::VecDeque;

use tally_protocol::limits;
use tally_protocol::objects::{CellRow, Datum, ListVerb, ObjectResult};

use super::fault::{Fault, missing};
use super::pen::{Pen, Undo, cell};

/// One element. Its place says where it stands among the others; places need not follow each other.
#[derive(Clone, Debug)]
pub(super) struct Element {
    pub(super) row: u64,
    pub(super) at: i64,
    pub(super) value: Datum,
}

/// The elements, and the bytes of all.
#[derive(Clone, Debug, Default)]
pub(super) struct List {
    pub(super) elements: VecDeque<Element>,
    pub(super) bytes: usize,
}

/// Bytes that an element is counted with.
pub(super) fn cost(value: &Datum) -> usize {
    limits::OBJECT_CELL_BYTES + value.size()
}

impl List {
    pub(super) fn apply(&mut self, verb: ListVerb, pen: &mut Pen) -> Result<ObjectResult, Fault> {
        let mut result = ObjectResult::default();
        match verb {
            ListVerb::Push { values, front } => {
                let count = values.len();
                values.into_iter().for_each(|value| self.push(value, front, pen));
                pen.step(|| Undo::Pushed { count, front });
                result.length = Some(self.elements.len() as u64);
            }
            ListVerb::Pop(index) => {
                let index = self.place(index)?;
                result.value = self.pop(index, pen);
            }
            ListVerb::Get(index) => {
                let index = self.place(index)?;
                result.value = self.elements.get(index).map(|element| element.value.clone());
            }
            ListVerb::Set(index, value) => {
                let index = self.place(index)?;
                self.set(index, value, pen);
            }
            ListVerb::Length => result.length = Some(self.elements.len() as u64),
            ListVerb::All(from) => {
                let (values, next) = self.page(from);
                result.values = Some(values);
                result.next = next.map(|next| next.to_string());
            }
        }
        Ok(result)
    }

    fn place(&self, index: i64) -> Result<usize, Fault> {
        let length = self.elements.len();
        let place = match usize::try_from(index) {
            Ok(index) => Some(index),
            Err(_) => usize::try_from(index.unsigned_abs()).ok().and_then(|back| length.checked_sub(back)),
        };
        place.filter(|&place| place < length).ok_or_else(|| match length {
            0 => missing("it is empty"),
            length => missing(format!("there is no element {index}, it has {length}")),
        })
    }

    fn push(&mut self, value: Datum, front: bool, pen: &mut Pen) {
        let at = if front {
            self.elements.front().map_or(0, |first| first.at - 1)
        } else {
            self.elements.back().map_or(0, |last| last.at + 1)
        };
        self.bytes += cost(&value);
        let element = Element { row: pen.row(), at, value };
        pen.put(element.row, || cell_of(&element));
        if front {
            self.elements.push_front(element);
        } else {
            self.elements.push_back(element);
        }
    }

    fn pop(&mut self, index: usize, pen: &mut Pen) -> Option<Datum> {
        let element = self.elements.remove(index)?;
        self.bytes -= cost(&element.value);
        pen.delete(element.row);
        let value = element.value.clone();
        pen.step(|| Undo::Popped(index, element));
        Some(value)
    }

    fn set(&mut self, index: usize, value: Datum, pen: &mut Pen) {
        let Some(element) = self.elements.get_mut(index) else { return };
        self.bytes += cost(&value);
        self.bytes -= cost(&element.value);
        let before = std::mem::replace(&mut element.value, value);
        pen.put(element.row, || cell_of(element));
        pen.step(|| Undo::Element(index, before));
    }

    fn page(&self, from: u64) -> (Vec<Datum>, Option<u64>) {
        let (mut page, mut room) = (Vec::new(), limits::OBJECT_PAGE_BYTES);
        let skipped = usize::try_from(from).unwrap_or(usize::MAX);
        for element in self.elements.iter().skip(skipped) {
            let cost = cost(&element.value);
            if cost > room && !page.is_empty() {
                let next = from + page.len() as u64;
                return (page, Some(next));
            }
            room = room.saturating_sub(cost);
            page.push(element.value.clone());
        }
        (page, None)
    }

    /// Takes back a push.
    pub(super) fn unpush(&mut self, count: usize, front: bool) {
        for _ in 0..count {
            let gone = if front { self.elements.pop_front() } else { self.elements.pop_back() };
            self.bytes -= gone.map_or(0, |gone| cost(&gone.value));
        }
    }

    /// Takes back a pop.
    pub(super) fn unpop(&mut self, index: usize, element: Element) {
        self.bytes += cost(&element.value);
        self.elements.insert(index.min(self.elements.len()), element);
    }

    /// Takes back a set.
    pub(super) fn unset(&mut self, index: usize, before: Datum) {
        if let Some(element) = self.elements.get_mut(index) {
            self.bytes += cost(&before);
            self.bytes -= cost(&element.value);
            element.value = before;
        }
    }
}

/// The row of an element.
pub(super) fn cell_of(element: &Element) -> CellRow {
    CellRow { at: element.at, ..cell(&element.value) }
}
