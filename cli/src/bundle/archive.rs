//! The archive itself: a tar of texts, packed by gzip, for its owner's eyes only.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use tally_protocol::error::{ErrorCode, Failure};

use super::Member;
use crate::place::unwritten;
use crate::show::number::moment;

/// Rights of the archive and of what is in it.
const MODE: u32 = 0o600;

/// An archive that is being made. One that was not filled is removed.
#[derive(Debug)]
pub(super) struct File {
    file: fs::File,
    /// Where it is made.
    made_at: PathBuf,
    /// Where it goes when it is whole; the same unless another is replaced.
    path: PathBuf,
    whole: bool,
}

impl File {
    /// Makes it, in its place or beside the one that is to be replaced.
    ///
    /// # Errors
    /// There is one already, or it cannot be made.
    pub(super) fn make(path: &Path, force: bool) -> Result<Self, Failure> {
        let made_at = if force {
            let mut beside = path.as_os_str().to_owned();
            beside.push(format!(".{}", tally_sys::process::own_pid().raw()));
            PathBuf::from(beside)
        } else {
            path.to_path_buf()
        };
        let file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&made_at);
        let file = file.map_err(|why| match why.kind() {
            io::ErrorKind::AlreadyExists => {
                let message = format!("could not write {}: it is there already", path.display());
                Failure::new(ErrorCode::BadUsage, message)
                    .hint("replace it with --force, or name another with --output")
            }
            _ => unwritten(path, &why),
        })?;
        Ok(Self { file, made_at, path: path.to_path_buf(), whole: false })
    }

    /// Writes all members and returns the archive's bytes.
    ///
    /// # Errors
    /// It cannot be written; then nothing of it stays.
    pub(super) fn fill(mut self, members: &[Member], wall_s: u64) -> Result<u64, Failure> {
        let filled = pack(&self.file, members, wall_s)
            .and_then(|()| self.file.sync_all())
            .and_then(|()| fs::rename(&self.made_at, &self.path));
        filled.map_err(|why| unwritten(&self.path, &why))?;
        self.whole = true;
        Ok(self.file.metadata().map_or(0, |found| found.len()))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        if !self.whole {
            drop(fs::remove_file(&self.made_at));
        }
    }
}

fn pack(file: &fs::File, members: &[Member], wall_s: u64) -> io::Result<()> {
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::default()));
    for member in members {
        let bytes = member.text.as_bytes();
        let mut header = tar::Header::new_ustar();
        header.set_size(u64::try_from(bytes.len()).unwrap_or(0));
        header.set_mode(MODE);
        header.set_mtime(wall_s);
        archive.append_data(&mut header, Path::new("tally-debug").join(member.name), bytes)?;
    }
    archive.into_inner()?.finish()?.flush()
}

/// A moment as it stands in a file's name: `20261128-175049`, in UTC.
pub(super) fn stamp(wall_s: u64) -> String {
    let moment = moment(wall_s);
    moment.chars().filter(|letter| !"-:".contains(*letter)).collect::<String>().replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_dates() {
        assert_eq!(stamp(0), "19700101-000000");
        assert_eq!(stamp(951_782_399), "20000228-235959");
        assert_eq!(stamp(951_782_400), "20000229-000000");
        assert_eq!(stamp(1_795_888_323), "20261128-175203");
    }
}
