//! Whether the system's journal takes what this process writes, and a stream to it for a process without streams.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use rustix::stdio::stderr;

/// Where streams are taken.
const STREAMS: &str = "/run/systemd/journal/stdout";
/// Where records are taken.
const RECORDS: &str = "/run/systemd/journal/socket";

/// Whether standard error is a stream to the journal: JOURNAL_STREAM names the very file that it is.
pub fn takes_standard_error() -> bool {
    let Ok(named) = std::env::var("JOURNAL_STREAM") else { return false };
    rustix::fs::fstat(stderr()).is_ok_and(|found| named == format!("{}:{}", found.st_dev, found.st_ino))
}

/// Whether there is a journal at all.
pub fn is_there() -> bool {
    rustix::fs::stat(RECORDS).is_ok()
}

/// A stream to the journal in the name of `identifier`, whose lines are errors: it is for the words of a panic.
pub fn stream(identifier: &str) -> io::Result<OwnedFd> {
    use io::Write as _;
    let mut stream = UnixStream::connect(STREAMS)?;
    // Identifier, unit, priority (3: error), no prefixes, no forwarding.
    write!(stream, "{identifier}\n\n3\n0\n0\n0\n0\n")?;
    Ok(stream.into())
}
