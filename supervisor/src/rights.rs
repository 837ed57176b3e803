//! What a peer may do, from who the system says it is. Decided once, when it connects.
//!
//! | peer                                        | rights  | may                                     |
//! |---------------------------------------------|---------|-----------------------------------------|
//! | root, the daemon's own user                 | operate | everything                              |
//! | member of one of `operator_groups`          | operate | everything                              |
//! | member of one of `reader_groups`            | read    | see others' jobs, do all with its own   |
//! | anybody else who may connect                | own     | all with its own jobs, see no other     |
//!
//! Who may connect at all is the socket's mode. A peer of whom the system tells nothing may do nothing.

use std::io;

use tally_machine::{Rights, Who};
use tally_sys::peers::{self, Credentials};
use tally_sys::process;

use crate::config::Access;

/// Whom the configuration trusts, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    /// The daemon's own user.
    pub(crate) own: u32,
    pub(crate) operators: Vec<u32>,
    pub(crate) readers: Vec<u32>,
}

impl Policy {
    /// The policy of a daemon of this process's user with these settings.
    ///
    /// # Errors
    /// A group that does not exist, as the end of a sentence.
    pub(crate) fn of(access: &Access) -> Result<Self, io::Error> {
        let numbers = |key: &str, names: &[String]| -> io::Result<Vec<u32>> {
            let numbers = names.iter().map(|name| peers::group_number(name)).collect::<io::Result<_>>();
            numbers.map_err(|why| io::Error::new(why.kind(), format!("{key}: {why}")))
        };
        Ok(Self {
            own: process::own_uid(),
            operators: numbers("operator_groups", &access.operator_groups)?,
            readers: numbers("reader_groups", &access.reader_groups)?,
        })
    }

    /// Root and the daemon's own user: no bound on connections is meant for them.
    pub(crate) fn is_own(&self, uid: u32) -> bool {
        uid == 0 || uid == self.own
    }

    /// What this peer may do.
    pub(crate) fn judge(&self, peer: &Credentials) -> Who {
        let uid = peer.peer.uid;
        let in_any = |groups: &[u32]| groups.iter().any(|&group| peer.is_in(group));
        let rights = if self.is_own(uid) || in_any(&self.operators) {
            Rights::Operate
        } else if in_any(&self.readers) {
            Rights::Read
        } else {
            Rights::Own
        };
        Who { uid, rights }
    }
}

#[cfg(test)]
mod tests {
    use tally_sys::socket::Peer;

    use super::*;

    fn policy() -> Policy {
        Policy { own: 900, operators: vec![10, 11], readers: vec![20] }
    }

    fn peer(uid: u32, gid: u32, groups: &[u32]) -> Credentials {
        Credentials { peer: Peer { pid: None, uid, gid }, groups: groups.to_vec() }
    }

    fn rights(uid: u32, gid: u32, groups: &[u32]) -> Rights {
        policy().judge(&peer(uid, gid, groups)).rights
    }

    #[test]
    fn root_and_the_own_user_may_everything_whatever_their_groups() {
        assert_eq!(rights(0, 65_534, &[]), Rights::Operate);
        assert_eq!(rights(900, 65_534, &[20]), Rights::Operate);
    }

    #[test]
    fn groups_give_rights_whether_first_or_further() {
        assert_eq!(rights(1000, 10, &[]), Rights::Operate);
        assert_eq!(rights(1000, 1000, &[5, 11]), Rights::Operate);
        assert_eq!(rights(1000, 20, &[]), Rights::Read);
        assert_eq!(rights(1000, 1000, &[20]), Rights::Read);
        assert_eq!(rights(1000, 20, &[10]), Rights::Operate, "the greater right counts");
    }

    #[test]
    fn everybody_else_has_their_own() {
        assert_eq!(rights(1000, 1000, &[30]), Rights::Own);
        // The group of root, or one numbered like the daemon's user, is a group like any other.
        assert_eq!(rights(1000, 0, &[0, 900]), Rights::Own);
        let nobody_trusted = Policy { own: 900, ..Policy::default() };
        assert_eq!(nobody_trusted.judge(&peer(1000, 0, &[0])).rights, Rights::Own);
    }
}
