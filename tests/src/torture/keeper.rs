//! The daemon of a round, again and again: whoever strikes it starts the next one upon the same store and socket.

use std::sync::{Arc, Mutex};

use tally_sys::signal::Signal;

use super::faults::{self, Fault};
use super::plan::Round;
use super::shared::{Shared, held};
use super::strikes::children;
use super::talk::pause;
use crate::{Finished, Random, Running, World, proc, until};

/// Starts that may fail in a row, for want of what the round's fault withholds.
const STARTS_MAX: usize = 100;

/// The daemon that there is now.
#[derive(Debug)]
pub(super) struct Keeper<'w> {
    world: &'w World,
    round: Round,
    shared: Arc<Shared>,
    daemon: Mutex<Option<Running>>,
    random: Mutex<Random>,
}

impl<'w> Keeper<'w> {
    /// Starts the first one.
    pub(super) fn start(world: &'w World, round: &Round, shared: &Arc<Shared>) -> Self {
        let keeper = Self {
            world,
            round: round.clone(),
            shared: Arc::clone(shared),
            daemon: Mutex::new(None),
            random: Mutex::new(round.random(&[6])),
        };
        shared.storm();
        keeper.begin();
        keeper
    }

    /// The process of the one that there is.
    pub(super) fn pid(&self) -> Option<u32> {
        held(&self.daemon).as_ref().map(Running::pid)
    }

    fn begin(&self) {
        for _ in 0..STARTS_MAX {
            let socket = self.world.socket();
            let socket = socket.to_str().expect("the path is text").to_owned();
            let first = ["daemon", "--foreground", "--socket", &socket].map(str::to_owned);
            let mut command = self.world.command(first.into_iter().chain(self.round.flags()));
            if self.round.fault == Fault::Clock {
                let offset = faults::offset_ms(&mut held(&self.random));
                command.env("TALLY_TEST_WALL_OFFSET_MS", offset.to_string());
                self.shared.count("fault: clock jumps, times");
            }
            let running = Running::start(command);
            if running.try_line("listening on").is_some() {
                *held(&self.daemon) = Some(running);
                self.shared.calm();
                return;
            }
            let finished = running.finish_at_last();
            self.shared.count("daemon: a start that was refused");
            if !self.round.fault.refuses() {
                let told = faults::tail(&finished.stderr);
                self.shared
                    .wrong(format!("{}: a daemon did not start: {:?}\n{told}", self.round, finished.status));
            }
            pause(20);
        }
        self.shared.wrong(format!("{}: no daemon could be started any more", self.round));
    }

    /// Ends the daemon with a signal, sees that nothing of it is left, and starts the next one.
    pub(super) fn strike(&self, signal: Signal) {
        let Some(running) = held(&self.daemon).take() else { return };
        self.shared.storm();
        let family = children(running.pid());
        running.signal(signal);
        self.bury(running.finish_at_last(), &family, Some(signal));
        self.begin();
    }

    /// Starts another one where the daemon has ended by itself.
    pub(super) fn look_after(&self) {
        let gone = held(&self.daemon).take_if(|running| proc::look(running.pid()).is_none());
        let Some(running) = gone else { return };
        self.shared.storm();
        let finished = running.finish_at_last();
        if self.round.fault == Fault::LittleMemory {
            self.shared.count("daemon: ended for want of memory");
        } else {
            let told = faults::tail(&finished.stderr);
            let story = format!("{}: the daemon ended by itself: {:?}\n{told}", self.round, finished.status);
            self.shared.wrong(story);
        }
        self.bury(finished, &[], None);
        self.begin();
    }

    fn bury(&self, finished: Finished, family: &[u32], signal: Option<Signal>) {
        judge(&self.round, &finished, signal, &self.shared);
        until("the end of a daemon's family", || {
            family
                .iter()
                .all(|pid| proc::look(*pid).is_none_or(|one| !one.name.starts_with("tally")))
                .then_some(())
        });
    }

    /// The last daemon, to be ended by the caller.
    pub(super) fn take(&self) -> Option<Running> {
        self.look_after();
        held(&self.daemon).take()
    }
}

/// What a daemon's end and log must be.
pub(super) fn judge(round: &Round, finished: &Finished, signal: Option<Signal>, shared: &Shared) {
    let expected = match signal {
        Some(Signal::Kill) => Some(137),
        Some(_) => Some(0),
        None => None,
    };
    if expected.is_some_and(|code| code != finished.code()) && round.fault != Fault::LittleMemory {
        let told = faults::tail(&finished.stderr);
        shared
            .wrong(format!("{round}: a daemon that got {signal:?} ended with {:?}\n{told}", finished.status));
    }
    let is_bad =
        |line: &&str| line.contains("panicked") || (line.contains("ERROR") && !round.fault.refuses());
    if let Some(line) = finished.stderr.lines().find(is_bad) {
        shared.wrong(format!("{round}: a daemon logged: {line}\n{}", faults::tail(&finished.stderr)));
    }
}
