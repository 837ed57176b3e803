//! Locks under more and more processes: how many entries a second, and how long one waits for them.

use std::time::Duration;

use crate::Error;
use crate::chart::{Chart, Shape};
use crate::contend::{Trial, contend};
use crate::crew::Watch;
use crate::kind::LockKind;
use crate::report::{Cell, Report, Table};
use crate::study::Options;

const PROCESSES: u32 = 4;
const COUNT: u32 = 10_000;
const LIMIT: Duration = Duration::from_millis(80);
/// Inside, between reading and writing the counter.
const PAUSES: u32 = 4;

pub(crate) fn run(watch: &mut Watch, options: &Options) -> Result<Report, Error> {
    let most = options.processes.unwrap_or(PROCESSES);
    let entries = options.count.unwrap_or(COUNT);
    let limit = options.limit.unwrap_or(LIMIT);
    let crowds: Vec<u32> = crowds(most);
    let columns =
        ["LOCK", "PROCESSES", "RATE", "WAIT HALF", "WAIT 99", "WAIT MOST", "CPU", "FAIRNESS", "LOST"];
    let mut table =
        Table::new("locks", "Entries a second, and waits (below which half, 99%, all lie)", &columns);
    let mut report = Report::new("locks").option("processes", most.into()).option("count", entries.into());
    let mut series = Vec::new();
    for lock in options.locks().into_iter().filter(|lock| *lock != LockKind::None) {
        let mut rates = Vec::new();
        for &processes in &crowds {
            let found =
                contend(watch, Trial { lock, processes, entries, pauses: PAUSES, limit, waits: true })?;
            report = report.claim(found.lost() == 0 && found.counted == found.entries);
            rates.push(found.rate() as f64);
            table.row(vec![
                Cell::text(lock.name()),
                Cell::Count(processes.into()),
                Cell::PerSecond(found.rate()),
                Cell::Ns(found.wait_ns(50)),
                Cell::Ns(found.wait_ns(99)),
                Cell::Ns(found.wait_most_ns()),
                Cell::ns(found.cpu_ns),
                if lock.excludes() { Cell::Percent(found.fairness()) } else { Cell::Nothing },
                Cell::Count(found.lost()),
            ]);
        }
        series.push((lock.name().to_owned(), rates));
    }
    if series.is_empty() {
        return Err(Error::BadOption("compare 'none' with 'lab locks': it is no lock".to_owned()));
    }
    let chart = Chart {
        title: "Throughput of locks by number of processes".into(),
        unit: "entries a second, all processes together; x: processes".into(),
        labels: crowds.iter().map(u32::to_string).collect(),
        series,
        shape: Shape::Lines,
    };
    let wrong = "with more processes than processors a spinning process may hold the processor that the holder needs; \
                 a fair lock hands over to one that does not run, so each entry costs a switch.";
    let cure = "sleep instead of spinning when the wait is long (spin-then-block, semaphore, robust-mutex), or need no \
                lock at all (atomic). Fairness has its price: compare ticket's longest wait with the others'.";
    Ok(report.table(table).moral(wrong, cure).drawn(chart))
}

/// 1, 2, 4, ... and the most.
fn crowds(most: u32) -> Vec<u32> {
    let doubled = std::iter::successors(Some(1_u32), |count| count.checked_mul(2));
    doubled.take_while(|count| *count < most).chain([most]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crowds_double_up_to_the_most() {
        assert_eq!(crowds(1), [1]);
        assert_eq!(crowds(4), [1, 2, 4]);
        assert_eq!(crowds(6), [1, 2, 4, 6]);
    }
}
