//! A ring of records between two processes: one writes, the other reads, neither locks.
//!
//! The memory is seen as atomic words only, so that whatever the peer does to it, even in mid-read,
//! is a wrong value here and never undefined behaviour. The payload is stored first and the write
//! cursor last, so a writer that dies at any point leaves whole records and nothing else. Every
//! cursor and length that comes from the memory is checked before it is used.
//!
//! Wake-ups are the caller's business; the ring only says when one is due. Whoever goes to sleep
//! raises a flag, passes a fence and looks once more; whoever publishes passes a fence and looks at
//! the flag. With both fences, one of the two sees the other: no wake-up is lost, and none is paid
//! for while the other side is busy.

use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// Memory that another process may share, as words that may change at any time.
pub trait Words {
    /// The words: always the same ones.
    fn words(&self) -> &[AtomicU64];
}

impl Words for Vec<AtomicU64> {
    fn words(&self) -> &[AtomicU64] {
        self
    }
}

/// How many words the cursors and flags of a ring take. Those of the writer and those of the
/// reader lie far enough apart to share no cache line, nor a pair that is fetched together.
pub const CONTROL_WORDS: usize = 32;

const HEAD: usize = 0;
const WRITER_WAITS: usize = 1;
const TAIL: usize = 16;
const READER_SLEEPS: usize = 17;

/// The upper half of a record's first word; the lower half is its length in bytes. Garbage is
/// recognised at once, instead of being read as some length.
const RECORD_MARK: u64 = 0x5441_4c59 << 32;
const MARK_MASK: u64 = u64::MAX << 32;

const WORD_BYTES: usize = size_of::<u64>();

/// Where a ring lies in a memory, in words from its start.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The first of [`CONTROL_WORDS`] words for cursors and flags.
    pub control: usize,
    /// The first word of the data.
    pub data: usize,
    /// How many words the data has: a power of two.
    pub data_words: usize,
}

impl Place {
    /// The longest record that a ring here takes, in bytes: half of the ring, so that a waiting
    /// writer can be woken when half of it is free.
    pub const fn record_bytes_max(&self) -> usize {
        (self.data_words / 2 - 1) * WORD_BYTES
    }

    fn check(&self, words: usize) -> io::Result<()> {
        let end = |start: usize, length: usize| start.checked_add(length).filter(|&end| end <= words);
        let fits = end(self.control, CONTROL_WORDS).is_some() && end(self.data, self.data_words).is_some();
        if fits && self.data_words.is_power_of_two() && self.data_words >= 4 {
            Ok(())
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "place a ring in a segment of that size"))
        }
    }
}

/// The peer, or something else, has written nonsense into the ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corrupt(String);

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Corrupt {}

/// One side's view of a ring.
#[derive(Debug)]
struct View<M> {
    memory: Rc<M>,
    place: Place,
}

impl<M: Words> View<M> {
    fn new(memory: Rc<M>, place: Place) -> io::Result<Self> {
        place.check(memory.words().len())?;
        Ok(Self { memory, place })
    }

    fn control(&self, which: usize) -> &AtomicU64 {
        &self.memory.words()[self.place.control + which]
    }

    /// The data word under a cursor. Cursors only grow and are folded into the data here, so that
    /// none can point outside it.
    fn data(&self) -> (&[AtomicU64], impl Fn(u64) -> usize + use<M>) {
        let words = &self.memory.words()[self.place.data..self.place.data + self.place.data_words];
        let mask = self.place.data_words - 1;
        (words, move |cursor| usize::try_from(cursor & to_u64(mask)).unwrap_or(0))
    }

    /// How many words lie between the cursors, if that is possible at all.
    fn filled(&self, head: u64, tail: u64) -> Result<u64, Corrupt> {
        let filled = head.wrapping_sub(tail);
        if filled <= to_u64(self.place.data_words) {
            Ok(filled)
        } else {
            Err(Corrupt(format!(
                "cursors {head} and {tail} do not fit a ring of {} words",
                self.place.data_words
            )))
        }
    }

    /// Lowers a flag that the other side raised; whether it was up.
    ///
    /// What was published before the fence is seen by a peer that raised its flag too late for it
    /// to be seen here.
    fn take_flag(&self, which: usize) -> bool {
        fence(Ordering::SeqCst);
        let flag = self.control(which);
        flag.load(Ordering::Relaxed) != 0 && flag.swap(0, Ordering::Relaxed) != 0
    }

    /// Raises a flag of this side; what the peer published before it could see it is seen after.
    fn raise_flag(&self, which: usize) {
        self.control(which).store(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }
}

/// The writing side of a ring. There must be one only.
#[derive(Debug)]
pub struct Producer<M> {
    view: View<M>,
    /// Behind the last record written. Never read back from the memory.
    head: u64,
    /// What the reader had passed when last looked at.
    tail_seen: u64,
    /// What the reader may see.
    published: u64,
    /// Something was published that the reader may not have been woken for.
    news: bool,
}

impl<M: Words> Producer<M> {
    /// The writer of the ring at `place`, which must be fresh: all zero.
    pub fn new(memory: Rc<M>, place: Place) -> io::Result<Self> {
        Ok(Self { view: View::new(memory, place)?, head: 0, tail_seen: 0, published: 0, news: false })
    }

    /// Writes a record, not to be seen before [`publish`](Self::publish). False: no room now, or
    /// ever if it is longer than [`Place::record_bytes_max`].
    pub fn write(&mut self, record: &[u8]) -> Result<bool, Corrupt> {
        if !self.has_room(record.len())? {
            return Ok(false);
        }
        let (data, at) = self.view.data();
        data[at(self.head)].store(RECORD_MARK | to_u64(record.len()), Ordering::Relaxed);
        let mut cursor = self.head;
        let (whole, rest) = record.as_chunks::<WORD_BYTES>();
        for bytes in whole {
            cursor = cursor.wrapping_add(1);
            data[at(cursor)].store(u64::from_ne_bytes(*bytes), Ordering::Relaxed);
        }
        if !rest.is_empty() {
            let mut bytes = [0; WORD_BYTES];
            bytes[..rest.len()].copy_from_slice(rest);
            cursor = cursor.wrapping_add(1);
            data[at(cursor)].store(u64::from_ne_bytes(bytes), Ordering::Relaxed);
        }
        self.head = cursor.wrapping_add(1);
        Ok(true)
    }

    /// Shows the reader everything written so far.
    pub fn publish(&mut self) {
        if self.published != self.head {
            self.view.control(HEAD).store(self.head, Ordering::Release);
            self.published = self.head;
            self.news = true;
        }
    }

    /// Whether something was published since this was last asked, and the reader went to sleep and
    /// must be woken. To be asked after each [`publish`](Self::publish), or after several.
    ///
    /// Without news nobody is woken: two ends that woke each other for nothing would go on for ever.
    pub fn must_wake_reader(&mut self) -> bool {
        std::mem::take(&mut self.news) && self.view.take_flag(READER_SLEEPS)
    }

    /// Before waiting for room for a record: asks the reader for a wake-up. True: there is room
    /// after all.
    pub fn ask_for_room(&mut self, record_bytes: usize) -> Result<bool, Corrupt> {
        self.view.raise_flag(WRITER_WAITS);
        self.has_room(record_bytes)
    }

    fn has_room(&mut self, record_bytes: usize) -> Result<bool, Corrupt> {
        if record_bytes > self.view.place.record_bytes_max() {
            return Ok(false);
        }
        let need = record_words(to_u64(record_bytes));
        let capacity = to_u64(self.view.place.data_words);
        if self.view.filled(self.head, self.tail_seen)? + need > capacity {
            self.tail_seen = self.view.control(TAIL).load(Ordering::Acquire);
        }
        Ok(self.view.filled(self.head, self.tail_seen)? + need <= capacity)
    }
}

/// The reading side of a ring. There must be one only.
#[derive(Debug)]
pub struct Consumer<M> {
    view: View<M>,
    /// Behind the last record read. Never read back from the memory.
    tail: u64,
    /// What the writer had published when last looked at.
    head_seen: u64,
}

impl<M: Words> Consumer<M> {
    /// The reader of the ring at `place`, which must be fresh: all zero.
    pub fn new(memory: Rc<M>, place: Place) -> io::Result<Self> {
        Ok(Self { view: View::new(memory, place)?, tail: 0, head_seen: 0 })
    }

    /// Takes the next record into `record`, emptied before. False: none is there.
    ///
    /// The bytes are copied out once, and whatever the writer does meanwhile, they are as many as
    /// the length that was checked. After an error the ring is of no more use.
    pub fn read(&mut self, record: &mut Vec<u8>) -> Result<bool, Corrupt> {
        record.clear();
        let filled = self.filled()?;
        if filled == 0 {
            return Ok(false);
        }
        let (data, at) = self.view.data();
        let first = data[at(self.tail)].load(Ordering::Relaxed);
        let length = first & !MARK_MASK;
        let words = record_words(length);
        if first & MARK_MASK != RECORD_MARK
            || length > to_u64(self.view.place.record_bytes_max())
            || words > filled
        {
            return Err(Corrupt(format!("{first:#x} starts no record, with {filled} words in the ring")));
        }
        let length = usize::try_from(length).unwrap_or(0);
        record.resize(length, 0);
        let mut cursor = self.tail;
        let (whole, rest) = record.as_chunks_mut::<WORD_BYTES>();
        for bytes in whole {
            cursor = cursor.wrapping_add(1);
            *bytes = data[at(cursor)].load(Ordering::Relaxed).to_ne_bytes();
        }
        if !rest.is_empty() {
            cursor = cursor.wrapping_add(1);
            let bytes = data[at(cursor)].load(Ordering::Relaxed).to_ne_bytes();
            rest.copy_from_slice(&bytes[..rest.len()]);
        }
        self.tail = cursor.wrapping_add(1);
        // Release: the writer may overwrite what it sees as read, so the loads come before.
        self.view.control(TAIL).store(self.tail, Ordering::Release);
        Ok(true)
    }

    /// Whether a record may be there.
    pub fn has_records(&mut self) -> Result<bool, Corrupt> {
        Ok(self.filled()? != 0)
    }

    /// Before sleeping: asks the writer for a wake-up. False: a record is there after all.
    pub fn fall_asleep(&mut self) -> Result<bool, Corrupt> {
        self.view.raise_flag(READER_SLEEPS);
        Ok(!self.has_records()?)
    }

    /// Whether the writer waits for room and should be woken now: true once for each wait, and not
    /// before half of the ring is free. To be asked after each [`read`](Self::read).
    pub fn must_wake_writer(&mut self) -> bool {
        let left = self.head_seen.wrapping_sub(self.tail);
        left <= to_u64(self.view.place.data_words / 2) && self.view.take_flag(WRITER_WAITS)
    }

    fn filled(&mut self) -> Result<u64, Corrupt> {
        if self.head_seen == self.tail {
            self.head_seen = self.view.control(HEAD).load(Ordering::Acquire);
        }
        self.view.filled(self.head_seen, self.tail)
    }
}

/// How many words a record takes: its first one and the bytes.
const fn record_words(bytes: u64) -> u64 {
    1 + bytes.div_ceil(8)
}

const fn to_u64(number: usize) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;

    use super::*;
    use crate::shm::Segment;

    const PLACE: Place = Place { control: 0, data: CONTROL_WORDS, data_words: 16 };

    fn memory() -> Rc<Vec<AtomicU64>> {
        Rc::new((0..CONTROL_WORDS + 16).map(|_| AtomicU64::new(0)).collect())
    }

    type Memory = Vec<AtomicU64>;

    fn ring() -> (Rc<Memory>, Producer<Memory>, Consumer<Memory>) {
        let memory = memory();
        let producer = Producer::new(Rc::clone(&memory), PLACE).unwrap();
        let consumer = Consumer::new(Rc::clone(&memory), PLACE).unwrap();
        (memory, producer, consumer)
    }

    #[test]
    fn records_of_every_length_go_round_and_round() {
        let (_, mut producer, mut consumer) = ring();
        let mut read = Vec::new();
        for round in 0..50_u8 {
            for length in 0..=PLACE.record_bytes_max() {
                let record: Vec<u8> =
                    (0..length).map(|at| round.wrapping_add(u8::try_from(at).unwrap())).collect();
                assert!(producer.write(&record).unwrap());
                producer.publish();
                assert!(consumer.read(&mut read).unwrap());
                assert_eq!(read, record);
            }
        }
        assert!(!consumer.read(&mut read).unwrap());
    }

    #[test]
    fn what_is_not_published_is_not_read() {
        let (_, mut producer, mut consumer) = ring();
        assert!(producer.write(b"first").unwrap());
        assert!(!consumer.read(&mut Vec::new()).unwrap());
        producer.publish();
        assert!(producer.write(b"second").unwrap());
        let mut read = Vec::new();
        assert!(consumer.read(&mut read).unwrap());
        assert_eq!(read, b"first");
        assert!(!consumer.read(&mut read).unwrap());
    }

    #[test]
    fn a_full_ring_refuses_and_recovers() {
        let (_, mut producer, mut consumer) = ring();
        let record = [7; 24];
        for _ in 0..4 {
            assert!(producer.write(&record).unwrap());
        }
        producer.publish();
        assert!(!producer.write(&[]).unwrap(), "four records of four words fill sixteen words");
        assert!(!producer.ask_for_room(0).unwrap());
        let mut read = Vec::new();
        assert!(consumer.read(&mut read).unwrap());
        assert!(!consumer.must_wake_writer(), "three quarters are still taken");
        assert!(consumer.read(&mut read).unwrap());
        assert!(consumer.must_wake_writer());
        assert!(!consumer.must_wake_writer(), "once is enough");
        assert!(producer.write(&record).unwrap());
    }

    #[test]
    fn a_record_too_long_is_never_taken() {
        let (_, mut producer, _) = ring();
        assert!(!producer.write(&[0; PLACE.record_bytes_max() + 1]).unwrap());
    }

    #[test]
    fn a_sleeper_is_woken_once() {
        let (_, mut producer, mut consumer) = ring();
        assert!(!producer.must_wake_reader());
        assert!(consumer.fall_asleep().unwrap());
        producer.write(b"x").unwrap();
        producer.publish();
        assert!(producer.must_wake_reader());
        assert!(!producer.must_wake_reader());
        assert!(!consumer.fall_asleep().unwrap(), "a record is there");
        consumer.read(&mut Vec::new()).unwrap();
        assert!(consumer.fall_asleep().unwrap());
        producer.publish();
        assert!(!producer.must_wake_reader(), "there is nothing new to wake it for");
    }

    /// Both sides act at the same instant, again and again: either the sleeper sees the record, or
    /// the writer sees the sleeper. Without the fences some in a hundred rounds lose a wake-up.
    #[test]
    fn no_wake_up_is_lost() {
        const ROUNDS: u32 = 20_000;
        let bytes = (CONTROL_WORDS + PLACE.data_words) * WORD_BYTES;
        let (segment, fd) = Segment::create("tally-test", bytes).unwrap();
        let gate = Arc::new(Gate::default());
        let (their_gate, woken) = (Arc::clone(&gate), Arc::new(AtomicU32::new(0)));
        let their_woken = Arc::clone(&woken);
        let writer = std::thread::spawn(move || {
            let memory = Rc::new(Segment::open(&fd, bytes).unwrap());
            let mut producer = Producer::new(memory, PLACE).unwrap();
            for round in 1..=ROUNDS {
                producer.write(b"record").unwrap();
                their_gate.pass(2 * round - 1);
                producer.publish();
                let wakes = producer.must_wake_reader();
                their_woken.store(u32::from(wakes), Ordering::SeqCst);
                their_gate.pass(2 * round);
            }
        });
        let mut consumer = Consumer::new(Rc::new(segment), PLACE).unwrap();
        let mut lost = 0;
        for round in 1..=ROUNDS {
            gate.pass(2 * round - 1);
            let sleeps = consumer.fall_asleep().unwrap();
            gate.pass(2 * round);
            lost += u32::from(sleeps && woken.load(Ordering::SeqCst) == 0);
            assert!(consumer.read(&mut Vec::new()).unwrap());
            consumer.view.control(READER_SLEEPS).store(0, Ordering::SeqCst);
        }
        writer.join().unwrap();
        assert_eq!(lost, 0, "lost wake-ups in {ROUNDS} rounds");
    }

    /// Where two threads meet.
    #[derive(Default)]
    struct Gate(AtomicU32);

    impl Gate {
        /// Waits until the other thread is at its pass of that number as well.
        fn pass(&self, number: u32) {
            self.0.fetch_add(1, Ordering::SeqCst);
            let mut turns = 0_u32;
            while self.0.load(Ordering::SeqCst) < 2 * number {
                turns += 1;
                // The other one may need this processor.
                if turns.is_multiple_of(1_000) {
                    std::thread::yield_now();
                }
                std::hint::spin_loop();
            }
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let mut read = Vec::new();
        for head in [17, u64::MAX, 1 << 63] {
            let (memory, _, mut consumer) = ring();
            memory[HEAD].store(head, Ordering::Relaxed);
            assert!(consumer.read(&mut read).is_err(), "head {head}");
            assert!(consumer.fall_asleep().is_err());
        }
        for first in [0, 5, RECORD_MARK | 57, RECORD_MARK | 9, RECORD_MARK | 0xffff_ffff, u64::MAX] {
            let (memory, _, mut consumer) = ring();
            memory[CONTROL_WORDS].store(first, Ordering::Relaxed);
            memory[HEAD].store(2, Ordering::Relaxed);
            assert!(consumer.read(&mut read).is_err(), "first word {first:#x}");
            assert!(read.is_empty());
        }
        // Longer than any record, yet all of it in the ring.
        let (memory, _, mut consumer) = ring();
        let longest = u64::try_from(PLACE.record_bytes_max()).unwrap();
        memory[CONTROL_WORDS].store(RECORD_MARK | (longest + 1), Ordering::Relaxed);
        memory[HEAD].store(16, Ordering::Relaxed);
        assert!(consumer.read(&mut read).is_err());
        for tail in [17, 1 << 63, u64::MAX - 16] {
            let (memory, mut producer, _) = ring();
            memory[TAIL].store(tail, Ordering::Relaxed);
            let mut result = Ok(true);
            for _ in 0..20 {
                result = producer.write(b"x");
                if result.is_err() {
                    break;
                }
            }
            assert!(result.is_err(), "tail {tail}");
        }
    }

    #[test]
    fn a_place_outside_the_memory_is_refused() {
        for place in [
            Place { control: 20, ..PLACE },
            Place { data: 33, ..PLACE },
            Place { data: usize::MAX, ..PLACE },
            Place { data_words: 12, ..PLACE },
            Place { data_words: 0, ..PLACE },
        ] {
            assert!(Producer::new(memory(), place).is_err(), "{place:?}");
        }
    }
}
