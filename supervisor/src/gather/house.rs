//! What clients ask of the shell and not of the machine: the configuration, metrics, and what is near its limit.

use tally_protocol::control::{Reply, Request};
use tally_protocol::varlink::ReplyMessage;
use tally_protocol::view::{LimitView, StatusView, WorkerView};
use tally_sys::{limits, usage};

use crate::turn::Supervisor;

impl Supervisor {
    /// Whether the machine has no part in the answer.
    pub(crate) fn is_ours_to_answer(request: &Request) -> bool {
        matches!(request, Request::Reload | Request::Config | Request::Metrics)
    }

    /// Answers one of these.
    pub(crate) fn answer_ourselves(&mut self, request: &Request) -> ReplyMessage {
        let reply = match request {
            Request::Reload => self.reload().map_or_else(Reply::Refused, Reply::Reloaded),
            Request::Metrics => Reply::Metrics(self.metrics_text()),
            _ => Reply::Config(self.reloader.as_ref().map(|one| one.view()).unwrap_or_default()),
        };
        reply.to_message(false)
    }

    /// Adds to the status what only the shell knows.
    pub(crate) fn complete_status(&self, status: &mut StatusView) {
        let workers = self.machine.workers();
        let count = |states: &[&str]| {
            workers.iter().filter(|worker| states.contains(&worker.state.as_str())).count() as u64
        };
        status.clients = self.clients.len() as u64;
        status.busy = Some(count(&["busy"]));
        status.restarting = Some(count(&["starting", "backing-off"]));
        if !self.one_request {
            status.limits = self.limits(status, &workers);
        }
    }

    fn limits(&self, status: &StatusView, workers: &[WorkerView]) -> Vec<LimitView> {
        let mut all = Vec::new();
        if let Ok(open) = usage::open_descriptors() {
            all.push(LimitView::new("descriptors", open, limits::open_files().0));
        }
        all.push(LimitView::new("clients", status.clients, self.clients.most() as u64));
        let Some(reloader) = &self.reloader else { return all };
        let (jobs_open_max, memory_limit_bytes) = reloader.limits();
        let open = status.queued + status.running + status.paused;
        all.push(LimitView::new("open-jobs", open, jobs_open_max));
        if let Some(most) = memory_limit_bytes {
            let pids = workers.iter().filter_map(|worker| worker.pid);
            let largest = pids.filter_map(usage::address_space_bytes).max().unwrap_or(0);
            all.push(LimitView::new("worker-memory-bytes", largest, most));
        }
        all
    }
}
