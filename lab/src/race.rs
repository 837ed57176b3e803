//! The race: several processes change one thing in two steps, read and write, and updates get lost.
//!
//! Once with a counter, once with the deposits into one bank account, where a pause between the two steps makes the loss
//! certain. Without a lock the study counts on until an update is lost: on a calm machine that may take a while.

use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tally_sync::{Barrier, Semaphore};
use tally_sys::shm::Segment;
use tally_sys::{clock, futex};

use crate::chart::{Chart, Shape};
use crate::contend::{Found, Trial, contend};
use crate::crew::{Crew, Watch};
use crate::kind::LockKind;
use crate::place::{GUARDED, MORE, START, word};
use crate::report::{Cell, Report, Table};
use crate::study::Options;
use crate::{Error, place};

const PROCESSES: u32 = 8;
const COUNT: u32 = 20_000;
const LIMIT: Duration = Duration::from_millis(250);
/// Between reading and writing the counter.
const PAUSES: u32 = 8;
/// Doublings of the count, and of the bank's pause, until a loss is seen.
const TRIES: u32 = 12;

/// The bank: so many customers, each with one deposit; so many counters open.
const CUSTOMERS: u32 = 5;
const COUNTERS: u32 = 3;
const DEPOSIT: u32 = 1_000;
const PAUSE: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn run(watch: &mut Watch, options: &Options) -> Result<Report, Error> {
    let processes = options.processes.unwrap_or(PROCESSES);
    let entries = options.count.unwrap_or(COUNT);
    let limit = options.limit.unwrap_or(LIMIT);
    let title = format!("One counter, {processes} processes, each adds 1 again and again");
    let columns = ["LOCK", "EXPECTED", "COUNTED", "LOST", "TIME", "CPU", "FAIRNESS", "NOTE"];
    let mut counter = Table::new("counter", title, &columns);
    let mut bank = Table::new("bank", bank_title(), &["LOCK", "EXPECTED", "BALANCE", "LOST", "TIME"]);
    let mut report =
        Report::new("race").option("processes", processes.into()).option("count", entries.into());
    let mut bars = (Vec::new(), Vec::new(), Vec::new());
    for lock in options.locks() {
        let trial = Trial { lock, processes, entries, pauses: PAUSES, limit, waits: false };
        let found = if lock == LockKind::None { until_lost(watch, trial)? } else { contend(watch, trial)? };
        let (balance, ns) = deposits(watch, lock)?;
        let full = CUSTOMERS * DEPOSIT;
        report = report.claim(if lock == LockKind::None {
            found.lost() > 0 && balance < full
        } else {
            found.lost() == 0 && found.counted == found.entries && balance == full
        });
        counter.row(row(lock, &found));
        bank.row(vec![
            Cell::text(lock.name()),
            Cell::Count(full.into()),
            Cell::Count(balance.into()),
            Cell::Count(full.saturating_sub(balance).into()),
            Cell::ns(ns),
        ]);
        bars.0.push(lock.name().to_owned());
        bars.1.push(found.wall_ns as f64 / (found.entries.max(1) as f64));
        bars.2.push(found.cpu_ns as f64 / (found.entries.max(1) as f64));
    }
    let chart = Chart {
        title: format!("One counter, {processes} processes: the price of each lock"),
        unit: "nanoseconds for each entry (wall: of the clock, CPU: of all processes)".into(),
        labels: bars.0,
        series: vec![("wall".into(), bars.1), ("CPU".into(), bars.2)],
        shape: Shape::Bars,
    };
    let wrong = "two processes read the same value, both add to it, and both write: one of the updates is \
                 overwritten. The result depends on who comes when.";
    let cure = "let one in at a time (any of the locks), or make reading and writing one step (atomic). FAIRNESS is \
                what the least lucky process had done when the first was done, or when time was up: ticket and \
                bounded-test-and-set promise a turn to everybody who waits, and pay for it with a switch for each entry.";
    Ok(report.table(counter).table(bank).moral(wrong, cure).drawn(chart))
}

fn row(lock: LockKind, found: &Found) -> Vec<Cell> {
    vec![
        Cell::text(lock.name()),
        Cell::Count(found.entries),
        Cell::Count(found.counted),
        Cell::Count(found.lost()),
        Cell::ns(found.wall_ns),
        Cell::ns(found.cpu_ns),
        if lock.excludes() { Cell::Percent(found.fairness()) } else { Cell::Nothing },
        Cell::text(if found.cut { "cut short by the time limit" } else { "" }),
    ]
}

/// Counts on until an update is lost: a switch between two instructions may be rare.
fn until_lost(watch: &mut Watch, mut trial: Trial) -> Result<Found, Error> {
    let mut found = contend(watch, trial)?;
    for _ in 0..TRIES {
        if found.lost() > 0 {
            break;
        }
        trial.entries = trial.entries.saturating_mul(2);
        found = contend(watch, trial)?;
    }
    Ok(found)
}

fn bank_title() -> String {
    format!(
        "One account, {CUSTOMERS} customers, {COUNTERS} at a time, each pays in {DEPOSIT}, with a pause between \
         reading and writing the balance"
    )
}

/// The balance after all deposits, and how long they took.
fn deposits(watch: &mut Watch, lock: LockKind) -> Result<(u32, u64), Error> {
    let mut pause = PAUSE;
    for _ in 0..TRIES {
        let (balance, ns) = pay_in(watch, lock, pause)?;
        // Without a lock the loss needs two at a time, which a busy machine may not give at first.
        if lock != LockKind::None || balance < CUSTOMERS * DEPOSIT {
            return Ok((balance, ns));
        }
        pause *= 2;
    }
    pay_in(watch, lock, pause)
}

fn pay_in(watch: &mut Watch, lock: LockKind, pause: Duration) -> Result<(u32, u64), Error> {
    let mut crew = Crew::new(watch)?;
    lock.init(crew.memory()).map_err(Error::system("make a lock"))?;
    (0..COUNTERS).for_each(|_| counters(crew.memory()).give());
    for me in 0..CUSTOMERS {
        crew.start(|memory| customer(memory, lock, me, pause))?;
    }
    if !crew.wait(PATIENCE)? || !crew.all_well() {
        return Err(Error::System("finish the deposits", std::io::ErrorKind::TimedOut.into()));
    }
    let report = |me: u32, at: usize| place::reports(crew.memory(), me)[at].load(Ordering::SeqCst);
    let begun = (0..CUSTOMERS).map(|me| report(me, 0)).min().unwrap_or(0);
    let ended = (0..CUSTOMERS).map(|me| report(me, 1)).max().unwrap_or(0);
    Ok((word(crew.memory(), GUARDED).load(Ordering::SeqCst), ended.saturating_sub(begun)))
}

/// The pool of counters: a semaphore whose permits they are.
fn counters(memory: &Segment) -> Semaphore<'_, AtomicU32> {
    Semaphore::new(word(memory, MORE), word(memory, MORE + 16))
}

fn customer(memory: &Rc<Segment>, lock: LockKind, me: u32, pause: Duration) {
    let (account, reports) = (word(memory, GUARDED), place::reports(memory, me));
    Barrier::new(word(memory, START), word(memory, START + 16), CUSTOMERS).wait();
    reports[0].store(clock::monotonic_ns(), Ordering::SeqCst);
    counters(memory).take(None);
    let lock_of_account = lock.lock(memory, me, CUSTOMERS);
    lock_of_account.acquire();
    if lock == LockKind::Atomic {
        nap(pause);
        account.fetch_add(DEPOSIT, Ordering::SeqCst);
    } else {
        let balance = account.load(Ordering::SeqCst);
        nap(pause);
        account.store(balance + DEPOSIT, Ordering::SeqCst);
    }
    lock_of_account.release();
    counters(memory).give();
    reports[1].store(clock::monotonic_ns(), Ordering::SeqCst);
}

/// A pause: nobody wakes this word.
pub(crate) fn nap(time: Duration) {
    let word = AtomicU32::new(0);
    let until = clock::monotonic_ns().saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    while let Some(left) = until.checked_sub(clock::monotonic_ns()).filter(|left| *left > 0) {
        futex::wait(&word, 0, Some(Duration::from_nanos(left)));
    }
}
