//! The two ends of a link whose carrier takes batches of bytes and keeps each whole: a pipe or a
//! message queue. Several small frames share a batch.
//!
//! The supervisor polls the end it receives from, and nothing tells it of room in the other
//! direction. The worker does: one that has taken commands sends something before it sleeps, an
//! answer or, if there is none, an empty record. So each time a worker could have made room, the
//! supervisor wakes and flushes again, and an outbox can only stay stuck while the worker is busy.

use std::fmt::Debug;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use tally_sys::doorbell::{Woken, wait_readable, wait_writable};

use crate::guard::check_length;
use crate::outbox::Batches;
use crate::records::{BadLength, EMPTY_RECORD, Inbox, RECORD_HEAD_BYTES};
use crate::steps::{Step, reached};
use crate::{LinkError, Received, SupervisorLink, Transport, Wait, WorkerLink};

/// How often one `receive` of the supervisor looks for more when there was no frame in what came:
/// a worker that sends nothing but empty records must not hold it.
const EMPTY_FILLS_MAX: usize = 4;

/// What came out of a carrier.
pub(crate) enum Incoming {
    /// So many bytes of whole batches, or of a run of them.
    Bytes(usize),
    /// Nothing is there now.
    Nothing,
    /// Nothing will come any more.
    End,
}

/// A pair of ends, one for each direction, neither of which waits.
pub(crate) trait Carrier: Debug {
    /// What the link is called.
    const TRANSPORT: Transport;
    /// A batch of this many bytes is taken whole or not at all.
    const BATCH_BYTES_MAX: usize;
    /// Receiving needs this much room, and uses no more.
    const INBOX_BYTES: usize;
    /// Each batch is received by itself, so that no record can be torn.
    const KEEPS_BATCHES: bool;

    /// Sends a batch. False: no room now.
    fn send(&self, batch: &[u8]) -> io::Result<bool>;
    /// Receives what is there.
    fn receive(&self, room: &mut [u8]) -> io::Result<Incoming>;
    /// Polls as writable when there is room.
    fn sender(&self) -> BorrowedFd<'_>;
    /// Polls as readable when something is there.
    fn receiver(&self) -> BorrowedFd<'_>;
}

/// The receiving half of an end.
#[derive(Debug)]
struct Intake {
    inbox: Inbox,
}

impl Intake {
    fn new<C: Carrier>() -> Self {
        Self { inbox: Inbox::new(C::INBOX_BYTES, frame_bytes_max::<C>()) }
    }

    fn take(&mut self, frame: &mut Vec<u8>) -> Result<bool, LinkError> {
        self.inbox.take(frame).map_err(|BadLength(length)| {
            LinkError::Violation(format!("it announces a frame of {length} bytes"))
        })
    }

    /// Receives more, after `take` found nothing.
    fn fill<C: Carrier>(&mut self, carrier: &C) -> Result<Incoming, LinkError> {
        if C::KEEPS_BATCHES && !self.inbox.is_empty() {
            return Err(LinkError::Violation("it sent a torn record".to_owned()));
        }
        let mut incoming = Incoming::Nothing;
        self.inbox.fill(|room| {
            incoming = carrier.receive(room)?;
            Ok::<_, io::Error>(match incoming {
                Incoming::Bytes(count) => Some(count),
                Incoming::Nothing | Incoming::End => None,
            })
        })?;
        Ok(incoming)
    }
}

/// The supervisor's end.
#[derive(Debug)]
pub(crate) struct PackedSupervisor<C> {
    carrier: C,
    intake: Intake,
    outbox: Batches,
}

impl<C: Carrier> PackedSupervisor<C> {
    pub(crate) fn new(carrier: C) -> Self {
        Self { carrier, intake: Intake::new::<C>(), outbox: Batches::new(C::BATCH_BYTES_MAX, 0) }
    }
}

impl<C: Carrier> SupervisorLink for PackedSupervisor<C> {
    fn transport(&self) -> Transport {
        C::TRANSPORT
    }

    fn peer_opened(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn frame_bytes_max(&self) -> usize {
        frame_bytes_max::<C>()
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        self.outbox.push(frame)
    }

    fn flush(&mut self) -> Result<bool, LinkError> {
        while let Some(batch) = self.outbox.first() {
            if !self.carrier.send(batch)? {
                return Ok(false);
            }
            self.outbox.drop_first();
        }
        Ok(true)
    }

    fn doorbell(&self) -> BorrowedFd<'_> {
        self.carrier.receiver()
    }

    fn answer(&mut self) -> Result<(), LinkError> {
        // The doorbell is silent when everything has been received.
        Ok(())
    }

    fn receive(&mut self, frame: &mut Vec<u8>) -> Result<bool, LinkError> {
        for _ in 0..EMPTY_FILLS_MAX {
            if self.intake.take(frame)? {
                return Ok(true);
            }
            match self.intake.fill(&self.carrier)? {
                Incoming::Bytes(_) => {}
                Incoming::Nothing => return Ok(false),
                // A record that was torn by the worker's death is dropped.
                Incoming::End => return Err(LinkError::Closed),
            }
        }
        self.intake.take(frame)
    }

    fn before_sleep(&mut self) -> Result<bool, LinkError> {
        Ok(self.intake.inbox.has_record())
    }
}

/// The worker's end.
#[derive(Debug)]
pub(crate) struct PackedWorker<C> {
    carrier: C,
    lifeline: OwnedFd,
    intake: Intake,
    unsent: Batches,
    /// Commands were taken, and nothing was sent since.
    owes_sign: bool,
}

impl<C: Carrier> PackedWorker<C> {
    pub(crate) fn new(carrier: C, lifeline: OwnedFd) -> Self {
        let unsent = Batches::new(C::BATCH_BYTES_MAX, 0);
        Self { carrier, lifeline, intake: Intake::new::<C>(), unsent, owes_sign: false }
    }

    /// Sends an empty record if there was nothing else to send.
    fn give_sign(&mut self) -> Result<(), LinkError> {
        if self.owes_sign {
            // Without room for it the supervisor has something to wake for already.
            self.carrier.send(&EMPTY_RECORD)?;
            self.owes_sign = false;
        }
        Ok(())
    }

    fn send_batch(&mut self) -> Result<bool, LinkError> {
        let Some(batch) = self.unsent.first() else { return Ok(false) };
        reached(Step::BeforeCommit);
        while !self.carrier.send(batch)? {
            match wait_writable(self.carrier.sender(), self.lifeline.as_fd())? {
                Woken::Ready => {}
                Woken::Gone => return Err(LinkError::Closed),
            }
        }
        reached(Step::BeforeBell);
        self.unsent.drop_first();
        self.owes_sign = false;
        Ok(true)
    }
}

impl<C: Carrier> WorkerLink for PackedWorker<C> {
    fn transport(&self) -> Transport {
        C::TRANSPORT
    }

    fn frame_bytes_max(&self) -> usize {
        frame_bytes_max::<C>()
    }

    fn receive(&mut self, frame: &mut Vec<u8>, wait: Wait) -> Result<Received, LinkError> {
        loop {
            if self.intake.take(frame)? {
                return Ok(Received::Frame);
            }
            match self.intake.fill(&self.carrier)? {
                Incoming::Bytes(_) => {
                    self.owes_sign = true;
                    continue;
                }
                Incoming::Nothing if wait == Wait::Never => return Ok(Received::Empty),
                Incoming::Nothing => {}
                Incoming::End => return Ok(Received::Closed),
            }
            match self.flush().and_then(|()| self.give_sign()) {
                Ok(()) => {}
                Err(LinkError::Closed) => return Ok(Received::Closed),
                Err(error) => return Err(error),
            }
            match wait_readable(self.carrier.receiver(), self.lifeline.as_fd())? {
                Woken::Ready => {}
                Woken::Gone => return Ok(Received::Closed),
            }
        }
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        check_length(frame, self.frame_bytes_max())?;
        reached(Step::BeforeRecord);
        if !self.unsent.fits(frame) {
            self.flush()?;
        }
        self.unsent.push(frame)
    }

    fn flush(&mut self) -> Result<(), LinkError> {
        let mut sent = false;
        while self.send_batch()? {
            sent = true;
        }
        if sent {
            reached(Step::AfterBell);
        }
        Ok(())
    }

    fn bell(&self) -> Option<BorrowedFd<'_>> {
        Some(self.carrier.receiver())
    }

    /// It is ready for as long as there is something to read.
    fn answer_bell(&mut self) -> Result<(), LinkError> {
        Ok(())
    }

    fn before_sleep(&mut self) -> Result<bool, LinkError> {
        self.flush()?;
        self.give_sign()?;
        Ok(false)
    }
}

const fn frame_bytes_max<C: Carrier>() -> usize {
    C::BATCH_BYTES_MAX - RECORD_HEAD_BYTES
}
