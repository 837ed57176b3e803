//! One descriptor tells the supervisor all it needs.

use tally_transport::Transport;

use crate::support::{drain, linked, numbered, rings, wait_for_bell, with_worker};

pub(crate) fn the_bell_is_readable_exactly_when_something_is_there(transport: Transport) {
    let (mut supervisor, _lifeline, mut worker) = linked(transport);
    for number in 0..5 {
        supervisor.answer().unwrap();
        assert_eq!(drain(&mut *supervisor), Vec::<Vec<u8>>::new());
        assert!(!supervisor.before_sleep().unwrap());
        assert!(!rings(&*supervisor), "round {number}: nothing was sent");
        worker.send(&numbered(number)).unwrap();
        worker.flush().unwrap();
        assert!(rings(&*supervisor), "round {number}: a frame was sent");
        supervisor.answer().unwrap();
        assert_eq!(drain(&mut *supervisor), [numbered(number)]);
    }
}

pub(crate) fn what_is_left_is_announced_before_sleeping(transport: Transport) {
    let (mut supervisor, _lifeline, mut worker) = linked(transport);
    for number in 0..6 {
        worker.send(&numbered(number)).unwrap();
    }
    worker.flush().unwrap();
    let mut frame = Vec::new();
    for number in 0..6 {
        assert!(supervisor.before_sleep().unwrap() || rings(&*supervisor), "{number} taken of 6");
        supervisor.answer().unwrap();
        assert!(supervisor.receive(&mut frame).unwrap());
        assert_eq!(frame, numbered(number));
    }
    assert!(!supervisor.receive(&mut frame).unwrap());
    assert!(!supervisor.before_sleep().unwrap() && !rings(&*supervisor));
}

/// As long as a link was found empty once, nothing else need be called to be woken.
pub(crate) fn the_first_frame_after_an_empty_receive_rings(transport: Transport) {
    let (mut supervisor, _lifeline, mut worker) = linked(transport);
    let mut frame = Vec::new();
    for number in 0..5 {
        supervisor.answer().unwrap();
        assert!(!supervisor.receive(&mut frame).unwrap());
        worker.send(&numbered(number)).unwrap();
        worker.flush().unwrap();
        assert!(rings(&*supervisor));
        assert!(supervisor.receive(&mut frame).unwrap());
    }
}

/// The race of a sleeping supervisor: after each frame the worker may or may not see that the
/// supervisor sleeps. A lost wake-up would hang this check.
pub(crate) fn answering_before_receiving_loses_nothing(transport: Transport) {
    const FRAMES: u32 = 20_000;
    let (mut supervisor, _lifeline, worker) = with_worker(transport, |worker| {
        for number in 0..FRAMES {
            worker.send(&numbered(number)).unwrap();
            worker.flush().unwrap();
        }
    });
    let mut received = 0;
    while received < FRAMES {
        if !supervisor.before_sleep().unwrap() {
            wait_for_bell(&*supervisor);
            supervisor.answer().unwrap();
        }
        for frame in drain(&mut *supervisor) {
            assert_eq!(frame, numbered(received));
            received += 1;
        }
    }
    worker.join().unwrap();
}
