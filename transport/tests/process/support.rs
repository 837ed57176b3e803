//! Links to forked workers, and what several checks need.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use tally_sys::poll::{Interest, Poll};
use tally_sys::process::{Child, arm_parent_death, fork_child_with, own_pid, send};
use tally_sys::signal::Signal;
use tally_sys::socket::packet_pair;
use tally_sys::{fd, identity::Identity};
use tally_transport::{LinkError, SupervisorLink, Transport, WorkerLink, create, open};

/// A wait that takes this long has hung.
const HUNG: Duration = Duration::from_secs(60);

/// A link to a worker in a process of its own.
pub(crate) struct Worker {
    pub(crate) link: Box<dyn SupervisorLink>,
    pub(crate) lifeline: OwnedFd,
    pub(crate) child: Child,
}

/// Forks a worker that opens its end, says so and goes on with `work`. It ends with this process.
pub(crate) fn fork_worker(
    transport: Transport,
    tag: &str,
    kept: Vec<OwnedFd>,
    work: impl FnOnce(Box<dyn WorkerLink>, Vec<OwnedFd>) -> u8,
) -> Worker {
    let (mut link, offer) = create(transport, tag).unwrap();
    let (lifeline, theirs) = packet_pair().unwrap();
    let count = offer.fds.len();
    let mut handed = offer.fds;
    handed.push(theirs);
    handed.extend(kept);
    let parent = own_pid();
    let text = offer.text;
    let child = fork_child_with(handed, move |mut handed| {
        arm_parent_death(parent).unwrap();
        let kept = handed.split_off(count + 1);
        let lifeline = handed.pop().unwrap();
        let link = open(&text, handed, lifeline.as_fd()).unwrap();
        assert_eq!(fd::write_some(&lifeline, b"o").unwrap(), Some(1));
        work(link, kept)
    });
    let child = child.unwrap();
    let mut byte = [0];
    assert_eq!(fd::read_some(&lifeline, &mut byte).unwrap(), Some(1));
    link.peer_opened().unwrap();
    Worker { link, lifeline, child }
}

/// Ends this process as if from outside, here and now.
pub(crate) fn die() {
    send(own_pid(), Signal::Kill).unwrap();
    unreachable!("a killed process runs no code")
}

/// Waits until the doorbell rings or the worker has ended, and answers it.
pub(crate) fn await_bell(worker: &mut Worker) {
    let mut poll = Poll::new().unwrap();
    poll.watch(worker.link.doorbell(), 0, Interest::READ).unwrap();
    poll.watch(&worker.child, 1, Interest::READ).unwrap();
    let mut ready = Vec::new();
    poll.wait(Some(HUNG), &mut ready).unwrap();
    assert!(!ready.is_empty(), "the doorbell stays silent");
    worker.link.answer().unwrap();
}

/// Receives `count` frames, or fewer if the worker ends before.
pub(crate) fn await_frames(worker: &mut Worker, count: usize) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while frames.len() < count {
        let mut frame = Vec::new();
        if worker.link.receive(&mut frame).unwrap() {
            frames.push(frame);
        } else if !worker.link.before_sleep().unwrap() {
            await_bell(worker);
        }
    }
    frames
}

/// Every frame that is there.
pub(crate) fn drain(link: &mut dyn SupervisorLink) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut frame = Vec::new();
    loop {
        match link.receive(&mut frame) {
            Ok(true) => frames.push(std::mem::take(&mut frame)),
            Ok(false) if link.before_sleep().unwrap() => {}
            Ok(false) | Err(LinkError::Closed) => return frames,
            Err(error) => panic!("could not {error}"),
        }
    }
}

/// The numbered frame of a stream: of changing length, and different in every byte.
pub(crate) fn numbered(number: u32) -> Vec<u8> {
    let length = 4 + number.wrapping_mul(37) % 300;
    let mut frame = number.to_le_bytes().to_vec();
    frame.extend((4..length).map(|at| (at ^ number).to_le_bytes()[0]));
    frame
}

/// Asserts that the frames are those from the first on, whole and without a gap.
pub(crate) fn assert_whole(frames: &[Vec<u8>]) {
    for (frame, number) in frames.iter().zip(0..) {
        assert_eq!(*frame, numbered(number), "frame {number} of {}", frames.len());
    }
}

/// What of this machine's names was made by the process of that pid: segments, queues,
/// directories for connections.
pub(crate) fn names_of(pid: u32) -> BTreeSet<String> {
    let Identity { user, namespace, .. } = Identity::own().unwrap();
    let prefix = format!("tally-{user}-{namespace}-{pid}-");
    let temporary = std::env::temp_dir();
    ["/dev/shm", "/dev/mqueue", "/tmp", temporary.to_str().unwrap()]
        .into_iter()
        .filter_map(|directory| std::fs::read_dir(directory).ok())
        .flatten()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .map(|entry| entry.path().display().to_string())
        .collect()
}

/// The numbers of the descriptors open in this process.
pub(crate) fn open_descriptors() -> BTreeSet<i32> {
    let listed: Vec<i32> = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap())
        .collect();
    // The listing itself is closed by now.
    listed
        .into_iter()
        .filter(|number| std::fs::read_link(format!("/proc/self/fd/{number}")).is_ok())
        .collect()
}
