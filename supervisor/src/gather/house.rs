//! What clients ask of the shell and not of the machine: the configuration, metrics, and what is near its limit.

use tally_protocol::ClientId;
use tally_protocol::control::Reply;
use tally_protocol::view::{LimitView, StatusView, WorkerView};
use tally_sys::{limits, usage};

use crate::groups::Groups;
use crate::turn::Supervisor;

/// How commands are held together where there are no control groups for them.
const TREES: &str = "process trees, limits of each process";

impl Supervisor {
    /// The settings in force.
    pub(crate) fn tell_config(&mut self, client: ClientId) {
        let view = self.reloader.as_ref().map(|one| one.view()).unwrap_or_default();
        self.reply(client, &Reply::Config(view).to_message(false));
    }

    /// Counters and figures.
    pub(crate) fn tell_metrics(&mut self, client: ClientId) {
        let text = self.metrics_text();
        self.reply(client, &Reply::Metrics(text).to_message(false));
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
        status.store = self.store_view();
        // Noticed before the next job finds out.
        if let Some(store) = status.store.as_ref().filter(|store| store.bytes.is_none()) {
            status.store_error.get_or_insert_with(|| format!("{} was removed", store.path));
        }
        if !self.private {
            let groups = self.nursery.groups.as_ref().map(Groups::text);
            status.commands = Some(groups.unwrap_or_else(|| TREES.to_owned()));
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
        if let Some(fullest) = self.machine.fullest_user() {
            all.push(LimitView::new("user-open-jobs", fullest.open_jobs, fullest.open_jobs_max));
            if let Some(most) = fullest.held_bytes_max {
                all.push(LimitView::new("user-memory-bytes", fullest.held_bytes, most));
            }
        }
        if let Some(most) = memory_limit_bytes {
            let pids = workers.iter().filter_map(|worker| worker.pid);
            let largest = pids.filter_map(usage::address_space_bytes).max().unwrap_or(0);
            all.push(LimitView::new("worker-memory-bytes", largest, most));
        }
        all
    }
}
