//! The rules, told one by one: events in, actions compared as lines of text.

mod bench;
mod chaos;
mod clients;
mod conclusions;
mod deaths;
mod durable;
mod floods;
mod happy;
mod kernels;
mod memory;
mod partials;
mod permission;
mod restarts;
mod sharing;
mod started;
mod stopping;
mod top;
mod views;

pub(crate) use bench::{Bench, request, settings};
