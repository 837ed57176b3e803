//! One worker as the system sees it: its process, link, lifeline and standard error.

use std::os::fd::OwnedFd;

use tally_machine::action::Profile;
use tally_protocol::frame::{Assembler, encode};
use tally_protocol::job::Transport;
use tally_protocol::work::{FromWorker, ToWorker};
use tally_protocol::{JobId, SlotId, limits};
use tally_sys::confine::Confined;
use tally_sys::fd::read_some;
use tally_sys::process::Child;
use tally_transport::{LinkError, SupervisorLink};

/// One worker process and what connects it.
#[derive(Debug)]
pub(crate) struct Worker {
    /// Its process; none while the forkserver has been asked and has not answered.
    pub(crate) child: Option<Child>,
    pub(crate) link: Box<dyn SupervisorLink>,
    /// What kind of link that is.
    pub(crate) transport: Transport,
    /// Our end: one byte comes when the worker has opened its link, then nothing until the end.
    pub(crate) lifeline: OwnedFd,
    pub(crate) stderr: StderrTail,
    /// The place it fills, for the log.
    pub(crate) slot: SlotId,
    /// The job it was last given work of, until it is told to forget it: for the log.
    pub(crate) job: Option<JobId>,
    /// Its process stands above a command, and what it uses is what all below it use.
    pub(crate) guards: bool,
    /// What it was started as, for the account of its death.
    pub(crate) memory_limit_bytes: Option<u64>,
    /// What confines it; none until its link is open.
    pub(crate) confined: Option<Confined>,
    assembler: Assembler,
    /// It was told to end before its process was known.
    pub(crate) doomed: bool,
    /// Its link is not to be used any more; the machine knows.
    pub(crate) broken: bool,
    /// Frames wait to be handed over.
    pub(crate) dirty: bool,
    /// Jobs it will be told to forget with the next message.
    forgotten: Vec<JobId>,
}

/// Jobs a worker may remember in vain.
const FORGOTTEN_MAX: usize = 64;

impl Worker {
    pub(crate) fn new(
        slot: SlotId,
        link: Box<dyn SupervisorLink>,
        transport: Transport,
        lifeline: OwnedFd,
        stderr: OwnedFd,
        profile: &Profile,
    ) -> Self {
        Self {
            child: None,
            slot,
            job: None,
            link,
            transport,
            lifeline,
            stderr: StderrTail::new(stderr),
            guards: profile.job.is_some(),
            memory_limit_bytes: profile.memory_limit_bytes,
            confined: None,
            assembler: Assembler::new(),
            doomed: false,
            broken: false,
            dirty: false,
            forgotten: Vec::new(),
        }
    }

    /// Queues a message on its link. A `Forget` waits for the next message: it is not worth a wake-up of its own.
    pub(crate) fn send(&mut self, message: &ToWorker, scratch: &mut Vec<u8>) -> Result<(), String> {
        match message {
            ToWorker::Lease { lease, .. } => self.job = Some(lease.job),
            ToWorker::Forget { job } if self.job == Some(*job) => self.job = None,
            ToWorker::Job { .. } | ToWorker::Cancel { .. } | ToWorker::Forget { .. } | ToWorker::Quit => {}
        }
        if let ToWorker::Forget { job } = message
            && self.forgotten.len() < FORGOTTEN_MAX
        {
            self.forgotten.push(*job);
            return Ok(());
        }
        for job in std::mem::take(&mut self.forgotten) {
            self.queue(&ToWorker::Forget { job }, scratch)?;
        }
        self.queue(message, scratch)
    }

    fn queue(&mut self, message: &ToWorker, scratch: &mut Vec<u8>) -> Result<(), String> {
        let link = &mut self.link;
        let room = link.frame_bytes_max();
        encode(message, room, scratch, |frame| link.send(frame).map_err(Broken::from))
            .map_err(|broken| broken.0)?;
        self.dirty = true;
        Ok(())
    }

    /// Takes what the worker said, at most `frames` frames.
    pub(crate) fn receive(
        &mut self,
        frame: &mut Vec<u8>,
        frames: usize,
        mut said: impl FnMut(FromWorker),
    ) -> Result<Heard, String> {
        for _ in 0..frames {
            match self.link.receive(frame) {
                Ok(true) => {}
                Ok(false) => return Ok(Heard::All),
                Err(LinkError::Closed) => return Ok(Heard::Last),
                Err(why) => return Err(why.to_string()),
            }
            if let Some(message) = self.assembler.push(frame).map_err(|why| why.to_string())? {
                said(message);
            }
        }
        Ok(Heard::Some)
    }
}

/// How much of what a worker said has been taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// There may be more.
    Some,
    /// All there is now.
    All,
    /// All there will ever be: its end of the link is closed.
    Last,
}

/// An error text on its way through `encode`.
struct Broken(String);

impl From<LinkError> for Broken {
    fn from(error: LinkError) -> Self {
        Self(error.to_string())
    }
}

impl From<tally_protocol::frame::FrameError> for Broken {
    fn from(error: tally_protocol::frame::FrameError) -> Self {
        Self(error.to_string())
    }
}

/// The last bytes a worker wrote to its standard error.
#[derive(Debug)]
pub(crate) struct StderrTail {
    /// None once its end was read.
    pub(crate) pipe: Option<OwnedFd>,
    tail: Vec<u8>,
}

impl StderrTail {
    fn new(pipe: OwnedFd) -> Self {
        Self { pipe: Some(pipe), tail: Vec::new() }
    }

    /// Reads what there is, a bounded number of times, so that a chatty worker costs only itself. False at its end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> bool {
        let Some(pipe) = &self.pipe else { return false };
        for _ in 0..4 {
            match read_some(pipe, buffer) {
                Ok(None) => return true,
                Ok(Some(0)) | Err(_) => {
                    return false;
                }
                Ok(Some(count)) => {
                    self.tail.extend_from_slice(&buffer[..count]);
                    let surplus = self.tail.len().saturating_sub(limits::STDERR_TAIL_BYTES);
                    self.tail.drain(..surplus);
                }
            }
        }
        true
    }

    /// The tail as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.tail).trim_end().to_owned()
    }
}
