//! The loop that turns rows into columns, one window of rows at a time.
//!
//! A window's cells are indexed first; then each wanted column is read on its own, so that the loop over its cells is
//! short and of one type. Where all rows of a window have the right number of cells, a cell is found by arithmetic;
//! else the rows are listed one by one.

use crate::batch::{Batch, Column, Decimals, Integers, Kind, Texts, Valueless};
use crate::cell::{self, BadCell, Numeral};
use crate::dialect::Dialect;
use crate::error::ReadError;
use crate::float;
use crate::index::Index;
use crate::scan::Place;
use crate::table::Table;

/// A row has at most so many bytes; a quote that is never closed ends here.
pub const ROW_BYTES_MAX: usize = 16 << 20;

/// Bytes of a window: with its index and its columns it stays in the second-level cache.
const WINDOW_BYTES: usize = 64 << 10;

/// Bytes of a cell that an error shows.
const SHOWN_BYTES_MAX: usize = 40;

/// What to do about a cell that has no value of its kind, and about a row with another number of cells.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum OnBad {
    /// Stop.
    #[default]
    Error,
    /// Leave the row out, and count it.
    Skip,
    /// Read a NaN, which makes the column one of floats, and count the cell. Texts are empty; decimals have no NaN, so
    /// that they stop.
    Nan,
}

/// A column that is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Wanted {
    /// Its number, from 0.
    pub column: usize,
    /// What its cells are read as.
    pub kind: Kind,
}

/// Reads the rows of one table. Keeps its room from call to call.
#[derive(Clone, Debug)]
pub struct Reader {
    dialect: Dialect,
    /// Cells of each row.
    width: usize,
    wanted: Vec<Wanted>,
    /// The names of the wanted columns.
    names: Vec<String>,
    on_bad: OnBad,
    /// Whether cells without a value are left to those who want them.
    defers: bool,
    index: Index,
    layout: Layout,
    bad: Vec<Bad>,
}

/// Where the rows of a window are in its index.
#[derive(Clone, Default, Debug)]
struct Layout {
    /// Whether row `r` has the cells from `r * width` on, and `rows` is empty.
    regular: bool,
    /// Otherwise: the rows; of several columns, those that are not blank.
    rows: Vec<Listed>,
}

/// A row of an irregular window.
#[derive(Clone, Copy, Debug)]
struct Listed {
    /// The number of its first cell.
    first: usize,
    /// Its cells.
    cells: usize,
    /// Row ends before it in the window.
    distance: u32,
}

/// A cell without a value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Bad {
    row: usize,
    /// Its place among the wanted columns.
    wanted: usize,
    why: Why,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Why {
    NotInteger,
    Empty,
    NotNumber,
    TooLarge,
    NotDecimal,
    Ragged,
}

impl From<BadCell> for Why {
    fn from(why: BadCell) -> Self {
        match why {
            BadCell::Empty => Self::Empty,
            BadCell::NotNumber => Self::NotNumber,
            BadCell::TooLarge => Self::TooLarge,
            BadCell::NotDecimal => Self::NotDecimal,
            BadCell::Ragged => Self::Ragged,
        }
    }
}

impl Why {
    /// What is wrong with the cell, if that is all that is wrong.
    fn of_cell(self) -> Option<BadCell> {
        match self {
            Self::Empty => Some(BadCell::Empty),
            Self::NotNumber => Some(BadCell::NotNumber),
            Self::TooLarge => Some(BadCell::TooLarge),
            Self::NotDecimal => Some(BadCell::NotDecimal),
            Self::NotInteger | Self::Ragged => None,
        }
    }
}

impl Reader {
    /// A reader of these columns; one that the table does not have is left out of every row as ragged.
    pub fn new(table: &Table, wanted: &[Wanted], on_bad: OnBad) -> Self {
        let name = |wanted: &Wanted| table.names().get(wanted.column).cloned().unwrap_or_default();
        Self {
            dialect: table.dialect(),
            width: table.names().len(),
            wanted: wanted.to_vec(),
            names: wanted.iter().map(name).collect(),
            on_bad,
            defers: false,
            index: Index::default(),
            layout: Layout::default(),
            bad: Vec::new(),
        }
    }

    /// Leaves cells without a value in their rows, and names them in the batch: an expression may not want them. Rows of
    /// another length than the first are treated as before, and so is a number with a point in a column of integers.
    ///
    /// A row that stops the reader does so when it is the first of a call, so that what is wrong with rows before it is
    /// found before.
    #[must_use]
    pub fn deferring(mut self) -> Self {
        self.defers = true;
        self
    }

    /// What is wrong with a cell that was deferred. `bytes` are those that the batch was read from; the place has no line
    /// of its own.
    pub fn complaint(&self, batch: &Batch, cell: &Valueless, offset: u64, bytes: &[u8]) -> ReadError {
        let row = batch.row_number(cell.row);
        let place = Place { offset: offset + cell.row_start as u64, row, line: row };
        let text = shown(bytes.get(cell.text.clone()).unwrap_or_default());
        let column = self.names.get(cell.column).cloned().unwrap_or_default();
        ReadError::Bad { place, column, cell: text, why: cell.why }
    }

    /// A reader for [`Reader::first_row`] only.
    pub(crate) fn cells_of_first_row(dialect: Dialect) -> Self {
        Self::new(&Table::known(dialect, Vec::new(), Place::START), &[], OnBad::Error)
    }

    /// The texts of the cells of the first row, none if it is blank, and the bytes it takes, as [`Reader::read`] counts.
    pub(crate) fn first_row(
        &mut self,
        bytes: &[u8],
        last: bool,
        place: &mut Place,
    ) -> Result<(usize, Vec<String>), ReadError> {
        let mut batch = Batch::default();
        batch.begin(std::iter::empty());
        if bytes.is_empty() {
            return Ok((0, Vec::new()));
        }
        let Some(window) = self.window(bytes, bytes.len(), last, *place)? else { return Ok((0, Vec::new())) };
        let taken = self.lay_out(window, 1, &mut batch);
        let mut texts = Texts::default();
        let row = self.layout.rows.first().copied();
        for cell in row.map_or(0..0, |row| row.first..row.first + row.cells) {
            let (start, mut end) = (self.index.start(cell), self.index.end(cell));
            let returned =
                row.is_some_and(|row| cell + 1 == row.cells) && window[start..end].ends_with(b"\r");
            end -= usize::from(returned);
            texts.push(window, start, end, self.dialect.quote());
        }
        place.offset += taken as u64;
        place.row += 1;
        place.line += feeds(&window[..taken]);
        let names = (0..texts.len()).filter_map(|cell| texts.get(window, cell));
        Ok((taken, names.map(|name| String::from_utf8_lossy(name).into_owned()).collect()))
    }

    /// Reads some of the rows that begin in the first `limit` bytes of `bytes`, fills `batch` with them, and moves `place`
    /// on. Gives the bytes that were read; the next call takes the bytes after them and a limit that is less by as many.
    ///
    /// `bytes` begin with a row, at `place`, and go on beyond `limit` where the last row does. They end the text if they
    /// are `last`. 0 means that there is no whole row in them and more are needed; if they are `last`, or reach
    /// [`ROW_BYTES_MAX`] beyond the limit, that there are no more rows. A batch may be empty although bytes were read.
    pub fn read(
        &mut self,
        bytes: &[u8],
        limit: usize,
        last: bool,
        place: &mut Place,
        batch: &mut Batch,
    ) -> Result<usize, ReadError> {
        batch.begin(self.wanted.iter().map(|wanted| wanted.kind));
        batch.first_row = place.row;
        if limit == 0 || bytes.is_empty() {
            return Ok(0);
        }
        let Some(window) = self.window(bytes, limit, last, *place)? else { return Ok(0) };
        // A window that had to grow beyond the limit has one row that begins before it.
        let mut rows = if window.len() > limit { 1 } else { self.index.rows };
        let mut taken = self.lay_out(window, rows, batch);
        self.fill(window, batch);
        if !self.bad.is_empty() {
            if let Some(before) = self.rows_before_a_stop() {
                rows = before;
                batch.begin(self.wanted.iter().map(|wanted| wanted.kind));
                taken = self.lay_out(window, rows, batch);
                self.fill(window, batch);
            }
            self.settle(window, *place, batch)?;
        }
        place.line += if rows == self.index.rows && self.index.misplaced.is_none() {
            self.index.feeds as u64 - feeds(&window[taken..])
        } else {
            feeds(&window[..taken])
        };
        place.offset += taken as u64;
        place.row += rows as u64;
        Ok(taken)
    }

    /// Indexes the smallest window that has a whole row; `None` if there is none in `bytes`.
    fn window<'a>(
        &mut self,
        bytes: &'a [u8],
        limit: usize,
        last: bool,
        place: Place,
    ) -> Result<Option<&'a [u8]>, ReadError> {
        let most = bytes.len().min(ROW_BYTES_MAX);
        let mut size = most.min(limit).min(WINDOW_BYTES);
        loop {
            let window = &bytes[..size];
            let ends = last && size == bytes.len();
            self.index.build(window, self.dialect, ends);
            if self.index.rows > 0 {
                return Ok(Some(window));
            }
            if let Some(at) = self.index.misplaced {
                return Err(ReadError::Quote { place, offset: place.offset + at as u64 });
            }
            if ends {
                return if self.index.inside { Err(ReadError::OpenQuote { place }) } else { Ok(None) };
            }
            if size == ROW_BYTES_MAX {
                return Err(ReadError::RowTooLong { place });
            }
            if size == most {
                return Ok(None);
            }
            // Up to the limit first, so that what lies beyond it is touched for one row only.
            let larger = (size * 4).min(most);
            size = if size < limit { larger.min(limit) } else { larger };
        }
    }

    /// Finds the cells of each of the first `rows` rows. Gives the bytes they take.
    fn lay_out(&mut self, window: &[u8], rows: usize, batch: &mut Batch) -> usize {
        let ends = self.index.ends();
        self.layout.rows.clear();
        self.layout.regular = rows == self.index.rows && is_regular(window, ends, self.width, rows);
        if self.layout.regular {
            batch.rows = rows;
            return (ends[rows * self.width] as usize + 1).min(window.len());
        }
        let (mut first, mut distance, mut start) = (0, 0, 0);
        for (cell, end) in ends[1..].iter().map(|end| *end as usize).enumerate() {
            if window.get(end).is_some_and(|byte| *byte != b'\n') {
                continue;
            }
            // In a table of one column a blank line is a row whose cell is empty.
            if self.width == 1 || !is_blank(&window[start..end]) {
                self.layout.rows.push(Listed { first, cells: cell + 1 - first, distance });
                batch.distances.push(distance);
            }
            (first, start) = (cell + 1, end + 1);
            distance += 1;
            if distance as usize == rows {
                break;
            }
        }
        batch.rows = self.layout.rows.len();
        start.min(window.len())
    }

    /// Reads each wanted column; what has no value is noted in `bad`.
    fn fill(&mut self, window: &[u8], batch: &mut Batch) {
        self.bad.clear();
        let (rows, width, ends) = (batch.rows, self.width, self.index.ends());
        for (at, (wanted, into)) in self.wanted.iter().zip(&mut batch.columns).enumerate() {
            let column = Cells {
                window,
                returns: wanted.column + 1 == width,
                quote: self.dialect.quote(),
                wanted: at,
                bad: &mut self.bad,
            };
            if self.layout.regular && wanted.column < width {
                let pairs = ends[wanted.column..].windows(2).step_by(width).take(rows);
                column.read(pairs.map(|pair| Some((pair[0].wrapping_add(1), pair[1]))), into);
            } else {
                let listed = self.layout.rows.iter().map(|row| {
                    let cell = row.first + wanted.column;
                    let found = row.cells == width && wanted.column < width;
                    found.then(|| (ends[cell].wrapping_add(1), ends[cell + 1]))
                });
                // Not listed, and of a column that the table does not have.
                let missing = rows - self.layout.rows.len();
                column.read(listed.chain(std::iter::repeat_n(None, missing)), into);
            }
        }
    }

    /// Whether a bad cell ends the reading.
    fn stops(&self, bad: &Bad) -> bool {
        match self.on_bad {
            _ if bad.why == Why::NotInteger => true,
            _ if self.is_deferred(bad) => false,
            OnBad::Error => true,
            OnBad::Skip => false,
            OnBad::Nan => matches!(self.wanted[bad.wanted].kind, Kind::Integer | Kind::Decimal),
        }
    }

    /// Whether it is left to those who want it. A NaN needs nobody to decide.
    fn is_deferred(&self, bad: &Bad) -> bool {
        self.defers && self.on_bad != OnBad::Nan && !matches!(bad.why, Why::NotInteger | Why::Ragged)
    }

    /// Row ends before the first row that stops, if there are some and they are to be read first.
    fn rows_before_a_stop(&self) -> Option<usize> {
        let stop = self.bad.iter().filter(|bad| self.stops(bad)).min().filter(|_| self.defers)?;
        let before = self.layout.rows.get(stop.row).map_or(stop.row, |listed| listed.distance as usize);
        (stop.why == Why::Ragged && before > 0).then_some(before)
    }

    /// Does what is to be done about bad cells.
    fn settle(&mut self, window: &[u8], place: Place, batch: &mut Batch) -> Result<(), ReadError> {
        self.bad.sort_unstable();
        if let Some(bad) = self.bad.iter().find(|bad| self.stops(bad)) {
            return Err(self.error(*bad, window, place));
        }
        batch.bad = self.bad.len() as u64;
        batch.valueless.extend(
            self.bad.iter().filter(|bad| self.is_deferred(bad)).filter_map(|bad| self.valueless(bad, window)),
        );
        if self.on_bad == OnBad::Nan {
            let floats = self.bad.iter().filter(|bad| self.wanted[bad.wanted].kind == Kind::Float);
            batch.made_nan.extend(floats.map(|bad| (bad.row, bad.wanted)));
        }
        if self.on_bad == OnBad::Skip {
            let wrong = self.bad.iter().filter(|bad| !self.is_deferred(bad));
            let mut rows: Vec<usize> = wrong.map(|bad| bad.row).collect();
            rows.dedup();
            if !rows.is_empty() {
                batch.skip(&rows);
            }
        }
        Ok(())
    }

    fn valueless(&self, bad: &Bad, window: &[u8]) -> Option<Valueless> {
        let why = bad.why.of_cell()?;
        let first = self.layout.rows.get(bad.row).map_or(bad.row * self.width, |listed| listed.first);
        let cell = first + self.wanted[bad.wanted].column;
        let text = self.cell(window, cell, self.wanted[bad.wanted].column);
        let text = cell::trimmed(text, self.dialect.quote());
        let begun = text.as_ptr().addr().saturating_sub(window.as_ptr().addr());
        let text = begun..begun + text.len();
        Some(Valueless { row: bad.row, column: bad.wanted, why, row_start: self.index.start(first), text })
    }

    /// The bytes of a cell, less a carriage return that ends the row.
    fn cell<'a>(&self, window: &'a [u8], cell: usize, column: usize) -> &'a [u8] {
        let bytes = &window[self.index.start(cell)..self.index.end(cell)];
        let last = column + 1 == self.width;
        bytes.strip_suffix(b"\r").filter(|_| last).unwrap_or(bytes)
    }

    fn error(&self, bad: Bad, window: &[u8], place: Place) -> ReadError {
        let listed = self.layout.rows.get(bad.row).copied().unwrap_or(Listed {
            first: bad.row * self.width,
            cells: self.width,
            distance: u32::try_from(bad.row).unwrap_or(u32::MAX),
        });
        let start = self.index.start(listed.first);
        let place = Place {
            offset: place.offset + start as u64,
            row: place.row + u64::from(listed.distance),
            line: place.line + feeds(&window[..start]),
        };
        let (wanted, name) = (self.wanted[bad.wanted], &self.names[bad.wanted]);
        let cell = listed.first + wanted.column;
        let text = || {
            let bytes = self.cell(window, cell, wanted.column);
            shown(cell::trimmed(bytes, self.dialect.quote()))
        };
        let bad_cell = |why| ReadError::Bad { place, column: name.clone(), cell: text(), why };
        match bad.why {
            Why::NotInteger => ReadError::NotInteger { place, column: wanted.column },
            // A NaN is a float, and so is the column.
            _ if self.on_bad == OnBad::Nan && wanted.kind == Kind::Integer => {
                ReadError::NotInteger { place, column: wanted.column }
            }
            Why::Ragged => ReadError::Ragged { place, cells: listed.cells, expected: self.width },
            Why::Empty => bad_cell(BadCell::Empty),
            Why::NotNumber => bad_cell(BadCell::NotNumber),
            Why::TooLarge => bad_cell(BadCell::TooLarge),
            Why::NotDecimal => bad_cell(BadCell::NotDecimal),
        }
    }
}

/// Whether each of the `rows` rows of a window has `width` cells.
///
/// There are `rows` row ends; if each `width`-th end is one, these are all of them.
fn is_regular(window: &[u8], ends: &[u32], width: usize, rows: usize) -> bool {
    if width == 0 || ends.len() <= rows * width {
        return false;
    }
    let row_ends = ends[width..].iter().step_by(width).take(rows);
    row_ends.fold(true, |all, end| all & window.get(*end as usize).is_none_or(|byte| *byte == b'\n'))
}

fn is_blank(row: &[u8]) -> bool {
    matches!(row, b"" | b"\r")
}

fn feeds(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// A cell as an error shows it: the first of its bytes, and nothing that would upset a terminal.
pub(crate) fn shown(cell: &[u8]) -> String {
    let cut = &cell[..cell.len().min(SHOWN_BYTES_MAX)];
    let text = String::from_utf8_lossy(cut);
    let mut text: String = text
        .chars()
        .map(|c| if c.is_control() || c == char::REPLACEMENT_CHARACTER { '?' } else { c })
        .collect();
    if cut.len() < cell.len() {
        text.push_str("...");
    }
    text
}

/// The cells of one column of one window. Each kind has a loop of its own, which is not inlined so that it has all
/// registers.
struct Cells<'a> {
    window: &'a [u8],
    /// Whether a carriage return at the end belongs to the end of the row.
    returns: bool,
    quote: Option<u8>,
    wanted: usize,
    bad: &'a mut Vec<Bad>,
}

impl Cells<'_> {
    #[inline(always)]
    fn read(self, cells: impl Iterator<Item = Option<(u32, u32)>>, into: &mut Column) {
        match into {
            Column::Integer(integers) => self.integers(cells, integers),
            Column::Float(floats) => self.floats(cells, floats),
            Column::Text(texts) => self.texts(cells, texts),
            Column::Decimal(decimals) => self.decimals(cells, decimals),
        }
    }

    /// The offsets of a cell, less a carriage return that ends the row.
    #[inline(always)]
    fn span(&self, (start, end): (u32, u32)) -> (usize, usize) {
        let (start, end) = (start as usize, end as usize);
        let returned = self.returns && end > start && self.window[end - 1] == b'\r';
        (start, end - usize::from(returned))
    }

    fn note(&mut self, row: usize, why: Why) {
        self.bad.push(Bad { row, wanted: self.wanted, why });
    }

    fn trimmed(&self, start: usize, end: usize) -> &[u8] {
        cell::trimmed(&self.window[start..end], self.quote)
    }

    #[inline(never)]
    fn integers(mut self, cells: impl Iterator<Item = Option<(u32, u32)>>, into: &mut Integers) {
        for (row, cell) in cells.enumerate() {
            let Some(cell) = cell else {
                self.note(row, Why::Ragged);
                into.values.push(0);
                continue;
            };
            let (start, end) = self.span(cell);
            let value = match cell::small_integer(self.window, start, end) {
                Some(value) => value,
                None => self.other_integer(row, start, end, into),
            };
            into.values.push(value);
        }
    }

    #[cold]
    #[inline(never)]
    fn other_integer(&mut self, row: usize, start: usize, end: usize, into: &mut Integers) -> i64 {
        match cell::numeral(self.trimmed(start, end)) {
            Ok(Numeral::Small(value)) => return value,
            Ok(Numeral::Wide(value)) => into.wide.push((row, value)),
            Ok(Numeral::Float) => self.note(row, Why::NotInteger),
            Err(why) => self.note(row, why.into()),
        }
        0
    }

    #[inline(never)]
    fn floats(mut self, cells: impl Iterator<Item = Option<(u32, u32)>>, into: &mut Vec<f64>) {
        for (row, cell) in cells.enumerate() {
            let Some(cell) = cell else {
                self.note(row, Why::Ragged);
                into.push(f64::NAN);
                continue;
            };
            let (start, end) = self.span(cell);
            let value = match float::plain(self.window, start, end) {
                Some(value) => value,
                None => self.other_float(row, start, end),
            };
            into.push(value);
        }
    }

    #[inline(never)]
    fn other_float(&mut self, row: usize, start: usize, end: usize) -> f64 {
        cell::float(self.trimmed(start, end)).unwrap_or_else(|why| {
            self.note(row, why.into());
            f64::NAN
        })
    }

    #[inline(never)]
    fn texts(mut self, cells: impl Iterator<Item = Option<(u32, u32)>>, into: &mut Texts) {
        for (row, cell) in cells.enumerate() {
            let (start, end) = match cell {
                Some(cell) => self.span(cell),
                None => {
                    self.note(row, Why::Ragged);
                    (0, 0)
                }
            };
            into.push(self.window, start, end, self.quote);
        }
    }

    #[inline(never)]
    fn decimals(mut self, cells: impl Iterator<Item = Option<(u32, u32)>>, into: &mut Decimals) {
        for (row, cell) in cells.enumerate() {
            let Some(cell) = cell else {
                self.note(row, Why::Ragged);
                into.values.push((0, 0));
                continue;
            };
            let (start, end) = self.span(cell);
            let value = match cell::short_decimal(self.window, start, end) {
                Some(value) => value,
                None => self.other_decimal(row, start, end, into),
            };
            into.values.push(value);
        }
    }

    #[cold]
    #[inline(never)]
    fn other_decimal(&mut self, row: usize, start: usize, end: usize, into: &mut Decimals) -> (i128, i32) {
        match cell::decimal(self.trimmed(start, end)) {
            Ok(decimal) => match i128::try_from(&decimal.units) {
                Ok(units) => return (units, decimal.scale),
                Err(_) => into.wide.push((row, decimal)),
            },
            Err(why) => self.note(row, why.into()),
        }
        (0, 0)
    }
}
