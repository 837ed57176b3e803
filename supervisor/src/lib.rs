//! The daemon: gathers events, asks the machine, performs its actions.
//!
//! One thread, one poll. It decides nothing: what happened becomes an `Event`, what to do is an `Action`. It never
//! waits on anything a worker or a client may hold.
#![forbid(unsafe_code)]

mod aside;
mod autopsy;
mod background;
mod books;
mod chronicle;
mod client;
mod clients;
pub mod config;
mod confined;
mod daemon;
mod doorway;
mod files;
mod forkserver;
mod gather;
mod groups;
mod handed;
mod hosted;
mod inherit;
mod lockers;
mod log;
mod metrics;
mod orphans;
mod output;
mod perform;
mod private;
mod probe;
mod quota;
mod reload;
mod rights;
mod service;
mod spawn;
mod succession;
mod token;
mod turn;
mod upgrade;
mod worker;

use std::os::fd::OwnedFd;

pub use daemon::{DaemonOptions, run_daemon};
pub use forkserver::run_forkserver;
pub use private::{Private, PrivateOptions, start_private};
pub use probe::{StoreProbe, probe_store};

/// First argument of a process that is to be a worker; its lifeline is its standard input.
pub const WORKER_ROLE: &str = "--tally-worker";
/// First argument of a process that is to be a forkserver; its socket is its standard input.
pub const FORKSERVER_ROLE: &str = "--tally-forkserver";

/// The life of a worker, from its lifeline to its exit code. The root package, which alone knows all roles, hands it in.
pub type WorkerMain = fn(OwnedFd) -> u8;
