//! Times and counts as people write them, and what is told in the same words on either side of the socket.

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
    fn one_is_not_several() {
        let counts = [0, 1, 2, 10_000].map(|count| counted(count, "job"));
        assert_eq!(counts, ["0 jobs", "1 job", "2 jobs", "10,000 jobs"]);
    }
}
