//! Numbers for people: grouped digits, rates, durations. Answers on standard output never pass through here.

pub(crate) use tally_protocol::spoken::counted;
pub(crate) use tally_reduce::grouped;

/// Longest number shown whole in a table; longer ones are cut in the middle.
const DIGITS_SHOWN_MAX: usize = 60;

/// Thousands set apart, with the middle left out when there are too many digits for a table.
pub(crate) fn grouped_short(text: &str) -> String {
    without_middle(text).unwrap_or_else(|| grouped(text))
}

/// As it is, with the middle left out when there are too many digits for a table.
pub(crate) fn cut_short(text: &str) -> String {
    without_middle(text).unwrap_or_else(|| text.to_owned())
}

fn without_middle(text: &str) -> Option<String> {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if !text.is_ascii() || digits <= DIGITS_SHOWN_MAX {
        return None;
    }
    let (head, tail) = (text.get(..12)?, text.get(text.len() - 8..)?);
    Some(format!("{head}...{tail} ({} digits)", grouped(&digits.to_string())))
}

/// A moment in UTC: `2026-11-28 17:50:49`.
pub(crate) fn moment(wall_s: u64) -> String {
    let (days, second) = (wall_s / 86_400, wall_s % 86_400);
    // Days since 0000-03-01, in eras of 400 years: Howard Hinnant's civil_from_days.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)
}

/// Elements a second with three digits that mean something: `812 /s`, `8.12 k/s`, `812 M/s`.
pub(crate) fn rate(per_s: u64) -> String {
    rate_of(per_s, "")
}

/// The same of bytes: `8.12 MB/s`.
pub(crate) fn byte_rate(per_s: u64) -> String {
    rate_of(per_s, "B")
}

/// A count with three digits that mean something: `812`, `8.12 k`, `812 M`.
pub(crate) fn amount(count: u64) -> String {
    amount_of(count, "").trim_end().to_owned()
}

/// The same of bytes in decimal units, as rates are: `8.12 MB`.
pub(crate) fn byte_amount(count: u64) -> String {
    amount_of(count, "B")
}

fn rate_of(per_s: u64, what: &str) -> String {
    format!("{}/s", amount_of(per_s, what))
}

fn amount_of(count: u64, what: &str) -> String {
    let mut unit = 1_u64;
    let mut name = "";
    for next in ["k", "M", "G", "T", "P"] {
        if count / unit < 1_000 {
            break;
        }
        unit *= 1_000;
        name = next;
    }
    if unit == 1 {
        return format!("{count} {what}");
    }
    let (whole, hundredths) = (count / unit, count % unit / (unit / 100));
    match whole {
        0..10 => format!("{whole}.{hundredths:02} {name}{what}"),
        10..100 => format!("{whole}.{} {name}{what}", hundredths / 10),
        _ => format!("{whole} {name}{what}"),
    }
}

/// Bytes of memory: `412 MiB`, `9.3 MiB`, `800 KiB`.
pub(crate) fn bytes(count: u64) -> String {
    let mut unit = 1_u64;
    let mut name = "B";
    for next in ["KiB", "MiB", "GiB", "TiB", "PiB"] {
        if count / unit < 1_024 {
            break;
        }
        unit *= 1_024;
        name = next;
    }
    match (count / unit, count % unit * 10 / unit) {
        (whole @ 0..10, tenths) if unit > 1 => format!("{whole}.{tenths} {name}"),
        (whole, _) => format!("{whole} {name}"),
    }
}

/// When something should end: as a duration, and beyond 99 days, which nobody can know, only that.
pub(crate) fn eta(ms: u64) -> String {
    const DAYS_MAX: u64 = 99;
    if ms / 86_400_000 > DAYS_MAX { format!(">{DAYS_MAX}d") } else { duration(ms) }
}

/// `0.4s`, `31s`, `1m 12s`, `3h 04m`, `2d 05h`.
pub(crate) fn duration(ms: u64) -> String {
    let s = ms / 1_000;
    match s {
        0..10 => format!("{s}.{}s", ms % 1_000 / 100),
        10..60 => format!("{s}s"),
        60..3_600 => format!("{}m {:02}s", s / 60, s % 60),
        3_600..86_400 => format!("{}h {:02}m", s / 3_600, s % 3_600 / 60),
        86_400..8_640_000 => format!("{}d {:02}h", s / 86_400, s % 86_400 / 3_600),
        8_640_000..315_360_000 => format!("{}d", s / 86_400),
        _ => format!("{}y", s / 31_536_000),
    }
}

/// Whole per cent of `all`, rounded down; of nothing everything is done.
pub(crate) fn percent(done: u64, all: u64) -> u64 {
    let done = u128::from(done.min(all)) * 100;
    done.checked_div(u128::from(all)).map_or(100, |part| u64::try_from(part).unwrap_or(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_are_cut_in_tables() {
        assert_eq!(grouped_short("1234"), "1,234");
        let long = "1".repeat(30) + &"2".repeat(1_000);
        assert_eq!(grouped_short(&long), "111111111111...22222222 (1,030 digits)");
    }

    #[test]
    fn rates_keep_three_digits() {
        for (per_s, shown) in [
            (0, "0 /s"),
            (999, "999 /s"),
            (1_000, "1.00 k/s"),
            (8_129, "8.12 k/s"),
            (81_290, "81.2 k/s"),
            (812_900_000, "812 M/s"),
            (1_999_000_000, "1.99 G/s"),
            (u64::MAX, "18446 P/s"),
        ] {
            assert_eq!(rate(per_s), shown);
        }
    }

    #[test]
    fn bytes_have_binary_units() {
        for (count, shown) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (9_750_000, "9.2 MiB"),
            (432_013_312, "412 MiB"),
            (u64::MAX, "16383 PiB"),
        ] {
            assert_eq!(bytes(count), shown);
        }
    }

    #[test]
    fn durations_have_two_units_at_most() {
        for (ms, shown) in [
            (0, "0.0s"),
            (431, "0.4s"),
            (9_999, "9.9s"),
            (31_000, "31s"),
            (72_000, "1m 12s"),
            (611_000, "10m 11s"),
            (11_040_000, "3h 04m"),
            (2 * 86_400_000 + 5 * 3_600_000, "2d 05h"),
            (4_337 * 86_400_000 / 2, "2168d"),
            (16_555 * 86_400_000, "45y"),
        ] {
            assert_eq!(duration(ms), shown);
        }
    }

    #[test]
    fn an_end_that_nobody_will_see_has_no_date() {
        assert_eq!(
            [72_000, 99 * 86_400_000, 100 * 86_400_000, u64::MAX].map(eta),
            ["1m 12s", "99d 00h", ">99d", ">99d"]
        );
    }

    #[test]
    fn per_cent_rounds_down_and_never_divides_by_nothing() {
        assert_eq!(percent(0, 0), 100);
        assert_eq!(percent(999, 1_000), 99);
        assert_eq!(percent(u64::MAX, u64::MAX), 100);
        assert_eq!(percent(5, 3), 100);
    }
}
