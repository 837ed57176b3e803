//! Who is at the other end of a Unix socket: user, groups, process, as the system wrote them down when it connected.
//!
//! What a peer says of itself is never asked; and a group by name is looked up here, so that a configuration can name it.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use crate::socket::{Peer, peer};

/// Groups beside the first that a process can have, as the system bounds them.
const GROUPS_MAX: usize = 65_536;
/// Room for as many as nearly everybody has.
const GROUPS_USUAL: usize = 32;

/// A peer with all its groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Process, user and first group.
    pub peer: Peer,
    /// The other groups, in no order.
    pub groups: Vec<u32>,
}

impl Credentials {
    /// Whether it is in this group.
    #[must_use]
    pub fn is_in(&self, group: u32) -> bool {
        self.peer.gid == group || self.groups.contains(&group)
    }
}

/// Who is at the other end, with all groups, from the moment it connected.
///
/// # Errors
/// The system does not tell: the socket is none, or of another family.
pub fn credentials(stream: &UnixStream) -> io::Result<Credentials> {
    Ok(Credentials { peer: peer(stream)?, groups: groups(stream)? })
}

fn groups(stream: &UnixStream) -> io::Result<Vec<u32>> {
    let mut groups: Vec<libc::gid_t> = vec![0; GROUPS_USUAL];
    loop {
        let mut bytes = libc::socklen_t::try_from(size_of_val(groups.as_slice())).unwrap_or(0);
        // SAFETY: writes at most `bytes` bytes into `groups`, which are that long, and the length into `bytes`.
        let done = unsafe {
            libc::getsockopt(
                stream.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut bytes,
            )
        };
        let count = usize::try_from(bytes).unwrap_or(0) / size_of::<libc::gid_t>();
        if done == 0 {
            groups.truncate(count);
            return Ok(groups);
        }
        let error = io::Error::last_os_error();
        // There are more: the system has said how many.
        if error.raw_os_error() == Some(libc::ERANGE) && groups.len() < count && count <= GROUPS_MAX {
            groups.resize(count, 0);
        } else {
            return Err(error);
        }
    }
}

/// The name of a user, where the system knows one.
pub fn user_name(uid: u32) -> Option<String> {
    nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)).ok().flatten().map(|user| user.name)
}

/// The name of a group, where the system knows one.
pub fn group_name(gid: u32) -> Option<String> {
    nix::unistd::Group::from_gid(nix::unistd::Gid::from_raw(gid)).ok().flatten().map(|group| group.name)
}

/// The number of the group of this name, or the number itself when it is written as one.
///
/// # Errors
/// `NotFound` when there is no such group; others when the system's list of groups cannot be read.
pub fn group_number(name: &str) -> io::Result<u32> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    match nix::unistd::Group::from_name(name)? {
        Some(group) => Ok(group.gid.as_raw()),
        None => Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no group '{name}'"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_groups_are_those_the_system_tells() {
        let (one, other) = UnixStream::pair().unwrap();
        let found = credentials(&one).unwrap();
        assert_eq!(found, credentials(&other).unwrap());
        assert_eq!(found.peer.uid, rustix::process::geteuid().as_raw());
        let mut own: Vec<_> =
            rustix::process::getgroups().unwrap().iter().map(|group| group.as_raw()).collect();
        let mut told = found.groups.clone();
        own.sort_unstable();
        told.sort_unstable();
        assert_eq!(told, own);
        assert!(found.is_in(rustix::process::getegid().as_raw()));
        assert!(!found.is_in(u32::MAX));
    }

    #[test]
    fn groups_have_names_and_numbers() {
        assert_eq!(group_number("4711").unwrap(), 4711);
        assert_eq!((group_number("root").unwrap(), group_name(0).as_deref()), (0, Some("root")));
        let error = group_number("no-such-group").unwrap_err();
        assert_eq!(error.to_string(), "there is no group 'no-such-group'");
    }
}
