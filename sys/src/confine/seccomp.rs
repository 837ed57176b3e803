//! The system calls a confined process may make, as a filter that the kernel runs before each.
//!
//! Three answers: the call is made; it is refused with EACCES, where a library asks for files out of habit and lives
//! without them; the process is killed by SIGSYS. What is on no list kills. No new executable memory, and signals to
//! nobody but the process itself.

use std::io;

use libc::{
    SECCOMP_RET_ALLOW, SECCOMP_RET_DATA, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS, seccomp_data,
    sock_filter, sock_fprog,
};

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;
/// Nobody has looked at the calls of another machine yet.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const ARCHITECTURE: u32 = 0;

/// Made as asked: memory, time, sleep, what is open already, the end.
const ALLOWED: &[libc::c_long] = &[
    // Links: pipes, doorbells, queues, sockets that are open. First, as they are the most frequent.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_ppoll,
    libc::SYS_futex,
    libc::SYS_mq_timedsend,
    libc::SYS_mq_timedreceive,
    libc::SYS_sendmsg,
    libc::SYS_recvmsg,
    libc::SYS_sendto,
    libc::SYS_recvfrom,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_fcntl,
    libc::SYS_close,
    // Files that come as descriptors are read, and can be looked at.
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_lseek,
    libc::SYS_fstat,
    // Whether mapping them pays, its own page faults say.
    libc::SYS_getrusage,
    // Memory; `mmap` and `mprotect` are judged by what they ask for.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    // Time, sleep, turns.
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_sched_yield,
    libc::SYS_restart_syscall,
    // Who it is; numbers for hash tables.
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getppid,
    libc::SYS_getrandom,
    // How much the C library may use of the machine, for its own decisions.
    libc::SYS_sysinfo,
    libc::SYS_sched_getaffinity,
    // Signals to itself end in these.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    // The end.
    libc::SYS_exit,
    libc::SYS_exit_group,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_time,
    libc::SYS_gettimeofday,
];

/// Refused, and no reason to die: what looks for files and settings. Without files a panic cannot name its lines.
const REFUSED: &[libc::c_long] = &[
    libc::SYS_openat,
    libc::SYS_readlinkat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_faccessat,
    libc::SYS_getcwd,
    libc::SYS_ioctl,
    libc::SYS_prctl,
    libc::SYS_prlimit64,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_access,
];

/// Whose third argument must not ask for executable memory.
const MEMORY: &[libc::c_long] = &[libc::SYS_mmap, libc::SYS_mprotect];

/// Whose first argument must be this process.
const SIGNALS: &[libc::c_long] = &[libc::SYS_kill, libc::SYS_tgkill];

const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
const IF_EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
const IF_ANY_BIT: u32 = libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K;
const RETURN: u32 = libc::BPF_RET | libc::BPF_K;

const NUMBER_AT: usize = std::mem::offset_of!(seccomp_data, nr);
const ARCHITECTURE_AT: usize = std::mem::offset_of!(seccomp_data, arch);
/// Where the low half of an argument is: the machines above are little-endian.
const fn argument_at(index: usize) -> usize {
    std::mem::offset_of!(seccomp_data, args) + index * size_of::<u64>()
}

/// A program in the making. It only ever jumps over the next instruction, so no distance can be wrong.
struct Program(Vec<sock_filter>);

impl Program {
    fn push(&mut self, code: u32, k: u32, jt: u8, jf: u8) {
        // The codes above all fit; one that did not would be refused by the kernel.
        self.0.push(sock_filter { code: u16::try_from(code).unwrap_or(u16::MAX), jt, jf, k });
    }

    fn load(&mut self, at: usize) {
        self.push(LOAD, u32::try_from(at).unwrap_or(u32::MAX), 0, 0);
    }

    fn end(&mut self, answer: u32) {
        self.push(RETURN, answer, 0, 0);
    }

    /// The next instruction runs only if the loaded word is `value`.
    fn if_equal(&mut self, value: u32) {
        self.push(IF_EQUAL, value, 0, 1);
    }

    fn if_not_equal(&mut self, value: u32) {
        self.push(IF_EQUAL, value, 1, 0);
    }

    fn if_any_bit(&mut self, bits: u32) {
        self.push(IF_ANY_BIT, bits, 0, 1);
    }

    fn each(&mut self, calls: &[libc::c_long], answer: u32) {
        for call in calls.iter().filter_map(|&call| u32::try_from(call).ok()) {
            self.if_equal(call);
            self.end(answer);
        }
    }
}

/// The filter for the process `own`.
fn program(own: u32) -> Vec<sock_filter> {
    let refuse = SECCOMP_RET_ERRNO | (libc::EACCES.unsigned_abs() & SECCOMP_RET_DATA);
    let mut program = Program(Vec::with_capacity(160));
    // Numbers mean other calls in the other kinds of program that this kernel may run.
    program.load(ARCHITECTURE_AT);
    program.if_not_equal(ARCHITECTURE);
    program.end(SECCOMP_RET_KILL_PROCESS);
    program.load(NUMBER_AT);
    program.each(ALLOWED, SECCOMP_RET_ALLOW);
    program.each(REFUSED, refuse);
    for call in MEMORY.iter().filter_map(|&call| u32::try_from(call).ok()) {
        // Over the five below, if it is another call.
        program.push(IF_EQUAL, call, 0, 4);
        program.load(argument_at(2));
        program.if_any_bit(libc::PROT_EXEC.unsigned_abs());
        program.end(SECCOMP_RET_KILL_PROCESS);
        program.end(SECCOMP_RET_ALLOW);
    }
    for call in SIGNALS.iter().filter_map(|&call| u32::try_from(call).ok()) {
        program.push(IF_EQUAL, call, 0, 4);
        program.load(argument_at(0));
        program.if_not_equal(own);
        program.end(SECCOMP_RET_KILL_PROCESS);
        program.end(SECCOMP_RET_ALLOW);
    }
    program.end(SECCOMP_RET_KILL_PROCESS);
    program.0
}

/// Puts the filter in force for this thread and all it starts, for good. It must have `no_new_privs` set.
pub(super) fn filter() -> io::Result<()> {
    if ARCHITECTURE == 0 {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let mut program = program(std::process::id());
    let length = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let program = sock_fprog { len: length, filter: program.as_mut_ptr() };
    // SAFETY: the program and its length are ours and belong together; the kernel copies and checks it.
    let done =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0_u32, &raw const program) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
