//! The log lines of a daemon's life that somebody can act on: ready, deaths, delays, ends of jobs, refusals, the end.
//!
//! Told from what the machine shows; nothing is decided here. A private supervisor has no log, and tells nothing.

use tally_machine::{Event, Machine, Phase};
use tally_protocol::WorkerId;
use tally_protocol::control::Request;
use tally_protocol::job::JobState;
use tally_protocol::spoken::counted;
use tally_protocol::view::WorkerView;

use crate::config::Configuration;
use crate::reload::Reloader;
use crate::turn::Supervisor;
use crate::worker::Worker;

/// Characters of a worker's standard error in a line of the log.
const STDERR_CHARS_MAX: usize = 300;

/// Jobs that are named in one line.
const SOME: usize = 5;

/// What has been told.
#[derive(Debug, Default)]
pub(crate) struct Chronicle {
    phase: &'static str,
    all_were_ready: bool,
    refused: u64,
}

impl Chronicle {
    /// A client was turned away: told the first time and whenever the number has doubled, lest a flood fills the log.
    pub(crate) fn refused(&mut self, why: &str) {
        self.refused += 1;
        if self.refused.is_power_of_two() {
            tracing::warn!("refused a client, the {}. so far: {why}", self.refused);
        }
    }

    /// Clients turned away since the start.
    pub(crate) fn refusals(&self) -> u64 {
        self.refused
    }
}

impl Supervisor {
    /// What has been started, and from which files.
    pub(crate) fn tell_start(&self, configuration: &Configuration) {
        let files = self.reloader.as_ref().map(Reloader::files).unwrap_or_default();
        let files = if files.is_empty() { "built-in".to_owned() } else { files.join(", ") };
        tracing::info!(
            "tally {} starts as process {} of user {}: {}, {} {}; settings: {files}",
            tally_protocol::version::PROGRAM,
            tally_sys::process::own_pid(),
            tally_sys::process::own_uid(),
            counted(u64::from(configuration.workers), "worker"),
            configuration.start.name(),
            configuration.transport.name(),
        );
    }

    /// After the machine has settled: what is new.
    pub(crate) fn tell_news(&mut self) {
        for set in self.machine.take_released() {
            self.files.drop_set(set);
        }
        for end in self.machine.take_ends() {
            if let Some(set) = end.files {
                self.files.drop_set(set);
            }
            let why = end.why.as_deref().map(|why| format!(": {}", one_line(why))).unwrap_or_default();
            let job = end.job;
            match end.state {
                JobState::Failed => {
                    tracing::warn!(job = %job, "{job} failed after {} ms{why}", end.elapsed_ms)
                }
                JobState::Done if !end.detached => {
                    tracing::debug!(job = %job, "{job} done after {} ms", end.elapsed_ms)
                }
                state => tracing::info!(job = %job, "{job} {state} after {} ms{why}", end.elapsed_ms),
            }
        }
        self.give_files_up();
        let phase = self.machine.phase();
        if phase.name() != self.chronicle.phase {
            if !self.chronicle.phase.is_empty()
                && let Some(line) = phase_line(&self.machine, phase)
            {
                tracing::info!("{line}");
            }
            self.chronicle.phase = phase.name();
        }
        if !self.chronicle.all_were_ready && !self.private {
            let workers = self.machine.workers();
            let ready = |worker: &WorkerView| matches!(worker.state.as_str(), "idle" | "busy");
            if !workers.is_empty() && workers.iter().all(ready) {
                self.chronicle.all_were_ready = true;
                tracing::info!("ready: {}", counted(workers.len() as u64, "worker"));
            }
        }
    }

    /// What a worker was at, before the machine hears of its end.
    pub(crate) fn last_seen(&self, pid: Option<u32>) -> Option<WorkerView> {
        pid.and_then(|pid| self.machine.workers().into_iter().find(|worker| worker.pid == Some(pid)))
    }

    /// A worker has ended, and the machine has been told.
    pub(crate) fn tell_death(
        &self,
        dead: &Worker,
        id: WorkerId,
        before: Option<&WorkerView>,
        how: &str,
        stderr: &str,
    ) {
        let job = dead.job.map(|job| job.to_string());
        let Some(before) = before else {
            tracing::info!(
                worker = id.0,
                slot = dead.slot.0,
                job,
                "a worker that was not needed any more {how}"
            );
            return;
        };
        let (slot, pid) = (before.slot.0, before.pid.unwrap_or(0));
        if before.state == "stopping" {
            tracing::debug!(worker = id.0, slot, "worker {slot} (process {pid}) {how}, as it was told to");
            return;
        }
        let at = match (&before.job, &before.range) {
            (Some(job), Some(range)) => format!(" at {range} of {job}"),
            _ => format!(" while {}", before.state),
        };
        let said = match one_line(stderr) {
            said if said.is_empty() => String::new(),
            said => format!("; stderr: {said}"),
        };
        tracing::warn!(worker = id.0, slot, job, "worker {slot} (process {pid}) {how}{at}{said}");
        let after = self.machine.workers().into_iter().find(|worker| worker.slot == before.slot);
        if let Some(delay) = after.and_then(|after| after.backoff_ms) {
            tracing::warn!(slot, "worker {slot} keeps dying: the next one starts in {delay} ms");
        }
    }

    /// A client asks for something that concerns everybody.
    pub(crate) fn tell_request(&mut self, event: &Event) {
        let Event::ClientSaid { client: id, request, .. } = event else { return };
        let Some(uid) = self.clients.get_mut(*id).map(|client| client.who.uid) else { return };
        let client = format!("{id} of user {uid}");
        match request {
            Request::Drain => tracing::info!("client {client} asks to drain"),
            Request::Stop { now: false } => tracing::info!("client {client} asks to stop"),
            Request::Stop { now: true } => tracing::info!("client {client} asks to stop at once"),
            Request::Cancel { all: true, .. } => {
                tracing::info!("client {client} cancels every job of theirs")
            }
            Request::Cancel { jobs, all: false } => {
                let some: Vec<String> = jobs.iter().take(SOME).map(ToString::to_string).collect();
                let more = if jobs.len() > SOME { " and more" } else { "" };
                tracing::info!("client {client} cancels {}{more}", some.join(", "));
            }
            Request::Reload => tracing::info!("client {client} asks to reload"),
            Request::Upgrade { .. } => tracing::info!("client {client} asks to upgrade"),
            Request::Submit(spec) => {
                let (what, of) = (spec.request.reductions.join(","), spec.request.sources.join(" "));
                tracing::debug!("client {client} submits {what} of {}", one_line(&of));
            }
            _ => {}
        }
    }
}

/// What a new phase means for what there is.
fn phase_line(machine: &Machine, phase: Phase) -> Option<String> {
    let status = machine.status();
    let open = counted(status.queued + status.running + status.paused, "open job");
    match phase {
        Phase::Running => None,
        Phase::Draining { until: Some(_) } => {
            Some(format!("draining: {open}; what is not done when the drain time is over is stopped"))
        }
        Phase::Draining { until: None } => Some(format!("draining: {open} to be done first")),
        Phase::Stopping | Phase::Stopped => {
            // They are told already, so none of them is ready any more.
            let left = machine.workers().iter().filter(|worker| worker.pid.is_some()).count() as u64;
            Some(format!("stopping: {} to end", counted(left, "worker")))
        }
    }
}

/// The end of a text of others, on one line and not too long.
pub(crate) fn one_line(text: &str) -> String {
    let text = text.trim().replace(char::is_control, " ");
    let surplus = text.chars().count().saturating_sub(STDERR_CHARS_MAX);
    if surplus == 0 { text } else { format!("...{}", text.chars().skip(surplus).collect::<String>()) }
}
