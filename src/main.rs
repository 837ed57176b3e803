//! The binary `tally`: chooses the role (command line, worker, forkserver) and calls it. The only place that knows
//! all of them; it decides nothing else.
#![forbid(unsafe_code)]

mod lend;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::fd::AsFd;
use std::process::ExitCode;

use tally_supervisor::{FORKSERVER_ROLE, WORKER_ROLE};
use tally_sys::signal::{self, Signal};
use tally_sys::{fd, process};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if let Err(why) = clean_start(tally_cli::passes_descriptors_on(&arguments)) {
        drop(writeln!(io::stderr(), "tally: could not start: {why}"));
        return ExitCode::FAILURE;
    }
    let role = arguments.get(1).and_then(|word| word.to_str());
    let code = match (role, arguments.get(2).and_then(|word| word.to_str())) {
        (Some(WORKER_ROLE), _) => match io::stdin().as_fd().try_clone_to_owned() {
            Ok(lifeline) => tally_worker::run(lifeline),
            Err(_) => 1,
        },
        (Some(FORKSERVER_ROLE), Some(supervisor)) => {
            tally_supervisor::run_forkserver(supervisor, tally_worker::run)
        }
        _ => tally_cli::run(arguments.into_iter(), &lend::roles()),
    };
    ExitCode::from(code)
}

/// Undoes what the starter may have left: closed standard streams, open descriptors, blocked or ignored signals.
/// `passes_on`: the open descriptors are for a command of the user's.
fn clean_start(passes_on: bool) -> io::Result<()> {
    fd::open_standard_streams()?;
    if !passes_on {
        fd::close_all_on_exec()?;
    }
    signal::unblock_all()?;
    // An ignored SIGCHLD would have the system reap our children and lose how they ended.
    signal::restore_default(Signal::Chld)?;
    // A limit on file sizes is an error of the write, to be told, not a death.
    signal::ignore(Signal::Xfsz)?;
    debug_assert!(process::single_threaded(), "every role starts with one thread");
    Ok(())
}
