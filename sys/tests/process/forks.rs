//! Forked children and cloned siblings: how they end, what they hold, whose they are.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use tally_sys::fd::pipe;
use tally_sys::process::{
    Child, ExitStatus, Pid, QuietThread, clone_sibling, clone_sibling_with, fork_child, fork_child_with,
    fork_twin, own_pid, parent_pid, single_threaded,
};
use tally_sys::signal::{self, Signal, SignalStream};
use tally_sys::socket::{packet_pair, receive_packet, send_packet};

use crate::support::{
    children, killed_by, open_descriptors, read_all, read_byte, send_byte, wait_for_ever, wait_until_ended,
    without_descriptors,
};

crate::checks!("forks":
    a_child_exits_with_what_its_body_returns,
    a_child_that_runs_is_not_reaped,
    an_end_makes_the_descriptor_readable,
    an_end_is_told_again_and_again,
    a_panic_is_status_101_and_never_returns_into_the_parent,
    a_panic_while_dropping_never_returns_into_the_parent,
    signals_show_in_the_status,
    signalling_an_ended_child_is_no_error,
    strangers_are_not_adopted,
    a_child_that_cannot_be_watched_is_not_left_behind,
    a_process_that_ignores_the_end_of_children_learns_of_none,
    a_child_holds_only_what_it_was_given,
    a_child_does_not_keep_a_pipe_of_its_parent_open,
    handed_descriptors_belong_to_the_child_alone,
    a_twin_has_every_descriptor_and_ignores_what_is_ignored,
    what_is_caught_ends_a_twin,
    a_dropped_child_that_has_ended_leaves_no_zombie,
    a_process_with_threads_may_not_fork,
    a_quiet_thread_is_in_no_forks_way,
    a_sibling_is_a_child_of_the_grandparent,
    a_sibling_survives_its_maker,
    a_sibling_ends_by_panic_and_by_abort_without_harm_to_its_maker,
    a_sibling_holds_only_what_it_was_handed,
    a_sibling_knows_its_own_thread,
);

fn a_child_exits_with_what_its_body_returns() {
    for status in [0, 3, 255] {
        let mut child = fork_child(&[], || status).unwrap();
        assert_eq!(child.reap().unwrap(), ExitStatus::Exited(i32::from(status)));
    }
}

fn a_twin_has_every_descriptor_and_ignores_what_is_ignored() {
    let (reader, writer) = pipe().unwrap();
    signal::ignore(Signal::Usr1).unwrap();
    let mut child = fork_twin(|| {
        send_byte(&writer, 7);
        u8::from(!signal::is_ignored(Signal::Usr1).unwrap())
    })
    .unwrap();
    assert_eq!(read_byte(&reader), Some(7));
    assert_eq!(child.reap().unwrap(), ExitStatus::Exited(0));
}

fn what_is_caught_ends_a_twin() {
    let mut caught = SignalStream::new(&[Signal::Usr2]).unwrap();
    let mut child = fork_twin(wait_for_ever).unwrap();
    child.signal(Signal::Usr2).unwrap();
    assert_eq!(child.reap().unwrap(), killed_by(Signal::Usr2));
    assert_eq!(caught.pending().unwrap(), [], "it was not for the parent");
}

fn a_child_that_runs_is_not_reaped() {
    let (go, gone) = pipe().unwrap();
    let mut child = fork_child(&[go.as_fd()], || read_byte(&go).unwrap()).unwrap();
    assert_eq!(child.try_reap().unwrap(), None);
    send_byte(&gone, 5);
    assert_eq!(child.reap().unwrap(), ExitStatus::Exited(5));
}

fn an_end_makes_the_descriptor_readable() {
    let mut child = fork_child(&[], || 4).unwrap();
    wait_until_ended(&child);
    assert_eq!(child.try_reap().unwrap(), Some(ExitStatus::Exited(4)));
}

fn an_end_is_told_again_and_again() {
    let mut child = fork_child(&[], || 6).unwrap();
    for _ in 0..2 {
        assert_eq!(child.reap().unwrap(), ExitStatus::Exited(6));
        assert_eq!(child.try_reap().unwrap(), Some(ExitStatus::Exited(6)));
    }
}

/// Forks a child that panics, and says which processes got past the fork.
fn who_returns(body: impl FnOnce() -> u8) -> (ExitStatus, String) {
    let (reader, writer) = pipe().unwrap();
    // A child that escaped would be caught here and go on as if it were the parent.
    let child = catch_unwind(AssertUnwindSafe(|| fork_child(&[writer.as_fd()], body)));
    let line = format!("{}\n", own_pid());
    tally_sys::fd::write_some(&writer, line.as_bytes()).unwrap();
    drop(writer);
    let status = child.unwrap().unwrap().reap().unwrap();
    (status, read_all(reader))
}

fn a_panic_is_status_101_and_never_returns_into_the_parent() {
    let (status, returned) = who_returns(|| panic!("on purpose"));
    assert_eq!(status, ExitStatus::Exited(101));
    assert_eq!(returned, format!("{}\n", own_pid()));
}

fn a_panic_while_dropping_never_returns_into_the_parent() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    let (status, returned) = who_returns(|| {
        let _bomb = Bomb;
        0
    });
    assert_eq!(status, ExitStatus::Exited(101));
    assert_eq!(returned, format!("{}\n", own_pid()));
}

fn signals_show_in_the_status() {
    for signal in [Signal::Kill, Signal::Term, Signal::Usr1, Signal::Hup] {
        let mut child = fork_child(&[], wait_for_ever).unwrap();
        child.signal(signal).unwrap();
        assert_eq!(child.reap().unwrap(), killed_by(signal));
    }
    let mut child = fork_child(&[], || std::process::abort()).unwrap();
    assert!(matches!(child.reap().unwrap(), ExitStatus::Killed { signal: Signal::Abrt, .. }));
    let real_time = libc::SIGRTMIN() + 1;
    let mut child = fork_child(&[], || {
        // SAFETY: no handler of ours runs for it.
        unsafe { libc::raise(real_time) };
        0
    })
    .unwrap();
    assert_eq!(child.reap().unwrap(), killed_by(Signal::Other(real_time)));
}

fn signalling_an_ended_child_is_no_error() {
    let mut child = fork_child(&[], || 0).unwrap();
    wait_until_ended(&child);
    child.signal(Signal::Kill).unwrap();
    assert_eq!(child.reap().unwrap(), ExitStatus::Exited(0), "it had ended before");
    child.signal(Signal::Kill).unwrap();
}

fn strangers_are_not_adopted() {
    Child::adopt(parent_pid().unwrap()).unwrap_err();
    Child::adopt(own_pid()).unwrap_err();
    let mut child = fork_child(&[], || 0).unwrap();
    child.reap().unwrap();
    Child::adopt(child.pid()).unwrap_err();
}

fn a_child_that_cannot_be_watched_is_not_left_behind() {
    let error = without_descriptors(|| fork_child(&[], wait_for_ever).unwrap_err());
    assert!(tally_sys::socket::is_out_of_descriptors(&error), "{error}");
    assert_eq!(children(), []);
}

fn a_process_that_ignores_the_end_of_children_learns_of_none() {
    signal::ignore(Signal::Chld).unwrap();
    let mut child = fork_child(&[], wait_for_ever).unwrap();
    child.signal(Signal::Kill).unwrap();
    child.reap().unwrap_err();
    signal::restore_default(Signal::Chld).unwrap();
    let mut child = fork_child(&[], || 3).unwrap();
    assert_eq!(child.reap().unwrap(), ExitStatus::Exited(3));
}

fn a_child_holds_only_what_it_was_given() {
    let (first, _other) = pipe().unwrap();
    let (_another, second) = pipe().unwrap();
    let mut child = fork_child(&[second.as_fd(), first.as_fd()], || {
        assert_eq!(open_descriptors(), [0, 1, 2, first.as_raw_fd(), second.as_raw_fd()]);
        0
    })
    .unwrap();
    assert_eq!(child.reap().unwrap(), ExitStatus::Exited(0));
    let mut child = fork_child(&[], || {
        assert_eq!(open_descriptors(), [0, 1, 2]);
        0
    })
    .unwrap();
    assert_eq!(child.reap().unwrap(), ExitStatus::Exited(0));
}

fn a_child_does_not_keep_a_pipe_of_its_parent_open() {
    let (reader, writer) = pipe().unwrap();
    let mut child = fork_child(&[], wait_for_ever).unwrap();
    drop(writer);
    assert_eq!(read_byte(&reader), None, "the child must not hold the other end");
    assert_eq!(child.try_reap().unwrap(), None, "the child still lives");
    child.signal(Signal::Kill).unwrap();
    child.reap().unwrap();
}

fn handed_descriptors_belong_to_the_child_alone() {
    let (reader, writer) = pipe().unwrap();
    let mut child = fork_child_with(vec![writer], |handed| {
        assert_eq!(open_descriptors().len(), 4);
        send_byte(&handed[0], b'x');
        0
    })
    .unwrap();
    assert_eq!(read_all(reader), "x", "the end shows that this process has no copy left");
    assert_eq!(child.reap().unwrap(), ExitStatus::Exited(0));
}

fn a_dropped_child_that_has_ended_leaves_no_zombie() {
    let child = fork_child(&[], || 0).unwrap();
    let pid = child.pid();
    wait_until_ended(&child);
    drop(child);
    Child::adopt(pid).unwrap_err();
}

fn a_process_with_threads_may_not_fork() {
    let (go, gone) = pipe().unwrap();
    let thread = std::thread::spawn(move || read_byte(&go));
    fork_child(&[], || 0).unwrap_err();
    clone_sibling(&[], || 0).unwrap_err();
    drop(gone);
    thread.join().unwrap();
    fork_child(&[], || 0).unwrap().reap().unwrap();
}

fn a_quiet_thread_is_in_no_forks_way() {
    let (go, gone) = pipe().unwrap();
    let quiet = QuietThread::start("quiet", move || read_byte(&go)).unwrap();
    // The child has one thread, and may fork in its turn.
    let mut child = fork_child(&[], || {
        let alone = single_threaded();
        let mut grandchild = fork_child(&[], || 5).unwrap();
        u8::from(!(alone && grandchild.reap().unwrap() == ExitStatus::Exited(5)))
    })
    .unwrap();
    assert_eq!(child.reap().unwrap(), ExitStatus::Exited(0));
    let (wait, waited) = pipe().unwrap();
    let loud = std::thread::spawn(move || read_byte(&wait));
    fork_child(&[], || 0).unwrap_err();
    drop(waited);
    loud.join().unwrap();
    drop(gone);
    quiet.join().unwrap();
    fork_child(&[], || 0).unwrap().reap().unwrap();
}

/// Has a child of this process, like a forkserver, clone a sibling that runs `body`. The maker
/// then waits for `release` to be dropped and exits with 0 if the sibling was none of its own.
fn sibling(handed: Vec<OwnedFd>, body: impl FnOnce(Vec<OwnedFd>) -> u8) -> (Child, Pid, OwnedFd) {
    let (ours, theirs) = packet_pair().unwrap();
    let (wait, release) = pipe().unwrap();
    let count = handed.len();
    let mut given = handed;
    given.extend([theirs, wait]);
    let maker = fork_child_with(given, move |mut given| {
        let rest = given.split_off(count);
        let pid = clone_sibling_with(given, body).unwrap();
        let foreign = Child::adopt(pid).is_err();
        send_packet(&rest[0], &pid.raw().to_ne_bytes(), &[]).unwrap();
        assert_eq!(read_byte(&rest[1]), None);
        u8::from(!foreign)
    })
    .unwrap();
    let mut bytes = [0; 4];
    assert_eq!(receive_packet(&ours, &mut bytes).unwrap().length, 4);
    (maker, Pid::from_raw(i32::from_ne_bytes(bytes)).unwrap(), release)
}

fn a_sibling_is_a_child_of_the_grandparent() {
    let expected = own_pid();
    let (mut maker, pid, release) = sibling(vec![], move |_| {
        assert_eq!(parent_pid(), Some(expected));
        7
    });
    let mut child = Child::adopt(pid).unwrap();
    assert_eq!(child.pid(), pid);
    wait_until_ended(&child);
    assert_eq!(child.try_reap().unwrap(), Some(ExitStatus::Exited(7)));
    assert_eq!(maker.try_reap().unwrap(), None);
    drop(release);
    assert_eq!(maker.reap().unwrap(), ExitStatus::Exited(0));
}

fn a_sibling_survives_its_maker() {
    let (go, gone) = pipe().unwrap();
    let (mut maker, pid, _release) = sibling(vec![go], |handed| read_byte(&handed[0]).unwrap());
    let mut child = Child::adopt(pid).unwrap();
    maker.signal(Signal::Kill).unwrap();
    assert_eq!(maker.reap().unwrap(), killed_by(Signal::Kill));
    assert_eq!(child.try_reap().unwrap(), None);
    send_byte(&gone, 9);
    assert_eq!(child.reap().unwrap(), ExitStatus::Exited(9));
}

fn a_sibling_ends_by_panic_and_by_abort_without_harm_to_its_maker() {
    type Body = fn(Vec<OwnedFd>) -> u8;
    let bodies: [(Body, ExitStatus); 3] = [
        (|_| panic!("on purpose"), ExitStatus::Exited(101)),
        (|_| std::process::abort(), killed_by(Signal::Abrt)),
        (
            |_| {
                // SAFETY: no handler of ours runs for it.
                unsafe { libc::raise(libc::SIGUSR1) };
                0
            },
            killed_by(Signal::Usr1),
        ),
    ];
    for (body, expected) in bodies {
        let (mut maker, pid, release) = sibling(vec![], body);
        let status = Child::adopt(pid).unwrap().reap().unwrap();
        match (status, expected) {
            // Whether an image is written depends on the machine.
            (ExitStatus::Killed { signal, .. }, ExitStatus::Killed { signal: wanted, .. }) => {
                assert_eq!(signal, wanted);
            }
            _ => assert_eq!(status, expected),
        }
        drop(release);
        assert_eq!(maker.reap().unwrap(), ExitStatus::Exited(0));
    }
}

fn a_sibling_holds_only_what_it_was_handed() {
    let (go, gone) = pipe().unwrap();
    let (reader, writer) = pipe().unwrap();
    let (mut maker, pid, release) = sibling(vec![go], |handed| {
        assert_eq!(open_descriptors(), [0, 1, 2, handed[0].as_raw_fd()]);
        read_byte(&handed[0]).unwrap()
    });
    drop(writer);
    assert_eq!(read_byte(&reader), None);
    send_byte(&gone, 1);
    assert_eq!(Child::adopt(pid).unwrap().reap().unwrap(), ExitStatus::Exited(1));
    drop(release);
    assert_eq!(maker.reap().unwrap(), ExitStatus::Exited(0));
}

fn a_sibling_knows_its_own_thread() {
    let (mut maker, pid, release) = sibling(vec![], |_| {
        // SAFETY: asks for the calling thread's own handle.
        let this = unsafe { libc::pthread_self() };
        // SAFETY: acts on the calling thread, by the id that the C library remembers for it: with
        // the maker's id the signal would end the maker.
        unsafe { libc::pthread_kill(this, libc::SIGUSR2) };
        0
    });
    assert_eq!(Child::adopt(pid).unwrap().reap().unwrap(), killed_by(Signal::Usr2));
    drop(release);
    assert_eq!(maker.reap().unwrap(), ExitStatus::Exited(0));
    let (mut maker, pid, release) = sibling(vec![], |_| {
        // SAFETY: asks for the calling thread's own handle.
        let this = unsafe { libc::pthread_self() };
        let mut clock = 0;
        // SAFETY: fills in the id of a clock, which is made from the remembered thread id.
        let result = unsafe { libc::pthread_getcpuclockid(this, &raw mut clock) };
        assert_eq!(result, 0);
        // The system keeps the complement of the thread id above three bits of kind.
        assert_eq!(!(clock >> 3), own_pid().raw());
        let thread = std::thread::spawn(|| 11);
        thread.join().unwrap()
    });
    assert_eq!(Child::adopt(pid).unwrap().reap().unwrap(), ExitStatus::Exited(11));
    drop(release);
    assert_eq!(maker.reap().unwrap(), ExitStatus::Exited(0));
}
