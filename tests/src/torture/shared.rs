//! What all threads of a round see: whether it goes on, whom the daemon's troubles excuse, what was counted, what is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One round's common ground.
#[derive(Debug, Default)]
pub(super) struct Shared {
    quiet: AtomicBool,
    /// Odd while there is no daemon; it rises when one is struck and when the next one listens.
    weather: AtomicU64,
    counts: Mutex<BTreeMap<String, u64>>,
    wrong: Mutex<Vec<String>>,
    /// Client processes that live, and those of them that were struck.
    clients: Mutex<Clients>,
    /// Every grant of a lock that was given back in order.
    pub(super) grants: Mutex<Vec<Grant>>,
}

#[derive(Debug, Default)]
struct Clients {
    alive: Vec<u32>,
    struck: BTreeSet<u32>,
}

/// Somebody had a lock, and knows that it was so until it asked to give it back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grant {
    /// Its number.
    pub(super) fence: u64,
    /// When it was told.
    pub(super) from_ns: u64,
    /// When it asked to give it back, which was answered.
    pub(super) to_ns: u64,
}

/// A lock that a thread which panicked held is as good as any: the panic is told anyway.
pub(super) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Whether nobody is to be struck any more.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet.load(Ordering::SeqCst)
    }

    /// All clients have what they wanted: nobody is struck from here on.
    pub(super) fn quiet(&self) {
        self.quiet.store(true, Ordering::SeqCst);
    }

    /// Counts one.
    pub(super) fn count(&self, what: &str) {
        self.count_many(what, 1);
    }

    /// Counts so many.
    pub(super) fn count_many(&self, what: &str, many: u64) {
        *held(&self.counts).entry(what.to_owned()).or_default() += many;
    }

    /// Something is not as it must be.
    pub(super) fn wrong(&self, story: String) {
        held(&self.wrong).push(story);
    }

    /// What was counted, and what is wrong.
    pub(super) fn results(&self) -> (BTreeMap<String, u64>, Vec<String>) {
        (held(&self.counts).clone(), held(&self.wrong).clone())
    }

    /// The daemon is about to be struck, or has ended.
    pub(super) fn storm(&self) {
        self.weather.fetch_or(1, Ordering::SeqCst);
    }

    /// A daemon listens.
    pub(super) fn calm(&self) {
        let change = |weather: u64| (weather % 2 == 1).then_some(weather + 1);
        // Without a storm before it there is nothing to change.
        self.weather.fetch_update(Ordering::SeqCst, Ordering::SeqCst, change).ok();
    }

    /// To be compared later: whether a daemon was struck or away since.
    pub(super) fn weather(&self) -> u64 {
        self.weather.load(Ordering::SeqCst)
    }

    /// Waits a little for a daemon: a command that finds none ends at once.
    pub(super) fn await_calm(&self) {
        for _ in 0..500 {
            if self.weather().is_multiple_of(2) {
                return;
            }
            super::talk::pause(2);
        }
    }

    /// Whether the daemon was there and unharmed all the time since.
    pub(super) fn was_calm_since(&self, weather: u64) -> bool {
        weather.is_multiple_of(2) && self.weather() == weather
    }

    /// A client process lives from here on.
    pub(super) fn came(&self, pid: u32) {
        held(&self.clients).alive.push(pid);
    }

    /// It has ended; whether it was struck.
    pub(super) fn went(&self, pid: u32) -> bool {
        let mut clients = held(&self.clients);
        clients.alive.retain(|one| *one != pid);
        clients.struck.remove(&pid)
    }

    /// Client processes that live.
    pub(super) fn clients(&self) -> Vec<u32> {
        held(&self.clients).alive.clone()
    }

    /// Strikes a client while nobody takes it out of the list; whether it was there.
    pub(super) fn strike_client(&self, pid: u32, excuses: bool, blow: impl FnOnce() -> bool) -> bool {
        let mut clients = held(&self.clients);
        let hit = clients.alive.contains(&pid) && blow();
        if hit && excuses {
            clients.struck.insert(pid);
        }
        hit
    }

    /// The supervisor or a worker of a private command was struck: its command may fail.
    pub(super) fn excuse(&self, pid: u32) {
        let mut clients = held(&self.clients);
        if clients.alive.contains(&pid) {
            clients.struck.insert(pid);
        }
    }
}
