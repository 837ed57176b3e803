//! A worker that is another program's process: the offer travels over the lifeline.

use std::os::fd::AsFd;
use std::process::ExitCode;

use tally_sys::fd;
use tally_sys::process::spawn_self;
use tally_sys::socket::{packet_pair, receive_packet, send_packet};
use tally_transport::{OFFER_TEXT_BYTES_MAX, Received, Transport, Wait, create, open};

use crate::support::{Worker, await_frames, numbered};

crate::checks! { "start":
    a_spawned_worker_opens_from_a_packet,
}

/// The role of a worker that sends back what it receives; the lifeline is its standard input.
pub(crate) const ECHO: &str = "role-echo";

pub(crate) fn echo() -> ExitCode {
    let lifeline = std::io::stdin();
    let mut text = vec![0; OFFER_TEXT_BYTES_MAX];
    let packet = receive_packet(lifeline.as_fd(), &mut text).unwrap();
    assert!(!packet.truncated);
    text.truncate(packet.length);
    let mut link = open(&text, packet.fds, lifeline.as_fd()).unwrap();
    send_packet(lifeline.as_fd(), b"o", &[]).unwrap();
    let mut frame = Vec::new();
    while link.receive(&mut frame, Wait::Forever).unwrap() == Received::Frame {
        link.send(&frame).unwrap();
    }
    ExitCode::from(7)
}

fn a_spawned_worker_opens_from_a_packet() {
    for transport in Transport::ALL {
        let (link, offer) = create(transport, "1").unwrap();
        let (lifeline, theirs) = packet_pair().unwrap();
        let errors = fd::null_device().unwrap();
        let child = spawn_self(&[ECHO], theirs, errors, true).unwrap();
        let fds: Vec<_> = offer.fds.iter().map(AsFd::as_fd).collect();
        send_packet(&lifeline, &offer.text, &fds).unwrap();
        drop(offer);
        let mut byte = [0];
        assert_eq!(receive_packet(&lifeline, &mut byte).unwrap().length, 1);
        let mut worker = Worker { link, lifeline, child };
        worker.link.peer_opened().unwrap();
        for number in 0..100 {
            worker.link.send(&numbered(number)).unwrap();
            worker.link.flush().unwrap();
            assert_eq!(await_frames(&mut worker, 1), [numbered(number)]);
        }
        // Both ends of what it can see: the link, and the lifeline.
        drop(worker.link);
        drop(worker.lifeline);
        assert_eq!(worker.child.reap().unwrap().to_string(), "exited with status 7", "{transport}");
    }
}
