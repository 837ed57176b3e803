//! Made-up views for the tests of the picture.

use tally_protocol::ids::{JobId, SlotId};
use tally_protocol::job::{JobState, StartMethod, Transport};
use tally_protocol::top::{TopJob, TopView};
use tally_protocol::view::{StatusView, WorkerView};

/// A daemon with so many jobs and workers; the same each time.
pub(crate) fn view(jobs: usize, workers: u16) -> TopView {
    TopView {
        at_ms: 1_700_000_000_000,
        status: StatusView {
            version: "0.1.0".into(),
            pid: 77,
            phase: "running".into(),
            uptime_ms: 93_784_000,
            socket: Some("/run/tally/tally.sock".into()),
            slots: u64::from(workers),
            workers: u64::from(workers),
            queued: 14,
            running: 2,
            paused: 1,
            restarts: 2,
            ..StatusView::default()
        },
        rate_per_s: 812_000_000,
        byte_rate_per_s: 0,
        jobs: (1..=jobs as u64).map(job).collect(),
        matched: jobs as u64,
        cut_off: false,
        workers: (0..workers).map(worker).collect(),
    }
}

fn job(number: u64) -> TopJob {
    let state = match number % 4 {
        1 => JobState::Running,
        2 => JobState::Queued,
        3 => JobState::Paused,
        _ => JobState::Failed,
    };
    let running = state == JobState::Running;
    TopJob {
        job: JobId(416 + number),
        state,
        what: format!("sum 0..{number}e12 --of 'i * i % 7'"),
        uid: 0,
        all: "1000".into(),
        done: (number * 61 % 1_000).to_string(),
        bytes: false,
        rate_per_s: running.then_some(640_000_000),
        eta_ms: running.then_some(611_000),
        elapsed_ms: 72_000,
        workers: if running { 2 } else { 0 },
        retries: number % 3,
        priority: 0,
        detached: true,
    }
}

fn worker(slot: u16) -> WorkerView {
    let lost = slot == 5;
    WorkerView {
        slot: SlotId(slot),
        state: if lost { "backing-off" } else { "busy" }.into(),
        pid: (!lost).then_some(31_201 + u32::from(slot)),
        job: (!lost).then_some(JobId(417)),
        range: (!lost).then(|| format!("{slot}000000..{}000000", slot + 1)),
        leases: 2,
        partitions: 611,
        restarts: u64::from(lost),
        backoff_ms: lost.then_some(400),
        transport: Transport::Shm,
        start: StartMethod::Forkserver,
        confined: None,
        cpu_ms: (!lost).then_some(5_000),
        age_ms: (!lost).then_some(10_000),
        rss_bytes: (!lost).then_some(9_437_184),
    }
}
