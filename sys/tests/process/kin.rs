//! Parents that die, groups, strays, limits on oneself.

use std::os::fd::AsFd;

use tally_sys::fd::pipe;
use tally_sys::limits;
use tally_sys::process::{
    self, Child, ExitStatus, Orphaned, Pid, Start, arm_parent_death, become_group_leader, clone_sibling_with,
    fork_child, fork_child_with, own_pid, parent_pid, reap_strays, set_child_subreaper, set_nice,
    single_threaded, start_in_background,
};
use tally_sys::signal::Signal;

use crate::support::{killed_by, read_byte, send_byte, wait_for_ever, wait_until_ended};

crate::checks!("kin":
    an_armed_child_dies_with_its_parent,
    a_child_that_arms_too_late_notices,
    siblings_die_with_the_supervisor_and_not_with_the_forkserver,
    a_group_is_signalled_as_one,
    strays_come_to_a_subreaper_and_are_reaped,
    known_children_are_never_reaped_as_strays,
    how_a_process_in_the_background_died_is_known,
    niceness_is_set,
    memory_is_limited,
    threads_are_counted,
    a_tree_is_measured_as_one,
);

fn an_armed_child_dies_with_its_parent() {
    let (alive, held) = pipe().unwrap();
    let mut parent = fork_child_with(vec![held], |held| {
        let expected = own_pid();
        let mut child = fork_child_with(held, move |held| {
            arm_parent_death(expected).unwrap();
            send_byte(&held[0], 1);
            wait_for_ever()
        })
        .unwrap();
        child.reap().map_or(1, |_| 0)
    })
    .unwrap();
    assert_eq!(read_byte(&alive), Some(1));
    parent.signal(Signal::Kill).unwrap();
    assert_eq!(parent.reap().unwrap(), killed_by(Signal::Kill));
    assert_eq!(read_byte(&alive), None, "the grandchild holds the pipe until it is dead");
}

fn a_child_that_arms_too_late_notices() {
    let (verdict, tell) = pipe().unwrap();
    let (parent_gone, held_by_parent) = pipe().unwrap();
    let mut parent = fork_child_with(vec![tell, parent_gone, held_by_parent], |mut fds| {
        let _held = fds.pop();
        let expected = own_pid();
        fork_child_with(fds, move |fds| {
            // Nothing is sent: this is the end, when the parent is dead.
            assert_eq!(read_byte(&fds[1]), None);
            // Its descriptors are closed a moment before its children get another parent.
            while parent_pid() == Some(expected) {
                std::thread::yield_now();
            }
            let orphaned = match arm_parent_death(expected) {
                Err(Orphaned::ParentGone { expected: whom, found }) => {
                    whom == expected && found != Some(whom)
                }
                _ => false,
            };
            send_byte(&fds[0], u8::from(orphaned));
            0
        })
        .unwrap();
        0
    })
    .unwrap();
    assert_eq!(parent.reap().unwrap(), ExitStatus::Exited(0));
    assert_eq!(read_byte(&verdict), Some(1));
}

fn siblings_die_with_the_supervisor_and_not_with_the_forkserver() {
    let (news, tell) = pipe().unwrap();
    let (alive, held) = pipe().unwrap();
    let mut supervisor = fork_child_with(vec![tell, held], |fds| {
        let expected = own_pid();
        let mut forkserver = fork_child_with(fds, move |fds| {
            clone_sibling_with(fds, move |fds| {
                arm_parent_death(expected).unwrap();
                send_byte(&fds[0], b'w');
                wait_for_ever()
            })
            .unwrap();
            0
        })
        .unwrap();
        // The forkserver ends; its sibling must not.
        u8::from(forkserver.reap().unwrap() != ExitStatus::Exited(0)) + wait_for_ever()
    })
    .unwrap();
    assert_eq!(read_byte(&news), Some(b'w'));
    drop(news);
    supervisor.signal(Signal::Kill).unwrap();
    assert_eq!(supervisor.reap().unwrap(), killed_by(Signal::Kill));
    assert_eq!(read_byte(&alive), None, "the worker holds the pipe until it is dead");
}

fn a_group_is_signalled_as_one() {
    let (ready, tell) = pipe().unwrap();
    let mut leader = fork_child_with(vec![tell], |tell| {
        become_group_leader().unwrap();
        become_group_leader().unwrap();
        let member = fork_child(&[tell[0].as_fd()], || {
            send_byte(&tell[0], 1);
            wait_for_ever()
        });
        member.unwrap().reap().map_or(1, |_| 0)
    })
    .unwrap();
    assert_eq!(read_byte(&ready), Some(1));
    process::send_to_group(leader.pid(), Signal::Term).unwrap();
    assert_eq!(leader.reap().unwrap(), killed_by(Signal::Term));
    assert_eq!(read_byte(&ready), None, "the member is dead as well");
}

/// A grandchild whose parent is dead: now, by the subreaper's right, a child of this process.
fn stray(status: u8) -> Pid {
    let (number, tell) = pipe().unwrap();
    let mut parent = fork_child_with(vec![tell], |tell| {
        let child = fork_child(&[], || status).unwrap();
        let bytes = child.pid().raw().to_ne_bytes();
        assert_eq!(tally_sys::fd::write_some(&tell[0], &bytes).unwrap(), Some(4));
        // Not reaped here, so that it is left to the subreaper.
        std::mem::forget(child);
        0
    })
    .unwrap();
    assert_eq!(parent.reap().unwrap(), ExitStatus::Exited(0));
    let mut bytes = [0; 4];
    assert_eq!(tally_sys::fd::read_some(&number, &mut bytes).unwrap(), Some(4));
    Pid::from_raw(i32::from_ne_bytes(bytes)).unwrap()
}

fn strays_come_to_a_subreaper_and_are_reaped() {
    set_child_subreaper().unwrap();
    assert_eq!(reap_strays(|_| false).unwrap(), []);
    let strays = [stray(9), stray(8)];
    // Adopted here only to know when they have ended.
    let watched = strays.map(|pid| Child::adopt(pid).unwrap());
    watched.iter().for_each(wait_until_ended);
    let mut reaped = reap_strays(|_| false).unwrap();
    reaped.sort_unstable_by_key(|(pid, _)| *pid);
    let mut expected = [(strays[0], ExitStatus::Exited(9)), (strays[1], ExitStatus::Exited(8))];
    expected.sort_unstable_by_key(|(pid, _)| *pid);
    assert_eq!(reaped, expected);
    assert_eq!(reap_strays(|_| false).unwrap(), []);
}

fn known_children_are_never_reaped_as_strays() {
    set_child_subreaper().unwrap();
    let mut known = fork_child(&[], || 5).unwrap();
    wait_until_ended(&known);
    let stray = stray(6);
    wait_until_ended(&Child::adopt(stray).map(std::mem::ManuallyDrop::new).unwrap());
    let ours = known.pid();
    // The known one, which ended first, does not hide the other.
    assert_eq!(reap_strays(|pid| pid == ours).unwrap(), [(stray, ExitStatus::Exited(6))]);
    assert_eq!(reap_strays(|pid| pid == ours).unwrap(), []);
    assert_eq!(known.try_reap().unwrap(), Some(ExitStatus::Exited(5)));
}

/// However early it dies: also before the process in between has ended, which must not take the news along.
fn how_a_process_in_the_background_died_is_known() {
    for round in 0..500 {
        let start = start_in_background(|_| {
            process::send(own_pid(), Signal::Kill).unwrap();
            0
        });
        assert_eq!(start.unwrap(), Start::Died(Some(killed_by(Signal::Kill))), "{round}");
    }
}

fn niceness_is_set() {
    // Not all may become less nice than they were started, so one step further than that.
    let wanted = (rustix::process::getpriority_process(None).unwrap() + 1).clamp(1, 19);
    let mut child = fork_child(&[], || {
        set_nice(wanted).unwrap();
        u8::try_from(rustix::process::getpriority_process(None).unwrap()).unwrap()
    })
    .unwrap();
    assert_eq!(child.reap().unwrap(), ExitStatus::Exited(wanted));
}

fn memory_is_limited() {
    let mut child = fork_child(&[], || {
        limits::limit_memory(256 << 20).unwrap();
        let mut small: Vec<u8> = Vec::new();
        assert!(small.try_reserve_exact(1 << 20).is_ok());
        let mut large: Vec<u8> = Vec::new();
        assert!(large.try_reserve_exact(512 << 20).is_err());
        0
    })
    .unwrap();
    assert_eq!(child.reap().unwrap(), ExitStatus::Exited(0));
}

fn threads_are_counted() {
    assert!(single_threaded());
    let (go, gone) = pipe().unwrap();
    let thread = std::thread::spawn(move || read_byte(&go));
    assert!(!single_threaded());
    drop(gone);
    thread.join().unwrap();
    assert!(single_threaded());
}

/// What this check has its grandchild hold.
const HELD_BYTES: usize = 64 << 20;

fn a_tree_is_measured_as_one() {
    let (ready, tell) = pipe().unwrap();
    let mut top = fork_child_with(vec![tell], |tell| {
        let expected = own_pid();
        let mut below = fork_child_with(tell, move |tell| {
            arm_parent_death(expected).unwrap();
            let held = std::hint::black_box(vec![1_u8; HELD_BYTES]);
            send_byte(&tell[0], held[0]);
            wait_for_ever()
        })
        .unwrap();
        below.reap().map_or(1, |_| 0)
    })
    .unwrap();
    assert_eq!(read_byte(&ready), Some(1));
    let pid = top.pid().raw().unsigned_abs();
    let of = |most| process::use_of_tree(pid, most).unwrap().resident_bytes;
    assert!(of(1) < HELD_BYTES as u64, "the first alone");
    assert!(of(2) >= HELD_BYTES as u64, "both");
    assert_eq!(process::use_of_tree(u32::MAX, 9), None);
    top.signal(Signal::Kill).unwrap();
    assert_eq!(top.reap().unwrap(), killed_by(Signal::Kill));
}
