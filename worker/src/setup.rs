//! From a fresh process to a worker: who the supervisor is, what limits hold, how the link is opened.
//!
//! The order matters: first the tie to the supervisor's life, so that nothing below can outlive it; then the limits;
//! then the link; then the confinement, which needs all that is to be used open; last the answer that tells the
//! supervisor to drop the link's names.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use tally_protocol::frame::Assembler;
use tally_protocol::work::Setup;
use tally_protocol::{SlotId, limits};
use tally_sys::cgroup::Ward;
use tally_sys::confine::{self, Confined};
use tally_sys::process::{self, Pid};
use tally_sys::signal::{self, Signal};
use tally_sys::{crash, socket};
use tally_transport::WorkerLink;

/// A worker that can begin.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) link: Box<dyn WorkerLink>,
    /// Files of jobs come over it.
    pub(crate) lifeline: OwnedFd,
    /// The place it fills.
    pub(crate) slot: SlotId,
    /// It has a user's command answer.
    pub(crate) warden: bool,
    /// The control group it is in with all that it starts.
    pub(crate) ward: Option<Ward>,
}

/// What a fresh process is told.
#[derive(Debug)]
pub(crate) struct News {
    pub(crate) lifeline: OwnedFd,
    /// The descriptors of its link.
    pub(crate) fds: Vec<OwnedFd>,
    pub(crate) setup: Setup,
    /// Whose child it must be: the supervisor's, or the guard's.
    pub(crate) parent: Pid,
}

/// Reads the set-up packet. Errors are fragments after "could not".
pub(crate) fn hear(lifeline: OwnedFd) -> Result<News, String> {
    crash::point("before-setup");
    let mut bytes = vec![0; limits::SETUP_BYTES_MAX];
    let packet =
        socket::receive_packet(&lifeline, &mut bytes).map_err(|why| format!("read its set-up: {why}"))?;
    if packet.length == 0 {
        return Err("read its set-up: the supervisor is gone".to_owned());
    }
    let setup: Setup = Assembler::new()
        .push(&bytes[..packet.length])
        .map_err(|why| format!("read its set-up: {why}"))?
        .ok_or("read its set-up: it is cut short")?;
    let parent =
        i32::try_from(setup.supervisor).ok().and_then(Pid::from_raw).ok_or("read the supervisor's pid")?;
    Ok(News { lifeline, fds: packet.fds, setup, parent })
}

/// Does what the set-up says. Errors are fragments after "could not".
pub(crate) fn become_worker(news: News) -> Result<Worker, String> {
    let News { lifeline, fds, setup, parent } = news;
    if setup.warden {
        // It has to end what it has started before it ends itself; the lifeline tells it, too.
        process::hear_parent_death(parent).map_err(|why| why.to_string())?;
    } else {
        process::arm_parent_death(parent).map_err(|why| why.to_string())?;
    }
    ignore_the_terminal()?;
    process::set_name(if setup.warden { c"tally-warden" } else { c"tally-worker" })
        .map_err(|why| format!("take a name: {why}"))?;
    if setup.nice != 0 {
        process::set_nice(setup.nice).map_err(|why| format!("set niceness {}: {why}", setup.nice))?;
    }
    if let Some(bytes) = setup.memory_limit_bytes {
        tally_sys::limits::limit_memory(bytes)
            .map_err(|why| format!("limit memory to {bytes} bytes: {why}"))?;
    }
    #[cfg(feature = "crash-points")]
    crate::crashing::arm(setup.worker);

    // Whatever it starts is born there. Where it cannot be, its tree is all that holds it together.
    let ward = setup.group.as_deref().and_then(|path| Ward::open(Path::new(path)).ok());
    let ward = ward.filter(|ward| ward.enter().is_ok());

    crash::point("before-link");
    let link = tally_transport::open(&setup.link, fds, lifeline.as_fd())
        .map_err(|why| format!("open its link: {why}"))?;
    let opened = opened(setup.confine && !setup.warden);
    crash::point("before-opened");
    socket::send_packet(&lifeline, &opened, &[])
        .map_err(|why| format!("say that its link is open: {why}"))?;
    Ok(Worker { link, lifeline, slot: setup.slot, warden: setup.warden, ward })
}

/// What it answers to its set-up: that its link is open, what confines it from now on, and what does not and why.
fn opened(wanted: bool) -> Vec<u8> {
    let mut refused = Vec::new();
    let confined = if wanted { confine::confine(&mut refused) } else { Confined::default() };
    let mut answer = vec![b'o', confined.bits()];
    for (index, (part, why)) in refused.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        answer.extend_from_slice(format!("{comma}{part}: {why}").as_bytes());
    }
    answer.truncate(limits::OPENED_BYTES_MAX);
    answer
}

/// What a person types at a terminal is for the supervisor, which alone knows what it means.
pub(crate) fn ignore_the_terminal() -> Result<(), String> {
    process::become_group_leader().map_err(|why| format!("lead a process group: {why}"))?;
    for signal in [Signal::Int, Signal::Hup, Signal::Quit] {
        signal::ignore(signal).map_err(|why| format!("ignore {signal}: {why}"))?;
    }
    Ok(())
}
