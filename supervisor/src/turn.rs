//! The loop: gather, decide, perform.
//!
//! One turn polls once, reads every ready source up to a bound (signals, then exits, then links, then clients), feeds
//! the events to the machine and performs its actions. With nothing to do it sleeps without a timeout.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use tally_machine::settings::Identity;
use tally_machine::{Event, Machine, Moment, Phase, Settings};
use tally_protocol::control::Reply;
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::record::Saved;
use tally_protocol::{ClientId, WorkerId, limits};
use tally_sys::cgroup::OomKills;
use tally_sys::clock;
use tally_sys::poll::{Interest, Poll, Ready};
use tally_sys::signal::{Signal, SignalStream};
use tally_sys::socket::Listener;

use crate::aside::Aside;
use crate::books::Books;
use crate::chronicle::Chronicle;
use crate::clients::Clients;
use crate::files::FileSets;
use crate::metrics::histogram::Histogram;
use crate::metrics::scrapers::Scrapers;
use crate::orphans::Orphans;
use crate::reload::Reloader;
use crate::service::Service;
use crate::spawn::Nursery;
use crate::token::Token;
use crate::upgrade::Trial;
use crate::worker::Worker;

/// Signals the loop hears. SIGCHLD only matters for processes that lost their parent to us: workers tell their end by
/// their pidfd.
const SIGNALS: [Signal; 6] =
    [Signal::Term, Signal::Int, Signal::Quit, Signal::Hup, Signal::Usr1, Signal::Chld];

/// The supervisor: the machine, and everything of the system that its words stand for.
#[derive(Debug)]
pub(crate) struct Supervisor {
    pub(crate) machine: Machine,
    /// The system's clock at the machine's zero.
    pub(crate) zero: u64,
    pub(crate) poll: Poll,
    pub(crate) signals: SignalStream,
    pub(crate) listener: Option<Listener>,
    /// Accepting waits until a descriptor is free.
    pub(crate) accept_paused: bool,
    /// The socket when it is no longer ours to take clients from.
    pub(crate) resting: Option<Listener>,
    /// The daemon's program, for an upgrade.
    pub(crate) executable: Option<PathBuf>,
    /// Where the daemon was started.
    pub(crate) directory: PathBuf,
    /// A new binary on trial.
    pub(crate) trial: Option<Trial>,
    /// The program that takes over at the end.
    pub(crate) successor: Option<PathBuf>,
    pub(crate) clients: Clients,
    /// Connections with locks, and the book of these, once they are another program's.
    pub(crate) handed_over: Vec<(String, OwnedFd)>,
    pub(crate) files: FileSets,
    pub(crate) workers: BTreeMap<WorkerId, Worker>,
    pub(crate) nursery: Nursery,
    /// The forkserver is watched by the poll.
    pub(crate) forkserver_watched: bool,
    /// A child ended that may be nobody's: looked at when no start is under way.
    pub(crate) strays: bool,
    /// What commands leave behind falls to this process. Children that it had before are none of theirs.
    pub(crate) orphans: Option<Orphans>,
    /// What happened while actions were performed.
    pub(crate) events: VecDeque<Event>,
    /// Clients that may have a whole request waiting.
    pub(crate) asking: BTreeSet<ClientId>,
    /// Clients with replies to be sent.
    pub(crate) unsent: BTreeSet<ClientId>,
    /// Links that may hold more than a turn's bound.
    pub(crate) unread: BTreeSet<WorkerId>,
    pub(crate) buffer: Vec<u8>,
    pub(crate) frame: Vec<u8>,
    pub(crate) scratch: Vec<u8>,
    /// The machine has said `Exit`.
    pub(crate) ended: bool,
    /// Notes already told.
    pub(crate) told: BTreeSet<String>,
    /// Counts processes that the system killed for want of memory, where it does.
    pub(crate) oom_kills: OomKills,
    /// It lives for one command, and ends with its one client.
    pub(crate) private: bool,
    /// Its client makes one request, and is hung up on after that.
    pub(crate) one_request: bool,
    /// Whoever started this process and wants to hear how it is.
    pub(crate) service: Service,
    /// Signs of life from workers so far: words and deaths.
    pub(crate) heard: u64,
    /// What it is called.
    pub(crate) identity: Identity,
    /// Only a daemon takes new settings.
    pub(crate) reloader: Option<Reloader>,
    pub(crate) scrapers: Scrapers,
    /// Long answers on their way, in a daemon.
    pub(crate) aside: Option<Aside>,
    /// What survives the daemon, where there is a state directory.
    pub(crate) books: Option<Books>,
    pub(crate) chronicle: Chronicle,
    /// How long turns take that are not sleep.
    pub(crate) turns: Histogram,
}

impl Supervisor {
    /// A supervisor that serves nobody yet. `zero` is the system's clock at `Moment(0)`.
    pub(crate) fn new(
        zero: u64,
        settings: Settings,
        nursery: Nursery,
        files: FileSets,
        saved: Option<Saved>,
    ) -> io::Result<Self> {
        let signals = SignalStream::new(&SIGNALS)?;
        let poll = Poll::new()?;
        poll.watch(&signals, Token::Signals.key(), Interest::READ)?;
        let identity = settings.identity.clone();
        let now = Moment(clock::monotonic_ns().saturating_sub(zero));
        let mut supervisor = Self {
            clients: Clients::beside(settings.slots),
            handed_over: Vec::new(),
            machine: match saved {
                Some(saved) => Machine::restore(now, settings, saved),
                None => Machine::new(now, settings),
            },
            zero,
            poll,
            signals,
            listener: None,
            accept_paused: false,
            files,
            resting: None,
            executable: None,
            directory: PathBuf::from("/"),
            trial: None,
            successor: None,
            workers: BTreeMap::new(),
            nursery,
            forkserver_watched: false,
            strays: false,
            orphans: None,
            events: VecDeque::new(),
            asking: BTreeSet::new(),
            unsent: BTreeSet::new(),
            unread: BTreeSet::new(),
            buffer: vec![0; 16 << 10],
            frame: Vec::new(),
            scratch: Vec::new(),
            ended: false,
            told: BTreeSet::new(),
            oom_kills: OomKills::default(),
            private: false,
            one_request: false,
            service: Service::default(),
            heard: 0,
            identity,
            reloader: None,
            scrapers: Scrapers::default(),
            aside: None,
            books: None,
            chronicle: Chronicle::default(),
            turns: Histogram::default(),
        };
        supervisor.watch_forkserver()?;
        Ok(supervisor)
    }

    /// Serves clients of a socket, too.
    pub(crate) fn listen(&mut self, listener: Listener) -> io::Result<()> {
        self.poll.watch(&listener, Token::Listener.key(), Interest::READ)?;
        self.listener = Some(listener);
        Ok(())
    }

    /// A socket that will have another owner takes nobody in for one who is about to end: clients wait in it for the
    /// next one instead of being sent away by this one.
    fn rest_listener(&mut self) {
        let goes_on = self.successor.is_some() || self.listener.as_ref().is_some_and(Listener::is_lent);
        let ends = match self.machine.phase() {
            Phase::Running | Phase::Draining { until: None } => false,
            Phase::Draining { until: Some(_) } | Phase::Stopping | Phase::Stopped => true,
        };
        if goes_on
            && ends
            && let Some(listener) = self.listener.take()
        {
            if let Err(why) = self.poll.forget(&listener) {
                tracing::error!("could not stop watching the socket: {why}");
            }
            self.resting = Some(listener);
        }
    }

    /// The machine's time.
    pub(crate) fn now(&self) -> Moment {
        Moment(clock::monotonic_ns().saturating_sub(self.zero))
    }

    /// Turns until the machine says `Exit`. An error is the poll's: there is nothing left to wait on.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        let mut ready = Vec::new();
        self.settle();
        self.service.ready();
        while !self.ended {
            self.turn(&mut ready)?;
            self.rest_listener();
            self.hurry_trial();
            self.service.after_turn(clock::monotonic_ns(), &self.machine, self.heard);
        }
        self.part_from_clients();
        self.end_orphans();
        // While the lock is held: nobody else's socket can be at that path.
        self.resting = self.listener.take().or(self.resting.take());
        if self.successor.is_none()
            && let Some(listener) = self.resting.take()
            && !listener.is_lent()
            && let Err(why) = std::fs::remove_file(listener.path())
        {
            tracing::warn!("could not remove {}: {why}", listener.path().display());
        }
        self.close_metrics_door();
        let needed = self.machine.file_sets();
        self.files.keep_only(|set| needed.contains(&set));
        self.close_books();
        if let Some(forkserver) = self.nursery.forkserver.take() {
            forkserver.end()?;
        }
        Ok(())
    }

    /// Has the service manager keep the files of jobs that outlive this process, until the jobs end.
    pub(crate) fn keep_files(&mut self) {
        for (job, set) in self.machine.take_filed() {
            if let Some((name, fds)) = self.files.store(set, job) {
                self.service.store(&name, fds);
            }
        }
    }

    /// And has it forget those of jobs that have ended.
    pub(crate) fn give_files_up(&mut self) {
        let machine = &self.machine;
        for name in self.files.take_given_up(|job| machine.is_over(job)) {
            self.service.take_back(&name);
        }
    }

    /// The last replies go as far as the system's buffers let them; what was asked too late is refused rather than left
    /// without an answer, as nobody could ask that again without asking for it twice. The connections stay open for as long
    /// as the process lives: whoever waits for the end of the daemon hears of it when its locks are free, and not before.
    fn part_from_clients(&mut self) {
        // Those go to the program that takes over, which still has to read from them.
        if self.successor.is_some() {
            self.handed_over = self.hand_over_lockers();
            let objects = self.hand_over_objects();
            self.handed_over.extend(objects);
        }
        let late = Failure::new(ErrorCode::Stopping, "the daemon is stopping and takes no new jobs");
        let late = Reply::Refused(late).to_message(false);
        for client in self.clients.iter_mut() {
            client.part(&mut self.buffer, &late);
        }
        self.clients.leave_open();
    }

    fn turn(&mut self, ready: &mut Vec<Ready>) -> io::Result<()> {
        let timeout = self.timeout();
        self.poll.wait(timeout, ready)?;
        let woken_ns = clock::monotonic_ns();
        let mut batch: Vec<(Token, Ready)> =
            ready.iter().filter_map(|one| Token::of(one.key).map(|token| (token, *one))).collect();
        batch.sort_by_key(|(token, _)| rank(*token));
        for (token, ready) in batch {
            self.gather(token, ready);
        }
        for worker in std::mem::take(&mut self.unread) {
            self.read_link(worker);
        }
        // After what has come: a turn that took long must not pass for the silence of others.
        self.machine.handle_timeout(self.now());
        self.cut_slow_scrapers();
        self.settle();
        self.tell_news();
        self.turns.add(clock::monotonic_ns().saturating_sub(woken_ns));
        Ok(())
    }

    /// How long the poll may sleep: not at all when something is known to wait, for ever when nothing is due.
    fn timeout(&mut self) -> Option<Duration> {
        for (id, worker) in &mut self.workers {
            if worker.child.is_some() && !worker.broken && worker.link.before_sleep().unwrap_or(true) {
                self.unread.insert(*id);
            }
        }
        if !self.unread.is_empty() {
            return Some(Duration::ZERO);
        }
        let now = clock::monotonic_ns();
        let machine = self.machine.next_deadline().map(|at| at.0.saturating_add(self.zero));
        let trial = self.trial.as_ref().map(Trial::due);
        let next = [machine, self.service.due(), self.scrapers.next_deadline_ns(), trial];
        let next = next.into_iter().flatten().min()?;
        Some(Duration::from_nanos(next.saturating_sub(now)))
    }

    /// Feeds events and performs actions until neither makes more of the other.
    pub(crate) fn settle(&mut self) {
        loop {
            while let Some(action) = self.machine.next_action() {
                self.perform(action);
            }
            if let Some(event) = self.events.pop_front() {
                self.feed(event);
            } else if let Some(client) = self.asking.pop_first() {
                self.next_request(client);
            } else {
                break;
            }
        }
        self.flush_links();
        self.flush_clients();
        // A broken link or a lost client found by the flush is an event of its own.
        if !self.events.is_empty() {
            self.settle();
        }
    }

    pub(crate) fn feed(&mut self, event: Event) {
        let now = self.now();
        self.machine.handle(now, event);
        // Before anybody is told that the job is there: it survives this process from then on.
        self.keep_files();
    }

    fn flush_links(&mut self) {
        for (id, worker) in &mut self.workers {
            if !worker.dirty || worker.broken {
                continue;
            }
            match worker.link.flush() {
                Ok(done) => worker.dirty = !done,
                Err(why) => {
                    worker.broken = true;
                    self.events.push_back(Event::LinkBroken { worker: *id, why: why.to_string() });
                }
            }
        }
    }
}

/// The order in which ready sources are read: what ends things before what asks for more.
fn rank(token: Token) -> u8 {
    match token {
        Token::Signals | Token::Input => 0,
        Token::Exit(_) | Token::Forkserver | Token::Trial => 1,
        Token::Lifeline(_) | Token::Doorbell(_) | Token::Stderr(_) | Token::Store | Token::Answers => 2,
        Token::Client(_) | Token::Scraper(_) => 3,
        Token::Listener | Token::Door => 4,
    }
}

/// Frames read from one worker before the others get their turn.
pub(crate) const FRAMES: usize = limits::FRAMES_PER_TURN;
