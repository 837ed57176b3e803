//! The parts of `tally batch` that speak to nobody: lines, what they ask for, how answers are shown.
//!
//! The conversation is in `verbs/batch.rs`.

pub(crate) mod lines;
pub(crate) mod output;
pub(crate) mod task;

pub(crate) use task::Defaults;
