//! What each user has of the house: connections, and bytes of requests and replies under way.
//!
//! Root and the daemon's own user are counted like everybody and bounded by nothing here. Going over a bound costs the
//! connection that went over it, and no other.

use std::collections::BTreeMap;

use tally_protocol::limits;

/// What one user has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Use {
    connections: usize,
    bytes: usize,
}

/// What all users have.
#[derive(Debug)]
pub(crate) struct Quota {
    users: BTreeMap<u32, Use>,
    /// Connections of a user.
    pub(crate) connections_max: usize,
}

impl Quota {
    pub(crate) fn new(connections_max: usize) -> Self {
        Self { users: BTreeMap::new(), connections_max }
    }

    /// Whether this user may open one more.
    pub(crate) fn has_room(&self, uid: u32) -> bool {
        self.users.get(&uid).is_none_or(|user| user.connections < self.connections_max)
    }

    pub(crate) fn came(&mut self, uid: u32) {
        self.users.entry(uid).or_default().connections += 1;
    }

    /// A connection that held so many bytes is gone.
    pub(crate) fn went(&mut self, uid: u32, bytes: usize) {
        let Some(user) = self.users.get_mut(&uid) else { return };
        user.connections = user.connections.saturating_sub(1);
        user.bytes = user.bytes.saturating_sub(bytes);
        if user.connections == 0 {
            self.users.remove(&uid);
        }
    }

    /// A connection holds `now` bytes instead of `before`. Whether that is within the user's bound: only growth can
    /// go over it.
    pub(crate) fn holds(&mut self, uid: u32, before: usize, now: usize) -> bool {
        let Some(user) = self.users.get_mut(&uid) else { return true };
        user.bytes = user.bytes.saturating_sub(before).saturating_add(now);
        // A connection that is the only one that holds much is bounded by its own limits.
        now <= before || user.bytes <= limits::USER_BYTES_MAX || user.bytes == now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_by_user() {
        let mut quota = Quota::new(2);
        quota.came(1);
        assert!(quota.has_room(1));
        quota.came(1);
        assert!(!quota.has_room(1) && quota.has_room(2));
        quota.went(1, 0);
        assert!(quota.has_room(1));
        quota.went(1, 0);
        assert!(quota.users.is_empty(), "nothing is kept of a user who is gone");
    }

    #[test]
    fn bytes_of_many_connections_add_up() {
        let mut quota = Quota::new(99);
        quota.came(1);
        quota.came(1);
        let half = limits::USER_BYTES_MAX / 2;
        assert!(quota.holds(1, 0, half));
        assert!(quota.holds(1, 0, half));
        assert!(!quota.holds(1, half, half + 1));
        assert!(quota.holds(1, half + 1, half), "shrinking is always well");
        quota.came(2);
        assert!(quota.holds(2, 0, half), "others are not affected");
        quota.went(1, half);
        assert!(quota.holds(1, half, 4 * half), "one alone has its own bounds");
    }
}
