//! The `tally` binary: chooses a role (command line, daemon, worker, forkserver) and calls it.
fn main() {}
