//! A durable map of rows: one file, `jobs.redb`, and the thread that keeps it.
//!
//! It knows bytes under numbers in a few tables, and nothing of jobs. What was committed is there after a crash of the
//! process or of the machine; what is damaged is refused or told, and never silently emptied or taken for right.
//! One process at a time: whoever opens the file holds a lock that covers it.

#![forbid(unsafe_code)]

mod change;
mod contain;
mod disk;
mod error;
mod keeper;
mod make;
mod open;
#[cfg(test)]
mod power;
mod rows;
mod salvage;
mod store;

pub use change::{Change, Row, Table};
pub use error::{CommitError, OpenError, OpenErrorKind};
pub use keeper::{Finished, Keeper, Ticket};
pub use make::make_directory;
pub use open::{FILE_NAME, Opened, open};
pub use store::Store;
