//! The machine's counters, in the words of OpenMetrics.

use tally_machine::figures::Figures;

use super::text::{Kind, Text};

pub(super) fn machine(text: &mut Text, figures: &Figures) {
    text.one("tally_jobs_submitted", Kind::Counter, "Jobs taken in.", figures.jobs_submitted);
    let ended = figures.jobs_ended.iter().map(|(state, count)| (state.name(), count.to_string()));
    text.family("tally_jobs_outcomes", Kind::Counter, "Jobs that have ended, by how.", "state", ended);
    let help = "Time from the submission of a job to its end.";
    text.histogram("tally_job_seconds", help, &figures.job_time);
    text.one("tally_partitions", Kind::Counter, "Partitions accepted.", figures.partitions);
    text.one("tally_elements", Kind::Counter, "Elements of the partitions accepted.", figures.elements);
    let help = "Time that workers folded one partition.";
    text.histogram("tally_partition_seconds", help, &figures.partition_time);
    let help = "Partitions that were tried again because their worker died.";
    text.one("tally_partitions_retried", Kind::Counter, help, figures.retries);
    let deaths = figures.worker_deaths.iter().map(|(how, count)| (how.as_str(), count.to_string()));
    text.family("tally_worker_deaths", Kind::Counter, "Workers that were lost, by how.", "how", deaths);
    text.one("tally_jobs_waiting", Kind::Gauge, "Jobs that want one more worker.", figures.waiting);
    text.one("tally_records", Kind::Counter, "Records that the store has taken.", figures.records);
    let help = "Records that the store has refused.";
    text.one("tally_records_refused", Kind::Counter, help, figures.records_refused);
    let help = "Jobs whose newest state the store has refused.";
    text.one("tally_jobs_unrecorded", Kind::Gauge, help, figures.unrecorded);
}
