//! The lock of one instruction: compare-and-swap, with the holder's name in the word.
//!
//! M. Herlihy: Wait-Free Synchronization (1991), for what the instruction can do that TestAndSet cannot. Exclusion and
//! progress, no bounded waiting. A killed holder leaves it locked for ever, but everybody can see who it was.

use crate::{Lock, Spin, Word};

const FREE: u32 = 0;

/// A spin lock in one word; zero is free, anything else is the name of the holder.
#[derive(Debug)]
pub struct CompareAndSwapLock<'a, W> {
    word: &'a W,
    me: u32,
}

impl<'a, W: Word> CompareAndSwapLock<'a, W> {
    /// The lock in this word, for the one who is called `me` (a process id, say). Zero is nobody and is taken for 1.
    pub fn new(word: &'a W, me: u32) -> Self {
        Self { word, me: me.max(1) }
    }

    /// Who holds it.
    pub fn holder(&self) -> Option<u32> {
        Some(self.word.load()).filter(|&holder| holder != FREE)
    }

    /// Takes it if it is free.
    ///
    /// # Errors
    /// Who holds it.
    pub fn try_acquire(&self) -> Result<(), u32> {
        self.word.compare_exchange(FREE, self.me).map(|_| ())
    }
}

impl<W: Word> Lock for CompareAndSwapLock<'_, W> {
    fn acquire(&self) {
        let mut spin = Spin::default();
        while self.try_acquire().is_err() {
            self.word.relax(&mut spin);
        }
    }

    fn release(&self) {
        // Only the holder's own name is taken out.
        self.word.compare_exchange(self.me, FREE).ok();
    }
}
