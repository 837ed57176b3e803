//! Descriptors across forks and execs.

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::io::{FdFlags, fcntl_getfd};
use tally_sys::fd::{close_all_on_exec, open_standard_streams, pipe};
use tally_sys::process::{ExitStatus, fork_child};

crate::checks!("descriptors":
    closed_standard_streams_are_opened,
    inherited_descriptors_are_closed_on_exec,
);

fn closed_standard_streams_are_opened() {
    for closed in [vec![0], vec![1], vec![2], vec![0, 1], vec![0, 2], vec![1, 2], vec![0, 1, 2]] {
        let mut child = fork_child(&[], || {
            for &number in &closed {
                // SAFETY: a standard descriptor of this child, which uses none of them.
                unsafe { libc::close(number) };
            }
            open_standard_streams().unwrap();
            let leads_to = |number| std::fs::read_link(format!("/proc/self/fd/{number}")).unwrap();
            let opened = closed.iter().all(|number| leads_to(number).to_str() == Some("/dev/null"));
            let (reader, writer): (OwnedFd, OwnedFd) = pipe().unwrap();
            let clear = reader.as_raw_fd() > 2 && writer.as_raw_fd() > 2;
            // No assertion: standard error may just be gone.
            u8::from(opened) + 2 * u8::from(clear)
        })
        .unwrap();
        assert_eq!(child.reap().unwrap(), ExitStatus::Exited(3), "{closed:?}");
    }
}

fn inherited_descriptors_are_closed_on_exec() {
    let (reader, _writer) = pipe().unwrap();
    let inheritable = rustix::io::dup(&reader).unwrap();
    assert_eq!(fcntl_getfd(&inheritable).unwrap(), FdFlags::empty());
    close_all_on_exec().unwrap();
    assert_eq!(fcntl_getfd(&inheritable).unwrap(), FdFlags::CLOEXEC);
}
