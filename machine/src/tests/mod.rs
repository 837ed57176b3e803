//! The rules, told one by one: events in, actions compared as lines of text.

mod bench;
mod happy;

pub(crate) use bench::{Bench, profile, request, settings};
