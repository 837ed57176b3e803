//! A run of rows as columns: what a reader fills and a kernel folds. Kept from run to run, so that nothing is
//! allocated in the loop.

use std::ops::Range;

use tally_reduce::Integer;

use crate::cell::{BadCell, Decimal};

/// What the cells of a column are read as.
///
/// A column is [`Kind::Integer`] when every number in it is written as an integer, else [`Kind::Float`], and then its
/// integers are read as the nearest doubles too. That depends on the whole column and not on any cut: the planner
/// guesses from the first rows, and a reader that meets a number of another spelling says
/// [`ReadError::NotInteger`](crate::ReadError::NotInteger), upon which the job starts again with the column as floats.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// Integers of any size.
    Integer,
    /// The nearest doubles.
    Float,
    /// The bytes of the cell, without quotes.
    Text,
    /// Decimal numbers, exactly.
    Decimal,
}

/// The cells of one column in a run of rows.
#[derive(Clone, Debug)]
pub enum Column {
    /// Of [`Kind::Integer`].
    Integer(Integers),
    /// Of [`Kind::Float`].
    Float(Vec<f64>),
    /// Of [`Kind::Text`].
    Text(Texts),
    /// Of [`Kind::Decimal`].
    Decimal(Decimals),
}

/// Integers, nearly all of 64 bits.
#[derive(Clone, Default, Debug)]
pub struct Integers {
    /// One for each row; 0 where the integer is in `wide`.
    pub values: Vec<i64>,
    /// Those that do not fit, by their index, ascending.
    pub wide: Vec<(usize, Integer)>,
}

impl Integers {
    /// The integers of some rows, all as big ones: for the rare run that has wide ones.
    pub fn exact(&self, rows: Range<usize>) -> Vec<Integer> {
        let mut exact: Vec<Integer> =
            self.values[rows.clone()].iter().map(|value| Integer::from(*value)).collect();
        for (row, wide) in self.wide.iter().filter(|(row, _)| rows.contains(row)) {
            exact[row - rows.start].clone_from(wide);
        }
        exact
    }
}

/// Decimals, nearly all short.
#[derive(Clone, Default, Debug)]
pub struct Decimals {
    /// `(units, scale)` for each row: `units / 10^scale`; zero where the decimal is in `wide`.
    pub values: Vec<(i128, i32)>,
    /// Those that do not fit, by their index, ascending.
    pub wide: Vec<(usize, Decimal)>,
}

/// Texts, in place where they can be.
#[derive(Clone, Default, Debug)]
pub struct Texts {
    spans: Vec<Span>,
    /// Texts that had doubled quotes.
    unescaped: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    end: u32,
    unescaped: bool,
}

impl Texts {
    /// The text of a row; `bytes` are those that the reader read this batch from.
    pub fn get<'a>(&'a self, bytes: &'a [u8], row: usize) -> Option<&'a [u8]> {
        let span = self.spans.get(row)?;
        let from = if span.unescaped { &self.unescaped } else { bytes };
        from.get(span.start as usize..span.end as usize)
    }

    /// All of them in order; `bytes` are those that the reader read this batch from.
    pub fn iter<'a>(&'a self, bytes: &'a [u8]) -> impl ExactSizeIterator<Item = &'a [u8]> {
        (0..self.len()).map(move |row| self.get(bytes, row).unwrap_or(b""))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Adds the text that stands in `bytes[start..end]`, quotes and all.
    pub(crate) fn push(&mut self, bytes: &[u8], start: usize, end: usize, quote: Option<u8>) {
        let cell = &bytes[start..end];
        let span = match (quote, cell) {
            (Some(quote), [first, inner @ .., last]) if *first == quote && *last == quote => {
                if inner.contains(&quote) {
                    let begun = self.unescaped.len();
                    let mut doubled = false;
                    // One of two quotes is left out.
                    self.unescaped.extend(inner.iter().filter(|byte| {
                        doubled = **byte == quote && !doubled;
                        !doubled
                    }));
                    Span::new(begun, self.unescaped.len(), true)
                } else {
                    Span::new(start + 1, end - 1, false)
                }
            }
            _ => Span::new(start, end, false),
        };
        self.spans.push(span);
    }
}

#[cfg(feature = "parquet")]
impl Texts {
    /// Adds a text that is written into the room it gets; false if there is no room left in the batch.
    pub(crate) fn push_own(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let begun = self.unescaped.len();
        write(&mut self.unescaped);
        let fits = u32::try_from(self.unescaped.len()).is_ok();
        self.spans.push(Span::new(begun, self.unescaped.len(), true));
        fits
    }
}

impl Span {
    /// Offsets are those of one window, which is far smaller than 4 GiB.
    fn new(start: usize, end: usize, unescaped: bool) -> Self {
        let offset = |at| u32::try_from(at).unwrap_or(u32::MAX);
        Self { start: offset(start), end: offset(end), unescaped }
    }
}

impl Column {
    pub(crate) fn new(kind: Kind) -> Self {
        match kind {
            Kind::Integer => Self::Integer(Integers::default()),
            Kind::Float => Self::Float(Vec::new()),
            Kind::Text => Self::Text(Texts::default()),
            Kind::Decimal => Self::Decimal(Decimals::default()),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Integer(_) => Kind::Integer,
            Self::Float(_) => Kind::Float,
            Self::Text(_) => Kind::Text,
            Self::Decimal(_) => Kind::Decimal,
        }
    }

    fn clear(&mut self) {
        match self {
            Self::Integer(column) => {
                column.values.clear();
                column.wide.clear();
            }
            Self::Float(values) => values.clear(),
            Self::Text(column) => {
                column.spans.clear();
                column.unescaped.clear();
            }
            Self::Decimal(column) => {
                column.values.clear();
                column.wide.clear();
            }
        }
    }

    /// Leaves out the rows named, which ascend.
    fn drop_rows(&mut self, rows: &[usize]) {
        match self {
            Self::Integer(column) => {
                drop_rows(&mut column.values, rows);
                drop_wide(&mut column.wide, rows);
            }
            Self::Float(values) => drop_rows(values, rows),
            Self::Text(column) => drop_rows(&mut column.spans, rows),
            Self::Decimal(column) => {
                drop_rows(&mut column.values, rows);
                drop_wide(&mut column.wide, rows);
            }
        }
    }
}

fn drop_rows<T>(values: &mut Vec<T>, rows: &[usize]) {
    let (mut index, mut rows) = (0, rows.iter().peekable());
    values.retain(|_| {
        let dropped = rows.next_if(|row| **row == index).is_some();
        index += 1;
        !dropped
    });
}

fn drop_wide<T>(wide: &mut Vec<(usize, T)>, rows: &[usize]) {
    wide.retain_mut(|(row, _)| match rows.binary_search(row) {
        Ok(_) => false,
        Err(before) => {
            *row -= before;
            true
        }
    });
}

/// A run of rows, column by column, as a reader was asked for them.
#[derive(Clone, Default, Debug)]
pub struct Batch {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: usize,
    pub(crate) first_row: u64,
    /// The rows' distances from `first_row`, if they do not just count up.
    pub(crate) distances: Vec<u32>,
    pub(crate) skipped: u64,
    pub(crate) bad: u64,
    pub(crate) valueless: Vec<Valueless>,
    pub(crate) made_nan: Vec<(usize, usize)>,
}

/// A cell without a value, in a row that is there all the same: whether that matters is for those who want it to say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Valueless {
    /// The row in the batch.
    pub row: usize,
    /// Its place among the columns that were asked for.
    pub column: usize,
    /// Why it has none.
    pub why: BadCell,
    /// Where the row begins, and where the text of the cell lies, in the bytes that the batch was read from.
    pub(crate) row_start: usize,
    pub(crate) text: Range<usize>,
}

#[cfg(feature = "parquet")]
impl Valueless {
    /// A cell that is not there.
    pub(crate) fn empty(row: usize, column: usize) -> Self {
        Self { row, column, why: BadCell::Empty, row_start: 0, text: 0..0 }
    }
}

impl Batch {
    /// How many rows there are; blank lines (of several columns) and skipped ones are not among them.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The columns, in the order in which they were asked for.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The number of a row as [`Place::row`](crate::Place::row) counts, if the reader's place was right.
    pub fn row_number(&self, row: usize) -> u64 {
        self.first_row + self.distances.get(row).map_or(row as u64, |distance| u64::from(*distance))
    }

    /// Rows that were left out because of a bad cell.
    pub fn skipped_rows(&self) -> u64 {
        self.skipped
    }

    /// Bad cells among those asked for, whether skipped or made a NaN.
    pub fn bad_cells(&self) -> u64 {
        self.bad
    }

    /// The cells that were made a NaN, as their row and their place among the columns that were asked for: by row, then by
    /// column.
    pub fn made_nan(&self) -> &[(usize, usize)] {
        &self.made_nan
    }

    /// The cells without a value of a reader that [defers](crate::Reader::deferring): by row, then by column.
    pub fn valueless(&self) -> &[Valueless] {
        &self.valueless
    }

    /// Empties the batch and gives it columns of these kinds.
    pub(crate) fn begin(&mut self, kinds: impl ExactSizeIterator<Item = Kind>) {
        self.columns.truncate(kinds.len());
        for (at, kind) in kinds.enumerate() {
            match self.columns.get_mut(at) {
                Some(column) if column.kind() == kind => column.clear(),
                Some(column) => *column = Column::new(kind),
                None => self.columns.push(Column::new(kind)),
            }
        }
        (self.rows, self.skipped, self.bad) = (0, 0, 0);
        self.distances.clear();
        self.valueless.clear();
        self.made_nan.clear();
    }

    /// Leaves out the rows named, which ascend.
    pub(crate) fn skip(&mut self, rows: &[usize]) {
        if self.distances.is_empty() {
            self.distances.extend((0..).take(self.rows));
        }
        drop_rows(&mut self.distances, rows);
        self.columns.iter_mut().for_each(|column| column.drop_rows(rows));
        self.valueless.retain_mut(|cell| match rows.binary_search(&cell.row) {
            Ok(_) => false,
            Err(before) => {
                cell.row -= before;
                true
            }
        });
        self.rows -= rows.len();
        self.skipped = rows.len() as u64;
    }
}
