//! The transport `shm`, the default: a sealed segment without a name, and two eventfds as bells.
//!
//! Nothing is left behind by anybody's death, and the worker cannot shrink the segment under the
//! supervisor.

use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use tally_sys::doorbell::{Doorbell, Woken, wait_readable};
use tally_sys::shm::Segment;

use crate::guard::Guard;
use crate::ring_link::{RingSupervisor, RingWorker, SEGMENT_BYTES, Sleep, WakeWorker};
use crate::{CreateError, LinkError, Offer, SupervisorLink, Transport, WorkerLink, bad_offer, take_fds};

/// What the system shows in a list of mappings.
const LABEL: &str = "tally-link";

/// Makes the link.
pub(crate) fn create() -> Result<(Box<dyn SupervisorLink>, Offer), CreateError> {
    let (segment, segment_fd) =
        Segment::create(LABEL, SEGMENT_BYTES).map_err(CreateError::io("a segment of shared memory"))?;
    let link = || {
        let (ours, theirs) = (Doorbell::new()?, Doorbell::new()?);
        let fds = vec![segment_fd, ours.share()?, theirs.share()?];
        let link = RingSupervisor::new(Rc::new(segment), ours, WorkerBell(theirs))?;
        Ok((link, Offer { text: format!("{} {SEGMENT_BYTES}", Transport::Shm).into(), fds }))
    };
    let (link, offer) = link().map_err(CreateError::io::<io::Error>("a doorbell"))?;
    Ok((Box::new(Guard::new(link)), offer))
}

/// Opens the worker's end; `text` is the size of the segment.
pub(crate) fn open(text: &str, fds: Vec<OwnedFd>, lifeline: OwnedFd) -> io::Result<Box<dyn WorkerLink>> {
    if text.parse() != Ok(SEGMENT_BYTES) {
        return Err(bad_offer(&format!("a segment of {text:?} bytes")));
    }
    let [segment, supervisor, bell] = take_fds(fds)?;
    let segment = Segment::open(segment, SEGMENT_BYTES)?;
    let bed = Bed { bell: Doorbell::from_fd(bell)?, lifeline };
    Ok(Box::new(RingWorker::new(Rc::new(segment), Doorbell::from_fd(supervisor)?, bed)?))
}

#[derive(Debug)]
struct WorkerBell(Doorbell);

impl WakeWorker for WorkerBell {
    const TRANSPORT: Transport = Transport::Shm;

    fn wake(&self) -> Result<(), LinkError> {
        Ok(self.0.ring()?)
    }

    fn peer_opened(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
struct Bed {
    bell: Doorbell,
    lifeline: OwnedFd,
}

impl Sleep for Bed {
    const TRANSPORT: Transport = Transport::Shm;

    fn sleep(&self) -> io::Result<Woken> {
        let woken = wait_readable(&self.bell, &self.lifeline)?;
        // Answered before the rings are looked at again: a bell rung after this look is not lost.
        self.bell.answer()?;
        Ok(woken)
    }

    fn bell(&self) -> Option<&Doorbell> {
        Some(&self.bell)
    }
}
