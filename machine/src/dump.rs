//! The whole state as JSON text, for people who look for a defect. Nothing reads it back.

use std::fmt::{Display, Write};

use tally_protocol::SlotId;

use crate::Machine;
use crate::clients::Client;
use crate::job::Job;
use crate::moment::Moment;
use crate::worker::{Held, Slot, Worker};

impl Machine {
    /// The whole state as JSON text.
    #[must_use]
    pub fn dump(&self, now: Moment) -> String {
        let mut json = Json::default();
        json.object(|json| {
            json.text("schema", "tally.dump/1");
            json.number("now_ns", now.0);
            json.text("phase", &format!("{:?}", self.phase));
            json.text("settings", &format!("{:?}", self.settings));
            json.list("slots", self.crew.slots(), slot);
            json.list("jobs", self.jobs.all(), job);
            json.list("clients", self.clients.iter(), |json, (id, Client { pending, .. })| {
                json.number("client", id);
                json.text("pending", &format!("{pending:?}"));
            });
            json.list("droughts", self.droughts.iter(), |json, (profile, drought)| {
                json.text("profile", &format!("{profile:?}"));
                json.number("failures", drought.failures);
                json.text("last", &drought.last);
            });
            json.text("next_deadline", &format!("{:?}", self.next_deadline()));
            json.number("actions_waiting", self.actions.len());
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
    json.text("profile", &format!("{:?}", worker.profile));
    json.text("running", &format!("{:?}", worker.running));
    json.text("fault", worker.fault.as_deref().unwrap_or(""));
    json.list("leases", &worker.leases, |json, held: &Held| {
        json.number("job", held.lease.job.0);
        json.number("partition", held.lease.partition);
        json.number("attempt", held.lease.attempt);
        json.number("position", held.position);
        json.number("count", held.count);
        json.text("mark", &format!("{:?}", held.mark));
    });
}

fn job(json: &mut Json, job: &Job) {
    json.text("job", &job.id.to_string());
    json.text("state", job.state.name().name());
    json.text("owner", &format!("{:?}", job.owner));
    json.number("elements", job.spec.elements);
    json.number("covered", job.work.covered());
    json.number("uncut", job.work.uncut());
    json.text("pace", &format!("{:?}", job.pace));
    json.number("served_ns", job.served_ns);
    json.text("filed", &format!("{:?}", job.filed));
    json.text("watchers", &format!("{:?}", job.watchers));
    json.list("covered_runs", job.work.coverage().runs().take(100), |json, (position, count)| {
        json.number("position", position);
        json.number("count", count);
    });
    json.list("partitions", job.work.live().take(1_000), |json, (id, piece)| {
        json.number("partition", id);
        json.number("position", piece.position);
        json.number("count", piece.count);
        json.number("deaths", piece.deaths);
        json.text("state", &format!("{:?}", piece.state));
    });
    json.list("hands", &job.hands, |json, (slot, held): (&SlotId, &u32)| {
        json.number("slot", slot);
        json.number("leases", held);
    });
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
