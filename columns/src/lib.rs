//! How the bytes of files become columns of numbers and text, in any cut of the bytes.
//!
//! Pure over byte slices, of a mapped file or of blocks that were read: nothing here opens a file or asks for the
//! time. Whatever the cut, the same rows, the same values and the same complaints come out.
#![forbid(unsafe_code)]

mod dialect;
mod digits;
mod element;
mod fixed;
mod float;
mod format;
mod index;
mod mask;
mod npy;
mod scan;

pub use dialect::{Ambiguous, Dialect};
pub use element::{Element, Number, Order};
pub use fixed::{Buffer, Fixed, Slice, Torn};
pub use format::{Compression, Format, UnknownFormat};
pub use npy::{Npy, NpyError};
pub use scan::{BlockScan, Place, Rows, cut};
