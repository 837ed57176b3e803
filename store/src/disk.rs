//! The bytes under the database: a file, first on trial.
//!
//! To open a database is to write to it (a mark that it is open, a repair). On trial those writes are kept in memory and
//! reads see them; only when everything was found right are they made to the file, in their order and with their syncs.
//! So a file that is refused is the same to the last bit.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

/// A file as the database sees it.
#[derive(Clone, Debug)]
pub(crate) struct Disk(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    file: File,
    trial: Mutex<Option<Trial>>,
    /// The first error of the system: the database tells the later ones in its own words.
    failure: Mutex<Option<io::ErrorKind>>,
    bytes_written: AtomicU64,
    syncs: AtomicU64,
    /// The file may not become longer than this: for tests.
    room: AtomicU64,
}

/// What would have been done to the file.
#[derive(Debug)]
struct Trial {
    len: u64,
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Write(u64, Vec<u8>),
    Resize(u64),
    Sync,
}

impl Disk {
    /// The file itself.
    pub(crate) fn direct(file: File) -> Self {
        Self::with(file, None)
    }

    /// The file, unchanged until [`accept`](Self::accept).
    pub(crate) fn on_trial(file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self::with(file, Some(Trial { len, steps: Vec::new() })))
    }

    fn with(file: File, trial: Option<Trial>) -> Self {
        Self(Arc::new(Shared {
            file,
            trial: Mutex::new(trial),
            failure: Mutex::new(None),
            bytes_written: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
            room: AtomicU64::new(u64::MAX),
        }))
    }

    /// Ends the trial: what was done in it is done to the file.
    pub(crate) fn accept(&self) -> io::Result<()> {
        let mut trial = held(&self.0.trial);
        let Some(Trial { steps, .. }) = trial.take() else { return Ok(()) };
        for step in steps {
            match step {
                Step::Write(offset, bytes) => self.write_file(offset, &bytes)?,
                Step::Resize(len) => self.resize_file(len)?,
                Step::Sync => self.sync_file()?,
            }
        }
        Ok(())
    }

    /// Whether the path leads to this very file.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        let same = |ours: Metadata, found: Metadata| (ours.dev(), ours.ino()) == (found.dev(), found.ino());
        self.0.file.metadata().is_ok_and(|ours| path.symlink_metadata().is_ok_and(|found| same(ours, found)))
    }

    /// The kind of the first failure since the last call.
    pub(crate) fn take_failure(&self) -> Option<io::ErrorKind> {
        held(&self.0.failure).take()
    }

    /// How many bytes were written to the file, and how often it was synced.
    pub(crate) fn cost(&self) -> (u64, u64) {
        (self.0.bytes_written.load(Ordering::Relaxed), self.0.syncs.load(Ordering::Relaxed))
    }

    /// How long the file may become.
    #[cfg(test)]
    pub(crate) fn room(&self) -> u64 {
        self.0.room.load(Ordering::Relaxed)
    }

    /// From now on the file may not become longer than `bytes`.
    #[cfg(test)]
    pub(crate) fn limit(&self, bytes: u64) {
        self.0.room.store(bytes, Ordering::Relaxed);
    }

    fn told<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|error| {
            held(&self.0.failure).get_or_insert(error.kind());
        })
    }

    fn write_file(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.bytes_written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.told(self.0.file.write_all_at(bytes, offset))
    }

    fn resize_file(&self, len: u64) -> io::Result<()> {
        if len > self.0.room.load(Ordering::Relaxed) {
            return self.told(Err(io::ErrorKind::StorageFull.into()));
        }
        self.told(self.0.file.set_len(len))
    }

    fn sync_file(&self) -> io::Result<()> {
        self.0.syncs.fetch_add(1, Ordering::Relaxed);
        self.told(self.0.file.sync_data())
    }
}

/// A lock that a panic left is as good as any: all that is kept behind these is whole at every step.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        match &*held(&self.0.trial) {
            Some(trial) => Ok(trial.len),
            None => Ok(self.told(self.0.file.metadata())?.len()),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match &*held(&self.0.trial) {
            Some(trial) => self.told(trial.read(&self.0.file, offset, out)),
            None => self.told(self.0.file.read_exact_at(out, offset)),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        match &mut *held(&self.0.trial) {
            Some(trial) => {
                trial.len = len;
                trial.steps.push(Step::Resize(len));
                Ok(())
            }
            None => self.resize_file(len),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        match &mut *held(&self.0.trial) {
            Some(trial) => {
                trial.steps.push(Step::Sync);
                Ok(())
            }
            None => self.sync_file(),
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        match &mut *held(&self.0.trial) {
            Some(trial) => {
                trial.len = trial.len.max(offset.saturating_add(data.len() as u64));
                trial.steps.push(Step::Write(offset, data.to_vec()));
                Ok(())
            }
            None => self.write_file(offset, data),
        }
    }

    // The file is not locked: a lock beside it covers the whole directory, and goes with its holder. A lock on the
    // file itself would live on in a process forked at the wrong moment.
    fn try_lock_range(
        &self,
        _start: std::ops::Bound<u64>,
        _end: std::ops::Bound<u64>,
    ) -> Result<bool, redb::BackendError> {
        Ok(true)
    }

    fn unlock_range(
        &self,
        _start: std::ops::Bound<u64>,
        _end: std::ops::Bound<u64>,
    ) -> Result<(), redb::BackendError> {
        Ok(())
    }
}

impl Trial {
    fn read(&self, file: &File, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(out.len() as u64).filter(|end| *end <= self.len);
        if end.is_none() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        out.fill(0);
        let mut at = 0;
        while at < out.len() {
            match file.read_at(&mut out[at..], offset + at as u64) {
                Ok(0) => break,
                Ok(read) => at += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        for step in &self.steps {
            match step {
                Step::Write(start, bytes) => lay_over(out, offset, *start, bytes),
                Step::Resize(len) => {
                    let kept = usize::try_from(len.saturating_sub(offset)).unwrap_or(usize::MAX);
                    if let Some(cut) = out.get_mut(kept..) {
                        cut.fill(0);
                    }
                }
                Step::Sync => {}
            }
        }
        Ok(())
    }
}

/// Puts `bytes`, which are at `start`, over the part of `out`, which is at `offset`, that they have in common.
fn lay_over(out: &mut [u8], offset: u64, start: u64, bytes: &[u8]) {
    let skipped = |from: u64, to: u64| usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
    let (Some(out), Some(bytes)) =
        (out.get_mut(skipped(offset, start)..), bytes.get(skipped(start, offset)..))
    else {
        return;
    };
    let common = out.len().min(bytes.len());
    out[..common].copy_from_slice(&bytes[..common]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_changes_nothing_until_it_is_accepted() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"0123456789").unwrap();
        let disk = Disk::on_trial(file.reopen().unwrap()).unwrap();
        disk.write(3, b"abc").unwrap();
        disk.set_len(5).unwrap();
        disk.set_len(8).unwrap();
        disk.write(7, b"zz").unwrap();
        disk.sync_data().unwrap();
        assert_eq!(disk.len().unwrap(), 9);
        let mut out = [0; 9];
        disk.read(0, &mut out).unwrap();
        assert_eq!(&out, b"012ab\0\0zz");
        let mut out = [0; 4];
        disk.read(4, &mut out).unwrap();
        assert_eq!(&out, b"b\0\0z");
        assert!(disk.read(6, &mut out).is_err(), "beyond the end");
        assert_eq!(std::fs::read(file.path()).unwrap(), b"0123456789");
        disk.accept().unwrap();
        assert_eq!(std::fs::read(file.path()).unwrap(), b"012ab\0\0zz");
    }
}
