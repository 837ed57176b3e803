//! What a worker died of, in words: more than the bare signal where more is known.
//!
//! Only what the system and the worker's own last words tell; where that is a guess, the text says "likely".

use tally_protocol::spoken::{self, size};
use tally_sys::confine::Confined;
use tally_sys::process::ExitStatus;
use tally_sys::signal::Signal;

/// What is known of a dead worker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Remains<'a> {
    pub(crate) status: ExitStatus,
    /// The tail of its standard error.
    pub(crate) stderr: &'a str,
    pub(crate) memory_limit_bytes: Option<u64>,
    pub(crate) confined: Confined,
    /// The system has killed a process of this control group for want of memory since the last death.
    pub(crate) oom_killed: bool,
}

/// What the standard library says when an allocation fails, before it aborts: "memory allocation of 99 bytes failed".
const NO_MEMORY: (&str, &str) = ("memory allocation of ", " failed");

/// What big integers say when theirs fails, as the text of a panic.
const OUT_OF_MEMORY: &str = "out of memory";
/// How a worker's last words end when the system refuses it memory while it starts.
const ENOMEM: &str = "(os error 12)";
/// The exit status of a panic.
const PANICKED: i32 = 101;

/// How it died: "killed by SIGABRT: its memory limit of 64 MiB was reached (allocation of 99 bytes failed)".
pub(crate) fn how(remains: Remains<'_>) -> String {
    let bare = remains.status.to_string();
    match cause(remains) {
        Some(cause) => format!("{bare}: {cause}"),
        None => bare,
    }
}

fn cause(remains: Remains<'_>) -> Option<String> {
    match remains.status {
        ExitStatus::Killed { signal: Signal::Sys, .. } if remains.confined.has(Confined::SECCOMP) => {
            Some("it tried something its confinement forbids".to_owned())
        }
        ExitStatus::Killed { signal: Signal::Bus, .. } => {
            Some("likely a file that it read was cut, or could not be read".to_owned())
        }
        ExitStatus::Killed { signal: Signal::Abrt, .. } => {
            let bytes = failed_allocation(remains.stderr)?;
            Some(format!("{} (an allocation of {bytes} failed)", no_memory(remains.memory_limit_bytes)))
        }
        ExitStatus::Exited(_) if remains.stderr.ends_with(ENOMEM) => {
            Some(no_memory(remains.memory_limit_bytes))
        }
        ExitStatus::Exited(PANICKED) if remains.stderr.lines().any(|line| line == OUT_OF_MEMORY) => {
            Some(no_memory(remains.memory_limit_bytes))
        }
        ExitStatus::Killed { signal: Signal::Kill, .. } => {
            // A guard knows the group of its warden, which is not this one.
            let told = remains.stderr.lines().next_back().filter(|line| spoken::is_want_of_memory(line));
            told.or(remains.oom_killed.then_some(spoken::SYSTEM_OUT_OF_MEMORY)).map(str::to_owned)
        }
        _ => None,
    }
}

fn no_memory(limit: Option<u64>) -> String {
    match limit {
        Some(limit) => format!("its memory limit of {} was reached", size(limit)),
        None => "the system gave it no more memory".to_owned(),
    }
}

/// What it asked for in vain, "99 bytes", if its last words say so.
fn failed_allocation(stderr: &str) -> Option<&str> {
    let (before, after) = NO_MEMORY;
    let said = stderr.lines().rev().find_map(|line| line.split_once(before))?.1;
    let (bytes, _) = said.split_once(after)?;
    let count = bytes.strip_suffix(" bytes")?;
    count.bytes().all(|byte| byte.is_ascii_digit()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remains(signal: Signal, stderr: &str) -> Remains<'_> {
        Remains {
            status: ExitStatus::Killed { signal, core: false },
            stderr,
            memory_limit_bytes: None,
            confined: Confined::ALL,
            oom_killed: false,
        }
    }

    #[test]
    fn memory_is_named_with_its_limit() {
        let death = remains(Signal::Abrt, "some words\nmemory allocation of 4096 bytes failed\n");
        assert_eq!(
            how(death),
            "killed by SIGABRT: the system gave it no more memory (an allocation of 4096 bytes failed)"
        );
        let limited = Remains { memory_limit_bytes: Some(64 << 20), ..death };
        assert_eq!(
            how(limited),
            "killed by SIGABRT: its memory limit of 64 MiB was reached (an allocation of 4096 bytes failed)"
        );
        let panicked = Remains {
            status: ExitStatus::Exited(101),
            stderr: "thread 'main' panicked at src/error.rs:15:5:\nout of memory\nnote: run with",
            ..limited
        };
        assert_eq!(how(panicked), "exited with status 101: its memory limit of 64 MiB was reached");
        let stderr = "worker: could not open its link: Cannot allocate memory (os error 12)";
        let starting = Remains { status: ExitStatus::Exited(1), stderr, ..limited };
        assert_eq!(how(starting), "exited with status 1: its memory limit of 64 MiB was reached");
        assert_eq!(how(remains(Signal::Abrt, "")), "killed by SIGABRT");
        assert_eq!(how(remains(Signal::Abrt, "memory allocation of tea failed")), "killed by SIGABRT");
        assert_eq!(how(Remains { status: ExitStatus::Exited(3), ..limited }), "exited with status 3");
    }

    #[test]
    fn want_of_memory_of_the_whole_system_is_likely_only_when_it_counted_one() {
        let death = remains(Signal::Kill, "");
        assert_eq!(how(death), "killed by SIGKILL");
        let counted = Remains { oom_killed: true, ..death };
        assert_eq!(how(counted), "killed by SIGKILL: likely by the system, which was out of memory");
        for told in ["likely out of memory (limit 64 MiB)", spoken::SYSTEM_OUT_OF_MEMORY] {
            let stderr = format!("some words\n{told}\n");
            assert_eq!(how(remains(Signal::Kill, &stderr)), format!("killed by SIGKILL: {told}"));
        }
        assert_eq!(how(remains(Signal::Kill, "likely tea")), "killed by SIGKILL");
        let other = Remains { oom_killed: true, ..remains(Signal::Term, "") };
        assert_eq!(how(other), "killed by SIGTERM");
    }

    #[test]
    fn a_forbidden_call_is_named_where_calls_are_confined() {
        let death = remains(Signal::Sys, "");
        assert_eq!(how(death), "killed by SIGSYS: it tried something its confinement forbids");
        let free = Remains { confined: Confined::RLIMITS, ..death };
        assert_eq!(how(free), "killed by SIGSYS");
    }

    #[test]
    fn a_lost_page_is_likely_that_of_a_file() {
        let told = how(remains(Signal::Bus, ""));
        assert_eq!(told, "killed by SIGBUS: likely a file that it read was cut, or could not be read");
    }
}
