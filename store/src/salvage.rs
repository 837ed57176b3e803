//! A damaged file whose rows can still be told apart: the good ones are copied to a new file, the damaged file is kept.
//!
//! Only for a file that was closed cleanly (one that was not cannot be opened without its repair), and only if the sums
//! prove that no row is missing but those that are named.

use std::fs;
use std::path::{Path, PathBuf};

use crate::contain::contained;
use crate::disk::Disk;
use crate::error::{OpenError, OpenErrorKind};
use crate::make::{builder, io, make};
use crate::open::open_file;
use crate::rows::{self, Content, FORMAT};

/// How many rows are named one by one.
const NAMED_MAX: usize = 20;

/// Puts a new file in the place of a damaged one.
///
/// # Errors
/// When that cannot be done without loss that nobody could name: the file is damaged as `why` says.
pub(crate) fn salvage(path: &Path, why: &str, notes: &mut Vec<String>) -> Result<(), OpenError> {
    let refusal =
        || OpenError { path: path.to_path_buf(), kind: OpenErrorKind::Damaged { why: why.to_owned() } };
    let disk = Disk::on_trial(open_file(path)?).map_err(io("read", path))?;
    let content = contained(|| read(&disk)).ok().flatten().filter(Content::none_missing);
    let Some(content) = content else { return Err(refusal()) };
    let kept = keep_aside(path)?;
    make(path, content.rows)?;
    notes.push(format!(
        "{} was damaged ({why}): what could be read is in a new file, the damaged one is {}",
        path.display(),
        kept.display()
    ));
    for (table, key) in content.bad.iter().take(NAMED_MAX) {
        notes.push(format!("row {key} of {} was damaged and is lost", table.name()));
    }
    if let Some(more @ 1..) = content.bad.len().checked_sub(NAMED_MAX) {
        notes.push(format!("{more} more rows were damaged and are lost"));
    }
    Ok(())
}

fn read(disk: &Disk) -> Option<Content> {
    let mut builder = builder();
    // A repair would begin with the checks that have failed.
    builder.set_repair_callback(redb::RepairSession::abort);
    let database = builder.create_with_backend(disk.clone()).ok()?;
    let format = rows::read_format(&database).ok()??;
    if format != FORMAT {
        return None;
    }
    rows::read(&database, true).ok()
}

/// A second name for the damaged file: the first is given to the new file in one step.
fn keep_aside(path: &Path) -> Result<PathBuf, OpenError> {
    let mut number = 1;
    loop {
        let kept = path.with_extension(format!("redb.damaged-{number}"));
        match fs::hard_link(path, &kept) {
            Ok(()) => return Ok(kept),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && number < 1000 => number += 1,
            Err(error) => return Err(io("keep", path)(error)),
        }
    }
}
