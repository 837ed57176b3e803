//! Thousands of jobs that come and end together: the work for each must not grow with their number. Counted in looks at
//! single jobs, never in time.

use tally_protocol::control::{Reply, Request};
use tally_protocol::job::JobRequest;
use tally_protocol::{ClientId, JobId, limits};

use super::{request, settings};
use crate::action::{Action, Ticket};
use crate::event::Event;
use crate::moment::{Moment, Span};
use crate::{Machine, Settings};

const FEW: u64 = 1_000;
const MANY: u64 = 4 * FEW;
const FULL: &str = "no space is left on the disk";

/// A supervisor with a store that a test answers for.
struct Flood {
    machine: Machine,
    now: Moment,
    tickets: Vec<Ticket>,
    /// The last list of jobs.
    listed: Option<(usize, Option<JobId>)>,
}

impl Flood {
    /// So many detached jobs, recorded, of which few may be remembered.
    fn of(jobs: u64) -> Self {
        let settings = Settings {
            durable: true,
            jobs_open_max: 200_000,
            jobs_open_per_user_max: 200_000,
            jobs_ended_max: 10,
            ..settings(1)
        };
        let mut flood = Self {
            machine: Machine::new(Moment(0), settings),
            now: Moment(0),
            tickets: Vec::new(),
            listed: None,
        };
        flood.collect();
        flood.record_all();
        for client in 0..jobs {
            let request = JobRequest { detach: true, ..request("0..10", 2) };
            flood.say(client, Request::Submit(Box::new(request.check().expect("a good request"))));
        }
        flood.record_all();
        assert_eq!(flood.machine.jobs.open_count() as u64, jobs);
        flood
    }

    fn collect(&mut self) {
        while let Some(action) = self.machine.next_action() {
            match action {
                Action::Record { ticket, .. } => self.tickets.push(ticket),
                Action::Reply { reply: Reply::Listed { jobs, next }, .. } => {
                    self.listed = Some((jobs.len(), next));
                }
                _ => {}
            }
        }
    }

    fn event(&mut self, event: Event) {
        self.machine.handle(self.now, event);
        self.collect();
    }

    fn say(&mut self, client: u64, request: Request) {
        self.event(Event::ClientSaid { client: ClientId(client), request, more: false });
    }

    fn record_all(&mut self) {
        while let Some(ticket) = self.tickets.pop() {
            self.event(Event::Recorded { ticket });
        }
    }

    /// The store refuses all that it has been asked so far.
    fn refuse_all(&mut self) {
        for ticket in std::mem::take(&mut self.tickets) {
            self.event(Event::NotRecorded { ticket, why: FULL.to_owned() });
        }
    }

    fn later(&mut self, ms: u64) {
        self.now = self.now + Span::ms(ms);
        self.machine.handle_timeout(self.now);
        self.collect();
    }

    fn cancel_all(&mut self) {
        self.say(0, Request::Cancel { jobs: Vec::new(), all: true });
    }
}

/// Four times the jobs may take five times the work.
#[track_caller]
fn grows_with_the_jobs(what: impl Fn(&mut Flood)) {
    let [few, many] = [FEW, MANY].map(|jobs| {
        let mut flood = Flood::of(jobs);
        let before = flood.machine.jobs.looks();
        what(&mut flood);
        flood.machine.check();
        flood.machine.jobs.looks() - before
    });
    assert!(many < 5 * few, "{FEW} jobs take {few} looks, {MANY} take {many}");
}

#[test]
fn all_are_cancelled() {
    grows_with_the_jobs(|flood| {
        flood.cancel_all();
        flood.record_all();
        assert_eq!(flood.machine.jobs.open_count(), 0);
        assert_eq!(flood.machine.jobs.ended_count(), 10, "the others are forgotten");
    });
}

/// Ended jobs that the store refuses cannot be forgotten: they pile up, and others come and go all the same.
#[test]
fn all_end_while_the_disk_is_full() {
    grows_with_the_jobs(|flood| {
        let jobs = flood.machine.jobs.open_count();
        flood.cancel_all();
        flood.refuse_all();
        assert_eq!(flood.machine.jobs.ended_count(), jobs, "none is lost");
        for client in 0..100 {
            let attached = request("0..10", 2).check().expect("a good request");
            flood.say(client, Request::Submit(Box::new(attached)));
            flood.event(Event::ClientGone { client: ClientId(client) });
        }
        flood.later(5_000);
        flood.record_all();
        assert_eq!(flood.machine.jobs.ended_count(), 10, "there is room again");
    });
}

#[test]
fn all_are_left_to_the_next_supervisor() {
    grows_with_the_jobs(|flood| {
        flood.event(Event::StopNow);
        flood.record_all();
        assert!(flood.machine.file_sets().is_empty());
    });
}

/// Somebody waits for all of them, and goes away.
#[test]
fn all_are_waited_for() {
    grows_with_the_jobs(|flood| {
        let jobs: Vec<JobId> = flood.machine.jobs.open().map(|job| job.id).collect();
        for client in 1..4 {
            flood.say(client, Request::Wait(jobs.clone()));
        }
        flood.event(Event::ClientGone { client: ClientId(1) });
        flood.cancel_all();
        flood.record_all();
    });
}

/// One request shows no more than others can wait for, and the next one goes on behind it.
#[test]
fn all_are_listed_piece_by_piece() {
    let mut flood = Flood::of(MANY + 1);
    let (mut after, mut pieces) = (None, Vec::new());
    loop {
        flood.say(0, Request::Jobs { all: false, after });
        let (count, next) = flood.listed.take().expect("a list");
        pieces.push(count);
        after = next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(pieces, [limits::JOBS_LISTED_MAX, limits::JOBS_LISTED_MAX, 1]);
    flood.cancel_all();
    flood.record_all();
    flood.say(0, Request::Jobs { all: false, after: None });
    assert_eq!(flood.listed, Some((0, None)));
}
