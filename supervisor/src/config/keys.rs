//! Every key: what it can be, and what a reload does with it. Adding a setting begins with a line here.
//!
//! `config.toml` says what each means and has its default; a flag of `tally daemon` and a row of
//! `docs/configuration.md` belong to each, which tests hold.

use tally_protocol::job::{StartMethod, Transport};
use tally_protocol::limits;

use super::access;
use super::address::MetricsAddress;
use super::state_dir::StateDir;

/// One setting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) reload: Reload,
}

/// What a value can be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A whole number in a range.
    Number(u64, u64),
    /// The same, or one word that stands for a choice of ours.
    NumberOr(&'static str, u64, u64),
    /// One of some words.
    Word(fn() -> Vec<&'static str>),
    /// A text with a form of its own: what it can be, and who reads it. Errors fit after "KEY is 'text': ".
    Text(&'static str, fn(&str) -> Result<(), String>),
}

/// When a changed value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reload {
    /// At once.
    Live,
    /// For workers and jobs that begin from then on.
    NewWorkers,
    /// After a restart.
    Restart,
}

impl Reload {
    /// Its word in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::NewWorkers => "new-workers",
            Self::Restart => "restart",
        }
    }
}

/// A day: the longest time any setting can be.
const MS_MAX: u64 = 86_400_000;
/// See `limits::MEMORY_LIMIT_BYTES_MIN`.
const MEMORY_MIB_MIN: u64 = limits::MEMORY_LIMIT_BYTES_MIN >> 20;
/// See `limits::MEMORY_LIMIT_BYTES_MAX`.
const MEMORY_MIB_MAX: u64 = limits::MEMORY_LIMIT_BYTES_MAX >> 20;
/// See `limits::MEMORY_PER_USER_BYTES_MAX`.
const MEMORY_PER_USER_MIB_MAX: u64 = limits::MEMORY_PER_USER_BYTES_MAX >> 20;

const fn key(name: &'static str, kind: Kind, reload: Reload) -> Key {
    Key { name, kind, reload }
}

const fn ms(name: &'static str, least: u64) -> Key {
    key(name, Kind::Number(least, MS_MAX), Reload::Live)
}

/// Every key, in the order of `config.toml`.
pub(crate) const KEYS: &[Key] = &[
    key("workers", Kind::NumberOr("auto", 1, limits::WORKERS_MAX as u64), Reload::Live),
    key("transport", Kind::Word(transports), Reload::NewWorkers),
    key("start", Kind::Word(start_methods), Reload::NewWorkers),
    key("memory_limit_mib", Kind::NumberOr("none", MEMORY_MIB_MIN, MEMORY_MIB_MAX), Reload::NewWorkers),
    key("retries", Kind::Number(0, limits::RETRIES_MAX as u64), Reload::Live),
    key("priority", Kind::Text("-2147483648 to 2147483647", priority), Reload::Live),
    ms("lease_ms", 200),
    ms("start_ms", 50),
    ms("grace_ms", 0),
    ms("drain_ms", 0),
    key("restart_intensity", Kind::Number(0, 1_000), Reload::Live),
    ms("restart_window_ms", 1),
    ms("backoff_first_ms", 1),
    ms("backoff_most_ms", 1),
    ms("backoff_reset_ms", 1),
    ms("partition_least_ms", 1),
    ms("partition_most_ms", 1),
    key("leases_max", Kind::Number(1, 1_024), Reload::Live),
    key("jobs_open_max", Kind::Number(1, limits::JOBS_OPEN_MAX as u64), Reload::Live),
    key("state_dir", Kind::Text(StateDir::FORM, StateDir::check), Reload::Restart),
    key("checkpoint_ms", Kind::Number(0, MS_MAX), Reload::Live),
    key("jobs_ended_max", Kind::Number(0, limits::JOBS_ENDED_MAX as u64), Reload::Live),
    key("jobs_ended_days", Kind::NumberOr("none", 1, 36_500), Reload::Live),
    key("clients_max", Kind::Number(4, limits::CLIENTS_MAX as u64), Reload::Live),
    key("confine", Kind::Word(|| vec!["true", "false"]), Reload::NewWorkers),
    key("socket_mode", Kind::Word(access::socket_modes), Reload::Restart),
    key("socket_group", Kind::Text(access::GROUP, access::check_group), Reload::Restart),
    key("operator_groups", Kind::Text(access::GROUPS, access::check_groups), Reload::Live),
    key("reader_groups", Kind::Text(access::GROUPS, access::check_groups), Reload::Live),
    key("connections_per_user", Kind::Number(1, limits::CLIENTS_MAX as u64), Reload::Live),
    key("jobs_open_per_user", Kind::Number(1, limits::JOBS_OPEN_MAX as u64), Reload::Live),
    key("memory_per_user_mib", Kind::NumberOr("none", 1, MEMORY_PER_USER_MIB_MAX), Reload::Live),
    key("metrics_listen", Kind::Text(MetricsAddress::FORM, MetricsAddress::check), Reload::Restart),
    key("log_file", Kind::Text("none, or an absolute path", log_file), Reload::Restart),
    key("log", Kind::Word(log_levels), Reload::Live),
];

/// The key with this name.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

fn transports() -> Vec<&'static str> {
    Transport::ALL.iter().map(|one| one.name()).collect()
}

fn start_methods() -> Vec<&'static str> {
    StartMethod::ALL.iter().map(|one| one.name()).collect()
}

fn log_file(text: &str) -> Result<(), String> {
    let fits = text == "none" || (text.starts_with('/') && text.len() > 1);
    if fits { Ok(()) } else { Err("it is not an absolute path".to_owned()) }
}

fn priority(text: &str) -> Result<(), String> {
    match text.replace('_', "").parse::<i32>() {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("it can be {} to {}", i32::MIN, i32::MAX)),
    }
}

fn log_levels() -> Vec<&'static str> {
    vec!["error", "warn", "info", "debug"]
}

impl Key {
    /// The variable that sets it.
    pub(crate) fn variable(&self) -> String {
        format!("TALLY_{}", self.name.to_ascii_uppercase())
    }

    /// The flag of `tally daemon` that sets it.
    pub(crate) fn flag(&self) -> String {
        format!("--{}", self.name.replace('_', "-"))
    }

    /// Whether the text is a value. Errors are whole sentences that name the key.
    pub(crate) fn check(&self, text: &str) -> Result<(), String> {
        let name = self.name;
        match self.kind {
            Kind::NumberOr(word, ..) if text == word => Ok(()),
            Kind::Number(least, most) | Kind::NumberOr(_, least, most) => {
                let fits = number(text).is_some_and(|value| (least..=most).contains(&value));
                if fits {
                    Ok(())
                } else {
                    Err(format!("{name} is {}; it can be {}", quoted(text), self.kind))
                }
            }
            Kind::Word(all) => {
                let all = all();
                if all.contains(&text) {
                    return Ok(());
                }
                let question = super::suggest::question(text, &all);
                Err(format!("{name} is '{text}'; it can be {}{question}", self.kind))
            }
            Kind::Text(_, check) => check(text).map_err(|why| format!("{name} is '{text}': {why}")),
        }
    }
}

/// Numbers as they are, all else between quotes.
fn quoted(text: &str) -> String {
    if number(text.trim_start_matches('-')).is_some() { text.to_owned() } else { format!("'{text}'") }
}

/// A whole number, with or without underscores.
pub(crate) fn number(text: &str) -> Option<u64> {
    text.starts_with(|c: char| c.is_ascii_digit()).then(|| text.replace('_', "").parse().ok())?
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(least, most) => write!(f, "{least} to {most}"),
            Self::NumberOr(word, least, most) => write!(f, "{word}, or {least} to {most}"),
            Self::Word(all) => f.write_str(&all().join(", ")),
            Self::Text(form, _) => f.write_str(form),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_outside_their_range_are_refused() {
        let check = |name: &str, text: &str| find(name).unwrap().check(text);
        for (name, good) in [
            ("workers", "auto"),
            ("workers", "1_000"),
            ("memory_limit_mib", "none"),
            ("memory_limit_mib", "12"),
            ("log", "debug"),
            ("metrics_listen", "127.0.0.1:9184"),
        ] {
            assert_eq!(check(name, good), Ok(()), "{name}");
        }
        assert_eq!(check("workers", "0").unwrap_err(), "workers is 0; it can be auto, or 1 to 1024");
        assert_eq!(check("retries", "-1").unwrap_err(), "retries is -1; it can be 0 to 100");
        assert_eq!(check("retries", "").unwrap_err(), "retries is ''; it can be 0 to 100");
        assert_eq!(check("retries", "_").unwrap_err(), "retries is '_'; it can be 0 to 100");
        let error = check("memory_limit_mib", "11").unwrap_err();
        assert_eq!(error, "memory_limit_mib is 11; it can be none, or 12 to 134217728");
        assert_eq!(
            check("start", "spwan").unwrap_err(),
            "start is 'spwan'; it can be forkserver, spawn, fork; did you mean 'spawn'?"
        );
        assert_eq!(
            check("metrics_listen", "0.0.0.0:1").unwrap_err(),
            "metrics_listen is '0.0.0.0:1': it is not an address of this machine alone"
        );
    }

    #[test]
    fn every_range_has_its_end_points() {
        for key in KEYS {
            if let Kind::Number(least, most) | Kind::NumberOr(_, least, most) = key.kind {
                for good in [least, most] {
                    assert_eq!(key.check(&good.to_string()), Ok(()), "{}", key.name);
                }
                for bad in [least.checked_sub(1).map(|it| it.to_string()), Some((most + 1).to_string())] {
                    assert!(bad.is_none_or(|bad| key.check(&bad).is_err()), "{}", key.name);
                }
            }
        }
    }
}
