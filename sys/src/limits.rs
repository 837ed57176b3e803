//! What this process may use: memory, open files, processors.
//!
//! These are the system's own limits on the calling process, never the program's policy.

use std::io;
use std::num::NonZeroUsize;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Limits this process's address space to `bytes`, for good: an allocation beyond it fails.
///
/// Address space, not resident memory: programs map more than they touch, so leave room.
pub fn limit_memory(bytes: u64) -> io::Result<()> {
    setrlimit(Resource::As, Rlimit { current: Some(bytes), maximum: Some(bytes) })?;
    Ok(())
}

/// How many descriptors this process may have open: the limit in force and the one it may raise
/// itself to. `u64::MAX` means unlimited.
pub fn open_files() -> (u64, u64) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    (current.unwrap_or(u64::MAX), maximum.unwrap_or(u64::MAX))
}

/// How many tasks this process's user may have at once, threads counted: `u64::MAX` means unlimited. Root is not bound by it.
pub fn tasks() -> u64 {
    getrlimit(Resource::Nproc).current.unwrap_or(u64::MAX)
}

/// How many bytes all message queues of this process's user may take together: `u64::MAX` means unlimited.
pub fn queue_bytes() -> u64 {
    getrlimit(Resource::Msgqueue).current.unwrap_or(u64::MAX)
}

/// Raises the limit of open files as far as the system allows and returns the new limit.
pub fn raise_open_files() -> io::Result<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    }
    Ok(open_files().0)
}

/// How many processors this process may use, at least 1: affinity and a cgroup's quota count.
pub fn cpu_count() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_files_can_be_raised_to_the_hard_limit() {
        let (soft, hard) = open_files();
        assert!(0 < soft && soft <= hard);
        assert_eq!(raise_open_files().unwrap(), hard);
        assert_eq!(open_files(), (hard, hard));
    }

    #[test]
    fn there_is_a_processor() {
        assert!(cpu_count() >= 1);
    }
}
