//! Sockets between processes, and sockets without descriptors left.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use rustix::process::{getgid, getuid};
use tally_sys::fd::pipe;
use tally_sys::process::{ExitStatus, fork_child, fork_child_with};
use tally_sys::socket::{
    Listener, Listening, is_out_of_descriptors, packet_pair, peer, probe, receive_packet, send_packet,
    unlink_stale,
};

use crate::support::{Directory, read_all, read_byte, send_byte, without_descriptors};

crate::checks!("sockets":
    the_peer_of_a_connection_is_known,
    descriptors_travel_to_another_process,
    accepting_without_descriptors_left_is_told_apart,
    descriptors_that_cannot_be_received_are_told,
    the_socket_of_a_killed_listener_is_stale,
);

fn the_peer_of_a_connection_is_known() {
    let directory = Directory::new();
    let path = directory.join("socket");
    let listener = Listener::bind(&path, 0o600).unwrap();
    let (go, gone) = pipe().unwrap();
    let mut child = fork_child(&[go.as_fd()], || {
        let _stream = UnixStream::connect(&path).unwrap();
        read_byte(&go).unwrap_or(0)
    })
    .unwrap();
    let mut poll = tally_sys::poll::Poll::new().unwrap();
    poll.watch(&listener, 1, tally_sys::poll::Interest::READ).unwrap();
    poll.wait(None, &mut Vec::new()).unwrap();
    let peer = peer(&listener.accept().unwrap().unwrap()).unwrap();
    assert_eq!((peer.pid, peer.uid, peer.gid), (Some(child.pid()), getuid().as_raw(), getgid().as_raw()));
    assert!(listener.accept().unwrap().is_none());
    drop(gone);
    assert!(child.reap().unwrap().success());
}

fn descriptors_travel_to_another_process() {
    let (ours, theirs) = packet_pair().unwrap();
    let mut child = fork_child_with(vec![theirs], |fds| {
        let mut buffer = [0; 16];
        let packet = receive_packet(&fds[0], &mut buffer).unwrap();
        assert_eq!((packet.length, packet.truncated), (5, false));
        send_byte(&packet.fds[0], buffer[0]);
        assert_eq!(receive_packet(&fds[0], &mut buffer).unwrap().length, 0, "the end");
        0
    })
    .unwrap();
    let (reader, writer) = pipe().unwrap();
    send_packet(&ours, b"hello", &[writer.as_fd()]).unwrap();
    drop((writer, ours));
    assert_eq!(read_all(reader), "h");
    assert_eq!(child.reap().unwrap(), ExitStatus::Exited(0));
    let (ours, theirs) = packet_pair().unwrap();
    drop(theirs);
    assert_eq!(send_packet(&ours, b"x", &[]).unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
}

fn accepting_without_descriptors_left_is_told_apart() {
    let directory = Directory::new();
    let path = directory.join("socket");
    let listener = Listener::bind(&path, 0o600).unwrap();
    let _client = UnixStream::connect(&path).unwrap();
    let error = without_descriptors(|| listener.accept().unwrap_err());
    assert!(is_out_of_descriptors(&error), "{error}");
    assert!(listener.accept().unwrap().is_some(), "the client is still waiting");
    assert!(!is_out_of_descriptors(&std::io::ErrorKind::NotFound.into()));
}

fn descriptors_that_cannot_be_received_are_told() {
    let (ours, theirs) = packet_pair().unwrap();
    send_packet(&ours, b"x", &[ours.as_fd()]).unwrap();
    let packet = without_descriptors(|| receive_packet(&theirs, &mut [0; 8]).unwrap());
    assert_eq!((packet.length, packet.fds.len(), packet.truncated), (1, 0, true));
}

fn the_socket_of_a_killed_listener_is_stale() {
    let directory = Directory::new();
    let path = directory.join("socket");
    let mut child = fork_child(&[], || {
        let _listener = Listener::bind(&path, 0o600).unwrap();
        std::process::abort()
    })
    .unwrap();
    child.reap().unwrap();
    assert_eq!(probe(&path).unwrap(), Listening::Stale);
    assert!(unlink_stale(&path).unwrap());
    assert_eq!(probe(&path).unwrap(), Listening::Absent);
}
