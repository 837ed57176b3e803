//! Removes what supervisors that were killed have left: names of segments and queues, directories
//! for connections. Nothing of a process that may still live is touched, and nothing of another
//! user.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use tally_sys::identity::own_user;
use tally_sys::{mqueue, shm_named};

use crate::{channel, name};

/// How much was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Segments of shared memory.
    pub segments: usize,
    /// Message queues. They can only be found where `/dev/mqueue` is mounted; they have a name
    /// for an instant only.
    pub queues: usize,
    /// Directories with sockets.
    pub directories: usize,
}

/// Removes all leftovers that can be found. What cannot be removed is logged and left.
pub fn sweep() -> Swept {
    Swept {
        segments: sweep_in(Path::new("/dev/shm"), |name| shm_named::unlink(&format!("/{name}"))),
        queues: sweep_in(Path::new("/dev/mqueue"), |name| mqueue::unlink(&format!("/{name}"))),
        directories: channel::directories()
            .iter()
            .map(|base| sweep_in(base, |name| fs::remove_dir_all(base.join(name))))
            .sum(),
    }
}

fn sweep_in(directory: &Path, remove: impl Fn(&str) -> io::Result<()>) -> usize {
    // A directory that is not there has no leftovers.
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    let mut removed = 0;
    for entry in entries.flatten() {
        let file_name = entry.file_name();
        let Some(name) = file_name.to_str() else { continue };
        if !is_leftover(name, &entry) {
            continue;
        }
        match remove(name) {
            Ok(()) => removed += 1,
            Err(error) => {
                let path = entry.path();
                tracing::warn!("could not remove the leftover {}: {error}", path.display());
            }
        }
    }
    removed
}

fn is_leftover(name: &str, entry: &fs::DirEntry) -> bool {
    let user = own_user();
    name::owner(name).is_some_and(|owner| owner.user == user && owner.is_dead())
        && entry.metadata().is_ok_and(|found| found.uid() == user)
}
