//! Who is killed and stopped, how, and when: processes are found by kinship, held by a pidfd, looked at, and then struck.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use serde_json::{Value, json};
use tally_sys::process::{Other, Pid};
use tally_sys::signal::Signal;

use super::faults::Fault;
use super::keeper::Keeper;
use super::plan::Round;
use super::shared::Shared;
use super::talk::{Talk, pause};
use crate::{Random, World, proc};

/// Names of the processes that are struck: of one that computes, of one that has a command compute, and of what stands
/// between that one and the supervisor.
const WORKER: &str = "tally-worker";
const WARDEN: &str = "tally-warden";
const GUARD: &str = "tally-guard";

/// Pairs of signals in a burst.
const BURST: usize = 20;

/// Workers that may die before one must have begun something: with ten that do not, a daemon rightly gives up the jobs.
const IN_A_ROW: u32 = 4;

/// Strikes of one round; what is left of its jobs then has the machine to itself.
const STRIKES_MAX: u32 = 250;

/// How one is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    Kill,
    Term,
    StopAndContinue,
    /// Many interruptions, one after the other.
    Burst,
}

impl Blow {
    fn chosen(random: &mut Random, fault: Fault) -> Self {
        match random.below(100) {
            _ if fault == Fault::Signals && random.coin() => Self::Burst,
            0..60 => Self::Kill,
            60..75 => Self::Term,
            75..93 => Self::StopAndContinue,
            _ => Self::Burst,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Kill => "SIGKILL",
            Self::Term => "SIGTERM",
            Self::StopAndContinue => "SIGSTOP and SIGCONT",
            Self::Burst => "a burst of signals",
        }
    }

    fn ends(self) -> bool {
        matches!(self, Self::Kill | Self::Term)
    }
}

/// Strikes until the round is quiet.
pub(super) fn run(world: &World, round: &Round, keeper: &Keeper<'_>, shared: &Arc<Shared>) {
    let mut random = round.random(&[7]);
    let (mut struck, mut in_a_row, mut fallen) = (0_u32, 0_u32, Vec::new());
    while !shared.is_quiet() {
        pause(random.below(round.pause_ms));
        keeper.look_after();
        if struck >= STRIKES_MAX {
            pause(20);
            continue;
        }
        if in_a_row >= IN_A_ROW {
            in_a_row = 0;
            breathe(world, &fallen);
            fallen.clear();
        }
        let blow = Blow::chosen(&mut random, round.fault);
        let (victim, hit) = match random.below(100) {
            0..50 => {
                let struck = keeper.pid().and_then(|pid| child(pid, WORKER, blow, &mut random));
                fallen.extend(struck);
                ("worker", struck.is_some())
            }
            50..56 => {
                let struck = keeper.pid().and_then(|pid| warden(pid, blow, &mut random));
                fallen.extend(struck);
                ("warden", struck.is_some())
            }
            56..60 => {
                let struck = keeper.pid().and_then(|pid| child(pid, GUARD, blow, &mut random));
                fallen.extend(struck);
                ("guard", struck.is_some())
            }
            60..73 => ("kernel", keeper.pid().is_some_and(|pid| kernel(pid, blow, &mut random))),
            73..79 => {
                let struck = keeper.pid().and_then(|pid| child(pid, "tally-forkserve", blow, &mut random));
                ("forkserver", struck.is_some())
            }
            79..83 => ("client", client(blow, &mut random, shared)),
            83..93 => (
                "worker, guard, warden or kernel of a private supervisor",
                private(blow, &mut random, shared, false),
            ),
            93..96 => ("private supervisor", private(blow, &mut random, shared, true)),
            _ => ("daemon", daemon(keeper, blow, &mut random)),
        };
        in_a_row +=
            u32::from(hit && blow.ends() && matches!(victim, "worker" | "warden" | "guard" | "forkserver"));
        if hit {
            struck += 1;
            shared.count(&format!("strike: {victim}, {}", blow.name()));
        }
    }
}

/// Waits a little until a worker that is none of these has begun something.
fn breathe(world: &World, fallen: &[u32]) {
    for _ in 0..60 {
        let Some(mut talk) = Talk::connect(world) else { return };
        let Ok(reply) = talk.call("io.tally.Workers", &json!({})) else { return };
        let fell = |one: &Value| fallen.iter().any(|pid| one["pid"] == json!(pid));
        // One that has begun something has shown that workers can be had; with nothing to do none need.
        let is_ready = |one: &Value| one["state"] == "busy" && !fell(one);
        let status = talk.call("io.tally.Status", &json!({})).unwrap_or_default();
        if status["status"]["running"] == json!(0) && status["status"]["queued"] == json!(0) {
            return;
        }
        if reply["workers"].as_array().is_none_or(|all| all.iter().any(is_ready)) {
            return;
        }
        pause(5);
    }
}

/// Children of a process, whichever of its threads forked them.
pub(super) fn children(pid: u32) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>())
        .collect()
}

/// Strikes one process, if it still has this name and this parent.
fn strike(pid: u32, parent: u32, name: &str, blow: Blow, random: &mut Random) -> bool {
    let known = i32::try_from(pid).ok().and_then(Pid::from_raw).and_then(|pid| Other::hold(pid).ok());
    let Some(held) = known else { return false };
    // It is looked at after it is held: the number cannot be another process's any more.
    if proc::look(pid).is_none_or(|one| one.parent != parent || one.name != name) {
        return false;
    }
    let send = |signal| held.signal(signal).unwrap_or(false);
    match blow {
        Blow::Kill => send(Signal::Kill),
        Blow::Term => send(Signal::Term),
        Blow::StopAndContinue => {
            let stopped = send(Signal::Stop);
            pause(random.below(40));
            send(Signal::Cont) && stopped
        }
        Blow::Burst => (0..BURST).all(|_| send(Signal::Stop) && send(Signal::Cont)),
    }
}

fn child(parent: u32, name: &str, blow: Blow, random: &mut Random) -> Option<u32> {
    let all: BTreeMap<u32, String> =
        children(parent).into_iter().filter_map(|pid| Some((pid, proc::look(pid)?.name))).collect();
    let found: Vec<u32> = all.into_iter().filter(|(_, found)| found == name).map(|(pid, _)| pid).collect();
    let pid = (!found.is_empty()).then(|| random.one_of(&found))?;
    strike(pid, parent, name, blow, random).then_some(pid)
}

/// Wardens of a supervisor, each with the guard above it.
fn wardens(supervisor: u32) -> Vec<(u32, u32)> {
    let named = |parent: u32, name: &'static str| {
        children(parent).into_iter().filter(move |pid| proc::look(*pid).is_some_and(|one| one.name == name))
    };
    named(supervisor, GUARD).flat_map(|guard| named(guard, WARDEN).map(move |pid| (pid, guard))).collect()
}

/// Tells of the guard, which is whom the supervisor knows.
fn warden(supervisor: u32, blow: Blow, random: &mut Random) -> Option<u32> {
    let found = wardens(supervisor);
    let (pid, guard) = (!found.is_empty()).then(|| random.one_of(&found))?;
    strike(pid, guard, WARDEN, blow, random).then_some(guard)
}

/// A process of a command, whatever its name: between fork and exec it has that of its warden.
fn kernel(supervisor: u32, blow: Blow, random: &mut Random) -> bool {
    let of = |(warden, _): (u32, u32)| children(warden).into_iter().map(move |pid| (pid, warden));
    let found: Vec<(u32, u32)> = wardens(supervisor).into_iter().flat_map(of).collect();
    !found.is_empty() && {
        let (pid, warden) = random.one_of(&found);
        proc::look(pid).is_some_and(|one| strike(pid, warden, &one.name, blow, random))
    }
}

fn client(blow: Blow, random: &mut Random, shared: &Shared) -> bool {
    let clients = shared.clients();
    !clients.is_empty() && {
        let pid = random.one_of(&clients);
        shared.strike_client(pid, blow.ends(), || strike(pid, std::process::id(), "tally", blow, random))
    }
}

/// A private supervisor, or a worker, a guard, a warden or a kernel of one: the latter excuses nothing.
fn private(blow: Blow, random: &mut Random, shared: &Shared, supervisor: bool) -> bool {
    let mut found = Vec::new();
    for client in shared.clients() {
        let is = |pid: &u32| proc::look(*pid).is_some_and(|one| one.name == "tally-supervise");
        found.extend(children(client).into_iter().filter(is).map(|pid| (client, pid)));
    }
    !found.is_empty() && {
        let (client, pid) = random.one_of(&found);
        if supervisor {
            if blow.ends() {
                shared.excuse(client);
            }
            strike(pid, client, "tally-supervise", blow, random)
        } else {
            match random.below(4) {
                0 => warden(pid, blow, random).is_some(),
                1 => kernel(pid, blow, random),
                2 => child(pid, GUARD, blow, random).is_some(),
                _ => child(pid, WORKER, blow, random).is_some(),
            }
        }
    }
}

fn daemon(keeper: &Keeper<'_>, blow: Blow, random: &mut Random) -> bool {
    let Some(pid) = keeper.pid() else { return false };
    match blow {
        Blow::Kill => keeper.strike(Signal::Kill),
        Blow::Term => keeper.strike(Signal::Term),
        Blow::StopAndContinue | Blow::Burst => {
            return strike(pid, std::process::id(), "tally", blow, random)
                && (blow == Blow::StopAndContinue || interrupt(pid));
        }
    }
    true
}

/// Signals that a daemon has handlers for: a state to its log, its settings again.
fn interrupt(pid: u32) -> bool {
    let Some(held) = i32::try_from(pid).ok().and_then(Pid::from_raw).and_then(|pid| Other::hold(pid).ok())
    else {
        return false;
    };
    [Signal::Usr1, Signal::Hup, Signal::Usr1, Signal::Hup]
        .into_iter()
        .all(|signal| held.signal(signal).unwrap_or(false))
}
