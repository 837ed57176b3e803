//! After a round: nothing leased, nothing open, nothing held, no descriptor more than at the beginning; then the end, in
//! good order.

use std::sync::Arc;

use serde_json::{Value, json};
use tally_sys::signal::Signal;

use super::keeper::{self, Keeper};
use super::ledger;
use super::plan::Round;
use super::shared::Shared;
use super::strikes::children;
use super::talk::Talk;
use crate::{World, proc, until};

/// Bytes that a daemon may have resident: it is a debug build, and dumps its state now and then.
const RESIDENT_BYTES_MAX: u64 = 100 << 20;

/// Looks at the last daemon, and ends it.
pub(super) fn settle(
    world: &World,
    round: &Round,
    keeper: &Keeper<'_>,
    at_rest: usize,
    shared: &Arc<Shared>,
) {
    let Some(running) = keeper.take() else { return };
    let pid = running.pid();
    let mut left = String::from("nothing was answered");
    if round.fault.refuses() {
        // A removal that could not be recorded does not outlive its daemon.
        ledger::remove_all(world);
    }
    // Those that were hung up on are noticed in a turn or two; workers that died last are replaced.
    let settled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        until("a daemon with nothing left", || {
            left = open(world, round, pid, at_rest).unwrap_or_else(|| "nothing was answered".to_owned());
            left.is_empty().then_some(())
        });
    }));
    if settled.is_err() {
        shared.wrong(format!("{round}: at the end the daemon has still: {left}"));
    }
    let resident = proc::resident_bytes(pid).unwrap_or(0);
    if resident > RESIDENT_BYTES_MAX {
        shared.wrong(format!("{round}: the daemon has {resident} bytes resident"));
    }
    running.signal(Signal::Term);
    let finished = running.finish_at_last();
    keeper::judge(round, &finished, Some(Signal::Term), shared);
    // A private supervisor that was killed since that daemon's start may have left a directory or a name: the next daemon
    // removes it.
    world.daemon(&["--workers", "1"]).stop();
}

/// Descriptors of a daemon that has done nothing yet: all workers are there, and one client. Counted between two looks that
/// see the same workers: one may die just after it was ready, as a crash point has it, and while the next one is on its way
/// there are fewer.
pub(super) fn at_rest(world: &World, round: &Round, keeper: &Keeper<'_>) -> usize {
    until("a fresh daemon at rest", || {
        let pid = keeper.pid()?;
        let look = || open(world, round, pid, usize::MAX)?.is_empty().then(|| children(pid));
        let before = look()?;
        let count = proc::descriptors(pid);
        (look()? == before).then_some(count + 1)
    })
}

/// What is still open; nothing where no answer comes.
fn open(world: &World, round: &Round, pid: u32, at_rest: usize) -> Option<String> {
    let mut talk = Talk::connect(world)?;
    let status = talk.call("io.tally.Status", &json!({})).ok()?["status"].take();
    let dump = talk.call("io.tally.Dump", &json!({})).ok()?;
    let dump = state(&dump)?;
    let mut left = Vec::new();
    let mut zero = |name: &str, of: &Value| {
        if *of != json!(0) {
            left.push(format!("{name}: {of}"));
        }
    };
    for name in ["queued", "running", "paused", "busy", "unrecorded"] {
        zero(name, &status[name]);
    }
    for name in ["locks_held", "locks_waiting", "objects", "object_bytes", "actions_waiting"] {
        zero(name, &dump[name]);
    }
    let slots = dump["slots"].as_array()?;
    let idle =
        slots.iter().filter(|slot| slot["state"] == "idle" && slot["leases"] == json!([])).count() as u64;
    if idle != round.workers {
        left.push(format!("{idle} workers of {} are idle and hold no lease", round.workers));
    }
    // Of an ended job what is left to do is kept for a retry; nobody has it.
    let leased = |job: &Value| {
        job["partitions"].as_array().is_some_and(|all| all.iter().any(|one| one["state"] != "queued"))
    };
    let held = |job: &&Value| leased(job) || ["hands", "watchers"].iter().any(|part| job[part] != json!([]));
    if let Some(job) = dump["jobs"].as_array()?.iter().find(held) {
        left.push(format!("a job holds something: {job}"));
    }
    if status["clients"] != json!(1) {
        left.push(format!("clients: {}", status["clients"]));
    }
    let descriptors = proc::descriptors(pid);
    if descriptors > at_rest {
        let names = proc::descriptor_names(pid);
        left.push(format!("{descriptors} descriptors, and {at_rest} are what it needs: {names:?}"));
    }
    Some(left.join(", "))
}

/// The dump, which travels as text or as an object.
fn state(reply: &Value) -> Option<Value> {
    match reply.as_object()?.values().next()? {
        Value::String(text) => serde_json::from_str(text).ok(),
        other => Some(other.clone()),
    }
}
