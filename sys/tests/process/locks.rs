//! The lock file between processes.

use std::os::fd::AsFd;
use std::path::Path;

use tally_sys::fd::pipe;
use tally_sys::lockfile::{AcquireError, LockFile};
use tally_sys::process::{Child, fork_child, fork_child_with, own_pid};
use tally_sys::signal::Signal;

use crate::support::{Directory, killed_by, read_byte, send_byte, wait_for_ever};

crate::checks!("locks":
    a_lock_is_held_by_one_process_and_named,
    the_lock_of_a_killed_holder_is_free,
    a_forked_child_does_not_hold_the_lock,
    a_child_that_is_given_the_lock_holds_it,
    a_lock_on_a_removed_file_is_never_given,
);

/// A process that holds the lock until it is killed.
fn holder(path: &Path) -> Child {
    let (ready, tell) = pipe().unwrap();
    let child = fork_child_with(vec![tell], |tell| {
        let _lock = LockFile::acquire(path).unwrap();
        send_byte(&tell[0], 1);
        wait_for_ever()
    })
    .unwrap();
    assert_eq!(read_byte(&ready), Some(1));
    child
}

fn kill(mut child: Child) {
    child.signal(Signal::Kill).unwrap();
    assert_eq!(child.reap().unwrap(), killed_by(Signal::Kill));
}

fn holder_named_by(path: &Path) -> Option<u32> {
    match LockFile::acquire(path) {
        Err(AcquireError::Held { pid, .. }) => pid,
        other => panic!("{other:?}"),
    }
}

fn a_lock_is_held_by_one_process_and_named() {
    let directory = Directory::new();
    let path = directory.join("lock");
    let child = holder(&path);
    let error = LockFile::acquire(&path).unwrap_err();
    assert_eq!(error.to_string(), format!("lock {}: process {} holds it", path.display(), child.pid()));
    kill(child);
}

fn the_lock_of_a_killed_holder_is_free() {
    let directory = Directory::new();
    let path = directory.join("lock");
    let child = holder(&path);
    let pid = child.pid();
    kill(child);
    assert!(
        std::fs::read_to_string(&path).unwrap().starts_with(&format!("{pid}\n")),
        "what is written stays"
    );
    let lock = LockFile::acquire(&path).unwrap();
    assert!(std::fs::read_to_string(lock.path()).unwrap().starts_with(&format!("{}\n", own_pid())));
}

fn a_forked_child_does_not_hold_the_lock() {
    let directory = Directory::new();
    let path = directory.join("lock");
    let lock = LockFile::acquire(&path).unwrap();
    let (ready, tell) = pipe().unwrap();
    let child = fork_child(&[tell.as_fd()], || {
        send_byte(&tell, 1);
        wait_for_ever()
    })
    .unwrap();
    // Until it has come to its body the child still holds a copy.
    assert_eq!(read_byte(&ready), Some(1));
    drop(lock);
    LockFile::acquire(&path).unwrap();
    kill(child);
}

fn a_child_that_is_given_the_lock_holds_it() {
    let directory = Directory::new();
    let path = directory.join("lock");
    let lock = LockFile::acquire(&path).unwrap();
    let (ready, tell) = pipe().unwrap();
    let child = fork_child(&[lock.as_fd(), tell.as_fd()], || {
        lock.write_owner().unwrap();
        send_byte(&tell, 1);
        wait_for_ever()
    })
    .unwrap();
    assert_eq!(read_byte(&ready), Some(1));
    drop(lock);
    assert_eq!(holder_named_by(&path), u32::try_from(child.pid().raw()).ok());
    kill(child);
    LockFile::acquire(&path).unwrap();
}

fn a_lock_on_a_removed_file_is_never_given() {
    // A process that removes the file, but only while it holds the lock: whoever else has the
    // lock must find its own file at the path. It would not, had it locked a file that was
    // removed between its open and its lock.
    let directory = Directory::new();
    let path = directory.join("lock");
    let (stop, stopped) = pipe().unwrap();
    tally_sys::fd::set_nonblocking(&stop, true).unwrap();
    let mut remover = fork_child(&[stop.as_fd()], || {
        while tally_sys::fd::read_some(&stop, &mut [0]).unwrap().is_none() {
            if let Ok(lock) = LockFile::acquire(&path) {
                std::fs::remove_file(lock.path()).unwrap();
            }
        }
        0
    })
    .unwrap();
    let inode = |stat: rustix::io::Result<rustix::fs::Stat>| stat.map(|found| found.st_ino);
    let mut taken = 0;
    while taken < 3_000 {
        if let Ok(lock) = LockFile::acquire(&path) {
            assert_eq!(inode(rustix::fs::fstat(&lock)), inode(rustix::fs::stat(&path)));
            taken += 1;
        }
    }
    drop(stopped);
    assert!(remover.reap().unwrap().success());
}
