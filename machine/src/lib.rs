//! The decisions of the supervisor: events in, actions out, time passed in.
//!
//! Pure. No descriptor, path, clock, thread or random number; ordered collections only, so that equal event lists
//! give equal action lists. What the system does is done by crate supervisor, which feeds events and performs actions.
#![forbid(unsafe_code)]

pub mod action;
pub mod event;
pub mod moment;
pub mod settings;

pub use action::Action;
pub use event::Event;
pub use moment::Moment;
pub use settings::Settings;
