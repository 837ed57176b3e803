//! Coroutines: functions that stop and go on where they were, many of them on one thread.
//!
//! Three factorials side by side, interleaved, with a small executor of our own; and a running minimum that is sent one
//! number after another. No thread, no process, no lock: only one of them ever runs.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tally_reduce::Integer;
use tally_sys::clock;

use crate::Error;
use crate::chart::{Chart, Shape};
use crate::crew::Watch;
use crate::race::nap;
use crate::report::{Cell as Field, Report, Table};

/// What each step of a factorial waits, as for a network or a disk.
const STEP: Duration = Duration::from_millis(40);
const FACTORIALS: [(&str, u32); 3] = [("A", 2), ("B", 3), ("C", 4)];
const SENT: [i64; 4] = [10, 4, 22, -6];

/// A coroutine that is run to its end by the executor.
type Task<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

pub(crate) fn run(watch: &mut Watch) -> Result<Report, Error> {
    let log = RefCell::new(Vec::new());
    let begun = clock::monotonic_ns();
    let tasks =
        FACTORIALS.map(|(name, number)| -> Task<'_, Integer> { Box::pin(factorial(name, number, &log)) });
    let products = gather(watch, tasks.into())?;
    let took_ns = clock::monotonic_ns().saturating_sub(begun);
    let steps: u32 = FACTORIALS.iter().map(|(_, number)| number - 1).sum();
    let one_by_one = STEP * steps;
    let shown: Vec<String> = products.iter().map(Integer::to_string).collect();
    let mut log = log.into_inner();
    log.push(format!("[{}]", shown.join(", ")));

    let mut minimum = Coroutine::new(running_minimum);
    let answers = SENT.map(|number| (number, minimum.send(number)));
    let mut table =
        Table::new("minimum", "A running minimum, sent one number after another", &["SENT", "ANSWER"]);
    for (number, answer) in answers {
        table.row(vec![
            Field::text(number.to_string()),
            Field::text(answer.map_or_else(|| "-".to_owned(), |least| least.to_string())),
        ]);
    }
    let mut times = Table::new("times", "Waits overlap, although there is one thread", &["HOW", "TIME"]);
    times.row(vec![Field::text("side by side"), Field::ns(took_ns)]);
    times.row(vec![
        Field::text("one after another, at least"),
        Field::Us(u64::try_from(one_by_one.as_micros()).unwrap_or(0)),
    ]);
    let minima = answers.map(|(_, answer)| answer);
    let wrong = "one thread that waits for one thing does nothing else meanwhile; threads would need locks for what \
                 they share, and processors for what does not compute.";
    let cure = "a function that waits hands the thread to the next one and goes on later where it was. Between two \
                waits nobody else runs, so there is nothing to lock. It does not make computing faster: that takes \
                processes.";
    let chart = Chart {
        title: "Three factorials that wait at each step, on one thread".into(),
        unit: "milliseconds of the clock".into(),
        labels: vec!["side by side".into(), "one after another".into()],
        series: vec![("time".into(), vec![took_ns as f64 / 1e6, one_by_one.as_secs_f64() * 1e3])],
        shape: Shape::Bars,
    };
    Ok(Report::new("coroutines")
        .drawn(chart)
        .lines("log", "Three factorials side by side on one thread", log)
        .table(times)
        .table(table)
        .moral(wrong, cure)
        .claim(shown == ["2", "6", "24"])
        .claim(minima == [Some(10), Some(4), Some(4), Some(-6)]))
}

async fn factorial(name: &str, number: u32, log: &RefCell<Vec<String>>) -> Integer {
    let mut product = Integer::ONE;
    for factor in 2..=number {
        let line = format!("task {name}: compute factorial({number}), currently i={factor}...");
        log.borrow_mut().push(line);
        sleep(STEP).await;
        product *= Integer::from(factor);
    }
    log.borrow_mut().push(format!("task {name}: factorial({number}) = {product}"));
    product
}

/// Waits without keeping the thread.
fn sleep(time: Duration) -> impl Future<Output = ()> {
    let until = clock::monotonic_ns().saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    std::future::poll_fn(move |_| {
        if clock::monotonic_ns() >= until {
            return Poll::Ready(());
        }
        WAKE_AT.set(WAKE_AT.get().min(until));
        Poll::Pending
    })
}

thread_local! {
    /// When the first sleeper wants to go on.
    static WAKE_AT: Cell<u64> = const { Cell::new(u64::MAX) };
}

/// The executor: asks each one in turn, and sleeps when all of them do.
fn gather<T>(watch: &mut Watch, tasks: Vec<Task<'_, T>>) -> Result<Vec<T>, Error> {
    let mut answers: Vec<Option<T>> = tasks.iter().map(|_| None).collect();
    let mut open: VecDeque<(usize, Task<'_, T>)> = tasks.into_iter().enumerate().collect();
    let mut context = Context::from_waker(Waker::noop());
    while !open.is_empty() {
        WAKE_AT.set(u64::MAX);
        for _ in 0..open.len() {
            let Some((at, mut task)) = open.pop_front() else { break };
            match task.as_mut().poll(&mut context) {
                Poll::Ready(answer) => answers[at] = Some(answer),
                Poll::Pending => open.push_back((at, task)),
            }
        }
        watch.check()?;
        if !open.is_empty() {
            nap(Duration::from_nanos(WAKE_AT.get().saturating_sub(clock::monotonic_ns())));
        }
    }
    Ok(answers.into_iter().flatten().collect())
}

/// A coroutine that is sent a value and answers with one, again and again.
struct Coroutine {
    body: Pin<Box<dyn Future<Output = ()>>>,
    desk: Rc<Desk>,
}

/// Where the two sides put what they say.
#[derive(Default)]
struct Desk {
    sent: Cell<Option<i64>>,
    answer: Cell<Option<i64>>,
}

impl Desk {
    /// Says something and waits for what is sent next.
    async fn say(&self, answer: Option<i64>) -> i64 {
        self.answer.set(answer);
        std::future::poll_fn(|_| self.sent.take().map_or(Poll::Pending, Poll::Ready)).await
    }
}

impl Coroutine {
    /// Runs it up to where it first waits for something.
    fn new<F: Future<Output = ()> + 'static>(body: impl FnOnce(Rc<Desk>) -> F) -> Self {
        let desk = Rc::new(Desk::default());
        let mut new = Self { body: Box::pin(body(Rc::clone(&desk))), desk };
        new.go_on();
        new
    }

    fn go_on(&mut self) -> bool {
        self.body.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    /// Sends it a value; what it answers, unless it has ended.
    fn send(&mut self, value: i64) -> Option<i64> {
        self.desk.sent.set(Some(value));
        self.go_on().then(|| self.desk.answer.take()).flatten()
    }
}

async fn running_minimum(desk: Rc<Desk>) {
    let mut least = desk.say(None).await;
    loop {
        least = least.min(desk.say(Some(least)).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factorials_take_turns() {
        let log = RefCell::new(Vec::new());
        let tasks =
            FACTORIALS.map(|(name, number)| -> Task<'_, Integer> { Box::pin(factorial(name, number, &log)) });
        let products = gather(&mut Watch::new().unwrap(), tasks.into()).unwrap();
        assert_eq!(products, [2, 6, 24].map(Integer::from));
        let who: Vec<String> = log.borrow().iter().map(|line| line[5..6].to_owned()).collect();
        assert_eq!(who[..3], ["A", "B", "C"], "all begin before one goes on");
        assert_eq!(log.borrow().len(), 9);
    }

    #[test]
    fn the_minimum_remembers() {
        let mut minimum = Coroutine::new(running_minimum);
        assert_eq!(SENT.map(|number| minimum.send(number)), [Some(10), Some(4), Some(4), Some(-6)]);
        assert_eq!(minimum.send(7), Some(-6));
    }
}
