//! Producers and consumers: with semaphores, as a monitor, and with a queue and the word STOP.
//!
//! The buffer between them has few places: a producer waits when it is full, a consumer when it is empty. With a
//! queue the consumers need not know how much will come: the last thing in it tells them.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tally_sync::{MonitorBuffer, SemaphoreBuffer};
use tally_sys::shm::Segment;
use tally_sys::{clock, fd};

use crate::chart::{Chart, Shape};
use crate::crew::{Crew, Watch};
use crate::place::{MORE, word};
use crate::report::{Cell, Report, Table, grouped};
use crate::study::Options;
use crate::{Error, place};

const PROCESSES: u32 = 4;
const ITEMS: u32 = 20_000;
const LIMIT: Duration = Duration::from_secs(10);
/// Places of the buffer.
const PLACES: usize = 16;
/// What tells a consumer that nothing more comes; no item is this.
const STOP: u64 = u64::MAX;
/// Bytes of an item in the queue. The system never cuts so few in two.
const ITEM: usize = 8;

/// The seed's sum, by two processes through a queue.
const SUM_TO: u64 = 10_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Semaphores,
    Monitor,
    Queue,
}

const WAYS: [(Way, &str); 3] =
    [(Way::Semaphores, "semaphores"), (Way::Monitor, "monitor"), (Way::Queue, "queue and STOP")];

fn semaphores(memory: &Segment) -> Option<SemaphoreBuffer<'_, AtomicU32>> {
    let words = memory.halves()[MORE..].first_chunk()?;
    Some(SemaphoreBuffer::new(words, &memory.halves()[MORE + 64..MORE + 64 + PLACES]))
}

fn monitor(memory: &Segment) -> Option<MonitorBuffer<'_, AtomicU32>> {
    let words = memory.halves()[MORE..].first_chunk()?;
    Some(MonitorBuffer::new(words, &memory.halves()[MORE + 64..MORE + 64 + PLACES]))
}

pub(crate) fn run(watch: &mut Watch, options: &Options) -> Result<Report, Error> {
    let pairs = options.processes.unwrap_or(PROCESSES) / 2;
    let items = options.count.unwrap_or(ITEMS);
    let limit = options.limit.unwrap_or(LIMIT);
    let title = format!("{pairs} producers put {items} numbers each, {pairs} consumers add up what they get");
    let columns =
        ["BETWEEN THEM", "ITEMS PUT", "ITEMS GOT", "SUM PUT", "SUM GOT", "TIME", "RATE", "LEAST", "MOST"];
    let mut table = Table::new("handover", title, &columns);
    let mut report = Report::new("producer-consumer")
        .option("processes", (pairs * 2).into())
        .option("count", items.into());
    let (mut labels, mut rates) = (Vec::new(), Vec::new());
    for (way, name) in WAYS {
        let came = hand_over(watch, way, pairs, items, limit)?;
        let put = u64::from(pairs) * u64::from(items);
        let sum = u64::from(pairs) * (u64::from(items) * (u64::from(items) + 1) / 2);
        report = report.claim(came.got == put && came.sum == sum);
        let rate = (u128::from(came.got) * 1_000_000_000).checked_div(came.ns.into());
        table.row(vec![
            Cell::text(name),
            Cell::Count(put),
            Cell::Count(came.got),
            Cell::Count(sum),
            Cell::Count(came.sum),
            Cell::ns(came.ns),
            Cell::PerSecond(rate.and_then(|rate| u64::try_from(rate).ok()).unwrap_or(0)),
            Cell::Count(came.least),
            Cell::Count(came.most),
        ]);
        labels.push(name.to_owned());
        rates.push(came.got as f64 * 1e9 / (came.ns.max(1) as f64));
    }
    let (lines, total) = sum_through_a_queue(watch)?;
    let wrong = "without waiting, a producer overwrites what nobody has taken yet, and a consumer takes what is not \
                 there; asking 'is it empty?' tells nothing about the next moment.";
    let cure = "count free places and items with semaphores, or wait for 'not full' and 'not empty' in a monitor, or use \
                a queue that does so; end it with STOP, one for each consumer. LEAST and MOST are items of one consumer.";
    let chart = Chart {
        title: format!("{pairs} producers, {pairs} consumers, {PLACES} places: items handed over"),
        unit: "items a second".into(),
        labels,
        series: vec![("rate".into(), rates)],
        shape: Shape::Bars,
    };
    Ok(report
        .drawn(chart)
        .table(table)
        .lines("sum", "A sum by two processes, collected through a queue until STOP", lines)
        .claim(total == SUM_TO * (SUM_TO - 1) / 2)
        .moral(wrong, cure))
}

struct Came {
    got: u64,
    sum: u64,
    ns: u64,
    least: u64,
    most: u64,
}

fn hand_over(watch: &mut Watch, way: Way, pairs: u32, items: u32, limit: Duration) -> Result<Came, Error> {
    let (reader, writer) = fd::pipe().map_err(Error::system("make a queue"))?;
    let mut crew = Crew::new(watch)?;
    if way == Way::Semaphores
        && let Some(buffer) = semaphores(crew.memory())
    {
        buffer.init();
    }
    let begun = clock::monotonic_ns();
    for me in 0..pairs {
        crew.start_with(&[writer.as_fd()], |memory| produce(memory, way, items, &writer))?;
        crew.start_with(&[reader.as_fd()], |memory| consume(memory, way, me, items, &reader))?;
    }
    // Only consumers keep the reader, so that a producer without consumers ends; we keep the writer for the STOPs.
    drop(reader);
    let producers_are_done =
        crew.wait_until(limit, |crew| (0..pairs).all(|me| crew.status(index(me) * 2).is_some()))?;
    let mut writer = File::from(writer);
    if way == Way::Queue && producers_are_done {
        (0..pairs).for_each(|_| put(&mut writer, STOP));
    }
    crew.wait(limit)?;
    let ns = clock::monotonic_ns().saturating_sub(begun);
    crew.end();
    let report = |me: u32, at: usize| place::reports(crew.memory(), me)[at].load(Ordering::SeqCst);
    let got = || (0..pairs).map(|me| report(me, 0));
    Ok(Came {
        got: got().sum(),
        sum: (0..pairs).map(|me| report(me, 1)).sum(),
        ns,
        least: got().min().unwrap_or(0),
        most: got().max().unwrap_or(0),
    })
}

fn index(me: u32) -> usize {
    usize::try_from(me).unwrap_or(0)
}

/// What cannot be written has no reader any more: the report shows what is missing.
fn put(queue: &mut impl std::io::Write, item: u64) {
    queue.write_all(&item.to_le_bytes()).ok();
}

fn produce(memory: &Rc<Segment>, way: Way, items: u32, queue: &impl AsFd) {
    let mut queue = queue.as_fd().try_clone_to_owned().ok().map(File::from);
    for item in 1..=items {
        let done = match way {
            Way::Semaphores => semaphores(memory).is_some_and(|buffer| buffer.put(item).is_ok()),
            Way::Monitor => monitor(memory).is_some_and(|buffer| buffer.put(item).is_ok()),
            Way::Queue => {
                queue.as_mut().is_some_and(|queue| queue.write_all(&u64::from(item).to_le_bytes()).is_ok())
            }
        };
        if !done {
            return;
        }
    }
}

fn consume(memory: &Rc<Segment>, way: Way, me: u32, items: u32, queue: &impl AsFd) {
    let mut queue = queue.as_fd().try_clone_to_owned().ok().map(File::from);
    let reports = place::reports(memory, me);
    let take = |queue: &mut Option<File>| -> Option<u64> {
        match way {
            Way::Semaphores => semaphores(memory)?.get().ok().map(u64::from),
            Way::Monitor => monitor(memory)?.get().ok().map(u64::from),
            Way::Queue => next(queue.as_mut()?),
        }
    };
    let mut left = if way == Way::Queue { u64::MAX } else { items.into() };
    while left > 0 {
        let Some(item) = take(&mut queue).filter(|item| *item != STOP) else { return };
        reports[0].fetch_add(1, Ordering::Relaxed);
        reports[1].fetch_add(item, Ordering::Relaxed);
        left -= 1;
    }
}

fn next(queue: &mut impl std::io::Read) -> Option<u64> {
    let mut bytes = [0; ITEM];
    queue.read_exact(&mut bytes).ok()?;
    Some(u64::from_le_bytes(bytes))
}

/// Two processes each put their part of the sum and the main process STOP; then it adds up what comes before that.
fn sum_through_a_queue(watch: &mut Watch) -> Result<(Vec<String>, u64), Error> {
    let (reader, writer) = fd::pipe().map_err(Error::system("make a queue"))?;
    let mut crew = Crew::new(watch)?;
    let halves = [(0, SUM_TO / 2), (SUM_TO / 2, SUM_TO)];
    for (start, end) in halves {
        crew.start_with(&[writer.as_fd()], |memory| {
            let total: u64 = (start..end).fold(0, |total, i| total + std::hint::black_box(i));
            // So that each is seen to have been there.
            word(memory, MORE).fetch_add(1, Ordering::SeqCst);
            if let Ok(queue) = writer.as_fd().try_clone_to_owned() {
                put(&mut File::from(queue), total);
            }
        })?;
    }
    crew.wait(LIMIT)?;
    let mut queue = File::from(writer);
    put(&mut queue, STOP);
    drop(queue);
    let mut from = File::from(reader);
    let mut lines = Vec::new();
    let mut total = 0;
    while let Some(part) = next(&mut from).filter(|part| *part != STOP) {
        lines.push(format!("get {}", grouped(part)));
        total += part;
    }
    lines.push("get STOP".to_owned());
    lines.push(format!("result: {} = the sum of 0..{}", grouped(total), grouped(SUM_TO)));
    Ok((lines, total))
}
