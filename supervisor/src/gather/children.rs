//! Exits of known children, news of the forkserver, and strays.
//!
//! A dead worker's link is drained before its exit is told: what it had committed counts, and only then do its leases
//! go back.

use tally_machine::Event;
use tally_protocol::WorkerId;
use tally_sys::poll::Interest;
use tally_sys::process::{self, Child, ExitStatus};
use tally_sys::reason::reason;
use tally_sys::signal::Signal;

use crate::autopsy::{self, Remains};
use crate::forkserver::Answer;
use crate::token::Token;
use crate::turn::Supervisor;
use crate::worker::Worker;

impl Supervisor {
    /// A worker's pidfd is readable.
    pub(crate) fn gather_exit(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let how = match worker.child.as_mut().map(Child::try_reap) {
            None | Some(Ok(None)) => return,
            Some(Ok(Some(status))) => Ok(status),
            Some(Err(why)) => Err(format!("lost sight of: {}", reason(&why))),
        };
        self.heard += 1;
        self.drain_link(id);
        let Some(mut worker) = self.workers.remove(&id) else { return };
        worker.stderr.read(&mut self.buffer);
        self.unwatch(&worker);
        self.unread.remove(&id);
        let stderr = worker.stderr.text();
        let how = how.map_or_else(|why| why, |status| self.autopsy(status, &worker, &stderr));
        let pid = worker.child.as_ref().map(|child| child.pid().raw().unsigned_abs());
        let before = self.last_seen(pid);
        self.feed(Event::WorkerExited { worker: id, how: how.clone(), stderr: stderr.clone() });
        self.tell_death(&worker, id, before.as_ref(), &how, &stderr);
        self.leave_group(id);
        // What its command had started is this process's by now, if it did not end that itself.
        self.strays |= self.orphans.is_some();
        self.reap_strays();
    }

    fn autopsy(&mut self, status: ExitStatus, worker: &Worker, stderr: &str) -> String {
        let killed = matches!(status, ExitStatus::Killed { signal: Signal::Kill, .. });
        autopsy::how(Remains {
            status,
            stderr,
            memory_limit_bytes: worker.memory_limit_bytes,
            confined: worker.confined.unwrap_or_default(),
            oom_killed: killed && self.oom_kills.grew(),
        })
    }

    fn unwatch(&self, worker: &Worker) {
        let results = [
            worker.child.as_ref().map_or(Ok(()), |child| self.poll.forget(child)),
            self.poll.forget(&worker.lifeline),
            self.poll.forget(worker.link.doorbell()),
            worker.stderr.pipe.as_ref().map_or(Ok(()), |pipe| self.poll.forget(pipe)),
        ];
        for why in results.into_iter().filter_map(Result::err) {
            tracing::error!("could not stop watching a worker: {why}");
        }
    }

    /// A worker's process is known: watch all that connects it.
    pub(crate) fn attach(&mut self, id: WorkerId, child: Child) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let pid = child.pid();
        let watched = self
            .poll
            .watch(&child, Token::Exit(id).key(), Interest::READ)
            .and_then(|()| self.poll.watch(&worker.lifeline, Token::Lifeline(id).key(), Interest::READ))
            .and_then(|()| self.poll.watch(worker.link.doorbell(), Token::Doorbell(id).key(), Interest::READ))
            .and_then(|()| match &worker.stderr.pipe {
                Some(pipe) => self.poll.watch(pipe, Token::Stderr(id).key(), Interest::READ),
                None => Ok(()),
            });
        worker.child = Some(child);
        tracing::debug!(worker = id.0, "worker is process {pid}");
        let transport = worker.transport;
        self.events.push_back(Event::Spawned { worker: id, pid: pid.raw().unsigned_abs(), transport });
        if let Err(why) = watched {
            self.events
                .push_back(Event::LinkBroken { worker: id, why: format!("watch it: {}", reason(&why)) });
        }
    }

    pub(crate) fn watch_forkserver(&mut self) -> std::io::Result<()> {
        if let Some(forkserver) = &self.nursery.forkserver
            && !self.forkserver_watched
        {
            self.poll.watch(forkserver, Token::Forkserver.key(), Interest::READ)?;
            self.forkserver_watched = true;
        }
        Ok(())
    }

    pub(crate) fn gather_forkserver(&mut self) {
        loop {
            let Some(forkserver) = &self.nursery.forkserver else { return };
            match forkserver.answer() {
                Ok(None) => break,
                Ok(Some(Answer::Made(worker, pid))) => self.adopt(worker, pid),
                Ok(Some(Answer::Refused(worker, why))) => {
                    self.workers.remove(&worker);
                    self.events.push_back(Event::SpawnFailed { worker, why });
                }
                Err(why) => {
                    self.lose_forkserver(&why.to_string());
                    break;
                }
            }
        }
        self.reap_strays();
    }

    fn adopt(&mut self, id: WorkerId, pid: process::Pid) {
        match self.workers.get(&id) {
            Some(worker) if worker.child.is_none() => match Child::adopt(pid) {
                Ok(child) => {
                    if worker.doomed
                        && let Err(why) = child.signal(Signal::Term)
                    {
                        tracing::error!(worker = id.0, "could not send SIGTERM: {why}");
                    }
                    self.attach(id, child);
                }
                Err(why) => {
                    self.workers.remove(&id);
                    self.events.push_back(Event::SpawnFailed {
                        worker: id,
                        why: format!("watch process {pid}: {}", reason(&why)),
                    });
                }
            },
            // It was given up while it was being made: end it, and reap it as a stray.
            Some(_) | None => {
                if let Err(why) = process::send(pid, Signal::Kill) {
                    tracing::warn!("could not end process {pid}: {why}");
                }
                self.strays = true;
            }
        }
    }

    /// The forkserver is gone, or of no use: workers it was asked for did not come to be. The next start makes a new
    /// one; workers it made before live on.
    pub(crate) fn lose_forkserver(&mut self, why: &str) {
        let Some(forkserver) = self.nursery.forkserver.take() else { return };
        self.forkserver_watched = false;
        if let Err(why) = self.poll.forget(&forkserver) {
            tracing::error!("could not stop watching the forkserver: {why}");
        }
        let pid = forkserver.pid();
        let why = match forkserver.end() {
            Ok(status) => format!("forkserver {pid} {status}: {why}"),
            Err(error) => format!("could not reap forkserver {pid}: {error}"),
        };
        tracing::warn!("{why}");
        let waiting: Vec<_> =
            self.workers.iter().filter(|(_, worker)| worker.child.is_none()).map(|(id, _)| *id).collect();
        for worker in &waiting {
            self.workers.remove(worker);
        }
        self.events.push_back(Event::StarterLost { workers: waiting, why });
        // It may have made one whose pid it could no longer tell; that one ends by its lifeline.
        self.strays = true;
    }

    /// No more workers will be wanted: the forkserver ends while the workers do, and is reaped after them.
    pub(crate) fn send_forkserver_away(&self) {
        if let Some(forkserver) = &self.nursery.forkserver
            && let Err(why) = forkserver.kill()
        {
            tracing::warn!("could not end the forkserver: {why}");
        }
    }

    /// Reaps children that are nobody's, and ends what commands have left behind. Not while a start is under way: the pid
    /// of a worker that dies young is not known yet, and its exit must stay for its own pidfd.
    pub(crate) fn reap_strays(&mut self) {
        if !self.strays || self.workers.values().any(|worker| worker.child.is_none()) {
            return;
        }
        self.strays = false;
        match process::reap_strays(|pid| self.is_known(pid)) {
            Ok(strays) => {
                for (pid, status) in strays {
                    tracing::debug!("stray process {pid} {status}");
                }
            }
            Err(why) => tracing::error!("could not reap strays: {why}"),
        }
        self.strike_orphans();
    }

    /// Whether a child is one that this process has started for a purpose.
    pub(crate) fn is_known(&self, pid: process::Pid) -> bool {
        let forkserver = self.nursery.forkserver.as_ref().map(crate::forkserver::Forkserver::pid);
        let trial = self.trial.as_ref().map(crate::upgrade::Trial::pid);
        forkserver == Some(pid)
            || trial == Some(pid)
            || self.workers.values().any(|one| one.child.as_ref().is_some_and(|child| child.pid() == pid))
    }
}
