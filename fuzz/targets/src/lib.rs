//! What hostile bytes are given to, one module for each thing that reads some. Each has a function `run` that takes any
//! bytes and panics where the program would be wrong: at a panic, at an answer that differs from a plain one, at a lie
//! that is believed. `../fuzz_targets` hands them to libFuzzer, `tests/replay.rs` to every run of the tests.
//!
//! Nothing here knows how bytes are made; nothing here may keep anything from one call to the next that an answer
//! depends on.
#![forbid(unsafe_code)]
#![expect(clippy::missing_panics_doc, reason = "a target fails by panicking")]

pub mod answer;
pub mod config;
pub mod control;
pub mod csv;
pub mod exact;
pub mod expressions;
pub mod feed;
pub mod frames;
pub mod links;
pub mod machine;
pub mod mutate;
pub mod npy;
pub mod partial;
pub mod rows;
pub mod segment;
pub mod sparse;
pub mod store;
pub mod text;
pub mod tree;
pub mod unpack;

/// A target, by the name of its corpus.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 15] = [
    ("answer", answer::run),
    ("config", config::run),
    ("control", control::run),
    ("csv", csv::run),
    ("expressions", expressions::run),
    ("frames", frames::run),
    ("links", links::run),
    ("machine", machine::run),
    ("npy", npy::run),
    ("partial", partial::run),
    ("rows", rows::run),
    ("segment", segment::run),
    ("store", store::run),
    ("text", text::run),
    ("unpack", unpack::run),
];
