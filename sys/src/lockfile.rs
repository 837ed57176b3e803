//! One owner for one path: a lock that the system frees when its holder dies.
//!
//! Whether somebody is alive is told by the lock and never by the pid written in the file, which
//! is for people. A lock on a removed file guards nothing, so whoever takes one makes sure that the
//! path still leads to it.
//!
//! A child shares its parent's lock from the fork to the exec, and keeps it for these moments where
//! the parent is killed in them. And a process that is killed frees its locks only once its memory is gone and its
//! last write is done. So a lock whose owner is no more, or is ending, is waited for, a little.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::process::Pid;
use crate::{clock, fd, poll, process};

/// How often a file that was replaced while it was being locked is tried again.
const ATTEMPTS_MAX: u32 = 16;

/// How long a lock is waited for whose owner is no more, and the pause between two looks.
const ORPHANED_NS_MAX: u64 = 10_000_000_000;
const LOOK: Duration = Duration::from_millis(2);

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
    /// Takes the lock at `path`, making the file (mode 0600) if there is none. Nobody who is seen to live is waited for.
    pub fn acquire(path: impl AsRef<Path>) -> Result<Self, AcquireError> {
        Self::acquire_from(path.as_ref(), is_gone)
    }

    /// `is_gone` tells of the pid in the file whether there is no such process, or it is ending.
    fn acquire_from(path: &Path, mut is_gone: impl FnMut(u32) -> bool) -> Result<Self, AcquireError> {
        let failed = |error| AcquireError::Io { path: path.to_path_buf(), error };
        let (mut replaced, mut orphaned_ns) = (0, None);
        while replaced < ATTEMPTS_MAX {
            let mut file = open(path).map_err(failed)?;
            match fd::retry(|| rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => {
                    let pid = written_pid(&mut file);
                    let now = clock::monotonic_ns();
                    let waited = now - *orphaned_ns.get_or_insert(now);
                    if waited < ORPHANED_NS_MAX && pid.is_some_and(&mut is_gone) {
                        poll::look(&[], Some(LOOK)).map_err(failed)?;
                        continue;
                    }
                    return Err(AcquireError::Held { path: path.to_path_buf(), pid });
                }
                Err(error) => return Err(failed(error.into())),
            }
            replaced += 1;
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

    /// Writes this process's pid into the file, and nothing else, so that `kill $(cat FILE)` works: again after a fork in
    /// which the child took the lock over.
    pub fn write_owner(&self) -> io::Result<()> {
        let mut file = &self.file;
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(format!("{}\n", process::own_pid()).as_bytes())
    }

    /// Takes over a lock that this process holds already: it kept the descriptor over an exec. An error if the path
    /// leads elsewhere by now.
    pub fn adopt(held: OwnedFd, path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref().to_path_buf();
        let file = File::from(held);
        // Whoever holds it gets it again.
        fd::retry(|| rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive))?;
        if !is_at(&file, &path)? {
            return Err(io::Error::other("its file was replaced"));
        }
        let lock = Self { file, path };
        lock.write_owner()?;
        Ok(lock)
    }

    /// The descriptor, which holds the lock for as long as it is open.
    pub fn into_fd(self) -> OwnedFd {
        self.file.into()
    }

    /// Frees the lock and removes its file. Whoever has opened the file meanwhile finds, once it has
    /// the lock, that the path leads elsewhere, and starts over: see [`acquire`](Self::acquire).
    pub fn remove(self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
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

/// Whether somebody holds the lock at `path`, without touching it: the pid of the holder, 0 for one that cannot be seen from
/// here. For people who look: it may be otherwise a moment later.
///
/// # Errors
/// The system does not tell.
pub fn holder(path: &Path) -> io::Result<Option<u32>> {
    let inode = match rustix::fs::lstat(path) {
        Ok(found) => found.st_ino,
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Ok(holder_in(&std::fs::read_to_string("/proc/locks")?, inode))
}

/// A line is `1: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF`; the device is that of the file system below an overlay.
fn holder_in(table: &str, inode: u64) -> Option<u32> {
    let mut held = table.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, _, pid, file, ..] = words.as_slice() else { return None };
        (file.rsplit(':').next()?.parse() == Ok(inode)).then(|| pid.parse().unwrap_or(0))
    });
    held.next()
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

fn is_gone(pid: u32) -> bool {
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw).map(Pid::to_rustix);
    process.is_some_and(|process| rustix::process::test_kill_process(process) == Err(Errno::SRCH))
        || is_ending(pid)
}

/// Whether a process has been killed or has ended, and is still there.
fn is_ending(pid: u32) -> bool {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
    // In this order: what is pending in the first look is at work in the second.
    is_killed(&read("status")) || is_exiting(&read("stat"))
}

/// Whether `/proc/PID/status` tells of a process that is dead, or about to be by a signal that nobody can hold off.
fn is_killed(status: &str) -> bool {
    /// SIGKILL among pending signals.
    const KILL: u64 = 1 << 8;
    status.lines().filter_map(|line| line.split_once(':')).any(|(name, value)| match (name, value.trim()) {
        ("State", state) => state.starts_with(['Z', 'X']),
        ("SigPnd" | "ShdPnd", signals) => u64::from_str_radix(signals, 16).is_ok_and(|set| set & KILL != 0),
        _ => false,
    })
}

/// Whether `/proc/PID/stat` tells of a process that is on its way out. Its name, in parentheses, may have any characters.
fn is_exiting(stat: &str) -> bool {
    /// `PF_EXITING` of the kernel.
    const EXITING: u64 = 4;
    let flags =
        stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(6)?.parse::<u64>().ok());
    flags.is_some_and(|flags| flags & EXITING != 0)
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

#[cfg(test)]
mod tests {
    use super::directory::Directory;
    use super::*;

    #[test]
    fn a_lock_is_held_once_and_free_when_dropped() {
        let directory = Directory::new();
        let path = directory.join("lock");
        let lock = LockFile::acquire(&path).unwrap();
        let AcquireError::Held { pid, .. } = LockFile::acquire(&path).unwrap_err() else {
            panic!("not held")
        };
        assert_eq!(pid, u32::try_from(process::own_pid().raw()).ok());
        drop(lock);
        let lock = LockFile::acquire(&path).unwrap();
        assert_eq!(lock.path(), path);
        assert!(path.exists());
    }

    #[test]
    fn what_a_child_of_a_dead_owner_shares_still_is_waited_for() {
        let directory = Directory::new();
        let path = directory.join("lock");
        let mut held = Some(LockFile::acquire(&path).unwrap());
        std::fs::write(&path, "4711\n").unwrap();
        let lock = LockFile::acquire_from(&path, |pid| {
            assert_eq!(pid, 4711);
            // The child becomes another program.
            drop(held.take());
            true
        });
        assert_eq!(lock.unwrap().path(), path);
        assert!(!is_gone(u32::try_from(process::own_pid().raw()).unwrap()));
        assert!(is_gone(i32::MAX.cast_unsigned()));
    }

    #[test]
    fn a_process_that_is_ending_is_as_good_as_gone() {
        let status = |state: &str, own: &str, shared: &str| {
            is_killed(&format!(
                "Name:\tZ\nState:\t{state}\nSigPnd:\t{own}\nShdPnd:\t{shared}\nSigBlk:\t0100\n"
            ))
        };
        assert!(!status("S (sleeping)", "0000000000000000", "0000000000004000"));
        assert!(status("Z (zombie)", "0000000000000000", "0000000000000000"));
        assert!(status("D (disk sleep)", "0000000000000100", "0000000000000000"));
        assert!(status("R (running)", "0000000000000000", "0000000000004100"));
        assert!(is_exiting("7 (a) b) R 1 7 7 0 -1 4194564 0"));
        assert!(!is_exiting("7 (a) b) S 1 7 7 0 -1 4194560 0"));
        assert!(!is_killed("") && !is_exiting(""));
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        assert!(!is_gone(child.id()));
        child.kill().unwrap();
        assert!(is_gone(child.id()), "killed and not waited for");
        child.wait().unwrap();
    }

    #[test]
    fn who_holds_it_can_be_seen_without_touching_it() {
        let directory = Directory::new();
        let path = directory.join("lock");
        assert_eq!(holder(&path).unwrap(), None);
        let lock = LockFile::acquire(&path).unwrap();
        assert_eq!(holder(&path).unwrap(), u32::try_from(process::own_pid().raw()).ok());
        drop(lock);
        assert_eq!(holder(&path).unwrap(), None);
        let table = "1: POSIX  ADVISORY  WRITE 7 fe:00:9 0 EOF\n2: FLOCK  ADVISORY  WRITE 8 fe:00:9 0 EOF\n2: -> FLOCK x\n";
        assert_eq!((holder_in(table, 9), holder_in(table, 7)), (Some(8), None));
    }

    #[test]
    fn only_the_owner_can_open_it() {
        let directory = Directory::new();
        let lock = LockFile::acquire(directory.join("lock")).unwrap();
        assert_eq!(rustix::fs::fstat(&lock).unwrap().st_mode & 0o777, 0o600);
        assert_eq!(rustix::io::fcntl_getfd(&lock).unwrap(), rustix::io::FdFlags::CLOEXEC);
    }

    #[test]
    fn a_longer_text_of_before_is_gone() {
        let directory = Directory::new();
        let path = directory.join("lock");
        std::fs::write(&path, "x".repeat(500)).unwrap();
        let _lock = LockFile::acquire(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{}\n", process::own_pid()));
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn a_holder_that_wrote_no_pid_is_nameless() {
        let directory = Directory::new();
        let path = directory.join("lock");
        for text in ["", "\n", "nobody\n", "\u{fffd}"] {
            let lock = LockFile::acquire(&path).unwrap();
            std::fs::write(&path, text).unwrap();
            let error = LockFile::acquire(&path).unwrap_err();
            assert_eq!(error.to_string(), format!("lock {}: another process holds it", path.display()));
            drop(lock);
        }
    }

    #[test]
    fn a_removed_file_guards_nothing() {
        let directory = Directory::new();
        let path = directory.join("lock");
        let old = LockFile::acquire(&path).unwrap();
        assert!(is_at(&old.file, &path).unwrap());
        std::fs::remove_file(&path).unwrap();
        assert!(!is_at(&old.file, &path).unwrap());
        let new = LockFile::acquire(&path).unwrap();
        assert!(is_at(&new.file, &path).unwrap() && !is_at(&old.file, &path).unwrap());
    }

    #[test]
    fn links_are_not_followed_and_errors_name_the_path() {
        let directory = Directory::new();
        let path = directory.join("link");
        std::os::unix::fs::symlink(directory.join("elsewhere"), &path).unwrap();
        let error = LockFile::acquire(&path).unwrap_err();
        assert!(matches!(error, AcquireError::Io { .. }));
        assert!(error.to_string().starts_with(&format!("lock {}: ", path.display())), "{error}");
        assert!(!directory.join("elsewhere").exists());
    }
}

/// A directory for tests.
#[cfg(test)]
pub(crate) mod directory {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// An empty directory, removed when dropped.
    #[derive(Debug)]
    pub(crate) struct Directory(PathBuf);

    impl Directory {
        pub(crate) fn new() -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("tally-sys-unit-{}-{number}", crate::process::own_pid());
            let path = std::env::temp_dir().join(name);
            std::fs::create_dir(&path).unwrap();
            Self(path)
        }

        pub(crate) fn join(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }
}
