//! The store of a daemon: opened under a lock of its own, told what the machine records, listened to.
//!
//! Nothing here waits for a disk but the opening and the closing, and nothing is decided: what is written is the machine's
//! affair, and so is what a refusal means.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use tally_machine::Event;
use tally_machine::action::Ticket;
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::record::{Change, Saved, Table};
use tally_protocol::view::StoreView;
use tally_store::{CommitError, Finished, Keeper, OpenErrorKind, Store};
use tally_sys::lockfile::{AcquireError, LockFile};
use tally_sys::poll::Interest;
use tally_sys::{clock, process};

use crate::config::StateDir;
use crate::daemon::failed;
use crate::token::Token;
use crate::turn::Supervisor;

/// The lock beside the store's file. Liveness is this lock, whatever socket the daemon has.
pub(crate) const LOCK_NAME: &str = "lock";

/// How long a failure that is over is shown: a day.
const FAILURE_KEPT_MS: u64 = 86_400_000;

/// A store that was opened and has no thread yet.
#[derive(Debug)]
pub(crate) struct OpenedBooks {
    lock: LockFile,
    store: Store,
    saved: Saved,
}

/// A store at work.
#[derive(Debug)]
pub(crate) struct Books {
    keeper: Keeper,
    lock: LockFile,
    /// It refused the last record.
    refusing: bool,
    /// Why it last refused one, and when, in Unix milliseconds.
    last_failure: Option<(String, u64)>,
}

impl OpenedBooks {
    /// Opens the store that the configuration names; `None` if it names none. The log tells what was found.
    ///
    /// # Errors
    /// When another daemon has it, or the file is not to be used.
    pub(crate) fn open(setting: &StateDir) -> Result<Option<Self>, Failure> {
        let directory = match setting.directory(process::own_uid() == 0, |name| std::env::var_os(name)) {
            Ok(Some(directory)) => directory,
            Ok(None) => {
                tracing::info!("detached jobs end with this daemon: state_dir is \"none\"");
                return Ok(None);
            }
            Err(why) => {
                tracing::warn!("detached jobs end with this daemon: could not {why}");
                return Ok(None);
            }
        };
        tally_store::make_directory(&directory).map_err(refused)?;
        for path in [directory.clone(), directory.join(tally_store::FILE_NAME)] {
            if let Some(who) = who_else_writes(&path) {
                tracing::warn!(
                    "{} can be changed by {who}: it should be this daemon's alone",
                    path.display()
                );
            }
        }
        let lock = LockFile::acquire(directory.join(LOCK_NAME)).map_err(held)?;
        let opened = tally_store::open(&directory).map_err(refused);
        let (store, opened) = match opened {
            Ok(opened) => opened,
            Err(failure) => {
                remove(lock);
                return Err(failure);
            }
        };
        for note in &opened.notes {
            tracing::warn!("{note}");
        }
        let saved = Saved::read(opened.rows.into_iter().map(|row| (table_of(row.table), row.key, row.value)));
        for problem in &saved.problems {
            tracing::warn!("{problem}");
        }
        let ended = saved.jobs.iter().filter(|job| job.ended.is_some()).count();
        let open = saved.jobs.len() - ended;
        tracing::info!("detached jobs are kept in {}: {open} open, {ended} ended", directory.display());
        Ok(Some(Self { lock, store, saved }))
    }

    /// What was in it, and the rest.
    pub(crate) fn parts(self) -> (Saved, (LockFile, Store)) {
        (self.saved, (self.lock, self.store))
    }
}

/// Who but root and this process's user may change a file or a directory.
fn who_else_writes(path: &Path) -> Option<String> {
    let found = path.metadata().ok()?;
    if found.uid() != 0 && found.uid() != process::own_uid() {
        return Some(format!("user {}", found.uid()));
    }
    (found.mode() & 0o022 != 0).then(|| "others".to_owned())
}

impl Supervisor {
    /// Gives the store its thread. After the signals are set up: the thread is to be in nobody's way.
    pub(crate) fn keep_books(&mut self, lock: LockFile, store: Store) -> io::Result<()> {
        let keeper = Keeper::start(store)?;
        self.poll.watch(&keeper, Token::Store.key(), Interest::READ)?;
        self.books = Some(Books { keeper, lock, refusing: false, last_failure: None });
        Ok(())
    }

    /// Hands changes to the store's thread.
    pub(crate) fn record(&mut self, ticket: Ticket, changes: Vec<Change>) {
        let result = match &mut self.books {
            Some(books) => {
                let changes = changes.into_iter().map(change).collect();
                books.keeper.submit(tally_store::Ticket(ticket.0), changes)
            }
            None => Err(CommitError::Other("there is no store".to_owned())),
        };
        if let Err(why) = result {
            self.events.push_back(Event::NotRecorded { ticket, why: why.reason() });
        }
    }

    /// The store's thread has finished something.
    pub(crate) fn gather_store(&mut self) {
        let Some(books) = &mut self.books else { return };
        let finished = match books.keeper.finished() {
            Ok(finished) => finished,
            Err(why) => return tracing::error!("could not hear from the store: {why}"),
        };
        for Finished { ticket, result } in finished {
            let ticket = Ticket(ticket.0);
            let event = match result {
                Ok(()) => {
                    if std::mem::take(&mut books.refusing) {
                        tracing::info!("the store takes records again");
                    }
                    Event::Recorded { ticket }
                }
                Err(why) => {
                    if !std::mem::replace(&mut books.refusing, true) {
                        tracing::warn!("could not {why}; detached jobs are refused until it can be written");
                    }
                    let why = why.reason();
                    books.last_failure = Some((why.clone(), clock::wall_ms()));
                    Event::NotRecorded { ticket, why }
                }
            };
            self.events.push_back(event);
        }
    }

    /// The store as people see it; `None` if there is none.
    pub(crate) fn store_view(&self) -> Option<StoreView> {
        let Books { keeper, last_failure, refusing, .. } = self.books.as_ref()?;
        let now_ms = clock::wall_ms();
        let failure = last_failure.as_ref().map(|(why, at_ms)| (why, *at_ms, now_ms.saturating_sub(*at_ms)));
        let failure = failure.filter(|&(_, _, ago_ms)| *refusing || ago_ms < FAILURE_KEPT_MS);
        Some(StoreView {
            path: keeper.path().display().to_string(),
            bytes: keeper.path().metadata().ok().map(|found| found.len()),
            rows: Some(keeper.rows()),
            last_failure: failure.map(|(why, _, _)| why.clone()),
            last_failure_at_ms: failure.map(|(_, at_ms, _)| at_ms),
            last_failure_ago_ms: failure.map(|(_, _, ago_ms)| ago_ms),
        })
    }

    /// The last of the store: everything handed in is on the disk, or the machine did not want to wait.
    pub(crate) fn close_books(&mut self) {
        let Some(Books { keeper, lock, .. }) = self.books.take() else { return };
        if keeper.open() > 0 {
            tracing::warn!("ended without waiting for the store");
            keeper.abandon();
            // The thread may still write: the lock goes with the process.
            std::mem::forget(lock);
            return;
        }
        let (store, _) = keeper.end();
        drop(store);
        remove(lock);
    }
}

fn remove(lock: LockFile) {
    let path = lock.path().to_path_buf();
    if let Err(why) = lock.remove() {
        tracing::warn!("could not remove {}: {why}", path.display());
    }
}

fn refused(error: tally_store::OpenError) -> Failure {
    let hint = error.hint();
    let code = match &error.kind {
        OpenErrorKind::Io { error, .. } if error.kind() == io::ErrorKind::PermissionDenied => {
            ErrorCode::NotPermitted
        }
        _ => ErrorCode::StoreFailed,
    };
    Failure::new(code, format!("could not {error}")).hint(hint)
}

fn held(error: AcquireError) -> Failure {
    match error {
        AcquireError::Held { path, pid } => {
            let who = pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
            let directory = path.parent().map(PathBuf::from).unwrap_or_default();
            Failure::new(
                ErrorCode::System,
                format!("could not keep jobs in {}: {who} does ({})", directory.display(), path.display()),
            )
            .hint("two daemons cannot share a state directory; name another with --state-dir")
        }
        AcquireError::Io { path, error } => failed(&format!("lock {}", path.display()), &error),
    }
}

/// The store has words of its own, as it knows nothing of jobs.
fn change(change: Change) -> tally_store::Change {
    match change {
        Change::Put(table, key, value) => tally_store::Change::Put(stored(table), key, value),
        Change::Delete(table, key) => tally_store::Change::Delete(stored(table), key),
    }
}

fn stored(table: Table) -> tally_store::Table {
    match table {
        Table::Meta => tally_store::Table::Meta,
        Table::Jobs => tally_store::Table::Jobs,
        Table::Progress => tally_store::Table::Progress,
        Table::Outcomes => tally_store::Table::Outcomes,
        Table::Objects => tally_store::Table::Objects,
    }
}

fn table_of(table: tally_store::Table) -> Table {
    match table {
        tally_store::Table::Meta => Table::Meta,
        tally_store::Table::Jobs => Table::Jobs,
        tally_store::Table::Progress => Table::Progress,
        tally_store::Table::Outcomes => Table::Outcomes,
        tally_store::Table::Objects => Table::Objects,
    }
}
