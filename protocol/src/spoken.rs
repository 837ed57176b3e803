//! Times, sizes and counts as people write them, and what is told in the same words on either side of the socket.

use tally_reduce::grouped;

/// A time as one would have typed it: `2s`, `90s`, `5m`, `1h`, `250ms`.
#[must_use]
pub fn time(ms: u64) -> String {
    let units = [(3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    match units.into_iter().find(|(unit, _)| ms > 0 && ms.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", ms / unit),
        None => format!("{ms}ms"),
    }
}

/// A size in the largest unit that divides it: `64 MiB`, `1000 bytes`.
#[must_use]
pub fn size(bytes: u64) -> String {
    for (shift, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] {
        if bytes != 0 && bytes.trailing_zeros() >= shift {
            return format!("{} {unit}", bytes >> shift);
        }
    }
    format!("{bytes} bytes")
}

/// What a death by SIGKILL is put down to when the system has counted one for want of memory.
pub const SYSTEM_OUT_OF_MEMORY: &str = "likely by the system, which was out of memory";
const OUT_OF_MEMORY: &str = "likely out of memory (limit ";

/// The same where it is a limit that was likely reached.
#[must_use]
pub fn likely_out_of_memory(limit_bytes: u64) -> String {
    format!("{OUT_OF_MEMORY}{})", size(limit_bytes))
}

/// Whether these words are one of these.
#[must_use]
pub fn is_want_of_memory(words: &str) -> bool {
    words == SYSTEM_OUT_OF_MEMORY || words.starts_with(OUT_OF_MEMORY)
}

/// What is told of a command that lives on and has not answered its first line for so long.
#[must_use]
pub fn silent_command(ms: u64) -> String {
    let ago = time(ms / 1_000 * 1_000);
    format!(
        "its command was given a line {ago} ago and has not answered it: each line is answered with one, and output is \
         flushed (mawk -W interactive, python3 -u)"
    )
}

/// `1 worker`, `2 workers`.
#[must_use]
pub fn counted(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{} {one}s", grouped(&count.to_string())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_people_write_them() {
        let times = [0, 250, 2_000, 90_000, 300_000, 3_600_000, 1_500].map(time);
        assert_eq!(times, ["0ms", "250ms", "2s", "90s", "5m", "1h", "1500ms"]);
    }

    #[test]
    fn sizes_are_whole() {
        let sizes = [512 << 20, 3 << 30, 1000, 0].map(size);
        assert_eq!(sizes, ["512 MiB", "3 GiB", "1000 bytes", "0 bytes"]);
        assert_eq!(likely_out_of_memory(1 << 20), "likely out of memory (limit 1 MiB)");
        assert!(is_want_of_memory(&likely_out_of_memory(1)) && is_want_of_memory(SYSTEM_OUT_OF_MEMORY));
        assert!(!is_want_of_memory("likely"));
    }

    #[test]
    fn one_is_not_several() {
        let counts = [0, 1, 2, 10_000].map(|count| counted(count, "job"));
        assert_eq!(counts, ["0 jobs", "1 job", "2 jobs", "10,000 jobs"]);
    }
}
