//! Deadlock: two processes, two locks, taken crosswise; the four conditions, and each of them broken in turn.
//!
//! Every process writes down what it holds and what it wants, and the study looks for a circle in that. It never hangs:
//! a circle that lasts is reported, and its processes are ended. At last the seeming deadlock of a main process that
//! keeps a lock for a while: there everybody waits, too, but not in a circle, and it ends by itself.

use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tally_sync::Barrier;
use tally_sys::clock;
use tally_sys::process::own_pid;
use tally_sys::robust::{Found, RobustMutex};
use tally_sys::shm::Segment;
use tally_sys::signal::Signal;

use crate::chart::{Chart, Shape};
use crate::crew::{Crew, Watch};
use crate::place::{GUARDED, LOCK, MORE, OTHER_LOCK, START, word};
use crate::race::nap;
use crate::report::{Cell, Report, Table};
use crate::study::Options;
use crate::{Error, place, referee};

const ROUNDS: u32 = 50;
const PATIENCE: Duration = Duration::from_secs(20);
/// A circle that has stood so long without a step of anybody is a deadlock.
const STANDS_NS: u64 = 60_000_000;
/// How long one waits for the other to come half-way, so that the locks do cross: on a busy machine it may not have begun.
const MEET: Duration = Duration::from_secs(5);
/// The same where the other cannot come half-way, as it waits for the very same lock.
const MEET_IN_ORDER: Duration = Duration::from_millis(20);
const OPENING: u32 = 1_000_000;
/// What the two transfer to each other each time.
const AMOUNTS: [u32; 2] = [7, 3];

/// The seeming deadlock; how long the main process keeps the lock unless told.
const CUSTOMERS: u32 = 5;
const DEPOSIT: u32 = 1_000;
const HELD: Duration = Duration::from_millis(300);

/// Places among a process's reports.
const HOLDS: usize = 0;
const WANTS: usize = 1;
const DONE: usize = 2;
const RETRIES: usize = 3;
const STEPS: usize = 4;
const ENDED: usize = 5;

/// How the two locks are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Crosswise,
    Atomic,
    AllAtOnce,
    TryLock,
    Preemption,
    Ordering,
}

impl Way {
    const CURES: [Self; 5] = [Self::Atomic, Self::AllAtOnce, Self::TryLock, Self::Preemption, Self::Ordering];

    fn name(self) -> &'static str {
        match self {
            Self::Crosswise => "none: crosswise",
            Self::Atomic => "atomic changes, no lock",
            Self::AllAtOnce => "all locks at once",
            Self::TryLock => "try, else give back",
            Self::Preemption => "preemption",
            Self::Ordering => "one order for all",
        }
    }

    fn breaks(self) -> &'static str {
        match self {
            Self::Crosswise => "-",
            Self::Atomic => "mutual exclusion",
            Self::AllAtOnce | Self::TryLock => "hold and wait",
            Self::Preemption => "no preemption",
            Self::Ordering => "circular wait",
        }
    }
}

/// What came of a way.
struct Came {
    ended: &'static str,
    done: u64,
    retries: u64,
    ns: u64,
    is_right: bool,
    /// How the circle was, if there was one.
    circle: Vec<String>,
}

pub(crate) fn run(watch: &mut Watch, options: &Options) -> Result<Report, Error> {
    let rounds = options.count.unwrap_or(ROUNDS);
    let title = format!(
        "Two accounts with a lock each; two processes transfer {rounds} times, in opposite directions"
    );
    let columns = ["CURE", "BREAKS", "ENDED", "TRANSFERS", "RETRIES", "TIME", "MONEY"];
    let mut table = Table::new("deadlock", title, &columns);
    let crosswise = transfers(watch, Way::Crosswise, rounds)?;
    let mut report = Report::new("deadlock").option("count", rounds.into());
    report = report.claim(!crosswise.circle.is_empty()).lines(
        "conditions",
        "The four conditions of a deadlock, as they were found",
        crosswise.circle.clone(),
    );
    table.row(row(Way::Crosswise, &crosswise));
    let mut times = Vec::new();
    for way in Way::CURES {
        let came = transfers(watch, way, rounds)?;
        report = report.claim(came.is_right && came.done == u64::from(rounds) * 2);
        table.row(row(way, &came));
        times.push((way.name().to_owned(), came.ns as f64 / 1e6));
    }
    report = report.table(table);
    if let Some(program) = &options.program {
        let refereed = referee::run(watch, program)?;
        let title = "Preemption by a daemon: 'tally lock a -- tally lock b' and the other way round, at once";
        report = report.claim(refereed.holds).lines("daemon", title, refereed.lines);
    }
    let (lines, balance) = main_holds(watch, options.limit.unwrap_or(HELD))?;
    let (labels, times) = times.into_iter().unzip();
    let chart = Chart {
        title: format!("Two processes, two locks, {rounds} transfers each: what each cure costs"),
        unit: "milliseconds of the clock; crosswise without a cure it takes for ever".into(),
        labels,
        series: vec![("time".into(), times)],
        shape: Shape::Bars,
    };
    let wrong =
        "each holds what the other wants and waits for what the other holds; none of the two can ever go on.";
    let cure = "break any one of the four conditions; the usual one is an order in which everybody takes locks. The \
                daemon's named locks refuse the request that would close a circle ('tally lock', 'tally deadlocks').";
    Ok(report
        .lines("main_holds", "Not a deadlock: the main process keeps the lock for a while", lines)
        .claim(balance == CUSTOMERS * DEPOSIT)
        .moral(wrong, cure)
        .drawn(chart))
}

fn row(way: Way, came: &Came) -> Vec<Cell> {
    vec![
        Cell::text(way.name()),
        Cell::text(way.breaks()),
        Cell::text(came.ended),
        Cell::Count(came.done),
        Cell::Count(came.retries),
        Cell::ns(came.ns),
        Cell::text(if came.is_right { "right" } else { "wrong" }),
    ]
}

fn transfers(watch: &mut Watch, way: Way, rounds: u32) -> Result<Came, Error> {
    let mut crew = Crew::new(watch)?;
    for at in [LOCK, OTHER_LOCK, MORE] {
        RobustMutex::create(Rc::clone(crew.memory()), at / 2).map_err(Error::system("make a lock"))?;
    }
    (0..2).for_each(|account| word(crew.memory(), account_at(account)).store(OPENING, Ordering::SeqCst));
    let begun = clock::monotonic_ns();
    for me in 0..2 {
        crew.start(|memory| body(memory, way, me, rounds))?;
    }
    let mut seen = (0, u64::MAX);
    let mut circle = Vec::new();
    crew.wait_until(PATIENCE, |crew| crew.all_ended() || stands(crew.memory(), &mut seen))?;
    let mut ended = "by itself";
    if !crew.all_ended() {
        circle = conditions(&crew);
        if way == Way::Preemption && !circle.is_empty() {
            // What it holds the kernel gives to the other, who learns of it; then the victim begins again.
            crew.signal(1, Signal::Kill);
            let other_ends = crew.wait(PATIENCE)?;
            let done = u32::try_from(get(crew.memory(), 1, DONE)).unwrap_or(u32::MAX);
            crew.start(|memory| body(memory, way, 1, rounds.saturating_sub(done)))?;
            ended =
                if other_ends && crew.wait(PATIENCE)? { "one was ended, and begun again" } else { "never" };
        } else {
            ended = "never: deadlock";
        }
    }
    // Before the end of the processes: what a dead one held the kernel gives to the other, which would go on.
    let ns = clock::monotonic_ns().saturating_sub(begun);
    let memory = crew.memory();
    let done = [get(memory, 0, DONE), get(memory, 1, DONE)];
    let is_right = (0..2).all(|account| {
        let (out, into) = (AMOUNTS[account], AMOUNTS[1 - account]);
        let expected = u64::from(OPENING) + done[1 - account] * u64::from(into);
        let found = u64::from(word(memory, account_at(account)).load(Ordering::SeqCst));
        expected.checked_sub(done[account] * u64::from(out)) == Some(found)
    });
    Ok(Came {
        ended,
        done: done.iter().sum(),
        retries: get(memory, 0, RETRIES) + get(memory, 1, RETRIES),
        ns,
        is_right,
        circle,
    })
}

fn account_at(account: usize) -> usize {
    GUARDED + account * 8
}

fn get(memory: &Segment, me: u32, at: usize) -> u64 {
    place::reports(memory, me)[at].load(Ordering::SeqCst)
}

/// Whether both want what the other holds, and have made no step for a while.
fn stands(memory: &Segment, seen: &mut (u64, u64)) -> bool {
    let steps = get(memory, 0, STEPS) + get(memory, 1, STEPS);
    let circular = |me: u32| get(memory, me, WANTS) & get(memory, 1 - me, HOLDS) != 0;
    let now = clock::monotonic_ns();
    if !(circular(0) && circular(1)) || steps != seen.0 || seen.1 == u64::MAX {
        *seen = (steps, now);
        return false;
    }
    now.saturating_sub(seen.1) >= STANDS_NS
}

/// The four conditions with their evidence.
fn conditions(crew: &Crew<'_>) -> Vec<String> {
    let memory = crew.memory();
    let pid = |me: u32| {
        let at = usize::try_from(me).unwrap_or(0);
        crew.pid(at).map_or_else(|| "?".to_owned(), |pid| pid.to_string())
    };
    let [holds, wants] = [HOLDS, WANTS].map(|what| [get(memory, 0, what), get(memory, 1, what)]);
    if holds.contains(&0) || wants.contains(&0) {
        return Vec::new();
    }
    let name = |mask: u64| if mask == 1 { "lock A" } else { "lock B" };
    let mut both = String::new();
    for me in [0, 1_u32] {
        let at = usize::from(me == 1);
        let (held, wanted) = (name(holds[at]), name(wants[at]));
        // Writing to a text cannot fail.
        write!(
            both,
            "{}process {} holds {held} and waits for {wanted}",
            if me == 1 { "; " } else { "" },
            pid(me)
        )
        .ok();
    }
    vec![
        "mutual exclusion  a lock is held by one process at a time: the other one has to wait".to_owned(),
        format!("hold and wait     {both}"),
        format!(
            "no preemption     for {} ms nobody has taken a lock away from anybody",
            STANDS_NS / 1_000_000
        ),
        format!(
            "circular wait     {0} -> {1} -> {2} -> {3} -> {0}",
            pid(0),
            name(wants[0]),
            pid(1),
            name(wants[1])
        ),
    ]
}

/// One of the two processes.
struct Party<'m> {
    memory: &'m Segment,
    me: u32,
    locks: [RobustMutex<Segment>; 2],
}

impl Party<'_> {
    fn report(&self, at: usize) -> &std::sync::atomic::AtomicU64 {
        &place::reports(self.memory, self.me)[at]
    }

    fn step(&self) {
        self.report(STEPS).fetch_add(1, Ordering::SeqCst);
    }

    /// Takes a lock; whether in time. A lock whose holder died is taken, too: the dead one was between its locks and
    /// had changed nothing yet.
    fn take(&self, lock: usize, most: Option<Duration>) -> bool {
        self.report(WANTS).store(1 << lock, Ordering::SeqCst);
        let taken = matches!(self.locks[lock].acquire(most), Ok(Found::Released | Found::Abandoned));
        self.report(WANTS).store(0, Ordering::SeqCst);
        if taken {
            self.report(HOLDS).fetch_or(1 << lock, Ordering::SeqCst);
        }
        self.step();
        taken
    }

    fn give(&self, lock: usize) {
        self.report(HOLDS).fetch_and(!(1 << lock), Ordering::SeqCst);
        self.step();
        // Held by this very thread, as everywhere here.
        self.locks[lock].release().ok();
    }

    /// The first time, waits a little until the other holds its first lock, too.
    fn meet(&self, round: u32, most: Duration) {
        if round > 0 {
            return;
        }
        place::progress(self.memory, self.me).store(1, Ordering::SeqCst);
        let other = place::progress(self.memory, 1 - self.me);
        let until = clock::monotonic_ns() + u64::try_from(most.as_nanos()).unwrap_or(0);
        while other.load(Ordering::SeqCst) == 0 && clock::monotonic_ns() < until {
            nap(Duration::from_micros(200));
        }
    }
}

fn body(memory: &Rc<Segment>, way: Way, me: u32, rounds: u32) {
    let open = |at: usize| RobustMutex::open(Rc::clone(memory), at / 2);
    let (Ok(first), Ok(second), Ok(gate)) = (open(LOCK), open(OTHER_LOCK), open(MORE)) else { return };
    let party = Party { memory, me, locks: [first, second] };
    let (mine, theirs) = if me == 0 { (0, 1) } else { (1, 0) };
    // A second life begins with nothing in its hands.
    party.report(HOLDS).store(0, Ordering::SeqCst);
    party.report(WANTS).store(0, Ordering::SeqCst);
    for round in 0..rounds {
        let (one, other) = if way == Way::Ordering { (0, 1) } else { (mine, theirs) };
        match way {
            Way::Atomic => {
                let amount = AMOUNTS[mine];
                word(memory, account_at(mine)).fetch_sub(amount, Ordering::SeqCst);
                word(memory, account_at(theirs)).fetch_add(amount, Ordering::SeqCst);
                party.report(DONE).fetch_add(1, Ordering::SeqCst);
                continue;
            }
            Way::AllAtOnce => {
                // Nobody holds one lock and waits for the other: who is not at the gate holds both or none.
                if gate.acquire(None).is_err() {
                    return;
                }
                party.take(one, None);
                party.take(other, None);
                gate.release().ok();
            }
            Way::TryLock => loop {
                party.take(one, None);
                party.meet(round, MEET);
                if party.take(other, Some(Duration::from_micros(500))) {
                    break;
                }
                party.give(one);
                let retries = party.report(RETRIES).fetch_add(1, Ordering::SeqCst) + 1;
                // Not both after the same time, or they would meet again for ever.
                nap(Duration::from_micros(100 * (retries % 7 + 1) * (u64::from(me) * 2 + 1)));
            },
            Way::Crosswise | Way::Preemption | Way::Ordering => {
                party.take(one, None);
                party.meet(round, if way == Way::Ordering { MEET_IN_ORDER } else { MEET });
                party.take(other, None);
            }
        }
        // In two steps each, under both locks.
        let move_by = |account: usize, change: i64| {
            let at = word(memory, account_at(account));
            let balance = i64::from(at.load(Ordering::SeqCst)) + change;
            at.store(u32::try_from(balance).unwrap_or(0), Ordering::SeqCst);
        };
        move_by(mine, -i64::from(AMOUNTS[mine]));
        move_by(theirs, i64::from(AMOUNTS[mine]));
        party.report(DONE).fetch_add(1, Ordering::SeqCst);
        party.give(other);
        party.give(one);
    }
}

/// The main process takes the lock, starts customers who want it, and gives it back only later.
fn main_holds(watch: &mut Watch, held: Duration) -> Result<(Vec<String>, u32), Error> {
    let mut crew = Crew::new(watch)?;
    let lock =
        RobustMutex::create(Rc::clone(crew.memory()), LOCK / 2).map_err(Error::system("make a lock"))?;
    lock.acquire(None).map_err(Error::system("take a lock"))?;
    let begun = clock::monotonic_ns();
    for me in 0..CUSTOMERS {
        crew.start(|memory| customer(memory, me))?;
    }
    crew.wait_until(held, |_| {
        clock::monotonic_ns().saturating_sub(begun) >= u64::try_from(held.as_nanos()).unwrap_or(u64::MAX)
    })?;
    let before = word(crew.memory(), GUARDED).load(Ordering::SeqCst);
    let still = !crew.all_ended();
    lock.release().map_err(Error::system("release a lock"))?;
    let all = crew.wait(PATIENCE)?;
    let balance = word(crew.memory(), GUARDED).load(Ordering::SeqCst);
    let ended = (0..CUSTOMERS).map(|me| get(crew.memory(), me, ENDED)).max().unwrap_or(0);
    let lines = vec![
        format!(
            "process {} holds the lock for {} ms; {CUSTOMERS} customers {}: the balance is {before}",
            own_pid(),
            held.as_millis(),
            if still { "wait for it" } else { "have ended" }
        ),
        "all wait for the main process, and it waits for nobody: a line, no circle".to_owned(),
        format!(
            "it gives the lock back, and {} after {}: the balance is {balance} of {}",
            if all { "all are done" } else { "NOT all are done" },
            crate::report::time(ended.saturating_sub(begun) / 1_000),
            CUSTOMERS * DEPOSIT
        ),
    ];
    Ok((lines, balance))
}

fn customer(memory: &Rc<Segment>, me: u32) {
    let Ok(lock) = RobustMutex::open(Rc::clone(memory), LOCK / 2) else { return };
    Barrier::new(word(memory, START), word(memory, START + 16), CUSTOMERS).wait();
    if lock.acquire(None).is_err() {
        return;
    }
    let balance = word(memory, GUARDED).load(Ordering::SeqCst);
    word(memory, GUARDED).store(balance + DEPOSIT, Ordering::SeqCst);
    lock.release().ok();
    place::reports(memory, me)[ENDED].store(clock::monotonic_ns(), Ordering::SeqCst);
}
