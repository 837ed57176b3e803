//! What a link costs: a round trip with a worker in another process, and a stream from it.
//!
//! `cargo bench -p tally-transport`. Wall times depend on the machine and its load; compare
//! transports of one run.
#![expect(clippy::print_stdout, reason = "the figures")]

use std::os::fd::AsFd;

use tally_sys::clock::monotonic_ns;
use tally_sys::poll::{Interest, Poll};
use tally_sys::process::{arm_parent_death, fork_child_with, own_pid};
use tally_sys::socket::packet_pair;
use tally_transport::{Received, SupervisorLink, Transport, Wait, WorkerLink, create, open};

const ROUND_TRIPS: usize = 20_000;
const STREAM_FRAMES: u64 = 500_000;
const FRAME: [u8; 64] = [7; 64];

fn main() {
    println!("transport   round trip p50 us   p99 us   stream frames/s");
    for transport in Transport::ALL {
        let (p50, p99) = round_trips(transport);
        let rate = stream(transport);
        println!("{:<11} {p50:>17.1} {p99:>8.1} {rate:>17}", transport.name());
    }
}

fn round_trips(transport: Transport) -> (f64, f64) {
    let mut times = Vec::with_capacity(ROUND_TRIPS);
    with_worker(transport, echo, |link| {
        let mut bell = Bell::new(link);
        for _ in 0..ROUND_TRIPS {
            let start = monotonic_ns();
            link.send(&FRAME).unwrap();
            link.flush().unwrap();
            bell.await_frame(link);
            times.push(monotonic_ns() - start);
        }
    });
    times.sort_unstable();
    (micros(times[ROUND_TRIPS / 2]), micros(times[ROUND_TRIPS * 99 / 100]))
}

fn stream(transport: Transport) -> u64 {
    let mut rate = 0;
    with_worker(transport, pour, |link| {
        let mut bell = Bell::new(link);
        let start = monotonic_ns();
        for _ in 0..STREAM_FRAMES {
            bell.await_frame(link);
        }
        rate = STREAM_FRAMES * 1_000_000_000 / (monotonic_ns() - start);
    });
    rate
}

fn echo(link: &mut dyn WorkerLink) {
    let mut frame = Vec::new();
    while link.receive(&mut frame, Wait::Forever).unwrap() == Received::Frame {
        link.send(&frame).unwrap();
    }
}

/// Flushes every sixteen frames, as a worker with a few partitions at once would.
fn pour(link: &mut dyn WorkerLink) {
    for number in 1..=STREAM_FRAMES {
        link.send(&FRAME).unwrap();
        if number % 16 == 0 {
            link.flush().unwrap();
        }
    }
    assert_eq!(link.receive(&mut Vec::new(), Wait::Forever).unwrap(), Received::Closed);
}

/// The supervisor's poll.
struct Bell {
    poll: Poll,
    frame: Vec<u8>,
}

impl Bell {
    fn new(link: &dyn SupervisorLink) -> Self {
        let poll = Poll::new().unwrap();
        poll.watch(link.doorbell(), 0, Interest::READ).unwrap();
        Self { poll, frame: Vec::new() }
    }

    fn await_frame(&mut self, link: &mut dyn SupervisorLink) {
        while !link.receive(&mut self.frame).unwrap() {
            if !link.before_sleep().unwrap() {
                self.poll.wait(None, &mut Vec::new()).unwrap();
                link.answer().unwrap();
            }
        }
    }
}

/// Runs `work` in a worker process and `supervise` here.
fn with_worker(
    transport: Transport,
    work: fn(&mut dyn WorkerLink),
    supervise: impl FnOnce(&mut dyn SupervisorLink),
) {
    let (mut link, offer) = create(transport, "bench").unwrap();
    let (lifeline, theirs) = packet_pair().unwrap();
    let mut handed = offer.fds;
    handed.push(theirs);
    let (parent, text) = (own_pid(), offer.text);
    let mut child = fork_child_with(handed, move |mut handed| {
        arm_parent_death(parent).unwrap();
        let lifeline = handed.pop().unwrap();
        let mut link = open(&text, handed, lifeline.as_fd()).unwrap();
        tally_sys::fd::write_some(&lifeline, b"o").unwrap();
        work(&mut *link);
        0
    })
    .unwrap();
    tally_sys::fd::read_some(&lifeline, &mut [0]).unwrap();
    link.peer_opened().unwrap();
    supervise(&mut *link);
    drop(link);
    drop(lifeline);
    assert!(child.reap().unwrap().success());
}

#[expect(clippy::cast_precision_loss, reason = "a figure to read")]
fn micros(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1_000.0
}
