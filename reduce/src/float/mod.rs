//! Exact arithmetic over floats: sums that are rounded once, at the very end, and never before.
//!
//! `digits` holds the numbers, `sum` gives them a meaning, `blocks` and `buckets` bring slices into them fast,
//! `cpu` chooses the instructions. All roads give the same bits, whatever the processor.

mod blocks;
mod buckets;
pub(crate) mod cpu;
mod digits;
pub(crate) mod fold;
#[cfg(test)]
pub(crate) mod laws;
pub(crate) mod load;
pub(crate) mod product;
pub(crate) mod squares;
mod sum;

pub use sum::FloatSum;
