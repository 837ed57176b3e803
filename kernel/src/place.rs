//! Where rows begin in any part of a table.
//!
//! A row belongs to the part that holds the byte before it; the one that begins with the file, to the part that does.
//! Whether a line feed ends a row depends on all quotes before it. So what is before a part is scanned, ten times as
//! fast as it is read, and remembered: parts mostly come in ascending order, and then each byte is scanned once, or
//! not at all if it was read.

use tally_columns::{BlockScan, Dialect, Place, cut};

use crate::Fault;
use crate::files::FileBytes;

/// Bytes scanned at once: few enough to stay in a cache between being read and being scanned.
const SCAN_BYTES: u64 = 256 << 10;
/// Bytes between two places that are remembered.
const REMEMBERED_EVERY: u64 = 16 << 20;
/// Bytes looked at first for the next row.
const LOOK_BYTES: u64 = 4 << 10;

/// Where the rows of one file begin.
pub(crate) struct Starts {
    file: usize,
    length: u64,
    dialect: Dialect,
    body: Place,
    /// Scans from the body to some offsets, ascending.
    known: Vec<(u64, BlockScan)>,
    /// Where the part that was read last ended, and the row after it.
    read: Option<(u64, Place)>,
}

/// A row start was looked for.
pub(crate) enum Start {
    /// Here; `row` and `line` are right only where the table has quotes.
    At(Place),
    /// There is no more in the file.
    None,
    /// The search was told to stop.
    Stopped,
}

impl Starts {
    pub(crate) fn new(file: usize, length: u64, dialect: Dialect, body: Place) -> Self {
        Self { file, length, dialect, body, known: vec![(body.offset, BlockScan::default())], read: None }
    }

    /// All rows of a part that ends at `to` were read, and `next` begins after them: what is known so need not be
    /// scanned.
    pub(crate) fn was_read(&mut self, to: u64, next: Place) {
        if self.dialect.quote().is_none() {
            return;
        }
        self.read = Some((to, next));
        if self.known.last().is_some_and(|(last, _)| *last < next.offset) {
            self.known.push((next.offset, BlockScan::between(self.body, next)));
        }
    }

    /// The first row that belongs to a part that begins at `from`.
    pub(crate) fn first(
        &mut self,
        bytes: &dyn FileBytes,
        from: u64,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Start, Fault> {
        if from < self.body.offset || from == 0 {
            return Ok(Start::At(self.body));
        }
        if self.dialect.quote().is_none() {
            return self.next_line(bytes, from);
        }
        if let Some((_, next)) = self.read.filter(|(to, _)| *to == from) {
            return Ok(if next.offset < self.length { Start::At(next) } else { Start::None });
        }
        let Some(before) = self.scan_to(bytes, from, go_on)? else { return Ok(Start::Stopped) };
        let mut look = LOOK_BYTES;
        loop {
            let end = from.saturating_add(look).min(self.length);
            let after = BlockScan::of(&bytes.part(self.file, from, end)?, self.dialect);
            let starts = if from == self.body.offset {
                // Nothing is before: the first row is another part's, the next may be ours.
                self.after_first(bytes, end)?
            } else {
                cut(self.body, &[before, after])
                    .into_iter()
                    .map(|rows| rows.start)
                    .find(|start| start.offset > from)
            };
            match starts {
                Some(start) => return Ok(Start::At(start)),
                None if end == self.length => return Ok(Start::None),
                None => look *= 4,
            }
        }
    }

    /// The second row of the table, if it begins before `end`.
    fn after_first(&self, bytes: &dyn FileBytes, end: u64) -> Result<Option<Place>, Fault> {
        // One byte as a block of its own, so that what begins after it is found by the rule of parts.
        let first = bytes.part(self.file, self.body.offset, self.body.offset + 1)?;
        let rest = bytes.part(self.file, self.body.offset + 1, end)?;
        let scans = [BlockScan::of(&first, self.dialect), BlockScan::of(&rest, self.dialect)];
        if first.first() == Some(&b'\n') {
            return Ok(Some(self.body.after(&scans[0])));
        }
        let rows = cut(self.body, &scans);
        Ok(rows.into_iter().map(|rows| rows.start).find(|start| start.offset > self.body.offset))
    }

    fn next_line(&self, bytes: &dyn FileBytes, from: u64) -> Result<Start, Fault> {
        let (mut at, mut look) = (from, LOOK_BYTES);
        while at < self.length {
            let end = at.saturating_add(look).min(self.length);
            let block = bytes.part(self.file, at, end)?;
            if let Some(feed) = block.iter().position(|&byte| byte == b'\n') {
                let offset = at + feed as u64 + 1;
                return Ok(if offset < self.length {
                    Start::At(Place { offset, ..Place::START })
                } else {
                    Start::None
                });
            }
            (at, look) = (end, look.saturating_mul(4));
        }
        Ok(Start::None)
    }

    /// The scan of all from the body to `to`; `None` when told to stop.
    fn scan_to(
        &mut self,
        bytes: &dyn FileBytes,
        to: u64,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<BlockScan>, Fault> {
        let nearest = self.known.partition_point(|(offset, _)| *offset <= to).saturating_sub(1);
        let (mut at, mut scan) = self.known[nearest];
        while at < to {
            let end = (at + SCAN_BYTES).min(to);
            scan = scan.then(&BlockScan::of(&bytes.part(self.file, at, end)?, self.dialect));
            at = end;
            let due = self.known.last().is_none_or(|(last, _)| at >= last + REMEMBERED_EVERY);
            if due {
                self.known.push((at, scan));
            }
            if !go_on() {
                return Ok(None);
            }
        }
        // The latest one always, so that the next part is near: but only at the end, to stay in order.
        if self.known.last().is_some_and(|(last, _)| *last < to) {
            self.known.push((to, scan));
        }
        Ok(Some(scan))
    }

    /// The row and line of an offset at which a row begins, counted from the start of the file: for errors.
    pub(crate) fn count(&mut self, bytes: &dyn FileBytes, offset: u64) -> Result<Place, Fault> {
        let scan = self.scan_to(bytes, offset, &mut || true)?;
        Ok(scan.map_or(self.body, |scan| self.body.after(&scan)))
    }
}
