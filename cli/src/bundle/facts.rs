//! What the system tells: of itself, of a process, and the last of a log. Read only, each part bounded.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Command;

use tally_protocol::version::PROGRAM;
use tally_sys::journal;

use super::redact::{self, Redaction};
use crate::place::reason;

/// How much of one file is taken, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;
/// How much of the end of a log, in bytes.
const LOG_BYTES_MAX: u64 = 512 << 10;
/// How many records of the journal.
const RECORDS: &str = "2000";

/// What the kernel says of itself.
const KERNEL: [&str; 22] = [
    "/proc/version",
    "/etc/os-release",
    "/proc/cmdline",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/pressure/cpu",
    "/proc/pressure/memory",
    "/proc/pressure/io",
    "/proc/sys/fs/file-max",
    "/proc/sys/fs/mqueue/msg_max",
    "/proc/sys/fs/mqueue/msgsize_max",
    "/proc/sys/fs/mqueue/queues_max",
    "/proc/sys/kernel/pid_max",
    "/proc/sys/kernel/threads-max",
    "/proc/sys/kernel/seccomp/actions_avail",
    "/proc/sys/kernel/yama/ptrace_scope",
    "/proc/sys/vm/overcommit_memory",
    "/sys/kernel/mm/transparent_hugepage/enabled",
    "/sys/kernel/mm/transparent_hugepage/shmem_enabled",
    "/sys/kernel/security/lsm",
    "/sys/fs/cgroup/cgroup.controllers",
    "/proc/self/mountinfo",
];

/// Of mounts these file systems: the others are nobody's business.
const MOUNTS: [&str; 4] = [" cgroup2 ", " cgroup ", " mqueue ", "/dev/shm "];

/// The program and what it was given.
pub(super) fn version(redaction: &Redaction) -> String {
    let mut text = format!("tally {PROGRAM}\n");
    let program = std::env::current_exe().map_or_else(|why| reason(&why), |path| path.display().to_string());
    text.push_str(&format!("program {program}\n"));
    for (name, value) in std::env::vars_os() {
        let (name, value) = (name.to_string_lossy(), value.to_string_lossy());
        let told = name.starts_with("TALLY_")
            || name.starts_with("XDG_")
            || name.starts_with("LC_")
            || name == "LANG";
        if told {
            let value =
                if redact::is_secret(&name) { redact::LEFT_OUT.into() } else { redaction.text(&value) };
            text.push_str(&format!("{name}={value}\n"));
        }
    }
    text
}

pub(super) fn kernel() -> String {
    let mut text = String::new();
    for path in KERNEL {
        let mut content = read(Path::new(path));
        if path.ends_with("mountinfo") {
            content = content
                .lines()
                .filter(|line| MOUNTS.iter().any(|kind| line.contains(kind)))
                .fold(String::new(), |all, line| all + line + "\n");
        }
        section(&mut text, path, &content);
    }
    let processors = read(Path::new("/proc/cpuinfo"));
    let models =
        processors.lines().filter(|line| line.starts_with("model name") || line.starts_with("flags"));
    section(&mut text, "/proc/cpuinfo, the first", &models.take(2).collect::<Vec<_>>().join("\n"));
    text
}

/// Limits and groups of the daemon, if there is one, and of this command.
pub(super) fn process(daemon: Option<u32>) -> String {
    let mut text = String::new();
    let who = daemon.map(|pid| pid.to_string()).into_iter().chain([String::from("self")]);
    for who in who {
        let of = Path::new("/proc").join(&who);
        for name in ["limits", "status", "cgroup", "oom_score_adj"] {
            let path = of.join(name);
            section(&mut text, &path.display().to_string(), &read(&path));
        }
        let groups = read(&of.join("cgroup"));
        let unified = groups.lines().find_map(|line| line.strip_prefix("0::/"));
        let Some(group) = unified.map(|path| PathBuf::from("/sys/fs/cgroup").join(path)) else { continue };
        for name in [
            "cgroup.controllers",
            "memory.max",
            "memory.current",
            "memory.events",
            "pids.max",
            "pids.current",
            "cpu.max",
        ] {
            let path = group.join(name);
            if path.exists() {
                section(&mut text, &path.display().to_string(), &read(&path));
            }
        }
    }
    text
}

/// The last of the log: of this file, else of the journal.
pub(super) fn log(file: Option<&Path>) -> Result<String, String> {
    if let Some(path) = file {
        return tail(path).map_err(|why| format!("could not read {}: {}", path.display(), reason(&why)));
    }
    if !journal::is_there() {
        return Err("the daemon writes it to its standard error, and there is no journal".to_owned());
    }
    let mut command = Command::new("journalctl");
    command.args([
        "--no-pager",
        "--quiet",
        "-o",
        "short-iso-precise",
        "-n",
        RECORDS,
        "SYSLOG_IDENTIFIER=tally",
    ]);
    let output = command.output().map_err(|why| format!("could not run journalctl: {}", reason(&why)))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("journalctl ended with {}", output.status))
    }
}

fn tail(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    // A pipe would be waited for.
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is no file"));
    }
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_BYTES_MAX)))?;
    let mut bytes = Vec::new();
    file.take(LOG_BYTES_MAX).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    // The first line may be half a one.
    Ok(if length > LOG_BYTES_MAX {
        text.split_once('\n').map_or(String::new(), |(_, rest)| rest.to_owned())
    } else {
        text
    })
}

fn section(text: &mut String, title: &str, content: &str) {
    let content = content.trim_end();
    text.push_str(&format!("== {title}\n{content}\n\n"));
}

/// A file of the system, or why it cannot be read.
fn read(path: &Path) -> String {
    let mut bytes = Vec::new();
    match File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)) {
        Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(why) => format!("({})", reason(&why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_there_and_foreign_mounts_are_not() {
        let kernel = kernel();
        assert!(kernel.contains("== /proc/version\nLinux"), "{kernel}");
        assert!(!kernel.contains(" proc /proc "), "{kernel}");
        let text = process(None);
        assert!(text.contains("Max open files"), "{text}");
    }

    #[test]
    fn the_tail_of_a_log_begins_with_a_whole_line() {
        let path = std::env::temp_dir().join(format!("tally-bundle-{}", tally_sys::process::own_pid().raw()));
        std::fs::write(&path, "x".repeat(600_000) + "\nlast\n").unwrap();
        assert_eq!(log(Some(&path)).unwrap(), "last\n");
        std::fs::write(&path, "one\ntwo\n").unwrap();
        assert_eq!(log(Some(&path)).unwrap(), "one\ntwo\n");
        std::fs::remove_file(&path).unwrap();
        assert!(log(Some(&path)).unwrap_err().ends_with(": no such file or directory"));
    }
}
