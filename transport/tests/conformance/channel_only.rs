//! Workers that do not connect as they should: only a channel has a connection to accept.

use ipc_channel::ipc::IpcSender;
use tally_transport::Transport;

use crate::support::{Seat, offered};

fn path(seat: &Seat) -> String {
    String::from_utf8(seat.text.clone()).unwrap().split_once(' ').unwrap().1.to_owned()
}

#[test]
fn a_worker_that_lies_about_connecting_is_not_waited_for() {
    let (mut supervisor, _lifeline, _seat) = offered(Transport::Channel);
    let error = supervisor.peer_opened().unwrap_err().to_string();
    assert!(error.contains("has connected, and has not"), "{error}");
    assert!(!supervisor.receive(&mut Vec::new()).unwrap());
    supervisor.peer_opened().unwrap_err();
}

#[test]
fn a_bootstrap_that_makes_ipc_channel_panic_is_an_error() {
    let (mut supervisor, _lifeline, seat) = offered(Transport::Channel);
    let connection = IpcSender::connect(path(&seat)).unwrap();
    // Reads as two channels that did not come along.
    connection.send((1_u8, 5_usize, 6_usize)).unwrap();
    let error = supervisor.peer_opened().unwrap_err().to_string();
    assert!(error.contains("cannot read"), "{error}");
}

#[test]
fn a_bootstrap_of_another_kind_is_an_error() {
    let (mut supervisor, _lifeline, seat) = offered(Transport::Channel);
    let connection = IpcSender::connect(path(&seat)).unwrap();
    connection.send("hello".to_owned()).unwrap();
    supervisor.peer_opened().unwrap_err();
}
