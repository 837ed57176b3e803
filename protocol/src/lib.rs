//! The words of tally: what can be said, by whom, in how many bytes.
//!
//! Pure: no sockets, no clock, no files. Two languages live here. `control` is what clients say to the
//! supervisor (JSON, varlink framing, may be spoken by any program of any age); `work` is what supervisor and
//! worker say to each other (bincode frames, both ends are always the same build).
#![forbid(unsafe_code)]

pub mod answers;
pub mod command;
pub mod control;
pub mod error;
pub mod frame;
mod hex;
pub mod history;
pub mod ids;
pub mod job;
pub mod limits;
pub mod locks;
pub mod members;
pub mod near;
pub mod objects;
pub mod printable;
pub mod range;
pub mod record;
pub mod settings;
pub mod site;
pub mod source;
pub mod spoken;
pub mod top;
pub mod varlink;
pub mod version;
pub mod view;
pub mod work;

pub use ids::{Attempt, ClientId, JobId, PartitionId, SlotId, WorkerId};
