//! The language of `--of` and `--where`: read it, check its types, evaluate it over many elements at once.
//!
//! Integers are exact whatever their size, floats are IEEE 754, division and remainder are Python's.
//! This crate knows no file, clock, process or wire; it reads nothing but its arguments, and hostile text costs
//! it neither its stack nor its memory.
//!
//! Where to go next: `parse` (text to tree), `lower` (tree to typed operations), `plan` (how a chunk is computed),
//! `lanes` (the loops), `slow` (one element at a time), `evaluate` (chunk after chunk).
#![forbid(unsafe_code)]

mod ast;
mod column;
mod cpu;
mod decimal;
mod divide;
mod evaluate;
mod exact;
mod fault;
mod float;
mod graph;
mod interval;
mod lanes;
mod limits;
mod lower;
mod parse;
mod plan;
mod program;
mod schema;
mod slow;
mod token;
mod value;
mod words;

pub use ast::{Ast, Use};
pub use column::{Column, IndexRange};
pub use decimal::{Decimal, DecimalCell, DecimalProgram, DecimalValue, NoDecimal};
pub use evaluate::{Chunk, EvalError, Evaluator, Values};
pub use fault::{Fault, Span};
pub use lanes::LANES;
pub use limits::{DEPTH_MAX, INTEGER_BITS_MAX, TEXT_BYTES_MAX};
pub use program::{Program, WhichFault};
pub use schema::Schema;
pub use value::Kind;

/// The names of all functions.
pub fn function_names() -> impl Iterator<Item = &'static str> {
    words::Function::ALL.iter().map(|(name, _)| *name)
}
