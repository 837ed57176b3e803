//! A worker, or a fault in one, that writes nonsense where frames should be.

use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;

use ipc_channel::ipc::{IpcBytesReceiver, IpcBytesSender, IpcSender, bytes_channel};
use tally_sys::fd;
use tally_sys::mqueue::QueueSender;
use tally_sys::ring::Words;
use tally_sys::shm::Segment;
use tally_sys::shm_named::NamedSegment;
use tally_transport::{LinkError, SupervisorLink, Transport};

use crate::support::{Seat, numbered, offered};

/// How many different pieces of nonsense each transport is told.
const ATTEMPTS: u64 = 300;

/// Whatever a worker writes, the supervisor gets frames of possible length or a violation, which
/// then stays; and it comes back from every call.
pub(crate) fn garbage_is_a_violation_and_no_panic(transport: Transport) {
    let mut violations = 0;
    for seed in 1..=ATTEMPTS {
        let (mut supervisor, _lifeline, seat) = offered(transport);
        let mut random = Random(seed);
        let mut liar = Liar::new(transport, seat);
        if supervisor.peer_opened().is_err() {
            violations += 1;
            continue;
        }
        for _ in 0..20 {
            liar.lie(&mut random);
            if !survive(&mut *supervisor) {
                violations += 1;
                break;
            }
        }
    }
    assert!(violations > ATTEMPTS / 2, "only {violations} of {ATTEMPTS} lies were noticed");
}

/// Uses the link as a supervisor does. False: it is dead.
fn survive(supervisor: &mut dyn SupervisorLink) -> bool {
    let longest = supervisor.frame_bytes_max();
    let mut frame = Vec::new();
    for number in 0..500 {
        let result = supervisor
            .answer()
            .and_then(|()| supervisor.receive(&mut frame))
            .and_then(|_| supervisor.send(&numbered(number)))
            .and_then(|()| supervisor.flush())
            .and_then(|_| supervisor.before_sleep());
        assert!(frame.len() <= longest && frame.capacity() <= 2 * longest);
        match result {
            Ok(_) | Err(LinkError::Full) => {}
            Err(LinkError::Violation(_)) => {
                assert!(matches!(supervisor.receive(&mut frame), Err(LinkError::Violation(_))));
                assert!(matches!(supervisor.flush(), Err(LinkError::Violation(_))));
                assert!(frame.is_empty());
                return false;
            }
            Err(LinkError::Closed) => return false,
            Err(error) => panic!("could not {error}"),
        }
    }
    true
}

/// A worker's end that writes nonsense.
enum Liar {
    Memory { segment: Box<dyn Words>, semaphore: bool },
    Pipe { sender: OwnedFd, _receiver: OwnedFd },
    Queue { sender: QueueSender, _receiver: OwnedFd },
    Channel { sender: IpcBytesSender, _receiver: IpcBytesReceiver },
}

impl Liar {
    fn new(transport: Transport, seat: Seat) -> Self {
        let Seat { text, fds, .. } = seat;
        let text = String::from_utf8(text).unwrap();
        let mut words = text.split(' ').skip(1);
        let mut fds = fds.into_iter();
        match transport {
            Transport::Shm => {
                let bytes = words.next().unwrap().parse().unwrap();
                let segment = Box::new(Segment::open(fds.next().unwrap(), bytes).unwrap());
                Self::Memory { segment, semaphore: false }
            }
            Transport::ShmNamed => {
                let name = words.next().unwrap();
                let bytes = words.next().unwrap().parse().unwrap();
                let segment = Box::new(NamedSegment::open(name, bytes).unwrap());
                Self::Memory { segment, semaphore: true }
            }
            Transport::Pipe => {
                let (receiver, sender) = (fds.next().unwrap(), fds.next().unwrap());
                fd::set_nonblocking(&sender, true).unwrap();
                Self::Pipe { sender, _receiver: receiver }
            }
            Transport::Mqueue => {
                let (receiver, sender) = (fds.next().unwrap(), fds.next().unwrap());
                Self::Queue { sender: QueueSender::from_fd(sender).unwrap(), _receiver: receiver }
            }
            Transport::Channel => {
                let (their_sender, receiver) = bytes_channel().unwrap();
                let (sender, their_receiver) = bytes_channel().unwrap();
                let path = words.next().unwrap().to_owned();
                let bootstrap: IpcSender<Option<(IpcBytesSender, IpcBytesReceiver)>> =
                    IpcSender::connect(path).unwrap();
                bootstrap.send(Some((their_sender, their_receiver))).unwrap();
                Self::Channel { sender, _receiver: receiver }
            }
        }
    }

    fn lie(&mut self, random: &mut Random) {
        match self {
            Self::Memory { segment, semaphore } => {
                let words = segment.words();
                // Cursors and flags, then the beginnings of the data, then anything.
                let places = [0..112, 512..600, 8_704..8_800, 0..words.len()];
                for _ in 0..=random.below(8) {
                    let place = &places[random.below(places.len())];
                    let at = place.start + random.below(place.len());
                    words[at].store(random.value(), Ordering::Relaxed);
                }
                // A few words more in one of the result ring, and what wakes the worker.
                words[48].fetch_add(random.below(64) as u64, Ordering::Relaxed);
                if *semaphore && random.below(4) == 0 {
                    words[256 + random.below(4)].store(random.value(), Ordering::Relaxed);
                }
            }
            Self::Pipe { sender, .. } => {
                let bytes = random.bytes(4096);
                fd::write_some(sender, &bytes).unwrap();
            }
            Self::Queue { sender, .. } => {
                let bytes = random.bytes(1024);
                sender.send(&bytes).unwrap();
            }
            Self::Channel { sender, .. } => {
                let bytes = random.bytes(3000);
                sender.send(&bytes).unwrap();
            }
        }
    }
}

/// Numbers that look random and are the same each time (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    /// Any number, or one that looks like something.
    fn value(&mut self) -> u64 {
        match self.below(5) {
            0 => self.next(),
            1 => self.next() % 64,
            2 => u64::MAX - self.next() % 64,
            3 => self.next() % (1 << 40),
            // A record of a ring, of any length.
            _ => (0x5441_4c59 << 32) | (self.next() % (1 << 17)),
        }
    }

    /// Bytes, of which the first may look like a head and a length.
    fn bytes(&mut self, longest: usize) -> Vec<u8> {
        let length = 1 + self.below(longest);
        let mut bytes: Vec<u8> = (0..length).map(|_| self.next().to_le_bytes()[0]).collect();
        if self.below(2) == 0 {
            let zeros = self.below(8).min(length);
            bytes[..zeros].fill(0);
        }
        bytes
    }
}
