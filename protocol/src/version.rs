//! Versions of the two languages, and how two programs find one they share.

use serde::{Deserialize, Serialize};

/// The program's version, as in `tally --version`.
pub const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// Version byte of frames between supervisor and worker. Both ends are the same build; it guards against mistakes.
pub const FRAME: u8 = 1;

/// Versions of the control protocol a program speaks, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spoken {
    /// The oldest version spoken.
    pub oldest: u32,
    /// The newest version spoken.
    pub newest: u32,
}

/// What this build speaks.
pub const CONTROL: Spoken = Spoken { oldest: 1, newest: 1 };

impl Spoken {
    /// The newest version both speak, if there is one.
    #[must_use]
    pub fn common(self, other: Self) -> Option<u32> {
        let newest = self.newest.min(other.newest);
        (newest >= self.oldest.max(other.oldest)).then_some(newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_common_version_wins() {
        let ours = Spoken { oldest: 2, newest: 5 };
        assert_eq!(ours.common(Spoken { oldest: 1, newest: 3 }), Some(3));
        assert_eq!(ours.common(Spoken { oldest: 4, newest: 9 }), Some(5));
        assert_eq!(ours.common(Spoken { oldest: 6, newest: 9 }), None);
        assert_eq!(ours.common(Spoken { oldest: 1, newest: 1 }), None);
    }
}
