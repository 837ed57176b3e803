//! TestAndSet with bounded waiting: the one who leaves names the next.
//!
//! Silberschatz, Galvin, Gagne: Operating System Concepts, "Bounded-waiting mutual exclusion with TestAndSet". Each of n
//! participants has a place. Who leaves looks through the places after its own, in a circle, and hands the lock to the
//! first one that waits; so at most n - 1 others go before anybody who has said that it waits. A killed holder leaves it
//! locked for ever, and so does a killed waiter to whom it is handed.
//!
//! The book's waiter spins. Here it sleeps after a while, as the lock goes to one certain waiter: with more waiters than
//! processors the others would only keep that one from running. So the one who leaves a free lock behind looks a second
//! time: whoever came while it looked the first time may have seen the lock held, and would sleep for ever.

use crate::{Lock, Spin, Word};

const FREE: u32 = 0;
const HELD: u32 = 1;
/// As which a participant sleeps on its own word: nobody else does.
const GROUP: u32 = 0;

/// The lock in one word, and one word for each participant; zeros are "free" and "does not wait".
#[derive(Debug)]
pub struct BoundedTestAndSetLock<'a, W> {
    lock: &'a W,
    waiting: &'a [W],
    me: usize,
}

impl<'a, W: Word> BoundedTestAndSetLock<'a, W> {
    /// The lock in these words for participant `me`; `None` if there is no such place.
    pub fn new(lock: &'a W, waiting: &'a [W], me: usize) -> Option<Self> {
        (me < waiting.len()).then_some(Self { lock, waiting, me })
    }
}

impl<W: Word> BoundedTestAndSetLock<'_, W> {
    /// The first after this one, in a circle, that waits.
    fn next(&self) -> Option<&W> {
        let places = self.waiting.len();
        let mut others = (1..places).map(|step| &self.waiting[(self.me + step) % places]);
        others.find(|place| place.load() == 1)
    }
}

impl<W: Word> Lock for BoundedTestAndSetLock<'_, W> {
    fn acquire(&self) {
        let mine = &self.waiting[self.me];
        let mut spin = Spin::default();
        mine.store(1);
        // Until the lock was free, or the one who left has handed it over.
        while mine.load() == 1 && self.lock.swap(HELD) == HELD {
            mine.doze_as(1, GROUP, &mut spin);
        }
        mine.store(0);
    }

    fn release(&self) {
        loop {
            if let Some(next) = self.next() {
                next.store(0);
                return next.wake_group(GROUP);
            }
            self.lock.store(FREE);
            // Who has it now sees to the others. If nobody has, this one has it again, for the one who was overlooked.
            if self.next().is_none() || self.lock.swap(HELD) == HELD {
                return;
            }
        }
    }
}
