//! A daemon that went away in the middle: wait for the next one at the same socket, and ask again.
//!
//! Only for questions that may be asked twice: a job that ends with its client is pure, and following one changes
//! nothing. It waits only where a daemon was, only for a time, and never for a private supervisor.

use std::path::PathBuf;

use tally_protocol::error::{ErrorCode, Failure, STOPPING};
use tally_protocol::job::JobState;
use tally_protocol::view::JobView;
use tally_sys::clock;
use tally_sys::signal::Signal;

use crate::client::Client;
use crate::conversation::Conversation;
use crate::terminal::Terminal;

/// How long to wait for the next daemon, unless told.
pub(crate) const WAIT_MS: u64 = 10_000;
/// How long a daemon that takes no new jobs is asked again: the next one may be about to take over its socket.
const TURNED_AWAY_MS: u64 = 1_000;
/// The first pause between two tries, which doubles ...
const PAUSE_FIRST_MS: u64 = 10;
/// ... up to this.
const PAUSE_MOST_MS: u64 = 250;

/// Time without a daemon.
#[derive(Debug)]
pub(crate) struct Absence {
    socket: Option<PathBuf>,
    wait_ms: u64,
    /// Since when, and when to give up; none while all is well.
    until_ns: Option<u64>,
    pause_ms: u64,
    told: bool,
    /// A daemon has taken the question before.
    was_heard: bool,
}

/// What an absence came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Back {
    /// There is a new connection: ask again.
    Ask,
    /// Somebody wants the command to end.
    Signal(Signal),
}

impl Absence {
    /// None yet. Waits for `wait_ms` at the most, 0 not at all.
    pub(crate) fn new(talk: &mut Conversation, wait_ms: Option<u64>) -> Self {
        Self {
            socket: talk.client().socket().map(PathBuf::from),
            wait_ms: wait_ms.unwrap_or(WAIT_MS),
            until_ns: None,
            pause_ms: PAUSE_FIRST_MS,
            told: false,
            was_heard: false,
        }
    }

    /// One that is expected, and not told.
    pub(crate) fn quiet(talk: &mut Conversation, wait_ms: Option<u64>) -> Self {
        Self { told: true, ..Self::new(talk, wait_ms.filter(|&ms| ms > 0)) }
    }

    /// A daemon answered: the next absence is another one.
    pub(crate) fn over(&mut self) {
        self.was_heard = true;
        self.until_ns = None;
        self.pause_ms = PAUSE_FIRST_MS;
        self.told = false;
    }

    /// Whether a job's end is that of its daemon.
    pub(crate) fn ended_with_daemon(&self, job: &JobView) -> bool {
        let stopped = job.error.as_ref().is_some_and(|error| error.message.ends_with(STOPPING));
        self.socket.is_some() && self.wait_ms > 0 && job.state == JobState::Cancelled && stopped
    }

    /// Waits for the next daemon if `failure` says that this one is gone.
    ///
    /// # Errors
    /// With the failure itself if it says something else; `NoDaemon` when none came in time.
    pub(crate) fn outlast(
        &mut self,
        talk: &mut Conversation,
        terminal: &mut Terminal<'_>,
        failure: Failure,
    ) -> Result<Back, Failure> {
        let Some(socket) = self.socket.clone().filter(|_| self.wait_ms > 0) else { return Err(failure) };
        let turned_away = failure.code == ErrorCode::Stopping;
        let gone = matches!(failure.code, ErrorCode::SupervisorGone | ErrorCode::NoDaemon);
        if !(turned_away || gone) {
            return Err(failure);
        }
        let wait_ms =
            if turned_away && !self.was_heard { self.wait_ms.min(TURNED_AWAY_MS) } else { self.wait_ms };
        let until = *self
            .until_ns
            .get_or_insert_with(|| clock::monotonic_ns().saturating_add(wait_ms.saturating_mul(1_000_000)));
        if gone && !self.told {
            self.told = true;
            let note = format!("tally: the daemon at {} went away; waiting for the next\n", socket.display());
            terminal.note(&note);
        }
        talk.leave();
        loop {
            let now = clock::monotonic_ns();
            if now >= until {
                return Err(if turned_away && !self.was_heard { failure } else { nobody(&socket, wait_ms) });
            }
            let rest = now.saturating_add(self.pause_ms.saturating_mul(1_000_000)).min(until);
            if let Some(signal) = talk.rest(rest)? {
                return Ok(Back::Signal(signal));
            }
            self.pause_ms = (self.pause_ms * 2).min(PAUSE_MOST_MS);
            if let Ok(client) = Client::connect(&socket) {
                talk.go_on_with(client)?;
                return Ok(Back::Ask);
            }
        }
    }
}

fn nobody(socket: &std::path::Path, wait_ms: u64) -> Failure {
    let message = format!(
        "could not finish: the daemon at {} went away and none came back within {}",
        socket.display(),
        crate::show::number::duration(wait_ms)
    );
    Failure::new(ErrorCode::NoDaemon, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::interrupts;
    use crate::fake::{self, Act};

    #[test]
    fn a_daemon_that_stops_and_is_followed_by_none_is_gone() {
        for (was_heard, code) in [(true, ErrorCode::NoDaemon), (false, ErrorCode::Stopping)] {
            let (stream, played) = fake::supervisor(vec![Act::HangUp]);
            let mut talk = Conversation::new(Client::over(stream), None, interrupts().unwrap()).unwrap();
            let socket = Some(PathBuf::from("/nonexistent/socket"));
            let mut absence = Absence { socket, was_heard, ..Absence::new(&mut talk, Some(20)) };
            let mut terminal = Terminal::to(Vec::new(), Vec::new());
            let stopping = Failure::new(ErrorCode::Stopping, "the daemon is stopping and takes no new jobs");
            assert_eq!(absence.outlast(&mut talk, &mut terminal, stopping).unwrap_err().code, code);
            played.join().unwrap();
        }
    }
}
