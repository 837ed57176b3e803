//! `locks`: who holds what and who waits. `deadlocks`: those that were refused.

use tally_protocol::control::{Request, part};
use tally_protocol::error::Failure;
use tally_protocol::locks::LockRequest;
use tally_protocol::locks::view::{DeadlockView, InversionView, LockMode, LockView, ProcessView};
use tally_sys::clock;

use super::{Context, ask};
use crate::place::Reach;
use crate::show::json::{self, Document};
use crate::show::table::{Side, Table};
use crate::show::template::Template;
use crate::show::{number, waits};

pub(super) fn locks(
    context: &mut Context<'_, '_>,
    reach: &Reach,
    template: Option<&Template>,
) -> Result<u8, Failure> {
    let reply = ask(context, reach, &Request::Lock(LockRequest::Locks), "list the locks")?;
    let locks: Vec<LockView> = part(reply.clone(), "locks")?;
    let inversions: Option<Vec<InversionView>> = part(reply, "inversions")?;
    let inversions = inversions.unwrap_or_default();
    if let Some(template) = template {
        context.terminal.answer(&json::lines(template, locks.as_slice()))?;
        return Ok(0);
    }
    if context.style.json {
        let document = Document::new("tally.locks/1").value("locks", locks.as_slice());
        let inversions = (!inversions.is_empty()).then_some(inversions.as_slice());
        context.terminal.answer(&document.maybe("inversions", inversions).line())?;
        return Ok(0);
    }
    if locks.is_empty() {
        context.terminal.note("tally: no locks\n");
    } else {
        let text = table(&locks).for_answer(context.terminal);
        context.terminal.answer(&text)?;
    }
    let now_ms = clock::wall_ms();
    for inversion in &inversions {
        context.terminal.note(&format!("tally: warning: {}\n", told(inversion, now_ms)));
    }
    Ok(0)
}

pub(super) fn deadlocks(context: &mut Context<'_, '_>, reach: &Reach) -> Result<u8, Failure> {
    let reply = ask(context, reach, &Request::Lock(LockRequest::Deadlocks), "list the deadlocks")?;
    let deadlocks: Vec<DeadlockView> = part(reply, "deadlocks")?;
    if context.style.json {
        let text = Document::new("tally.deadlocks/1").value("deadlocks", deadlocks.as_slice()).line();
        context.terminal.answer(&text)?;
    } else if deadlocks.is_empty() {
        context.terminal.note("tally: no deadlock was refused\n");
    } else {
        let now_ms = clock::wall_ms();
        let text: String = deadlocks.iter().map(|one| report(one, now_ms)).collect();
        context.terminal.answer(&text)?;
    }
    Ok(0)
}

fn table(locks: &[LockView]) -> Table {
    let mut table = Table::new(&[
        ("NAME", Side::Left),
        ("KIND", Side::Left),
        ("STATE", Side::Left),
        ("MODE", Side::Left),
        ("PID", Side::Right),
        ("USER", Side::Right),
        ("FOR", Side::Right),
        ("FENCE", Side::Right),
        ("COMMAND", Side::Left),
    ]);
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    for lock in locks {
        let row = |state: &str, (mode, take), who: &ProcessView, ms, fence: Option<u64>| {
            vec![
                lock.name.clone(),
                lock.kind.to_string(),
                state.to_owned(),
                mode_of(lock, mode, take),
                or_dash(who.pid.map(|pid| pid.to_string())),
                who.uid.to_string(),
                number::duration(ms),
                or_dash(fence.map(|fence| fence.to_string())),
                or_dash(who.command.clone()),
            ]
        };
        for one in &lock.holders {
            table.row(row("held", (one.mode, one.take), &one.who, one.held_ms, Some(one.fence)));
        }
        for one in &lock.waiters {
            table.row(row("waits", (one.mode, one.take), &one.who, one.waiting_ms, None));
        }
    }
    table
}

fn mode_of(lock: &LockView, mode: LockMode, take: Option<u32>) -> String {
    match (mode, take, lock.permits) {
        (LockMode::Permits, Some(take), Some(permits)) => format!("{take} of {permits}"),
        (mode, ..) => mode.name().to_owned(),
    }
}

fn told(inversion: &InversionView, now_ms: u64) -> String {
    let names: Vec<&str> =
        inversion.names.iter().chain(inversion.names.first()).map(String::as_str).collect();
    let ago = number::duration(now_ms.saturating_sub(inversion.last_ms));
    let seen = number::counted(inversion.count, "time");
    format!(
        "taken in orders that contradict each other, {}: seen {seen}, last {ago} ago; it can become a deadlock",
        names.join(" before ")
    )
}

fn report(deadlock: &DeadlockView, now_ms: u64) -> String {
    let ago = number::duration(now_ms.saturating_sub(deadlock.at_ms));
    let count = deadlock.edges.len() as u64 + deadlock.more.unwrap_or(0);
    let waits = number::counted(count, "wait");
    let what = waits::named(deadlock.kind, &deadlock.name);
    let mut text = format!("{ago} ago: {what} was refused, as it would have closed a deadlock of {waits}\n");
    for line in waits::lines(deadlock) {
        text.push_str(&format!("  {line}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn holders_and_queues_stand_in_a_table() {
        let locks: Vec<LockView> = serde_json::from_value(json!([
            { "name": "backup", "kind": "lock",
              "holders": [{ "pid": 12, "uid": 0, "command": "rsync -a", "mode": "exclusive", "fence": 7, "since_ms": 1, "held_ms": 3_200 }],
              "waiters": [{ "uid": 1000, "mode": "shared", "since_ms": 1, "waiting_ms": 900 }] },
            { "name": "pool", "kind": "semaphore", "permits": 3, "free": 1,
              "holders": [{ "pid": 13, "uid": 0, "mode": "permits", "take": 2, "fence": 8, "since_ms": 1, "held_ms": 61_000 }],
              "waiters": [] },
        ]))
        .unwrap();
        assert_eq!(
            table(&locks).text("", str::to_owned),
            "\
NAME    KIND       STATE  MODE       PID  USER     FOR  FENCE  COMMAND
backup  lock       held   exclusive   12     0    3.2s      7  rsync -a
backup  lock       waits  shared       -  1000    0.9s      -  -
pool    semaphore  held   2 of 3      13     0  1m 01s      8  -
"
        );
    }

    #[test]
    fn contradicting_orders_are_one_sentence() {
        let seen = InversionView {
            names: vec!["lock 'a'".into(), "lock 'b'".into()],
            first_ms: 0,
            last_ms: 1_000,
            count: 2,
        };
        assert_eq!(
            told(&seen, 6_000),
            "taken in orders that contradict each other, lock 'a' before lock 'b' before lock 'a': seen 2 times, last 5.0s ago; it can become a deadlock"
        );
    }
}
