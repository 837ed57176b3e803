//! No file system and no network, by Landlock: a ruleset that handles everything and allows nothing.
//!
//! What is handled depends on the kernel's version of the interface, which is asked first. Descriptors that are open
//! already are not affected.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// The kernel's `struct landlock_ruleset_attr`, as of version 6 of the interface.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct Ruleset {
    files: u64,
    network: u64,
    scoped: u64,
}

/// Asks for the version instead of a ruleset.
const VERSION: libc::c_uint = 1;

/// The ruleset of a version: file rights grow from 13 to 16 of them, then come TCP and scopes.
fn ruleset(version: libc::c_long) -> Ruleset {
    let files: u32 = match version {
        1 => 13,
        2 => 14,
        3 | 4 => 15,
        _ => 16,
    };
    Ruleset {
        files: (1 << files) - 1,
        // Bind and connect.
        network: if version >= 4 { 0b11 } else { 0 },
        // Abstract sockets and signals to processes outside of the domain.
        scoped: if version >= 6 { 0b11 } else { 0 },
    }
}

/// Shuts this thread, and so a process of one thread, out of the file system. It must have `no_new_privs` set.
pub(super) fn shut() -> io::Result<()> {
    // SAFETY: with this flag, no pointer and no size, the call only tells a number.
    let version = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<Ruleset>(), 0_usize, VERSION)
    };
    if version < 1 {
        return Err(io::Error::last_os_error());
    }
    let ruleset = ruleset(version);
    // An older kernel takes a longer record whose surplus is zero.
    // SAFETY: the record is ours and as long as is said.
    let fd = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, &raw const ruleset, size_of::<Ruleset>(), 0_u32)
    };
    let fd = match i32::try_from(fd) {
        // SAFETY: the call has just made this descriptor for us alone.
        Ok(fd) if fd >= 0 => unsafe { OwnedFd::from_raw_fd(fd) },
        _ => return Err(io::Error::last_os_error()),
    };
    // SAFETY: takes a number and no pointer.
    let done = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, fd.as_raw_fd(), 0_u32) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_version_handles_no_less() {
        assert_eq!((ruleset(1).files, ruleset(1).network, ruleset(1).scoped), (0x1fff, 0, 0));
        for version in 1..9 {
            let (one, next) = (ruleset(version), ruleset(version + 1));
            assert_eq!(one.files & next.files, one.files);
            assert!(one.network <= next.network && one.scoped <= next.scoped);
        }
        assert_eq!(ruleset(7).files, 0xffff);
    }

    /// In a thread of its own: the restriction is the thread's, and ends with it.
    #[test]
    fn no_file_can_be_opened_after_it() {
        let outcome = std::thread::spawn(|| {
            rustix::thread::set_no_new_privs(true).unwrap();
            match shut() {
                Ok(()) => Some(std::fs::File::open("/etc/passwd").map(drop).unwrap_err().kind()),
                // A kernel without it, or a container that forbids it.
                Err(_) => None,
            }
        });
        let kind = outcome.join().unwrap();
        assert!(kind.is_none_or(|kind| kind == io::ErrorKind::PermissionDenied), "{kind:?}");
        assert!(std::fs::File::open("/etc/passwd").is_ok(), "others are not affected");
    }
}
