//! Real processes over one segment: nobody is inside with another, and what a killed holder leaves is what the
//! documents say.
//!
//! Without the usual harness, because only a process of one thread may fork. `TALLY_ENTRIES=1000000` has each of the
//! eight processes go in so often, whatever the lock: then it takes minutes.
#![expect(clippy::print_stdout, reason = "the report of the checks")]

#[path = "processes/killed_in_buffers.rs"]
mod killed_in_buffers;

use std::env;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

use tally_sync::{
    Barrier, BoundedTestAndSetLock, CompareAndSwapLock, Condition, Lock, Monitor, MonitorBuffer,
    ReadWriteLock, Semaphore, SemaphoreBuffer, SpinThenBlockLock, SwapLock, TestAndSetLock, TicketLock,
};
use tally_sys::process::{self, Child, ExitStatus};
use tally_sys::robust::{Found, RobustMutex};
use tally_sys::semaphore::SharedSemaphore;
use tally_sys::shm::Segment;
use tally_sys::signal::Signal;

const PROCESSES: u32 = 8;
const BYTES: usize = 4096;
/// Where in the segment what is guarded lies, far from the locks.
const GUARDED: usize = 1000;
/// Where the children wait for each other.
const START: usize = 1005;
/// Where a child says that it has come so far.
const SIGN: usize = 1010;

fn main() {
    let checks: [(&str, fn()); 8] = [
        ("eight processes are never inside together", exclusion),
        ("who waits is passed by so many and no more", bounded_waiting),
        ("a buffer hands over every item once", buffers),
        ("a barrier holds all back", barrier),
        ("a lock that is none loses updates", the_count_can_be_wrong),
        ("a killed holder leaves what the documents say", killed_holders),
        ("so does one that is killed while it waits", killed_waiters),
        ("and one that is killed in the middle of a put or a get", killed_in_buffers::check),
    ];
    for (name, check) in checks {
        println!("test {name} ...");
        check();
    }
    println!("test result: ok. {} passed", checks.len());
}

/// How often each process goes in: as often as is asked for, else a million times; a hundredth of that where the one who
/// leaves names the next, so that an entry may cost a switch between processes.
fn entries(switches: bool) -> u32 {
    let asked = env::var("TALLY_ENTRIES").ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(if switches { 10_000 } else { 1_000_000 })
}

/// Starts a child that sees the segment.
fn child(fd: &OwnedFd, body: impl FnOnce(Rc<Segment>)) -> Child {
    process::fork_child(&[fd.as_fd()], || {
        body(Rc::new(Segment::open(fd, BYTES).unwrap()));
        0
    })
    .unwrap()
}

fn all_end_well(children: Vec<Child>) {
    for mut child in children {
        assert_eq!(child.reap().unwrap(), ExitStatus::Exited(0));
    }
}

/// A lock over the first words of a segment.
type Recipe = fn(&Rc<Segment>, u32) -> Box<dyn Lock + '_>;

fn pair(words: &[AtomicU32]) -> (&AtomicU32, &AtomicU32) {
    (&words[0], &words[16])
}

/// A lock held by another crate's type.
struct Foreign<T>(T);

impl Lock for Foreign<RobustMutex<Segment>> {
    fn acquire(&self) {
        assert_eq!(self.0.acquire(None).unwrap(), Found::Released);
    }
    fn release(&self) {
        self.0.release().unwrap();
    }
}

impl Lock for Foreign<SharedSemaphore<Segment>> {
    fn acquire(&self) {
        self.0.wait().unwrap();
    }
    fn release(&self) {
        self.0.post().unwrap();
    }
}

/// What must be done to the words before the first goes in.
type Init = fn(&Rc<Segment>);

const LOCKS: [(&str, Init, Recipe); 11] = [
    ("test-and-set", |_| (), |memory, _| Box::new(TestAndSetLock::new(&memory.halves()[0]))),
    (
        "bounded test-and-set",
        |_| (),
        |memory, me| {
            let (lock, waiting) = memory.halves().split_first().unwrap();
            let waiting = &waiting[..PROCESSES as usize];
            Box::new(BoundedTestAndSetLock::new(lock, waiting, me as usize).unwrap())
        },
    ),
    ("swap", |_| (), |memory, _| Box::new(SwapLock::new(&memory.halves()[0]))),
    ("compare-and-swap", |_| (), |memory, me| Box::new(CompareAndSwapLock::new(&memory.halves()[0], me + 1))),
    (
        "ticket",
        |_| (),
        |memory, _| {
            let (next, called) = pair(memory.halves());
            Box::new(TicketLock::new(next, called))
        },
    ),
    ("spin-then-block", |_| (), |memory, _| Box::new(SpinThenBlockLock::new(&memory.halves()[0]))),
    (
        "binary semaphore",
        |memory| {
            let (permits, sleepers) = pair(memory.halves());
            Semaphore::new(permits, sleepers).give();
        },
        |memory, _| {
            let (permits, sleepers) = pair(memory.halves());
            Box::new(Semaphore::new(permits, sleepers))
        },
    ),
    ("monitor", |_| (), |memory, _| Box::new(Monitor::new(&memory.halves()[0]))),
    (
        "writers of a readers-writer lock",
        |_| (),
        |memory, _| Box::new(ReadWriteLock::new(memory.halves().first_chunk().unwrap())),
    ),
    (
        "POSIX semaphore",
        |memory| SharedSemaphore::create(Rc::clone(memory), 0).unwrap().post().unwrap(),
        |memory, _| Box::new(Foreign(SharedSemaphore::open(Rc::clone(memory), 0).unwrap())),
    ),
    (
        "robust mutex",
        |memory| drop(RobustMutex::create(Rc::clone(memory), 0).unwrap()),
        |memory, _| Box::new(Foreign(RobustMutex::open(Rc::clone(memory), 0).unwrap())),
    ),
];

/// Adds one to the guarded word, in two steps that another process could come between.
fn add_one(memory: &Segment) {
    let word = &memory.halves()[GUARDED];
    let seen = word.load(Ordering::Relaxed);
    word.store(seen + 1, Ordering::Relaxed);
}

/// What the guarded word holds after all have added so often.
fn count(first: Init, recipe: Recipe, entries: u32) -> u32 {
    let (segment, fd) = Segment::create("tally-test", BYTES).unwrap();
    let segment = Rc::new(segment);
    first(&segment);
    let start = |me| {
        child(&fd, |memory| {
            let lock = recipe(&memory, me);
            // All at once, or the first would be done before the last is there.
            Barrier::new(&memory.halves()[START], &memory.halves()[START + 1], PROCESSES).wait();
            for _ in 0..entries {
                lock.acquire();
                add_one(&memory);
                lock.release();
            }
        })
    };
    all_end_well((0..PROCESSES).map(start).collect());
    segment.halves()[GUARDED].load(Ordering::Relaxed)
}

fn exclusion() {
    for (name, first, recipe) in LOCKS {
        let begun = tally_sys::clock::monotonic_ns();
        let entries = entries(["bounded test-and-set", "ticket"].contains(&name));
        assert_eq!(count(first, recipe, entries), PROCESSES * entries, "{name}");
        let ms = tally_sys::clock::monotonic_ns().saturating_sub(begun) / 1_000_000;
        println!("  {name}: {PROCESSES} x {entries} in {ms} ms");
    }
}

/// Where it stands at which entry somebody was seen waiting, a word for each process; 0 while it was not.
const SEEN: usize = 900;
/// The most entries of others between that and its own.
const WORST: usize = 950;

/// The same as [`passed_by_in`], with more entries until anybody is seen waiting at all.
fn passed_by(mut entries: u32, body: fn(&Rc<Segment>, u32, u32)) -> u32 {
    loop {
        match passed_by_in(entries, body) {
            0 => entries = entries.checked_mul(2).expect("somebody waits"),
            worst => return worst,
        }
    }
}

/// Starts all at once, lets each go in so often, and returns the most that anybody was passed by.
fn passed_by_in(entries: u32, body: fn(&Rc<Segment>, u32, u32)) -> u32 {
    let (segment, fd) = Segment::create("tally-test", BYTES).unwrap();
    let start = |me| {
        child(&fd, |memory| {
            Barrier::new(&memory.halves()[START], &memory.halves()[START + 1], PROCESSES).wait();
            body(&memory, me, entries);
        })
    };
    all_end_well((0..PROCESSES).map(start).collect());
    segment.halves()[WORST].load(Ordering::SeqCst)
}

/// Inside: how often others went in since this one was seen waiting.
fn note_own(memory: &Segment, me: u32, entry: u32) {
    let seen = memory.halves()[SEEN + me as usize].swap(0, Ordering::SeqCst);
    if seen != 0 {
        memory.halves()[WORST].fetch_max(entry - 1 - seen, Ordering::SeqCst);
    }
}

/// Inside: somebody is seen waiting, for the first time since it last was inside.
fn note_waiting(memory: &Segment, who: u32, entry: u32) {
    memory.halves()[SEEN + who as usize].compare_exchange(0, entry, Ordering::SeqCst, Ordering::SeqCst).ok();
}

fn bounded_waiting() {
    let entries = entries(true) / 10;
    let others = PROCESSES - 1;
    let worst = passed_by(entries, |memory, me, entries| {
        let (lock, waiting) = memory.halves().split_first().unwrap();
        let waiting = &waiting[..PROCESSES as usize];
        let lock = BoundedTestAndSetLock::new(lock, waiting, me as usize).unwrap();
        for _ in 0..entries {
            lock.with(|| {
                let entry = memory.halves()[GUARDED].fetch_add(1, Ordering::SeqCst) + 1;
                note_own(memory, me, entry);
                let waits = |who: &u32| waiting[*who as usize].load(Ordering::SeqCst) == 1;
                (0..PROCESSES)
                    .filter(|who| *who != me)
                    .filter(waits)
                    .for_each(|who| note_waiting(memory, who, entry));
            });
        }
    });
    println!("  bounded test-and-set: passed by {worst} times at the most, promised {others}");
    assert!(worst <= others, "{worst}");
    // Who drew later goes in later: the number called is that of the entry, and nobody is ahead but who waits.
    let queue = passed_by(entries, |memory, _, entries| {
        let (next, called) = pair(memory.halves());
        let lock = TicketLock::new(next, called);
        for _ in 0..entries {
            lock.with(|| {
                let entry = memory.halves()[GUARDED].fetch_add(1, Ordering::SeqCst) + 1;
                assert_eq!(called.load(Ordering::SeqCst) + 1, entry, "somebody went in before its turn");
                memory.halves()[WORST].fetch_max(lock.queue() - 1, Ordering::SeqCst);
            });
        }
    });
    println!(
        "  ticket: {queue} waited at the most, each went in when those before it had; promised {others}"
    );
    assert!(queue <= others, "{queue}");
    // One writer among readers: those who were on their way in when it came, and no more.
    let worst = passed_by_in(entries, |memory, me, entries| {
        let lock = ReadWriteLock::new(memory.halves().first_chunk().unwrap());
        let count = &memory.halves()[GUARDED];
        let writers_waiting = &memory.halves()[4];
        for _ in 0..entries {
            if me == 0 {
                lock.with(|| note_own(memory, me, count.load(Ordering::SeqCst) + 1));
            } else {
                lock.acquire_shared();
                count.fetch_add(1, Ordering::SeqCst);
                // Counted once the writer is seen: a reader that slept since its own entry has seen thousands of others go in
                // before a writer came.
                if writers_waiting.load(Ordering::SeqCst) > 0 {
                    note_waiting(memory, 0, count.load(Ordering::SeqCst));
                }
                lock.release_shared();
            }
        }
    });
    println!("  readers-writer lock: a writer was passed by {worst} readers at the most, promised {others}");
    assert!(worst <= others, "{worst}");
}

fn the_count_can_be_wrong() {
    struct None;
    impl Lock for None {
        fn acquire(&self) {}
        fn release(&self) {}
    }
    // Until it happens: on one processor it needs a switch between two instructions.
    let mut entries = 100_000;
    while count(|_| (), |_, _| Box::new(None), entries) == PROCESSES * entries {
        entries *= 2;
    }
}

fn barrier() {
    const ROUNDS: u32 = 200;
    let (_segment, fd) = Segment::create("tally-test", BYTES).unwrap();
    let start = |_| {
        child(&fd, |memory| {
            let (come, round) = pair(memory.halves());
            let barrier = Barrier::new(come, round, PROCESSES);
            for round in 1..=ROUNDS {
                memory.halves()[GUARDED].fetch_add(1, Ordering::SeqCst);
                barrier.wait();
                let passed = memory.halves()[GUARDED].load(Ordering::SeqCst);
                assert!(passed >= round * PROCESSES, "one went on before all had come");
                barrier.wait();
            }
        })
    };
    all_end_well((0..PROCESSES).map(start).collect());
}

/// Half of the processes put numbers, the other half adds what it gets to the guarded word.
fn hand_over(init: fn(&Segment), put: fn(&Segment, u32), get: fn(&Segment) -> u32, items: u32) -> u32 {
    let (segment, fd) = Segment::create("tally-test", BYTES).unwrap();
    init(&segment);
    let start = |me| {
        child(&fd, |memory| {
            for item in 1..=items {
                if me % 2 == 0 {
                    put(&memory, item);
                } else {
                    memory.halves()[GUARDED].fetch_add(get(&memory), Ordering::SeqCst);
                }
            }
        })
    };
    all_end_well((0..PROCESSES).map(start).collect());
    segment.halves()[GUARDED].load(Ordering::SeqCst)
}

fn buffers() {
    fn semaphores(memory: &Segment) -> SemaphoreBuffer<'_, AtomicU32> {
        SemaphoreBuffer::new(memory.halves().first_chunk().unwrap(), &memory.halves()[20..25])
    }
    fn monitor(memory: &Segment) -> MonitorBuffer<'_, AtomicU32> {
        MonitorBuffer::new(memory.halves().first_chunk().unwrap(), &memory.halves()[20..25])
    }
    let items = 5_000;
    let sum = PROCESSES / 2 * (items * (items + 1) / 2);
    let by_semaphores = hand_over(
        |memory| semaphores(memory).init(),
        |memory, item| semaphores(memory).put(item).unwrap(),
        |memory| semaphores(memory).get().unwrap(),
        items,
    );
    assert_eq!(by_semaphores, sum);
    let by_monitor = hand_over(
        |_| (),
        |memory, item| monitor(memory).put(item).unwrap(),
        |memory| monitor(memory).get().unwrap(),
        items,
    );
    assert_eq!(by_monitor, sum);
}

/// A process goes in and is killed inside.
fn kill_inside(fd: &OwnedFd, segment: &Segment, recipe: Recipe) {
    let mut child = child(fd, |memory| {
        let lock = recipe(&memory, 0);
        lock.acquire();
        memory.halves()[SIGN].store(1, Ordering::SeqCst);
        tally_sys::futex::wake(&memory.halves()[SIGN], 1);
        loop {
            tally_sys::futex::wait(&memory.halves()[SIGN], 1, None);
        }
    });
    while segment.halves()[SIGN].load(Ordering::SeqCst) == 0 {
        tally_sys::futex::wait(&segment.halves()[SIGN], 0, None);
    }
    child.signal(Signal::Kill).unwrap();
    child.reap().unwrap();
}

fn killed_holders() {
    for (name, first, recipe) in LOCKS {
        let (segment, fd) = Segment::create("tally-test", BYTES).unwrap();
        let segment = Rc::new(segment);
        first(&segment);
        kill_inside(&fd, &segment, recipe);
        let words = segment.halves();
        let is_lost = match name {
            "test-and-set" => !TestAndSetLock::new(&words[0]).try_acquire(),
            "bounded test-and-set" | "swap" => words[0].load(Ordering::SeqCst) == 1,
            "compare-and-swap" => CompareAndSwapLock::new(&words[0], 7).try_acquire() == Err(1),
            "ticket" => TicketLock::new(&words[0], &words[16]).queue() == 1,
            "spin-then-block" | "monitor" => {
                !SpinThenBlockLock::new(&words[0]).acquire_within(std::time::Duration::from_millis(1))
            }
            "binary semaphore" => {
                !Semaphore::new(&words[0], &words[16]).take(Some(std::time::Duration::from_millis(1)))
            }
            "writers of a readers-writer lock" => words[3].load(Ordering::SeqCst) == 1,
            "POSIX semaphore" => words[0].load(Ordering::SeqCst) == 0,
            "robust mutex" => {
                let mutex = RobustMutex::open(Rc::clone(&segment), 0).unwrap();
                assert_eq!(mutex.acquire(None).unwrap(), Found::Abandoned, "the death was not told");
                mutex.release().unwrap();
                assert_eq!(mutex.acquire(None).unwrap(), Found::Released);
                true
            }
            other => panic!("no word about {other}"),
        };
        assert!(is_lost, "{name}");
    }
}

/// A process waits, as the sign of the words says, and is killed.
fn kill_waiting(fd: &OwnedFd, segment: &Segment, body: fn(&Segment), waits: impl Fn(&[AtomicU32]) -> bool) {
    let mut child = child(fd, |memory| body(&memory));
    while !waits(segment.halves()) {
        std::thread::yield_now();
    }
    child.signal(Signal::Kill).unwrap();
    child.reap().unwrap();
}

fn killed_waiters() {
    let fresh = || Segment::create("tally-test", BYTES).unwrap();
    let word = |segment: &Segment, at: usize| segment.halves()[at].load(Ordering::SeqCst);

    let (segment, fd) = fresh();
    let words = segment.halves();
    let ticket = TicketLock::new(&words[0], &words[16]);
    ticket.acquire();
    let draws = |memory: &Segment| TicketLock::new(&memory.halves()[0], &memory.halves()[16]).acquire();
    kill_waiting(&fd, &segment, draws, |words| words[0].load(Ordering::SeqCst) == 2);
    ticket.release();
    assert_eq!(ticket.queue(), 1, "the number of the dead is called, and nobody comes");

    let (segment, fd) = fresh();
    let (lock, waiting) = segment.halves().split_first().unwrap();
    let bounded = BoundedTestAndSetLock::new(lock, &waiting[..2], 1).unwrap();
    bounded.acquire();
    let waits = |memory: &Segment| {
        let (lock, waiting) = memory.halves().split_first().unwrap();
        BoundedTestAndSetLock::new(lock, &waiting[..2], 0).unwrap().acquire();
    };
    kill_waiting(&fd, &segment, waits, |words| words[1].load(Ordering::SeqCst) == 1);
    bounded.release();
    assert_eq!((word(&segment, 0), word(&segment, 1)), (1, 0), "it is handed to the dead");

    let (segment, fd) = fresh();
    let reads = |memory: &Segment| {
        ReadWriteLock::new(memory.halves().first_chunk().unwrap()).acquire_shared();
        loop {
            tally_sys::futex::wait(&memory.halves()[SIGN], 0, None);
        }
    };
    let inside =
        |words: &[AtomicU32]| words[0].load(Ordering::SeqCst) == 0 && words[2].load(Ordering::SeqCst) == 1;
    kill_waiting(&fd, &segment, reads, inside);
    assert_eq!(word(&segment, 2), 1, "the dead reads for ever");

    let (segment, fd) = fresh();
    let comes = |memory: &Segment| {
        Barrier::new(&memory.halves()[0], &memory.halves()[16], 2).wait();
    };
    kill_waiting(&fd, &segment, comes, |words| words[0].load(Ordering::SeqCst) == 1);
    let last = Barrier::new(&segment.halves()[0], &segment.halves()[16], 2).wait();
    assert!(last, "the dead has come");

    let (segment, fd) = fresh();
    let sleeps = |memory: &Segment| {
        let monitor = Monitor::new(&memory.halves()[0]);
        let never = Condition::new(&memory.halves()[16]);
        monitor.with(|| {
            memory.halves()[SIGN].store(1, Ordering::SeqCst);
            monitor.wait_until(&never, || false);
        });
    };
    let gone =
        |words: &[AtomicU32]| words[SIGN].load(Ordering::SeqCst) == 1 && words[0].load(Ordering::SeqCst) == 0;
    kill_waiting(&fd, &segment, sleeps, gone);
    let free =
        SpinThenBlockLock::new(&segment.halves()[0]).acquire_within(std::time::Duration::from_millis(1));
    assert!(free, "one that waited in a monitor costs nothing");
}
