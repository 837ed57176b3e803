//! Children that go on in this very program: a fork, and a clone whose child is the caller's
//! sibling.
//!
//! Only a process of one thread, not counting quiet ones, may do this, and the functions refuse
//! otherwise: a lock that another thread holds would stay locked in the child for ever. The child runs `body` and ends;
//! nothing, not even a panic, lets it return into its parent's code.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::unistd::ForkResult;

use super::{Child, Pid, kinship, quiet};
use crate::fd::{self, KeptFds};
use crate::signal::{self, AllBlocked};

#[cfg(target_arch = "s390x")]
compile_error!("clone takes its arguments in another order on s390x");

/// How a child ends whose body panicked, as a Rust program does.
const PANICKED: u8 = 101;

/// Starts a child that runs `body` and exits with what it returns; a panic gives status 101.
///
/// In the child every signal has its default effect, but SIGPIPE, which is ignored, and every
/// descriptor above 2 is closed but those in `keep`: `body` must touch no other. Destructors of
/// the caller's values do not run in the child, and buffered output of the caller is not written.
///
/// An error if this process has other threads that are not quiet.
pub fn fork_child(keep: &[BorrowedFd<'_>], body: impl FnOnce() -> u8) -> io::Result<Child> {
    fork_with(KeptFds::new(keep.iter().copied()), body)
}

/// Starts a child that is as this process is: it has every descriptor, and what is ignored is ignored there. What is caught
/// has its default effect. A panic gives status 101.
///
/// For a child that starts a command of the user's in the place of the caller. `body` must unregister the caller's streams
/// of signals before it makes its own: both would be written to.
///
/// An error if this process has other threads that are not quiet.
pub fn fork_twin(body: impl FnOnce() -> u8) -> io::Result<Child> {
    require_quiet()?;
    let blocked = AllBlocked::new()?;
    // SAFETY: as in `fork_with`; the child ends in `live_as_twin`.
    let pid = match unsafe { nix::unistd::fork() }? {
        ForkResult::Child => live_as_twin(blocked, body),
        ForkResult::Parent { child } => child,
    };
    drop(blocked);
    let pid = Pid::from_raw(pid.as_raw()).ok_or_else(|| io::Error::other("learn the pid of a child"))?;
    Child::adopt_or_end(pid)
}

/// As [`fork_child`], for a child that owns `handed`, closed in this process on return.
pub fn fork_child_with(handed: Vec<OwnedFd>, body: impl FnOnce(Vec<OwnedFd>) -> u8) -> io::Result<Child> {
    fork_with(KeptFds::new(handed.iter().map(AsFd::as_fd)), move || body(handed))
}

/// Starts a child of this process's *parent* that runs `body`, under the rules of [`fork_child`].
///
/// The parent, not the caller, is told of its end and reaps it ([`Child::adopt`]), and a death of
/// the caller does not touch it. The pid stays the child's until the parent has reaped it.
///
/// An error if this process has other threads that are not quiet. The first process of a container cannot do this.
pub fn clone_sibling(keep: &[BorrowedFd<'_>], body: impl FnOnce() -> u8) -> io::Result<Pid> {
    clone_with(&KeptFds::new(keep.iter().copied()), body)
}

/// As [`clone_sibling`], for a child that owns `handed`, closed in this process on return.
pub fn clone_sibling_with(handed: Vec<OwnedFd>, body: impl FnOnce(Vec<OwnedFd>) -> u8) -> io::Result<Pid> {
    clone_with(&KeptFds::new(handed.iter().map(AsFd::as_fd)), move || body(handed))
}

#[expect(clippy::needless_pass_by_value, reason = "the list is the child's from here on")]
fn fork_with(keep: KeptFds, body: impl FnOnce() -> u8) -> io::Result<Child> {
    require_quiet()?;
    let blocked = AllBlocked::new()?;
    // SAFETY: all other threads are quiet, as just checked, so the child finds every lock that it
    // may ask for free
    // and may do whatever its parent may; it ends in `live`.
    let pid = match unsafe { nix::unistd::fork() }? {
        ForkResult::Child => live(blocked, &keep, body),
        ForkResult::Parent { child } => child,
    };
    drop(blocked);
    let pid = Pid::from_raw(pid.as_raw()).ok_or_else(|| io::Error::other("learn the pid of a child"))?;
    Child::adopt_or_end(pid)
}

fn clone_with(keep: &KeptFds, body: impl FnOnce() -> u8) -> io::Result<Pid> {
    require_quiet()?;
    let blocked = AllBlocked::new()?;
    let (thread_id, set_thread_id) = match c_library_thread_id() {
        Some(address) => (address, libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID),
        None => (std::ptr::null_mut(), 0),
    };
    let flags = libc::CLONE_PARENT | libc::SIGCHLD | set_thread_id;
    // The order of the last two arguments depends on the machine; the one that is not the address
    // of the thread id is not looked at without CLONE_SETTLS, so both may be the same.
    // SAFETY: without CLONE_VM and with no new stack this is a fork: the child goes on with a copy
    // of everything. Other threads are quiet, as just checked, so every lock it may ask for is free.
    // It ends in `live`.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, thread_id, thread_id) };
    match pid {
        0 => live(blocked, keep, body),
        -1 => Err(io::Error::last_os_error()),
        pid => i32::try_from(pid)
            .ok()
            .and_then(Pid::from_raw)
            .ok_or_else(|| io::Error::other("learn the pid of a child")),
    }
}

/// Where the C library remembers the id of the calling thread, if it does so in the usual place.
///
/// Its `fork` has the system write the child's id there. A raw clone must do the same, or
/// functions like `pthread_kill` would act on the *caller* when called in the child.
fn c_library_thread_id() -> Option<*mut libc::pid_t> {
    const PR_GET_TID_ADDRESS: libc::c_int = 40;
    let mut address: *mut libc::pid_t = std::ptr::null_mut();
    // SAFETY: writes one pointer into `address`, or fails.
    let result = unsafe { libc::prctl(PR_GET_TID_ADDRESS, &raw mut address) };
    if result != 0 || address.is_null() {
        return None;
    }
    // SAFETY: the C library has told the system to write a thread id there when this thread ends.
    let remembered = unsafe { address.read() };
    // Other C libraries give the address of something else, which must not be written to.
    (remembered == rustix::thread::gettid().as_raw_pid()).then_some(address)
}

/// The life of a child, from the fork to its end.
fn live(blocked: AllBlocked, keep: &KeptFds, body: impl FnOnce() -> u8) -> ! {
    // Ends the child also when something below panics: the unwinding stops here.
    let end = End(PANICKED);
    // First the handlers, then the mask: until then a signal would run a handler of the parent.
    quiet::forget();
    signal::restore_defaults_in_child();
    drop(blocked);
    let status = match fd::close_all_except(keep) {
        Ok(()) => body(),
        Err(error) => panic!("could not close inherited descriptors: {error}"),
    };
    end.with(status)
}

/// The life of a child that goes on as its parent is.
fn live_as_twin(blocked: AllBlocked, body: impl FnOnce() -> u8) -> ! {
    let end = End(PANICKED);
    quiet::forget();
    signal::restore_caught_in_child();
    drop(blocked);
    let status = body();
    end.with(status)
}

/// Ends the process when dropped.
struct End(u8);

impl End {
    fn with(mut self, status: u8) -> ! {
        self.0 = status;
        drop(self);
        unreachable!("a process that has ended runs no code")
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // SAFETY: ends the process at once, without the exit handlers, which are the parent's.
        unsafe { libc::_exit(i32::from(self.0)) }
    }
}

fn require_quiet() -> io::Result<()> {
    if kinship::may_fork() {
        Ok(())
    } else {
        Err(io::Error::other("this process has other threads that are not quiet, or /proc is not mounted"))
    }
}
