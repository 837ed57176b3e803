//! Frames arrive whole, once, in order.

use tally_transport::{LinkError, Received, Transport, Wait};

use crate::support::{await_command, await_frame, linked, patterned, with_worker};

pub(crate) fn every_length_in_order_both_ways(transport: Transport) {
    let (mut supervisor, _lifeline, mut worker) = linked(transport);
    let longest = supervisor.frame_bytes_max();
    let lengths: Vec<usize> = (0..70)
        .chain([127, 128, 129, 255, 256, 257, 1000, 1020, longest / 2, longest - 9])
        .chain(longest - 8..=longest)
        .filter(|&length| length <= longest)
        .collect();
    for (seed, length) in lengths.into_iter().enumerate() {
        let frame = patterned(length, seed);
        worker.send(&frame).unwrap();
        worker.flush().unwrap();
        assert_eq!(await_frame(&mut *supervisor), frame, "to the supervisor: {length} bytes");
        supervisor.send(&frame).unwrap();
        assert!(supervisor.flush().unwrap());
        assert_eq!(await_command(&mut *worker), frame, "to the worker: {length} bytes");
    }
    let mut rest = vec![1];
    assert_eq!(worker.receive(&mut rest, Wait::Never).unwrap(), Received::Empty);
    assert!(!supervisor.receive(&mut rest).unwrap());
    assert!(rest.is_empty());
}

pub(crate) fn a_frame_too_long_is_refused(transport: Transport) {
    let (mut supervisor, _lifeline, mut worker) = linked(transport);
    let longest = supervisor.frame_bytes_max();
    let frame = vec![0; longest + 1];
    for result in [supervisor.send(&frame), worker.send(&frame)] {
        match result {
            Err(LinkError::TooLong { bytes, bytes_max }) => {
                assert_eq!((bytes, bytes_max), (longest + 1, longest));
            }
            other => panic!("{other:?}"),
        }
    }
    worker.send(b"still alive").unwrap();
    worker.flush().unwrap();
    assert_eq!(await_frame(&mut *supervisor), b"still alive");
}

/// Twenty frames of mixed length fit into every transport without anybody waiting.
pub(crate) fn many_before_one_flush(transport: Transport) {
    let (mut supervisor, _lifeline, mut worker) = linked(transport);
    let frames: Vec<Vec<u8>> = (0..20).map(|number| patterned(number * 5, number)).collect();
    for frame in &frames {
        worker.send(frame).unwrap();
        supervisor.send(frame).unwrap();
    }
    worker.flush().unwrap();
    assert!(supervisor.flush().unwrap());
    for frame in &frames {
        assert_eq!(&await_frame(&mut *supervisor), frame);
        assert_eq!(&await_command(&mut *worker), frame);
    }
}

pub(crate) fn ping_pong(transport: Transport) {
    const ROUNDS: usize = 1_000;
    let (mut supervisor, _lifeline, worker) = with_worker(transport, |worker| {
        for _ in 0..ROUNDS {
            let frame = await_command(worker);
            worker.send(&frame).unwrap();
            worker.flush().unwrap();
        }
    });
    for round in 0..ROUNDS {
        let frame = patterned(round % 100, round);
        supervisor.send(&frame).unwrap();
        assert!(supervisor.flush().unwrap());
        assert_eq!(await_frame(&mut *supervisor), frame);
    }
    worker.join().unwrap();
}
