//! `status`: whether the daemon runs and what it does. Exit 0 when it runs, 3 when not.

use tally_protocol::control::{Request, part};
use tally_protocol::error::Failure;
use tally_protocol::version::PROGRAM;
use tally_protocol::view::{HostedView, LimitView, StatusView, StoreView};

use super::{Context, ask};
use crate::place::Reach;
use crate::show::json::Document;
use crate::show::number;
use crate::show::table::facts;

pub(super) fn run(context: &mut Context<'_, '_>, reach: &Reach) -> Result<u8, Failure> {
    let status: StatusView = part(ask(context, reach, &Request::Status, "read the status")?, "status")?;
    let text = if context.style.json {
        Document::new("tally.status/1").flattened(&status).line()
    } else {
        facts(&facts_of(&status))
    };
    context.terminal.answer(&text)?;
    if status.version != PROGRAM {
        let note = format!("tally: this program is {PROGRAM}, the daemon {}; restart it\n", status.version);
        context.terminal.note(&note);
    }
    Ok(0)
}

fn facts_of(status: &StatusView) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("daemon", format!("{} {}", status.version, status.phase)),
        ("pid", status.pid.to_string()),
        ("up", number::duration(status.uptime_ms)),
    ];
    facts.extend(status.socket.clone().map(|socket| ("socket", socket)));
    let StatusView { queued, running, paused, ended, .. } = status;
    let mut workers = format!("{} of {} ready", status.workers, status.slots);
    for (count, word) in [(status.busy, "busy"), (status.restarting, "restarting")] {
        if let Some(count) = count.filter(|count| *count > 0) {
            workers.push_str(&format!(", {count} {word}"));
        }
    }
    facts.extend([
        ("workers", workers),
        (
            "jobs",
            format!(
                "{running} running, {queued} queued, {paused} paused, {}",
                ended_fact(*ended, status.remembered)
            ),
        ),
        ("clients", status.clients.to_string()),
        ("restarts", number::grouped(&status.restarts.to_string())),
        ("late", number::grouped(&status.late.to_string())),
    ]);
    facts.extend(status.store.as_ref().map(|store| ("store", store_fact(store))));
    facts.push(("detached jobs", detached_fact(status)));
    facts.extend(status.commands.clone().map(|how| ("commands", how)));
    facts.extend(status.objects.as_ref().map(|hosted| ("objects", hosted_fact(hosted))));
    let near = status.limits.iter().filter(|limit| limit.near);
    facts.extend(near.map(|limit| ("near limit", limit_fact(limit))));
    facts
}

/// Those of earlier daemons have ended before this one was there.
fn ended_fact(ended: u64, remembered: Option<u64>) -> String {
    match remembered {
        Some(remembered) if remembered != ended => {
            format!("{ended} ended since the start, {remembered} remembered")
        }
        _ => format!("{ended} ended"),
    }
}

/// Whether detached jobs outlive the daemon, and which do not yet.
fn detached_fact(status: &StatusView) -> String {
    if !status.durable {
        return "end with the daemon: there is no store".to_owned();
    }
    match &status.store_error {
        None => "survive the daemon".to_owned(),
        Some(why) => format!(
            "refused until the store takes records again ({why}); {} not recorded",
            number::grouped(&status.unrecorded.to_string())
        ),
    }
}

fn store_fact(store: &StoreView) -> String {
    let mut text = store.path.clone();
    for (count, unit) in [(store.rows, "rows"), (store.bytes, "bytes")] {
        if let Some(count) = count {
            text.push_str(&format!(", {} {unit}", number::grouped(&count.to_string())));
        }
    }
    if let Some(why) = &store.last_failure {
        let ago =
            store.last_failure_ago_ms.map(|ms| format!(" {} ago", number::duration(ms))).unwrap_or_default();
        text.push_str(&format!("; last failure{ago}: {why}"));
    }
    text
}

fn hosted_fact(hosted: &HostedView) -> String {
    let grouped = |count: u64| number::grouped(&count.to_string());
    let HostedView { objects, bytes, waiting } = *hosted;
    let mut text = format!("{}, {} bytes", grouped(objects), grouped(bytes));
    if waiting > 0 {
        text.push_str(&format!(", {} waiting", grouped(waiting)));
    }
    text
}

fn limit_fact(limit: &LimitView) -> String {
    let grouped = |count: u64| number::grouped(&count.to_string());
    format!("{} {} of {}", limit.name.replace('-', " "), grouped(limit.used), grouped(limit.most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_its_limit_is_told_and_nothing_else() {
        let status = StatusView {
            workers: 3,
            slots: 4,
            busy: Some(2),
            restarting: Some(1),
            store: Some(StoreView { path: "/s".into(), rows: Some(1_000), ..StoreView::default() }),
            limits: vec![LimitView::new("clients", 79, 100), LimitView::new("open-jobs", 8_000, 10_000)],
            objects: Some(HostedView { objects: 1_200, bytes: 80_000, waiting: 3 }),
            ..StatusView::default()
        };
        let facts = facts_of(&status);
        let of = |name: &str| {
            facts.iter().filter(|(key, _)| *key == name).map(|(_, fact)| fact.clone()).collect::<Vec<_>>()
        };
        assert_eq!(of("workers"), ["3 of 4 ready, 2 busy, 1 restarting"]);
        assert_eq!(of("store"), ["/s, 1,000 rows"]);
        assert_eq!(of("detached jobs"), ["end with the daemon: there is no store"]);
        assert_eq!(of("objects"), ["1,200, 80,000 bytes, 3 waiting"]);
        assert_eq!(of("near limit"), ["open jobs 8,000 of 10,000"]);
    }

    #[test]
    fn a_store_that_refuses_is_told() {
        let durable = StatusView { durable: true, ..StatusView::default() };
        assert_eq!(detached_fact(&durable), "survive the daemon");
        let refusing =
            StatusView { store_error: Some("the disk is full".to_owned()), unrecorded: 2, ..durable };
        assert_eq!(
            detached_fact(&refusing),
            "refused until the store takes records again (the disk is full); 2 not recorded"
        );
    }
}
