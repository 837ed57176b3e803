//! What the service manager is told: ready, what it does, that it reloads, that it ends, and that it is alive.
//!
//! Without a manager all of this is nothing and wakes nobody. With one that has no watchdog an idle daemon still sleeps
//! without a timeout. The watchdog hears of a turn that was completed, and only while the workers advance, too.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use tally_machine::{Machine, Phase, Vitals};
use tally_sys::clock;
use tally_sys::notify::{FDS_MAX, Notifier};

/// The status line changes at the most this often.
const STATUS_NS: u64 = 1_000_000_000;
/// While it ends, the manager is asked for more time this often ...
const EXTEND_NS: u64 = 5_000_000_000;
/// ... and for this much: long enough to miss one.
const EXTEND_USEC: u64 = 15_000_000;
/// Beyond the time after which the machine itself gives up on silent workers.
const SLACK_NS: u64 = 5_000_000_000;

/// The manager, if there is one, and what it was told last.
#[derive(Debug, Default)]
pub(crate) struct Service {
    manager: Option<Manager>,
}

#[derive(Debug)]
struct Manager {
    notifier: Notifier,
    /// What is wrong until a reload succeeds.
    complaint: Option<String>,
    /// The status line that stands.
    status: String,
    looked_at_ns: u64,
    /// When the status line is to be looked at again, as it may have changed.
    look_ns: Option<u64>,
    /// From one sign of life to the next.
    ping_every_ns: Option<u64>,
    ping_ns: u64,
    pool: Pool,
    /// When to ask for more time; set while it ends.
    extend_ns: Option<u64>,
    /// The end of this program is not the end of the service.
    goes_on: bool,
    /// A message was lost, and that was told.
    mute: bool,
}

/// Whether workers that hold leases have said anything.
#[derive(Debug, Default)]
struct Pool {
    heard: u64,
    quiet_since_ns: Option<u64>,
    stuck: bool,
}

impl Service {
    /// With a manager, or without.
    pub(crate) fn new(notifier: Option<Notifier>) -> Self {
        let manager = notifier.map(|notifier| {
            // Half of what the manager allows, so that one late turn is no death.
            let every = notifier.watchdog().and_then(|limit| u64::try_from((limit / 2).as_nanos()).ok());
            Manager {
                complaint: None,
                status: String::new(),
                looked_at_ns: 0,
                look_ns: None,
                ping_every_ns: every,
                ping_ns: every.map_or(u64::MAX, |every| clock::monotonic_ns().saturating_add(every)),
                pool: Pool::default(),
                extend_ns: None,
                goes_on: false,
                mute: false,
                notifier,
            }
        });
        Self { manager }
    }

    /// The daemon listens.
    pub(crate) fn ready(&mut self) {
        if let Some(manager) = &mut self.manager {
            manager.send(&format!("READY=1\nMAINPID={}", tally_sys::process::own_pid()));
        }
    }

    /// New settings are being read: [`Service::ready`] follows, whatever comes of it.
    pub(crate) fn reloading(&mut self) {
        if let Some(manager) = &mut self.manager {
            manager.send(&format!("RELOADING=1\nMONOTONIC_USEC={}", clock::monotonic_ns() / 1_000));
        }
    }

    /// What the status line is to say besides, until the next call.
    pub(crate) fn complain(&mut self, complaint: Option<String>) {
        if let Some(manager) = &mut self.manager {
            manager.complaint = complaint;
            manager.looked_at_ns = 0;
        }
    }

    /// Another program takes over: to the manager that is a reload, from now until the other one is ready.
    pub(crate) fn handing_over(&mut self) {
        self.reloading();
        if let Some(manager) = &mut self.manager {
            manager.goes_on = true;
        }
    }

    /// It does not after all.
    pub(crate) fn not_handing_over(&mut self) {
        self.ready();
        if let Some(manager) = &mut self.manager {
            manager.goes_on = false;
        }
    }

    /// What the program that takes over needs in its environment.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, std::ffi::OsString)> + '_ {
        self.manager.iter().flat_map(|manager| manager.notifier.variables().iter().cloned())
    }

    /// Has the manager keep descriptors for the next start of this service. One that does not will close them.
    pub(crate) fn store(&self, name: &str, fds: &[OwnedFd]) {
        let Some(manager) = &self.manager else { return };
        let message = format!("FDSTORE=1\nFDNAME={name}");
        for some in fds.chunks(FDS_MAX) {
            let fds: Vec<BorrowedFd<'_>> = some.iter().map(AsFd::as_fd).collect();
            if let Err(why) = manager.notifier.send_with(&message, &fds) {
                tracing::warn!("could not have the service manager keep files: {why}");
                return;
            }
        }
    }

    /// Has the manager forget what it kept under a name.
    pub(crate) fn take_back(&self, name: &str) {
        let Some(manager) = &self.manager else { return };
        if let Err(why) = manager.notifier.send(&format!("FDSTOREREMOVE=1\nFDNAME={name}")) {
            tracing::warn!("could not have the service manager close files: {why}");
        }
    }

    /// When it must be called next, on the monotonic clock, even if nothing happens.
    pub(crate) fn due(&self) -> Option<u64> {
        let manager = self.manager.as_ref()?;
        let ping = manager.ping_every_ns.map(|_| manager.ping_ns);
        [manager.look_ns, manager.extend_ns, ping].into_iter().flatten().min()
    }

    /// A turn was completed. `heard` counts the workers' signs of life.
    pub(crate) fn after_turn(&mut self, now_ns: u64, machine: &Machine, heard: u64) {
        let Some(manager) = &mut self.manager else { return };
        manager.tell_end(now_ns, machine.phase());
        manager.tell_status(now_ns, machine);
        manager.tell_life(now_ns, machine, heard);
    }
}

impl Manager {
    fn send(&mut self, message: &str) {
        match self.notifier.send(message) {
            Ok(()) => self.mute = false,
            Err(why) => {
                if !self.mute {
                    tracing::warn!("could not report to the service manager: {why}");
                }
                self.mute = true;
            }
        }
    }

    /// A drain without a limit is no end yet: the manager would count its time and kill.
    fn tell_end(&mut self, now_ns: u64, phase: Phase) {
        let ends = match phase {
            Phase::Running | Phase::Draining { until: None } => false,
            Phase::Draining { until: Some(_) } | Phase::Stopping | Phase::Stopped => true,
        };
        if !ends || self.goes_on || self.extend_ns.is_some_and(|at| at > now_ns) {
            return;
        }
        let stopping = if self.extend_ns.is_none() { "STOPPING=1\n" } else { "" };
        self.send(&format!("{stopping}EXTEND_TIMEOUT_USEC={EXTEND_USEC}"));
        self.extend_ns = Some(now_ns.saturating_add(EXTEND_NS));
    }

    fn tell_status(&mut self, now_ns: u64, machine: &Machine) {
        let may_at = self.looked_at_ns.saturating_add(STATUS_NS);
        if self.looked_at_ns != 0 && now_ns < may_at {
            self.look_ns = Some(may_at);
            return;
        }
        self.looked_at_ns = now_ns;
        self.look_ns = None;
        let mut status = status(machine.phase(), machine.vitals());
        if let Some(complaint) = &self.complaint {
            status.push_str("; ");
            status.push_str(complaint);
        }
        if status != self.status {
            self.send(&format!("STATUS={status}"));
            self.status = status;
        }
    }

    fn tell_life(&mut self, now_ns: u64, machine: &Machine, heard: u64) {
        let Some(every) = self.ping_every_ns else { return };
        if now_ns < self.ping_ns {
            return;
        }
        self.ping_ns = now_ns.saturating_add(every);
        let patience_ns = machine.silence_max().0.saturating_add(every).saturating_add(SLACK_NS);
        let quiet_ns = self.pool.quiet_for(now_ns, machine.vitals().leases, heard);
        if quiet_ns <= patience_ns {
            self.pool.stuck = false;
            self.send("WATCHDOG=1");
        } else if !self.pool.stuck {
            self.pool.stuck = true;
            tracing::error!(
                "workers hold work and none has said anything for {} s: the watchdog hears no more",
                quiet_ns / 1_000_000_000
            );
        }
    }
}

impl Pool {
    /// For how long workers that owe a word have been silent, as far as can be told from looks now and then.
    fn quiet_for(&mut self, now_ns: u64, leases: u64, heard: u64) -> u64 {
        if leases == 0 {
            self.quiet_since_ns = None;
        } else if heard != self.heard || self.quiet_since_ns.is_none() {
            self.quiet_since_ns = Some(now_ns);
        }
        self.heard = heard;
        self.quiet_since_ns.map_or(0, |since| now_ns.saturating_sub(since))
    }
}

/// The one line that `systemctl status` shows.
fn status(phase: Phase, vitals: Vitals) -> String {
    let Vitals { slots, workers, running, queued, paused, .. } = vitals;
    let mut text = match phase {
        Phase::Running => String::new(),
        Phase::Draining { .. } | Phase::Stopping | Phase::Stopped => format!("{}: ", phase.name()),
    };
    let jobs = if running == 1 { "job" } else { "jobs" };
    text.push_str(&format!("{workers} of {slots} workers ready, {running} {jobs} running, {queued} queued"));
    if paused > 0 {
        text.push_str(&format!(", {paused} paused"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_one_line() {
        let vitals = Vitals { slots: 4, workers: 3, running: 1, queued: 2, ..Vitals::default() };
        assert_eq!(status(Phase::Running, vitals), "3 of 4 workers ready, 1 job running, 2 queued");
        let vitals = Vitals { paused: 1, ..vitals };
        assert_eq!(
            status(Phase::Draining { until: None }, vitals),
            "draining: 3 of 4 workers ready, 1 job running, 2 queued, 1 paused"
        );
    }

    #[test]
    fn silence_counts_only_while_a_word_is_owed() {
        let mut pool = Pool::default();
        assert_eq!(pool.quiet_for(1_000, 0, 5), 0);
        assert_eq!(pool.quiet_for(9_000, 2, 5), 0, "the leases may be new");
        assert_eq!(pool.quiet_for(10_000, 2, 5), 1_000);
        assert_eq!(pool.quiet_for(12_000, 1, 6), 0, "a word came");
        assert_eq!(pool.quiet_for(13_000, 1, 6), 1_000);
        assert_eq!(pool.quiet_for(14_000, 0, 6), 0);
    }

    #[test]
    fn without_a_manager_nothing_is_ever_due() {
        assert_eq!(Service::new(None).due(), None);
    }
}
