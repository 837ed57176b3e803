//! What a confined process can still do, and what it dies of; what a service keeps.

use std::fs::File;
use std::{io, ptr};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
use tally_sys::confine::{Confined, confine};
use tally_sys::process::{ExitStatus, fork_child, send};
use tally_sys::signal::Signal;
use tally_sys::{privileges, process, socket};

crate::checks! {
    "confined":
    what_it_holds_stays_of_use,
    files_are_refused,
    what_is_on_no_list_kills,
    signals_reach_itself_only,
    executable_memory_kills,
    a_service_keeps_little,
}

/// Runs `body` in a confined child. None where the kernel or the container lacks the part that is tested.
fn confined(needed: Confined, body: impl FnOnce() -> u8) -> Option<ExitStatus> {
    const LACKING: u8 = 77;
    let mut child = fork_child(&[], || {
        let mut refused = Vec::new();
        if confine(&mut refused).has(needed) { body() } else { LACKING }
    })
    .unwrap();
    let status = child.reap().unwrap();
    if status == ExitStatus::Exited(i32::from(LACKING)) {
        println!("skipped: this system lacks {:?}", needed.names().collect::<Vec<_>>());
        return None;
    }
    Some(status)
}

/// Whether there is an image of it is for the system to say: one that goes to a program is not limited.
fn ends(needed: Confined, expected: ExitStatus, body: impl FnOnce() -> u8) {
    match (confined(needed, body), expected) {
        (None, _) => {}
        (Some(ExitStatus::Killed { signal, .. }), ExitStatus::Killed { signal: expected, .. }) => {
            assert_eq!(signal, expected);
        }
        (Some(status), expected) => assert_eq!(status, expected),
    }
}

const KILLED: ExitStatus = ExitStatus::Killed { signal: Signal::Sys, core: false };

fn what_it_holds_stays_of_use() {
    ends(Confined::default(), ExitStatus::Exited(9), || {
        let (ours, theirs) = (vec![1_u8; 40 << 20], vec![2_u8; 1 << 10]);
        let table: std::collections::HashMap<_, _> = [(1, ours.len()), (2, theirs.len())].into();
        if table[&1] + table[&2] == (40 << 20) + (1 << 10) && tally_sys::clock::monotonic_ns() > 0 {
            9
        } else {
            1
        }
    });
}

fn files_are_refused() {
    for needed in [Confined::LANDLOCK, Confined::SECCOMP] {
        ends(needed, ExitStatus::Exited(9), || {
            let kind = File::open("/etc/passwd").map(drop).unwrap_err().kind();
            if kind == io::ErrorKind::PermissionDenied { 9 } else { 1 }
        });
    }
}

fn what_is_on_no_list_kills() {
    ends(Confined::SECCOMP, KILLED, || socket::packet_pair().map_or(1, |_| 2));
    ends(Confined::SECCOMP, KILLED, || std::process::Command::new("/bin/true").spawn().map_or(1, |_| 2));
    ends(Confined::SECCOMP, KILLED, || std::thread::Builder::new().spawn(|| ()).map_or(1, |_| 2));
}

fn signals_reach_itself_only() {
    let killed = |signal| ExitStatus::Killed { signal, core: false };
    ends(Confined::SECCOMP, killed(Signal::Term), || {
        send(process::own_pid(), Signal::Term).map_or(1, |()| 2)
    });
    ends(Confined::SECCOMP, killed(Signal::Abrt), || std::process::abort());
    ends(Confined::SECCOMP, KILLED, || match process::parent_pid() {
        Some(parent) => send(parent, Signal::Cont).map_or(1, |()| 2),
        None => 3,
    });
}

fn executable_memory_kills() {
    let mapped = |protection| {
        // SAFETY: with no address asked for, the system maps where nothing is yet.
        unsafe { mmap_anonymous(ptr::null_mut(), 4096, protection, MapFlags::PRIVATE) }.is_ok()
    };
    let usual = ProtFlags::READ | ProtFlags::WRITE;
    ends(Confined::SECCOMP, ExitStatus::Exited(9), || 8 + u8::from(mapped(usual)));
    ends(Confined::SECCOMP, KILLED, || u8::from(mapped(usual | ProtFlags::EXEC)));
}

fn a_service_keeps_little() {
    let mut child = fork_child(&[], || {
        privileges::shed().unwrap();
        privileges::shed().unwrap();
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            u64::from_str_radix(line.trim(), 16).unwrap()
        };
        // SYS_RESOURCE and KILL; SETUID and SETGID, which are not in force.
        let awake = (1 << 24) | (1 << 5);
        let kept = awake | (1 << 7) | (1 << 6);
        let held = field("CapPrm:") | field("CapInh:") | (field("CapEff:") & !awake) << 32;
        let root = process::own_uid() == 0;
        let bounded = !root || field("CapBnd:") & !kept == 0;
        u8::from(held & !kept == 0 && bounded && field("NoNewPrivs:") == 1 && field("Umask:") == 0x77) + 8
    })
    .unwrap();
    assert_eq!(child.reap().unwrap(), ExitStatus::Exited(9));
}
