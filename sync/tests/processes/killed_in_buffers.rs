//! Processes that are killed in the middle of a put or a get of a bounded buffer: after each of its steps in turn.
//!
//! Every access to a shared word is a step. A process stops for good before a certain one and is killed there; then the
//! words say what it has left, and the others use the buffer as far as it can be used.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tally_sync::{MonitorBuffer, SemaphoreBuffer, Spin, Woken, Word};
use tally_sys::shm::Segment;
use tally_sys::signal::Signal;

use super::{BYTES, SIGN, child};

const PLACES: usize = 5;
/// Where the places of the buffer are.
const CIRCLE: std::ops::Range<usize> = 20..20 + PLACES;
/// Says that a process is about to do the step at which it is killed, or that it has none so far on.
const STOPPED: u32 = 1;
const THROUGH: u32 = 2;

/// A word of the segment.
struct Step<'m> {
    word: &'m AtomicU32,
    sign: &'m AtomicU32,
    /// Steps that are done, of all words together.
    done: &'m Cell<u32>,
    stop: u32,
}

impl Step<'_> {
    fn step(&self) -> &AtomicU32 {
        if self.done.get() == self.stop {
            tell(self.sign, STOPPED);
            loop {
                tally_sys::futex::wait(self.sign, STOPPED, None);
            }
        }
        self.done.set(self.done.get() + 1);
        self.word
    }
}

fn tell(sign: &AtomicU32, what: u32) {
    sign.store(what, Ordering::SeqCst);
    tally_sys::futex::wake(sign, 1);
}

impl Word for Step<'_> {
    fn load(&self) -> u32 {
        Word::load(self.step())
    }
    fn store(&self, value: u32) {
        Word::store(self.step(), value);
    }
    fn swap(&self, value: u32) -> u32 {
        Word::swap(self.step(), value)
    }
    fn compare_exchange(&self, current: u32, new: u32) -> Result<u32, u32> {
        Word::compare_exchange(self.step(), current, new)
    }
    fn add(&self, more: u32) -> u32 {
        Word::add(self.step(), more)
    }
    fn wait(&self, expected: u32, timeout: Option<Duration>) -> Woken {
        Word::wait(self.step(), expected, timeout)
    }
    fn wake(&self, sleepers: u32) {
        Word::wake(self.step(), sleepers);
    }
    fn relax(&self, spin: &mut Spin) {
        self.word.relax(spin);
    }
}

/// What is done to a buffer in `N` words and its places.
type Deed<const N: usize> = for<'m> fn(&[Step<'m>; N], &[Step<'m>]);

/// Has a process do this and kills it before step `stop`; false if it has no such step.
fn kill_at<const N: usize>(segment: &Segment, fd: &std::os::fd::OwnedFd, stop: u32, deed: Deed<N>) -> bool {
    let sign = &segment.halves()[SIGN];
    sign.store(0, Ordering::SeqCst);
    let mut child = child(fd, |memory| {
        let done = Cell::new(0);
        let halves = memory.halves();
        let step = |word| Step { word, sign: &halves[SIGN], done: &done, stop };
        let words: [Step<'_>; N] = std::array::from_fn(|at| step(&halves[at]));
        let places: Vec<Step<'_>> = halves[CIRCLE].iter().map(step).collect();
        deed(&words, &places);
        tell(&halves[SIGN], THROUGH);
    });
    while sign.load(Ordering::SeqCst) == 0 {
        tally_sys::futex::wait(sign, 0, None);
    }
    child.signal(Signal::Kill).unwrap();
    child.reap().unwrap();
    sign.load(Ordering::SeqCst) == STOPPED
}

/// How often what was left.
#[derive(Default)]
struct Left {
    whole: u32,
    less: u32,
    locked: u32,
}

/// Items come out once each, in their order, whatever else is lost.
fn check_order(who: &str, stop: u32, items: &[u32]) {
    assert!(items.is_sorted_by(|one, next| one < next), "{who}, killed before step {stop}: {items:?}");
}

fn semaphores(who: &str, deed: Deed<8>) -> Left {
    let mut left = Left::default();
    for stop in 0.. {
        let (segment, fd) = Segment::create("tally-test", BYTES).unwrap();
        let segment = Rc::new(segment);
        let words = segment.halves();
        let buffer = SemaphoreBuffer::new(words.first_chunk().unwrap(), &words[CIRCLE]);
        buffer.init();
        [1, 2].into_iter().for_each(|item| buffer.put(item).unwrap());
        if !kill_at(&segment, &fd, stop, deed) {
            break;
        }
        let permits = |at: usize| words[at].load(Ordering::SeqCst);
        let (free, full, lock) = (permits(2), permits(4), permits(6));
        if lock == 0 {
            // It was inside: nobody comes in again.
            left.locked += 1;
            continue;
        }
        let places = u32::try_from(PLACES).unwrap();
        // A place or an item whose permit it had in hand is of no more use to anybody.
        assert!((places - 1..=places).contains(&(free + full)), "{who} {stop}: {free} free, {full} full");
        if free + full == places {
            left.whole += 1
        } else {
            left.less += 1
        }
        let mut items: Vec<u32> = (0..full).map(|_| buffer.get().unwrap()).collect();
        let room = permits(2);
        (0..room).for_each(|more| buffer.put(10 + more).unwrap());
        items.extend((0..room).map(|_| buffer.get().unwrap()));
        check_order(who, stop, &items);
    }
    left
}

fn monitor(who: &str, deed: Deed<6>) -> Left {
    let mut left = Left::default();
    for stop in 0.. {
        let (segment, fd) = Segment::create("tally-test", BYTES).unwrap();
        let words = segment.halves();
        let buffer = MonitorBuffer::new(words.first_chunk().unwrap(), &words[CIRCLE]);
        [1, 2].into_iter().for_each(|item| buffer.put(item).unwrap());
        if !kill_at(&segment, &fd, stop, deed) {
            break;
        }
        if words[3].load(Ordering::SeqCst) != 0 {
            left.locked += 1;
            continue;
        }
        // All of it is done, or nothing.
        left.whole += 1;
        let count = words[2].load(Ordering::SeqCst);
        let mut items: Vec<u32> = (0..count).map(|_| buffer.get().unwrap()).collect();
        let expected: &[u32] = match (who, count) {
            ("put", 3) => &[1, 2, 3],
            ("get", 1) => &[2],
            _ => &[1, 2],
        };
        assert_eq!(items, expected, "{who}, killed before step {stop}");
        (0..5).for_each(|more| buffer.put(10 + more).unwrap());
        items.extend((0..5).map(|_| buffer.get().unwrap()));
        check_order(who, stop, &items);
    }
    left
}

pub(super) fn check() {
    let put = semaphores("put", |words, places| SemaphoreBuffer::new(words, places).put(3).unwrap());
    let get = semaphores("get", |words, places| assert_eq!(SemaphoreBuffer::new(words, places).get(), Ok(1)));
    for (who, Left { whole, less, locked }) in [("put", put), ("get", get)] {
        println!(
            "  {who} with semaphores: of the steps it was killed at, {whole} leave all, {less} one place less, {locked} it locked"
        );
        assert!(whole > 0 && less > 0 && locked > 0);
    }
    let put = monitor("put", |words, places| MonitorBuffer::new(words, places).put(3).unwrap());
    let get = monitor("get", |words, places| assert_eq!(MonitorBuffer::new(words, places).get(), Ok(1)));
    for (who, Left { whole, less, locked }) in [("put", put), ("get", get)] {
        println!("  {who} of a monitor: {whole} leave all, {locked} it locked");
        assert!(whole > 0 && less == 0 && locked > 0);
    }
}
