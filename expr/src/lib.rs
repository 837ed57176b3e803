//! The language of `--of` and `--where`: read it, check its types, evaluate it over many elements at once.
//!
//! Integers are exact whatever their size, floats are IEEE 754, division and remainder are Python's.
//! This crate knows no file, clock, process or wire; it reads nothing but its arguments, and hostile text costs
//! it neither its stack nor its memory.
//!
//! Where to go next: `parse` (text to tree).
#![forbid(unsafe_code)]

mod ast;
mod fault;
mod limits;
mod parse;
mod token;
mod words;

pub use ast::Ast;
pub use fault::{Fault, Span};
pub use limits::{DEPTH_MAX, INTEGER_BITS_MAX, TEXT_BYTES_MAX};
