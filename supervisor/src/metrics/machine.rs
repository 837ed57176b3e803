//! The machine's counters, in the words of OpenMetrics.

use tally_machine::figures::{Figures, ObjectFigures};
use tally_protocol::job::JobState;
use tally_protocol::objects::ObjectKind;

use super::text::{Kind, Text};

pub(super) fn machine(text: &mut Text, figures: &Figures) {
    text.one("tally_jobs_submitted", Kind::Counter, "Jobs taken in.", figures.jobs_submitted);
    let ends = JobState::ALL.iter().filter(|state| state.is_over());
    let ended = ends.map(|state| {
        let count = figures.jobs_ended.get(state).copied().unwrap_or(0);
        (state.name(), count.to_string())
    });
    text.family("tally_jobs_outcomes", Kind::Counter, "Jobs that have ended, by how.", "state", ended);
    let help = "Time from the submission of a job to its end.";
    text.histogram("tally_job_seconds", help, &figures.job_time);
    text.one("tally_partitions", Kind::Counter, "Partitions accepted.", figures.partitions);
    text.one("tally_elements", Kind::Counter, "Elements of the partitions accepted.", figures.elements);
    let help = "Time that workers folded one partition.";
    text.histogram("tally_partition_seconds", help, &figures.partition_time);
    let help = "Attempts at a partition that were lost and made again: \
                the worker died or fell silent, or the command failed.";
    text.one("tally_partitions_retried", Kind::Counter, help, figures.retries);
    let deaths = figures.worker_deaths.iter().map(|(how, count)| (how.as_str(), count.to_string()));
    // A family without samples is none.
    if !figures.worker_deaths.is_empty() {
        text.family("tally_worker_deaths", Kind::Counter, "Workers that were lost, by how.", "how", deaths);
    }
    text.one("tally_jobs_waiting", Kind::Gauge, "Jobs that want one more worker.", figures.waiting);
    text.one("tally_records", Kind::Counter, "Records that the store has taken.", figures.records);
    let help = "Records that the store has refused.";
    text.one("tally_records_refused", Kind::Counter, help, figures.records_refused);
    let help = "Jobs whose newest state the store has refused.";
    text.one("tally_jobs_unrecorded", Kind::Gauge, help, figures.unrecorded);
    let help = "Grants of named locks and semaphores that are held.";
    text.one("tally_locks_held", Kind::Gauge, help, figures.locks_held);
    let help = "Clients that wait for a named lock or semaphore.";
    text.one("tally_locks_waiting", Kind::Gauge, help, figures.locks_waiting);
    let help = "Grants of named locks and semaphores.";
    text.one("tally_locks_granted", Kind::Counter, help, figures.locks_granted);
    text.one("tally_deadlocks", Kind::Counter, "Deadlocks that were refused.", figures.deadlocks);
    objects(text, &figures.objects);
}

fn objects(text: &mut Text, figures: &ObjectFigures) {
    let kinds = ObjectKind::ALL.map(|kind| {
        let count = figures.kinds.get(&kind).copied().unwrap_or(0);
        (kind.name(), count.to_string())
    });
    text.family("tally_objects", Kind::Gauge, "Hosted objects by kind.", "kind", kinds);
    let help = "Bytes that hosted objects are counted with.";
    text.one("tally_objects_bytes", Kind::Gauge, help, figures.bytes);
    let help = "Clients that wait for a hosted object.";
    text.one("tally_objects_waiting", Kind::Gauge, help, figures.waiting);
    let help = "Clients that watch a hosted object.";
    text.one("tally_objects_watching", Kind::Gauge, help, figures.watching);
    let help = "Items of queues that consumers have and have not acknowledged.";
    text.one("tally_queue_items_leased", Kind::Gauge, help, figures.leased);
}
