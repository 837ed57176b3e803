//! The barrier: nobody goes on before all have come.
//!
//! The last one to come starts the next round and wakes the others, so that it can be used again at once. If one is
//! killed before it comes, the others wait for ever; one that is killed while it waits has come.

use crate::Word;

/// A barrier in two words: how many have come, and the number of the round. Zeros are a fresh one.
#[derive(Debug)]
pub struct Barrier<'a, W> {
    come: &'a W,
    round: &'a W,
    parties: u32,
}

impl<'a, W: Word> Barrier<'a, W> {
    /// The barrier in these words for so many; at least 1.
    pub fn new(come: &'a W, round: &'a W, parties: u32) -> Self {
        Self { come, round, parties: parties.max(1) }
    }

    /// Waits for all; true for exactly one of them, the last to come.
    pub fn wait(&self) -> bool {
        // Before coming: the round cannot end without us.
        let round = self.round.load();
        if self.come.add(1) + 1 >= self.parties {
            self.come.store(0);
            self.round.add(1);
            self.round.wake(u32::MAX);
            return true;
        }
        while self.round.load() == round {
            self.round.wait(round, None);
        }
        false
    }
}
