//! The socket in the file system: its directory, its mode, its group.
//!
//! Nobody who may not connect can, at any moment: the socket has its rights before it listens, and an existing
//! directory is left as it was found, since it is somebody else's to say who may pass.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::Path;

use tally_sys::peers;
use tally_sys::socket::Listener;

use crate::config::Access;

/// Makes the directory of the socket, if there is none: to be passed, not listed, by those whom the socket is for.
///
/// # Errors
/// It cannot be made or be given to its group.
pub(crate) fn make_directory(directory: &Path, access: &Access) -> io::Result<()> {
    if directory.exists() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    if let Some(group) = group(access)? {
        chown(directory, None, Some(group))?;
    }
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700 | pass(access.socket_mode)))
}

/// Makes the socket, where nothing may be yet.
///
/// # Errors
/// It cannot be made, or be given to its group.
pub(crate) fn bind(path: &Path, access: &Access) -> io::Result<Listener> {
    Listener::bind_for(path, access.socket_mode, group(access)?)
}

/// Whether others than the user of the socket may connect, by the socket's mode.
pub(crate) fn is_open_to_others(socket: &Path) -> bool {
    mode(socket) & 0o022 != 0
}

/// Says so when others are meant to connect and cannot get as far as the socket.
pub(crate) fn check_reach(socket: &Path) {
    let needed = pass(mode(socket));
    let directories = socket.ancestors().skip(1).filter(|directory| !directory.as_os_str().is_empty());
    for directory in directories {
        let mode = mode(directory);
        // One that lets everybody pass lets a group pass.
        if mode & 0o001 == 0 && mode & needed != needed {
            tracing::warn!("others cannot reach the socket: {} does not let them pass", directory.display());
        }
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).map_or(0, |found| found.permissions().mode())
}

/// Passing a directory follows connecting: execution where the socket has writing.
fn pass(socket_mode: u32) -> u32 {
    (socket_mode & 0o022) >> 1
}

/// The group that the socket is for.
///
/// # Errors
/// It does not exist, as the end of a sentence.
pub(crate) fn group(access: &Access) -> io::Result<Option<u32>> {
    let number = access.socket_group.as_deref().map(peers::group_number).transpose();
    number.map_err(|why| io::Error::new(why.kind(), format!("socket_group: {why}")))
}
