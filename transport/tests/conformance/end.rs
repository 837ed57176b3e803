//! What is left when one end goes away.

use std::sync::mpsc;

use tally_transport::{LinkError, Received, Transport, Wait};

use crate::support::{drain, linked, numbered, offered, rings, with_worker};

pub(crate) fn a_dropped_worker_leaves_what_it_had_handed_over(transport: Transport) {
    let (mut supervisor, _lifeline, mut worker) = linked(transport);
    for number in 0..10 {
        worker.send(&numbered(number)).unwrap();
    }
    worker.flush().unwrap();
    worker.send(b"never flushed").unwrap();
    drop(worker);
    let mut frames = drain(&mut *supervisor);
    if frames.len() == 11 {
        // Some links hand a frame over before the flush. Then it is there, and it is whole.
        assert_eq!(frames.pop().unwrap(), b"never flushed");
    }
    assert_eq!(frames, (0..10).map(numbered).collect::<Vec<_>>());
    // A supervisor that has not yet learnt of the death goes on in peace.
    for number in 0..1_000 {
        match supervisor.send(&numbered(number)).and_then(|()| supervisor.flush()) {
            Ok(_) | Err(LinkError::Closed) => {}
            Err(error) => panic!("could not {error}"),
        }
    }
    assert_eq!(drain(&mut *supervisor), Vec::<Vec<u8>>::new());
}

pub(crate) fn a_dropped_supervisor_ends_a_wait(transport: Transport) {
    let (waiting, waits) = mpsc::channel();
    let (supervisor, lifeline, worker) = with_worker(transport, move |worker| {
        waiting.send(()).unwrap();
        worker.receive(&mut Vec::new(), Wait::Forever).unwrap()
    });
    waits.recv().unwrap();
    drop(supervisor);
    drop(lifeline);
    assert_eq!(worker.join().unwrap(), Received::Closed);
}

pub(crate) fn a_dropped_supervisor_ends_a_blocked_send(transport: Transport) {
    let (supervisor, lifeline, worker) = with_worker(transport, send_for_ever);
    crate::support::wait_for_bell(&*supervisor);
    drop(supervisor);
    drop(lifeline);
    assert!(matches!(worker.join().unwrap(), LinkError::Closed));
}

pub(crate) fn a_closed_lifeline_ends_a_wait(transport: Transport) {
    let (waiting, waits) = mpsc::channel();
    let (supervisor, lifeline, worker) = with_worker(transport, move |worker| {
        waiting.send(()).unwrap();
        worker.receive(&mut Vec::new(), Wait::Forever).unwrap()
    });
    waits.recv().unwrap();
    let _supervisor = outlive_the_lifeline(transport, supervisor, lifeline);
    assert_eq!(worker.join().unwrap(), Received::Closed);
}

pub(crate) fn a_closed_lifeline_ends_a_blocked_send(transport: Transport) {
    let (supervisor, lifeline, worker) = with_worker(transport, send_for_ever);
    crate::support::wait_for_bell(&*supervisor);
    let _supervisor = outlive_the_lifeline(transport, supervisor, lifeline);
    assert!(matches!(worker.join().unwrap(), LinkError::Closed));
}

pub(crate) fn a_worker_that_never_opens_costs_nothing(transport: Transport) {
    let (mut supervisor, _lifeline, seat) = offered(transport);
    supervisor.send(b"x").unwrap();
    supervisor.flush().unwrap();
    assert!(!rings(&*supervisor));
    assert!(!supervisor.receive(&mut Vec::new()).unwrap());
    drop(seat);
    drop(drain(&mut *supervisor));
}

/// Closes the lifeline alone, and keeps the link. A worker that waits in a semaphore cannot see
/// that; with that transport the link goes too.
fn outlive_the_lifeline<S, L>(transport: Transport, supervisor: S, lifeline: L) -> Option<S> {
    drop(lifeline);
    (transport != Transport::ShmNamed).then_some(supervisor)
}

fn send_for_ever(worker: &mut dyn tally_transport::WorkerLink) -> LinkError {
    loop {
        if let Err(error) = worker.send(&numbered(0)).and_then(|()| worker.flush()) {
            return error;
        }
    }
}
