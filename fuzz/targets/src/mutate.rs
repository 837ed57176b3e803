//! Changes of known inputs, for runs without a fuzzer: the same ones for the same seed.

/// Numbers that look random and are the same each time (splitmix64).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next one.
    pub fn next_word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One below `end`, which is at least 1.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next_word() % end.max(1) as u64).unwrap_or(0)
    }
}

/// An input like one of these: a few bytes changed, put in or taken out, or the end of one after the beginning of another.
#[must_use]
pub fn mutated(known: &[Vec<u8>], random: &mut Random, most: usize) -> Vec<u8> {
    let none = Vec::new();
    let any = |random: &mut Random| known.get(random.below(known.len())).unwrap_or(&none);
    let mut bytes = any(random).clone();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        match random.below(6) {
            0 if !bytes.is_empty() => {
                let at = at.min(bytes.len() - 1);
                bytes[at] ^= 1 << random.below(8);
            }
            1 if !bytes.is_empty() => {
                let at = at.min(bytes.len() - 1);
                bytes[at] = random.next_word().to_le_bytes()[0];
            }
            2 => bytes.truncate(at),
            3 => drop(
                bytes.splice(at..at, random.next_word().to_le_bytes()[..random.below(8)].iter().copied()),
            ),
            4 => {
                let other = any(random);
                let from = random.below(other.len() + 1);
                let tail = other[from..].to_vec();
                bytes.truncate(at);
                bytes.extend(tail);
            }
            _ => {
                let end = (at + random.below(9)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
        }
    }
    bytes.truncate(most);
    bytes
}
