//! The ticket lock: draw a number, wait until it is called.
//!
//! J. Mellor-Crummey, M. Scott: Algorithms for Scalable Synchronization on Shared-Memory Multiprocessors (1991). First
//! come, first served: bounded waiting by construction. A killed holder leaves it locked for ever, and a killed waiter
//! does as soon as its number is called.

use crate::{Lock, Spin, Word};

/// A spin lock in two words: the next number to draw, the number that is called.
#[derive(Debug)]
pub struct TicketLock<'a, W> {
    next: &'a W,
    called: &'a W,
}

impl<'a, W: Word> TicketLock<'a, W> {
    /// The lock in these words; both zero is free.
    pub fn new(next: &'a W, called: &'a W) -> Self {
        Self { next, called }
    }

    /// How many hold it or wait for it.
    pub fn queue(&self) -> u32 {
        self.next.load().wrapping_sub(self.called.load())
    }
}

impl<W: Word> Lock for TicketLock<'_, W> {
    fn acquire(&self) {
        let mine = self.next.add(1);
        let mut spin = Spin::default();
        while self.called.load() != mine {
            self.called.relax(&mut spin);
        }
    }

    fn release(&self) {
        self.called.add(1);
    }
}
