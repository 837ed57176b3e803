//! What confines each worker, heard once at its start, and what it uses: told to whoever asks.
//!
//! A worker that is confined less than was wanted works all the same; the log says so once.

use std::collections::BTreeSet;

use tally_protocol::view::WorkerView;
use tally_protocol::{WorkerId, limits};
use tally_sys::confine::Confined;
use tally_sys::{process, usage};

use crate::turn::Supervisor;

/// Of each tree that is looked at: the guard, its warden, the command.
const PROCESSES_MIN: usize = 3;

impl Supervisor {
    /// A worker's answer to its set-up, after the word that its link is open: a byte of what is in force, then what
    /// is not and why.
    pub(crate) fn note_confinement(&mut self, id: WorkerId, said: &[u8]) {
        let Some((&bits, why)) = said.split_first() else { return };
        let Some(worker) = self.workers.get_mut(&id) else { return };
        worker.confined = Some(Confined::from_bits(bits));
        if !why.is_empty() {
            self.log_once(format!("workers are confined less than wanted: {}", String::from_utf8_lossy(why)));
        }
    }

    /// Fills in what the machine does not know of workers.
    pub(crate) fn tell_confinement(&self, views: &mut [WorkerView]) {
        for view in views {
            let process = |child: &tally_sys::process::Child| child.pid().raw().unsigned_abs();
            let worker = self
                .workers
                .values()
                .find(|worker| view.pid.is_some() && worker.child.as_ref().map(process) == view.pid);
            let confined = worker.and_then(|worker| worker.confined);
            view.confined = confined.map(|confined| confined.names().map(str::to_owned).collect());
        }
    }

    /// Fills in what workers use, which is looked up now: nobody who does not ask pays for it.
    pub(crate) fn tell_usage(&self, views: &mut [WorkerView]) {
        let looks = self.looks();
        for view in views {
            // Gone meanwhile, it uses nothing; its pid is nobody else's as long as it has not been waited for.
            let Some(used) = view.pid.and_then(|pid| looks.at(pid)) else { continue };
            view.cpu_ms = Some(used.processor_ms);
            view.age_ms = Some(used.age_ms);
            view.rss_bytes = Some(used.resident_bytes);
        }
    }

    /// How to find out what workers use.
    pub(crate) fn looks(&self) -> Looks {
        let guards = self.workers.values().filter(|worker| worker.guards);
        let pids = guards.filter_map(|worker| Some(worker.child.as_ref()?.pid().raw().unsigned_abs()));
        let guards: BTreeSet<u32> = pids.collect();
        let each_max = limits::COMMAND_PROCESSES_LOOKED_AT_MAX / guards.len().max(1);
        Looks { guards, each_max: each_max.max(PROCESSES_MIN) }
    }
}

/// Looks at what workers use. A guard itself uses next to nothing: what is below it counts.
#[derive(Debug)]
pub(crate) struct Looks {
    guards: BTreeSet<u32>,
    each_max: usize,
}

impl Looks {
    /// What the worker of this process uses.
    pub(crate) fn at(&self, pid: u32) -> Option<usage::Process> {
        if self.guards.contains(&pid) {
            process::use_of_tree(pid, self.each_max)
        } else {
            usage::of_process(pid)
        }
    }
}
