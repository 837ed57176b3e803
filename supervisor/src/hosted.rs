//! How objects that are in no store come through an upgrade: as bytes in a descriptor that stays open over the exec.

use std::os::fd::OwnedFd;

use tally_machine::Event;
use tally_protocol::limits;
use tally_protocol::objects::handover::HandedObjects;
use tally_sys::blob;

use crate::turn::Supervisor;

/// The name of the descriptor.
pub(crate) const OBJECTS: &str = "objects";

impl Supervisor {
    /// What is to be kept open for the program that takes over.
    pub(crate) fn hand_over_objects(&mut self) -> Option<(String, OwnedFd)> {
        let writer = self.machine.hand_over_objects();
        let (count, left_out) = writer.counts();
        if left_out > 0 {
            let most = limits::HANDED_OBJECTS_BYTES_MAX;
            tracing::error!(
                "could not hand over {left_out} objects: all together take more than {most} bytes"
            );
        }
        if count == 0 {
            return None;
        }
        match blob::write("tally-objects", &writer.into_bytes()) {
            Ok(fd) => {
                tracing::info!("handing over {count} objects that are in no store");
                Some((OBJECTS.to_owned(), fd))
            }
            Err(why) => {
                tracing::error!("could not hand over {count} objects: {why}; they are lost");
                None
            }
        }
    }

    /// Goes on with what another program of this process had.
    pub(crate) fn take_over_objects(&mut self, objects: Option<OwnedFd>) {
        let Some(fd) = objects else { return };
        let read = blob::read(fd, limits::HANDED_OBJECTS_BYTES_MAX).map_err(|why| why.to_string());
        match read.and_then(|bytes| HandedObjects::from_bytes(&bytes)) {
            Ok(handed) => {
                for why in &handed.problems {
                    tracing::error!("could not take over a part of an object: {why}");
                }
                tracing::info!("took over {} objects that are in no store", handed.objects.len());
                self.feed(Event::TakingOverObjects(Box::new(handed)));
            }
            Err(why) => tracing::error!("could not take over the objects that are in no store: {why}"),
        }
    }
}
