//! The files of a job as this process sees them: descriptors that somebody else opened, mapped or read part by part.

use std::io::{self, ErrorKind};
use std::ops::Deref;
use std::os::fd::OwnedFd;

use tally_kernel::{Bytes, Fault, FileBytes};
use tally_protocol::source::{FileIdentity, FileSource, Files};
use tally_sys::map::{self, FileMap};

use crate::windows::{PIECE_BYTES, Piece, Windows};

/// Open files, in the order of their job.
#[derive(Debug)]
pub struct Maps {
    files: Vec<File>,
}

#[derive(Debug)]
struct File {
    fd: OwnedFd,
    name: String,
    expected: FileIdentity,
    windows: Windows,
}

impl Maps {
    /// Those of a job and their descriptors.
    ///
    /// # Errors
    /// When there are not as many of both.
    pub fn new(files: &Files, descriptors: Vec<OwnedFd>) -> Result<Self, Fault> {
        let (named, came) = (files.files.len(), descriptors.len());
        if named != came {
            return Err(Fault::new(format!("open the files of the job: {came} of {named} descriptors came")));
        }
        let open = |(fd, file): (OwnedFd, &FileSource)| File {
            fd,
            name: file.name.clone(),
            expected: file.identity,
            windows: Windows::default(),
        };
        Ok(Self { files: descriptors.into_iter().zip(&files.files).map(open).collect() })
    }
}

/// What a file is now, to be compared with what it was.
///
/// # Errors
/// When it cannot be asked.
pub fn identity(file: impl std::os::fd::AsFd) -> std::io::Result<FileIdentity> {
    let state = map::file_state(file)?;
    Ok(FileIdentity {
        device: state.device,
        inode: state.inode,
        bytes: state.bytes,
        modified_ns: state.modified_ns,
    })
}

enum Part {
    Mapped(FileMap),
    Piece(Piece),
}

impl Deref for Part {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Piece(piece) => piece,
        }
    }
}

impl FileBytes for Maps {
    fn part(&self, file: usize, from: u64, to: u64) -> Result<Bytes, Fault> {
        let file = self.file(file)?;
        match file.part(from, to.min(file.expected.bytes))? {
            Ok(part) => Ok(Box::new(part)),
            // It was cut since the look at it.
            Err(why) if why.kind() == ErrorKind::UnexpectedEof => Err(file.changed()),
            Err(why) => Err(file.unread(&why)),
        }
    }

    fn unchanged(&self, file: usize) -> Result<(), Fault> {
        self.file(file)?.unchanged()
    }
}

impl Maps {
    fn file(&self, file: usize) -> Result<&File, Fault> {
        self.files.get(file).ok_or_else(|| Fault::new("read a file that is not the job's"))
    }
}

impl File {
    fn part(&self, from: u64, to: u64) -> Result<io::Result<Part>, Fault> {
        let length = to.saturating_sub(from);
        let small = 0 < length && length <= PIECE_BYTES;
        // Where it goes on it has just been looked at, and whoever reads it looks again afterwards.
        if !(small && self.windows.goes_on(from, to)) {
            self.unchanged()?;
        }
        if small {
            return Ok(self.windows.piece(&self.fd, self.expected.bytes, from, to).map(Part::Piece));
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        Ok(FileMap::open(&self.fd, from, length).map(Part::Mapped))
    }

    fn unchanged(&self) -> Result<(), Fault> {
        let now = identity(&self.fd).map_err(|why| self.unread(&why))?;
        if now == self.expected { Ok(()) } else { Err(self.changed()) }
    }

    fn unread(&self, why: &io::Error) -> Fault {
        Fault::new(format!("read {}: {why}", self.name))
    }

    fn changed(&self) -> Fault {
        Fault::new(format!("read {}: it was changed while the job ran", self.name))
    }
}
