//! Why rows could not be read, told so that a person finds the place.

use std::fmt;

use crate::cell::BadCell;
use crate::scan::Place;

/// Why a reader stopped. Fits after "could not read PATH:".
///
/// The place is where the *row* begins. Which rows are complained of does not depend on any cut; of several, the first
/// in the file is the one to show.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReadError {
    /// A number in a column of integers is not written as one: read the column as floats, from the start.
    NotInteger {
        /// The row.
        place: Place,
        /// The number of the column, from 0.
        column: usize,
    },
    /// A cell has no value.
    Bad {
        /// The row.
        place: Place,
        /// The column's name.
        column: String,
        /// The cell, cut if it is long.
        cell: String,
        /// Why.
        why: BadCell,
    },
    /// A row has another number of cells than the first one.
    Ragged {
        /// The row.
        place: Place,
        /// Its cells.
        cells: usize,
        /// Those of the first row.
        expected: usize,
    },
    /// A quote stands where none may, so that nobody can say where rows end from here on.
    Quote {
        /// The row.
        place: Place,
        /// The offset of the byte.
        offset: u64,
    },
    /// The quote that is open at the end of the text was opened in this row, or earlier.
    OpenQuote {
        /// The row.
        place: Place,
    },
    /// A row has more bytes than [`ROW_BYTES_MAX`](crate::ROW_BYTES_MAX).
    RowTooLong {
        /// The row.
        place: Place,
    },
}

impl ReadError {
    /// Where the row begins.
    pub fn place(&self) -> Place {
        match self {
            Self::NotInteger { place, .. }
            | Self::Bad { place, .. }
            | Self::Ragged { place, .. }
            | Self::Quote { place, .. }
            | Self::OpenQuote { place }
            | Self::RowTooLong { place } => *place,
        }
    }

    /// The same with another place: for a reader that was not told the number of its first row.
    #[must_use]
    pub fn at(mut self, new: Place) -> Self {
        match &mut self {
            Self::NotInteger { place, .. }
            | Self::Bad { place, .. }
            | Self::Ragged { place, .. }
            | Self::Quote { place, .. }
            | Self::OpenQuote { place }
            | Self::RowTooLong { place } => *place = new,
        }
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {}", self.row)?;
        if self.line == self.row { Ok(()) } else { write!(f, " (line {})", self.line) }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInteger { place, column } => {
                write!(f, "{place}, column {}: a number that is no integer", column + 1)
            }
            Self::Bad { place, column, cell, why } if cell.is_empty() => {
                write!(f, "{place}, column {column}: the cell {why}")
            }
            Self::Bad { place, column, cell, why } => write!(f, "{place}, column {column}: '{cell}' {why}"),
            Self::Ragged { place, cells, expected } => {
                let plural = if *cells == 1 { "" } else { "s" };
                write!(f, "{place} has {cells} cell{plural} and the first row has {expected}")
            }
            Self::Quote { place, offset } => write!(
                f,
                "{place} has a quote that neither opens nor closes a cell, or a cell that goes on after its closing \
                 quote (at offset {offset})"
            ),
            Self::OpenQuote { place } => {
                write!(f, "the quote that is open at the end of the file was opened in {place} or before")
            }
            Self::RowTooLong { place } => {
                write!(f, "{place} has more than {} bytes; a quote may be missing", crate::ROW_BYTES_MAX)
            }
        }
    }
}

impl std::error::Error for ReadError {}
