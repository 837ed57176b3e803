//! Studies: what goes wrong when processes share things, and what cures it, shown with real processes.
//!
//! Each study starts its processes over one shared segment (`crew`), lets them do the wrong thing and then the right
//! ones, measures, and returns a [`Report`]. Nothing here prints, and nothing is left behind: a study that finds its
//! processes stuck ends them, and they die with their parent. The caller has one thread (processes are forked).
//!
//! Where to go next: `report` (what a study returns), `chart` (how it is drawn), `crew` (the processes), `place` (where
//! things lie in the segment), `kind` (the locks), then one file for each study.
#![forbid(unsafe_code)]

mod chart;
mod contend;
mod coroutines;
mod crew;
mod deadlock;
mod error;
mod json;
mod kind;
mod locks;
mod philosophers;
mod place;
mod processes;
mod producer_consumer;
mod race;
mod referee;
mod report;
mod spin;
mod study;
mod svg;
mod timeline;

pub use chart::{Chart, Shape};
pub use error::Error;
pub use kind::LockKind;
pub use report::Report;
pub use study::{Options, Study, run};
pub use timeline::{BarKind, TimeBar, TimeMark, Timeline};
