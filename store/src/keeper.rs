//! The thread that owns the store, so that nobody else ever waits for a disk.
//!
//! It takes lists of changes with tickets, commits all that wait in one transaction (one wait for the disk serves many),
//! puts finished tickets into a queue and rings a bell. It logs nothing, holds nothing that others use, and asks for
//! nothing but its store and its two queues: it is a quiet thread, so the process may fork while it runs, and the child,
//! in which it does not exist, must not touch the store.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};

use tally_sys::doorbell::Doorbell;
use tally_sys::process::QuietThread;

use crate::change::Change;
use crate::error::CommitError;
use crate::store::Store;

/// Lists committed in one transaction at most.
const GROUP_MAX: usize = 1024;

/// The caller's number for a list of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What became of a list of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Which.
    pub ticket: Ticket,
    /// On the disk, or why not.
    pub result: Result<(), CommitError>,
}

/// The thread, as its owner sees it. Its descriptor polls as readable when tickets are finished. Dropping it waits for
/// the lists that were handed in.
#[derive(Debug)]
pub struct Keeper {
    inbox: Option<Sender<(Ticket, Vec<Change>)>>,
    finished: Receiver<Finished>,
    /// Handed in and not finished, in order.
    open: VecDeque<Ticket>,
    bell: Arc<Doorbell>,
    path: PathBuf,
    /// Rows in the store after the last commit; only the thread writes it.
    rows: Arc<AtomicU64>,
    thread: Option<QuietThread<Store>>,
}

impl Keeper {
    /// Starts the thread. Signals are to be blocked or handled before: it inherits that.
    ///
    /// # Errors
    /// When the system gives no thread or no descriptor.
    pub fn start(store: Store) -> io::Result<Self> {
        let bell = Arc::new(Doorbell::new()?);
        let (inbox, lists) = mpsc::channel();
        let (results, finished) = mpsc::channel();
        let rung = RungAtTheEnd(Arc::clone(&bell));
        let path = store.path().to_path_buf();
        let rows = Arc::new(AtomicU64::new(store.rows()));
        let counted = Arc::clone(&rows);
        let thread =
            QuietThread::start("tally-store", move || keep(store, &lists, results, &counted, &rung))?;
        let open = VecDeque::new();
        Ok(Self { inbox: Some(inbox), finished, open, bell, path, rows, thread: Some(thread) })
    }

    /// Hands in a list of changes. Lists are committed in this order, each whole or not at all.
    ///
    /// # Errors
    /// The list is not taken when the thread has died, which nothing that it does should bring about.
    pub fn submit(&mut self, ticket: Ticket, changes: Vec<Change>) -> Result<(), CommitError> {
        self.inbox.as_ref().ok_or_else(gone)?.send((ticket, changes)).map_err(|_| gone())?;
        self.open.push_back(ticket);
        Ok(())
    }

    /// The store's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many rows the store holds; a commit that is under way may not be counted yet.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// How many lists were handed in and not taken back.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Takes the tickets finished since the last call, in order; all that are open if the thread died. Never waits.
    ///
    /// # Errors
    /// The bell's, which should not fail.
    pub fn finished(&mut self) -> io::Result<Vec<Finished>> {
        // Before the queue is read: a ring for what comes after is kept.
        self.bell.answer()?;
        Ok(self.take())
    }

    fn take(&mut self) -> Vec<Finished> {
        let mut taken = Vec::new();
        loop {
            match self.finished.try_recv() {
                Ok(finished) => {
                    self.open.pop_front();
                    taken.push(finished);
                }
                Err(TryRecvError::Empty) => return taken,
                Err(TryRecvError::Disconnected) => {
                    let lost = self.open.drain(..).map(|ticket| Finished { ticket, result: Err(gone()) });
                    taken.extend(lost);
                    return taken;
                }
            }
        }
    }

    /// Lets the thread be, in a process that is about to end: nobody waits for a disk that does not answer.
    pub fn abandon(mut self) {
        drop(self.thread.take());
    }

    /// Waits until all that was handed in is finished, and gives the store back with the tickets not yet taken. `None`
    /// for the store if the thread died.
    pub fn end(mut self) -> (Option<Store>, Vec<Finished>) {
        let store = self.join();
        let finished = self.take();
        (store, finished)
    }

    fn join(&mut self) -> Option<Store> {
        self.inbox = None;
        self.thread.take()?.join()
    }
}

impl AsFd for Keeper {
    fn as_fd(&self) -> BorrowedFd<'_> {
        (*self.bell).as_fd()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.join());
    }
}

fn gone() -> CommitError {
    CommitError::Other("its thread has ended".to_owned())
}

/// Whatever ends the thread, its owner hears of it.
#[derive(Debug)]
struct RungAtTheEnd(Arc<Doorbell>);

impl Drop for RungAtTheEnd {
    fn drop(&mut self) {
        drop(self.0.ring());
    }
}

/// The life of the thread: until nobody can hand anything in and nothing waits.
fn keep(
    mut store: Store,
    lists: &Receiver<(Ticket, Vec<Change>)>,
    results: Sender<Finished>,
    rows: &AtomicU64,
    bell: &RungAtTheEnd,
) -> Store {
    let mut group = Vec::new();
    while let Ok(first) = lists.recv() {
        group.push(first);
        group.extend(lists.try_iter().take(GROUP_MAX - 1));
        let changes: Vec<&[Change]> = group.iter().map(|(_, changes)| changes.as_slice()).collect();
        let result = store.commit_all(&changes);
        rows.store(store.rows(), Ordering::Relaxed);
        for (ticket, _) in group.drain(..) {
            // The owner may be gone already; the changes are made all the same.
            drop(results.send(Finished { ticket, result: result.clone() }));
        }
        // A bell that cannot be rung has no listener.
        drop(bell.0.ring());
        store.shrink();
    }
    // Before the bell rings for the last time.
    drop(results);
    store
}
