//! A full link makes the worker wait, never the supervisor.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tally_transport::{LinkError, OUTBOX_BYTES_MAX, Transport};

use crate::support::{
    await_command, await_flushed, await_frame, drain, linked, numbered, offered, wait_for_bell, with_worker,
};

/// More than any transport holds by itself.
const FRAMES: u32 = 10_000;

pub(crate) fn a_slow_supervisor_makes_the_worker_wait(transport: Transport) {
    let finished = Arc::new(AtomicBool::new(false));
    let worker_finished = Arc::clone(&finished);
    let (mut supervisor, _lifeline, worker) = with_worker(transport, move |worker| {
        for number in 0..FRAMES {
            worker.send(&numbered(number)).unwrap();
        }
        worker.flush().unwrap();
        worker_finished.store(true, Ordering::SeqCst);
    });
    wait_for_bell(&*supervisor);
    for number in 0..FRAMES {
        assert_eq!(await_frame(&mut *supervisor), numbered(number));
        if number == 0 {
            assert!(!finished.load(Ordering::SeqCst), "no link holds {FRAMES} frames");
        }
        if number % 1_000 == 999 {
            // One frame a turn, and now and then a supervisor that is busy elsewhere.
            std::thread::yield_now();
        }
    }
    worker.join().unwrap();
    assert_eq!(drain(&mut *supervisor), Vec::<Vec<u8>>::new());
}

/// The worker only reads and answers nothing: it is the link that must tell of the room.
pub(crate) fn a_slow_worker_does_not_make_the_supervisor_wait(transport: Transport) {
    let (mut supervisor, _held, seat) = offered(transport);
    let (opened, is_opened) = std::sync::mpsc::channel();
    let (go, may_go) = std::sync::mpsc::channel();
    let worker = std::thread::spawn(move || {
        let mut link = seat.open();
        opened.send(()).unwrap();
        may_go.recv().unwrap();
        for number in 0..FRAMES {
            assert_eq!(await_command(&mut *link), numbered(number));
        }
        link.send(b"all").unwrap();
        link.flush().unwrap();
    });
    is_opened.recv().unwrap();
    supervisor.peer_opened().unwrap();
    for number in 0..FRAMES {
        supervisor.send(&numbered(number)).unwrap();
        if number % 16 == 0 {
            supervisor.flush().unwrap();
        }
    }
    assert!(!supervisor.flush().unwrap(), "no link holds {FRAMES} frames");
    go.send(()).unwrap();
    assert_eq!(await_frame(&mut *supervisor), b"all");
    worker.join().unwrap();
}

pub(crate) fn an_outbox_has_an_end_and_recovers(transport: Transport) {
    let (mut supervisor, _held, seat) = offered(transport);
    let frame = vec![7; supervisor.frame_bytes_max()];
    let mut accepted = 0_usize;
    loop {
        match supervisor.send(&frame) {
            Ok(()) => accepted += 1,
            Err(LinkError::Full) => break,
            Err(error) => panic!("could not {error}"),
        }
        supervisor.flush().unwrap();
    }
    let bytes = accepted * frame.len();
    let beyond = OUTBOX_BYTES_MAX + (1 << 20);
    assert!((OUTBOX_BYTES_MAX - (64 << 10)..beyond).contains(&bytes), "{bytes} bytes were taken");
    assert!(matches!(supervisor.send(&frame), Err(LinkError::Full)), "no smaller frame was sent since");

    let (opened, is_opened) = std::sync::mpsc::channel();
    let expected = frame.clone();
    let worker = std::thread::spawn(move || {
        let mut link = seat.open();
        opened.send(()).unwrap();
        for _ in 0..accepted {
            assert_eq!(await_command(&mut *link), expected);
        }
        await_command(&mut *link)
    });
    is_opened.recv().unwrap();
    supervisor.peer_opened().unwrap();
    await_flushed(&mut *supervisor);
    supervisor.send(b"one more").unwrap();
    await_flushed(&mut *supervisor);
    assert_eq!(worker.join().unwrap(), b"one more");
}

/// The worker fills its direction and waits in `send`, while the supervisor has filled the other.
pub(crate) fn both_directions_full_at_once(transport: Transport) {
    let (mut supervisor, _lifeline, worker) = with_worker(transport, |worker| {
        for number in 0..FRAMES {
            worker.send(&numbered(number)).unwrap();
        }
        for number in 0..FRAMES {
            assert_eq!(await_command(worker), numbered(number));
        }
        worker.send(b"done").unwrap();
        worker.flush().unwrap();
    });
    for number in 0..FRAMES {
        supervisor.send(&numbered(number)).unwrap();
    }
    supervisor.flush().unwrap();
    for number in 0..FRAMES {
        assert_eq!(await_frame(&mut *supervisor), numbered(number));
    }
    assert_eq!(await_frame(&mut *supervisor), b"done");
    assert!(supervisor.flush().unwrap());
    worker.join().unwrap();
    let (mut supervisor, _lifeline, mut worker) = linked(transport);
    supervisor.send(b"x").unwrap();
    supervisor.flush().unwrap();
    assert_eq!(await_command(&mut *worker), b"x");
}
