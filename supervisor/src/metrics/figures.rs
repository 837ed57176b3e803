//! What is told: the machine's counts, the workers, this process.

use tally_protocol::view::{StatusView, WorkerView};
use tally_sys::{clock, limits, usage};

use super::text::{Kind, Text, seconds};
use crate::confined::Looks;
use crate::turn::Supervisor;

/// Every state a slot can be in.
const WORKER_STATES: [&str; 6] = ["empty", "starting", "idle", "busy", "stopping", "backing-off"];

impl Supervisor {
    /// All metrics as OpenMetrics text.
    pub(crate) fn metrics_text(&self) -> String {
        let mut text = Text::default();
        let status = self.machine.status();
        jobs(&mut text, &status);
        super::machine::machine(&mut text, &self.machine.figures());
        workers(&mut text, &status, &self.machine.workers(), &self.looks());
        let clients = self.clients.len();
        text.one("tally_clients", Kind::Gauge, "Clients connected to the control socket.", clients);
        let most = self.clients.most();
        text.one("tally_clients_max", Kind::Gauge, "Clients that may be connected.", most);
        let refused = self.chronicle.refusals();
        text.one("tally_clients_refused", Kind::Counter, "Clients that were turned away.", refused);
        text.histogram("tally_turn_seconds", "Time of a turn of the loop without its sleep.", &self.turns);
        process(&mut text, clock::monotonic_ns().saturating_sub(self.zero));
        text.end()
    }
}

fn jobs(text: &mut Text, status: &StatusView) {
    let open = [("queued", status.queued), ("running", status.running), ("paused", status.paused)];
    let open = open.map(|(state, count)| (state, count.to_string()));
    text.family("tally_jobs", Kind::Gauge, "Open jobs by state.", "state", open);
    text.one("tally_jobs_ended", Kind::Counter, "Jobs that have ended.", status.ended);
    let help = "Partials that came after their lease was over and were dropped.";
    text.one("tally_partials_late", Kind::Counter, help, status.late);
}

fn workers(text: &mut Text, status: &StatusView, workers: &[WorkerView], looks: &Looks) {
    text.one("tally_worker_slots", Kind::Gauge, "Places for workers.", status.slots);
    let states = WORKER_STATES.map(|state| {
        let count = workers.iter().filter(|worker| worker.state == state).count();
        (state, count.to_string())
    });
    text.family("tally_workers", Kind::Gauge, "Places for workers by state.", "state", states);
    text.one("tally_worker_losses", Kind::Counter, "Workers that died or were killed.", status.restarts);
    let used = workers.iter().filter_map(|worker| worker.pid).filter_map(|pid| looks.at(pid));
    let resident: u64 = used.map(|used| used.resident_bytes).sum();
    let help =
        "Memory of all workers and their commands that is in RAM; pages they share are counted for each.";
    text.one("tally_workers_resident_memory_bytes", Kind::Gauge, help, resident);
}

fn process(text: &mut Text, up_ns: u64) {
    let version = [(tally_protocol::version::PROGRAM, "1".to_owned())];
    text.family("tally_build", Kind::Info, "The program.", "version", version);
    text.one("tally_uptime_seconds", Kind::Gauge, "Time since the start.", seconds(up_ns));
    let cpu = usage::processor_ns().ok().map(seconds);
    text.maybe("process_cpu_seconds", Kind::Counter, "Processor time of the daemon.", cpu);
    let resident = usage::resident_bytes(std::process::id());
    let help = "Memory of the daemon that is in RAM.";
    text.maybe("process_resident_memory_bytes", Kind::Gauge, help, resident);
    let open = usage::open_descriptors().ok();
    text.maybe("process_open_fds", Kind::Gauge, "Descriptors that the daemon has open.", open);
    let most = limits::open_files().0;
    text.one("process_max_fds", Kind::Gauge, "Descriptors that the daemon may have open.", most);
}
