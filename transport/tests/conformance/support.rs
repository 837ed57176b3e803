//! Both ends of a link, and the supervisor's side of a turn.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tally_sys::poll::{Interest, Poll, Ready};
use tally_transport::{
    LinkError, OFFER_FDS_MAX, OFFER_TEXT_BYTES_MAX, Received, SupervisorLink, Transport, Wait, WorkerLink,
    create, open,
};

/// A wait that takes this long has hung.
const HUNG: Duration = Duration::from_secs(60);

/// What the worker's side starts from.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) text: Vec<u8>,
    pub(crate) fds: Vec<OwnedFd>,
    pub(crate) lifeline: UnixStream,
}

impl Seat {
    pub(crate) fn open(self) -> Box<dyn WorkerLink> {
        open(&self.text, self.fds, self.lifeline.as_fd()).unwrap()
    }
}

/// A link of which only the supervisor's end is open; its end of the lifeline; the worker's seat.
pub(crate) fn offered(transport: Transport) -> (Box<dyn SupervisorLink>, UnixStream, Seat) {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let tag = format!("test-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let (supervisor, offer) = create(transport, &tag).unwrap();
    assert!(offer.text.len() <= OFFER_TEXT_BYTES_MAX && offer.fds.len() <= OFFER_FDS_MAX);
    assert_eq!(supervisor.transport(), transport);
    let (held, lifeline) = UnixStream::pair().unwrap();
    (supervisor, held, Seat { text: offer.text, fds: offer.fds, lifeline })
}

/// A link with both ends open in this thread.
pub(crate) fn linked(transport: Transport) -> (Box<dyn SupervisorLink>, UnixStream, Box<dyn WorkerLink>) {
    let (mut supervisor, held, seat) = offered(transport);
    let worker = seat.open();
    assert_eq!(worker.transport(), transport);
    assert_eq!(worker.frame_bytes_max(), supervisor.frame_bytes_max());
    supervisor.peer_opened().unwrap();
    (supervisor, held, worker)
}

/// A link whose worker's end lives in a thread of its own.
pub(crate) fn with_worker<T: Send + 'static>(
    transport: Transport,
    work: impl FnOnce(&mut dyn WorkerLink) -> T + Send + 'static,
) -> (Box<dyn SupervisorLink>, UnixStream, JoinHandle<T>) {
    let (mut supervisor, held, seat) = offered(transport);
    let (opened, is_opened) = mpsc::channel();
    let worker = thread::spawn(move || {
        let mut link = seat.open();
        opened.send(()).unwrap();
        work(&mut *link)
    });
    is_opened.recv().unwrap();
    supervisor.peer_opened().unwrap();
    (supervisor, held, worker)
}

/// Whether the doorbell is readable now.
pub(crate) fn rings(supervisor: &dyn SupervisorLink) -> bool {
    !poll(supervisor, Duration::ZERO).is_empty()
}

/// Waits until the doorbell is readable.
pub(crate) fn wait_for_bell(supervisor: &dyn SupervisorLink) {
    assert!(!poll(supervisor, HUNG).is_empty(), "the doorbell stays silent");
}

fn poll(supervisor: &dyn SupervisorLink, timeout: Duration) -> Vec<Ready> {
    let mut poll = Poll::new().unwrap();
    poll.watch(supervisor.doorbell(), 0, Interest::READ).unwrap();
    let mut ready = Vec::new();
    poll.wait(Some(timeout), &mut ready).unwrap();
    ready
}

/// The next frame, awaited as the supervisor does.
pub(crate) fn await_frame(supervisor: &mut dyn SupervisorLink) -> Vec<u8> {
    let mut frame = Vec::new();
    loop {
        if supervisor.receive(&mut frame).unwrap() {
            return frame;
        }
        if !supervisor.before_sleep().unwrap() {
            wait_for_bell(supervisor);
            supervisor.answer().unwrap();
        }
    }
}

/// Flushes whenever the doorbell rings until nothing waits.
pub(crate) fn await_flushed(supervisor: &mut dyn SupervisorLink) {
    while !supervisor.flush().unwrap() {
        wait_for_bell(supervisor);
        supervisor.answer().unwrap();
        assert_eq!(drain(supervisor), Vec::<Vec<u8>>::new());
    }
}

/// Every frame that is there; the end of the link ends it too.
pub(crate) fn drain(supervisor: &mut dyn SupervisorLink) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    loop {
        let mut frame = vec![0xee; 3];
        match supervisor.receive(&mut frame) {
            Ok(true) => frames.push(frame),
            // Both say "nothing": look again only if the link itself says so.
            Ok(false) if supervisor.before_sleep().unwrap() => {}
            Ok(false) | Err(LinkError::Closed) => return frames,
            Err(error) => panic!("could not {error}"),
        }
    }
}

/// The next command, awaited.
pub(crate) fn await_command(worker: &mut dyn WorkerLink) -> Vec<u8> {
    let mut frame = vec![0xee; 3];
    assert_eq!(worker.receive(&mut frame, Wait::Forever).unwrap(), Received::Frame);
    frame
}

/// A frame of that length whose bytes depend on `seed`.
pub(crate) fn patterned(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|at| (at.wrapping_mul(31) ^ seed.wrapping_mul(7)).to_le_bytes()[0]).collect()
}

/// The numbered frame of the long streams: 32 bytes.
pub(crate) fn numbered(number: u32) -> Vec<u8> {
    let mut frame = number.to_le_bytes().to_vec();
    frame.extend(patterned(28, usize::try_from(number).unwrap()));
    frame
}
