//! What kind of world a seed gives: its settings, its faults, its clients, its end.

use std::sync::Arc;

use tally_protocol::command::CommandRequest;
use tally_protocol::job::{JobRequest, StartMethod, Transport};
use tally_protocol::limits;

use super::rng::Rng;
use crate::action::Profile;
use crate::moment::{Moment, Span};
use crate::settings::Settings;

/// How often, of a thousand chances, each thing goes wrong.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    /// A process can't be made.
    pub(super) spawn_fails: u64,
    /// It dies before it is ready.
    pub(super) dies_starting: u64,
    /// It is never ready.
    pub(super) never_ready: u64,
    /// It takes long to be ready, perhaps too long.
    pub(super) slow_start: u64,
    /// It dies as soon as it is ready.
    pub(super) dies_ready: u64,
    /// It dies before it says `Started`.
    pub(super) dies_before_started: u64,
    /// It dies between `Started` and `Partial`.
    pub(super) dies_folding: u64,
    /// It dies after its partial was sent.
    pub(super) dies_after_partial: u64,
    /// It says nothing any more.
    pub(super) hangs: u64,
    /// It takes long over a partition, and says so.
    pub(super) slow: u64,
    /// It says its partial twice.
    pub(super) duplicates: u64,
    /// It says an old partial again.
    pub(super) stale: u64,
    /// It says the partial of another worker's lease.
    pub(super) echoes: u64,
    /// It says a partial with another attempt first.
    pub(super) wrong_attempt: u64,
    /// Its partial cannot be read.
    pub(super) malformed: u64,
    /// Its partial has another number of elements.
    pub(super) wrong_elements: u64,
    /// It says something that makes no sense.
    pub(super) nonsense: u64,
    /// Its link breaks.
    pub(super) link_breaks: u64,
    /// Its kernel reports an error.
    pub(super) fails: u64,
    /// It hears neither `Cancel` nor `Quit` nor SIGTERM.
    pub(super) stubborn: u64,
    /// The forkserver is gone with all it was asked for.
    pub(super) starter_dies: u64,
    /// A command's attempt breaks, whatever it was asked.
    pub(super) breaks: u64,
}

impl Faults {
    /// Whether a worker may die or be killed for another reason than the elements it folds.
    pub(super) fn any_deadly(&self) -> bool {
        let deadly = [
            self.dies_folding,
            self.hangs,
            self.wrong_attempt,
            self.malformed,
            self.wrong_elements,
            self.nonsense,
            self.link_breaks,
            self.slow,
            self.stubborn,
            self.breaks,
        ];
        deadly.iter().any(|&permille| permille > 0)
    }

    /// Whether a worker that lives and speaks may have to be killed.
    pub(super) fn any_offending(&self) -> bool {
        let offending = [
            self.slow_start,
            self.wrong_attempt,
            self.malformed,
            self.wrong_elements,
            self.nonsense,
            self.link_breaks,
            self.stubborn,
        ];
        offending.iter().any(|&permille| permille > 0)
    }

    /// Whether workers may die before they begin anything.
    pub(super) fn any_young(&self) -> bool {
        let young = [
            self.spawn_fails,
            self.dies_starting,
            self.never_ready,
            self.slow_start,
            self.dies_ready,
            self.dies_before_started,
            self.dies_after_partial,
        ];
        young.iter().any(|&permille| permille > 0) || self.any_deadly()
    }
}

/// What happens to a worker that meets an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Poison {
    /// It dies, so many times.
    Kills(u32),
    /// It falls silent, so many times.
    Silences(u32),
}

/// How a world ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// SIGTERM, once everything is quiet.
    Stop,
    /// SIGQUIT, once everything is quiet.
    StopNow,
    /// A client asks for it, once everything is quiet.
    Drain,
    /// A client asks for it with `now`.
    StopRequest,
    /// All clients go.
    ClientsGo,
}

/// Something the operator does at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    /// SIGTERM.
    Stop,
    /// SIGQUIT.
    StopNow,
    /// Other settings.
    Reload,
    /// SIGKILL; the daemon is started again.
    Kill,
}

/// How the store fares.
#[derive(Clone, Debug, Default)]
pub(super) struct StoreScenario {
    /// The longest time a record takes to get there, and its news to come back.
    pub(super) delay: Span,
    /// Of a thousand records, so many are refused.
    pub(super) refuses: u64,
    /// It is full from then to then.
    pub(super) full: Option<(Moment, Moment)>,
}

/// A kind of world.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) settings: Settings,
    pub(super) faults: Faults,
    /// Nothing goes wrong from here on, but for poison.
    pub(super) calm: Moment,
    pub(super) clients: u64,
    pub(super) requests: u64,
    /// Clients that start jobs and hear of their ends one by one.
    pub(super) starters: u64,
    pub(super) operator: Vec<(Moment, Operator)>,
    pub(super) ending: Ending,
    /// Of a thousand jobs, so many have a poison.
    pub(super) poisoned: u64,
    /// Of a thousand requests, so many are something else than a new job.
    pub(super) chatter: u64,
    /// Of a thousand clients, so many leave early.
    pub(super) leavers: u64,
    /// No process can ever be made.
    pub(super) barren: bool,
    /// Of a thousand jobs, so many have a command answer.
    pub(super) commands: u64,
    /// Jobs may want workers of several kinds.
    pub(super) kinds: bool,
    /// The longest delay of a message.
    pub(super) delay: Span,
    pub(super) store: StoreScenario,
    /// Unix milliseconds when the world begins.
    pub(super) wall_ms: u64,
    /// Of a thousand jobs, so many are detached.
    detached: u64,
}

const MS: u64 = 1_000_000;
/// So many seeds in a row give worlds without a store, then as many with one.
const STORELESS: u64 = 2_500;

impl Scenario {
    pub(super) fn new(rng: &mut Rng, seed: u64) -> Self {
        let mut settings = settings(rng);
        let barren = rng.chance(20);
        // An eager one lets detached jobs wait for better times, which never come here.
        settings.eager &= !barren;
        let calm = Moment(rng.between(5, 400) * MS);
        let mut operator = Vec::new();
        while rng.chance(120) && operator.len() < 4 {
            let what = rng.pick(&[Operator::Stop, Operator::StopNow, Operator::Reload, Operator::Reload]);
            let at = Moment(rng.below(calm.0 + 50 * MS));
            operator.push((at, what));
            // People who stop things stop them twice.
            if what == Operator::Stop && rng.chance(500) {
                operator.push((at + Span(rng.below(10 * MS)), what));
            }
        }
        let ending = if settings.until_clients_gone {
            Ending::ClientsGo
        } else {
            rng.pick(&[Ending::Stop, Ending::StopNow, Ending::Drain, Ending::StopRequest])
        };
        let mut scenario = Self {
            faults: faults(rng),
            calm,
            clients: rng.between(1, 4),
            requests: rng.between(1, 5),
            starters: 0,
            operator,
            ending,
            poisoned: rng.pick(&[0, 0, 100, 300, 1000]),
            chatter: rng.pick(&[0, 200, 500, 800]),
            leavers: rng.pick(&[0, 0, 100, 400]),
            barren,
            commands: 0,
            kinds: rng.chance(250),
            delay: Span(rng.pick(&[1_000, 50_000, MS, 5 * MS])),
            store: StoreScenario::default(),
            wall_ms: 0,
            detached: 250,
            settings,
        };
        // Every other stretch of seeds has a store.
        if seed / STORELESS % 2 == 1 {
            scenario.get_store(rng);
        }
        // The last worlds of each stretch have such clients, too.
        if seed % STORELESS >= STORELESS * 3 / 4 {
            scenario.starters = rng.between(1, 3);
        }
        scenario.get_later_faults(seed);
        scenario
    }

    /// What was thought of later has dice of its own, so that the worlds without it stay what they were.
    fn get_later_faults(&mut self, seed: u64) {
        let mut rng = Rng::new(seed.rotate_left(32));
        if rng.chance(150) {
            self.faults.starter_dies = rng.pick(&[20, 100, 300, 700]);
        }
        if rng.chance(250) {
            self.commands = rng.pick(&[200, 500, 1000]);
            self.faults.breaks = rng.pick(&[0, 0, 20, 100, 300]);
        }
    }

    fn get_store(&mut self, rng: &mut Rng) {
        self.wall_ms = 1_700_000_000_000;
        self.settings.wall_ms_at_zero = self.wall_ms;
        self.settings.until_clients_gone = false;
        self.settings.durable = true;
        self.settings.checkpoint = Span::ms(rng.pick(&[0, 1, 5, 100]));
        self.settings.ids_ahead = rng.pick(&[1, 2, 5, 100]);
        self.settings.jobs_ended_age = rng.chance(300).then(|| Span::ms(rng.between(1, 5_000)));
        if self.ending == Ending::ClientsGo {
            self.ending = Ending::Stop;
        }
        self.detached = rng.pick(&[300, 700, 1000]);
        self.store.delay = Span(rng.pick(&[50_000, 2 * MS, 20 * MS]));
        self.store.refuses = rng.pick(&[0, 0, 0, 50, 400]);
        if rng.chance(200) {
            let from = rng.below(self.calm.0);
            let to = from + rng.below(self.calm.0 - from + 1);
            self.store.full = Some((Moment(from), Moment(to)));
        }
        for _ in 0..rng.pick(&[0, 1, 1, 2, 4]) {
            self.operator.push((Moment(rng.below(self.calm.0)), Operator::Kill));
        }
    }

    /// Other settings for the same daemon.
    pub(super) fn reloaded(&self, rng: &mut Rng) -> Settings {
        Settings {
            eager: self.settings.eager,
            until_clients_gone: self.settings.until_clients_gone,
            durable: self.settings.durable,
            checkpoint: self.settings.checkpoint,
            ids_ahead: self.settings.ids_ahead,
            jobs_ended_age: self.settings.jobs_ended_age,
            ..settings(rng)
        }
    }
}

fn settings(rng: &mut Rng) -> Settings {
    let profile = Profile {
        transport: Transport::Shm,
        start: StartMethod::Forkserver,
        nice: 0,
        memory_limit_bytes: None,
        job: None,
    };
    let slots = rng.pick(&[1, 1, 2, 2, 3, 4, 6]);
    let private = rng.chance(200);
    let seed = rng.next();
    // In half of the worlds all answers take their time.
    let heavy = seed.is_multiple_of(2);
    Settings {
        eager: rng.chance(200),
        until_clients_gone: private,
        retries: u32::try_from(rng.pick(&[0, 1, 2, 3, 3, 3])).unwrap_or(3),
        lease: Span::ms(rng.between(20, 200)),
        start: Span::ms(rng.between(20, 100)),
        // Longer than a question and its answer may be under way.
        grace: Span::ms(rng.between(15, 60)),
        drain: Span::ms(rng.between(1, 300)),
        intensity: u32::try_from(rng.between(1, 5)).unwrap_or(5),
        intensity_window: Span::ms(rng.between(50, 500)),
        backoff_first: Span::ms(rng.between(1, 10)),
        backoff_most: Span::ms(rng.between(10, 300)),
        backoff_reset: Span::ms(rng.between(100, 1000)),
        partition_least: Span::ms(2),
        partition_most: Span::ms(5),
        ahead: Span(rng.pick(&[100_000, MS, 5 * MS])),
        leases_max: usize::try_from(rng.pick(&[1, 2, 4, 64])).unwrap_or(64),
        jobs_open_max: usize::try_from(rng.pick(&[1, 3, 100, 100])).unwrap_or(100),
        jobs_ended_max: usize::try_from(rng.pick(&[0, 1, 5, 100])).unwrap_or(100),
        progress: Span::ms(rng.between(1, 20)),
        trusting: true,
        seed,
        answer_at_once_bytes: if heavy { 0 } else { limits::ANSWER_AT_ONCE_BYTES_MAX },
        ..Settings::new(slots, profile)
    }
}

/// Most faults are absent from most worlds: each world has a few of its own.
fn faults(rng: &mut Rng) -> Faults {
    let mut faults = Faults::default();
    let each = [
        &mut faults.spawn_fails,
        &mut faults.dies_starting,
        &mut faults.never_ready,
        &mut faults.slow_start,
        &mut faults.dies_ready,
        &mut faults.dies_before_started,
        &mut faults.dies_folding,
        &mut faults.dies_after_partial,
        &mut faults.hangs,
        &mut faults.slow,
        &mut faults.duplicates,
        &mut faults.stale,
        &mut faults.echoes,
        &mut faults.wrong_attempt,
        &mut faults.malformed,
        &mut faults.wrong_elements,
        &mut faults.nonsense,
        &mut faults.link_breaks,
        &mut faults.fails,
        &mut faults.stubborn,
    ];
    let common = rng.pick(&[0, 100, 250]);
    for fault in each {
        if rng.chance(common) {
            *fault = rng.pick(&[20, 100, 300, 700]);
        }
    }
    // A kernel that fails ends its job: interesting, but not all the time.
    faults.fails = faults.fails.min(30);
    faults
}

/// Elements of each job lie in a stretch of their own, so that an element tells its job.
pub(super) const STRETCH: u64 = 1 << 50;

fn command() -> CommandRequest {
    CommandRequest { line: Some("./kernel".to_owned()), ..CommandRequest::default() }
}

/// A new job in the `n`-th stretch, and the element in it that is poison, if one is.
pub(super) fn job(scenario: &Scenario, rng: &mut Rng, n: u64) -> (JobRequest, Option<(u64, Poison)>) {
    let first = STRETCH * n;
    let huge = rng.chance(60);
    let count =
        if huge { 1 << rng.between(20, 45) } else { rng.pick(&[0, 1, 1, 2, 3, 5, 8, 12, 20, 50, 200, 1000]) };
    let poison = (count > 0 && rng.chance(scenario.poisoned)).then(|| {
        let kind = rng.pick(&[
            Poison::Kills(u32::MAX),
            Poison::Kills(u32::MAX),
            Poison::Kills(1),
            Poison::Kills(2),
            Poison::Silences(u32::MAX),
            Poison::Silences(1),
        ]);
        (first + rng.below(count), kind)
    });
    let partitions = if rng.chance(300) { None } else { Some(rng.pick(&[1, 2, 3, 5, 7, 12, 12, 40])) };
    let request = JobRequest {
        reductions: vec!["sum".into()],
        sources: vec![format!("{first}..{}", first + count)],
        partitions,
        workers: rng.chance(250).then(|| u32::try_from(rng.between(1, 3)).unwrap_or(1)),
        retries: rng.chance(200).then(|| u32::try_from(rng.between(0, 4)).unwrap_or(1)),
        timeout_ms: rng.chance(150).then(|| rng.between(1, 300)),
        priority: rng.chance(300).then(|| i32::try_from(rng.below(3)).unwrap_or(0)),
        nice: (scenario.kinds && rng.chance(400)).then(|| i32::try_from(rng.between(1, 2)).unwrap_or(1)),
        detach: rng.chance(scenario.detached),
        breakdown: rng.chance(150),
        command: (scenario.commands > 0 && rng.chance(scenario.commands)).then(|| Arc::new(command())),
        ..JobRequest::default()
    };
    (request, poison)
}
