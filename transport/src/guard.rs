//! What every supervisor's end must do, once for all of them: refuse frames that are too long, stay
//! dead after a violation, and never sleep on frames that could be handed over.

use std::io;
use std::os::fd::BorrowedFd;

use crate::{LinkError, SupervisorLink, Transport};

/// A link that is guarded.
#[derive(Debug)]
pub(crate) struct Guard<L> {
    link: L,
    violation: Option<String>,
    /// Frames were sent that no flush has handed over yet.
    unflushed: bool,
}

impl<L: SupervisorLink> Guard<L> {
    pub(crate) fn new(link: L) -> Self {
        Self { link, violation: None, unflushed: false }
    }

    fn guarded<T>(&mut self, operation: impl FnOnce(&mut L) -> Result<T, LinkError>) -> Result<T, LinkError> {
        if let Some(violation) = &self.violation {
            return Err(LinkError::Violation(violation.clone()));
        }
        operation(&mut self.link).inspect_err(|error| {
            if let LinkError::Violation(violation) = error {
                self.violation = Some(violation.clone());
            }
        })
    }
}

impl<L: SupervisorLink> SupervisorLink for Guard<L> {
    fn transport(&self) -> Transport {
        self.link.transport()
    }

    fn peer_opened(&mut self) -> io::Result<()> {
        self.link.peer_opened()
    }

    fn frame_bytes_max(&self) -> usize {
        self.link.frame_bytes_max()
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        check_length(frame, self.frame_bytes_max())?;
        self.unflushed = true;
        self.guarded(|link| link.send(frame))
    }

    fn flush(&mut self) -> Result<bool, LinkError> {
        let done = self.guarded(L::flush)?;
        self.unflushed = !done;
        Ok(done)
    }

    fn doorbell(&self) -> BorrowedFd<'_> {
        self.link.doorbell()
    }

    fn answer(&mut self) -> Result<(), LinkError> {
        self.guarded(L::answer)
    }

    fn receive(&mut self, frame: &mut Vec<u8>) -> Result<bool, LinkError> {
        frame.clear();
        self.guarded(|link| link.receive(frame))
    }

    fn before_sleep(&mut self) -> Result<bool, LinkError> {
        // The worker may have made room, and said so, after the last flush.
        if self.unflushed {
            self.flush()?;
        }
        self.guarded(L::before_sleep)
    }
}

/// Refuses a frame that is too long.
pub(crate) fn check_length(frame: &[u8], bytes_max: usize) -> Result<(), LinkError> {
    if frame.len() <= bytes_max { Ok(()) } else { Err(LinkError::TooLong { bytes: frame.len(), bytes_max }) }
}
