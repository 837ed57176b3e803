//! What confines each worker, heard once at its start, and what it uses: told to whoever asks.
//!
//! A worker that is confined less than was wanted works all the same; the log says so once.

use tally_protocol::WorkerId;
use tally_protocol::view::WorkerView;
use tally_sys::confine::Confined;
use tally_sys::usage;

use crate::turn::Supervisor;

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
}

/// Fills in what workers use, which is looked up now: nobody who does not ask pays for it.
pub(crate) fn tell_usage(views: &mut [WorkerView]) {
    for view in views {
        // Gone meanwhile, it uses nothing; its pid is nobody else's as long as it has not been waited for.
        let Some(process) = view.pid.and_then(usage::of_process) else { continue };
        view.cpu_ms = Some(process.processor_ms);
        view.age_ms = Some(process.age_ms);
        view.rss_bytes = Some(process.resident_bytes);
    }
}
