//! A world for one test: own directory, own socket, the real binary, and a look at what is left behind.
//!
//! Nothing here sleeps: a wait is for an exit (pidfd), for a line, or for an answer, each under one deadline that
//! only a broken program meets.
#![forbid(unsafe_code)]
#![expect(clippy::missing_panics_doc, reason = "a harness fails by panicking")]

pub mod booted;
pub mod brood;
pub mod client;
pub mod gate;
pub mod npy;
pub mod openmetrics;
pub mod picture;
pub mod proc;
pub mod races;
pub mod random;
pub mod run;
pub mod schema;
pub mod shown;
pub mod terminal;
pub mod torture;
pub mod world;

pub use booted::Booted;
pub use client::Client;
pub use random::Random;
pub use run::{Daemon, Finished, Held, Running};
pub use schema::Schemas;
pub use terminal::Terminal;
pub use world::World;

/// Nanoseconds after which a wait is given up: only a broken program comes near it.
pub const PATIENCE_NS: u64 = 60_000_000_000;

/// Asks until the answer is there; panics when patience ends. Each question must itself take its time: a call, a read.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = tally_sys::clock::monotonic_ns();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(tally_sys::clock::monotonic_ns() - begun < PATIENCE_NS, "waited in vain for {what}");
        std::thread::yield_now();
    }
}
