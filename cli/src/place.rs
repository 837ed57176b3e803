//! Which supervisor a command speaks to.
//!
//! A socket that the user names must have a daemon behind it. At the default one a daemon may be or not. Nothing
//! here starts anything.

use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tally_protocol::error::{ErrorCode, Failure};

use crate::client::Client;
use crate::surroundings::Surroundings;
pub(crate) use tally_sys::reason::{plain, reason};

/// Where a daemon may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    /// The control socket; `None` when this user has no place for one.
    pub(crate) socket: Option<PathBuf>,
    /// The user named it, so somebody has to be there.
    pub(crate) named: bool,
}

/// The control socket where no setting names one: `/run/tally/tally.sock` for root, else
/// `$XDG_RUNTIME_DIR/tally/tally.sock`; `None` when that variable is not set.
#[must_use]
pub fn default_socket() -> Option<PathBuf> {
    default_in(&Surroundings::of_this_process())
}

pub(crate) fn default_in(around: &Surroundings) -> Option<PathBuf> {
    if around.is_root {
        return Some(PathBuf::from("/run/tally/tally.sock"));
    }
    around.path("XDG_RUNTIME_DIR").map(|directory| directory.join("tally/tally.sock"))
}

impl Reach {
    /// `--socket`, then `TALLY_SOCKET`, then the default.
    pub(crate) fn of(option: Option<PathBuf>, around: &Surroundings) -> Self {
        match option.or_else(|| around.path("TALLY_SOCKET")) {
            Some(socket) => Self { socket: Some(socket), named: true },
            None => Self { socket: default_in(around), named: false },
        }
    }

    /// Connects to the daemon, which must be there.
    pub(crate) fn connect(&self) -> Result<Client, Failure> {
        let Some(socket) = &self.socket else {
            let message =
                "could not reach the daemon: XDG_RUNTIME_DIR is not set, so there is no default socket";
            return Err(Failure::new(ErrorCode::NoDaemon, message)
                .hint("name the socket with --socket PATH or TALLY_SOCKET"));
        };
        let stream = UnixStream::connect(socket).map_err(|why| unreachable(socket, &why, self.named))?;
        Ok(Client::to_daemon(stream, socket))
    }

    /// Connects to the daemon if one is there.
    pub(crate) fn connect_if_there(&self) -> Result<Option<Client>, Failure> {
        if self.named {
            return self.connect().map(Some);
        }
        // At the default socket anything that is no daemon, a file left behind or a directory of somebody else,
        // means the same: there is none for us.
        let Some(socket) = &self.socket else { return Ok(None) };
        Ok(UnixStream::connect(socket).ok().map(|stream| Client::to_daemon(stream, socket)))
    }
}

/// A file that could not be written: that this user may not is no failure of the system.
pub(crate) fn unwritten(path: &Path, why: &io::Error) -> Failure {
    let code = match why.kind() {
        io::ErrorKind::PermissionDenied => ErrorCode::NotPermitted,
        _ => ErrorCode::System,
    };
    Failure::new(code, format!("could not write {}: {}", path.display(), reason(why)))
}

/// Why nobody answers at a socket.
pub(crate) fn unreachable(socket: &Path, why: &io::Error, named: bool) -> Failure {
    let at = socket.display();
    let is_other = std::fs::metadata(socket).is_ok_and(|there| !there.file_type().is_socket());
    let (code, reason) = match why.kind() {
        io::ErrorKind::ConnectionRefused if is_other => (ErrorCode::NoDaemon, "it is no socket".to_owned()),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::NotADirectory => {
            (ErrorCode::NoDaemon, "nobody listens".to_owned())
        }
        io::ErrorKind::PermissionDenied => (ErrorCode::NotPermitted, "permission denied".to_owned()),
        io::ErrorKind::InvalidInput => {
            // A path beyond the 107 bytes of a socket's address.
            (ErrorCode::BadUsage, "the path is too long or has a NUL in it".to_owned())
        }
        _ => (ErrorCode::NoDaemon, reason(why)),
    };
    let failure = Failure::new(code, format!("could not reach the daemon at {at}: {reason}"));
    match code {
        ErrorCode::NoDaemon if is_other => {
            failure.hint("'tally daemon --socket PATH' makes one at a path that is free")
        }
        ErrorCode::NoDaemon if named => {
            failure.hint("start one there with 'tally daemon', or leave out the socket to run without")
        }
        ErrorCode::NoDaemon => failure.hint("start one with 'tally daemon'"),
        ErrorCode::NotPermitted => {
            failure.hint("who may connect is set by socket_mode and socket_group in its configuration")
        }
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_beats_the_variable_beats_the_default() {
        let around = Surroundings::with(&[("TALLY_SOCKET", "/v"), ("XDG_RUNTIME_DIR", "/run/user/7")]);
        let reach = Reach::of(Some("/o".into()), &around);
        assert_eq!(reach, Reach { socket: Some("/o".into()), named: true });
        let reach = Reach::of(None, &around);
        assert_eq!(reach, Reach { socket: Some("/v".into()), named: true });
        let around = Surroundings::with(&[("XDG_RUNTIME_DIR", "/run/user/7")]);
        let reach = Reach::of(None, &around);
        assert_eq!(reach, Reach { socket: Some("/run/user/7/tally/tally.sock".into()), named: false });
        assert_eq!(Reach::of(None, &Surroundings::default()), Reach { socket: None, named: false });
        let mut root = Surroundings::with(&[("XDG_RUNTIME_DIR", "/run/user/0")]);
        root.is_root = true;
        assert_eq!(default_in(&root), Some("/run/tally/tally.sock".into()));
    }

    #[test]
    fn nobody_there_is_an_error_only_where_the_socket_was_named() {
        let named = Reach { socket: Some("/nowhere/tally.sock".into()), named: true };
        let failure = named.connect_if_there().unwrap_err();
        assert_eq!(failure.message, "could not reach the daemon at /nowhere/tally.sock: nobody listens");
        assert_eq!((failure.code, failure.exit), (ErrorCode::NoDaemon, 3));
        let directory = Reach { socket: Some("/".into()), named: true };
        assert_eq!(
            directory.connect().unwrap_err().message,
            "could not reach the daemon at /: it is no socket"
        );
        let default = Reach { named: false, ..named };
        assert!(default.connect_if_there().unwrap().is_none());
        assert_eq!(default.connect().unwrap_err().hint.as_deref(), Some("start one with 'tally daemon'"));
        let none = Reach { socket: None, named: false };
        assert_eq!(none.connect().unwrap_err().exit, 3);
    }

    #[test]
    fn reasons_are_the_systems_without_its_number() {
        let why = io::Error::from_raw_os_error(28);
        assert_eq!(reason(&why), "no space left on device");
    }
}
