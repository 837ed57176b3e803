//! What several checks need.

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use tally_sys::process::{Child, ExitStatus};
use tally_sys::signal::Signal;
use tally_sys::{clock, fd, process};

/// A check that waits for ever ends by a signal, and so fails.
const STUCK_AFTER_S: u32 = 60;

pub(crate) fn end_if_stuck() {
    // SAFETY: arms a timer of this process, nothing else.
    unsafe { libc::alarm(STUCK_AFTER_S) };
}

/// A plain end by `signal`.
pub(crate) fn killed_by(signal: Signal) -> ExitStatus {
    ExitStatus::Killed { signal, core: false }
}

/// Waits until the child has ended without reaping it.
pub(crate) fn wait_until_ended(child: &Child) {
    let mut poll = tally_sys::poll::Poll::new().unwrap();
    poll.watch(child, 1, tally_sys::poll::Interest::READ).unwrap();
    let mut ready = Vec::new();
    while ready.is_empty() {
        poll.wait(None, &mut ready).unwrap();
    }
}

/// Waits for one byte; `None` when everyone who could have sent one is gone.
pub(crate) fn read_byte(fd: impl AsFd) -> Option<u8> {
    let mut byte = [0];
    match fd::read_some(fd, &mut byte).unwrap() {
        Some(1) => Some(byte[0]),
        _ => None,
    }
}

pub(crate) fn send_byte(fd: impl AsFd, byte: u8) {
    assert_eq!(fd::write_some(fd, &[byte]).unwrap(), Some(1));
}

/// Waits until a signal ends this process: nobody writes, and it holds the other end itself, so
/// that no death elsewhere looks like an end.
pub(crate) fn wait_for_ever() -> u8 {
    let (never, _kept) = fd::pipe().unwrap();
    read_byte(&never).unwrap_or(0)
}

/// Everything up to the end.
pub(crate) fn read_all(fd: OwnedFd) -> String {
    let mut text = String::new();
    std::fs::File::from(fd).read_to_string(&mut text).unwrap();
    text
}

/// The numbers of the descriptors open in this process.
pub(crate) fn open_descriptors() -> Vec<i32> {
    let mut numbers: Vec<i32> = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap())
        .collect();
    // The highest is the listing itself, unless a gap below was free; it is closed by now.
    numbers.retain(|number| std::fs::read_link(format!("/proc/self/fd/{number}")).is_ok());
    numbers.sort_unstable();
    numbers
}

/// A field of `/proc/self/status`.
pub(crate) fn own_status(field: &str) -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap().trim().to_owned()
}

/// An empty directory, removed when dropped.
#[derive(Debug)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        let name = format!("tally-sys-{}-{}", process::own_pid(), clock::monotonic_ns());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}
