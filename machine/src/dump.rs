//! The whole state as JSON text, for people who look for a defect. Nothing reads it back.

use std::fmt::{Display, Write};

use tally_protocol::work::LeaseId;
use tally_protocol::{JobId, SlotId};

use crate::Machine;
use crate::action::Profile;
use crate::clients::{Client, Pending};
use crate::job::Job;
use crate::moment::Moment;
use crate::partition::PartitionState;
use crate::settings::Settings;
use crate::worker::{Held, Mark, Slot, Worker};

impl Machine {
    /// The whole state as JSON text.
    #[must_use]
    pub fn dump(&self, now: Moment) -> String {
        let mut json = Json::default();
        json.object(|json| {
            json.text("schema", "tally.dump/1");
            json.exact("now_ns", now.0);
            json.text("phase", self.phase.name());
            json.part("settings", |json| settings(json, &self.settings));
            json.list("slots", self.crew.slots(), slot);
            json.list("jobs", self.jobs.all(), job);
            json.list("clients", self.clients.iter(), |json, (id, Client { pending, who, .. })| {
                json.number("client", id);
                json.number("uid", who.uid);
                json.text("rights", who.rights.name());
                waits(json, pending);
            });
            json.list("droughts", self.droughts.iter(), |json, (profile, drought)| {
                json.part("profile", |json| profile_of(json, profile));
                json.number("failures", drought.failures);
                json.text("last", &drought.last);
            });
            json.number("forkservers_lost", self.starter.lost);
            json.maybe_exact("forkserver_until_ns", self.starter.until.map(|until| until.0));
            json.maybe_exact("next_deadline_ns", self.next_deadline().map(|due| due.0));
            json.number("actions_waiting", self.actions.len());
            let (held, waiting) = self.locks.counts();
            json.number("locks_held", held);
            json.number("locks_waiting", waiting);
            json.number("objects", self.objects.count());
            json.number("object_bytes", self.objects.bytes());
            json.number("late", self.late);
            json.number("restarts", self.restarts);
        });
        json.text
    }
}

fn slot(json: &mut Json, slot: &Slot) {
    json.number("slot", slot.id);
    json.text("state", slot.state_name());
    json.number("lost", slot.health.lost);
    if let Some(one) = slot.worker() {
        worker(json, one);
    }
}

fn worker(json: &mut Json, worker: &Worker) {
    json.number("worker", worker.id);
    json.number("pid", worker.pid.unwrap_or(0));
    json.part("profile", |json| profile_of(json, &worker.profile));
    if let Some(lease) = worker.running {
        json.part("running", |json| lease_id(json, lease));
    }
    json.text("fault", worker.fault.as_deref().unwrap_or(""));
    json.list("leases", &worker.leases, |json, held: &Held| {
        lease_id(json, held.lease);
        json.exact("position", held.position);
        json.exact("count", held.count);
        json.text(
            "mark",
            match held.mark {
                Mark::Live => "live",
                Mark::Recalled => "recalled",
                Mark::Revoked { .. } => "revoked",
            },
        );
    });
}

fn job(json: &mut Json, job: &Job) {
    json.text("job", &job.id.to_string());
    json.text("state", job.state.name().name());
    json.maybe("owner", job.owner);
    json.number("uid", job.uid);
    json.flag("recorded", job.paper.kept);
    json.flag("ends_unrecorded", job.paper.unannounced);
    json.exact("elements", job.spec.elements);
    json.exact("covered", job.work.covered());
    json.exact("uncut", job.work.uncut());
    json.maybe_exact("ns_for_1000", job.pace.time_for(1_000).map(|span| span.0));
    json.exact("served_ns", job.served_ns);
    json.flag("waits_for_workers", job.filed.is_some());
    json.flag("waits_for_its_answers", job.conclusion.is_some());
    json.flag("waits_for_its_processes", job.parting);
    json.list("watchers", &job.watchers, |json, client| json.number("client", client));
    json.list("covered_runs", job.work.coverage().runs().take(100), |json, (position, count)| {
        json.exact("position", position);
        json.exact("count", count);
    });
    json.list("partitions", job.work.live().take(1_000), |json, (id, piece)| {
        json.number("partition", id);
        json.exact("position", piece.position);
        json.exact("count", piece.count);
        json.number("deaths", piece.deaths);
        match piece.state {
            PartitionState::Queued => json.text("state", "queued"),
            PartitionState::Leased { worker, attempt, until } => {
                json.text("state", "leased");
                json.number("worker", worker);
                json.number("attempt", attempt);
                json.exact("until_ns", until.0);
            }
        }
    });
    json.list("hands", &job.hands, |json, (slot, held): (&SlotId, &u32)| {
        json.number("slot", slot);
        json.number("leases", held);
    });
}

fn lease_id(json: &mut Json, lease: LeaseId) {
    json.text("job", &lease.job.to_string());
    json.number("partition", lease.partition);
    json.number("attempt", lease.attempt);
}

fn profile_of(json: &mut Json, profile: &Profile) {
    json.text("transport", profile.transport.name());
    json.text("start", profile.start.name());
    json.number("nice", profile.nice);
    json.maybe("memory_limit_bytes", profile.memory_limit_bytes);
    json.maybe("job", profile.job.map(|job| job.0));
}

fn waits(json: &mut Json, pending: &Pending) {
    let (what, jobs): (&str, &[JobId]) = match pending {
        Pending::Nothing => ("nothing", &[]),
        Pending::Shell => ("shell", &[]),
        Pending::Next => ("next", &[]),
        Pending::Lock => ("lock", &[]),
        Pending::Object => ("object", &[]),
        Pending::End { job } => ("end", std::slice::from_ref(job)),
        Pending::Stream { job, .. } => ("progress", std::slice::from_ref(job)),
        Pending::Arrival { job } | Pending::Record { job } => ("record", std::slice::from_ref(job)),
        Pending::Ends { jobs, .. } => ("ends", jobs),
    };
    json.text("waits_for", what);
    json.list("jobs", jobs, |json, job| json.text("job", &job.to_string()));
}

/// Times in nanoseconds, as the machine has them.
fn settings(json: &mut Json, settings: &Settings) {
    json.number("slots", settings.slots);
    json.flag("eager", settings.eager);
    json.flag("until_clients_gone", settings.until_clients_gone);
    json.flag("durable", settings.durable);
    json.part("profile", |json| profile_of(json, &settings.profile));
    json.number("retries", settings.retries);
    json.number("priority", settings.priority);
    let spans = [
        ("lease_ns", settings.lease),
        ("start_ns", settings.start),
        ("grace_ns", settings.grace),
        ("drain_ns", settings.drain),
        ("intensity_window_ns", settings.intensity_window),
        ("backoff_first_ns", settings.backoff_first),
        ("backoff_most_ns", settings.backoff_most),
        ("backoff_reset_ns", settings.backoff_reset),
        ("partition_least_ns", settings.partition_least),
        ("partition_most_ns", settings.partition_most),
        ("ahead_ns", settings.ahead),
        ("progress_ns", settings.progress),
        ("checkpoint_ns", settings.checkpoint),
    ];
    for (name, span) in spans {
        json.exact(name, span.0);
    }
    json.number("intensity", settings.intensity);
    json.number("leases_max", settings.leases_max);
    json.number("answer_at_once_bytes", settings.answer_at_once_bytes);
    json.number("jobs_open_max", settings.jobs_open_max);
    json.number("jobs_open_per_user_max", settings.jobs_open_per_user_max);
    json.maybe("memory_per_user_bytes", settings.memory_per_user_bytes);
    json.number("jobs_ended_max", settings.jobs_ended_max);
    json.maybe_exact("jobs_ended_age_ns", settings.jobs_ended_age.map(|age| age.0));
    json.number("ids_ahead", settings.ids_ahead);
    json.number("wall_ms_at_zero", settings.wall_ms_at_zero);
}

/// JSON text while it is written.
#[derive(Default)]
struct Json {
    text: String,
    /// Whether something stands before, so that a comma is due.
    more: bool,
}

impl Json {
    fn object(&mut self, fill: impl FnOnce(&mut Self)) {
        self.comma();
        self.text.push('{');
        self.more = false;
        fill(self);
        self.text.push('}');
        self.more = true;
    }

    fn list<T>(&mut self, name: &str, items: impl IntoIterator<Item = T>, each: impl Fn(&mut Self, T)) {
        self.name(name);
        self.text.push('[');
        self.more = false;
        for item in items {
            self.object(|json| each(json, item));
        }
        self.text.push(']');
        self.more = true;
    }

    fn number(&mut self, name: &str, value: impl Display) {
        self.name(name);
        // Writing to a string cannot fail.
        write!(self.text, "{value}").unwrap_or(());
        self.more = true;
    }

    /// What is unknown is absent.
    fn maybe(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.number(name, value);
        }
    }

    /// What can go beyond 2^53, which not every reader of JSON keeps exactly, is decimal text.
    fn exact(&mut self, name: &str, value: u64) {
        self.text(name, &value.to_string());
    }

    fn maybe_exact(&mut self, name: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.exact(name, value);
        }
    }

    fn flag(&mut self, name: &str, value: bool) {
        self.number(name, value);
    }

    fn part(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        self.name(name);
        self.more = false;
        self.object(fill);
    }

    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.quoted(value);
        self.more = true;
    }

    fn name(&mut self, name: &str) {
        self.comma();
        self.quoted(name);
        self.text.push(':');
    }

    fn comma(&mut self) {
        if self.more {
            self.text.push(',');
        }
    }

    fn quoted(&mut self, value: &str) {
        self.text.push('"');
        for c in value.chars() {
            match c {
                '"' | '\\' => {
                    self.text.push('\\');
                    self.text.push(c);
                }
                c if c.is_control() => write!(self.text, "\\u{:04x}", u32::from(c)).unwrap_or(()),
                c => self.text.push(c),
            }
        }
        self.text.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_well_formed() {
        let mut json = Json::default();
        json.object(|json| {
            json.text("a\"b", "c\\d\n");
            json.list("l", [1, 2], |json, n| json.number("n", n));
            json.list("none", [0; 0], |json, n: i32| json.number("n", n));
            json.number("z", 3);
        });
        assert_eq!(json.text, r#"{"a\"b":"c\\d\u000a","l":[{"n":1},{"n":2}],"none":[],"z":3}"#);
    }
}
