//! A new file: written beside its place, synced, and only then put there, so that a store is whole from its first moment
//! and an empty file is known to be a damaged one.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use redb::Builder;

use crate::change::{Change, Row};
use crate::contain::contained;
use crate::disk::Disk;
use crate::error::{CommitError, OpenError, OpenErrorKind};
use crate::rows::{Sums, write};

/// How much of the file is kept in memory at most, in bytes.
const CACHE_BYTES_MAX: usize = 4 << 20;

pub(crate) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES_MAX);
    builder
}

/// An error of the system about a path.
pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    move |error| OpenError { path: path.to_path_buf(), kind: OpenErrorKind::Io { what, error } }
}

/// Makes the directory, for its owner only, if it is not there: for the lock that is taken before a store is
/// [opened](crate::open()).
///
/// # Errors
/// When it cannot be made.
pub fn make_directory(directory: &Path) -> Result<(), OpenError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(io("make the directory", directory))
}

/// Makes a store with these rows at `path`, which is replaced.
pub(crate) fn make(path: &Path, rows: Vec<Row>) -> Result<(), OpenError> {
    let beside = path.with_extension("redb.new");
    let result = write_beside(&beside, rows).and_then(|()| {
        fs::rename(&beside, path).map_err(io("rename to", path))?;
        sync_directory_of(path)
    });
    if result.is_err() {
        drop(fs::remove_file(&beside));
    }
    result
}

fn write_beside(beside: &Path, rows: Vec<Row>) -> Result<(), OpenError> {
    match fs::remove_file(beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io("remove", beside)(error)),
        _ => {}
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(beside)
        .map_err(io("make", beside))?;
    let synced = file.try_clone().map_err(io("make", beside))?;
    let disk = Disk::direct(file);
    let changes: Vec<Change> =
        rows.into_iter().map(|row| Change::Put(row.table, row.key, row.value)).collect();
    let written = contained(|| {
        let database = builder().create_with_backend(disk.clone())?;
        write(&database, &changes, (&mut Sums::default(), &mut 0), true)
    });
    let why = match written {
        Ok(Ok(())) => return synced.sync_all().map_err(io("sync", beside)),
        Ok(Err(error)) => error.to_string(),
        Err(panic) => panic,
    };
    let error = match CommitError::of(disk.take_failure(), why) {
        CommitError::Full => io::Error::from(io::ErrorKind::StorageFull),
        CommitError::Other(why) => io::Error::other(why),
    };
    Err(io("write", beside)(error))
}

/// A name in a directory survives a loss of power once the directory was synced.
pub(crate) fn sync_directory_of(path: &Path) -> Result<(), OpenError> {
    let directory = path.parent().unwrap_or(Path::new("."));
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(io("sync", directory))
}
