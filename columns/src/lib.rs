//! How the bytes of files become columns of numbers and text, in any cut of the bytes.
//!
//! Pure over byte slices, of a mapped file or of blocks that were read: nothing here opens a file or asks for the
//! time. Whatever the cut, the same rows, the same values and the same complaints come out.
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
mod reader;
mod scan;
mod table;
mod unpack;

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod laws;

pub use batch::{Batch, Column, Decimals, Integers, Kind, Texts};
pub use cell::{BadCell, Decimal};
pub use dialect::{Ambiguous, Dialect};
pub use element::{Element, Number, Order};
pub use error::ReadError;
pub use fixed::{Buffer, Fixed, Slice, Torn};
pub use format::{Compression, Format, UnknownFormat};
pub use npy::{Npy, NpyError};
pub use reader::{OnBad, ROW_BYTES_MAX, Reader, Wanted};
pub use scan::{BlockScan, Place, Rows, cut};
pub use table::{Guess, NoColumn, Table, TableError};
pub use unpack::Unpack;
