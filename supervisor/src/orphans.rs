//! What a user's command leaves behind when its warden was killed: it falls to this process, which ends it.
//!
//! A warden ends all that descends from it before it ends. One that is killed cannot: its command dies with it, and
//! whatever that had started becomes a child of this process, as the nearest ancestor that adopts orphans.

use std::collections::BTreeSet;

use tally_protocol::control::Request;
use tally_protocol::{ClientId, WorkerId};
use tally_sys::clock;
use tally_sys::process::{self, Pid};

use crate::turn::Supervisor;

/// How long the end of this process waits for what commands have left.
const END_NS: u64 = 2_000_000_000;

/// What is known of orphans.
#[derive(Debug, Default)]
pub(crate) struct Orphans {
    /// Children that were there before any command was.
    others: BTreeSet<Pid>,
    /// Workers whose control groups are still to be removed.
    groups: BTreeSet<WorkerId>,
}

impl Supervisor {
    /// From now on orphans of commands fall to this process.
    pub(crate) fn adopt_orphans(&mut self) {
        if self.orphans.is_some() {
            return;
        }
        let all = process::own_children();
        let others = all.into_iter().filter(|&pid| !self.is_known(pid)).collect();
        match process::set_child_subreaper() {
            Ok(()) => self.orphans = Some(Orphans { others, groups: BTreeSet::new() }),
            Err(why) => tracing::error!("could not adopt what commands leave behind: {why}"),
        }
    }

    /// A worker is gone that may have had a control group.
    pub(crate) fn leave_group(&mut self, worker: WorkerId) {
        if let (Some(orphans), Some(_)) = (&mut self.orphans, &self.nursery.groups) {
            orphans.groups.insert(worker);
        }
    }

    fn end_groups(&mut self) {
        if let (Some(orphans), Some(groups)) = (&mut self.orphans, &self.nursery.groups) {
            orphans.groups.retain(|&worker| !groups.end(worker));
        }
    }

    /// Ends what commands have left behind so far; what that leaves comes here, too, and its end is a signal. True when
    /// there was any.
    pub(crate) fn strike_orphans(&mut self) -> bool {
        self.end_groups();
        let Some(orphans) = &self.orphans else { return false };
        let known = |pid| orphans.others.contains(&pid) || self.is_known(pid);
        let count = process::strike_strays(known);
        if count > 0 {
            tracing::warn!("ended {count} processes that a command left behind");
        }
        count > 0
    }

    /// The end of this process: workers are gone, and nothing of theirs stays.
    pub(crate) fn end_orphans(&mut self) {
        let until = clock::monotonic_ns().saturating_add(END_NS);
        while self.orphans.is_some() && clock::monotonic_ns() < until {
            self.strays = true;
            let reaped = process::reap_strays(|pid| self.is_known(pid));
            let none = reaped.is_ok_and(|strays| strays.is_empty());
            if !self.strike_orphans() && none {
                return;
            }
            std::thread::yield_now();
        }
    }

    /// Adds to a request with a command as whom that runs: whoever is at the other end, by the system's word.
    pub(crate) fn name_user(&mut self, id: ClientId, request: &mut Request) {
        let (Request::Submit(spec) | Request::Start(spec)) = request else { return };
        let Some(command) = spec.kernel.command.as_mut().filter(|_| !self.private) else { return };
        command.run_as = self.clients.get_mut(id).and_then(|client| client.run_as.clone());
    }
}
