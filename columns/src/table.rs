//! The first row of a text: how many cells a row has, what the columns are called, where the other rows begin.

use std::fmt;

use crate::batch::{Batch, Column, Kind};
use crate::cell::{self, BadCell, Numeral};
use crate::dialect::Dialect;
use crate::error::ReadError;
use crate::reader::{OnBad, ROW_BYTES_MAX, Reader, Wanted, shown};
use crate::scan::Place;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What the start of a text says about all its rows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Table {
    dialect: Dialect,
    names: Vec<String>,
    body: Place,
}

/// Why the first row was not taken. Fits after "could not read PATH:".
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TableError {
    /// The first row does not end in the bytes given: give more.
    Need,
    /// There is no first row.
    NoHeader,
    /// Its lines end in carriage returns alone, so that all of it is one row.
    Returns,
    /// The first row itself is wrong.
    Row(ReadError),
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Need => f.write_str("its first row does not end"),
            Self::Returns => f.write_str("its lines end in carriage returns alone, and none in a line feed"),
            Self::NoHeader => f.write_str("it is empty: there is no header row"),
            Self::Row(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TableError {}

/// Why a name is no column. Fits after "could not use the column NAME:".
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NoColumn {
    /// No column is called so; these are the names.
    Unknown(Vec<String>),
    /// Several columns are called so.
    Twice,
}

impl fmt::Display for NoColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(names) => write!(f, "there is no such column; there are {}", names.join(", ")),
            Self::Twice => f.write_str("several columns have that name"),
        }
    }
}

impl std::error::Error for NoColumn {}

impl Table {
    /// Reads the first row from the start of a text; `last` if the text ends with `head`.
    ///
    /// A byte-order mark and blank lines before it are left out. With a `header` its cells are the names; otherwise the
    /// columns are `c1`, `c2`, …, and the first row is one of numbers. A name that is not UTF-8 is mended.
    pub fn read(head: &[u8], dialect: Dialect, header: bool, last: bool) -> Result<Self, TableError> {
        let known = head.len().min(BYTE_ORDER_MARK.len());
        if known < BYTE_ORDER_MARK.len() && head == &BYTE_ORDER_MARK[..known] && !last {
            return Err(TableError::Need);
        }
        if last && ends_in_returns(head) {
            return Err(TableError::Returns);
        }
        let mark = if head.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        let mut place = Place { offset: mark as u64, ..Place::START };
        let (mut bytes, begin) = (&head[mark..], place);
        // Any table will do for finding the first row: its cells are all there is.
        let mut reader = Reader::cells_of_first_row(dialect);
        loop {
            let before = place;
            match reader.first_row(bytes, last, &mut place).map_err(TableError::Row)? {
                (0, _) if !last => return Err(TableError::Need),
                (0, _) if header => return Err(TableError::NoHeader),
                (0, _) => return Ok(Self { dialect, names: Vec::new(), body: before }),
                (taken, cells) if cells.is_empty() => bytes = &bytes[taken..],
                (_, cells) if header => return Ok(Self { dialect, names: cells, body: place }),
                (_, cells) => {
                    let names = (1..=cells.len()).map(|number| format!("c{number}")).collect();
                    return Ok(Self { dialect, names, body: begin });
                }
            }
        }
    }

    /// A text of one number a line, with a byte-order mark or without; its column is called `value`.
    pub fn lines(head: &[u8]) -> Self {
        let mark = if head.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        let body = Place { offset: mark as u64, ..Place::START };
        Self { dialect: Dialect::LINES, names: vec!["value".to_owned()], body }
    }

    /// A table as another process found it.
    pub fn known(dialect: Dialect, names: Vec<String>, body: Place) -> Self {
        Self { dialect, names, body }
    }

    /// Its delimiter and quote.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The names of the columns; several may be the same, and any may be empty.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Where the rows begin that are not the header.
    pub fn body(&self) -> Place {
        self.body
    }

    /// The number of the column of this name, from 0. If there is none, blanks around names are overlooked.
    pub fn find(&self, name: &str) -> Result<usize, NoColumn> {
        let exact = self.positions(|known| known == name);
        let found = if exact.is_empty() { self.positions(|known| known.trim() == name) } else { exact };
        match found.as_slice() {
            [one] => Ok(*one),
            [] => Err(NoColumn::Unknown(self.names.clone())),
            _ => Err(NoColumn::Twice),
        }
    }

    fn positions(&self, matches: impl Fn(&str) -> bool) -> Vec<usize> {
        self.names.iter().enumerate().filter(|(_, name)| matches(name)).map(|(at, _)| at).collect()
    }

    /// What the rows at the start of the body suggest about each column. `sample` begins at the body, and ends the text
    /// if it is `last`. Rows after one that cannot be read say nothing.
    pub fn guess(&self, sample: &[u8], last: bool) -> Vec<Guess> {
        let wanted: Vec<_> =
            (0..self.names.len()).map(|column| Wanted { column, kind: Kind::Text }).collect();
        let mut reader = Reader::new(self, &wanted, OnBad::Skip);
        let (mut guesses, mut batch) = (vec![Guess::default(); wanted.len()], Batch::default());
        let (mut place, mut rest) = (self.body, sample);
        while let Ok(taken @ 1..) = reader.read(rest, rest.len(), last, &mut place, &mut batch) {
            for (column, guess) in batch.columns().iter().zip(&mut guesses) {
                let Column::Text(texts) = column else { continue };
                let seen = (0..texts.len()).filter_map(|row| Some((row, texts.get(rest, row)?)));
                seen.for_each(|(row, text)| guess.see(batch.row_number(row), text));
            }
            rest = &rest[taken..];
        }
        guesses
    }
}

/// Whether a whole text has lines that end as those of old Macs. A return in quotes is one of a cell.
fn ends_in_returns(text: &[u8]) -> bool {
    let has = |byte: u8| text.contains(&byte);
    !has(b'\n')
        && !has(b'"')
        && text.iter().position(|byte| *byte == b'\r').is_some_and(|at| at + 1 < text.len())
}

/// How many cells of a sample were what.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Guess {
    /// Written as integers.
    pub integers: u64,
    /// Other numbers.
    pub floats: u64,
    /// Empty.
    pub empty: u64,
    /// Anything else.
    pub texts: u64,
    /// Of these, numbers with a decimal comma.
    pub commas: u64,
    /// The row of the first text, and what stands there, cut if it is long.
    pub first_text: Option<(u64, String)>,
}

impl Guess {
    fn see(&mut self, row: u64, text: &[u8]) {
        match cell::numeral(cell::trimmed(text, None)) {
            Ok(Numeral::Small(_) | Numeral::Wide(_)) => self.integers += 1,
            Ok(Numeral::Float) | Err(BadCell::TooLarge) => self.floats += 1,
            Err(BadCell::Empty) => self.empty += 1,
            Err(_) => {
                self.texts += 1;
                self.first_text.get_or_insert_with(|| (row, shown(text)));
                self.commas += u64::from(cell::has_decimal_comma(text));
            }
        }
    }

    /// What to read the column as. One float is proof; otherwise it is for the readers to object.
    pub fn kind(&self) -> Kind {
        match self {
            Self { floats: 1.., .. } => Kind::Float,
            Self { integers: 0, texts: 1.., .. } => Kind::Text,
            _ => Kind::Integer,
        }
    }

    /// Whether the column can be meant when no expression says which: it has a number, so that it is no column of texts.
    pub fn is_numeric(&self) -> bool {
        self.integers + self.floats > 0
    }
}

const _: () = assert!(ROW_BYTES_MAX >= 1 << 20, "a header of a megabyte is read");
