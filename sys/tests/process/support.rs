//! What several checks need.

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tally_sys::process::{Child, ExitStatus, Pid};
use tally_sys::signal::Signal;
use tally_sys::{clock, fd, process};

/// Kills every child of this process, and theirs, which become its own as their parents die.
pub(crate) fn end_descendants() {
    loop {
        let children = children();
        if children.is_empty() {
            return;
        }
        for pid in children {
            // One that has ended by itself meanwhile is a zombie, which can be adopted all the same.
            let mut child = Child::adopt(pid).unwrap();
            child.signal(Signal::Kill).unwrap();
            child.reap().unwrap();
        }
    }
}

/// The children of this process, ended or not.
pub(crate) fn children() -> Vec<Pid> {
    let own = format!("PPid:\t{}", process::own_pid());
    let is_child = |pid: &i32| {
        std::fs::read_to_string(format!("/proc/{pid}/status"))
            .is_ok_and(|status| status.lines().any(|line| line == own))
    };
    let entries = std::fs::read_dir("/proc").unwrap();
    let numbers = entries.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    numbers.filter(is_child).filter_map(Pid::from_raw).collect()
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

/// Runs `action` while not one descriptor can be opened.
pub(crate) fn without_descriptors<T>(action: impl FnOnce() -> T) -> T {
    let before = getrlimit(Resource::Nofile);
    let next = u64::try_from(*open_descriptors().last().unwrap()).unwrap() + 1;
    let free = (0..next).filter(|n| !Path::new(&format!("/proc/self/fd/{n}")).exists()).count();
    let fillers: Vec<_> = (0..free).map(|_| tally_sys::fd::null_device().unwrap()).collect();
    setrlimit(Resource::Nofile, Rlimit { current: Some(next), ..before }).unwrap();
    let result = action();
    setrlimit(Resource::Nofile, before).unwrap();
    drop(fillers);
    result
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
