//! How much room a file system has. Read only.

use std::io;
use std::path::Path;

/// The room of one file system, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// All of it.
    pub total: u64,
    /// What this process's user may still take.
    pub free: u64,
    /// Nothing can be written there at all.
    pub read_only: bool,
}

/// The room of the file system that `path` is on.
///
/// # Errors
/// The path cannot be reached.
pub fn at(path: &Path) -> io::Result<Room> {
    let found = rustix::fs::statvfs(path)?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Ok(Room {
        total: bytes(found.f_blocks),
        free: bytes(found.f_bavail),
        read_only: found.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_some_room_and_none_where_nothing_is() {
        let room = at(&std::env::temp_dir()).unwrap();
        assert!(room.free <= room.total && room.total > 0, "{room:?}");
        assert!(at(Path::new("/nowhere/at/all")).is_err());
        assert_eq!(at(Path::new("/proc")).unwrap().total, 0);
    }
}
