//! The lock of one instruction: TestAndSet.
//!
//! Silberschatz, Galvin, Gagne: Operating System Concepts, "Synchronization Hardware". Exclusion and progress, no
//! bounded waiting: whoever happens to look first gets it, and one may never happen to. It burns the processor while it
//! waits. A killed holder leaves it locked for ever.

use crate::{Lock, Spin, Word};

const FREE: u32 = 0;
const HELD: u32 = 1;

/// A spin lock in one word; zero is free.
#[derive(Debug)]
pub struct TestAndSetLock<'a, W> {
    word: &'a W,
}

impl<'a, W: Word> TestAndSetLock<'a, W> {
    /// The lock in this word.
    pub fn new(word: &'a W) -> Self {
        Self { word }
    }

    /// Takes it if it is free; whether it was.
    pub fn try_acquire(&self) -> bool {
        self.word.swap(HELD) == FREE
    }
}

impl<W: Word> Lock for TestAndSetLock<'_, W> {
    fn acquire(&self) {
        let mut spin = Spin::default();
        while !self.try_acquire() {
            // Looking is cheaper than trying: it does not take the cache line from the holder.
            while self.word.load() == HELD {
                self.word.relax(&mut spin);
            }
        }
    }

    fn release(&self) {
        self.word.store(FREE);
    }
}
