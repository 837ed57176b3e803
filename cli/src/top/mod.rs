//! The live view: `tally top`.
//!
//! Answers of the daemon become a `model`, keys change what the user looks at (`ui`), and both become a `frame` of cells, of
//! which only what changed is sent (`paint`). All of that is pure; only `screen` touches a terminal and a socket. The daemon
//! is asked for what is shown and no more; while nobody looks, because the view is stopped or frozen, for nothing.

mod cells;
mod detail;
mod frame;
mod grid;
mod keys;
mod model;
mod paint;
mod panes;
mod plain;
#[cfg(test)]
mod samples;
pub(crate) mod screen;
mod ui;

#[cfg(test)]
mod snapshots;

pub(crate) use model::Model;
pub(crate) use plain::text as plain;
pub(crate) use ui::Ui;
