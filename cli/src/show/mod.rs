//! How things look: answers, tables, JSON documents, progress.
//!
//! Text in, text out; nothing here talks to a supervisor.

pub(crate) mod answer;
pub(crate) mod beacon;
pub(crate) mod breakdown;
pub(crate) mod fold;
pub(crate) mod glyphs;
pub(crate) mod json;
pub(crate) mod number;
pub(crate) mod progress;
pub(crate) mod schema;
pub(crate) mod table;
pub(crate) mod template;
pub(crate) mod timeline;
pub(crate) mod waits;
