//! Chance that is the same in every run.

/// Numbers that look random and are the same each time (splitmix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Of a seed and some numbers that tell who asks.
    #[must_use]
    pub fn of(seed: u64, who: &[u64]) -> Self {
        let mut random = Self(seed);
        for one in who {
            random.0 = random.word() ^ one.wrapping_mul(0xd6e8_feb8_6659_fd93);
        }
        random
    }

    /// Any of 64 bits.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One below `end`, which is at least 1.
    pub fn below(&mut self, end: u64) -> u64 {
        self.word() % end
    }

    /// One of a short list, which has some.
    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).expect("a short list")]
    }

    /// Yes or no.
    pub fn coin(&mut self) -> bool {
        self.below(2) == 0
    }
}
