//! The programs that the same sum is taught with in Python: one thread, two threads, two processes, a pool of processes.
//!
//! They are part of this program as text, and run when there is a python3 and the job is one that they can do: the sum
//! of one range, of itself or of an expression that means the same in Python. They end with whoever measures them.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use tally_protocol::range::parse_range;
use tally_reduce::Integer;
use tally_sys::fd;
use tally_sys::limits::cpu_count;
use tally_sys::process::{self, ExitStatus};

use crate::meaning::Plan;

/// Python takes about a second for so many elements; more is left out unless it is asked for.
pub(super) const ELEMENTS_MAX: u64 = 20_000_000;
/// What a program prints before its answer.
const ANSWER: &str = "Result: ";
/// What each program adds up, in its text.
const TERM: &str = "total += i\n";

/// One of the programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    OneThread,
    TwoThreads,
    TwoProcesses,
    ProcessPool,
}

impl Program {
    pub(super) const ALL: [Self; 4] =
        [Self::OneThread, Self::TwoThreads, Self::TwoProcesses, Self::ProcessPool];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::OneThread => "one thread",
            Self::TwoThreads => "two threads",
            Self::TwoProcesses => "two processes",
            Self::ProcessPool => "process pool",
        }
    }

    pub(super) fn workers(self) -> u16 {
        match self {
            Self::OneThread => 1,
            Self::TwoThreads | Self::TwoProcesses => 2,
            Self::ProcessPool => u16::try_from(cpu_count()).unwrap_or(u16::MAX).max(1),
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::OneThread => include_str!("../../../../benches/peers/seeds/one_thread.py"),
            Self::TwoThreads => include_str!("../../../../benches/peers/seeds/two_threads.py"),
            Self::TwoProcesses => include_str!("../../../../benches/peers/seeds/two_processes.py"),
            Self::ProcessPool => include_str!("../../../../benches/peers/seeds/process_pool.py"),
        }
    }
}

/// A job as these programs take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sum {
    start: String,
    end: String,
    term: String,
}

impl Sum {
    /// The sum that a plan is, if it is one.
    pub(super) fn of(plan: &Plan) -> Option<Self> {
        let request = &plan.spec.request;
        let [source] = &request.sources[..] else { return None };
        let plain = request.reductions == ["sum"] && request.filter.is_none() && !request.files;
        if !plain || request.step.is_some() {
            return None;
        }
        let range = parse_range(source, &Integer::ONE).ok()?;
        let term = request.of.clone().unwrap_or_else(|| "i".to_owned());
        let end = &range.first + Integer::from(range.count);
        means_the_same(&term).then(|| Self { start: range.first.to_string(), end: end.to_string(), term })
    }
}

/// Whether an expression that is one here is one of integers in Python, too, and the same: whole numbers, `i`, brackets,
/// and the operators without a division to floats. Powers only of a number that stands there.
fn means_the_same(term: &str) -> bool {
    let letters = term.chars().all(|c| c.is_ascii_digit() || " i+-*/%()".contains(c));
    let powers = term.split("**").skip(1);
    let natural = powers.map(str::trim_start).all(|power| power.starts_with(|c: char| c.is_ascii_digit()));
    letters && natural && !term.replace("//", "").contains('/')
}

/// The interpreter, where there is one.
pub(super) fn interpreter() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("python3")).find(|file| file.is_file())
}

/// Runs a program to its end and returns its answer. Its processes are this one's, so that their use is counted.
pub(super) fn run(interpreter: &Path, program: Program, sum: &Sum) -> Result<String, String> {
    let told = |why: std::io::Error| why.to_string();
    let text = prelude() + &program.text().replace(TERM, &format!("total += {}\n", sum.term));
    let arguments = ["-c", &text, &sum.end, &sum.start].map(OsString::from);
    let (reader, writer): (OwnedFd, OwnedFd) = fd::pipe().map_err(told)?;
    fd::set_nonblocking(&reader, false).map_err(told)?;
    let mut child = process::spawn_program(interpreter, &arguments, Path::new("."), writer).map_err(told)?;
    let mut output = String::new();
    let read = File::from(reader).read_to_string(&mut output);
    let status = child.reap().map_err(told)?;
    read.map_err(told)?;
    let answer = output.lines().find_map(|line| line.strip_prefix(ANSWER)).map(str::to_owned);
    match (status, answer) {
        (ExitStatus::Exited(0), Some(answer)) => Ok(answer),
        (ExitStatus::Exited(0), None) => Err("it gives no answer".to_owned()),
        (status, _) => {
            let last = output.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
            Err(format!("it {status}: {last}"))
        }
    }
}

/// Each of its processes dies with the one that made it, and none imports the program anew.
fn prelude() -> String {
    format!(
        "import ctypes, multiprocessing, os\n\
         multiprocessing.set_start_method('fork')\n\
         die_with_parent = lambda: ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)\n\
         die_with_parent()\n\
         os.register_at_fork(after_in_child=die_with_parent)\n\
         os.getppid() == {} or os._exit(1)\n",
        process::own_pid()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_that_python_has_too() {
        for term in ["i", "i * i", "(i + 3) // 7 % 5", "i ** 2", "-i"] {
            assert!(means_the_same(term), "{term}");
        }
        for term in ["i / 2", "sqrt(i)", "i xor 1", "2 ** i", "i ** -1", "1e3", "0.5 * i", "i if 1", "i///2"]
        {
            assert!(!means_the_same(term), "{term}");
        }
    }

    #[test]
    fn each_program_has_a_term_and_an_answer() {
        for program in Program::ALL {
            assert_eq!(program.text().matches(TERM).count(), 1, "{program:?}");
            assert!(program.text().contains(&format!("f\"{ANSWER}")), "{program:?}");
        }
    }
}
