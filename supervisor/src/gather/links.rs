//! What workers say: over links, lifelines and standard error.

use std::io;

use tally_machine::Event;
use tally_protocol::{WorkerId, limits};
use tally_sys::socket;

use crate::turn::{FRAMES, Supervisor};
use crate::worker::Heard;

impl Supervisor {
    pub(crate) fn answer_doorbell(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(&id).filter(|worker| !worker.broken) else { return };
        if let Err(why) = worker.link.answer() {
            self.break_link(id, why.to_string());
            return;
        }
        self.read_link(id);
    }

    /// Reads a turn's worth of frames.
    pub(crate) fn read_link(&mut self, id: WorkerId) {
        if self.read_frames(id, FRAMES) {
            self.unread.insert(id);
        }
    }

    /// Reads all a dead worker left behind. Its end of the link is closed, so there is an end to it.
    pub(crate) fn drain_link(&mut self, id: WorkerId) {
        while self.read_frames(id, FRAMES) {}
    }

    /// True when there may be more.
    fn read_frames(&mut self, id: WorkerId, frames: usize) -> bool {
        let Some(worker) = self.workers.get_mut(&id).filter(|worker| !worker.broken) else { return false };
        let machine = &mut self.machine;
        let now = tally_machine::Moment(tally_sys::clock::monotonic_ns().saturating_sub(self.zero));
        let mut said = |said| machine.handle(now, Event::WorkerSaid { worker: id, said });
        let mut heard = 0;
        let said = |word| {
            heard += 1;
            said(word);
        };
        let received = worker.receive(&mut self.frame, frames, said);
        self.heard += heard;
        match received {
            Ok(Heard::Some) => true,
            Ok(Heard::All) => false,
            Ok(Heard::Last) => {
                self.close_link(id);
                false
            }
            Err(why) => {
                self.break_link(id, why);
                false
            }
        }
    }

    /// The worker is ending: its exit, which comes next, says how. A closed link stays ready for ever.
    fn close_link(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        worker.broken = true;
        if let Err(error) = self.poll.forget(worker.link.doorbell()) {
            tracing::error!("could not stop watching a link: {error}");
        }
    }

    fn break_link(&mut self, id: WorkerId, why: String) {
        self.close_link(id);
        let slot = self.workers.get(&id).map(|worker| worker.slot.0);
        tracing::warn!(worker = id.0, slot, "link broken: {why}");
        self.feed(Event::LinkBroken { worker: id, why });
    }

    /// One packet says that the link is open; after that, or at the end, the lifeline has nothing more to say.
    pub(crate) fn gather_lifeline(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let mut bytes = [0; limits::OPENED_BYTES_MAX];
        let length = match socket::receive_packet(&worker.lifeline, &mut bytes) {
            Ok(packet) => packet.length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(_) => 0,
        };
        let opened = length > 0;
        if let Err(error) = self.poll.forget(&worker.lifeline) {
            tracing::error!("could not stop watching a lifeline: {error}");
        }
        if opened && let Err(why) = worker.link.peer_opened() {
            self.break_link(id, format!("open its other end: {why}"));
        }
        self.note_confinement(id, bytes.get(1..length).unwrap_or(&[]));
    }

    pub(crate) fn gather_stderr(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if !worker.stderr.read(&mut self.buffer)
            && let Some(pipe) = worker.stderr.pipe.take()
            && let Err(error) = self.poll.forget(&pipe)
        {
            tracing::error!("could not stop watching a worker's standard error: {error}");
        }
    }
}
