//! Numbers and times as people write them, for messages that are made on either side of the socket.

/// A time as one would have typed it: `2s`, `90s`, `5m`, `1h`, `250ms`.
#[must_use]
pub fn time(ms: u64) -> String {
    let units = [(3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    match units.into_iter().find(|(unit, _)| ms > 0 && ms.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", ms / unit),
        None => format!("{ms}ms"),
    }
}

/// A count with a comma between thousands.
#[must_use]
pub fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_counts_are_as_people_write_them() {
        let times = [0, 250, 2_000, 90_000, 300_000, 3_600_000, 1_500].map(time);
        assert_eq!(times, ["0ms", "250ms", "2s", "90s", "5m", "1h", "1500ms"]);
        assert_eq!([0, 999, 1_000, 1_054_320_048].map(count), ["0", "999", "1,000", "1,054,320,048"]);
    }
}
