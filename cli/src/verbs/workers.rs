//! `workers`: the daemon's slots and who is in them.

use tally_protocol::control::{Request, part};
use tally_protocol::error::Failure;
use tally_protocol::view::WorkerView;

use super::{Context, ask};
use crate::place::Reach;
use crate::show::json::{self, Document};
use crate::show::number;
use crate::show::table::{Side, Table};
use crate::show::template::Template;

pub(super) fn run(
    context: &mut Context<'_, '_>,
    reach: &Reach,
    template: Option<&Template>,
) -> Result<u8, Failure> {
    let workers: Vec<WorkerView> =
        part(ask(context, reach, &Request::Workers, "list the workers")?, "workers")?;
    let text = if let Some(template) = template {
        json::lines(template, workers.as_slice())
    } else if context.style.json {
        Document::new("tally.workers/1").value("workers", workers.as_slice()).line()
    } else {
        table(&workers).for_answer(context.terminal)
    };
    context.terminal.answer(&text)?;
    Ok(0)
}

fn table(workers: &[WorkerView]) -> Table {
    let mut table = Table::new(&[
        ("WORKER", Side::Left),
        ("PID", Side::Right),
        ("STATE", Side::Left),
        ("JOB", Side::Left),
        ("RANGE", Side::Left),
        ("LEASES", Side::Right),
        ("PARTITIONS", Side::Right),
        ("RESTARTS", Side::Right),
        ("LINK", Side::Left),
        ("START", Side::Left),
    ]);
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    for worker in workers {
        let state = match worker.backoff_ms {
            Some(ms) => format!("{} {}", worker.state, number::duration(ms)),
            None => worker.state.clone(),
        };
        table.row(vec![
            format!("worker-{}", worker.slot),
            or_dash(worker.pid.map(|pid| pid.to_string())),
            state,
            or_dash(worker.job.map(|job| job.to_string())),
            or_dash(worker.range.clone()),
            worker.leases.to_string(),
            number::grouped(&worker.partitions.to_string()),
            number::grouped(&worker.restarts.to_string()),
            worker.transport.to_string(),
            worker.start.to_string(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use tally_protocol::ids::SlotId;
    use tally_protocol::job::{StartMethod, Transport};

    #[test]
    fn slots_stand_in_a_table() {
        let idle = WorkerView {
            slot: SlotId(0),
            state: "idle".into(),
            pid: Some(31_201),
            job: None,
            range: None,
            leases: 0,
            partitions: 1_234,
            restarts: 0,
            backoff_ms: None,
            transport: Transport::Shm,
            start: StartMethod::Forkserver,
            confined: None,
            cpu_ms: None,
            age_ms: None,
            rss_bytes: None,
        };
        let gone = WorkerView {
            slot: SlotId(1),
            state: "backing-off".into(),
            pid: None,
            backoff_ms: Some(400),
            restarts: 6,
            ..idle.clone()
        };
        assert_eq!(
            table(&[idle, gone]).text("", str::to_owned),
            "\
WORKER      PID  STATE             JOB  RANGE  LEASES  PARTITIONS  RESTARTS  LINK  START
worker-0  31201  idle              -    -           0       1,234         0  shm   forkserver
worker-1      -  backing-off 0.4s  -    -           0       1,234         6  shm   forkserver
"
        );
    }
}
