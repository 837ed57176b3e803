//! From actions to the system. What fails comes back as an event.

use std::io::Write as _;

use tally_machine::Event;
use tally_machine::action::{Action, Blow, Profile};
use tally_protocol::control::Reply;
use tally_protocol::error::ErrorCode;
use tally_protocol::source::Source;
use tally_protocol::work::ToWorker;
use tally_protocol::{SlotId, WorkerId};
use tally_sys::reason::reason;
use tally_sys::signal::Signal;

use crate::aside::Conclusion;
use crate::chronicle::one_line;
use crate::spawn::Unmade;
use crate::turn::Supervisor;

impl Supervisor {
    pub(crate) fn perform(&mut self, action: Action) {
        match action {
            Action::Spawn { worker, slot, profile } => self.spawn(worker, slot, &profile),
            Action::Send { worker, message } => self.send(worker, &message),
            Action::Signal { worker, blow } => self.strike(worker, blow),
            Action::Reply { client, mut reply, continues } => {
                match &mut reply {
                    Reply::Object(reply) => return self.reply_quickly(client, reply, continues),
                    Reply::Status(status) => self.complete_status(status),
                    Reply::Workers(workers) => self.tell_confinement(workers),
                    Reply::Top(top) => {
                        self.complete_status(&mut top.status);
                        self.tell_usage(&mut top.workers);
                    }
                    Reply::Refused(failure) if failure.code == ErrorCode::Deadlock => {
                        tracing::warn!("{}", one_line(&failure.message));
                    }
                    _ => {}
                }
                self.reply(client, &reply.to_message(continues));
            }
            Action::Record { ticket, changes } => self.record(ticket, changes),
            Action::Reload { client } => {
                let result = self.reload();
                self.events.push_back(Event::Reloaded { client, result });
            }
            Action::Config { client } => self.tell_config(client),
            Action::Metrics { client } => self.tell_metrics(client),
            Action::Upgrade { client, binary } => self.upgrade_asked(client, binary),
            Action::Conclude { job, number, partial, population } => {
                self.conclude(Conclusion { job, number, partial, population });
            }
            Action::Exit => self.ended = true,
        }
    }

    fn spawn(&mut self, id: WorkerId, slot: SlotId, profile: &Profile) {
        if profile.job.is_some() {
            self.adopt_orphans();
        }
        match self.nursery.start(id, slot, profile) {
            Ok(newborn) => {
                if let Some(why) = newborn.fallback {
                    self.tell_once(why);
                }
                self.workers.insert(id, newborn.worker);
                if let Some(child) = newborn.child {
                    self.attach(id, child);
                }
                // While the process comes to be.
                self.oom_kills.begin();
            }
            Err(Unmade::NoForkserver(newborn)) => {
                self.workers.insert(id, *newborn);
                // What it has said before it went is heard first; then that it is gone.
                self.gather_forkserver();
                if self.workers.contains_key(&id) {
                    self.lose_forkserver("it is gone");
                }
                return;
            }
            Err(Unmade::Because(why)) => {
                tracing::warn!(worker = id.0, slot = slot.0, "could not {why}");
                self.events.push_back(Event::SpawnFailed { worker: id, why });
            }
        }
        if let Err(why) = self.watch_forkserver() {
            self.lose_forkserver(&format!("watch the forkserver: {}", reason(&why)));
        }
    }

    /// A note that holds for every worker of a kind is told with the first. A private supervisor has no log; its
    /// standard error is the command's.
    fn tell_once(&mut self, note: String) {
        if self.private && !self.told.contains(&note) {
            drop(writeln!(std::io::stderr(), "tally: note: {note}"));
        }
        self.log_once(note);
    }

    /// The same for what only who runs a daemon wants to know.
    pub(crate) fn log_once(&mut self, note: String) {
        if self.told.insert(note.clone()) {
            tracing::warn!("{note}");
        }
    }

    fn send(&mut self, id: WorkerId, message: &ToWorker) {
        let Some(worker) = self.workers.get_mut(&id).filter(|worker| !worker.broken) else { return };
        let handed = match message {
            ToWorker::Job { kernel, .. } => match &kernel.source {
                Source::Files(files) => self.files.hand_over(files.set, &worker.lifeline),
                Source::Ranges(_) => Ok(()),
            },
            _ => Ok(()),
        };
        if let Err(why) = handed.and_then(|()| worker.send(message, &mut self.scratch)) {
            worker.broken = true;
            self.events.push_back(Event::LinkBroken { worker: id, why });
        }
    }

    fn strike(&mut self, id: WorkerId, blow: Blow) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let signal = match blow {
            Blow::Term => Signal::Term,
            Blow::Kill => Signal::Kill,
        };
        match (&worker.child, blow) {
            (Some(child), _) => {
                if let Err(why) = child.signal(signal) {
                    tracing::error!(worker = id.0, "could not send {signal}: {why}");
                }
            }
            // It is told as soon as it is there.
            (None, Blow::Term) => worker.doomed = true,
            // The forkserver has not answered in all this time: it is stopped or stuck.
            (None, Blow::Kill) => self.lose_forkserver("the forkserver did not answer"),
        }
    }
}
