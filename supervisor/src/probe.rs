//! Whether a daemon that started now could keep jobs: for `tally self-test`.
//!
//! It changes nothing that a daemon has: what is there is checked in a copy, and a new store is tried beside it, in a
//! directory that is removed again. A store that a daemon holds is left alone.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use tally_store::{Change, FILE_NAME, OpenError, OpenErrorKind, Table};
use tally_sys::{lockfile, process, room};

use crate::books::LOCK_NAME;
use crate::config::StateDir;

/// A larger store is not copied to be checked, in bytes.
const COPY_BYTES_MAX: u64 = 256 << 20;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreProbe {
    /// Where jobs would be kept; `None` for nowhere.
    pub directory: Option<PathBuf>,
    /// Bytes of the file that is there.
    pub bytes: Option<u64>,
    /// Records in it.
    pub rows: Option<u64>,
    /// Bytes that this user may still write there.
    pub free_bytes: Option<u64>,
    /// The process that has it open.
    pub held_by: Option<u32>,
    /// What an operator should know.
    pub notes: Vec<String>,
    /// What is wrong, as it reads after "could not", and what to do about it.
    pub fault: Option<(String, String)>,
}

/// Looks at the store that this setting names, and tries one beside it.
#[must_use]
pub fn probe_store(setting: &StateDir) -> StoreProbe {
    let mut probe = StoreProbe::default();
    match setting.directory(process::own_uid() == 0, |name| std::env::var_os(name)) {
        Ok(None) => return probe,
        Ok(Some(directory)) => probe.directory = Some(directory),
        Err(why) => probe.fault = Some((why.to_owned(), "set HOME, or state_dir".to_owned())),
    }
    let Some(directory) = probe.directory.clone() else { return probe };
    match lockfile::holder(&directory.join(LOCK_NAME)) {
        Ok(Some(pid)) => probe.held_by = Some(pid),
        Ok(None) => {
            if let Err(fault) = try_out(&directory, &mut probe) {
                probe.fault = Some(fault);
            }
        }
        Err(why) => {
            let error = OpenError {
                path: directory.clone(),
                kind: OpenErrorKind::Io { what: "look into", error: why },
            };
            probe.fault = Some(fault(&error));
        }
    }
    let there = directory.ancestors().find(|path| path.exists());
    probe.free_bytes = there.and_then(|path| room::at(path).ok()).map(|room| room.free);
    probe
}

fn fault(error: &OpenError) -> (String, String) {
    (error.to_string(), error.hint().to_owned())
}

/// A directory of the probe's own, removed when dropped.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn try_out(directory: &Path, probe: &mut StoreProbe) -> Result<(), (String, String)> {
    let io = |what: &'static str, path: &Path| {
        let path = path.to_path_buf();
        move |error: io::Error| fault(&OpenError { path, kind: OpenErrorKind::Io { what, error } })
    };
    // The daemon would make what is missing.
    let there = directory.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/"));
    let scratch = there.join(format!(".tally-self-test-{}", process::own_pid().raw()));
    DirBuilder::new().mode(0o700).create(&scratch).map_err(io("write to", there))?;
    let scratch = Scratch(scratch);

    let file = directory.join(FILE_NAME);
    match file.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(io("open", &file)(error)),
        Ok(found) => {
            if !found.is_file() {
                let kind = if found.is_symlink() { OpenErrorKind::Link } else { OpenErrorKind::Foreign };
                return Err(fault(&OpenError { path: file, kind }));
            }
            probe.bytes = Some(found.len());
            fs::OpenOptions::new().read(true).write(true).open(&file).map_err(io("open", &file))?;
            if found.len() <= COPY_BYTES_MAX {
                check_copy(&file, &scratch.0, probe)?;
            } else {
                probe.notes.push(format!("{} is large: its records were not checked", file.display()));
            }
        }
    }

    let fresh = scratch.0.join("new");
    let row = |store: &tally_store::Opened| store.rows.iter().any(|row| row.value == b"self-test");
    let (mut store, _) = tally_store::open(&fresh).map_err(|error| fault(&error))?;
    store.commit(&[Change::Put(Table::Jobs, 1, b"self-test".to_vec())]).map_err(|error| {
        (error.to_string(), format!("make room in {}, or name another state_dir", there.display()))
    })?;
    drop(store);
    let (_, opened) = tally_store::open(&fresh).map_err(|error| fault(&error))?;
    if row(&opened) {
        Ok(())
    } else {
        Err(("read back what was written".to_owned(), "look at the disk".to_owned()))
    }
}

/// Reads every record of a copy, as a daemon would of the file itself.
fn check_copy(file: &Path, scratch: &Path, probe: &mut StoreProbe) -> Result<(), (String, String)> {
    let copy = scratch.join("copy");
    // Names of the copy would lead nobody anywhere.
    let renamed =
        |text: String| text.replace(&copy.join(FILE_NAME).display().to_string(), &file.display().to_string());
    let copied =
        DirBuilder::new().mode(0o700).create(&copy).and_then(|()| fs::copy(file, copy.join(FILE_NAME)));
    copied.map_err(|error| {
        fault(&OpenError { path: file.to_path_buf(), kind: OpenErrorKind::Io { what: "copy", error } })
    })?;
    let (_, opened) = tally_store::open(&copy).map_err(|error| {
        let (what, hint) = fault(&error);
        (renamed(what), hint)
    })?;
    probe.rows = u64::try_from(opened.rows.len()).ok();
    probe.notes.extend(opened.notes.into_iter().map(renamed));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &Path) -> StoreProbe {
        probe_store(&StateDir::At(path.to_path_buf()))
    }

    fn place(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("tally-probe-{name}-{}", process::own_pid().raw()));
        fs::create_dir(&path).unwrap();
        Scratch(path)
    }

    #[test]
    fn nothing_stays_behind_and_nothing_is_made() {
        let place = place("none");
        let directory = place.0.join("state");
        let probe = at(&directory);
        assert_eq!((probe.fault, probe.rows, probe.held_by), (None, None, None));
        assert!(probe.free_bytes.is_some_and(|bytes| bytes > 0));
        assert_eq!(fs::read_dir(&place.0).unwrap().count(), 0);
        assert_eq!(probe_store(&StateDir::None), StoreProbe::default());
    }

    #[test]
    fn a_store_is_read_and_left_as_it_is() {
        let place = place("whole");
        let (mut store, _) = tally_store::open(&place.0).unwrap();
        store.commit(&[Change::Put(Table::Jobs, 1, vec![1; 64])]).unwrap();
        drop(store);
        let file = place.0.join(FILE_NAME);
        let before = fs::read(&file).unwrap();
        let probe = at(&place.0);
        assert_eq!((probe.rows, probe.fault), (Some(1), None));
        assert_eq!(fs::read(&file).unwrap(), before);
        fs::write(&file, b"something else").unwrap();
        let (what, hint) = at(&place.0).fault.unwrap();
        assert_eq!(what, format!("open {}: it is not a store of tally", file.display()));
        assert!(hint.contains("move it away"), "{hint}");
        assert_eq!(fs::read(&file).unwrap(), b"something else");
        assert_eq!(fs::read_dir(&place.0).unwrap().count(), 1);
    }

    #[test]
    fn a_store_that_is_held_is_left_alone() {
        let place = place("held");
        let lock = lockfile::LockFile::acquire(place.0.join(LOCK_NAME)).unwrap();
        let probe = at(&place.0);
        assert_eq!(probe.held_by, u32::try_from(process::own_pid().raw()).ok());
        drop(lock);
        assert_eq!(at(&place.0).held_by, None);
    }
}
