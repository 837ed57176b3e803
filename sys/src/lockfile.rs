//! One owner for one path: a lock that the system frees when its holder dies.
//!
//! Whether somebody is alive is told by the lock and never by the pid written in the file, which
//! is for people. The file is never removed: a lock on a removed file guards nothing.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::{clock, fd, process};

/// How often a file that was replaced while it was being locked is tried again.
const ATTEMPTS_MAX: u32 = 16;

/// How much of the file is read to find a pid.
const CONTENT_BYTES_MAX: u64 = 64;

/// A held lock. Dropping it frees the lock, unless a forked child was given the descriptor too.
#[derive(Debug)]
pub struct LockFile {
    file: File,
    path: PathBuf,
}

/// Why a lock was not taken. Reads well after "could not".
#[derive(Debug)]
pub enum AcquireError {
    /// Somebody else has it.
    Held {
        /// The path of the lock.
        path: PathBuf,
        /// Who, as far as the file tells: for people.
        pid: Option<u32>,
    },
    /// The file could not be opened, locked or written.
    Io {
        /// The path of the lock.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl LockFile {
    /// Takes the lock at `path` without waiting, making the file (mode 0600) if there is none.
    pub fn acquire(path: impl AsRef<Path>) -> Result<Self, AcquireError> {
        let path = path.as_ref();
        let failed = |error| AcquireError::Io { path: path.to_path_buf(), error };
        for _ in 0..ATTEMPTS_MAX {
            let mut file = open(path).map_err(failed)?;
            match fd::retry(|| rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => {
                    return Err(AcquireError::Held { path: path.to_path_buf(), pid: written_pid(&mut file) });
                }
                Err(error) => return Err(failed(error.into())),
            }
            // Between open and lock the path may have been removed or replaced: the lock would be
            // on a file that nobody else will ever open.
            if is_at(&file, path).map_err(failed)? {
                let lock = Self { file, path: path.to_path_buf() };
                lock.write_owner().map_err(failed)?;
                return Ok(lock);
            }
        }
        Err(failed(io::Error::other("the file is replaced again and again")))
    }

    /// Writes this process's pid and the time into the file: again after a fork in which the
    /// child took the lock over.
    pub fn write_owner(&self) -> io::Result<()> {
        let mut file = &self.file;
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(format!("{}\nsince_unix_ms {}\n", process::own_pid(), clock::wall_ms()).as_bytes())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl AsFd for LockFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Only the owner may open it: whoever can open a file can also hold its lock.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(fd::retry(|| rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR))?.into())
}

/// Whether `path` still leads to `file`.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let held = rustix::fs::fstat(file)?;
    match rustix::fs::lstat(path) {
        Ok(found) => Ok((held.st_dev, held.st_ino) == (found.st_dev, found.st_ino)),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn written_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(CONTENT_BYTES_MAX).read_to_string(&mut text).ok()?;
    text.lines().next()?.parse().ok()
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { path, pid: Some(pid) } => {
                write!(f, "lock {}: process {pid} holds it", path.display())
            }
            Self::Held { path, pid: None } => write!(f, "lock {}: another process holds it", path.display()),
            Self::Io { path, error } => write!(f, "lock {}: {error}", path.display()),
        }
    }
}

impl std::error::Error for AcquireError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Held { .. } => None,
            Self::Io { error, .. } => Some(error),
        }
    }
}
