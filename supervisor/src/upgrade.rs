//! Another binary takes this process over: same pid, same socket, same locks.
//!
//! | stage   | what happens                                                      | left by                              |
//! |---------|-------------------------------------------------------------------|--------------------------------------|
//! | version | the new binary is run with `--version`: is it a tally at all?     | its end, well or not; the time limit |
//! | check   | it is run with this daemon's own arguments and `--check`          | the same                             |
//! | end     | nobody is let in any more, open jobs drain as for SIGTERM         | the machine's `Exit`                 |
//! | exec    | `succession` hands over the socket, the locks and who holds named ones | there is nothing after it            |
//!
//! Until the end begins, whatever goes wrong is told and changes nothing. A SIGTERM meanwhile means what it always does.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use tally_machine::{Event, Phase};
use tally_protocol::ClientId;
use tally_protocol::control::Reply;
use tally_protocol::error::{ErrorCode, Failure};
use tally_sys::poll::Interest;
use tally_sys::process::{self, Child};
use tally_sys::reason::reason;
use tally_sys::signal::Signal;
use tally_sys::{clock, fd};

use crate::token::Token;
use crate::turn::Supervisor;

/// How long the new binary may take to say what it is.
const TRIAL_NS: u64 = 10_000_000_000;
/// Bytes looked at of what it says.
const SAID_BYTES_MAX: usize = 4 << 10;

/// A new binary on trial.
#[derive(Debug)]
pub(crate) struct Trial {
    binary: PathBuf,
    asker: Option<ClientId>,
    stage: Stage,
    child: Child,
    /// What it writes.
    output: OwnedFd,
    until_ns: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Version,
    Check,
}

impl Trial {
    /// Its process: nobody but `gather_trial` reaps it.
    pub(crate) fn pid(&self) -> process::Pid {
        self.child.pid()
    }

    /// When it has taken too long.
    pub(crate) fn due(&self) -> u64 {
        self.until_ns
    }
}

impl Supervisor {
    /// A client asks for an upgrade; it hears when the new binary has passed, or why it has not.
    pub(crate) fn upgrade_asked(&mut self, client: ClientId, binary: Option<String>) {
        let binary = self.may_upgrade(client, binary);
        if let Err(failure) = binary.and_then(|binary| self.begin_upgrade(binary, Some(client))) {
            tracing::warn!("{}; this version goes on", failure.message);
            self.reply(client, &Reply::Refused(failure).to_message(false));
        }
    }

    /// Which binary it may name: running one as the daemon's user is only for those who are that user, or root.
    fn may_upgrade(&mut self, client: ClientId, binary: Option<String>) -> Result<PathBuf, Failure> {
        let refused = |why: &str| Err(Failure::new(ErrorCode::NotPermitted, format!("not permitted: {why}")));
        let Some(uid) = self.clients.get_mut(client).map(|client| client.who.uid) else {
            return refused("the client is gone");
        };
        match binary {
            None => self.executable.clone().ok_or_else(not_a_daemon),
            Some(_) if uid != 0 && uid != process::own_uid() => {
                refused("only root and the daemon's own user can name a binary")
            }
            Some(path) if path.starts_with('/') => Ok(PathBuf::from(path)),
            Some(path) => {
                let message = format!("could not upgrade: '{path}' is not an absolute path");
                Err(Failure::new(ErrorCode::BadUsage, message))
            }
        }
    }

    fn begin_upgrade(&mut self, binary: PathBuf, asker: Option<ClientId>) -> Result<(), Failure> {
        let refused = |why: &str| Failure::new(ErrorCode::WrongState, format!("could not upgrade: {why}"));
        if self.executable.is_none() {
            return Err(not_a_daemon());
        }
        if self.trial.is_some() || self.successor.is_some() {
            return Err(refused("an upgrade is under way already"));
        }
        if self.machine.phase() != Phase::Running {
            return Err(refused("the daemon is stopping"));
        }
        tracing::info!("upgrading: trying {}", binary.display());
        self.try_binary(binary, asker, Stage::Version)
    }

    fn try_binary(&mut self, binary: PathBuf, asker: Option<ClientId>, stage: Stage) -> Result<(), Failure> {
        let arguments = match stage {
            Stage::Version => vec![OsString::from("--version")],
            Stage::Check => own_arguments().chain([OsString::from("--check")]).collect(),
        };
        let run = || {
            let (output, theirs) = fd::pipe()?;
            fd::set_nonblocking(&output, true)?;
            // Where this daemon was started: its arguments may name files by their way from there.
            let child = process::spawn_program(&binary, &arguments, &self.directory, theirs)?;
            self.poll.watch(&child, Token::Trial.key(), Interest::READ)?;
            Ok((output, child))
        };
        let (output, child) = run().map_err(|why: std::io::Error| {
            Failure::new(
                ErrorCode::System,
                format!("could not upgrade: {} cannot be run: {}", binary.display(), reason(&why)),
            )
        })?;
        let until_ns = clock::monotonic_ns().saturating_add(TRIAL_NS);
        self.trial = Some(Trial { binary, asker, stage, child, output, until_ns });
        Ok(())
    }

    /// The binary on trial takes too long.
    pub(crate) fn hurry_trial(&mut self) {
        if let Some(trial) = &mut self.trial
            && clock::monotonic_ns() >= trial.until_ns
        {
            trial.until_ns = u64::MAX;
            if let Err(why) = process::send_to_group(trial.child.pid(), Signal::Kill) {
                tracing::error!("could not end the binary on trial: {why}");
            }
        }
    }

    /// The binary on trial has ended.
    pub(crate) fn gather_trial(&mut self) {
        let Some(mut trial) = self.trial.take() else { return };
        let how = match trial.child.try_reap() {
            Ok(None) => {
                self.trial = Some(trial);
                return;
            }
            Ok(Some(how)) => how,
            Err(why) => {
                return self
                    .upgrade_failed(trial.asker, &format!("lost sight of the new binary: {}", reason(&why)));
            }
        };
        if let Err(why) = self.poll.forget(&trial.child) {
            tracing::error!("could not stop watching the binary on trial: {why}");
        }
        // What it has started ends with it. Its number is not given out again so soon.
        drop(process::send_to_group(trial.child.pid(), Signal::Kill));
        let mut said = [0; SAID_BYTES_MAX];
        let count = fd::read_some(&trial.output, &mut said).ok().flatten().unwrap_or(0);
        let said = String::from_utf8_lossy(&said[..count]);
        let name = trial.binary.display().to_string();
        let first = said.lines().next().unwrap_or("").trim();
        if how != process::ExitStatus::Exited(0) {
            let told = if first.is_empty() { String::new() } else { format!(": {first}") };
            return self.upgrade_failed(trial.asker, &format!("{name} {how}{told}"));
        }
        match trial.stage {
            Stage::Version if !first.starts_with("tally ") => {
                self.upgrade_failed(trial.asker, &format!("{name} is no tally"));
            }
            Stage::Version => {
                tracing::info!("upgrading: {name} is {first}");
                if let Err(failure) = self.try_binary(trial.binary, trial.asker, Stage::Check) {
                    self.upgrade_failed(trial.asker, &failure.message);
                }
            }
            Stage::Check => self.hand_over_to(trial.binary, trial.asker),
        }
    }

    fn upgrade_failed(&mut self, asker: Option<ClientId>, why: &str) {
        let message =
            if why.starts_with("could not ") { why.to_owned() } else { format!("could not upgrade: {why}") };
        tracing::warn!("{message}; this version goes on");
        if let Some(client) = asker {
            let failure = Failure::new(ErrorCode::System, message);
            self.reply(client, &Reply::Refused(failure).to_message(false));
        }
    }

    /// It has passed: the end begins. From here on a failure has the running version start again.
    fn hand_over_to(&mut self, binary: PathBuf, asker: Option<ClientId>) {
        tracing::info!("upgrading: {} takes over when the open jobs have ended", binary.display());
        if let Some(client) = asker {
            self.reply(client, &Reply::Done.to_message(false));
        }
        self.successor = Some(binary);
        self.service.handing_over();
        self.feed(Event::HandingOver { locks: true });
        self.feed(Event::StopRequested);
    }

    /// Somebody wants the daemon to end, not to be followed.
    pub(crate) fn no_successor(&mut self) {
        if let Some(binary) = self.successor.take() {
            tracing::info!("not upgrading to {}", binary.display());
            self.service.not_handing_over();
            self.feed(Event::HandingOver { locks: false });
        }
    }
}

/// The arguments of this process, without its name.
pub(crate) fn own_arguments() -> impl Iterator<Item = OsString> {
    std::env::args_os().skip(1)
}

/// Where this program's file is, as long as nobody has moved it: to be asked at the start.
pub(crate) fn own_executable() -> Option<PathBuf> {
    std::env::current_exe().ok().filter(|path| Path::new(path).is_absolute())
}

fn not_a_daemon() -> Failure {
    Failure::new(ErrorCode::WrongState, "could not upgrade: it is not known where this daemon's binary is")
}
