//! Who a process is, in a way that can be written into a name and still be understood later.
//!
//! A pid alone is no identity: the system gives it to another process some day, and another
//! container has its own. With the time of its start and the namespace it counts in, it is one.

use std::fs;
use std::io;

/// A process, for as long as this machine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The effective user of this process.
    pub user: u32,
    /// The namespace in which its pid is counted.
    pub namespace: u64,
    /// Its pid.
    pub pid: u32,
    /// When it started, in ticks of the system since boot.
    pub started: u64,
}

impl Identity {
    /// This process.
    pub fn own() -> io::Result<Self> {
        let stat = stat("self")?.ok_or(io::ErrorKind::NotFound)?;
        Ok(Self {
            user: own_user(),
            namespace: own_namespace()?,
            pid: std::process::id(),
            started: stat.started,
        })
    }

    /// Whether this process can tell that the other is dead: not so when it counts in another
    /// namespace, or when `/proc` does not say.
    pub fn is_dead(&self) -> bool {
        if own_namespace().ok() != Some(self.namespace) {
            return false;
        }
        match stat(&self.pid.to_string()) {
            Ok(Some(stat)) => stat.ended || stat.started != self.started,
            Ok(None) => true,
            Err(_) => false,
        }
    }
}

/// The effective user of this process.
pub fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// What `/proc/PID/stat` says.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    /// It has ended, and only its parent has not looked yet.
    ended: bool,
    started: u64,
}

/// `None`: there is no such process.
fn stat(pid: &str) -> io::Result<Option<Stat>> {
    match fs::read(format!("/proc/{pid}/stat")) {
        Ok(line) => {
            let line = String::from_utf8_lossy(&line);
            parse(&line).map(Some).ok_or_else(|| io::Error::other(format!("read /proc/{pid}/stat")))
        }
        // It ended between the opening and the reading, or before.
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The second field is the program's name in parentheses, in which anything may stand.
fn parse(line: &str) -> Option<Stat> {
    let (_, rest) = line.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?;
    // The state is field 3, the start field 22.
    let started = fields.nth(18)?.parse().ok()?;
    Some(Stat { ended: matches!(state, "Z" | "X" | "x"), started })
}

/// The link reads `pid:[4026531836]`.
fn own_namespace() -> io::Result<u64> {
    let link = fs::read_link("/proc/self/ns/pid")?;
    let text = link.to_string_lossy();
    let number = text.strip_prefix("pid:[").and_then(|rest| rest.strip_suffix(']'));
    number
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| io::Error::other(format!("tell the pid namespace from {text:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives() {
        let own = Identity::own().unwrap();
        assert_eq!(own, Identity::own().unwrap());
        assert!(!own.is_dead());
    }

    #[test]
    fn another_process_of_the_same_pid_is_another_process() {
        let own = Identity::own().unwrap();
        assert!(Identity { started: own.started + 1, ..own }.is_dead());
    }

    #[test]
    fn nothing_is_said_about_another_namespace() {
        let own = Identity::own().unwrap();
        assert!(!Identity { namespace: own.namespace + 1, started: 0, ..own }.is_dead());
    }

    #[test]
    fn a_child_that_ended_is_dead_before_and_after_it_is_reaped() {
        let mut program = std::process::Command::new("/proc/self/exe");
        let mut child = program.arg("--list").stdout(std::process::Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        let started = stat(&pid.to_string()).unwrap().unwrap().started;
        let identity = Identity { pid, started, ..Identity::own().unwrap() };
        // Its output ends when it does, or a moment before.
        let mut output = Vec::new();
        io::Read::read_to_end(&mut child.stdout.take().unwrap(), &mut output).unwrap();
        while !identity.is_dead() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(identity.is_dead());
    }

    #[test]
    fn a_program_may_be_called_anything() {
        let stat = "7 (a) Z (b) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987 1 2";
        assert_eq!(parse(stat), Some(Stat { ended: false, started: 987 }));
        assert_eq!(parse("7 (a) Z 1"), None);
    }
}
