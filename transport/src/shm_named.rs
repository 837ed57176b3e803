//! The transport `shm-named`: a segment with a name, and a semaphore in it that wakes the worker.
//!
//! The name is gone as soon as the worker has opened the segment. Two things `shm` does better:
//! a worker that waits in the semaphore sees neither the lifeline nor anything else, so only the
//! parent-death signal ends it when its supervisor is killed; and a worker that truncates the
//! segment kills the supervisor with it, since the size cannot be sealed.

use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use tally_sys::doorbell::{Doorbell, Woken, is_gone};
use tally_sys::semaphore::SharedSemaphore;
use tally_sys::shm_named::{NamedSegment, SegmentName};

use crate::guard::Guard;
use crate::ring_link::{RingSupervisor, RingWorker, SEGMENT_BYTES, Sleep, WAKE_UP, WakeWorker};
use crate::{
    CreateError, LinkError, Offer, SupervisorLink, Transport, WorkerLink, bad_offer, name, take_fds,
};

/// Makes the link.
pub(crate) fn create(tag: &str) -> Result<(Box<dyn SupervisorLink>, Offer), CreateError> {
    let (link, offer) = make(tag).map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull => CreateError::Exhausted {
            text: "could not make a named segment of shared memory: /dev/shm is full".to_owned(),
        },
        _ => CreateError::Io { what: "a named segment of shared memory", error },
    })?;
    Ok((Box::new(Guard::new(link)), offer))
}

fn make(tag: &str) -> io::Result<(RingSupervisor<NamedSegment, WorkerSemaphore>, Offer)> {
    let (segment, name) = NamedSegment::create(&format!("/{}", name::own(tag)?), SEGMENT_BYTES)?;
    let memory = Rc::new(segment);
    let semaphore = SharedSemaphore::create(Rc::clone(&memory), WAKE_UP)?;
    let bell = Doorbell::new()?;
    let text = format!("{} {} {SEGMENT_BYTES}", Transport::ShmNamed, name.as_str());
    let offer = Offer { text: text.into(), fds: vec![bell.share()?] };
    Ok((RingSupervisor::new(memory, bell, WorkerSemaphore { semaphore, name: Some(name) })?, offer))
}

/// Opens the worker's end; `text` is the name and the size of the segment.
pub(crate) fn open(text: &str, fds: Vec<OwnedFd>, lifeline: OwnedFd) -> io::Result<Box<dyn WorkerLink>> {
    let (name, size) = text.split_once(' ').unwrap_or((text, ""));
    if size.parse() != Ok(SEGMENT_BYTES) {
        return Err(bad_offer(&format!("a segment of {size:?} bytes")));
    }
    let [supervisor] = take_fds(fds)?;
    let memory = Rc::new(NamedSegment::open(name, SEGMENT_BYTES)?);
    let bed = Bed { semaphore: SharedSemaphore::open(Rc::clone(&memory), WAKE_UP)?, lifeline };
    Ok(Box::new(RingWorker::new(memory, Doorbell::from_fd(supervisor)?, bed)?))
}

#[derive(Debug)]
struct WorkerSemaphore {
    semaphore: SharedSemaphore<NamedSegment>,
    /// Until the worker has opened the segment.
    name: Option<SegmentName>,
}

impl WakeWorker for WorkerSemaphore {
    const TRANSPORT: Transport = Transport::ShmNamed;

    fn wake(&self) -> Result<(), LinkError> {
        self.semaphore.post().map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => LinkError::Violation("its semaphore was overwritten".to_owned()),
            _ => LinkError::Io(error),
        })
    }

    fn peer_opened(&mut self) -> io::Result<()> {
        self.name = None;
        Ok(())
    }
}

#[derive(Debug)]
struct Bed {
    semaphore: SharedSemaphore<NamedSegment>,
    lifeline: OwnedFd,
}

impl Sleep for Bed {
    const TRANSPORT: Transport = Transport::ShmNamed;

    fn sleep(&self) -> io::Result<Woken> {
        // Only what ended before the wait can be seen; a supervisor that is killed during it kills
        // its worker, and one that drops the link posts.
        if is_gone(&self.lifeline)? {
            return Ok(Woken::Gone);
        }
        self.semaphore.wait()?;
        Ok(Woken::Ready)
    }

    fn bell(&self) -> Option<&Doorbell> {
        None
    }
}
