//! Descriptors that a client hands over, until the call that they belong to is taken.
//!
//! The system delivers descriptors with the bytes they were sent with, and perhaps with bytes that were sent before: so
//! what comes together with the end of an earlier call belongs to a later one, and calls that were sent ahead must not
//! take each other's. Nothing is kept beyond the call in which its bytes ended.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

/// What came and has not been taken.
#[derive(Debug, Default)]
pub(crate) struct Handed {
    /// Those of the call that was taken last.
    own: Vec<OwnedFd>,
    /// Those of later calls, with where in the stream the bytes end with which they came.
    later: VecDeque<(u64, OwnedFd)>,
}

impl Handed {
    /// Some came with bytes that end here.
    pub(crate) fn came(&mut self, fds: Vec<OwnedFd>, end: u64) {
        self.later.extend(fds.into_iter().map(|fd| (end, fd)));
    }

    /// A call is taken that ends here: what no earlier one has taken closes.
    pub(crate) fn call_ends(&mut self, end: u64) {
        let mine = self.later.iter().take_while(|(at, _)| *at <= end).count();
        self.own = self.later.drain(..mine).map(|(_, fd)| fd).collect();
    }

    /// What belongs to the call that was taken last and names so many files: all that came before its end, and of what
    /// came with its end and the begin of others no more than it lacks.
    pub(crate) fn take(&mut self, named: usize) -> Vec<OwnedFd> {
        let mut fds = std::mem::take(&mut self.own);
        let shared = self.later.front().map(|(at, _)| *at);
        let lacks = named.saturating_sub(fds.len());
        let with_it = self.later.iter().take_while(|(at, _)| Some(*at) == shared).count();
        fds.extend(self.later.drain(..lacks.min(with_it)).map(|(_, fd)| fd));
        fds
    }

    /// How many are held.
    pub(crate) fn count(&self) -> usize {
        self.own.len() + self.later.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fds(count: usize) -> Vec<OwnedFd> {
        (0..count).map(|_| tally_sys::fd::null_device().unwrap()).collect()
    }

    #[test]
    fn calls_that_are_sent_ahead_keep_their_own() {
        let mut handed = Handed::default();
        handed.came(fds(1), 100);
        handed.came(fds(2), 200);
        handed.call_ends(100);
        assert_eq!(handed.take(1).len(), 1);
        handed.call_ends(200);
        assert_eq!(handed.take(2).len(), 2);
        assert_eq!(handed.count(), 0);
    }

    #[test]
    fn what_came_with_the_end_of_another_call_is_left_for_its_own() {
        let mut handed = Handed::default();
        // The end of a call without files at 50, and one with two files until 200, of which the rest came later.
        handed.came(fds(2), 120);
        handed.call_ends(50);
        assert_eq!(handed.take(0).len(), 0);
        handed.call_ends(200);
        assert_eq!(handed.take(2).len(), 2);
    }

    #[test]
    fn what_nobody_takes_closes_and_too_many_are_seen() {
        let mut handed = Handed::default();
        handed.came(fds(2), 100);
        handed.call_ends(100);
        assert_eq!(handed.take(1).len(), 2, "its client has made a mistake, and hears of it");
        handed.came(fds(3), 200);
        handed.call_ends(200);
        handed.call_ends(300);
        assert_eq!((handed.take(1).len(), handed.count()), (0, 0));
    }

    #[test]
    fn two_calls_in_one_piece_share_by_what_they_name() {
        let mut handed = Handed::default();
        handed.came(fds(3), 200);
        handed.call_ends(100);
        assert_eq!(handed.take(1).len(), 1);
        handed.call_ends(200);
        assert_eq!(handed.take(2).len(), 2);
    }
}
