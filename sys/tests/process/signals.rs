//! Signals as a stream, and what a child inherits of them.

use std::os::fd::AsFd;
use std::time::Duration;

use tally_sys::fd::pipe;
use tally_sys::poll::{Interest, Poll};
use tally_sys::process::{self, ExitStatus, fork_child, own_pid};
use tally_sys::signal::{self, Signal, SignalStream};

use crate::support::{killed_by, own_status, read_byte, send_byte, wait_for_ever};

crate::checks!("signals":
    signals_arrive_in_order_and_wake_a_poll,
    a_dropped_stream_swallows_its_signals,
    ignored_and_restored_signals_can_be_caught_again,
    a_signal_to_a_new_child_never_shows_in_its_parent,
    a_child_starts_with_default_effects_and_nothing_blocked,
    a_child_can_have_a_stream_of_its_own,
    the_mask_of_the_parent_is_put_back,
);

fn signals_arrive_in_order_and_wake_a_poll() {
    let mut stream = SignalStream::new(&[Signal::Term, Signal::Usr1, Signal::Term]).unwrap();
    let mut poll = Poll::new().unwrap();
    poll.watch(&stream, 1, Interest::READ).unwrap();
    let mut ready = Vec::new();
    poll.wait(Some(Duration::ZERO), &mut ready).unwrap();
    assert_eq!(ready, []);
    assert_eq!(stream.pending().unwrap(), []);
    for signal in [Signal::Usr1, Signal::Term, Signal::Usr1] {
        process::send(own_pid(), signal).unwrap();
    }
    poll.wait(None, &mut ready).unwrap();
    assert!(ready[0].readable);
    assert_eq!(stream.pending().unwrap(), [Signal::Usr1, Signal::Term, Signal::Usr1]);
    assert_eq!(stream.pending().unwrap(), []);
}

fn a_dropped_stream_swallows_its_signals() {
    drop(SignalStream::new(&[Signal::Term]).unwrap());
    process::send(own_pid(), Signal::Term).unwrap();
    let mut stream = SignalStream::new(&[Signal::Term]).unwrap();
    assert_eq!(stream.pending().unwrap(), []);
    process::send(own_pid(), Signal::Term).unwrap();
    assert_eq!(stream.pending().unwrap(), [Signal::Term]);
}

fn ignored_and_restored_signals_can_be_caught_again() {
    let mut stream = SignalStream::new(&[Signal::Hup]).unwrap();
    signal::ignore(Signal::Hup).unwrap();
    process::send(own_pid(), Signal::Hup).unwrap();
    assert_eq!(stream.pending().unwrap(), []);
    drop(stream);
    let mut stream = SignalStream::new(&[Signal::Hup]).unwrap();
    process::send(own_pid(), Signal::Hup).unwrap();
    assert_eq!(stream.pending().unwrap(), [Signal::Hup]);
    let mut child = fork_child(&[], || {
        signal::ignore(Signal::Hup).unwrap();
        process::send(own_pid(), Signal::Hup).unwrap();
        signal::restore_default(Signal::Hup).unwrap();
        process::send(own_pid(), Signal::Hup).unwrap();
        0
    })
    .unwrap();
    assert_eq!(child.reap().unwrap(), killed_by(Signal::Hup));
}

fn a_signal_to_a_new_child_never_shows_in_its_parent() {
    let signals = [Signal::Term, Signal::Int, Signal::Hup, Signal::Usr1];
    let mut stream = SignalStream::new(&signals).unwrap();
    for signal in signals.into_iter().cycle().take(400) {
        let mut child = fork_child(&[], wait_for_ever).unwrap();
        // The child may still be anywhere between the fork and its body.
        child.signal(signal).unwrap();
        assert_eq!(child.reap().unwrap(), killed_by(signal));
        assert_eq!(stream.pending().unwrap(), []);
    }
}

/// The two signals that the C library keeps for itself: nobody else can change their effect.
const RESERVED: u64 = 1 << 31 | 1 << 32;

/// The signals of a hexadecimal mask in `/proc/self/status`.
fn in_mask(field: &str) -> Vec<Signal> {
    let mask = u64::from_str_radix(&own_status(field), 16).unwrap() & !RESERVED;
    (0..64).filter(|bit| mask >> bit & 1 == 1).map(|bit| Signal::from_raw(bit + 1)).collect()
}

fn a_child_starts_with_default_effects_and_nothing_blocked() {
    let _stream = SignalStream::new(&[Signal::Term, Signal::Chld]).unwrap();
    signal::ignore(Signal::Usr2).unwrap();
    assert!(in_mask("SigCgt").contains(&Signal::Term));
    let mut child = fork_child(&[], || {
        assert_eq!(in_mask("SigBlk"), []);
        assert_eq!(in_mask("SigIgn"), [Signal::Pipe]);
        let caught = in_mask("SigCgt");
        assert!(caught.iter().all(|signal| matches!(signal, Signal::Segv | Signal::Bus)), "{caught:?}");
        0
    })
    .unwrap();
    assert_eq!(child.reap().unwrap(), ExitStatus::Exited(0));
}

fn a_child_can_have_a_stream_of_its_own() {
    let mut ours = SignalStream::new(&[Signal::Usr1]).unwrap();
    let (ready, tell) = pipe().unwrap();
    let mut child = fork_child(&[tell.as_fd()], || {
        let mut stream = SignalStream::new(&[Signal::Usr1, Signal::Usr2]).unwrap();
        send_byte(&tell, 1);
        let mut poll = Poll::new().unwrap();
        poll.watch(&stream, 1, Interest::READ).unwrap();
        let mut seen = Vec::new();
        while seen.len() < 2 {
            poll.wait(None, &mut Vec::new()).unwrap();
            seen.extend(stream.pending().unwrap());
        }
        seen.sort_unstable();
        assert_eq!(seen, [Signal::Usr1, Signal::Usr2]);
        0
    })
    .unwrap();
    assert_eq!(read_byte(&ready), Some(1));
    child.signal(Signal::Usr1).unwrap();
    child.signal(Signal::Usr2).unwrap();
    assert_eq!(child.reap().unwrap(), ExitStatus::Exited(0));
    assert_eq!(ours.pending().unwrap(), []);
}

fn the_mask_of_the_parent_is_put_back() {
    assert_eq!(in_mask("SigBlk"), []);
    fork_child(&[], || 0).unwrap().reap().unwrap();
    assert_eq!(in_mask("SigBlk"), []);
    nix::sys::signal::SigSet::from(nix::sys::signal::Signal::SIGUSR1).thread_block().unwrap();
    fork_child(&[], || 0).unwrap().reap().unwrap();
    assert_eq!(in_mask("SigBlk"), [Signal::Usr1]);
    signal::unblock_all().unwrap();
    assert_eq!(in_mask("SigBlk"), []);
}
