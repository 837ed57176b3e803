//! The ticket lock: draw a number, wait until it is called.
//!
//! J. Mellor-Crummey, M. Scott: Algorithms for Scalable Synchronization on Shared-Memory Multiprocessors (1991). First
//! come, first served: bounded waiting by construction. A killed holder leaves it locked for ever, and a killed waiter
//! does as soon as its number is called. One that is killed while it leaves counts as a holder: the next may sleep on.
//!
//! The paper's waiter spins. Here it sleeps after a while, as the lock goes to one certain waiter: with more waiters than
//! processors the others would only keep that one from running. Who leaves wakes the one whose number it calls, and besides
//! that only those whose numbers are the same but for a multiple of 32.

use crate::{Lock, Spin, Word};

/// Waiters are woken by the last bits of their numbers.
const GROUPS: u32 = 32;

/// A lock in two words: the next number to draw, the number that is called.
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
        loop {
            let called = self.called.load();
            if called == mine {
                return;
            }
            // It sleeps only while this number is called: if another one has been called since, it looks again.
            self.called.doze_as(called, mine % GROUPS, &mut spin);
        }
    }

    fn release(&self) {
        let next = self.called.add(1).wrapping_add(1);
        // Whoever draws this number later finds it called.
        if self.next.load() != next {
            self.called.wake_group(next % GROUPS);
        }
    }
}
