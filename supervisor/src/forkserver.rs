//! The forkserver: a small process of one thread that makes workers on request.
//!
//! It is forked before the supervisor owns anything, so no client's data is in its memory and a fork of it stays
//! cheap however big the supervisor grows. A worker it makes is cloned as its *sibling*: a child of the supervisor,
//! which reaps it and whose death the worker follows. The forkserver's own death harms no worker.
//!
//! Request: a packet with the worker's number and two descriptors, lifeline and standard error. Answer: a packet with
//! the number and the pid, or 0 and the reason as text.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use tally_protocol::WorkerId;
use tally_sys::process::{self, Child, Pid};
use tally_sys::signal::{self, Signal};
use tally_sys::{fd, privileges, socket, streams};

use crate::{FORKSERVER_ROLE, WorkerMain};

/// Bytes of a packet either way: a number, a pid, a short text.
const PACKET_BYTES_MAX: usize = 512;

/// The supervisor's handle on its forkserver.
#[derive(Debug)]
pub(crate) struct Forkserver {
    child: Child,
    socket: OwnedFd,
}

/// What the forkserver answered.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The process exists; it is ours to adopt.
    Made(WorkerId, Pid),
    /// It could not be made.
    Refused(WorkerId, String),
}

impl Forkserver {
    /// Forks it from this process, which must not own anything yet.
    ///
    /// `shed`: it gives up its capabilities, as its supervisor is about to do.
    pub(crate) fn fork(worker: WorkerMain, shed: bool) -> io::Result<Self> {
        let (ours, theirs) = socket::packet_pair()?;
        let supervisor = process::own_pid();
        let child = process::fork_child_with(vec![theirs], move |mut handed| {
            let Some(socket) = handed.pop() else { return 1 };
            serve(socket, supervisor, worker, shed)
        })?;
        Self::over(child, ours)
    }

    /// Runs the executable again as a forkserver: for a supervisor that already owns things.
    pub(crate) fn spawn() -> io::Result<Self> {
        let (ours, theirs) = socket::packet_pair()?;
        let parent = process::own_pid().to_string();
        let child = process::spawn_self(&[FORKSERVER_ROLE, &parent], theirs, fd::null_device()?, true)?;
        Self::over(child, ours)
    }

    fn over(child: Child, socket: OwnedFd) -> io::Result<Self> {
        fd::set_nonblocking(&socket, true)?;
        Ok(Self { child, socket })
    }

    /// Asks for a worker with these descriptors. Never waits.
    pub(crate) fn ask(
        &self,
        worker: WorkerId,
        lifeline: BorrowedFd<'_>,
        stderr: BorrowedFd<'_>,
    ) -> io::Result<()> {
        socket::send_packet(&self.socket, &worker.0.to_le_bytes(), &[lifeline, stderr])
    }

    /// The next answer that has come; `None` when there is none now, an error when the forkserver is gone.
    pub(crate) fn answer(&self) -> io::Result<Option<Answer>> {
        let mut bytes = [0; PACKET_BYTES_MAX];
        let packet = match socket::receive_packet(&self.socket, &mut bytes) {
            Ok(packet) => packet,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        };
        decode(&bytes[..packet.length]).map(Some).ok_or_else(|| io::Error::other("the forkserver is gone"))
    }

    /// Ends it, without waiting for its end.
    pub(crate) fn kill(&self) -> io::Result<()> {
        self.child.signal(Signal::Kill)
    }

    /// Ends it and waits for its end, which SIGKILL makes certain.
    pub(crate) fn end(mut self) -> io::Result<process::ExitStatus> {
        self.child.signal(Signal::Kill)?;
        self.child.reap()
    }

    pub(crate) fn pid(&self) -> Pid {
        self.child.pid()
    }
}

impl AsFd for Forkserver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn decode(bytes: &[u8]) -> Option<Answer> {
    let worker = WorkerId(u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?));
    let pid = i32::from_le_bytes(bytes.get(8..12)?.try_into().ok()?);
    match Pid::from_raw(pid) {
        Some(pid) => Some(Answer::Made(worker, pid)),
        None => Some(Answer::Refused(worker, String::from_utf8_lossy(bytes.get(12..)?).into_owned())),
    }
}

fn encode(worker: &[u8; 8], made: &io::Result<Pid>) -> Vec<u8> {
    let mut bytes = worker.to_vec();
    match made {
        Ok(pid) => bytes.extend_from_slice(&pid.raw().to_le_bytes()),
        Err(error) => {
            bytes.extend_from_slice(&0_i32.to_le_bytes());
            bytes.extend_from_slice(format!("fork a worker: {error}").as_bytes());
            bytes.truncate(PACKET_BYTES_MAX);
        }
    }
    bytes
}

/// Lives as a forkserver that was run anew: its socket is its standard input.
#[must_use]
pub fn run_forkserver(supervisor: &str, worker: WorkerMain) -> u8 {
    let Some(supervisor) = supervisor.parse().ok().and_then(Pid::from_raw) else { return 2 };
    let Ok(socket) = io::stdin().as_fd().try_clone_to_owned() else { return 1 };
    // Its supervisor has shed what it was to shed, and an exec gave nothing back.
    serve(socket, supervisor, worker, false)
}

/// Serves until the supervisor is gone.
fn serve(socket: OwnedFd, supervisor: Pid, worker: WorkerMain, shed: bool) -> u8 {
    // First the tie to the supervisor's life, so that nothing below can outlive it.
    let tied = process::arm_parent_death(supervisor).is_ok()
        && process::become_group_leader().is_ok()
        && process::set_name(c"tally-forkserve").is_ok()
        && streams::detach_input_and_output().is_ok()
        && (!shed || privileges::shed_capabilities().is_ok())
        && [Signal::Int, Signal::Hup, Signal::Quit].into_iter().all(|signal| signal::ignore(signal).is_ok());
    if !tied {
        return 1;
    }
    let mut bytes = [0; PACKET_BYTES_MAX];
    loop {
        let Ok(packet) = socket::receive_packet(&socket, &mut bytes) else { return 1 };
        let Some(number) = bytes[..packet.length].first_chunk::<8>().copied() else { return 0 };
        let made = process::clone_sibling_with(packet.fds, move |handed| begin_worker(handed, worker));
        if socket::send_packet(&socket, &encode(&number, &made), &[]).is_err() {
            return 1;
        }
    }
}

/// The first steps of a forked worker: its streams, then its life.
pub(crate) fn begin_worker(mut handed: Vec<OwnedFd>, worker: WorkerMain) -> u8 {
    let (Some(stderr), Some(lifeline)) = (handed.pop(), handed.pop()) else { return 1 };
    if streams::redirect_error(stderr).and_then(|()| streams::detach_input_and_output()).is_err() {
        return 1;
    }
    worker(lifeline)
}
