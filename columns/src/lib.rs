//! How the bytes of files become columns of numbers and text, in any cut of the bytes.
//!
//! Pure over byte slices, of a mapped file or of blocks that were read: nothing here opens a file or asks for the
//! time. Whatever the cut, the same rows, the same values and the same complaints come out (`laws`).
//!
//! # Numbers of fixed width
//!
//! [`Npy::read`] and [`Npy::fixed`], or [`Fixed::raw`], say where the numbers are; [`pieces`] cuts them into partitions;
//! [`Fixed::range`] and [`Fixed::slice`] give a run of them as a slice of their own type.
//!
//! # Rows
//!
//! The planner reads the first row with [`Table::read`] (or [`Table::lines`]), guesses kinds with [`Table::guess`], scans
//! blocks of the rest with [`BlockScan::of`] in any order, and [`cut`]s. A worker gives each partition's bytes to
//! [`Reader::read`] until there are none left, and folds the [`Batch`]es. A compressed file is one partition that begins at
//! [`Table::body`]: [`Unpack`] gives it in blocks.
//!
//! ```
//! use tally_columns::{Batch, Column, Dialect, Kind, OnBad, Reader, Table, Wanted};
//!
//! let text = b"name,price\nA,1.5\n\"B, or so\",2\n";
//! let table = Table::read(text, Dialect::CSV, true, true)?;
//! let wanted = Wanted { column: table.find("price")?, kind: Kind::Float };
//! let mut reader = Reader::new(&table, &[wanted], OnBad::Error);
//! let (mut batch, mut place, mut sum) = (Batch::default(), table.body(), 0.0);
//! loop {
//!     let rest = &text[usize::try_from(place.offset)?..];
//!     if reader.read(rest, rest.len(), true, &mut place, &mut batch)? == 0 {
//!         break;
//!     }
//!     if let [Column::Float(prices)] = batch.columns() {
//!         sum += prices.iter().sum::<f64>();
//!     }
//! }
//! assert_eq!(sum, 3.5);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The rules
//!
//! - **Rows** end at a line feed outside quotes; a carriage return before it belongs to the end. A blank line is no row of a table
//!   of several columns, and a row with an empty cell where there is one column; it is counted, so that row and line numbers are those of a spreadsheet and an editor. The last line end may be missing. A
//!   byte-order mark is left out.
//! - **Quotes** are RFC 4180's and nothing else: a quote in an unquoted cell, text after a closing quote, and a quote that is
//!   never closed are errors whatever `--on-bad` says, because from there on nobody can say where rows end.
//! - **A row** with more or fewer cells than the first is wrong as a whole: an error, or skipped, or all NaN.
//! - **A number** is `[+-] digits [. digits] [e [+-] digits]`, digits on at least one side of the point, or `inf`, `infinity`,
//!   `nan` in any case. Blanks and quotes around it are left out. `NA`, `1_000`, `1,5`, `0x10` and nothing at all are bad
//!   cells, and so is a finite number beyond the range of doubles.
//! - **A column is of integers** if every number in it is written as an integer, of any size; else it is of floats, and each
//!   of its cells is the nearest double. This depends on the whole column only: guessed from the first rows, and when a
//!   reader says [`ReadError::NotInteger`] the job starts again with that column as floats. A cell made NaN is a float too.
//! - **Bad cells** count only in the columns that are asked for; a reader that defers leaves it to an expression whether they
//!   count at all. A row of another length than the first is bad whatever is asked of it.
#![forbid(unsafe_code)]

mod batch;
mod cell;
mod dialect;
mod digits;
mod element;
mod error;
mod fixed;
mod float;
mod format;
mod index;
mod mask;
mod npy;
#[cfg(feature = "parquet")]
mod parquet;
mod plan;
mod reader;
mod scan;
mod table;
mod unpack;

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod laws;

pub use batch::{Batch, Column, Decimals, Integers, Kind, Texts, Valueless};
pub use cell::{BadCell, Decimal, has_decimal_comma};
pub use dialect::{Ambiguous, Dialect};
pub use element::{Element, Number, Order};
pub use error::ReadError;
pub use fixed::{Buffer, Fixed, Slice, Torn};
pub use format::{Compression, Format, UnknownFormat};
pub use npy::{Npy, NpyError};
#[cfg(feature = "parquet")]
pub use parquet::{Parquet, ParquetBytes, ParquetError, ParquetRows};
pub use plan::{Tag, pieces};
pub use reader::{OnBad, ROW_BYTES_MAX, Reader, Wanted};
pub use scan::{BlockScan, Place, Rows, cut};
pub use table::{Guess, NoColumn, Table, TableError};
pub use unpack::Unpack;
