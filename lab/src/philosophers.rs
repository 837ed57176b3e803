//! The dining philosophers: five at a round table, a fork between each two, and two forks needed to eat.
//!
//! E. W. Dijkstra (1965, as an examination question). Once the naive way, which ends in deadlock when all take their left
//! fork at once, then three cures. It ends by itself: a circle in which nobody moves is seen and reported.

use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tally_sync::{Barrier, Condition, Lock as _, Monitor, Semaphore, SpinThenBlockLock};
use tally_sys::clock;
use tally_sys::shm::Segment;

use crate::chart::{Chart, Shape};
use crate::contend::pause;
use crate::crew::{Crew, Watch};
use crate::place::{FIRST, MORE, START, word};
use crate::report::{Cell, Report, Table};
use crate::study::Options;
use crate::{Error, place};

const PHILOSOPHERS: u32 = 5;
const MEALS: u32 = 300;
/// Pauses of the processor for a meal.
const EATING: u32 = 1_000;
const LIMIT: Duration = Duration::from_secs(10);
/// Nobody has moved for so long: a deadlock.
const STANDS_NS: u64 = 150_000_000;
/// 32-bit words between two forks, and between two philosophers' states.
const APART: usize = 16;
const FORKS: usize = MORE + 64;
const STATES: usize = FORKS + 16 * APART;
const CONDITIONS: usize = STATES + 16 * APART;

/// How the forks are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Left, then right.
    Naive,
    /// The lower number first.
    Ordered,
    /// One fewer may sit at the table than there are forks.
    Waiter,
    /// Both or none, as a monitor.
    Monitor,
}

const WAYS: [(Way, &str); 4] = [
    (Way::Naive, "left, then right"),
    (Way::Ordered, "lower number first"),
    (Way::Waiter, "a waiter seats all but one"),
    (Way::Monitor, "both or none (monitor)"),
];

pub(crate) fn run(watch: &mut Watch, options: &Options) -> Result<Report, Error> {
    let seats = options.processes.unwrap_or(PHILOSOPHERS);
    let meals = options.count.unwrap_or(MEALS);
    let limit = options.limit.unwrap_or(LIMIT);
    let title = format!("{seats} philosophers, {seats} forks, {meals} meals each");
    let columns = ["FORKS TAKEN", "ENDED", "MEALS", "TIME", "LEAST", "MOST"];
    let mut table = Table::new("philosophers", title, &columns);
    let mut report =
        Report::new("philosophers").option("processes", seats.into()).option("count", meals.into());
    let (mut labels, mut least, mut most) = (Vec::new(), Vec::new(), Vec::new());
    for (way, name) in WAYS {
        let dinner = dine(watch, way, seats, meals, limit)?;
        let all = u64::from(seats) * u64::from(meals);
        report =
            report.claim(if way == Way::Naive { dinner.stuck } else { dinner.meals == all || dinner.cut });
        table.row(vec![
            Cell::text(name),
            Cell::text(match (dinner.stuck, dinner.cut) {
                (true, _) => "never: deadlock",
                (_, true) => "cut short by the time limit",
                _ => "by itself",
            }),
            Cell::Count(dinner.meals),
            Cell::ns(dinner.ns),
            Cell::Count(dinner.least.into()),
            Cell::Count(dinner.most.into()),
        ]);
        labels.push(name.to_owned());
        least.push(f64::from(dinner.least));
        most.push(f64::from(dinner.most));
    }
    let wrong = "when all hold their left fork at the same moment, each waits for a fork that its neighbour holds and \
                 will never put down: a circle of waits.";
    let cure = "take the forks in one order for all, let one fewer sit down, or take both or none. LEAST and MOST are \
                the meals of the hungriest and of the first one when that one was done.";
    let chart = Chart {
        title: format!("{seats} philosophers: meals when the first one has had all of its {meals}"),
        unit: "meals of the hungriest and of the first".into(),
        labels,
        series: vec![("least".into(), least), ("most".into(), most)],
        shape: Shape::Bars,
    };
    Ok(report.table(table).moral(wrong, cure).drawn(chart))
}

struct Dinner {
    stuck: bool,
    cut: bool,
    meals: u64,
    ns: u64,
    least: u32,
    most: u32,
}

fn dine(watch: &mut Watch, way: Way, seats: u32, meals: u32, limit: Duration) -> Result<Dinner, Error> {
    let mut crew = Crew::new(watch)?;
    (1..seats).for_each(|_| waiter(crew.memory()).give());
    let begun = clock::monotonic_ns();
    for me in 0..seats {
        crew.start(|memory| body(memory, way, me, seats, meals))?;
    }
    let mut seen = (0, begun);
    let mut stuck = false;
    crew.wait_until(limit, |crew| {
        let eaten = all_meals(crew.memory(), seats);
        let now = clock::monotonic_ns();
        // All hold a fork and nobody eats: that is the circle.
        let all_hold = (0..seats).all(|me| state(crew.memory(), me).load(Ordering::SeqCst) == HOLDS_ONE);
        if eaten != seen.0 || !all_hold {
            seen = (eaten, now);
        }
        stuck = now.saturating_sub(seen.1) >= STANDS_NS;
        crew.all_ended() || stuck
    })?;
    let cut = !stuck && !crew.all_ended();
    crew.end();
    let memory = crew.memory();
    let (least, most) = match word(memory, FIRST).load(Ordering::SeqCst) {
        0 => {
            let meals = (0..seats).map(|me| place::progress(memory, me).load(Ordering::SeqCst));
            (meals.clone().min().unwrap_or(0), meals.max().unwrap_or(0))
        }
        _ => (word(memory, FIRST + 1).load(Ordering::SeqCst), meals),
    };
    let ns = clock::monotonic_ns().saturating_sub(begun);
    Ok(Dinner { stuck, cut, meals: all_meals(memory, seats), ns, least, most })
}

fn all_meals(memory: &Segment, seats: u32) -> u64 {
    (0..seats).map(|me| u64::from(place::progress(memory, me).load(Ordering::SeqCst))).sum()
}

/// What a philosopher does; only the circle is looked for in it, and the monitor's `EATS`.
const THINKS: u32 = 0;
const HOLDS_ONE: u32 = 1;
const EATS: u32 = 2;

fn state(memory: &Segment, me: u32) -> &AtomicU32 {
    word(memory, STATES + APART * usize::try_from(me).unwrap_or(0))
}

fn fork(memory: &Segment, number: u32) -> SpinThenBlockLock<'_, AtomicU32> {
    SpinThenBlockLock::new(word(memory, FORKS + APART * usize::try_from(number).unwrap_or(0)))
}

fn waiter(memory: &Segment) -> Semaphore<'_, AtomicU32> {
    Semaphore::new(word(memory, MORE), word(memory, MORE + 16))
}

fn body(memory: &Rc<Segment>, way: Way, me: u32, seats: u32, meals: u32) {
    let barrier = || Barrier::new(word(memory, START), word(memory, START + 16), seats).wait();
    barrier();
    let (left, right) = (me, (me + 1) % seats);
    let (first, second) =
        if way == Way::Ordered { (left.min(right), left.max(right)) } else { (left, right) };
    let mine = place::progress(memory, me);
    for meal in 1..=meals {
        match way {
            Way::Monitor => both_or_none(memory, me, seats),
            Way::Naive | Way::Ordered | Way::Waiter => {
                if way == Way::Waiter {
                    waiter(memory).take(None);
                }
                fork(memory, first).acquire();
                state(memory, me).store(HOLDS_ONE, Ordering::SeqCst);
                if way == Way::Naive && meal == 1 {
                    // All have their left fork: what a busy day brings about sooner or later.
                    barrier();
                }
                fork(memory, second).acquire();
                state(memory, me).store(EATS, Ordering::SeqCst);
            }
        }
        mine.store(meal, Ordering::SeqCst);
        pause(EATING);
        if way == Way::Monitor {
            put_down(memory, me, seats);
        } else {
            state(memory, me).store(THINKS, Ordering::SeqCst);
            fork(memory, second).release();
            fork(memory, first).release();
            if way == Way::Waiter {
                waiter(memory).give();
            }
        }
    }
    if word(memory, FIRST).compare_exchange(0, 1, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
        let all = (0..seats).map(|other| place::progress(memory, other).load(Ordering::SeqCst));
        word(memory, FIRST + 1).store(all.min().unwrap_or(0), Ordering::SeqCst);
    }
}

/// The monitor's lock, and the condition that each philosopher waits for.
fn monitor(memory: &Segment) -> Monitor<'_, AtomicU32> {
    Monitor::new(word(memory, MORE + 32))
}

fn condition(memory: &Segment, me: u32) -> Condition<'_, AtomicU32> {
    Condition::new(word(memory, CONDITIONS + APART * usize::try_from(me).unwrap_or(0)))
}

fn both_or_none(memory: &Segment, me: u32, seats: u32) {
    let eats = |other: u32| state(memory, other % seats).load(Ordering::SeqCst) == EATS;
    let monitor = monitor(memory);
    monitor.with(|| {
        monitor.wait_until(&condition(memory, me), || !eats(me + seats - 1) && !eats(me + 1));
        state(memory, me).store(EATS, Ordering::SeqCst);
    });
}

fn put_down(memory: &Segment, me: u32, seats: u32) {
    monitor(memory).with(|| {
        state(memory, me).store(THINKS, Ordering::SeqCst);
        condition(memory, (me + 1) % seats).signal();
        condition(memory, (me + seats - 1) % seats).signal();
    });
}

const _: () = assert!(CONDITIONS + 16 * APART <= 4_096);
