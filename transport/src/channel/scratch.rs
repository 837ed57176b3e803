//! Where the crate puts the sockets by which workers connect.
//!
//! `IpcOneShotServer` makes an unnamed temporary directory wherever `tempfile` says, and leaves it
//! there when the process is killed. So `tempfile` is told to say: in a directory of this process,
//! whose name tells whose it is, so that a later supervisor can remove it with all that is in it
//! (`crate::sweep`). It exists only while some worker is about to connect.
//!
//! `tempfile` can be told this once in a process; a child forked after that goes on using its
//! parent's directory, which is right while the parent lives.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tally_sys::identity::own_user;

use crate::name;

/// A socket's path must fit into 108 bytes, of which the names below this directory take about
/// 70. A longer directory for temporary files is not used.
const BASE_BYTES_MAX: usize = 32;

/// The directory that is used then.
const USUAL_BASE: &str = "/tmp";

/// Held while the directory is made or removed.
static LOCK: Mutex<()> = Mutex::new(());

/// The directory of this process, there as long as any of these.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes the directory if need be, then calls `make`, which makes temporary directories in it.
    pub(crate) fn with<T>(make: impl FnOnce() -> io::Result<T>) -> io::Result<(Self, T)> {
        let _locked = lock();
        let wanted = base().join(name::own("channels")?);
        let path = match tempfile::env::override_temp_dir(&wanted) {
            Ok(()) => wanted,
            Err(in_use) => in_use,
        };
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => check(&path)?,
            Err(error) => return Err(error),
        }
        let scratch = Self { path };
        match make() {
            Ok(made) => Ok((scratch, made)),
            Err(error) => {
                scratch.remove();
                // Removed just now, under the lock.
                std::mem::forget(scratch);
                Err(error)
            }
        }
    }

    fn remove(&self) {
        // Refused while another link's socket is still in it.
        fs::remove_dir(&self.path).ok();
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _locked = lock();
        self.remove();
    }
}

/// The directories in which others may have left theirs.
pub(crate) fn directories() -> Vec<PathBuf> {
    let mut directories = vec![base(), PathBuf::from(USUAL_BASE)];
    directories.dedup();
    directories
}

fn base() -> PathBuf {
    let base = std::env::temp_dir();
    let usable = base.is_absolute() && base.to_str().is_some_and(|text| text.len() <= BASE_BYTES_MAX);
    if usable { base } else { PathBuf::from(USUAL_BASE) }
}

/// Somebody else may have made a directory of that name first, to look into it.
fn check(path: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    if found.is_dir() && found.uid() == own_user() && found.mode() & 0o077 == 0 {
        Ok(())
    } else {
        Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!("{} belongs to somebody else", path.display()),
        ))
    }
}

fn lock() -> MutexGuard<'static, ()> {
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}
