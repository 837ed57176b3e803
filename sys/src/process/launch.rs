//! Programs of others: started without a copy of this process, watched, and bound to its life.
//!
//! The child shares this process's memory until it becomes the program (as `vfork(2)` has it), so that a start costs the
//! same however big this process is; between the two it makes system calls and nothing else. It leads a session of its
//! own, ends with the thread that started it, has the three streams it is given and no other descriptor, and no signal
//! of it is blocked or ignored.

use std::ffi::{CStr, CString, OsStr, c_char, c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{Child, Pid};
use crate::signal::AllBlocked;

/// Bytes of stack for the few calls before the program.
const STACK_BYTES: usize = 32 << 10;
/// What runs a file that is no program of the system's own.
const SHELL: &CStr = c"/bin/sh";
/// Processors that can be named.
const CPUS_MAX: usize = libc::CPU_SETSIZE as usize;

/// What holds a program down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Constraints {
    /// Bytes of memory of its own that each process may have: not what it only reserves.
    pub memory_bytes: Option<u64>,
    /// Seconds of processor time of each process.
    pub cpu_seconds: Option<u64>,
    /// Descriptors that each process may have open.
    pub files: Option<u64>,
    /// How readily it leaves the processor to others.
    pub nice: i32,
    /// Processors it may use; all, when empty.
    pub cpus: Vec<u16>,
    /// Rights that files it makes do not get.
    pub umask: u32,
}

/// Starts programs, one after the other.
#[derive(Debug)]
pub struct Launcher {
    stack: Vec<u128>,
    limits: Vec<(libc::__rlimit_resource_t, libc::rlimit)>,
    nice: c_int,
    cpus: Option<Box<libc::cpu_set_t>>,
    umask: libc::mode_t,
}

/// All that the child looks at, and where it writes why it did not become the program.
struct Birth<'a> {
    launcher: &'a Launcher,
    parent: libc::pid_t,
    path: *const c_char,
    arguments: *const *const c_char,
    /// The same, for the shell.
    script: *const *const c_char,
    environment: *const *const c_char,
    streams: [RawFd; 3],
    error: c_int,
}

impl Launcher {
    /// One that starts programs under these constraints.
    pub fn new(constraints: &Constraints) -> Self {
        let limit =
            |most: u64, slack: u64| libc::rlimit { rlim_cur: most, rlim_max: most.saturating_add(slack) };
        let limits = [
            constraints.memory_bytes.map(|bytes| (libc::RLIMIT_DATA, limit(bytes, 0))),
            // First it is told, then it is killed.
            constraints.cpu_seconds.map(|seconds| (libc::RLIMIT_CPU, limit(seconds, 1))),
            constraints.files.map(|files| (libc::RLIMIT_NOFILE, limit(files, 0))),
        ];
        Self {
            stack: vec![0; STACK_BYTES / size_of::<u128>()],
            limits: limits.into_iter().flatten().collect(),
            nice: constraints.nice,
            cpus: cpu_set(&constraints.cpus),
            umask: libc::mode_t::from(constraints.umask & 0o777),
        }
    }

    /// Starts a program in this process's directory. `path` is its file; `arguments` begin with what it is called.
    ///
    /// # Errors
    /// What kept the child from becoming the program, or from being.
    pub fn start(
        &mut self,
        path: &CStr,
        arguments: &[CString],
        environment: &[&CStr],
        streams: [BorrowedFd<'_>; 3],
    ) -> io::Result<Child> {
        let words = pointers(arguments.iter().map(CString::as_c_str));
        let rest = arguments.iter().skip(1).map(CString::as_c_str);
        let script = pointers([SHELL, path].into_iter().chain(rest));
        let variables = pointers(environment.iter().copied());
        let mut birth = Birth {
            launcher: self,
            parent: rustix::process::getpid().as_raw_pid(),
            path: path.as_ptr(),
            arguments: words.as_ptr(),
            script: script.as_ptr(),
            environment: variables.as_ptr(),
            streams: streams.map(|fd| fd.as_raw_fd()),
            error: 0,
        };
        let blocked = AllBlocked::new()?;
        let top = self.stack.as_ptr_range().end;
        let mut pidfd: RawFd = -1;
        // SAFETY: the child runs `begin` on a stack of its own that is large enough for it, while this thread waits
        // (CLONE_VFORK) with all signals blocked; it calls nothing that allocates, locks or unwinds, and ends in a
        // program or in _exit. `birth` and all it points to live until then.
        let pid = unsafe {
            libc::clone(
                begin,
                top.cast_mut().cast(),
                libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD,
                (&raw mut birth).cast(),
                &raw mut pidfd,
            )
        };
        let failed = (pid == -1).then(io::Error::last_os_error);
        drop(blocked);
        if let Some(why) = failed {
            return Err(why);
        }
        // The child has written to it behind the compiler's back.
        // SAFETY: a plain read of a field of a live value.
        let error = unsafe { (&raw const birth.error).read_volatile() };
        // SAFETY: the system has just made this descriptor for this call, and nobody else knows of it.
        let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
        let pid = Pid::from_raw(pid).ok_or_else(|| io::Error::other("learn the pid of a child"))?;
        let mut child = Child::of_pidfd(pid, pidfd);
        if error != 0 {
            child.reap()?;
            return Err(io::Error::from_raw_os_error(error));
        }
        Ok(child)
    }
}

fn pointers<'a>(texts: impl Iterator<Item = &'a CStr>) -> Vec<*const c_char> {
    texts.map(CStr::as_ptr).chain([std::ptr::null()]).collect()
}

fn cpu_set(cpus: &[u16]) -> Option<Box<libc::cpu_set_t>> {
    if cpus.is_empty() {
        return None;
    }
    // SAFETY: a set of bits, for which all zero is a value.
    let mut set: Box<libc::cpu_set_t> = Box::new(unsafe { std::mem::zeroed() });
    for &cpu in cpus.iter().filter(|&&cpu| usize::from(cpu) < CPUS_MAX) {
        // SAFETY: the number is within the set.
        unsafe { libc::CPU_SET(usize::from(cpu), &mut set) };
    }
    Some(set)
}

/// The child, until it is the program.
extern "C" fn begin(birth: *mut c_void) -> c_int {
    // SAFETY: `start` has given a pointer to a `Birth` and does not touch it while this runs.
    let birth = unsafe { &mut *birth.cast::<Birth<'_>>() };
    // SAFETY: system calls over values that `start` made, in a process of one thread.
    unsafe {
        if let Err(error) = prepare(birth).and_then(|()| become_program(birth)) {
            (&raw mut birth.error).write_volatile(error);
        }
        libc::_exit(127)
    }
}

/// # Safety
/// Only in the child of `start`.
unsafe fn prepare(birth: &Birth<'_>) -> Result<(), c_int> {
    let launcher = birth.launcher;
    // SAFETY: system calls over values that outlive this child; nothing allocates.
    unsafe {
        // What is caught gets its default by the exec; what is ignored would stay so. And no handler of the parent may
        // run here once signals are let in.
        for signal in [libc::SIGINT, libc::SIGHUP, libc::SIGQUIT, libc::SIGPIPE, libc::SIGTERM, libc::SIGCHLD]
        {
            libc::signal(signal, libc::SIG_DFL);
        }
        check(libc::setsid())?;
        check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
        if libc::getppid() != birth.parent {
            return Err(libc::ESRCH);
        }
        for (&from, to) in birth.streams.iter().zip(0..) {
            check(libc::dup2(from, to))?;
        }
        for (resource, most) in &launcher.limits {
            let mut found = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            check(libc::getrlimit(*resource, &raw mut found))?;
            let limit = libc::rlimit {
                rlim_cur: most.rlim_cur.min(found.rlim_max),
                rlim_max: most.rlim_max.min(found.rlim_max),
            };
            check(libc::setrlimit(*resource, &raw const limit))?;
        }
        if launcher.nice > libc::getpriority(libc::PRIO_PROCESS, 0) {
            check(libc::setpriority(libc::PRIO_PROCESS, 0, launcher.nice))?;
        }
        if let Some(cpus) = &launcher.cpus {
            check(libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const **cpus))?;
            // Those that are not there, or not for this process, are left out by the system without a word.
            let mut found: libc::cpu_set_t = std::mem::zeroed();
            check(libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut found))?;
            if !libc::CPU_EQUAL(cpus, &found) {
                return Err(libc::EINVAL);
            }
        }
        libc::umask(launcher.umask);
    }
    Ok(())
}

/// # Safety
/// Only in the child of `start`.
unsafe fn become_program(birth: &Birth<'_>) -> Result<(), c_int> {
    // SAFETY: as for `prepare`; the lists end with a null pointer.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        check(libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()))?;
        libc::execve(birth.path, birth.arguments, birth.environment);
        if *libc::__errno_location() == libc::ENOEXEC {
            libc::execve(SHELL.as_ptr(), birth.script, birth.environment);
        }
        Err(*libc::__errno_location())
    }
}

fn check(result: c_int) -> Result<(), c_int> {
    if result == -1 {
        // SAFETY: the place where the C library leaves the number of the last failure of this thread.
        Err(unsafe { *libc::__errno_location() })
    } else {
        Ok(())
    }
}

/// The file of a program: as named if that has a slash in it, else the first of that name in the directories of `path`
/// (colons between them) that can be run.
///
/// # Errors
/// There is none that can be run, or it cannot be known.
pub fn find_program(name: &str, path: &OsStr) -> Result<CString, NoProgram> {
    let candidates: Vec<PathBuf> = if name.contains('/') {
        vec![PathBuf::from(name)]
    } else {
        // An empty entry is the directory where one is.
        let entries = path.as_bytes().split(|&byte| byte == b':');
        entries
            .map(|entry| if entry.is_empty() { OsStr::new(".") } else { OsStr::from_bytes(entry) })
            .map(|at| Path::new(at).join(name))
            .collect()
    };
    let mut why = NoProgram::Absent;
    for file in candidates {
        match runnable(&file) {
            Ok(()) => return CString::new(file.as_os_str().as_bytes()).map_err(|_| NoProgram::Absent),
            // One that is there says more than a directory that cannot be looked into.
            Err(NoProgram::NotExecutable) => why = NoProgram::NotExecutable,
            Err(hidden @ NoProgram::Hidden(_)) if why == NoProgram::Absent => why = hidden,
            Err(NoProgram::Hidden(_) | NoProgram::Absent) => {}
        }
    }
    Err(why)
}

/// Why there is no program of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoProgram {
    /// There is no such file.
    Absent,
    /// There is one that cannot be run.
    NotExecutable,
    /// This directory, or one above it, may not be searched.
    Hidden(PathBuf),
}

fn runnable(file: &Path) -> Result<(), NoProgram> {
    let found = std::fs::metadata(file).map_err(|why| match why.kind() {
        io::ErrorKind::PermissionDenied => {
            NoProgram::Hidden(file.parent().unwrap_or(Path::new(".")).to_path_buf())
        }
        _ => NoProgram::Absent,
    })?;
    // As the user this process acts as, not the one it was started by.
    let how = rustix::fs::AtFlags::EACCESS;
    let may = rustix::fs::accessat(rustix::fs::CWD, file, rustix::fs::Access::EXEC_OK, how);
    if found.is_dir() || may.is_err() { Err(NoProgram::NotExecutable) } else { Ok(()) }
}
