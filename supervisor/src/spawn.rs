//! Starting workers: by the forkserver, by running the executable again, by a fork of the supervisor.
//!
//! Whatever the method, the worker becomes a child of this process, finds its lifeline and its standard error, and
//! reads the same set-up packet. Nothing here waits for it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use tally_machine::action::Profile;
use tally_protocol::frame::{FrameError, encode};
use tally_protocol::job::{StartMethod, Transport};
use tally_protocol::work::Setup;
use tally_protocol::{SlotId, WorkerId, limits};
use tally_sys::process::{self, Child};
use tally_sys::reason::reason;
use tally_sys::{fd, socket};
use tally_transport::{CreateError, SupervisorLink};

use crate::forkserver::{Forkserver, begin_worker};
use crate::groups::Groups;
use crate::worker::Worker;
use crate::{WORKER_ROLE, WorkerMain};

/// What starting workers needs beyond each request.
#[derive(Debug)]
pub(crate) struct Nursery {
    pub(crate) worker_main: WorkerMain,
    /// None until it is first needed, and after it died.
    pub(crate) forkserver: Option<Forkserver>,
    /// Workers give up what they do not need.
    pub(crate) confine: bool,
    /// Control groups for commands, where there may be some.
    pub(crate) groups: Option<Groups>,
}

/// A worker on its way.
#[derive(Debug)]
pub(crate) struct Newborn {
    pub(crate) worker: Worker,
    /// None when the forkserver will tell.
    pub(crate) child: Option<Child>,
    /// The link it got instead of the one asked for, and why.
    pub(crate) fallback: Option<String>,
}

/// Why there is no worker.
#[derive(Debug)]
pub(crate) enum Unmade {
    /// The forkserver was gone when it was asked; this would have been the worker's.
    NoForkserver(Box<Worker>),
    /// A fragment after "could not".
    Because(String),
}

impl From<String> for Unmade {
    fn from(why: String) -> Self {
        Self::Because(why)
    }
}

impl Nursery {
    /// Starts one.
    pub(crate) fn start(&mut self, id: WorkerId, slot: SlotId, profile: &Profile) -> Result<Newborn, Unmade> {
        let tag = id.to_string();
        let Opened { link, offer, transport, fallback } = open_link(profile.transport, &tag)?;
        let plumb = |why: io::Error| format!("connect a worker: {}", reason(&why));
        let (ours, theirs) = socket::packet_pair().map_err(plumb)?;
        let (stderr, stderr_end) = fd::pipe().map_err(plumb)?;
        fd::set_nonblocking(&ours, true).map_err(plumb)?;
        fd::set_nonblocking(&stderr, true).map_err(plumb)?;

        let setup = Setup {
            supervisor: process::own_pid().raw().unsigned_abs(),
            worker: id,
            slot,
            nice: profile.nice,
            memory_limit_bytes: profile.memory_limit_bytes,
            warden: profile.job.is_some(),
            group: self.groups.as_ref().filter(|_| profile.job.is_some()).map(|groups| groups.of(id)),
            confine: self.confine,
            link: offer.text,
        };
        // Before the process exists: the packet waits in the socket for its first read.
        send_setup(&ours, &setup, &offer.fds)?;
        let worker = Worker::new(slot, link, transport, ours, stderr, profile);
        match self.make(id, profile.start, theirs, stderr_end)? {
            Made::Child(child) => Ok(Newborn { worker, child: Some(child), fallback }),
            Made::Asked => Ok(Newborn { worker, child: None, fallback }),
            Made::Deaf => Err(Unmade::NoForkserver(Box::new(worker))),
        }
    }

    fn make(
        &mut self,
        id: WorkerId,
        start: StartMethod,
        lifeline: OwnedFd,
        stderr: OwnedFd,
    ) -> Result<Made, String> {
        match start {
            StartMethod::Forkserver => {
                let forkserver = match self.forkserver.take() {
                    Some(forkserver) => forkserver,
                    None => Forkserver::spawn()
                        .map_err(|why| format!("start the forkserver: {}", reason(&why)))?,
                };
                let asked = forkserver.ask(id, lifeline.as_fd(), stderr.as_fd());
                self.forkserver = Some(forkserver);
                match asked {
                    Ok(()) => Ok(Made::Asked),
                    Err(why) if is_gone(&why) => Ok(Made::Deaf),
                    Err(why) => Err(format!("ask the forkserver for a worker: {}", reason(&why))),
                }
            }
            StartMethod::Spawn => process::spawn_self(&[WORKER_ROLE], lifeline, stderr, true)
                .map(Made::Child)
                .map_err(|why| format!("run the executable as a worker: {}", reason(&why))),
            StartMethod::Fork => {
                let main = self.worker_main;
                process::fork_child_with(vec![lifeline, stderr], move |handed| begin_worker(handed, main))
                    .map(Made::Child)
                    .map_err(|why| format!("fork a worker: {}", reason(&why)))
            }
        }
    }
}

/// What came of a wish for a process.
enum Made {
    Child(Child),
    /// The forkserver will tell.
    Asked,
    /// The forkserver is gone.
    Deaf,
}

fn is_gone(why: &io::Error) -> bool {
    matches!(
        why.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::NotConnected
    )
}

fn send_setup(lifeline: &OwnedFd, setup: &Setup, fds: &[OwnedFd]) -> Result<(), String> {
    let borrowed: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
    let mut result = Ok(());
    let encoded = encode(setup, limits::SETUP_BYTES_MAX, &mut Vec::new(), |packet| {
        result = socket::send_packet(lifeline, packet, &borrowed);
        Ok::<(), FrameError>(())
    });
    encoded.map_err(|why| format!("write a worker's set-up: {why}"))?;
    result.map_err(|why| format!("send a worker's set-up: {}", reason(&why)))
}

/// Makes the link asked for; when the user's quota of message queues is used up, a pipe in its place.
fn open_link(wanted: Transport, tag: &str) -> Result<Opened, String> {
    match tally_transport::create(kind(wanted), tag) {
        Ok((link, offer)) => Ok(Opened { link, offer, transport: wanted, fallback: None }),
        Err(CreateError::Exhausted { text }) => {
            let (link, offer) = tally_transport::create(tally_transport::Transport::Pipe, tag)
                .map_err(|why| format!("open a link: {why}"))?;
            let fallback = Some(format!("{text}; a pipe serves instead"));
            Ok(Opened { link, offer, transport: Transport::Pipe, fallback })
        }
        Err(why) => Err(format!("open a link: {why}")),
    }
}

/// A link, what the worker needs of it, and why it is not the one asked for, if it is not.
struct Opened {
    link: Box<dyn SupervisorLink>,
    offer: tally_transport::Offer,
    transport: Transport,
    fallback: Option<String>,
}

/// The transport crate has its own word for each, as it knows nothing of the protocol.
fn kind(transport: Transport) -> tally_transport::Transport {
    match transport {
        Transport::Shm => tally_transport::Transport::Shm,
        Transport::ShmNamed => tally_transport::Transport::ShmNamed,
        Transport::Pipe => tally_transport::Transport::Pipe,
        Transport::Mqueue => tally_transport::Transport::Mqueue,
        Transport::Channel => tally_transport::Transport::Channel,
    }
}
