//! A segment of memory in which a hostile worker writes whatever it likes, while the supervisor reads and writes: the
//! supervisor gets frames of possible length or a violation, and always comes back.

use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use tally_sys::ring::{CONTROL_WORDS, Consumer, Place, Producer, Words};
use tally_sys::shm::Segment;
use tally_transport::{LinkError, SupervisorLink, Transport, create};

use crate::feed::Feed;

/// What begins a record.
const MARK: u64 = 0x5441_4c59 << 32;

/// An even first byte: a small ring of memory; an odd one: a whole link of `shm`.
pub fn run(bytes: &[u8]) {
    let mut feed = Feed::new(bytes);
    if feed.coin() { link(&mut feed) } else { ring(&mut feed) }
}

/// A word as a liar writes it: anything, something small, or nearly a record.
fn word(feed: &mut Feed<'_>) -> u64 {
    match feed.below(5) {
        0 => feed.word(),
        1 => feed.below(256),
        2 => u64::MAX - feed.below(64),
        3 => MARK | feed.below(256),
        _ => MARK | feed.below(1 << 18),
    }
}

const PLACE: Place = Place { control: 0, data: CONTROL_WORDS, data_words: 16 };

fn ring(feed: &mut Feed<'_>) {
    let memory: Rc<Vec<AtomicU64>> = Rc::new((0..CONTROL_WORDS + 16).map(|_| AtomicU64::new(0)).collect());
    let mut producer = Producer::new(Rc::clone(&memory), PLACE).expect("it fits");
    let mut consumer = Consumer::new(Rc::clone(&memory), PLACE).expect("it fits");
    let mut record = Vec::new();
    while !feed.is_empty() {
        let fine = match feed.below(8) {
            0..=2 => {
                let at = feed.below(CONTROL_WORDS as u64 + 16);
                memory[usize::try_from(at).expect("small")].store(word(feed), Ordering::Relaxed);
                true
            }
            3 => {
                // What a good writer would do next: one word more.
                memory[0].fetch_add(feed.below(4), Ordering::Relaxed);
                true
            }
            4 => {
                let taken = consumer.read(&mut record);
                assert!(record.len() <= PLACE.record_bytes_max());
                assert!(taken.is_ok() || record.is_empty());
                let _wakes: bool = consumer.must_wake_writer();
                taken.is_ok()
            }
            5 => consumer.fall_asleep().is_ok(),
            6 => {
                let written = producer.write(feed.take(9));
                producer.publish();
                let _wakes: bool = producer.must_wake_reader();
                written.is_ok()
            }
            _ => producer.ask_for_room(usize::from(feed.byte())).is_ok(),
        };
        if !fine {
            return;
        }
    }
}

fn link(feed: &mut Feed<'_>) {
    let (mut supervisor, offer) = create(Transport::Shm, "fuzz").expect("a link");
    let text = String::from_utf8(offer.text).expect("text");
    let bytes = text.split(' ').nth(1).and_then(|bytes| bytes.parse().ok()).expect("a size");
    let fd = offer.fds.into_iter().next().expect("the segment");
    let segment = Segment::open(fd, bytes).expect("the segment");
    supervisor.peer_opened().expect("a link");
    let words = segment.words();
    let places = [0..112, 512..544, 8_704..8_736, 0..words.len()];
    while !feed.is_empty() {
        let place = &places[usize::from(feed.byte()) % places.len()];
        let at = feed.below((place.end - place.start) as u64);
        words[place.start + usize::try_from(at).expect("small")].store(word(feed), Ordering::Relaxed);
        // A few words more in the ring of results.
        words[48].fetch_add(feed.below(8), Ordering::Relaxed);
        if feed.coin() && !survives(&mut *supervisor, feed) {
            return;
        }
    }
    survives(&mut *supervisor, feed);
}

/// Uses a link as a supervisor does. False: it is dead, and stays so.
pub(crate) fn survives(supervisor: &mut dyn SupervisorLink, feed: &mut Feed<'_>) -> bool {
    let longest = supervisor.frame_bytes_max();
    let mut frame = Vec::new();
    for _ in 0..1 + feed.below(4) {
        let result = supervisor
            .answer()
            .and_then(|()| supervisor.receive(&mut frame))
            .and_then(|_| supervisor.send(&frame[..frame.len().min(16)]))
            .and_then(|()| supervisor.flush())
            .and_then(|_| supervisor.before_sleep());
        assert!(frame.len() <= longest, "a frame of {} bytes", frame.len());
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
