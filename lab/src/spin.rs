//! Busy waiting against sleeping: one process holds a lock and works, others wait for it; and very short sections.
//!
//! On free processors waiting in a loop costs only the waiter's processor. On full ones it costs the holder's, and so
//! everybody's time.

use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tally_sync::{Barrier, Lock, SpinThenBlockLock, TestAndSetLock};
use tally_sys::limits::cpu_count;
use tally_sys::shm::Segment;
use tally_sys::{clock, usage};

use crate::chart::{Chart, Shape};
use crate::contend::{Trial, contend};
use crate::crew::{Crew, Watch};
use crate::kind::LockKind;
use crate::place::{GUARDED, LOCK, START, word};
use crate::report::{Cell, Report, Table};
use crate::study::Options;
use crate::{Error, place};

/// Processor time that the holder needs inside, by default in milliseconds.
const WORK_MS: u32 = 40;
/// The most that can be asked for.
const WORK_MS_MAX: u32 = 10_000;
const PATIENCE: Duration = Duration::from_secs(60);
const SHORT_ENTRIES: u32 = 500_000;

/// How one waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Looks again and again, and never gives the processor away.
    Busy,
    /// Looks again and again, and lets others run now and then.
    SpinAndYield,
    /// Looks a little, then sleeps.
    SpinThenBlock,
    /// Sleeps at once.
    Block,
}

const WAYS: [(Way, &str); 4] = [
    (Way::Busy, "busy wait"),
    (Way::SpinAndYield, "spin and yield"),
    (Way::SpinThenBlock, "spin, then block"),
    (Way::Block, "block"),
];

/// TestAndSet in a loop that does nothing, as in the textbook.
struct BusyLock<'a>(&'a AtomicU32);

impl Lock for BusyLock<'_> {
    fn acquire(&self) {
        while self.0.swap(1, Ordering::SeqCst) == 1 {
            while self.0.load(Ordering::Relaxed) == 1 {
                std::hint::spin_loop();
            }
        }
    }

    fn release(&self) {
        self.0.store(0, Ordering::SeqCst);
    }
}

impl Way {
    fn lock(self, memory: &Segment) -> Box<dyn Lock + '_> {
        let at = word(memory, LOCK);
        match self {
            Self::Busy => Box::new(BusyLock(at)),
            Self::SpinAndYield => Box::new(TestAndSetLock::new(at)),
            Self::SpinThenBlock => Box::new(SpinThenBlockLock::new(at)),
            Self::Block => Box::new(SpinThenBlockLock::with_spins(at, 0)),
        }
    }
}

pub(crate) fn run(watch: &mut Watch, options: &Options) -> Result<Report, Error> {
    let work_ms = options.count.unwrap_or(WORK_MS);
    if work_ms > WORK_MS_MAX {
        let why = format!("work for {work_ms} ms inside a lock with 'lab spin': it takes 1 to {WORK_MS_MAX}");
        return Err(Error::BadOption(why));
    }
    let work = Duration::from_millis(work_ms.into());
    let cores = u32::try_from(cpu_count()).unwrap_or(1).max(1);
    let free = cores.saturating_sub(1).clamp(1, 4);
    let full = options.processes.unwrap_or(cores.saturating_mul(2).min(16));
    let title =
        format!("One process works {work_ms} ms inside a lock; the others wait for it ({cores} processors)");
    let columns = ["WAITING", "CORES", "WAITERS", "WALL", "CPU", "CPU WASTED"];
    let mut long = Table::new("long", title, &columns);
    let mut report = Report::new("spin").option("processes", full.into()).option("count", work_ms.into());
    let (mut walls, mut cpus) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for (way, name) in WAYS {
        for (at, (cores, waiters)) in [("free", free), ("full", full)].into_iter().enumerate() {
            let (wall_ns, cpu_ns) = hold(watch, way, waiters, work)?;
            walls[at].push(wall_ns as f64 / 1e6);
            cpus[at].push(cpu_ns as f64 / 1e6);
            long.row(vec![
                Cell::text(name),
                Cell::text(cores),
                Cell::Count(waiters.into()),
                Cell::ns(wall_ns),
                Cell::ns(cpu_ns),
                Cell::ns(cpu_ns.saturating_sub(u64::try_from(work.as_nanos()).unwrap_or(0))),
            ]);
        }
    }
    // Busy waiters on full cores burn far more than sleepers: the claim of this study.
    report = report.claim(cpus[1][0] > 1.5 * cpus[1][3]);
    let [walls_free, walls_full] = walls;
    let [cpus_free, cpus_full] = cpus;
    let short = short_sections(watch, cores)?;
    let chart = Chart {
        title: format!("Waiting for a lock that is held for {work_ms} ms of work"),
        unit: "milliseconds: of the clock, and of processor time of all processes".into(),
        labels: WAYS.iter().map(|(_, name)| (*name).to_owned()).collect(),
        series: vec![
            ("wall, free cores".into(), walls_free),
            ("CPU, free cores".into(), cpus_free),
            ("wall, full cores".into(), walls_full),
            ("CPU, full cores".into(), cpus_full),
        ],
        shape: Shape::Bars,
    };
    let wrong = "one who waits in a loop uses a processor for nothing; when all processors are taken by such waiters, \
                 the one they wait for does not run either.";
    let cure = "spin only where the wait is shorter than falling asleep and every process has a processor of its own; \
                otherwise spin a little and then block, which is never far from the better of the two.";
    Ok(report.table(long).table(short).moral(wrong, cure).drawn(chart))
}

/// One works inside, the others come meanwhile and go through after it: time of the clock and of the processors.
fn hold(watch: &mut Watch, way: Way, waiters: u32, work: Duration) -> Result<(u64, u64), Error> {
    let mut crew = Crew::new(watch)?;
    for me in 0..=waiters {
        crew.start(|memory| body(memory, way, me, waiters + 1, work))?;
    }
    if !crew.wait(PATIENCE)? || !crew.all_well() {
        return Err(Error::System("finish waiting for a lock", std::io::ErrorKind::TimedOut.into()));
    }
    let all = |at: usize| (0..=waiters).map(move |me| (me, at));
    let get = |(me, at): (u32, usize)| place::reports(crew.memory(), me)[at].load(Ordering::SeqCst);
    let begun = all(0).map(get).min().unwrap_or(0);
    let ended = all(1).map(get).max().unwrap_or(0);
    Ok((ended.saturating_sub(begun), all(2).map(get).sum()))
}

fn body(memory: &Rc<Segment>, way: Way, me: u32, parties: u32, work: Duration) {
    let lock = way.lock(memory);
    let reports = place::reports(memory, me);
    if me == 0 {
        // The holder is inside before the others come.
        lock.acquire();
    }
    Barrier::new(word(memory, START), word(memory, START + 16), parties).wait();
    let cpu = usage::processor_ns().unwrap_or(0);
    reports[0].store(clock::monotonic_ns(), Ordering::SeqCst);
    if me == 0 {
        let until = cpu.saturating_add(u64::try_from(work.as_nanos()).unwrap_or(u64::MAX));
        while usage::processor_ns().is_ok_and(|used| used < until) {
            word(memory, GUARDED).fetch_add(1, Ordering::Relaxed);
        }
    } else {
        lock.acquire();
    }
    lock.release();
    reports[1].store(clock::monotonic_ns(), Ordering::SeqCst);
    reports[2].store(usage::processor_ns().unwrap_or(0).saturating_sub(cpu), Ordering::SeqCst);
}

/// Sections so short that falling asleep takes longer than they do.
fn short_sections(watch: &mut Watch, cores: u32) -> Result<Table, Error> {
    let processes = cores.clamp(2, 4);
    let title = format!("Sections of a few nanoseconds, {processes} processes, {SHORT_ENTRIES} entries each");
    let mut table = Table::new("short", title, &["WAITING", "WALL", "CPU", "RATE"]);
    let kinds = [
        (LockKind::TestAndSet, "spin and yield"),
        (LockKind::SpinThenBlock, "spin, then block"),
        (LockKind::Semaphore, "block"),
    ];
    for (lock, name) in kinds {
        let limit = Duration::from_secs(1);
        let found = contend(
            watch,
            Trial { lock, processes, entries: SHORT_ENTRIES, pauses: 0, limit, waits: false },
        )?;
        table.row(vec![
            Cell::text(name),
            Cell::ns(found.wall_ns),
            Cell::ns(found.cpu_ns),
            Cell::PerSecond(found.rate()),
        ]);
    }
    Ok(table)
}
