//! The control socket: whether it is there, who may connect, and whether somebody listens.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use tally_sys::peers;

use super::Finding;
use crate::client::Client;
use crate::place::{Reach, reason};

const NAME: &str = "socket";

/// What was found, and a connection where somebody listens.
pub(super) struct Surface {
    pub(super) finding: Finding,
    pub(super) client: Option<Client>,
}

pub(super) fn look(reach: &Reach) -> Surface {
    let nobody = |finding| Surface { finding, client: None };
    let Some(path) = &reach.socket else {
        return nobody(Finding::warn(
            NAME,
            "there is no place for it: XDG_RUNTIME_DIR is not set",
            "set XDG_RUNTIME_DIR, or name a socket by --socket or TALLY_SOCKET",
        ));
    };
    let shown = path.display();
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(why) if why.kind() == io::ErrorKind::NotFound => {
            return nobody(Finding::ok(NAME, format!("{shown} is free: no daemon runs there")));
        }
        Err(why) => {
            let hint = "whoever may connect must be able to pass its directories";
            return nobody(Finding::fail(NAME, format!("could not look at {shown}: {}", reason(&why)), hint));
        }
    };
    if !found.file_type().is_socket() {
        let hint = "no daemon can listen there: move it away";
        return nobody(Finding::fail(NAME, format!("{shown} is no socket"), hint));
    }
    let rights = rights(&found);
    match UnixStream::connect(path) {
        Ok(stream) => Surface {
            finding: reachable(path, &found, &rights),
            client: Some(Client::to_daemon(stream, path)),
        },
        Err(why) if why.kind() == io::ErrorKind::ConnectionRefused => nobody(Finding::warn(
            NAME,
            format!("{shown} was left behind: nobody listens"),
            "nothing needs to be done: the next daemon there takes its place",
        )),
        Err(why) if why.kind() == io::ErrorKind::PermissionDenied => nobody(Finding::fail(
            NAME,
            format!("{shown} may not be used by this user: {rights}"),
            format!("join its group ('usermod -aG {} USER', then log in again)", group(&found)),
        )),
        Err(why) => {
            let hint = "a daemon may be overloaded: 'systemctl status tally'";
            nobody(Finding::fail(NAME, format!("could not connect to {shown}: {}", reason(&why)), hint))
        }
    }
}

fn user(found: &Metadata) -> String {
    peers::user_name(found.uid()).unwrap_or_else(|| found.uid().to_string())
}

fn group(found: &Metadata) -> String {
    peers::group_name(found.gid()).unwrap_or_else(|| found.gid().to_string())
}

/// Who may connect, by the mode of the socket: writing is connecting.
fn rights(found: &Metadata) -> String {
    let mode = found.mode() & 0o777;
    let who = match (mode & 0o020 != 0, mode & 0o002 != 0) {
        (_, true) => "everybody".to_owned(),
        (true, false) => format!("the group {} and the user {}", group(found), user(found)),
        (false, false) => format!("the user {} alone", user(found)),
    };
    format!("{who} may connect (mode {mode:04o})")
}

/// Those whom the socket is for must get as far as it.
fn reachable(path: &Path, found: &Metadata, rights: &str) -> Finding {
    let shown = path.display();
    let pass = (found.mode() & 0o022) >> 1;
    let closed =
        path.ancestors().skip(1).filter(|directory| !directory.as_os_str().is_empty()).find(|directory| {
            let mode = fs::metadata(directory).map_or(0o777, |found| found.mode());
            mode & 0o001 == 0 && mode & pass != pass
        });
    match closed {
        None => Finding::ok(NAME, format!("{shown}: {rights}")),
        Some(directory) => Finding::warn(
            NAME,
            format!("{shown}: {rights}, but {} lets nobody else pass", directory.display()),
            format!("'chmod +x {}', or a socket_mode of 0600", directory.display()),
        ),
    }
}
