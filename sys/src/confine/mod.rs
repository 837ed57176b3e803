//! Confinement: what a process gives up for good before it touches what others sent it.
//!
//! Each part is put in force by itself, so that a kernel or a container that lacks one still gives the others; what
//! is in force is told, never assumed. Nothing here can be undone: the caller must have all it needs open already.

mod landlock;
mod seccomp;

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};

/// Which parts are in force, as a set of bits that fits one byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Confined(u8);

impl Confined {
    /// Limits on files, processes and memory images.
    pub const RLIMITS: Self = Self(1);
    /// No file system, no network.
    pub const LANDLOCK: Self = Self(2);
    /// A list of system calls.
    pub const SECCOMP: Self = Self(4);
    /// All of them.
    pub const ALL: Self = Self(7);

    const NAMES: [(Self, &'static str); 3] =
        [(Self::SECCOMP, "seccomp"), (Self::LANDLOCK, "landlock"), (Self::RLIMITS, "rlimits")];

    /// The set of these bits; others are ignored.
    #[must_use]
    pub fn from_bits(bits: u8) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// As bits.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.0
    }

    /// Whether all of `part` is in force.
    #[must_use]
    pub fn has(self, part: Self) -> bool {
        self.0 & part.0 == part.0
    }

    /// The names of what is in force, strongest first.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(part, _)| self.has(*part)).map(|(_, name)| name)
    }
}

/// Descriptors a confined process may have open: what it holds already, and what comes over its sockets.
const OPEN_FILES_MAX: u64 = 4096;

/// Confines the calling process, which has one thread, for good: no new file, socket, process, program or privilege;
/// no signal to anybody else. Descriptors that are open stay of use.
///
/// Never fails: what the kernel or a container refuses is missing in the answer, with why in `refused`.
pub fn confine(refused: &mut Vec<(&'static str, io::Error)>) -> Confined {
    // The first look at the clock finds out where to look, which takes files and settings.
    std::hint::black_box(crate::clock::monotonic_ns());
    let mut done = Confined::default();
    let mut note = |name, part: Confined, result: io::Result<()>| match result {
        Ok(()) => done.0 |= part.0,
        Err(error) => refused.push((name, error)),
    };
    note("rlimits", Confined::RLIMITS, limit());
    // Without this neither of the next two may be had by an ordinary user.
    let no_new_privileges = rustix::thread::set_no_new_privs(true);
    note(
        "landlock",
        Confined::LANDLOCK,
        no_new_privileges.map_err(Into::into).and_then(|()| landlock::shut()),
    );
    note("no capabilities", Confined::default(), drop_capabilities());
    // Last: the calls above are not on its list.
    note("seccomp", Confined::SECCOMP, seccomp::filter());
    done
}

/// Root's user without root's powers. An ordinary user has none to lose, and may be forbidden the call.
fn drop_capabilities() -> io::Result<()> {
    let none = CapabilitySet::empty();
    let none = CapabilitySets { effective: none, permitted: none, inheritable: none };
    if rustix::thread::capabilities(None)? != none {
        rustix::thread::set_capabilities(None, none)?;
    }
    Ok(())
}

fn limit() -> io::Result<()> {
    let limits = [
        // Nothing is written to a file, so a descriptor of one that came along cannot be made to grow.
        (Resource::Fsize, 0),
        // Its memory holds what others sent: no image of it is left on a disk.
        (Resource::Core, 0),
        // For the user as a whole, and judged only when this process starts another: it starts none.
        (Resource::Nproc, 0),
        (Resource::Nofile, OPEN_FILES_MAX),
    ];
    for (resource, most) in limits {
        let found = rustix::process::getrlimit(resource);
        let most = found.maximum.map_or(most, |maximum| maximum.min(most));
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_names_and_fit_a_byte() {
        let all: Vec<_> = Confined::ALL.names().collect();
        assert_eq!(all, ["seccomp", "landlock", "rlimits"]);
        assert_eq!(Confined::from_bits(0xff), Confined::ALL);
        assert_eq!(Confined::from_bits(2).names().collect::<Vec<_>>(), ["landlock"]);
        assert!(!Confined::from_bits(2).has(Confined::ALL));
    }
}
