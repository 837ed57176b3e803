//! The campaign: real daemons, jobs of all kinds from many clients at once, and everybody killed and stopped meanwhile.
//!
//! A seed gives the plan: the rounds, their daemons and faults, the jobs of each client, whom is struck and how, and the
//! pauses between. What the system makes of it is its own: another run of a seed is another run of the same plan.
//! Every answer is compared with one that was worked out here; after each round all leases, locks, objects and descriptors
//! of the daemon must be back, and after its end every process and file.
//!
//! Where to go next: `plan` (what a seed means), `jobs` (what is asked, and what must come), `commands` (clients that are
//! processes), `talkers` (clients that are connections), `strikes` (who is killed), `faults` (what the system refuses),
//! `keeper` (the daemon, again and again), `accounts` (what must be there at the end), `report` (the table).

mod accounts;
mod commands;
mod data;
mod faults;
mod jobs;
mod keeper;
mod ledger;
mod locks;
mod plan;
mod report;
mod shared;
mod strikes;
mod talk;
mod talkers;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use crate::World;

pub use report::Report;

use plan::Round;
use shared::Shared;

/// When a campaign ends. Whatever comes first, and never in the middle of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// After so many minutes.
    Minutes(u64),
    /// After so many rounds.
    Rounds(u64),
    /// After so many processes were killed.
    Kills(u64),
}

/// What a campaign is.
#[derive(Clone, Debug)]
pub struct Torture {
    /// A build with crash points: that of the tests.
    pub binary: PathBuf,
    /// The plan.
    pub seed: u64,
    /// The first round, counted from 0: for one that went wrong.
    pub from: u64,
    /// Its end.
    pub until: Until,
    /// Jobs that each client asks for in a round.
    pub jobs: usize,
    /// Go on after something went wrong, and count.
    pub keep_going: bool,
    /// Tell each round when it is over.
    pub tell: fn(&str),
}

impl Torture {
    /// Runs it.
    #[must_use]
    pub fn run(&self) -> Report {
        let begun = tally_sys::clock::monotonic_ns();
        let seconds = || (tally_sys::clock::monotonic_ns() - begun) / 1_000_000_000;
        let faults = faults::Faults::prepare();
        let mut report = Report::new(self.seed, faults.left_out());
        for number in self.from.. {
            let over = match self.until {
                Until::Minutes(minutes) => seconds() >= minutes * 60,
                Until::Rounds(rounds) => number - self.from >= rounds,
                Until::Kills(kills) => report.kills() >= kills,
            };
            if over || (!report.wrong.is_empty() && !self.keep_going) {
                break;
            }
            let round = Round::of(self.seed, number);
            let shared = Arc::new(Shared::default());
            let outcome = catch_unwind(AssertUnwindSafe(|| self.round(&round, &faults, &shared)));
            if outcome.is_err() {
                shared.wrong(format!("{round}: the round itself ended badly; its panic is above"));
            }
            report.take(&round, &shared);
            shared.results().1.iter().for_each(|story| (self.tell)(&format!("WRONG  {story}")));
            report.seconds = seconds();
            (self.tell)(&format!("{round}: {} kills so far, {} wrong", report.kills(), report.wrong.len()));
        }
        report
    }

    fn round(&self, round: &Round, faults: &faults::Faults, shared: &Arc<Shared>) {
        let binary = self.binary.to_str().expect("the path of the binary is text");
        let mut world = World::new(binary);
        let (name, value) = faults.ready(&world);
        world = world.with(&name, &value);
        for (name, value) in round.environment(faults) {
            world = world.with(&name, &value);
        }
        let data = data::Data::write(&world, round.seed);
        let keeper = keeper::Keeper::start(&world, round, shared);
        let at_rest = accounts::at_rest(&world, round, &keeper);
        std::thread::scope(|scope| {
            let mut clients = Vec::new();
            for client in 0..round.clients {
                let (world, data) = (&world, &data);
                clients
                    .push(scope.spawn(move || commands::run(world, data, round, client, self.jobs, shared)));
            }
            clients.push(scope.spawn(|| talkers::detached(&world, round, self.jobs, shared)));
            clients.push(scope.spawn(|| ledger::run(&world, round, self.jobs, shared)));
            for client in 0..2 {
                let world = &world;
                clients.push(scope.spawn(move || locks::run(world, round, client, self.jobs, shared)));
            }
            scope.spawn(|| strikes::run(&world, round, &keeper, shared));
            scope.spawn(|| faults.come_and_go(&world, round, &keeper, shared));
            for client in clients {
                if client.join().is_err() {
                    shared
                        .wrong(format!("{round}: a client of the campaign ended badly; its panic is above"));
                }
            }
            shared.quiet();
        });
        accounts::settle(&world, round, &keeper, at_rest, shared);
        locks::judge(round, shared);
        world.finish();
    }
}
