//! `--by`: which group each row is of, and values on their way there.
//!
//! A group is the text of one or more cells. A text that is an integer as one is written (no sign but a minus, no zeros
//! before it) counts as one, so that 9 comes before 10; that is asked of each cell alone and so depends on no cut.
//! Values are gathered until there are many of each group, because groups are slow to be visited.

use std::collections::HashMap;

use tally_columns::{Column as Cells, Decimals, Texts};
use tally_expr::{Chunk, Values};
use tally_reduce::{
    Decimal, DecimalSum, GroupKey, GroupState, Grouped, Indices, Integer, Mismatch, NanPolicy, NotDecimal,
    Partial,
};

use crate::Fault;
use crate::chunk::too_many;

/// Values gathered before groups are visited.
const GATHERED: usize = 1 << 16;

/// Groups of integers and floats that are being folded.
pub(crate) struct Groups<'t> {
    met: Met<'t, Partial>,
    nan: NanPolicy,
    integers: Gathered<i64>,
    floats: Gathered<f64>,
}

/// Groups of decimals that are being folded.
pub(crate) struct DecimalGroups<'t> {
    met: Met<'t, DecimalSum>,
    /// Units and scales.
    units: Gathered<(i128, i32)>,
}

/// The groups met so far, and the number that each has here.
struct Met<'t, S> {
    grouped: &'t mut Grouped<S>,
    /// By the bytes of their cells.
    numbers: HashMap<Box<[u8]>, u32>,
    keys: Vec<GroupKey>,
    /// The cells of the row before, and its group.
    last: Option<u32>,
    last_cells: Vec<u8>,
    cells: Vec<u8>,
}

/// The cells that say of which group the rows of a batch are.
#[derive(Clone, Copy)]
pub(crate) struct Keys<'b> {
    pub(crate) columns: &'b [Cells],
    pub(crate) bytes: &'b [u8],
}

struct Gathered<T> {
    groups: Vec<u32>,
    values: Vec<T>,
}

impl<T> Default for Gathered<T> {
    fn default() -> Self {
        Self { groups: Vec::new(), values: Vec::new() }
    }
}

impl<T: Copy + Default> Gathered<T> {
    fn push(&mut self, group: u32, value: T) -> bool {
        self.groups.push(group);
        self.values.push(value);
        self.groups.len() >= GATHERED
    }

    /// The values of each group together, and where each begins; empties it.
    fn take(&mut self, groups: usize) -> (Vec<usize>, Vec<T>) {
        let mut starts = vec![0_usize; groups + 1];
        for &group in &self.groups {
            starts[group as usize + 1] += 1;
        }
        for group in 0..groups {
            starts[group + 1] += starts[group];
        }
        let mut next = starts.clone();
        let mut sorted = vec![T::default(); self.values.len()];
        for (&group, &value) in self.groups.iter().zip(&self.values) {
            let at = &mut next[group as usize];
            sorted[*at] = value;
            *at += 1;
        }
        self.groups.clear();
        self.values.clear();
        (starts, sorted)
    }
}

impl<'t> Groups<'t> {
    pub(crate) fn new(grouped: &'t mut Grouped, nan: NanPolicy) -> Self {
        Self { met: Met::new(grouped), nan, integers: Gathered::default(), floats: Gathered::default() }
    }

    pub(crate) fn skip(&mut self, rows: u64) {
        self.met.grouped.skip(rows);
    }

    pub(crate) fn make_nan(&mut self, values: u64) {
        self.met.grouped.make_nan(values);
    }

    /// The answers of a chunk whose first row is `first` of the batch.
    pub(crate) fn absorb(&mut self, chunk: &Chunk<'_>, keys: Keys<'_>, first: usize) -> Result<(), Fault> {
        let row = |lane: usize| {
            first + chunk.rows.map_or(lane, |rows| rows.get(lane).map_or(lane, |&row| row as usize))
        };
        match chunk.values {
            Values::I64(values) => {
                (0..).zip(values).try_for_each(|(lane, &value)| self.integer(keys, row(lane), value))
            }
            Values::F64(values) => {
                (0..).zip(values).try_for_each(|(lane, &value)| self.float(keys, row(lane), value))
            }
            Values::Bool(values) => (0..)
                .zip(values)
                .try_for_each(|(lane, &value)| self.integer(keys, row(lane), i64::from(value))),
            Values::I128(values) => (0..)
                .zip(values)
                .try_for_each(|(lane, &value)| self.wide(keys, row(lane), &Integer::from(value))),
            Values::Big(values) => {
                (0..).zip(values).try_for_each(|(lane, value)| self.wide(keys, row(lane), value))
            }
        }
    }

    pub(crate) fn integer(&mut self, keys: Keys<'_>, row: usize, value: i64) -> Result<(), Fault> {
        let group = self.met.number(keys, row)?;
        if self.integers.push(group, value) { self.settle() } else { Ok(()) }
    }

    pub(crate) fn float(&mut self, keys: Keys<'_>, row: usize, value: f64) -> Result<(), Fault> {
        let group = self.met.number(keys, row)?;
        if self.floats.push(group, value) { self.settle() } else { Ok(()) }
    }

    pub(crate) fn wide(&mut self, keys: Keys<'_>, row: usize, value: &Integer) -> Result<(), Fault> {
        if let Ok(value) = i64::try_from(value) {
            return self.integer(keys, row, value);
        }
        let group = self.met.number(keys, row)?;
        self.met.state(group as usize)?.absorb_integer(value, None).map_err(too_many)
    }

    /// Brings all values to their groups.
    pub(crate) fn settle(&mut self) -> Result<(), Fault> {
        let (starts, values) = self.integers.take(self.met.keys.len());
        for (group, ends) in starts.windows(2).enumerate().filter(|(_, ends)| ends[0] < ends[1]) {
            let partial = self.met.state(group)?;
            partial.absorb_i64(&values[ends[0]..ends[1]], Indices::Unknown).map_err(too_many)?;
        }
        let (starts, values) = self.floats.take(self.met.keys.len());
        let nan = self.nan;
        for (group, ends) in starts.windows(2).enumerate().filter(|(_, ends)| ends[0] < ends[1]) {
            let partial = self.met.state(group)?;
            partial.absorb_f64(&values[ends[0]..ends[1]], Indices::Unknown, nan).map_err(too_many)?;
            // The bound on groups does not know of it.
            partial.tidy();
        }
        Ok(())
    }
}

impl<'t> DecimalGroups<'t> {
    pub(crate) fn new(grouped: &'t mut Grouped<DecimalSum>) -> Self {
        Self { met: Met::new(grouped), units: Gathered::default() }
    }

    pub(crate) fn skip(&mut self, rows: u64) {
        self.met.grouped.skip(rows);
    }

    /// A column as it is.
    pub(crate) fn column(&mut self, decimals: &Decimals, keys: Keys<'_>) -> Result<(), Fault> {
        let mut wide = decimals.wide.iter().peekable();
        for (row, &units) in decimals.values.iter().enumerate() {
            match wide.next_if(|(at, _)| *at == row) {
                Some((_, value)) => {
                    let value = Decimal::from_units(value.units.clone(), value.scale.into());
                    self.value(keys, row, &value.map_err(too_long)?)?;
                }
                None => self.units(keys, row, units)?,
            }
        }
        Ok(())
    }

    /// `units / 10^scale`.
    pub(crate) fn units(&mut self, keys: Keys<'_>, row: usize, units: (i128, i32)) -> Result<(), Fault> {
        let group = self.met.number(keys, row)?;
        if self.units.push(group, units) { self.settle() } else { Ok(()) }
    }

    pub(crate) fn value(&mut self, keys: Keys<'_>, row: usize, value: &Decimal) -> Result<(), Fault> {
        let group = self.met.number(keys, row)?;
        self.met.state(group as usize)?.add(value, None);
        Ok(())
    }

    /// Brings all values to their groups.
    pub(crate) fn settle(&mut self) -> Result<(), Fault> {
        let (starts, values) = self.units.take(self.met.keys.len());
        for (group, ends) in starts.windows(2).enumerate().filter(|(_, ends)| ends[0] < ends[1]) {
            self.met.state(group)?.add_units(&values[ends[0]..ends[1]]).map_err(too_long)?;
        }
        Ok(())
    }
}

/// Why a decimal number is not added.
pub(crate) fn too_long(_: NotDecimal) -> Fault {
    Fault::new("add a decimal number with more than 4096 digits before or after the point")
}

impl<'t, S: GroupState> Met<'t, S> {
    fn new(grouped: &'t mut Grouped<S>) -> Self {
        Self {
            grouped,
            numbers: HashMap::new(),
            keys: Vec::new(),
            last: None,
            last_cells: Vec::new(),
            cells: Vec::new(),
        }
    }

    fn state(&mut self, group: usize) -> Result<&mut S, Fault> {
        self.grouped.group(&self.keys[group]).map_err(too_many_groups)
    }

    /// The number of a row's group.
    fn number(&mut self, keys: Keys<'_>, row: usize) -> Result<u32, Fault> {
        self.cells.clear();
        for column in keys.columns {
            let cell = cell(column, keys.bytes, row);
            if keys.columns.len() > 1 {
                self.cells.extend((cell.len() as u64).to_le_bytes());
            }
            self.cells.extend_from_slice(cell);
        }
        if let Some(last) = self.last.filter(|_| self.last_cells == self.cells) {
            return Ok(last);
        }
        let number = match self.numbers.get(self.cells.as_slice()) {
            Some(&number) => number,
            None => self.begin(keys, row)?,
        };
        std::mem::swap(&mut self.last_cells, &mut self.cells);
        self.last = Some(number);
        Ok(number)
    }

    /// A group that has not been met.
    fn begin(&mut self, keys: Keys<'_>, row: usize) -> Result<u32, Fault> {
        let mut key = GroupKey::new();
        for column in keys.columns {
            let cell = cell(column, keys.bytes, row);
            match integer(cell) {
                Some(value) => key.push_integer(&value),
                None => key.push_text(cell),
            }
        }
        self.grouped.group(&key).map_err(too_many_groups)?;
        let number = u32::try_from(self.keys.len()).map_err(|_| Fault::new("hold 2^32 groups"))?;
        self.keys.push(key);
        self.numbers.insert(self.cells.as_slice().into(), number);
        Ok(number)
    }
}

/// Why groups are not held, with advice.
pub(crate) fn too_many_groups(why: Mismatch) -> Fault {
    Fault::new(why.to_string()).hint("group by columns with fewer values, or leave rows out with --where")
}

fn cell<'b>(column: &'b Cells, bytes: &'b [u8], row: usize) -> &'b [u8] {
    let texts: Option<&Texts> = match column {
        Cells::Text(texts) => Some(texts),
        Cells::Integer(_) | Cells::Float(_) | Cells::Decimal(_) => None,
    };
    texts.and_then(|texts| texts.get(bytes, row)).unwrap_or(&[])
}

/// The integer that a cell is, if it is written as that integer is.
fn integer(cell: &[u8]) -> Option<Integer> {
    const DIGITS_MAX: usize = 1_000;
    let digits = cell.strip_prefix(b"-").unwrap_or(cell);
    let plain = match digits {
        [b'0'] => digits.len() == cell.len(),
        [b'1'..=b'9', rest @ ..] => rest.len() < DIGITS_MAX && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !plain {
        return None;
    }
    std::str::from_utf8(cell).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_told_from_texts_by_how_they_are_written() {
        for (text, value) in
            [("0", 0), ("-7", -7), ("10", 10), ("9007199254740993", 9_007_199_254_740_993_i64)]
        {
            assert_eq!(integer(text.as_bytes()), Some(value.into()), "{text}");
        }
        for text in ["", "-", "-0", "+1", "01", "1.0", "1e3", " 1", "x", "1x"] {
            assert_eq!(integer(text.as_bytes()), None, "{text}");
        }
    }
}
