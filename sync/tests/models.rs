//! Every primitive under loom: all interleavings of a few threads, up to a bound of pre-emptions.
//!
//! A word is modelled with reads that are exchanges, because the real ones are sequentially consistent and loom's are
//! not; a sleep is modelled with loom's mutex and condition variable, so that a lost wake-up shows as a deadlock.

use std::time::Duration;

use loom::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;
use tally_sync::{
    Barrier, BoundedTestAndSetLock, CompareAndSwapLock, Condition, Lock, Monitor, MonitorBuffer,
    ReadWriteLock, Semaphore, SemaphoreBuffer, Spin, SpinThenBlockLock, SwapLock, TestAndSetLock, TicketLock,
    Woken, Word,
};

struct LoomWord {
    value: AtomicU32,
    bed: Mutex<()>,
    bell: Condvar,
}

impl LoomWord {
    fn new(value: u32) -> Self {
        Self { value: AtomicU32::new(value), bed: Mutex::new(()), bell: Condvar::new() }
    }
}

impl Word for LoomWord {
    fn load(&self) -> u32 {
        self.value.fetch_add(0, Ordering::SeqCst)
    }

    fn store(&self, value: u32) {
        self.value.swap(value, Ordering::SeqCst);
    }

    fn swap(&self, value: u32) -> u32 {
        self.value.swap(value, Ordering::SeqCst)
    }

    fn compare_exchange(&self, current: u32, new: u32) -> Result<u32, u32> {
        self.value.compare_exchange(current, new, Ordering::SeqCst, Ordering::SeqCst)
    }

    fn add(&self, more: u32) -> u32 {
        self.value.fetch_add(more, Ordering::SeqCst)
    }

    fn wait(&self, expected: u32, timeout: Option<Duration>) -> Woken {
        assert!(timeout.is_none(), "loom has no time");
        let bed = self.bed.lock().unwrap();
        if self.load() == expected {
            drop(self.bell.wait(bed).unwrap());
        }
        Woken::Perhaps
    }

    fn wake(&self, sleepers: u32) {
        // As the kernel does: whoever has looked at the word is asleep before this looks for sleepers.
        let bed = self.bed.lock().unwrap();
        if sleepers == 1 {
            self.bell.notify_one();
        } else {
            self.bell.notify_all();
        }
        drop(bed);
    }

    fn relax(&self, _: &mut Spin) {
        thread::yield_now();
    }

    fn doze_as(&self, expected: u32, group: u32, _: &mut Spin) {
        self.wait_as(expected, group);
    }
}

fn words<const N: usize>() -> Arc<[LoomWord; N]> {
    Arc::new(std::array::from_fn(|_| LoomWord::new(0)))
}

fn model(body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(body);
}

/// Two threads go in and out through the lock that `lock` makes of the words, as participants 0 and 1.
fn excludes<const N: usize>(
    first: [u32; N],
    lock: impl Fn(&[LoomWord; N], usize, &dyn Fn(&dyn Fn(&mut dyn FnMut()))) + Copy + Send + Sync + 'static,
) {
    model(move || {
        let words: Arc<[LoomWord; N]> = Arc::new(std::array::from_fn(|at| LoomWord::new(first[at])));
        let inside = Arc::new(AtomicUsize::new(0));
        let entries = Arc::new(AtomicUsize::new(0));
        let run = move |me: usize, words: &[LoomWord; N], inside: &AtomicUsize, entries: &AtomicUsize| {
            lock(words, me, &|with| {
                with(&mut || {
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two are inside");
                    entries.fetch_add(1, Ordering::SeqCst);
                    inside.fetch_sub(1, Ordering::SeqCst);
                });
            });
        };
        let other = {
            let (words, inside, entries) = (words.clone(), inside.clone(), entries.clone());
            thread::spawn(move || run(1, &words, &inside, &entries))
        };
        run(0, &words, &inside, &entries);
        other.join().unwrap();
        assert_eq!(entries.load(Ordering::SeqCst), 2);
    });
}

/// A test that a lock made of `$words` words excludes.
macro_rules! excludes {
    ($name:ident, $first:expr, |$words:ident, $me:ident| $lock:expr) => {
        #[test]
        fn $name() {
            excludes($first, |$words, $me, run| {
                let lock = $lock;
                run(&|inside| lock.with(|| inside()));
            });
        }
    };
}

excludes!(test_and_set_excludes, [0; 1], |words, _me| TestAndSetLock::new(&words[0]));
excludes!(swap_excludes, [0; 1], |words, _me| SwapLock::new(&words[0]));
excludes!(compare_and_swap_excludes, [0; 1], |words, me| CompareAndSwapLock::new(
    &words[0],
    u32::try_from(me).unwrap() + 1
));
excludes!(bounded_excludes, [0; 3], |words, me| BoundedTestAndSetLock::new(&words[0], &words[1..], me)
    .unwrap());
excludes!(ticket_excludes, [0; 2], |words, _me| TicketLock::new(&words[0], &words[1]));
excludes!(spin_then_block_excludes, [0; 1], |words, _me| SpinThenBlockLock::with_spins(&words[0], 1));
excludes!(blocking_excludes, [0; 1], |words, _me| SpinThenBlockLock::with_spins(&words[0], 0));
excludes!(binary_semaphore_excludes, [1, 0], |words, _me| Semaphore::new(&words[0], &words[1]));
excludes!(writers_exclude, [0; 5], |words, _me| ReadWriteLock::new(words));

#[test]
fn a_lock_that_is_none_is_found_out() {
    struct None;
    impl Lock for None {
        fn acquire(&self) {
            thread::yield_now();
        }
        fn release(&self) {}
    }
    let found = std::panic::catch_unwind(|| {
        excludes([0; 1], |_, _, run| run(&|inside| None.with(inside)));
    });
    assert!(found.is_err(), "the model cannot fail");
}

#[test]
fn a_semaphore_loses_no_permit_and_no_wake_up() {
    model(|| {
        let words = words::<2>();
        let giver = {
            let words = words.clone();
            thread::spawn(move || Semaphore::new(&words[0], &words[1]).give())
        };
        let semaphore = Semaphore::new(&words[0], &words[1]);
        assert!(semaphore.take(None));
        giver.join().unwrap();
        assert_eq!(semaphore.permits(), 0);
    });
}

#[test]
fn a_signal_between_leaving_and_sleeping_is_not_lost() {
    model(|| {
        let words = words::<3>();
        let signaller = {
            let words = words.clone();
            thread::spawn(move || {
                let (monitor, condition) = (Monitor::new(&words[0]), Condition::new(&words[1]));
                monitor.with(|| {
                    words[2].store(1);
                    condition.signal();
                });
            })
        };
        let (monitor, condition) = (Monitor::new(&words[0]), Condition::new(&words[1]));
        monitor.with(|| monitor.wait_until(&condition, || words[2].load() == 1));
        signaller.join().unwrap();
    });
}

#[test]
fn readers_and_a_writer_never_meet() {
    model(|| {
        let words = words::<5>();
        let writing = Arc::new(AtomicUsize::new(0));
        let writer = {
            let (words, writing) = (words.clone(), writing.clone());
            thread::spawn(move || {
                ReadWriteLock::new(&words).with(|| {
                    writing.store(1, Ordering::SeqCst);
                    writing.store(0, Ordering::SeqCst);
                });
            })
        };
        let lock = ReadWriteLock::new(&words);
        lock.acquire_shared();
        assert_eq!(writing.load(Ordering::SeqCst), 0);
        lock.release_shared();
        writer.join().unwrap();
    });
}

#[test]
fn a_barrier_holds_until_all_have_come() {
    model(|| {
        let words = words::<2>();
        let come = Arc::new(AtomicUsize::new(0));
        let pass = |words: &[LoomWord; 2], come: &AtomicUsize| {
            come.fetch_add(1, Ordering::SeqCst);
            let last = Barrier::new(&words[0], &words[1], 2).wait();
            assert_eq!(come.fetch_add(0, Ordering::SeqCst), 2, "it let one through alone");
            last
        };
        let other = {
            let (words, come) = (words.clone(), come.clone());
            thread::spawn(move || pass(&words, &come))
        };
        let mine = pass(&words, &come);
        assert!(mine != other.join().unwrap(), "exactly one is the last to come");
    });
}

#[test]
fn a_semaphore_buffer_hands_over_all() {
    model(|| {
        let words = words::<9>();
        let split = |words: &[LoomWord; 9]| -> u32 {
            let (head, places) = words.split_first_chunk::<8>().unwrap();
            let buffer = SemaphoreBuffer::new(head, places);
            buffer.put(7).unwrap();
            7
        };
        let (head, places) = words.split_first_chunk::<8>().unwrap();
        SemaphoreBuffer::new(head, places).init();
        let producer = {
            let words = words.clone();
            thread::spawn(move || split(&words))
        };
        assert_eq!(SemaphoreBuffer::new(head, places).get(), Ok(7));
        producer.join().unwrap();
    });
}

#[test]
fn a_monitor_buffer_hands_over_all() {
    model(|| {
        let words = words::<7>();
        let producer = {
            let words = words.clone();
            thread::spawn(move || {
                let (head, places) = words.split_first_chunk::<6>().unwrap();
                MonitorBuffer::new(head, places).put(7).unwrap();
            })
        };
        let (head, places) = words.split_first_chunk::<6>().unwrap();
        assert_eq!(MonitorBuffer::new(head, places).get(), Ok(7));
        producer.join().unwrap();
    });
}
