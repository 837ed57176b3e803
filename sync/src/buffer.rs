//! The bounded buffer between producers and consumers: once with semaphores, once as a monitor.
//!
//! Silberschatz, Galvin, Gagne: Operating System Concepts, "The Bounded-Buffer Problem" and "Monitors". Items are words.
//! A process that is killed inside leaves it locked for ever. With semaphores, one that is killed on its way in or out takes
//! along the permit it has in hand: there is one place less from then on. A monitor has nothing that could be lost so.

use std::fmt;

use crate::{Condition, Lock, Monitor, Semaphore, Word};

/// The indices in the shared words cannot be: somebody has written over them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("use a buffer that was overwritten")
    }
}

impl std::error::Error for Corrupt {}

/// A circle of places, and where the next item goes in and comes out.
#[derive(Debug)]
struct Circle<'a, W> {
    places: &'a [W],
    put: &'a W,
    get: &'a W,
}

impl<W: Word> Circle<'_, W> {
    fn step(&self, index: &W) -> Result<&W, Corrupt> {
        let at = index.load();
        let place = usize::try_from(at).ok().and_then(|at| self.places.get(at)).ok_or(Corrupt)?;
        let next = at + 1;
        index.store(if usize::try_from(next) == Ok(self.places.len()) { 0 } else { next });
        Ok(place)
    }

    fn push(&self, item: u32) -> Result<(), Corrupt> {
        self.step(self.put)?.store(item);
        Ok(())
    }

    fn pop(&self) -> Result<u32, Corrupt> {
        Ok(self.step(self.get)?.load())
    }
}

/// With semaphores: one counts the free places, one the items, one is the lock.
#[derive(Debug)]
pub struct SemaphoreBuffer<'a, W> {
    circle: Circle<'a, W>,
    free: Semaphore<'a, W>,
    full: Semaphore<'a, W>,
    lock: Semaphore<'a, W>,
}

impl<'a, W: Word> SemaphoreBuffer<'a, W> {
    /// The words it needs besides its places.
    pub const WORDS: usize = 8;

    /// The buffer in these words. The one who makes it calls [`Self::init`] before the others come.
    pub fn new(words: &'a [W; 8], places: &'a [W]) -> Self {
        let [put, get, free, free_sleepers, full, full_sleepers, lock, lock_sleepers] = words;
        Self {
            circle: Circle { places, put, get },
            free: Semaphore::new(free, free_sleepers),
            full: Semaphore::new(full, full_sleepers),
            lock: Semaphore::new(lock, lock_sleepers),
        }
    }

    /// Gives the semaphores their first permits, in words that were zero.
    pub fn init(&self) {
        for _ in self.circle.places {
            self.free.give();
        }
        self.lock.give();
    }

    /// Waits for a free place and puts an item there.
    ///
    /// # Errors
    /// When the buffer was overwritten.
    pub fn put(&self, item: u32) -> Result<(), Corrupt> {
        self.free.take(None);
        self.lock.with(|| self.circle.push(item))?;
        self.full.give();
        Ok(())
    }

    /// Waits for an item and takes it.
    ///
    /// # Errors
    /// When the buffer was overwritten.
    pub fn get(&self) -> Result<u32, Corrupt> {
        self.full.take(None);
        let item = self.lock.with(|| self.circle.pop())?;
        self.free.give();
        Ok(item)
    }
}

/// As a monitor: a count under the lock, and the conditions "not full" and "not empty".
#[derive(Debug)]
pub struct MonitorBuffer<'a, W> {
    circle: Circle<'a, W>,
    count: &'a W,
    monitor: Monitor<'a, W>,
    not_full: Condition<'a, W>,
    not_empty: Condition<'a, W>,
}

impl<'a, W: Word> MonitorBuffer<'a, W> {
    /// The words it needs besides its places.
    pub const WORDS: usize = 6;

    /// The buffer in these words, all zero when empty.
    pub fn new(words: &'a [W; 6], places: &'a [W]) -> Self {
        let [put, get, count, lock, not_full, not_empty] = words;
        Self {
            circle: Circle { places, put, get },
            count,
            monitor: Monitor::new(lock),
            not_full: Condition::new(not_full),
            not_empty: Condition::new(not_empty),
        }
    }

    /// Waits for a free place and puts an item there.
    ///
    /// # Errors
    /// When the buffer was overwritten.
    pub fn put(&self, item: u32) -> Result<(), Corrupt> {
        let size = u32::try_from(self.circle.places.len()).map_err(|_| Corrupt)?;
        self.monitor.with(|| {
            self.monitor.wait_until(&self.not_full, || self.count.load() < size);
            self.circle.push(item)?;
            self.count.add(1);
            self.not_empty.signal();
            Ok(())
        })
    }

    /// Waits for an item and takes it.
    ///
    /// # Errors
    /// When the buffer was overwritten.
    pub fn get(&self) -> Result<u32, Corrupt> {
        self.monitor.with(|| {
            self.monitor.wait_until(&self.not_empty, || self.count.load() > 0);
            let item = self.circle.pop()?;
            self.count.add(1_u32.wrapping_neg());
            self.not_full.signal();
            Ok(item)
        })
    }
}
