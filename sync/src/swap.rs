//! The lock of one instruction: Swap (exchange).
//!
//! Silberschatz, Galvin, Gagne: Operating System Concepts, "Synchronization Hardware": the key of the one who waits is
//! exchanged with the lock until it comes back as false. Exclusion and progress, no bounded waiting. A killed holder
//! leaves it locked for ever.

use crate::{Lock, Spin, Word};

const FREE: u32 = 0;
const HELD: u32 = 1;

/// A spin lock in one word; zero is free.
#[derive(Debug)]
pub struct SwapLock<'a, W> {
    word: &'a W,
}

impl<'a, W: Word> SwapLock<'a, W> {
    /// The lock in this word.
    pub fn new(word: &'a W) -> Self {
        Self { word }
    }
}

impl<W: Word> Lock for SwapLock<'_, W> {
    fn acquire(&self) {
        let mut spin = Spin::default();
        let mut key = HELD;
        while key == HELD {
            key = self.word.swap(key);
            if key == HELD {
                self.word.relax(&mut spin);
            }
        }
    }

    fn release(&self) {
        self.word.store(FREE);
    }
}
