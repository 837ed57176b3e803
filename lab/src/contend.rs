//! Processes that go into one critical section again and again, and what that costs them.
//!
//! The section changes a counter in two steps, read and write, between which another process can come. `race`, `locks`
//! and `spin` are made of this.

use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tally_sync::Barrier;
use tally_sys::shm::Segment;
use tally_sys::{clock, usage};

use crate::Error;
use crate::crew::{Crew, Watch};
use crate::kind::LockKind;
use crate::place::{self, FIRST, GUARDED, MORE, OVER, START, word};

/// From the time limit to the hard end: a holder may have to be given the processor first.
const GRACE: Duration = Duration::from_secs(10);

/// Places among a process's reports.
const BEGUN: usize = 0;
const ENDED: usize = 1;
const CPU: usize = 2;
const LEAST: usize = 3;
const MOST: usize = 4;
/// Waits by their length: one word for each power of two of nanoseconds.
const WAITS: usize = 8;
const WAIT_CLASSES: usize = 40;

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trial {
    pub(crate) lock: LockKind,
    pub(crate) processes: u32,
    /// Entries of each process.
    pub(crate) entries: u32,
    /// How long the section is, in pauses of the processor between reading and writing.
    pub(crate) pauses: u32,
    /// After this time no process goes in again.
    pub(crate) limit: Duration,
    /// Whether each wait is measured, which costs two looks at the clock for each entry.
    pub(crate) waits: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Times the section was gone through, all processes together.
    pub(crate) entries: u64,
    /// What the counter says.
    pub(crate) counted: u64,
    /// From the first entry to the last.
    pub(crate) wall_ns: u64,
    /// Processor time of all.
    pub(crate) cpu_ns: u64,
    /// Entries of the process that had the fewest when the first one was done.
    pub(crate) least: u64,
    /// Entries of that first one.
    pub(crate) most: u64,
    /// Whether the limit cut it short.
    pub(crate) cut: bool,
    /// Waits by length.
    pub(crate) waits: Vec<u64>,
}

impl Found {
    /// Updates that got lost.
    pub(crate) fn lost(&self) -> u64 {
        self.entries.saturating_sub(self.counted)
    }

    /// Entries a second.
    pub(crate) fn rate(&self) -> u64 {
        let scaled = u128::from(self.entries) * 1_000_000_000;
        scaled.checked_div(u128::from(self.wall_ns)).and_then(|rate| u64::try_from(rate).ok()).unwrap_or(0)
    }

    /// The least one's entries in per cent of the first one's.
    pub(crate) fn fairness(&self) -> u64 {
        (self.least * 100).checked_div(self.most).unwrap_or(100)
    }

    /// How long at most this part (per cent) of the entries waited, up to a factor of two.
    pub(crate) fn wait_ns(&self, percent: u64) -> u64 {
        let all: u64 = self.waits.iter().sum();
        let mut seen = 0;
        let class = self.waits.iter().position(|count| {
            seen += count;
            u128::from(seen) * 100 >= u128::from(all) * u128::from(percent)
        });
        1_u64 << class.unwrap_or(0)
    }

    /// How long at most the unluckiest entry waited, up to a factor of two.
    pub(crate) fn wait_most_ns(&self) -> u64 {
        1_u64 << self.waits.iter().rposition(|&count| count > 0).unwrap_or(0)
    }
}

/// Does it.
pub(crate) fn contend(watch: &mut Watch, trial: Trial) -> Result<Found, Error> {
    let mut crew = Crew::new(watch)?;
    trial.lock.init(crew.memory()).map_err(Error::system("make a lock"))?;
    for me in 0..trial.processes {
        crew.start(|memory| body(memory, trial, me))?;
    }
    let mut cut = false;
    if !crew.wait(trial.limit)? {
        cut = true;
        word(crew.memory(), OVER).store(1, Ordering::SeqCst);
        crew.wait(GRACE)?;
    }
    if !crew.all_well() {
        crew.end();
        let why = std::io::Error::other("a process ended before its time");
        return Err(Error::System("finish the trial", why));
    }
    let found = read(crew.memory(), trial, cut);
    Ok(found)
}

fn body(memory: &Rc<Segment>, trial: Trial, me: u32) {
    let lock = trial.lock.lock(memory, me, trial.processes);
    let (guarded, over) = (word(memory, GUARDED), word(memory, OVER));
    let (mine, reports) = (place::progress(memory, me), place::reports(memory, me));
    let atomic = trial.lock == LockKind::Atomic;
    // All at once, or the first would be done before the last is there.
    Barrier::new(word(memory, START), word(memory, START + 16), trial.processes).wait();
    let cpu = usage::processor_ns().unwrap_or(0);
    put(&reports[BEGUN], clock::monotonic_ns());
    let mut done = 0;
    while done < trial.entries && over.load(Ordering::Relaxed) == 0 {
        let asked = if trial.waits { clock::monotonic_ns() } else { 0 };
        lock.acquire();
        if trial.waits {
            let waited = clock::monotonic_ns().saturating_sub(asked);
            let class = usize::try_from(waited.max(1).ilog2()).unwrap_or(0).min(WAIT_CLASSES - 1);
            add(&reports[WAITS + class]);
        }
        if atomic {
            pause(trial.pauses);
            guarded.fetch_add(1, Ordering::SeqCst);
        } else {
            // Two steps, as a program says `n += 1`: another process can come between them.
            let seen = guarded.load(Ordering::Relaxed);
            pause(trial.pauses);
            guarded.store(seen.wrapping_add(1), Ordering::Relaxed);
        }
        lock.release();
        done += 1;
        mine.store(done, Ordering::Relaxed);
    }
    put(&reports[ENDED], clock::monotonic_ns());
    put(&reports[CPU], usage::processor_ns().unwrap_or(0).saturating_sub(cpu));
    if word(memory, FIRST).compare_exchange(0, 1, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
        let all = (0..trial.processes).map(|other| place::progress(memory, other).load(Ordering::Relaxed));
        let all: Vec<u32> = all.collect();
        put(&reports[LEAST], all.iter().copied().min().unwrap_or(0).into());
        put(&reports[MOST], all.iter().copied().max().unwrap_or(0).into());
        // Who it was, counting from 1: zero is nobody.
        word(memory, MORE).store(me + 1, Ordering::SeqCst);
    }
}

/// Some time on the processor.
pub(crate) fn pause(pauses: u32) {
    (0..pauses).for_each(|_| std::hint::spin_loop());
}

fn put(to: &AtomicU64, value: u64) {
    to.store(value, Ordering::SeqCst);
}

/// Only its owner writes there.
fn add(to: &AtomicU64) {
    to.store(to.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

fn read(memory: &Segment, trial: Trial, cut: bool) -> Found {
    let all = || (0..trial.processes).map(|me| place::reports(memory, me));
    let get = |reports: &[AtomicU64], at: usize| reports[at].load(Ordering::SeqCst);
    let begun = all().map(|one| get(one, BEGUN)).min().unwrap_or(0);
    let ended = all().map(|one| get(one, ENDED)).max().unwrap_or(0);
    let first = word(memory, MORE).load(Ordering::SeqCst).saturating_sub(1);
    let first = place::reports(memory, first);
    let waits = (0..WAIT_CLASSES).map(|class| all().map(|one| get(one, WAITS + class)).sum());
    let entries =
        (0..trial.processes).map(|me| u64::from(place::progress(memory, me).load(Ordering::SeqCst))).sum();
    Found {
        entries,
        counted: word(memory, GUARDED).load(Ordering::SeqCst).into(),
        wall_ns: ended.saturating_sub(begun),
        cpu_ns: all().map(|one| get(one, CPU)).sum(),
        least: get(first, LEAST),
        most: get(first, MOST),
        cut: cut && entries < u64::from(trial.processes) * u64::from(trial.entries),
        waits: if trial.waits { waits.collect() } else { Vec::new() },
    }
}

const _: () = assert!(WAITS + WAIT_CLASSES <= place::REPORT_WORDS);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_follow_from_counts() {
        let found = Found {
            entries: 1_000,
            counted: 900,
            wall_ns: 500_000,
            least: 30,
            most: 60,
            waits: vec![0, 10, 0, 89, 0, 1],
            ..Found::default()
        };
        assert_eq!((found.lost(), found.rate(), found.fairness()), (100, 2_000_000, 50));
        assert_eq!(
            (found.wait_ns(5), found.wait_ns(50), found.wait_ns(99), found.wait_ns(100)),
            (2, 8, 8, 32)
        );
        assert_eq!(found.wait_most_ns(), 32);
        assert_eq!((Found::default().rate(), Found::default().fairness()), (0, 100));
    }
}
