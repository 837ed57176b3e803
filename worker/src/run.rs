//! The worker's life: hear leases, fold them in order, answer each.
//!
//! Answers are buffered. They are committed before each fold, so that `Started` is out before a kernel can kill the
//! process, and flushed before the worker sleeps, so that a stream of tiny partitions wakes nobody for each.

use std::os::fd::OwnedFd;

use tally_kernel::{Fault, FileBytes, Folded, Kernel};
use tally_protocol::JobId;
use tally_protocol::frame::{Assembler, FrameError, encode};
use tally_protocol::source::Source;
use tally_protocol::work::{Complaint, FromWorker, LeaseId, ToWorker};
use tally_sys::{clock, crash, socket};
use tally_transport::{LinkError, Received, Wait, WorkerLink};

use crate::leases::{Job, Lease, Leases, Told};
use crate::maps::Maps;
use crate::setup::Worker;
use crate::warden;

/// Between two signs of life from a long fold.
const PROGRESS_NS: u64 = 100_000_000;
/// Between two looks at the link during a fold.
const LISTEN_NS: u64 = 2_000_000;

/// Why the worker ends.
pub(crate) enum End {
    /// It was told to, or the supervisor is gone: not an error.
    Quietly,
    /// It could not go on.
    Because(String),
}

impl From<LinkError> for End {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Closed => Self::Quietly,
            other => Self::Because(format!("use its link: {other}")),
        }
    }
}

impl From<FrameError> for End {
    fn from(error: FrameError) -> Self {
        Self::Because(format!("use its link: {error}"))
    }
}

/// Serves until the end.
pub(crate) fn serve(worker: Worker) -> Result<(), String> {
    if worker.warden {
        return warden::serve(worker);
    }
    let mut worker = Running {
        link: worker.link,
        lifeline: worker.lifeline,
        leases: Leases::default(),
        assembler: Assembler::new(),
        frame: Vec::new(),
        scratch: Vec::new(),
    };
    match worker.live() {
        Err(End::Because(why)) => Err(why),
        Err(End::Quietly) | Ok(()) => Ok(()),
    }
}

struct Running {
    link: Box<dyn WorkerLink>,
    lifeline: OwnedFd,
    leases: Leases,
    assembler: Assembler,
    /// Reused for each frame that comes.
    frame: Vec<u8>,
    /// Reused for each message that goes.
    scratch: Vec<u8>,
}

impl Running {
    fn live(&mut self) -> Result<(), End> {
        crash::point("before-ready");
        self.say(&FromWorker::Ready)?;
        self.link.flush()?;
        crash::point("after-ready");
        loop {
            while let Some(lease) = self.leases.next() {
                self.fold(lease)?;
                if self.leases.is_empty() {
                    self.listen(Wait::Never, None)?;
                }
            }
            self.link.flush()?;
            crash::point("after-flush");
            self.listen(Wait::Forever, None)?;
        }
    }

    /// Takes what the supervisor said; with `Wait::Forever` sleeps until it says something. True when `running` was
    /// cancelled.
    fn listen(&mut self, mut wait: Wait, running: Option<LeaseId>) -> Result<bool, End> {
        let mut cancelled = false;
        loop {
            match self.link.receive(&mut self.frame, wait)? {
                Received::Frame => {}
                Received::Empty => return Ok(cancelled),
                Received::Closed => return Err(End::Quietly),
            }
            let Some(message) = self.assembler.push::<ToWorker>(&self.frame)? else { continue };
            match self.leases.take(message) {
                Told::Noted => {}
                Told::Dropped(lease) => self.say(&FromWorker::Cancelled { lease })?,
                Told::CancelRunning(lease) => cancelled |= running == Some(lease),
                Told::FilesCome(job, count) => self.take_files(job, count)?,
                Told::Quit => return Err(End::Quietly),
            }
            wait = Wait::Never;
        }
    }

    /// Takes the descriptors of a job's files.
    fn take_files(&mut self, job: JobId, count: usize) -> Result<(), End> {
        let files = receive_files(&self.lifeline, job, count)?;
        self.leases.take_files(job, files);
        Ok(())
    }

    fn fold(&mut self, lease: Lease) -> Result<(), End> {
        let Some(job) = self.leases.borrow(lease.id.job) else {
            return Err(End::Because(format!(
                "fold a partition of {}, of which it was not told",
                lease.id.job
            )));
        };
        #[cfg(feature = "crash-points")]
        crate::crashing::fold(&lease);
        crash::point("before-started");
        self.say(&FromWorker::Started { lease: lease.id })?;
        self.link.commit()?;
        crash::point("fold");

        let begun = clock::monotonic_ns();
        let mut pace = Pace { listened: begun, spoken: begun };
        let mut kernel = match ready(job) {
            Ok(kernel) => kernel,
            Err(fault) => return self.fail(lease.id, &fault),
        };
        let mut stop = None;
        let folded = kernel.fold(lease.position, lease.count, &mut |done| {
            stop = self.look_up(&mut pace, lease.id, done).err();
            stop.is_none()
        });
        self.leases.give_back(lease.id.job, kernel);
        let partial = match (folded, stop) {
            (_, Some(Stop::End(end))) => return Err(end),
            (Ok(Folded::Stopped), _) | (_, Some(Stop::Cancelled)) => {
                return self.say(&FromWorker::Cancelled { lease: lease.id });
            }
            (Err(fault), None) => return self.fail(lease.id, &fault),
            (Ok(Folded::Whole(partial)), None) => partial,
        };
        let busy_ns = clock::monotonic_ns().saturating_sub(begun);
        crash::point("before-partial");
        self.say(&FromWorker::Partial {
            lease: lease.id,
            elements: lease.count,
            busy_ns,
            state: partial.to_bytes(),
        })?;
        crash::point("after-partial");
        Ok(())
    }

    /// The kernel has no answer.
    fn fail(&mut self, lease: LeaseId, fault: &Fault) -> Result<(), End> {
        if let Some(column) = &fault.floats {
            return self.say(&FromWorker::NotIntegers { lease, column: column.clone() });
        }
        // It may quote an expression, which may be of several lines.
        let why = fault.message.replace('\n', " ");
        let (place, hint, site) = (fault.place.clone(), fault.hint.clone(), fault.site.as_deref().cloned());
        let complaint = Box::new(Complaint { why, place, hint, usage: fault.usage, site });
        self.say(&FromWorker::Failed { lease, complaint })
    }

    /// Between two blocks of a fold: hears cancels, shows that it lives.
    fn look_up(&mut self, pace: &mut Pace, lease: LeaseId, done: u64) -> Result<(), Stop> {
        let now = clock::monotonic_ns();
        if now.saturating_sub(pace.spoken) >= PROGRESS_NS {
            pace.spoken = now;
            self.say(&FromWorker::Progress { lease, done })?;
            self.link.flush().map_err(End::from)?;
            crash::point("mid-fold");
        }
        if now.saturating_sub(pace.listened) >= LISTEN_NS {
            pace.listened = now;
            if self.listen(Wait::Never, Some(lease))? {
                return Err(Stop::Cancelled);
            }
        }
        Ok(())
    }

    fn say(&mut self, message: &FromWorker) -> Result<(), End> {
        #[cfg(feature = "crash-points")]
        crate::crashing::say(message);
        let link = &mut self.link;
        let room = link.frame_bytes_max();
        encode(message, room, &mut self.scratch, |frame| {
            link.send(frame).map_err(End::from)?;
            crash::point("mid-message");
            Ok(())
        })
    }
}

/// Takes the descriptors of a job's files, which were sent before the job was told of, in packets. They may be too few:
/// more than this process may have open, and the job will say so.
pub(crate) fn receive_files(lifeline: &OwnedFd, job: JobId, count: usize) -> Result<Vec<OwnedFd>, End> {
    let mut files = Vec::new();
    while files.len() < count {
        let mut mark = [0; 1];
        let packet = socket::receive_packet(lifeline, &mut mark)
            .map_err(|why| End::Because(format!("take the files of {job}: {why}")))?;
        if packet.length == 0 {
            return Err(End::Quietly);
        }
        let short = packet.truncated || packet.fds.is_empty();
        files.extend(packet.fds);
        if short {
            break;
        }
    }
    Ok(files)
}

/// Makes a kernel ready, once for all partitions of a job.
fn ready(job: Job) -> Result<Box<Kernel>, Fault> {
    match job {
        Job::Ready(kernel) => Ok(kernel),
        Job::Spec(spec, fds) => {
            let files: Option<Box<dyn FileBytes>> = match &spec.source {
                Source::Files(files) => Some(Box::new(Maps::new(files, fds)?)),
                Source::Ranges(_) => None,
            };
            Kernel::prepare(*spec, files).map(Box::new)
        }
        Job::Lent => Err(Fault::new("fold a job that is being folded")),
    }
}

/// When a fold last heard and spoke.
struct Pace {
    listened: u64,
    spoken: u64,
}

/// Why a fold stops early.
enum Stop {
    Cancelled,
    End(End),
}

impl From<End> for Stop {
    fn from(end: End) -> Self {
        Self::End(end)
    }
}
