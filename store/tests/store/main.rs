//! The store against files that are cut, flipped and foreign, processes that are killed, and disks that are full.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a test says what it found, and what it skips")]

mod basics;
mod cost;
mod crash;
mod damage;
mod full;
mod keeper;
mod scene;
