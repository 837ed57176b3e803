//! Nothing stays behind: no descriptor, no name, not even after SIGKILL.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use tally_sys::fd;
use tally_sys::process::{arm_parent_death, fork_child_with, own_pid};
use tally_sys::signal::Signal;
use tally_transport::{Swept, Transport, create, open, sweep};

use crate::support::{names_of, open_descriptors};

crate::checks! { "leftovers":
    links_leave_no_descriptor_and_no_name,
    links_never_opened_leave_no_descriptor_and_no_name,
    a_killed_supervisor_is_swept_after_and_a_living_one_is_not,
}

const CYCLES: usize = 200;

fn links_leave_no_descriptor_and_no_name() {
    for transport in Transport::ALL {
        cycle(transport);
        let before = open_descriptors();
        for _ in 0..CYCLES {
            cycle(transport);
        }
        assert_eq!(open_descriptors(), before, "{transport}");
        assert_eq!(names_of(std::process::id()).len(), 0, "{transport}");
    }
}

fn cycle(transport: Transport) {
    let (mut link, offer) = create(transport, "cycle").unwrap();
    let (_held, lifeline) = UnixStream::pair().unwrap();
    let mut worker = open(&offer.text, offer.fds, lifeline.as_fd()).unwrap();
    link.peer_opened().unwrap();
    assert_eq!(names_of(std::process::id()).len(), 0, "{transport}: an open link has no name");
    worker.send(b"x").unwrap();
    worker.flush().unwrap();
    assert!(link.receive(&mut Vec::new()).unwrap());
}

fn links_never_opened_leave_no_descriptor_and_no_name() {
    for transport in Transport::ALL {
        drop(create(transport, "cycle").unwrap());
        let before = open_descriptors();
        for _ in 0..CYCLES {
            drop(create(transport, "cycle").unwrap());
        }
        assert_eq!(open_descriptors(), before, "{transport}");
        assert_eq!(names_of(std::process::id()).len(), 0, "{transport}");
    }
}

fn a_killed_supervisor_is_swept_after_and_a_living_one_is_not() {
    sweep();
    let (ready, says_ready) = fd::pipe().unwrap();
    let parent = own_pid();
    let mut supervisor = fork_child_with(vec![says_ready], |says_ready| {
        arm_parent_death(parent).unwrap();
        let links: Vec<_> = Transport::ALL.map(|transport| create(transport, "1").unwrap()).into();
        fd::write_some(&says_ready[0], b"r").unwrap();
        let (never, _kept) = fd::pipe().unwrap();
        fd::read_some(&never, &mut [0]).unwrap();
        drop(links);
        0
    })
    .unwrap();
    assert_eq!(fd::read_some(&ready, &mut [0]).unwrap(), Some(1));
    let pid = u32::try_from(supervisor.pid().raw()).unwrap();
    let mine: Vec<_> = Transport::ALL.map(|transport| create(transport, "1").unwrap()).into();

    assert_eq!(names_of(pid).len(), 2, "a segment and a directory");
    assert_eq!(sweep(), Swept::default(), "both supervisors live");
    supervisor.signal(Signal::Kill).unwrap();
    // Not reaped yet: it has ended all the same.
    let swept = loop {
        match sweep() {
            swept if swept == Swept::default() => std::thread::yield_now(),
            swept => break swept,
        }
    };
    supervisor.reap().unwrap();
    let mut all = sweep();
    all.segments += swept.segments;
    all.directories += swept.directories;
    assert_eq!(all, Swept { segments: 1, queues: 0, directories: 1 });
    assert_eq!(names_of(pid).len(), 0);
    assert_eq!(names_of(std::process::id()).len(), 2, "mine are still in use");
    drop(mine);
    assert_eq!(names_of(std::process::id()).len(), 0);
}
