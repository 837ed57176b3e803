//! The waits of a deadlock as lines: who, what it holds, what it wants, since when.

use tally_protocol::locks::LockKind;
use tally_protocol::locks::view::{DeadlockView, EdgeView, HeldView, LockMode, WantedView};

use super::number;

/// `lock 'a'`.
pub(crate) fn named(kind: LockKind, name: &str) -> String {
    format!("{kind} '{name}'")
}

/// One line for each wait, that of the one who was refused first.
pub(crate) fn lines(deadlock: &DeadlockView) -> Vec<String> {
    let mut lines: Vec<String> = deadlock.edges.iter().map(|edge| line(edge, deadlock.at_ms)).collect();
    if let Some(more) = deadlock.more {
        lines.push(format!("and {}", number::counted(more, "more wait")));
    }
    lines
}

/// The command comes last: it may be of any length, and a line may be cut.
fn line(edge: &EdgeView, at_ms: u64) -> String {
    let who = edge.who.pid.map_or_else(|| "a process".to_owned(), |pid| format!("process {pid}"));
    let of_user =
        if edge.who.command.is_none() { format!(" of user {}", edge.who.uid) } else { String::new() };
    let held: Vec<String> = edge.holds.iter().map(|held| self::held(held, at_ms)).collect();
    let holds = match &held[..] {
        [] => "is before others in the queue".to_owned(),
        held => format!("holds {}", held.join(", ")),
    };
    let wants = wanted(&edge.wants, at_ms);
    let mut line = format!("{who}{of_user} {holds} and waits for {wants}");
    if let Some(command) = &edge.who.command {
        line.push_str(&format!(": {command}"));
    }
    for command in edge.holds.iter().filter_map(|held| held.command.as_ref()) {
        line.push_str(&format!(", under {command}"));
    }
    line
}

fn held(held: &HeldView, at_ms: u64) -> String {
    let since = number::duration(at_ms.saturating_sub(held.since_ms));
    let through = held.pid.map(|pid| format!(" through process {pid}")).unwrap_or_default();
    format!("{}{}{through} for {since}", how(held.mode, held.take), named(held.kind, &held.name))
}

fn wanted(wanted: &WantedView, at_ms: u64) -> String {
    let since = number::duration(at_ms.saturating_sub(wanted.since_ms));
    format!("{}{} for {since}", how(wanted.mode, wanted.take), named(wanted.kind, &wanted.name))
}

/// Said only where it is not the usual way.
fn how(mode: LockMode, take: Option<u32>) -> String {
    match (mode, take) {
        (LockMode::Exclusive, _) | (LockMode::Permits, None) => String::new(),
        (LockMode::Shared, _) => "shared ".to_owned(),
        (LockMode::Permits, Some(take)) => format!("{} of ", number::counted(u64::from(take), "permit")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wait_says_who_holds_and_wants_what_since_when() {
        let deadlock: DeadlockView = serde_json::from_value(serde_json::json!({
            "at_ms": 10_000, "name": "a", "kind": "lock", "more": 1,
            "edges": [
                { "pid": 12, "uid": 0, "command": "sh x",
                  "holds": [{ "name": "b", "kind": "lock", "mode": "exclusive", "fence": 3, "since_ms": 6_500, "pid": 11, "uid": 0, "command": "sh y" }],
                  "wants": { "name": "a", "kind": "lock", "mode": "shared", "since_ms": 10_000 } },
                { "pid": 13, "uid": 7, "holds": [],
                  "wants": { "name": "s", "kind": "semaphore", "mode": "permits", "take": 2, "since_ms": 9_000 } },
            ],
        }))
        .unwrap();
        assert_eq!(
            lines(&deadlock),
            [
                "process 12 holds lock 'b' through process 11 for 3.5s and waits for shared lock 'a' for 0.0s: sh x, under sh y",
                "process 13 of user 7 is before others in the queue and waits for 2 permits of semaphore 's' for 1.0s",
                "and 1 more wait",
            ]
        );
    }
}
