//! The files of a job as this process sees them: descriptors that somebody else opened, mapped part by part.

use std::io::ErrorKind;
use std::ops::Deref;
use std::os::fd::OwnedFd;

use tally_kernel::{Bytes, Fault, FileBytes};
use tally_protocol::source::{FileIdentity, Files};
use tally_sys::map::{self, FileMap};

/// Open files, in the order of their job.
#[derive(Debug)]
pub struct Maps {
    files: Vec<(OwnedFd, String, FileIdentity)>,
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
        let names = files.files.iter().map(|file| (file.name.clone(), file.identity));
        Ok(Self {
            files: descriptors.into_iter().zip(names).map(|(fd, (name, is))| (fd, name, is)).collect(),
        })
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

struct Mapped(FileMap);

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Maps {
    /// A file that is still what it was.
    fn sound(&self, file: usize) -> Result<&(OwnedFd, String, FileIdentity), Fault> {
        let Some(found) = self.files.get(file) else {
            return Err(Fault::new("read a file that is not the job's"));
        };
        let (fd, name, expected) = found;
        let now = identity(fd).map_err(|why| Fault::new(format!("read {name}: {why}")))?;
        if now == *expected { Ok(found) } else { Err(changed(name)) }
    }
}

fn changed(name: &str) -> Fault {
    Fault::new(format!("read {name}: it was changed while the job ran"))
}

impl FileBytes for Maps {
    fn part(&self, file: usize, from: u64, to: u64) -> Result<Bytes, Fault> {
        let (fd, name, expected) = self.sound(file)?;
        let to = to.min(expected.bytes);
        let length = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
        let map = FileMap::open(fd, from, length).map_err(|why| match why.kind() {
            // It was cut since the look at it.
            ErrorKind::UnexpectedEof => changed(name),
            _ => Fault::new(format!("read {name}: {why}")),
        })?;
        Ok(Box::new(Mapped(map)))
    }

    fn unchanged(&self, file: usize) -> Result<(), Fault> {
        self.sound(file).map(drop)
    }
}
