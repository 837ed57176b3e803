//! Real processes of a test: started, signalled, waited for, never left behind.

use std::io::{BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tally_sys::poll::{Interest, Poll};
use tally_sys::process::{self, ExitStatus, Other, Pid};
use tally_sys::signal::Signal;

use crate::{Client, PATIENCE_NS};

/// A started process whose outputs are being collected.
#[derive(Debug)]
pub struct Running {
    child: Option<Child>,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
    lines: Receiver<String>,
}

/// A process that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// How.
    pub status: ExitStatus,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
}

impl Finished {
    /// The exit code; a shell's 128+n when a signal ended it.
    #[must_use]
    pub fn code(&self) -> i32 {
        match self.status {
            ExitStatus::Exited(code) => code,
            ExitStatus::Killed { signal, .. } => 128 + signal.raw(),
        }
    }

    /// The JSON that it printed.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|why| panic!("{why}: {self:?}"))
    }

    /// Checks that it succeeded with exactly this on standard output, and nothing on standard error.
    #[track_caller]
    pub fn answered(&self, stdout: &str) {
        assert_eq!((self.code(), self.stdout.as_str(), self.stderr.as_str()), (0, stdout, ""));
    }

    /// Checks that it failed with this code, printed no answer, and began its errors with this line.
    #[track_caller]
    pub fn failed(&self, code: i32, first_line: &str) {
        let line = self.stderr.lines().next().unwrap_or("");
        assert_eq!((self.code(), self.stdout.as_str(), line), (code, "", first_line), "{}", self.stderr);
    }
}

fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).expect("a pipe can be read");
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

impl Running {
    /// Starts it.
    #[must_use]
    pub fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own: where tests run without a terminal their group is an orphaned one, and the system hangs up
        // on all of such a group, cargo too, as soon as somebody in it is stopped and somebody else ends.
        command.process_group(0);
        let mut child = command.spawn().expect("the binary can be started");
        let stdout = child.stdout.take().map(collect);
        let (tell, lines) = channel();
        let stderr = child.stderr.take().map(|pipe| {
            std::thread::spawn(move || {
                let mut all = String::new();
                for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                    let line = String::from_utf8_lossy(&line).into_owned();
                    all.push_str(&line);
                    all.push('\n');
                    // Nobody may be listening any more.
                    tell.send(line).ok();
                }
                all
            })
        });
        Self { child: Some(child), stdout, stderr, lines }
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it has not been waited for").id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// Waits for a line of standard error that holds this text.
    pub fn await_line(&self, text: &str) -> String {
        loop {
            match self.lines.recv_timeout(Duration::from_nanos(PATIENCE_NS)) {
                Ok(line) if line.contains(text) => return line,
                Ok(_) => {}
                Err(why) => panic!("waited in vain for a line with '{text}': {why}"),
            }
        }
    }

    /// The next line of standard error that holds this text; nothing where the process ends without one.
    #[must_use]
    pub fn try_line(&self, text: &str) -> Option<String> {
        let patience = Duration::from_nanos(PATIENCE_NS);
        std::iter::from_fn(|| self.lines.recv_timeout(patience).ok()).find(|line| line.contains(text))
    }

    /// Waits for its end.
    #[must_use]
    pub fn finish(self) -> Finished {
        self.end(PATIENCE_NS)
    }

    /// Waits for its end for so many times as long as usual: for one that others are in the way of on purpose.
    #[must_use]
    pub fn finish_in(self, patiences: u64) -> Finished {
        self.end(patiences * PATIENCE_NS)
    }

    /// Waits for its end, however long that takes.
    #[must_use]
    pub fn finish_at_last(self) -> Finished {
        self.end(u64::MAX)
    }

    fn end(mut self, patience_ns: u64) -> Finished {
        let status = await_exit(self.pid(), patience_ns);
        // Reaped by its pidfd: the standard library's handle is of no further use.
        drop(self.child.take());
        let text = |handle: Option<JoinHandle<String>>| {
            handle.map_or_else(String::new, |handle| handle.join().expect("a reader does not panic"))
        };
        Finished { status, stdout: text(self.stdout.take()), stderr: text(self.stderr.take()) }
    }
}

/// A test that fails half-way leaves no process: what it started is killed, and dies with all its workers.
impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// Sends a signal to any process.
pub fn send(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a pid");
    process::send(pid, signal).unwrap_or_else(|why| panic!("send {signal} to {pid}: {why}"));
}

/// Lets a stopped process go on; one that has ended meanwhile needs no such thing.
pub fn go_on(pid: u32) {
    send_if_there(pid, Signal::Cont);
}

/// Sends a signal to a process that others may be ending, too.
pub fn send_if_there(pid: u32, signal: Signal) {
    let known = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a pid");
    if let Err(why) = process::send(known, signal) {
        assert!(crate::proc::look(pid).is_none(), "send {signal} to {pid}: {why}");
    }
}

/// Waits until a child of this process has ended, and reaps it; panics when patience ends.
fn await_exit(pid: u32, patience_ns: u64) -> ExitStatus {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a pid");
    let mut child = process::Child::adopt(pid).expect("a child can be watched");
    await_readable(&child, patience_ns, pid);
    child.try_reap().expect("a child can be reaped").expect("it has ended")
}

/// Waits for a pidfd; panics when patience ends.
fn await_readable(pidfd: impl AsFd, patience_ns: u64, pid: Pid) {
    let mut poll = Poll::new().expect("a poll can be made");
    poll.watch(pidfd, 0, Interest::READ).expect("a pidfd can be watched");
    let mut ready = Vec::new();
    let until = tally_sys::clock::monotonic_ns().saturating_add(patience_ns);
    // A wait may end early, without a reason.
    while ready.is_empty() {
        let left = until.saturating_sub(tally_sys::clock::monotonic_ns());
        assert!(left > 0, "process {pid} did not end in time");
        poll.wait(Some(Duration::from_nanos(left)), &mut ready).expect("a poll can wait");
    }
}

/// Processes that need not be children of the test, held so that it can wait for their end.
#[derive(Debug)]
#[must_use = "whoever holds them waits for their end"]
pub struct Held(Vec<(Pid, Other)>);

impl Held {
    /// Those with these ids that have not ended yet.
    pub fn of(pids: impl IntoIterator<Item = u32>) -> Self {
        Self(pids.into_iter().filter_map(hold).collect())
    }

    /// Waits until the last of them has ended; panics when patience ends.
    pub fn await_end(self) {
        for (pid, process) in self.0 {
            await_readable(&process, PATIENCE_NS, pid);
        }
    }
}

fn hold(pid: u32) -> Option<(Pid, Other)> {
    let known = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a pid");
    match Other::hold(known) {
        Ok(process) => Some((known, process)),
        Err(why) => {
            assert!(crate::proc::look(pid).is_none(), "hold {pid}: {why}");
            None
        }
    }
}

/// A daemon of the test.
#[derive(Debug)]
pub struct Daemon {
    running: Running,
    socket: PathBuf,
}

impl Daemon {
    /// Waits until a started daemon listens.
    #[must_use]
    pub fn over(running: Running, socket: PathBuf) -> Self {
        running.await_line("listening on");
        Self { running, socket }
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// A new connection to it.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::connect(&self.socket)
    }

    /// Where it listens.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.running.signal(signal);
    }

    /// Waits for a line of its log.
    pub fn await_line(&self, text: &str) -> String {
        self.running.await_line(text)
    }

    /// Waits for its end, and checks that it logged no error.
    #[must_use]
    pub fn finish(self) -> Finished {
        let finished = self.running.finish();
        assert!(!finished.stderr.contains("ERROR"), "the log has errors:\n{}", finished.stderr);
        finished
    }

    /// Stops it politely and checks that it ends well.
    pub fn stop(self) {
        self.signal(Signal::Term);
        let finished = self.finish();
        assert_eq!(finished.code(), 0, "{}", finished.stderr);
    }
}
