//! Opening: nothing is trusted that was not checked, and nothing is changed before all was.
//!
//! Order: the file's first bytes, the database's own checks over all its pages, the format, every row. What cannot be
//! read as a whole but row by row is [salvaged](crate::salvage); what cannot be read at all is refused.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::Database;

use crate::change::Row;
use crate::contain::contained;
use crate::disk::Disk;
use crate::error::{OpenError, OpenErrorKind};
use crate::make::{builder, io, make, make_directory};
use crate::rows::{self, Content, FORMAT};
use crate::salvage::salvage;
use crate::store::Store;

/// The name of the file in its directory.
pub const FILE_NAME: &str = "jobs.redb";

/// What was found in a store.
#[derive(Debug)]
pub struct Opened {
    /// Every row, in order of table and key.
    pub rows: Vec<Row>,
    /// What an operator should know: each a sentence without its full stop.
    pub notes: Vec<String>,
}

/// Opens the store in `directory`, and makes both if they are not there. The caller holds a lock that covers the
/// directory for as long as the store lives.
///
/// # Errors
/// When the file is not a whole store of this version. It is left as it is.
pub fn open(directory: &Path) -> Result<(Store, Opened), OpenError> {
    make_directory(directory)?;
    let path = directory.join(FILE_NAME);
    let mut notes = Vec::new();
    if let Err(error) = path.symlink_metadata() {
        if error.kind() != io::ErrorKind::NotFound {
            return Err(io("open", &path)(error));
        }
        make(&path, Vec::new())?;
    }
    let loaded = match load(&path, true) {
        Err(OpenError { kind: OpenErrorKind::Damaged { why }, path }) => {
            salvage(&path, &why, &mut notes)?;
            load(&path, true)?
        }
        other => other?,
    };
    notes.extend(loaded.notes);
    let rows = loaded.content.rows;
    let mut store =
        Store::new(path, loaded.database, loaded.disk, (loaded.content.found, loaded.content.bytes));
    store.shrink();
    Ok((store, Opened { rows, notes }))
}

/// A database that was checked and accepted.
pub(crate) struct Loaded {
    pub(crate) database: Database,
    pub(crate) disk: Disk,
    pub(crate) content: Content,
    pub(crate) notes: Vec<String>,
}

/// Opens and checks one file, and changes nothing in it unless all is right.
pub(crate) fn load(path: &Path, keep: bool) -> Result<Loaded, OpenError> {
    let file = open_file(path)?;
    let undone = Header::read(&file).map_err(io("read", path))?;
    let Some(header) = undone else { return Err(foreign(path)) };
    let disk = Disk::on_trial(file).map_err(io("read", path))?;
    let checked = contained(|| check(&disk, keep)).map_err(|panic| damaged(path, panic))?;
    let (database, format, content, repaired) = checked.map_err(|error| refused(path, &disk, error))?;
    let refusal = match (&format, &content) {
        (None, _) => Some(foreign(path)),
        (Some(format), _) if format != FORMAT => {
            let found = String::from_utf8_lossy(format).into_owned();
            Some(OpenError { path: path.to_path_buf(), kind: OpenErrorKind::Version { found } })
        }
        (Some(_), Some(content)) if content.is_whole() => None,
        (Some(_), Some(content)) if content.bad.is_empty() => {
            Some(damaged(path, "rows are missing".to_owned()))
        }
        (Some(_), _) => Some(damaged(path, "a row is not what was written".to_owned())),
    };
    let (None, Some(content)) = (refusal.as_ref(), content) else {
        // It writes when it is closed: to the trial, and from there nowhere.
        drop(contained(|| drop(database)));
        return Err(refusal.unwrap_or_else(|| foreign(path)));
    };
    disk.accept().map_err(io("write", path))?;
    let mut notes = Vec::new();
    if repaired && header.newer_unfinished {
        notes.push(format!("the last write to {} had not ended: it is undone", path.display()));
    }
    Ok(Loaded { database, disk, content, notes })
}

type Checked = (Database, Option<Vec<u8>>, Option<Content>, bool);

fn check(disk: &Disk, keep: bool) -> Result<Checked, redb::Error> {
    let repaired = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&repaired);
    let mut database = builder()
        .set_repair_callback(move |_| told.store(true, Ordering::Relaxed))
        .create_with_backend(disk.clone())?;
    let repaired = repaired.load(Ordering::Relaxed);
    // A file that was not closed has been checked by the repair.
    if !repaired && !database.check_integrity()? {
        return Err(redb::Error::Corrupted("its account of free pages is wrong".to_owned()));
    }
    let format = rows::read_format(&database)?;
    let content = match format.as_deref() {
        Some(FORMAT) => Some(rows::read(&database, keep)?),
        _ => None,
    };
    Ok((database, format, content, repaired))
}

pub(crate) fn open_file(path: &Path) -> Result<File, OpenError> {
    let found = path.symlink_metadata().map_err(io("open", path))?;
    if found.is_symlink() {
        return Err(OpenError { path: path.to_path_buf(), kind: OpenErrorKind::Link });
    }
    if !found.is_file() {
        return Err(foreign(path));
    }
    OpenOptions::new().read(true).write(true).open(path).map_err(io("open", path))
}

fn foreign(path: &Path) -> OpenError {
    OpenError { path: path.to_path_buf(), kind: OpenErrorKind::Foreign }
}

fn damaged(path: &Path, why: String) -> OpenError {
    OpenError { path: path.to_path_buf(), kind: OpenErrorKind::Damaged { why } }
}

/// An error of the database: of the system if the system had one other than "the file ends here".
fn refused(path: &Path, disk: &Disk, error: redb::Error) -> OpenError {
    match (disk.take_failure(), error) {
        (None | Some(io::ErrorKind::UnexpectedEof), redb::Error::Io(_)) => {
            damaged(path, "it is cut".to_owned())
        }
        (Some(kind), _) if kind != io::ErrorKind::UnexpectedEof => io("read", path)(kind.into()),
        (_, redb::Error::Corrupted(why)) => damaged(path, why),
        (_, redb::Error::UpgradeRequired(version)) => OpenError {
            path: path.to_path_buf(),
            kind: OpenErrorKind::Version { found: format!("file format {version}") },
        },
        (_, error) => damaged(path, error.to_string()),
    }
}

/// What is read of the database's header without the database (its design.md gives the layout).
struct Header {
    /// A commit was begun after the one that counts: it is undone by the repair.
    newer_unfinished: bool,
}

impl Header {
    const MAGIC: &[u8] = b"redb\x1A\x0A\xA9\x0D\x0A";
    const FLAGS: usize = Self::MAGIC.len();
    const FLAG_SECOND: u8 = 1;
    const FIRST_TRANSACTION: usize = 64 + 104;
    const SECOND_TRANSACTION: usize = Self::FIRST_TRANSACTION + 128;

    /// `None` if the file is no database at all.
    fn read(file: &File) -> io::Result<Option<Self>> {
        let mut bytes = [0; 320];
        match file.read_exact_at(&mut bytes, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            other => other?,
        }
        if !bytes.starts_with(Self::MAGIC) {
            return Ok(None);
        }
        let transaction = |at: usize| bytes[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let first = transaction(Self::FIRST_TRANSACTION);
        let second = transaction(Self::SECOND_TRANSACTION);
        let second_counts = bytes[Self::FLAGS] & Self::FLAG_SECOND != 0;
        Ok(Some(Self { newer_unfinished: if second_counts { first > second } else { second > first } }))
    }
}
