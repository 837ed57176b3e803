//! The table of `--verbose`: what each worker did, then the time and the total.
//!
//! It goes to standard error, so numbers are grouped.

use tally_protocol::job::JobState;
use tally_protocol::view::{JobView, ResultView, WorkerShare};

use super::number::{grouped, grouped_short};
use super::table::{Side, Table};

/// Ranges named for one worker; the rest is counted.
const RANGES_SHOWN_MAX: usize = 3;

/// The table as text. `elapsed_ns` is the time to tell.
pub(crate) fn text(job: &JobView, elapsed_ns: u64) -> String {
    // A job whose breakdown nobody asked for has neither ranges nor partial answers to show.
    let broken_down = job.workers.iter().any(|share| !share.ranges.is_empty());
    let partials: &[String] = if broken_down { &job.reductions } else { &[] };
    let mut columns = vec![("worker", Side::Left), ("elements", Side::Right)];
    if broken_down {
        columns.insert(1, ("ranges", Side::Left));
    }
    match partials {
        [_] => columns.push(("partial", Side::Right)),
        several => columns.extend(several.iter().map(|name| (name.as_str(), Side::Right))),
    }
    columns.push(("time", Side::Right));
    let mut table = Table::new(&columns);
    for share in &job.workers {
        let mut row = vec![format!("worker-{}", share.slot), grouped(&share.elements)];
        if broken_down {
            row.insert(1, ranges(share));
        }
        row.extend(partials.iter().map(|name| partial(&share.results, name)));
        row.push(format!("{}.{:03}s", share.busy_ms / 1_000, share.busy_ms % 1_000));
        table.row(row);
    }
    let mut text = table.text("", str::to_owned);
    let micros_100 = elapsed_ns / 100_000;
    text.push_str(&format!("time={}.{:04}sec", micros_100 / 10_000, micros_100 % 10_000));
    if job.retries > 0 {
        text.push_str(&format!(" retries={}", job.retries));
    }
    if job.state == JobState::Done {
        for result in &job.results {
            let name = if job.results.len() == 1 { "total" } else { &result.reduction };
            text.push_str(&format!(" {name}={}", grouped_short(&result.value)));
        }
    }
    text.push('\n');
    for result in &job.results {
        let name = &result.reduction;
        match (&result.index, &result.file, &result.row) {
            (Some(index), _, _) => text.push_str(&format!("{name} first at i = {index}\n")),
            (None, Some(file), Some(row)) => text.push_str(&format!("{name} first in row {row} of {file}\n")),
            _ => {}
        }
    }
    if let Some(note) = &job.note {
        text.push_str(&format!("note: {note}\n"));
    }
    text
}

fn ranges(share: &WorkerShare) -> String {
    let shown = share.ranges.len().min(RANGES_SHOWN_MAX);
    let mut text = share.ranges[..shown].join(", ");
    if share.ranges.len() > shown {
        text.push_str(&format!(" +{} more", share.ranges.len() - shown));
    }
    text
}

fn partial(results: &[ResultView], reduction: &str) -> String {
    let found = results.iter().find(|result| result.reduction == reduction);
    found.map_or_else(|| "-".to_owned(), |result| grouped_short(&result.value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake;

    #[test]
    fn the_table_of_the_seed() {
        let mut job = fake::job_done("sum", "4999999950000000");
        job.workers = vec![
            fake::share(0, &["0..50000000"], "50000000", &[("sum", "1249999975000000")]),
            fake::share(1, &["50000000..100000000"], "50000000", &[("sum", "3749999975000000")]),
        ];
        assert_eq!(
            text(&job, 123_456_789),
            "\
worker    ranges                 elements                partial    time
worker-0  0..50000000          50,000,000  1,249,999,975,000,000  0.250s
worker-1  50000000..100000000  50,000,000  3,749,999,975,000,000  0.250s
time=0.1234sec total=4,999,999,950,000,000
"
        );
    }

    #[test]
    fn many_ranges_and_reductions_are_told_briefly() {
        let mut job = fake::job_done("sum", "10");
        job.reductions.push("max".into());
        job.results.push(fake::result("max", "4"));
        job.retries = 2;
        job.workers = vec![fake::share(3, &["0..1", "1..2", "2..3", "3..4", "4..5"], "5", &[("sum", "10")])];
        assert_eq!(
            text(&job, 2_000_000_000),
            "\
worker    ranges                    elements  sum  max    time
worker-3  0..1, 1..2, 2..3 +2 more         5   10    -  0.250s
time=2.0000sec retries=2 sum=10 max=4
"
        );
    }

    #[test]
    fn ends_are_told_with_their_first_places() {
        let mut job = fake::job_done("min", "-4");
        job.results[0].index = Some("7".into());
        job.results.push(fake::result("max", "9"));
        (job.results[1].file, job.results[1].row) = (Some("a.npy".into()), Some("12".into()));
        job.note = Some("odd".into());
        let text = text(&job, 2_000_000_000);
        assert!(text.ends_with("\nmin first at i = 7\nmax first in row 12 of a.npy\nnote: odd\n"), "{text}");
    }

    #[test]
    fn without_a_breakdown_there_are_fewer_columns() {
        let mut job = fake::job_done("sum", "10");
        job.workers = vec![fake::share(0, &[], "5000", &[])];
        let expected = "worker    elements    time\nworker-0     5,000  0.250s\ntime=2.0000sec total=10\n";
        assert_eq!(text(&job, 2_000_000_000), expected);
    }
}
