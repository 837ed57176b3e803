//! Many readers or one writer.
//!
//! P. J. Courtois, F. Heymans, D. L. Parnas: Concurrent Control with "Readers" and "Writers" (1971), the second problem:
//! once a writer waits no new reader goes in, so that readers cannot starve writers. As a monitor. A killed reader or
//! writer stays inside for ever.

use crate::{Condition, Lock, Monitor, Word};

/// A readers-writer lock in five words, all zero when free.
#[derive(Debug)]
pub struct ReadWriteLock<'a, W> {
    monitor: Monitor<'a, W>,
    changed: Condition<'a, W>,
    readers: &'a W,
    writing: &'a W,
    writers_waiting: &'a W,
}

impl<'a, W: Word> ReadWriteLock<'a, W> {
    /// The words it needs.
    pub const WORDS: usize = 5;

    /// The lock in these words.
    pub fn new(words: &'a [W; 5]) -> Self {
        let [lock, changed, readers, writing, writers_waiting] = words;
        Self {
            monitor: Monitor::new(lock),
            changed: Condition::new(changed),
            readers,
            writing,
            writers_waiting,
        }
    }

    /// Goes in to read, with others who read.
    pub fn acquire_shared(&self) {
        self.monitor.with(|| {
            self.monitor
                .wait_until(&self.changed, || self.writing.load() == 0 && self.writers_waiting.load() == 0);
            self.readers.add(1);
        });
    }

    /// Done reading.
    pub fn release_shared(&self) {
        self.monitor.with(|| {
            if self.readers.add(1_u32.wrapping_neg()) == 1 {
                self.changed.broadcast();
            }
        });
    }
}

/// To write, alone.
impl<W: Word> Lock for ReadWriteLock<'_, W> {
    fn acquire(&self) {
        self.monitor.with(|| {
            self.writers_waiting.add(1);
            self.monitor.wait_until(&self.changed, || self.writing.load() == 0 && self.readers.load() == 0);
            self.writers_waiting.add(1_u32.wrapping_neg());
            self.writing.store(1);
        });
    }

    fn release(&self) {
        self.monitor.with(|| {
            self.writing.store(0);
            self.changed.broadcast();
        });
    }
}
