//! Descriptors that a service manager opened before it started this process: LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES,
//! as in `sd_listen_fds(3)`; and descriptors that a process keeps over an exec of itself, by the same idea.
//!
//! The numbers come from the environment and are believed once, by the process they were meant for.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::FdFlags;

use crate::{environment, process};

/// The first descriptor of a service manager's.
const FIRST: RawFd = 3;
/// Descriptors kept or taken at the most: what the text of one variable has room for.
pub const PASSED_MAX: usize = 10_000;
/// The variable in which descriptors kept over an exec are named: `PID:name=number,name=number`.
const KEPT: &str = "KEPT_FDS";

/// A descriptor that was there before this program.
#[derive(Debug)]
pub struct Passed {
    /// What its opener calls it; `unknown` where it does not say.
    pub name: String,
    /// The descriptor, closed on exec.
    pub fd: OwnedFd,
}

/// Takes what the service manager has passed, once: empty the second time, and when it was meant for another process.
/// The variables are gone after this, so that no child believes them.
pub fn take() -> io::Result<Vec<Passed>> {
    let text = |name| environment::take(name).and_then(|value| value.into_string().ok());
    let (pid, count, names) = (text("LISTEN_PID"), text("LISTEN_FDS"), text("LISTEN_FDNAMES"));
    let (Some(pid), Some(count)) = (pid, count) else { return Ok(Vec::new()) };
    if pid != process::own_pid().to_string() {
        return Ok(Vec::new());
    }
    let count: usize = count
        .parse()
        .ok()
        .filter(|&count| count <= PASSED_MAX)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, format!("LISTEN_FDS is '{count}'")))?;
    let names = names.unwrap_or_default();
    let mut names = names.split(':').map(str::to_owned);
    let passed = (FIRST..).take(count).map(|number| {
        let name = names.next().filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown".to_owned());
        (name, number)
    });
    own(passed, &LISTENED)
}

static LISTENED: AtomicBool = AtomicBool::new(false);
static KEPT_TAKEN: AtomicBool = AtomicBool::new(false);

/// Whether this program was begun by an exec of this very process, which has kept something for it.
pub fn is_successor() -> bool {
    std::env::var(KEPT).is_ok_and(|text| text.starts_with(&format!("{}:", process::own_pid())))
}

/// Takes what this process kept over an exec of itself: see [`keep`].
pub fn take_kept() -> io::Result<Vec<Passed>> {
    let Some(text) = environment::take(KEPT).and_then(|value| value.into_string().ok()) else {
        return Ok(Vec::new());
    };
    let own_pid = process::own_pid().to_string();
    let Some(list) = text.split_once(':').filter(|(pid, _)| *pid == own_pid).map(|(_, list)| list) else {
        return Ok(Vec::new());
    };
    let pairs: Option<Vec<(String, RawFd)>> = list
        .split(',')
        .take(PASSED_MAX)
        .map(|pair| {
            let (name, number) = pair.split_once('=')?;
            Some((name.to_owned(), number.parse().ok().filter(|&number| number >= FIRST)?))
        })
        .collect();
    let pairs =
        pairs.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, format!("{KEPT} is '{text}'")))?;
    own(pairs.into_iter(), &KEPT_TAKEN)
}

/// Has these descriptors stay open over the exec that follows, and returns the variable that tells the program about
/// them. When the exec fails, call [`keep_no_more`].
pub fn keep(fds: &[(&str, &OwnedFd)]) -> io::Result<(&'static str, String)> {
    let mut list = Vec::new();
    for (name, fd) in fds {
        rustix::io::fcntl_setfd(fd, FdFlags::empty())?;
        list.push(format!("{name}={}", fd.as_raw_fd()));
    }
    Ok((KEPT, format!("{}:{}", process::own_pid(), list.join(","))))
}

/// Closes them on exec again.
pub fn keep_no_more(fds: &[(&str, &OwnedFd)]) {
    for (_, fd) in fds {
        // What was just set can be set back.
        rustix::io::fcntl_setfd(fd, FdFlags::CLOEXEC).ok();
    }
}

fn own(numbers: impl Iterator<Item = (String, RawFd)>, taken: &AtomicBool) -> io::Result<Vec<Passed>> {
    if taken.swap(true, Ordering::Relaxed) {
        return Ok(Vec::new());
    }
    let mut seen = BTreeSet::new();
    let mut passed = Vec::new();
    for (name, number) in numbers {
        if !seen.insert(number) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("descriptor {number} is passed twice"),
            ));
        }
        passed.push(Passed { name, fd: owned(number)? });
    }
    Ok(passed)
}

/// Takes charge of an open descriptor that the environment has named.
fn owned(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: only asks for the flags of a number, open or not.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    if flags < 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("descriptor {number} is not open")));
    }
    // SAFETY: it is open, as just seen; it was opened before this program ran, nothing of this program owns it, and
    // `own` takes each once.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    rustix::io::fcntl_setfd(&fd, FdFlags::CLOEXEC)?;
    Ok(fd)
}
