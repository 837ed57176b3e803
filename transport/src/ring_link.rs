//! The two ends of a link that is a segment of memory with two rings in it: commands, written by
//! the supervisor, and results, written by the worker.
//!
//! Memory says what is there; bells only wake. A bell is rung when the other side has said that it
//! sleeps, so a busy stream of frames costs no system call. Nothing in the segment can be held, so
//! a dead worker holds nothing; its segment is read to the end and thrown away, never repaired.

use std::fmt::Debug;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::sync::atomic::Ordering;

use tally_sys::doorbell::{Doorbell, Woken};
use tally_sys::process::{Pid, own_pid};
use tally_sys::ring::{CONTROL_WORDS, Consumer, Place, Producer, Words};

use crate::guard::check_length;
use crate::limits::{COMMAND_RING_BYTES, RESULT_RING_BYTES, RING_FRAME_BYTES_MAX};
use crate::outbox::Outbox;
use crate::steps::{Step, reached};
use crate::{LinkError, Received, SupervisorLink, Transport, Wait, WorkerLink};

const WORD_BYTES: usize = 8;

/// The first page: flags, cursors, and room for the wake-up of a transport.
const HEADER_WORDS: usize = 4096 / WORD_BYTES;

/// Not zero once the supervisor has dropped its end.
const CLOSED: usize = 0;

/// Where a transport may put a wake-up of its own, up to the end of the first page.
pub(crate) const WAKE_UP: usize = 256;

const COMMANDS: Place =
    Place { control: 16, data: HEADER_WORDS, data_words: COMMAND_RING_BYTES / WORD_BYTES };

const RESULTS: Place = Place {
    control: COMMANDS.control + CONTROL_WORDS,
    data: COMMANDS.data + COMMANDS.data_words,
    data_words: RESULT_RING_BYTES / WORD_BYTES,
};

/// The size of a segment.
pub(crate) const SEGMENT_BYTES: usize = (RESULTS.data + RESULTS.data_words) * WORD_BYTES;

const _: () = assert!(RESULTS.control + CONTROL_WORDS <= WAKE_UP);
const _: () = assert!(RING_FRAME_BYTES_MAX <= COMMANDS.record_bytes_max());
const _: () = assert!(RING_FRAME_BYTES_MAX <= RESULTS.record_bytes_max());

/// How a supervisor wakes its worker.
pub(crate) trait WakeWorker: Debug {
    /// What the link is called.
    const TRANSPORT: Transport;

    /// Wakes the worker, from sleep or from going to sleep. Must not wait.
    fn wake(&self) -> Result<(), LinkError>;

    /// The worker has the segment.
    fn peer_opened(&mut self) -> io::Result<()>;
}

/// How a worker sleeps.
pub(crate) trait Sleep: Debug {
    /// What the link is called.
    const TRANSPORT: Transport;

    /// Sleeps until woken, maybe in vain, or until the supervisor is gone, if that can be seen.
    fn sleep(&self) -> io::Result<Woken>;

    /// The bell that wakes it, where that is a descriptor.
    fn bell(&self) -> Option<&Doorbell>;
}

/// The supervisor's end.
#[derive(Debug)]
pub(crate) struct RingSupervisor<M: Words + Debug, W: WakeWorker> {
    memory: Rc<M>,
    commands: Producer<M>,
    results: Consumer<M>,
    bell: Doorbell,
    worker: W,
    outbox: Outbox,
    maker: Pid,
}

impl<M: Words + Debug, W: WakeWorker> RingSupervisor<M, W> {
    pub(crate) fn new(memory: Rc<M>, bell: Doorbell, worker: W) -> io::Result<Self> {
        let mut results = Consumer::new(Rc::clone(&memory), RESULTS)?;
        // The first frame rings, also when nobody has looked for one before.
        results.fall_asleep().map_err(io::Error::other)?;
        Ok(Self {
            commands: Producer::new(Rc::clone(&memory), COMMANDS)?,
            results,
            memory,
            bell,
            worker,
            outbox: Outbox::default(),
            maker: own_pid(),
        })
    }

    /// Moves waiting frames into the ring. False: some are left, and the worker will ring when it
    /// has made room.
    fn fill_ring(&mut self) -> Result<bool, LinkError> {
        while let Some(frame) = self.outbox.first() {
            if self.commands.write(frame)? {
                self.outbox.drop_first();
            } else if !self.commands.ask_for_room(frame.len())? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl<M: Words + Debug, W: WakeWorker> SupervisorLink for RingSupervisor<M, W> {
    fn transport(&self) -> Transport {
        W::TRANSPORT
    }

    fn peer_opened(&mut self) -> io::Result<()> {
        self.worker.peer_opened()
    }

    fn frame_bytes_max(&self) -> usize {
        RING_FRAME_BYTES_MAX
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        if self.outbox.is_empty() && self.commands.write(frame)? {
            return Ok(());
        }
        self.outbox.push(frame)
    }

    fn flush(&mut self) -> Result<bool, LinkError> {
        let done = self.fill_ring()?;
        self.commands.publish();
        if self.commands.must_wake_reader() {
            self.worker.wake()?;
        }
        Ok(done)
    }

    fn doorbell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    fn answer(&mut self) -> Result<(), LinkError> {
        self.bell.answer()?;
        Ok(())
    }

    fn receive(&mut self, frame: &mut Vec<u8>) -> Result<bool, LinkError> {
        if !self.results.read(frame)? {
            // The flag is raised here and not only before sleeping: a link found empty rings for
            // the next frame whatever the caller does. If one came meanwhile, it is taken.
            if self.results.fall_asleep()? || !self.results.read(frame)? {
                return Ok(false);
            }
        }
        if self.results.must_wake_writer() {
            self.worker.wake()?;
        }
        Ok(true)
    }

    fn before_sleep(&mut self) -> Result<bool, LinkError> {
        Ok(!self.results.fall_asleep()?)
    }
}

impl<M: Words + Debug, W: WakeWorker> Drop for RingSupervisor<M, W> {
    fn drop(&mut self) {
        // A forked child has a copy of this value, but neither the memory nor the right to end the
        // link.
        if self.maker == own_pid() {
            self.memory.words()[CLOSED].store(1, Ordering::Release);
            drop(self.worker.wake());
        }
    }
}

/// The worker's end.
#[derive(Debug)]
pub(crate) struct RingWorker<M: Words, S> {
    memory: Rc<M>,
    commands: Consumer<M>,
    results: Producer<M>,
    supervisor: Doorbell,
    bed: S,
}

impl<M: Words, S: Sleep> RingWorker<M, S> {
    pub(crate) fn new(memory: Rc<M>, supervisor: Doorbell, bed: S) -> io::Result<Self> {
        Ok(Self {
            commands: Consumer::new(Rc::clone(&memory), COMMANDS)?,
            results: Producer::new(Rc::clone(&memory), RESULTS)?,
            memory,
            supervisor,
            bed,
        })
    }

    fn is_closed(&self) -> bool {
        self.memory.words()[CLOSED].load(Ordering::Acquire) != 0
    }

    /// Takes a command that is there.
    fn take(&mut self, frame: &mut Vec<u8>) -> Result<bool, LinkError> {
        let taken = self.commands.read(frame)?;
        if taken && self.commands.must_wake_writer() {
            self.supervisor.ring()?;
        }
        Ok(taken)
    }

    /// Rings if the supervisor sleeps.
    fn ring(&mut self) -> Result<(), LinkError> {
        if self.results.must_wake_reader() {
            self.supervisor.ring()?;
        }
        Ok(())
    }
}

impl<M: Words + Debug, S: Sleep> WorkerLink for RingWorker<M, S> {
    fn transport(&self) -> Transport {
        S::TRANSPORT
    }

    fn frame_bytes_max(&self) -> usize {
        RING_FRAME_BYTES_MAX
    }

    fn receive(&mut self, frame: &mut Vec<u8>, wait: Wait) -> Result<Received, LinkError> {
        loop {
            if self.take(frame)? {
                return Ok(Received::Frame);
            }
            if self.is_closed() {
                // What was published before the end is taken before the end is believed.
                return Ok(if self.take(frame)? { Received::Frame } else { Received::Closed });
            }
            if wait == Wait::Never {
                return Ok(Received::Empty);
            }
            self.ring()?;
            if self.commands.fall_asleep()? && self.bed.sleep()? == Woken::Gone {
                return Ok(if self.take(frame)? { Received::Frame } else { Received::Closed });
            }
        }
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        check_length(frame, RING_FRAME_BYTES_MAX)?;
        reached(Step::BeforeRecord);
        while !self.results.write(frame)? {
            self.ring()?;
            if self.results.ask_for_room(frame.len())? {
                continue;
            }
            if self.is_closed() || self.bed.sleep()? == Woken::Gone {
                return Err(LinkError::Closed);
            }
        }
        reached(Step::BeforeCommit);
        self.results.publish();
        reached(Step::BeforeBell);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), LinkError> {
        self.ring()?;
        reached(Step::AfterBell);
        Ok(())
    }

    /// `send` has published already; the bell is for what comes after.
    fn commit(&mut self) -> Result<(), LinkError> {
        Ok(())
    }

    fn bell(&self) -> Option<BorrowedFd<'_>> {
        self.bed.bell().map(AsFd::as_fd)
    }

    fn answer_bell(&mut self) -> Result<(), LinkError> {
        if let Some(bell) = self.bed.bell() {
            bell.answer()?;
        }
        Ok(())
    }

    fn before_sleep(&mut self) -> Result<bool, LinkError> {
        self.ring()?;
        // Without a bell nobody is to be told that this end sleeps: a semaphore would be posted that nobody waits for.
        Ok(self.is_closed() || (self.bed.bell().is_some() && !self.commands.fall_asleep()?))
    }
}
