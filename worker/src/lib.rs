//! The worker role: a process that folds one partition at a time.
//!
//! It knows nothing of other workers and shares nothing with them. It trusts its supervisor, whose build it is, and
//! ends when the supervisor is gone. It never retries, never decides what comes next.
#![forbid(unsafe_code)]

#[cfg(feature = "crash-points")]
mod crashing;
mod guard;
mod leases;
mod local;
mod maps;
mod run;
mod setup;
mod warden;
mod windows;

pub use local::{OpenFiles, Share, fold_here};
pub use maps::{Maps, identity};
pub use tally_kernel::{Beginning, Bytes, Fault, FileBytes, Kernel, column_names, function_names};
pub use warden::{Asked, Line, Lines, read_answer};

use std::io::Write as _;
use std::os::fd::OwnedFd;

/// Lives as a worker: reads the set-up packet from `lifeline`, folds until told to quit or the supervisor is gone.
///
/// The caller has made this a process of its own whose standard error is the supervisor's pipe. Returns the exit code.
#[must_use]
pub fn run(lifeline: OwnedFd) -> u8 {
    match setup::hear(lifeline) {
        Ok(news) if news.setup.warden => guard::stand(news, work),
        Ok(news) => work(news),
        Err(why) => tell(&why),
    }
}

fn work(news: setup::News) -> u8 {
    match setup::become_worker(news).and_then(run::serve) {
        Ok(()) => 0,
        Err(why) => tell(&why),
    }
}

/// Says why this process ends. The supervisor keeps the tail of this pipe for its error texts; nobody else reads it.
fn tell(why: &str) -> u8 {
    drop(writeln!(std::io::stderr(), "worker: could not {why}"));
    1
}
