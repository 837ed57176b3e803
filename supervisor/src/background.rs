//! `tally daemon --daemonize`: the same daemon in a process in the background; the command returns when it listens,
//! or with the daemon's own reason when it does not.

use std::path::PathBuf;

use tally_protocol::error::{ErrorCode, Failure};
use tally_sys::process::{self, Announcer, Start};
use tally_sys::reason::reason;

use crate::daemon::{DaemonOptions, failed};

/// Runs `live` in the background and waits until it has announced itself. The caller must have one thread.
///
/// # Errors
/// What the daemon says why it does not start, as it would have in the foreground.
pub(crate) fn run(
    options: DaemonOptions,
    live: impl FnOnce(&DaemonOptions, &mut Announcer) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let options = absolute(options)?;
    let started = process::start_in_background(|mut announcer| match live(&options, &mut announcer) {
        Ok(()) => 0,
        Err(failure) => {
            let told = serde_json::to_string(&failure).is_ok_and(|text| announcer.refuse(&text));
            if !told {
                tracing::error!("{}", failure.message);
            }
            failure.exit
        }
    });
    let system =
        |what: String| Failure::new(ErrorCode::System, format!("could not start in the background: {what}"));
    match started.map_err(|why| system(why.to_string()))? {
        Start::Ready(_) => Ok(()),
        Start::Refused(text) => Err(serde_json::from_str(&text).unwrap_or_else(|_| system(text))),
        Start::Died(how) => {
            let how = how.map_or_else(
                || "ended".to_owned(),
                |how| format!("was {how}").replace("was exited", "exited"),
            );
            Err(system(format!("the daemon {how} before it listened")))
        }
    }
}

/// Goes on in the background where this process is already, after it became another program.
pub(crate) fn go_on(
    options: DaemonOptions,
    live: impl FnOnce(&DaemonOptions, &mut Announcer) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let options = absolute(options)?;
    std::env::set_current_dir("/").map_err(|why| failed("leave the directory", &why))?;
    live(&options, &mut Announcer::nobody()).inspect_err(|failure| tracing::error!("{}", failure.message))
}

/// Its directory will be another one.
fn absolute(mut options: DaemonOptions) -> Result<DaemonOptions, Failure> {
    let paths =
        [&mut options.config, &mut options.socket, &mut options.default_socket, &mut options.pid_file];
    for path in paths.into_iter().flatten() {
        *path = whole(path).map_err(|why| {
            Failure::new(
                ErrorCode::System,
                format!("could not find the place of {}: {}", path.display(), reason(&why)),
            )
        })?;
    }
    Ok(options)
}

fn whole(path: &PathBuf) -> std::io::Result<PathBuf> {
    std::path::absolute(path)
}
