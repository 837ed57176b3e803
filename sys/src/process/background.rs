//! A process in the background, by the book: two forks, a session of its own, no terminal, nothing of its starter's.
//!
//! The starter learns through a pipe whether it got ready, and why not; it learns of a death as well, since the pipe
//! closes with its last holder. Nobody guesses by a pid or waits for a time.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::Mode;

use super::{Child, ExitStatus, Pid, fork_child_with, own_pid, set_child_subreaper};
use crate::{fd, streams};

/// What the process says when it is ready: no text of a failure begins like this.
const READY: u8 = b'+';
/// Bytes read of a failure.
const WORDS_BYTES_MAX: usize = 64 << 10;

/// How a process in the background came up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// It said that it is ready, and goes on.
    Ready(Option<Pid>),
    /// It said why it does not.
    Refused(String),
    /// It ended without a word: how, where that could be learnt.
    Died(Option<ExitStatus>),
}

/// The new process's way to tell its starter. Dropping it without a word tells of a failure.
#[derive(Debug)]
pub struct Announcer(Option<OwnedFd>);

impl Announcer {
    /// One that nobody listens to.
    pub fn nobody() -> Self {
        Self(None)
    }

    /// Tells that all is well; only the first word counts. A starter that is gone does not matter.
    pub fn ready(&mut self) {
        if let Some(pipe) = self.0.take() {
            drop(fd::write_some(pipe, &[READY]));
        }
    }

    /// Tells why it will not be; false when something was told before, or nobody listens.
    pub fn refuse(&mut self, why: &str) -> bool {
        let Some(pipe) = self.0.take() else { return false };
        let mut rest = why.as_bytes();
        while !rest.is_empty() {
            match fd::write_some(&pipe, rest) {
                Ok(Some(count)) if count > 0 => rest = &rest[count.min(rest.len())..],
                Ok(_) | Err(_) => break,
            }
        }
        true
    }
}

/// Runs `body` in a process in the background and returns when it has told how it came up, or is gone.
///
/// It has no terminal and cannot get one, `/` as its directory, a umask of 077 and `/dev/null` for its three streams;
/// signals and descriptors are as for [`super::fork_child`]. The caller must have one thread, and adopts orphans of
/// its own from here on.
pub fn start_in_background(body: impl FnOnce(Announcer) -> u8) -> io::Result<Start> {
    let (reader, writer) = fd::pipe()?;
    // The new process loses its parent, the one in between, by design; it then becomes a child of this process, so
    // that this process can tell how it died.
    set_child_subreaper()?;
    let mut between = fork_child_with(vec![writer], |handed| match detach(handed, body) {
        Ok(()) => 0,
        Err(_) => 1,
    })?;
    // The one in between ends at once. After its end the new process is a child of this one.
    between.reap()?;
    listen(&reader)
}

/// The process in between: leader of a new session, which the second fork leaves without being able to take a terminal.
fn detach(handed: Vec<OwnedFd>, body: impl FnOnce(Announcer) -> u8) -> io::Result<()> {
    rustix::process::setsid()?;
    fork_child_with(handed, |mut handed| {
        let mut announcer = Announcer(handed.pop());
        if let Err(why) = settle(&announcer) {
            announcer.refuse(&format!("could not leave the terminal: {why}"));
            return 1;
        }
        body(announcer)
    })
    // Not dropped, which would reap it if it has ended already: how is for the one to learn who gets it next.
    .map(std::mem::forget)
}

fn settle(announcer: &Announcer) -> io::Result<()> {
    if let Some(pipe) = &announcer.0 {
        fd::write_some(pipe, format!("{}\n", own_pid()).as_bytes())?;
    }
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    rustix::process::chdir("/")?;
    streams::detach_input_and_output()?;
    streams::redirect_error(fd::null_device()?)
}

fn listen(reader: &OwnedFd) -> io::Result<Start> {
    let mut words = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match fd::read_some(reader, &mut buffer)? {
            Some(0) | None => break,
            Some(count) if words.len() < WORDS_BYTES_MAX => words.extend_from_slice(&buffer[..count]),
            Some(_) => {}
        }
    }
    let (pid, words) = match words.iter().position(|&byte| byte == b'\n') {
        Some(end) => (number(&words[..end]), &words[end + 1..]),
        None => (None, &words[..]),
    };
    if words == [READY] {
        return Ok(Start::Ready(pid));
    }
    if words.is_empty() {
        let status = pid.and_then(|pid| Child::adopt(pid).ok()?.reap().ok());
        return Ok(Start::Died(status));
    }
    Ok(Start::Refused(String::from_utf8_lossy(words).into_owned()))
}

fn number(bytes: &[u8]) -> Option<Pid> {
    std::str::from_utf8(bytes).ok()?.parse().ok().and_then(Pid::from_raw)
}
