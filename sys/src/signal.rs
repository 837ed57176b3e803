//! Signals as values: a typed enum, and a stream that one poll loop reads.
//!
//! A handler only writes one byte to a pipe; everything else happens in the loop. A forked child
//! inherits handlers and pipe, so `process::fork` blocks all signals around the fork and resets
//! every disposition in the child: a signal to the child must never appear in its parent's stream.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use nix::sys::signal::{SigSet, SigmaskHow};
use signal_hook::SigId;
use signal_hook::low_level;

use crate::fd;

/// At most this many signals are taken from the pipe in one go; the rest waits for the next turn.
const PENDING_MAX: usize = 256;

/// A signal by name, or by number when it has none here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are those of signal(7)")]
pub enum Signal {
    Hup,
    Int,
    Quit,
    Ill,
    Trap,
    Abrt,
    Bus,
    Fpe,
    Kill,
    Usr1,
    Segv,
    Usr2,
    Pipe,
    Alrm,
    Term,
    Chld,
    Cont,
    Stop,
    Tstp,
    Ttin,
    Ttou,
    Xcpu,
    Xfsz,
    Winch,
    Sys,
    /// Any other number, a real-time signal for example.
    Other(i32),
}

/// Every named signal with its number and its name.
const NAMED: [(Signal, i32, &str); 25] = [
    (Signal::Hup, libc::SIGHUP, "SIGHUP"),
    (Signal::Int, libc::SIGINT, "SIGINT"),
    (Signal::Quit, libc::SIGQUIT, "SIGQUIT"),
    (Signal::Ill, libc::SIGILL, "SIGILL"),
    (Signal::Trap, libc::SIGTRAP, "SIGTRAP"),
    (Signal::Abrt, libc::SIGABRT, "SIGABRT"),
    (Signal::Bus, libc::SIGBUS, "SIGBUS"),
    (Signal::Fpe, libc::SIGFPE, "SIGFPE"),
    (Signal::Kill, libc::SIGKILL, "SIGKILL"),
    (Signal::Usr1, libc::SIGUSR1, "SIGUSR1"),
    (Signal::Segv, libc::SIGSEGV, "SIGSEGV"),
    (Signal::Usr2, libc::SIGUSR2, "SIGUSR2"),
    (Signal::Pipe, libc::SIGPIPE, "SIGPIPE"),
    (Signal::Alrm, libc::SIGALRM, "SIGALRM"),
    (Signal::Term, libc::SIGTERM, "SIGTERM"),
    (Signal::Chld, libc::SIGCHLD, "SIGCHLD"),
    (Signal::Cont, libc::SIGCONT, "SIGCONT"),
    (Signal::Stop, libc::SIGSTOP, "SIGSTOP"),
    (Signal::Tstp, libc::SIGTSTP, "SIGTSTP"),
    (Signal::Ttin, libc::SIGTTIN, "SIGTTIN"),
    (Signal::Ttou, libc::SIGTTOU, "SIGTTOU"),
    (Signal::Xcpu, libc::SIGXCPU, "SIGXCPU"),
    (Signal::Xfsz, libc::SIGXFSZ, "SIGXFSZ"),
    (Signal::Winch, libc::SIGWINCH, "SIGWINCH"),
    (Signal::Sys, libc::SIGSYS, "SIGSYS"),
];

impl Signal {
    /// The signal of this number.
    pub fn from_raw(number: i32) -> Self {
        NAMED.iter().find(|named| named.1 == number).map_or(Self::Other(number), |named| named.0)
    }

    /// The system's number for it.
    pub fn raw(self) -> i32 {
        match self {
            Self::Other(number) => number,
            _ => NAMED.iter().find(|named| named.0 == self).map_or(0, |named| named.1),
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMED.iter().find(|named| named.0 == *self) {
            Some(named) => f.write_str(named.2),
            None => write!(f, "signal {}", self.raw()),
        }
    }
}

/// Signals as a readable descriptor. Dropping it stops the delivery; the signals are then
/// swallowed until [`restore_default`] or [`ignore`] is called for them.
#[derive(Debug)]
pub struct SignalStream {
    reader: OwnedFd,
    registered: Vec<SigId>,
    /// It is counted among those that hear SIGINT or SIGTERM.
    counted: bool,
}

impl SignalStream {
    /// From now on each of `signals` goes to this stream and has no other effect.
    ///
    /// Kill, Stop, Segv, Ill and Fpe cannot be caught this way and give an error.
    pub fn new(signals: &[Signal]) -> io::Result<Self> {
        Self::from_senders(signals, Senders::All)
    }

    /// The same for signals that a process has sent. Those of the terminal, which every process of its foreground group
    /// gets, have no effect: for one who passes signals on to a child of the same group. What is ignored now stays so.
    pub fn of_processes(signals: &[Signal]) -> io::Result<Self> {
        let mut heard = Vec::new();
        for &signal in signals {
            if !handler::is_ignored(signal)? {
                heard.push(signal);
            }
        }
        Self::from_senders(&heard, Senders::Processes)
    }

    fn from_senders(signals: &[Signal], senders: Senders) -> io::Result<Self> {
        let (reader, writer) = fd::pipe()?;
        fd::set_nonblocking(&reader, true)?;
        fd::set_nonblocking(&writer, true)?;
        let writer = Arc::new(writer);
        let counted = signals.iter().any(|signal| matches!(signal, Signal::Int | Signal::Term));
        HEARD.fetch_add(usize::from(counted), Ordering::SeqCst);
        let mut stream = Self { reader, registered: Vec::new(), counted };
        for signal in signals.iter().copied().collect::<BTreeSet<_>>() {
            stream.registered.push(register(signal, Arc::clone(&writer), senders)?);
            handler::ensure_installed(signal)?;
        }
        Ok(stream)
    }

    /// The signals that have arrived since the last call, in order of arrival. Never waits.
    pub fn pending(&mut self) -> io::Result<Vec<Signal>> {
        let mut numbers = [0; PENDING_MAX];
        let count = fd::read_some(&self.reader, &mut numbers)?.unwrap_or(0);
        Ok(numbers[..count].iter().map(|&number| Signal::from_raw(i32::from(number))).collect())
    }
}

impl AsFd for SignalStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

impl Drop for SignalStream {
    fn drop(&mut self) {
        for id in self.registered.drain(..) {
            low_level::unregister(id);
        }
        HEARD.fetch_sub(usize::from(self.counted), Ordering::SeqCst);
    }
}

/// Whose signals count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Senders {
    All,
    /// Not the system's own, such as those of a terminal.
    Processes,
}

/// Has `signal` written to `writer`, by number, whenever it arrives in this very process.
fn register(signal: Signal, writer: Arc<OwnedFd>, senders: Senders) -> io::Result<SigId> {
    let byte = match u8::try_from(signal.raw()) {
        Ok(byte) if !signal_hook::consts::FORBIDDEN.contains(&signal.raw()) => byte,
        _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("catch {signal}"))),
    };
    let owner = rustix::process::getpid();
    let action = move |info: &libc::siginfo_t| {
        // Above 0 are the system's own.
        if senders == Senders::Processes && info.si_code > 0 {
            return;
        }
        // A forked child shares handler and pipe until it has reset its dispositions, and later
        // its descriptor of this number is another one: it must never write.
        if rustix::process::getpid() == owner {
            // A full pipe has already woken the reader, and a handler can report no error.
            rustix::io::write(&writer, &[byte]).ok();
        }
    };
    // SAFETY: the action makes two system calls and nothing else: it neither allocates, locks nor
    // panics, so it may run at any point of the program.
    unsafe { signal_hook_registry::register_sigaction(signal.raw(), action) }
}

/// A file that a process reads through its memory, and what to tell when it was cut.
#[derive(Debug)]
pub struct Mapped {
    /// The file.
    pub file: OwnedFd,
    /// How long it is to be.
    pub bytes: u64,
    /// What to tell on standard error.
    pub text: String,
}

/// Has this process end with `code`, and the text of the file on its standard error, when one of these that it reads was
/// cut (SIGBUS), or `text` when none is shorter than it was: for a process that does the work of others and has nobody
/// who tells of its death. Children forked from it die of the signal.
pub fn end_on_lost_memory(files: Vec<Mapped>, text: String, code: i32) -> io::Result<()> {
    static TELLING: AtomicBool = AtomicBool::new(false);
    let owner = rustix::process::getpid();
    let action = move || {
        if rustix::process::getpid() != owner {
            handler::set(Signal::Bus, libc::SIG_DFL).ok();
            return;
        }
        // Of several threads that lost it one tells, and ends them all.
        while TELLING.swap(true, Ordering::Relaxed) {
            rustix::event::pause();
        }
        let is_cut = |one: &&Mapped| {
            let now = rustix::fs::fstat(&one.file).map(|stat| u64::try_from(stat.st_size).unwrap_or(0));
            now.is_ok_and(|bytes| bytes < one.bytes)
        };
        let told = files.iter().find(is_cut).map_or(&text, |one| &one.text);
        rustix::io::write(rustix::stdio::stderr(), told.as_bytes()).ok();
        low_level::exit(code);
    };
    // Else the standard library's handler ran first, and gave the signal its default effect: a second thread would die of it
    // before the first has told.
    restore_default(Signal::Bus)?;
    // SAFETY: the action makes a few system calls, and none of them allocates, locks or panics. In a child it lets the signal
    // have its default effect when what raised it is tried again.
    unsafe { low_level::register(Signal::Bus.raw(), action) }.map(drop)
}

/// How many [`AtOnce`] there are.
static AT_ONCE: AtomicUsize = AtomicUsize::new(0);

/// How many streams hear SIGINT or SIGTERM.
static HEARD: AtomicUsize = AtomicUsize::new(0);

/// While there is one, SIGINT and SIGTERM end this process at once, whatever it waits for, with a line and 128 + the signal:
/// for a read or a write that may take as long as somebody else likes. What is ignored stays so.
#[derive(Debug)]
pub struct AtOnce(());

impl AtOnce {
    /// Begins to listen. From the first one on, these signals end the process at other times, too, where no stream hears them.
    pub fn new() -> io::Result<Self> {
        static REGISTERED: [OnceLock<()>; 2] = [const { OnceLock::new() }; 2];
        for (signal, registered) in [Signal::Int, Signal::Term].into_iter().zip(&REGISTERED) {
            if registered.get().is_none() {
                if !handler::is_ignored(signal)? {
                    end_at_once(signal)?;
                }
                registered.set(()).ok();
            }
        }
        AT_ONCE.fetch_add(1, Ordering::SeqCst);
        Ok(Self(()))
    }
}

impl Drop for AtOnce {
    fn drop(&mut self) {
        AT_ONCE.fetch_sub(1, Ordering::SeqCst);
    }
}

fn end_at_once(signal: Signal) -> io::Result<()> {
    let owner = rustix::process::getpid();
    let action = move || {
        let ends = AT_ONCE.load(Ordering::SeqCst) > 0 || HEARD.load(Ordering::SeqCst) == 0;
        if ends && rustix::process::getpid() == owner {
            rustix::io::write(rustix::stdio::stderr(), b"tally: could not finish: interrupted\n").ok();
            low_level::exit(128 + signal.raw());
        }
    };
    // SAFETY: the action makes a few system calls, and none of them allocates, locks or panics.
    unsafe { low_level::register(signal.raw(), action) }?;
    handler::ensure_installed(signal)
}

/// Has `signal` do nothing from now on; programs started later inherit that.
pub fn ignore(signal: Signal) -> io::Result<()> {
    handler::set(signal, libc::SIG_IGN)
}

/// Whether `signal` is ignored, as whoever started this program may have had it.
pub fn is_ignored(signal: Signal) -> io::Result<bool> {
    handler::is_ignored(signal)
}

/// Gives `signal` its default effect again.
pub fn restore_default(signal: Signal) -> io::Result<()> {
    // These two have no other, and the system refuses to be told so.
    if matches!(signal, Signal::Kill | Signal::Stop) {
        return Ok(());
    }
    handler::set(signal, libc::SIG_DFL)
}

/// Lets every signal through. A program may be started with some blocked, which would make it
/// deaf to the signals that should end it.
pub fn unblock_all() -> io::Result<()> {
    Ok(SigSet::empty().thread_set_mask()?)
}

/// Holds back every signal while it lives; they arrive when it is dropped.
pub(crate) struct AllBlocked {
    before: SigSet,
}

impl AllBlocked {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { before: SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)? })
    }
}

impl Drop for AllBlocked {
    fn drop(&mut self) {
        // Setting a mask that the system itself has handed out cannot fail.
        self.before.thread_set_mask().ok();
    }
}

/// Gives every signal its default effect, but for two: SIGPIPE is ignored, as in every Rust
/// program, and the stack overflow reports of SIGSEGV and SIGBUS stay, which write to no pipe.
///
/// For a child just forked, with all signals blocked.
pub(crate) fn restore_defaults_in_child() {
    for number in 1..=libc::SIGRTMAX() {
        let effect = match number {
            libc::SIGKILL | libc::SIGSTOP | libc::SIGSEGV | libc::SIGBUS => continue,
            libc::SIGPIPE => libc::SIG_IGN,
            _ => libc::SIG_DFL,
        };
        // The C library keeps two numbers for itself and refuses them: they have no handler of ours.
        drop(handler::set(Signal::Other(number), effect));
    }
}

/// Gives every signal that is caught its default effect; what is ignored stays so.
///
/// For a child just forked, with all signals blocked.
pub(crate) fn restore_caught_in_child() {
    for number in 1..=libc::SIGRTMAX() {
        if matches!(number, libc::SIGKILL | libc::SIGSTOP | libc::SIGSEGV | libc::SIGBUS) {
            continue;
        }
        let signal = Signal::Other(number);
        if !handler::is_ignored(signal).unwrap_or(false) {
            // The C library keeps two numbers for itself and refuses them: they have no handler of ours.
            drop(handler::set(signal, libc::SIG_DFL));
        }
    }
}

/// Dispositions, asked and set.
mod handler {
    use super::{OnceLock, Signal, io};

    /// The handler of signal-hook, one for all signals, as it was first seen installed.
    static OURS: OnceLock<Saved> = OnceLock::new();

    #[derive(Clone, Copy)]
    struct Saved(libc::sigaction);

    // SAFETY: a plain record of numbers; the pointer-like parts are addresses of functions, which
    // are the same for every thread.
    unsafe impl Send for Saved {}
    // SAFETY: as above; nobody writes to it once it is made.
    unsafe impl Sync for Saved {}

    pub(super) fn set(signal: Signal, effect: libc::sighandler_t) -> io::Result<()> {
        // SAFETY: SIG_DFL and SIG_IGN, the only effects asked for, run no code of ours.
        let before = unsafe { libc::signal(signal.raw(), effect) };
        if before == libc::SIG_ERR { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// signal-hook installs its handler once for each signal and does not notice when it is gone:
    /// after [`super::ignore`], or in a forked child. Puts it back in that case.
    pub(super) fn ensure_installed(signal: Signal) -> io::Result<()> {
        let current = get(signal)?;
        if current.0.sa_sigaction != libc::SIG_DFL && current.0.sa_sigaction != libc::SIG_IGN {
            OURS.get_or_init(|| current);
            return Ok(());
        }
        let Some(Saved(ours)) = OURS.get() else {
            return Err(io::Error::other(format!("find the handler of {signal}")));
        };
        // SAFETY: `ours` is the handler that signal-hook installed by itself for a signal, copied
        // whole; it looks up what to do by the number of the signal.
        let result = unsafe { libc::sigaction(signal.raw(), ours, std::ptr::null_mut()) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    pub(super) fn is_ignored(signal: Signal) -> io::Result<bool> {
        Ok(get(signal)?.0.sa_sigaction == libc::SIG_IGN)
    }

    fn get(signal: Signal) -> io::Result<Saved> {
        let mut current = std::mem::MaybeUninit::uninit();
        // SAFETY: asks only; `current` has room for the answer.
        let result = unsafe { libc::sigaction(signal.raw(), std::ptr::null(), current.as_mut_ptr()) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a successful call has filled it in.
        Ok(Saved(unsafe { current.assume_init() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_fit_each_other() {
        for (signal, number, name) in NAMED {
            assert_eq!(Signal::from_raw(number), signal);
            assert_eq!(signal.raw(), number);
            assert_eq!(signal.to_string(), name);
        }
        assert_eq!(Signal::from_raw(40), Signal::Other(40));
        assert_eq!(Signal::Other(40).raw(), 40);
        assert_eq!(Signal::Other(40).to_string(), "signal 40");
    }

    #[test]
    fn what_cannot_be_caught_is_refused() {
        for signal in [Signal::Kill, Signal::Stop, Signal::Segv, Signal::Other(-1), Signal::Other(400)] {
            assert!(SignalStream::new(&[signal]).is_err(), "{signal}");
        }
    }

    #[test]
    fn what_has_no_other_effect_has_its_default() {
        restore_default(Signal::Kill).unwrap();
        restore_default(Signal::Stop).unwrap();
    }
}
