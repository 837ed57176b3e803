//! Why a store was not opened, and why a commit was not made. Texts read well after "could not".

use std::fmt;
use std::io;
use std::path::PathBuf;

use tally_sys::reason::reason;

/// Why the store was not opened. Nothing was changed by the attempt.
#[derive(Debug)]
pub struct OpenError {
    /// The file or directory it is about.
    pub path: PathBuf,
    /// What is the matter with it.
    pub kind: OpenErrorKind,
}

/// What is the matter with a file that was not opened.
#[derive(Debug)]
pub enum OpenErrorKind {
    /// The system refused something.
    Io {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// It is something else.
    Foreign,
    /// It is a symbolic link.
    Link,
    /// Another version of the program made it.
    Version {
        /// What it says of itself.
        found: String,
    },
    /// It is one of ours, and damaged.
    Damaged {
        /// What was found.
        why: String,
    },
}

impl OpenError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match &self.kind {
            OpenErrorKind::Io { .. } => "give the daemon's user the directory, or name another state_dir",
            OpenErrorKind::Foreign => "nothing was changed; move it away, or name another state_dir",
            OpenErrorKind::Link => "name the directory that it leads to by state_dir",
            OpenErrorKind::Version { .. } => {
                "nothing was changed; run the version that made it, or name another state_dir"
            }
            OpenErrorKind::Damaged { .. } => {
                "nothing was changed; put a copy of the file back, or move it away to begin with no jobs"
            }
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.kind {
            OpenErrorKind::Io { what, error } => {
                write!(f, "{what} {path}: {}", reason(error))
            }
            OpenErrorKind::Foreign => write!(f, "open {path}: it is not a store of tally"),
            OpenErrorKind::Link => write!(f, "open {path}: it is a symbolic link"),
            OpenErrorKind::Version { found } => {
                write!(f, "open {path}: another version of tally made it ({found})")
            }
            OpenErrorKind::Damaged { why } => write!(f, "open {path}: it is damaged: {why}"),
        }
    }
}

impl std::error::Error for OpenError {}

/// Why a commit was not made. None of its changes is in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitError {
    /// There is no room on the disk. The store can be used, and will go on when there is room.
    Full,
    /// Anything else.
    Other(String),
}

impl CommitError {
    /// Why, standing alone.
    pub fn reason(&self) -> String {
        match self {
            Self::Full => "no space is left on the disk".to_owned(),
            Self::Other(why) => why.clone(),
        }
    }

    pub(crate) fn of(kind: Option<io::ErrorKind>, otherwise: String) -> Self {
        match kind {
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge) => {
                Self::Full
            }
            _ => Self::Other(otherwise),
        }
    }
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "write to the store: {}", self.reason())
    }
}

impl std::error::Error for CommitError {}
