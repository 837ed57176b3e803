//! Readers of single values: words, counts, durations, sizes.
//!
//! Each error is a fragment that fits after "could not read --option 'value': ". Ranges of values are checked
//! here too, so that an error can name the option.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use tally_protocol::ids::JobId;
use tally_protocol::job::{Nan, OnBad, StartMethod, Transport};
use tally_protocol::limits;
use tally_protocol::locks::check_name;
use tally_protocol::objects::Others;
use tally_protocol::range::parse_integer;

use super::marks::{plain, plain_bytes};
use super::studies::{LOCKS, STUDIES};
use crate::suggest;

/// Where a reduction is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// By supervised worker processes.
    Processes,
    /// On threads of this process.
    Threads,
    /// On one thread of this process.
    Inline,
}

/// When to do a thing that suits a terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum When {
    /// On a terminal.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ProgressWhen {
    /// A bar on a terminal, else nothing.
    #[default]
    Auto,
    /// A bar on a terminal, else lines.
    Always,
    /// Nothing.
    Never,
    /// JSON lines on standard error.
    Json,
}

/// What to do with settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConfigWhat {
    /// Print what is in force.
    Show,
    /// Look for faults.
    Check,
    /// Print the built-in file.
    Default,
}

pub(crate) fn config_what(text: &str) -> Result<ConfigWhat, String> {
    let known = [("show", ConfigWhat::Show), ("check", ConfigWhat::Check), ("default", ConfigWhat::Default)];
    one_of(text, &known)
}

pub(super) fn one_of<T: Copy>(text: &str, known: &[(&str, T)]) -> Result<T, String> {
    let text = plain(text);
    if let Some((_, value)) = known.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
    let question = suggest::question(&text, &words);
    Err(format!("it can be {}{question}", words.join(", ")))
}

pub(crate) fn mode(text: &str) -> Result<Mode, String> {
    one_of(text, &[("processes", Mode::Processes), ("threads", Mode::Threads), ("inline", Mode::Inline)])
}

pub(crate) fn when(text: &str) -> Result<When, String> {
    one_of(text, &[("auto", When::Auto), ("always", When::Always), ("never", When::Never)])
}

pub(crate) fn progress(text: &str) -> Result<ProgressWhen, String> {
    let known = [
        ("auto", ProgressWhen::Auto),
        ("always", ProgressWhen::Always),
        ("never", ProgressWhen::Never),
        ("json", ProgressWhen::Json),
    ];
    one_of(text, &known)
}

pub(crate) fn transport(text: &str) -> Result<Transport, String> {
    let known: Vec<_> = Transport::ALL.iter().map(|one| (one.name(), *one)).collect();
    one_of(text, &known)
}

pub(crate) fn on_bad(text: &str) -> Result<OnBad, String> {
    let known: Vec<_> = OnBad::ALL.iter().map(|one| (one.name(), *one)).collect();
    one_of(text, &known)
}

pub(crate) fn study(text: &str) -> Result<String, String> {
    one_of(text, &STUDIES.map(|name| (name, name))).map(str::to_owned)
}

pub(crate) fn lock(text: &str) -> Result<String, String> {
    one_of(text, &LOCKS.map(|name| (name, name))).map(str::to_owned)
}

/// The name of a lock or a semaphore.
pub(crate) fn lock_name(text: &str) -> Result<String, String> {
    let text = plain(text);
    check_name(&text).map_err(str::to_owned)?;
    Ok(text)
}

/// Permits of a semaphore.
pub(crate) fn permits(text: &str) -> Result<u32, String> {
    small(text, 1..=u64::from(limits::SEMAPHORE_PERMITS_MAX))
}

/// A count, which may be written as `200_000`.
pub(crate) fn count(text: &str) -> Result<u32, String> {
    let number = parse_integer(&plain(text)).map_err(|_| "it is not an integer".to_owned())?;
    u32::try_from(number).map_err(|_| format!("it can be 1 to {}", u32::MAX))
}

pub(crate) fn nan(text: &str) -> Result<Nan, String> {
    let known: Vec<_> = Nan::ALL.iter().map(|one| (one.name(), *one)).collect();
    one_of(text, &known)
}

pub(crate) fn start(text: &str) -> Result<StartMethod, String> {
    let known: Vec<_> = StartMethod::ALL.iter().map(|one| (one.name(), *one)).collect();
    one_of(text, &known)
}

pub(crate) fn log_level(text: &str) -> Result<String, String> {
    let levels = ["error", "warn", "info", "debug"].map(|level| (level, level));
    one_of(text, &levels).map(str::to_owned)
}

/// A path, which need not be text.
pub(crate) fn paths() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(|path| PathBuf::from(plain_bytes(path)))
}

/// Where a picture goes. One with the ending of another format would be opened as what it is not.
pub(crate) fn pictures() -> impl TypedValueParser<Value = PathBuf> {
    paths().try_map(|path| {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
        let others = ["png", "jpg", "jpeg", "gif", "webp", "pdf", "ps", "eps", "bmp", "html"];
        if others.contains(&ending.as_str()) {
            Err("pictures are SVG: FILE.svg".to_owned())
        } else {
            Ok(path)
        }
    })
}

/// What users may do who do not own an object.
pub(crate) fn others(text: &str) -> Result<Others, String> {
    let all = [Others::None, Others::Read, Others::Write];
    all.into_iter().find(|one| one.name() == text).ok_or_else(|| "it can be none, read, write".to_owned())
}

/// A type of what objects hold.
pub(crate) fn datum_type(text: &str) -> Result<String, String> {
    let known = ["integer", "float", "text", "bytes"].contains(&text);
    if known { Ok(text.to_owned()) } else { Err("it can be integer, float, text, bytes".to_owned()) }
}

/// A text that may begin with a minus sign.
pub(crate) fn text(text: &str) -> Result<String, String> {
    Ok(plain(text))
}

pub(crate) fn job(text: &str) -> Result<JobId, String> {
    plain(text).parse().map_err(|_| "a job id looks like j17".to_owned())
}

pub(crate) fn step(text: &str) -> Result<String, String> {
    let text = plain(text);
    match parse_integer(&text) {
        Ok(step) if step == tally_reduce::Integer::ZERO => Err("a step cannot be 0".to_owned()),
        Ok(_) => Ok(text),
        Err(why) => Err(not_whole(&text, &why.to_string())),
    }
}

fn not_whole(text: &str, why: &str) -> String {
    // The reader names the text, and so does the line this ends up in.
    let why = why.strip_prefix(&format!("'{text}' ")).map(|rest| rest.replace("is not", "it is not"));
    why.unwrap_or_else(|| "it is not an integer".to_owned())
}

/// How many partitions; `None` leaves their sizes to the supervisor.
pub(crate) fn partitions(text: &str) -> Result<Partitions, String> {
    if text == "auto" {
        return Ok(Partitions(None));
    }
    let count = whole(text, 1..=limits::PARTITIONS_MAX);
    count.map(|count| Partitions(Some(count))).map_err(|why| format!("{why}, or auto"))
}

/// See [`partitions`]. A type of its own, since an `Option` means something else to the parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Partitions(pub(crate) Option<u64>);

pub(crate) fn workers(text: &str) -> Result<u32, String> {
    small(text, 1..=u64::from(limits::WORKERS_MAX))
}

pub(crate) fn in_flight(text: &str) -> Result<u32, String> {
    small(text, 1..=limits::STARTED_MAX as u64)
}

pub(crate) fn workers_or_auto(text: &str) -> Result<String, String> {
    let text = plain(text);
    if text == "auto" {
        return Ok(text);
    }
    workers(&text).map(|count| count.to_string()).map_err(|why| format!("{why}, or auto"))
}

pub(crate) fn retries(text: &str) -> Result<u32, String> {
    small(text, 0..=u64::from(limits::RETRIES_MAX))
}

fn small(text: &str, range: RangeInclusive<u64>) -> Result<u32, String> {
    whole(text, range).and_then(|count| u32::try_from(count).map_err(|_| "it is too large".to_owned()))
}

pub(crate) fn nice(text: &str) -> Result<i32, String> {
    signed(text, 0..=19)
}

pub(crate) fn priority(text: &str) -> Result<i32, String> {
    signed(text, i32::MIN..=i32::MAX)
}

fn signed(text: &str, range: RangeInclusive<i32>) -> Result<i32, String> {
    let value = parse_integer(&plain(text)).ok().and_then(|value| i32::try_from(&value).ok());
    let (least, most) = (range.start(), range.end());
    value.filter(|value| range.contains(value)).ok_or_else(|| format!("it can be {least} to {most}"))
}

fn whole(text: &str, range: RangeInclusive<u64>) -> Result<u64, String> {
    let value = parse_integer(&plain(text)).ok().and_then(|value| u64::try_from(&value).ok());
    let (least, most) = (range.start(), range.end());
    value.filter(|value| range.contains(value)).ok_or_else(|| format!("it can be {least} to {most}"))
}

/// Milliseconds: `30s`, `500ms`, `2m`, `1h`, `1m30s`, `1.5s`; a bare number means seconds.
pub(crate) fn duration(text: &str) -> Result<u64, String> {
    const SHAPE: &str = "a duration looks like 30s, 500ms, 2m or 1h";
    let text = plain(text);
    let ms = if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        scaled(&text, 1_000)
    } else {
        compound(&text)
    };
    match ms {
        None => Err(SHAPE.to_owned()),
        Some(0) => Err("it is no time at all".to_owned()),
        Some(ms) if ms > limits::TIMEOUT_MS_MAX => {
            Err(format!("it can be {} days at most", limits::TIMEOUT_MS_MAX / 86_400_000))
        }
        Some(ms) => Ok(ms),
    }
}

/// How often to look: what is asked more often than people can read is only load.
pub(crate) fn interval(text: &str) -> Result<u64, String> {
    const LEAST_MS: u64 = 100;
    match duration(text)? {
        ms if ms < LEAST_MS => Err(format!("it can be {LEAST_MS}ms at least")),
        ms => Ok(ms),
    }
}

/// A duration, or 0: not at all.
pub(crate) fn reconnect(text: &str) -> Result<u64, String> {
    if matches!(plain(text).as_str(), "0" | "0s" | "0ms") { Ok(0) } else { duration(text) }
}

/// One or more of number and unit: `1h30m`.
fn compound(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total = 0_u64;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| c.is_ascii_alphabetic())?);
        let (unit, after) =
            after.split_at(after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len()));
        let unit_ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        total = total.saturating_add(scaled(number, unit_ms)?);
        rest = after;
    }
    Some(total)
}

/// A decimal number times a unit, rounded down to whole milliseconds.
fn scaled(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= 15;
    if !digits(whole) || !digits(fraction) || whole.is_empty() || number.ends_with('.') {
        return None;
    }
    let mut parts = u128::from(whole.parse::<u64>().ok()?) * u128::from(unit);
    if !fraction.is_empty() {
        let one = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
        parts += u128::from(fraction.parse::<u64>().ok()?) * u128::from(unit) / one;
    }
    // More than fits is more than any limit.
    Some(u64::try_from(parts).unwrap_or(u64::MAX))
}

/// Processors by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cpus(pub(crate) Vec<u16>);

/// `0,2-3`.
pub(crate) fn cpus(text: &str) -> Result<Cpus, String> {
    let number = |text: &str| {
        let found = text.trim().parse::<u16>().ok().filter(|&cpu| usize::from(cpu) < limits::CPUS_MAX);
        found.ok_or_else(|| format!("'{text}' is not a processor, 0 to {}", limits::CPUS_MAX - 1))
    };
    let mut all = Vec::new();
    for part in text.split(',') {
        match part.split_once('-') {
            Some((first, last)) => all.extend(number(first)?..=number(last)?),
            None => all.push(number(part)?),
        }
    }
    all.sort_unstable();
    all.dedup();
    if all.is_empty() { Err("it names no processor".to_owned()) } else { Ok(Cpus(all)) }
}

/// `KEY=VALUE`.
pub(crate) fn variable(text: &str) -> Result<String, String> {
    match text.find('=') {
        Some(1..) => Ok(text.to_owned()),
        Some(0) | None => Err("it is not KEY=VALUE".to_owned()),
    }
}

/// `022`.
pub(crate) fn umask(text: &str) -> Result<u32, String> {
    let mask = u32::from_str_radix(text, 8).ok().filter(|mask| *mask <= 0o777);
    mask.ok_or_else(|| "it is octal, 0 to 777".to_owned())
}

/// Bytes in binary units: `512M` is 512 MiB, that is 512 * 1024 * 1024.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    const SHAPE: &str = "a size looks like 512M (that is 512 MiB) or 2G";
    let text = plain(text);
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let shift = match unit {
        "" | "B" => 0,
        "K" | "k" | "KiB" => 10,
        "M" | "m" | "MiB" => 20,
        "G" | "g" | "GiB" => 30,
        "T" | "t" | "TiB" => 40,
        _ => return Err(SHAPE.to_owned()),
    };
    let bytes = scaled(&number.replace('_', ""), 1 << shift).ok_or_else(|| SHAPE.to_owned())?;
    let (least, most) = (limits::MEMORY_LIMIT_BYTES_MIN, limits::MEMORY_LIMIT_BYTES_MAX);
    if (least..=most).contains(&bytes) {
        return Ok(bytes);
    }
    Err(format!(
        "it can be {}M to {}T: a worker needs some, and no process has more",
        least >> 20,
        most >> 40
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_people_write_them() {
        for (text, ms) in [
            ("30s", 30_000),
            ("500ms", 500),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("1d", 86_400_000),
            ("1m30s", 90_000),
            ("1h30m10s5ms", 5_410_005),
            ("1.5s", 1_500),
            ("0.25s", 250),
            ("30", 30_000),
            ("0.5", 500),
        ] {
            assert_eq!(duration(text), Ok(ms), "{text}");
        }
    }

    #[test]
    fn other_durations_are_refused() {
        let shape = "a duration looks like 30s, 500ms, 2m or 1h";
        for text in ["", "s", "30x", "30 s", "-5s", "1..2s", "5.", "1e3s", ".5s", "3s4"] {
            assert_eq!(duration(text), Err(shape.to_owned()), "{text}");
        }
        assert_eq!(duration("0s"), Err("it is no time at all".to_owned()));
        assert_eq!(duration("0.1ms"), Err("it is no time at all".to_owned()));
        assert_eq!(duration("99999d"), Err("it can be 11574 days at most".to_owned()));
        assert_eq!(duration("999999999999999d"), Err("it can be 11574 days at most".to_owned()));
    }

    #[test]
    fn sizes_are_binary() {
        for (text, bytes) in [
            ("512M", 512 << 20),
            ("512MiB", 512 << 20),
            ("2G", 2 << 30),
            ("1.5G", 3 << 29),
            ("20480K", 20 << 20),
            ("1T", 1 << 40),
            ("104857600", 100 << 20),
            ("12_582_912", 12 << 20),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "M", "512MB", "512X", "-1M", "1e9", "999999999T9"] {
            assert_eq!(
                size(text),
                Err("a size looks like 512M (that is 512 MiB) or 2G".to_owned()),
                "{text}"
            );
        }
        let range = "it can be 12M to 128T: a worker needs some, and no process has more";
        for text in ["12K", "11M", "129T", "999999999999999T"] {
            assert_eq!(size(text), Err(range.to_owned()), "{text}");
        }
    }

    #[test]
    fn counts_say_their_range() {
        assert_eq!(workers("4"), Ok(4));
        assert_eq!(workers("0"), Err("it can be 1 to 1024".to_owned()));
        assert_eq!(workers("1025"), Err("it can be 1 to 1024".to_owned()));
        assert_eq!(workers("four"), Err("it can be 1 to 1024".to_owned()));
        assert_eq!(retries("0"), Ok(0));
        assert_eq!(nice("20"), Err("it can be 0 to 19".to_owned()));
        assert_eq!(priority("-5"), Ok(-5));
        assert_eq!(partitions("auto"), Ok(Partitions(None)));
        assert_eq!(partitions("1e3"), Ok(Partitions(Some(1_000))));
        assert_eq!(partitions("0"), Err("it can be 1 to 4294967296, or auto".to_owned()));
    }

    #[test]
    fn words_are_suggested() {
        assert_eq!(mode("inline"), Ok(Mode::Inline));
        let why = "it can be processes, threads, inline; did you mean 'threads'?";
        assert_eq!(mode("thread"), Err(why.to_owned()));
        let why = "it can be shm, shm-named, pipe, mqueue, channel; did you mean 'pipe'?";
        assert_eq!(transport("pip"), Err(why.to_owned()));
        assert_eq!(start("zygote"), Err("it can be forkserver, spawn, fork".to_owned()));
        assert_eq!(when("off"), Err("it can be auto, always, never; did you mean 'never'?".to_owned()));
        assert_eq!(progress("json"), Ok(ProgressWhen::Json));
        assert!(log_level("debug").is_ok() && log_level("loud").is_err());
    }

    #[test]
    fn steps_are_integers_but_zero() {
        assert_eq!(step("-3"), Ok("-3".to_owned()));
        assert_eq!(step("1e3"), Ok("1e3".to_owned()));
        assert_eq!(step("0"), Err("a step cannot be 0".to_owned()));
        assert_eq!(step("x"), Err("it is not an integer".to_owned()));
    }

    #[test]
    fn job_ids_have_a_shape() {
        assert_eq!(job("j17"), Ok(JobId(17)));
        assert_eq!(job("17"), Ok(JobId(17)));
        assert_eq!(job("x"), Err("a job id looks like j17".to_owned()));
    }
}
