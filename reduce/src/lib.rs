//! The arithmetic of tally: how numbers become a [`Partial`] and partials become an [`Answer`].
//!
//! Everything here is exact until the one rounding in [`Partial::finish`], so the answer does not depend on how
//! the elements were cut into partitions nor on the order in which the partials came back.
//! This crate knows no clock, file, process or wire; it reads nothing but its arguments.
//!
//! Where to go next: `partial` (the public state), `tally` (the same for jobs of any kind), `integer_fold` (the loops), `round` (the rounding),
//! `bytes` (the canonical encoding), `laws` (the properties everything above rests on).
#![forbid(unsafe_code)]

mod absorb;
mod answer;
mod basis;
mod bytes;
mod columns;
mod convolver;
mod decimal;
mod decimal_sum;
mod extrema;
mod float;
mod grouped;
mod huge;
mod indices;
mod integer_fold;
mod key;
mod lanes;
mod ntt;
mod partial;
mod power;
mod product;
mod radix;
mod reduction;
mod round;
mod runs;
mod shown;
mod stated;
mod tally;
mod total;
#[cfg(target_arch = "x86_64")]
mod twin;

#[cfg(test)]
mod column_laws;
#[cfg(test)]
mod laws;

pub use absorb::{Endian, Format, NanPolicy};
pub use answer::{Answer, NoAnswer, byte_length};
pub use bytes::Malformed;
pub use dashu_int::IBig as Integer;
pub use decimal::{Decimal, NotDecimal};
pub use decimal_sum::{DecimalSum, NoMean};
pub use float::FloatSum;
pub use grouped::{GroupState, Grouped};
pub use indices::Indices;
pub use key::{GroupKey, KeyPart};
pub use partial::{Mismatch, Partial};
pub use reduction::Reduction;
pub use shown::grouped;
pub use stated::Stated;
pub use tally::{Figure, Finished, Group, Shape, Tally};
