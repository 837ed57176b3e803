//! The processes of a study: started over one segment, watched by their pidfds, ended with the study.
//!
//! Nothing is left behind: a child dies with its parent, and whoever still runs when the crew is dropped is killed and
//! reaped. An interrupt ends every wait.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use tally_sys::clock;
use tally_sys::poll::{Interest, Poll, Ready};
use tally_sys::process::{self, Child, ExitStatus, Pid};
use tally_sys::shm::Segment;
use tally_sys::signal::{Signal, SignalStream};

use crate::Error;
use crate::place::BYTES;

/// The key of the signals among the pidfds.
const SIGNALS: usize = usize::MAX;

/// Listens for the signals that end a study.
#[derive(Debug)]
pub(crate) struct Watch {
    signals: SignalStream,
}

impl Watch {
    pub(crate) fn new() -> Result<Self, Error> {
        let signals = SignalStream::new(&[Signal::Int, Signal::Term]);
        Ok(Self { signals: signals.map_err(Error::system("catch signals"))? })
    }

    /// Whether somebody wants the study to end.
    pub(crate) fn check(&mut self) -> Result<(), Error> {
        match self.signals.pending().map_err(Error::system("read signals"))?.first() {
            Some(&signal) => Err(Error::Interrupted(signal)),
            None => Ok(()),
        }
    }
}

/// Processes over one segment.
#[derive(Debug)]
pub(crate) struct Crew<'w> {
    watch: &'w mut Watch,
    memory: Rc<Segment>,
    fd: OwnedFd,
    poll: Poll,
    children: Vec<(Child, Option<ExitStatus>)>,
}

impl<'w> Crew<'w> {
    /// Nobody yet, over a segment of zeros.
    pub(crate) fn new(watch: &'w mut Watch) -> Result<Self, Error> {
        watch.check()?;
        let (memory, fd) =
            Segment::create("tally-lab", BYTES).map_err(Error::system("create shared memory"))?;
        let poll = Poll::new().map_err(Error::system("watch processes"))?;
        poll.watch(&watch.signals, SIGNALS, Interest::READ).map_err(Error::system("watch signals"))?;
        Ok(Self { watch, memory: Rc::new(memory), fd, poll, children: Vec::new() })
    }

    /// What they share.
    pub(crate) fn memory(&self) -> &Rc<Segment> {
        &self.memory
    }

    /// Starts one more process.
    pub(crate) fn start(&mut self, body: impl FnOnce(&Rc<Segment>)) -> Result<(), Error> {
        self.start_with(&[], body)
    }

    /// Starts one more process that keeps these descriptors.
    pub(crate) fn start_with(
        &mut self,
        keep: &[BorrowedFd<'_>],
        body: impl FnOnce(&Rc<Segment>),
    ) -> Result<(), Error> {
        let parent = process::own_pid();
        let keep: Vec<_> = keep.iter().copied().chain([self.fd.as_fd()]).collect();
        let fd = &self.fd;
        let child = process::fork_child(&keep, || {
            if process::arm_parent_death(parent).is_err() {
                return 1;
            }
            let Ok(memory) = Segment::open(fd, BYTES) else { return 1 };
            body(&Rc::new(memory));
            0
        });
        let child = child.map_err(Error::system("start a process"))?;
        let watched = self.poll.watch(&child, self.children.len(), Interest::READ);
        self.children.push((child, None));
        watched.map_err(Error::system("watch a process"))
    }

    /// The pid of a process.
    pub(crate) fn pid(&self, at: usize) -> Option<Pid> {
        self.children.get(at).map(|(child, _)| child.pid())
    }

    /// How a process ended.
    pub(crate) fn status(&self, at: usize) -> Option<ExitStatus> {
        self.children.get(at).and_then(|(_, status)| *status)
    }

    /// Whether all have ended.
    pub(crate) fn all_ended(&self) -> bool {
        self.children.iter().all(|(_, status)| status.is_some())
    }

    /// Whether all have ended well.
    pub(crate) fn all_well(&self) -> bool {
        self.children.iter().all(|(_, status)| status.is_some_and(ExitStatus::success))
    }

    /// Sends a process a signal.
    pub(crate) fn signal(&self, at: usize, signal: Signal) {
        if let Some((child, None)) = self.children.get(at) {
            // One that has ended needs none, and a child can always be signalled.
            child.signal(signal).ok();
        }
    }

    /// Waits until all have ended, at most so long; whether they have.
    pub(crate) fn wait(&mut self, most: Duration) -> Result<bool, Error> {
        self.wait_until(most, |crew| crew.all_ended())
    }

    /// Waits until something is so, looked at after each end of a process and every few milliseconds, at most so
    /// long; whether it is.
    pub(crate) fn wait_until(
        &mut self,
        most: Duration,
        mut is_so: impl FnMut(&Self) -> bool,
    ) -> Result<bool, Error> {
        const LOOK: Duration = Duration::from_millis(2);
        let until = clock::monotonic_ns().saturating_add(u64::try_from(most.as_nanos()).unwrap_or(u64::MAX));
        let mut ready: Vec<Ready> = Vec::new();
        loop {
            if is_so(self) {
                return Ok(true);
            }
            let Some(left) = until.checked_sub(clock::monotonic_ns()) else { return Ok(false) };
            let nap = Duration::from_nanos(left).min(LOOK);
            self.poll.wait(Some(nap), &mut ready).map_err(Error::system("wait for processes"))?;
            self.watch.check()?;
            for one in ready.drain(..).filter(|one| one.key != SIGNALS) {
                if let Some((child, status)) = self.children.get_mut(one.key) {
                    *status = child.try_reap().map_err(Error::system("reap a process"))?;
                    if status.is_some() {
                        self.poll.forget(&*child).ok();
                    }
                }
            }
        }
    }

    /// Kills and reaps whoever still runs.
    pub(crate) fn end(&mut self) {
        let open = || (0..self.children.len()).filter(|&at| self.children[at].1.is_none());
        open().for_each(|at| self.signal(at, Signal::Kill));
        for (child, status) in self.children.iter_mut().filter(|(_, status)| status.is_none()) {
            *status = child.reap().ok();
        }
    }
}

impl Drop for Crew<'_> {
    fn drop(&mut self) {
        self.end();
    }
}
