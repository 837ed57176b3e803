//! The guard: the process between the supervisor and a warden.
//!
//! It does nothing but wait for the end of either. The warden's end is its own, and what the warden has left is ended
//! first; at the end of the supervisor, or on SIGTERM, all below it is ended, the warden included. So it takes the death of
//! all three in one moment to leave anything of a command behind. Where there is a control group it holds the warden and all
//! that the command starts, and not even then a process can hide in it from the next daemon.

use std::io::{self, Write as _};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use tally_protocol::spoken;
use tally_sys::cgroup::{Counted, Starved, Ward};
use tally_sys::poll::{Interest, look};
use tally_sys::process::{self, Child, ExitStatus};
use tally_sys::signal::{self, Signal, SignalStream};

use crate::setup::{News, ignore_the_terminal};

/// How long what was killed may take to be gone before it is left to the supervisor.
const END_MAX: Duration = Duration::from_secs(2);

/// Lives above a warden until it has ended, and ends as that did. `work` is the warden's life.
pub(crate) fn stand(news: News, work: fn(News) -> u8) -> u8 {
    match over(news, work) {
        Ok(status) => end_as(status),
        Err(why) => crate::tell(&why),
    }
}

fn over(news: News, work: fn(News) -> u8) -> Result<ExitStatus, String> {
    process::hear_parent_death(news.parent).map_err(|why| why.to_string())?;
    ignore_the_terminal()?;
    process::set_name(c"tally-guard").map_err(|why| format!("take a name: {why}"))?;
    process::set_child_subreaper().map_err(|why| format!("adopt the orphans of a command: {why}"))?;
    let signals = SignalStream::new(&[Signal::Term]).map_err(|why| format!("hear signals: {why}"))?;
    // Without one all is ended by a walk through the tree.
    let ward = news.setup.group.as_deref().and_then(|path| Ward::make(Path::new(path)).ok());
    let lifeline = news.lifeline.try_clone().map_err(|why| format!("watch its lifeline: {why}"))?;
    let (parent, setup) = (process::own_pid(), news.setup);
    let handed = [news.lifeline].into_iter().chain(news.fds).collect();
    let mut warden = process::fork_child_with(handed, move |mut handed| {
        let lifeline = handed.remove(0);
        work(News { lifeline, fds: handed, setup, parent })
    })
    .map_err(|why| format!("fork a warden: {why}"))?;
    let ended = watch(&lifeline, &signals, &mut warden);
    if let Some(ward) = &ward {
        if let Ok(Some(ExitStatus::Killed { signal: Signal::Kill, .. })) = ended
            && let Some(why) = want_of_memory(ward)
        {
            // The last words of its warden, which had none.
            drop(writeln!(std::io::stderr(), "{why}"));
        }
        ward.kill();
    }
    if process::has_children() {
        process::end_descendants(END_MAX);
    }
    if let Some(ward) = &ward {
        ward.end(END_MAX);
    }
    ended.map(|status| status.unwrap_or(ExitStatus::Exited(0)))
}

/// Waits for the end of the warden, and says how it ended; `None`: it is to be ended.
fn watch(
    lifeline: &impl AsFd,
    signals: &SignalStream,
    warden: &mut Child,
) -> Result<Option<ExitStatus>, String> {
    loop {
        let fds = [
            Some((lifeline.as_fd(), Interest::NONE)),
            Some((signals.as_fd(), Interest::READ)),
            Some((warden.as_fd(), Interest::READ)),
        ];
        let ready = look(&fds, None).map_err(|why| format!("wait: {why}"))?;
        // Its own end comes first: it may have heard of the same and be done.
        if let Some(status) = warden.try_reap().map_err(|why| format!("reap a warden: {why}"))? {
            return Ok(Some(status));
        }
        if ready.iter().any(|one| one.key < 2) {
            return Ok(None);
        }
    }
}

/// What a warden's death is put down to, if the system has killed somebody in its group for want of memory.
fn want_of_memory(ward: &Ward) -> Option<String> {
    match (ward.counted().starved_since(Counted::default())?, ward.memory_limit()) {
        (Starved::ByItsLimit, Some(most)) => Some(spoken::likely_out_of_memory(most)),
        _ => Some(spoken::SYSTEM_OUT_OF_MEMORY.to_owned()),
    }
}

/// Ends this process as the warden has ended.
fn end_as(status: ExitStatus) -> u8 {
    match status {
        ExitStatus::Exited(code) => u8::try_from(code).unwrap_or(1),
        ExitStatus::Killed { signal, .. } => {
            let died = end_by(signal);
            crate::tell(&format!("end by {signal} as its warden: {died:?}"))
        }
    }
}

/// Ends this process by a signal; an error is why it did not.
pub(crate) fn end_by(signal: Signal) -> io::Result<()> {
    signal::restore_default(signal).and_then(|()| process::send(process::own_pid(), signal))
}
