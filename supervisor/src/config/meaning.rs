//! What the settings come to, each of its type.

use std::path::PathBuf;

use tally_machine::Settings;
use tally_machine::action::Profile;
use tally_machine::moment::Span;
use tally_protocol::job::{StartMethod, Transport};
use tally_protocol::limits;
use tracing::Level;

use super::access::Access;
use super::address::MetricsAddress;
use super::keys::number;
use super::layers::{BadSetting, Layers, Origin};
use super::state_dir::StateDir;

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// The settings in force. The meaning of each is in `config.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "config.toml is the documentation of each")]
pub struct Configuration {
    pub workers: u16,
    pub transport: Transport,
    pub start: StartMethod,
    pub memory_limit_mib: Option<u64>,
    pub retries: u32,
    pub priority: i32,
    pub lease_ms: u64,
    pub start_ms: u64,
    pub grace_ms: u64,
    pub drain_ms: u64,
    pub restart_intensity: u32,
    pub restart_window_ms: u64,
    pub backoff_first_ms: u64,
    pub backoff_most_ms: u64,
    pub backoff_reset_ms: u64,
    pub partition_least_ms: u64,
    pub partition_most_ms: u64,
    pub leases_max: usize,
    pub jobs_open_max: usize,
    pub jobs_open_per_user: usize,
    pub memory_per_user_mib: Option<u64>,
    pub state_dir: StateDir,
    pub checkpoint_ms: u64,
    pub jobs_ended_max: usize,
    pub jobs_ended_days: Option<u64>,
    pub clients_max: usize,
    pub confine: bool,
    pub access: Access,
    pub metrics_listen: MetricsAddress,
    pub log_file: Option<PathBuf>,
    pub log: Level,
}

impl Configuration {
    /// Reads what the layers hold; each value has been checked when it was added.
    ///
    /// # Errors
    /// Two values that do not go together, with the place of one.
    pub fn of(layers: &Layers) -> Result<Self, BadSetting> {
        let long = |key| number_of(layers, key).map(|value| value.unwrap_or(0));
        let small = |key| long(key).map(|value| u32::try_from(value).unwrap_or(u32::MAX));
        let count = |key| long(key).map(|value| usize::try_from(value).unwrap_or(usize::MAX));
        let workers = number_of(layers, "workers")?.and_then(|count| u16::try_from(count).ok());
        let configuration = Self {
            workers: workers.unwrap_or_else(one_for_each_processor),
            transport: word(layers, "transport", Transport::ALL, Transport::name)?,
            start: word(layers, "start", StartMethod::ALL, StartMethod::name)?,
            memory_limit_mib: number_of(layers, "memory_limit_mib")?,
            retries: small("retries")?,
            priority: text(layers, "priority", |text| {
                text.replace('_', "").parse().map_err(|_| "it is no number".to_owned())
            })?,
            lease_ms: long("lease_ms")?,
            start_ms: long("start_ms")?,
            grace_ms: long("grace_ms")?,
            drain_ms: long("drain_ms")?,
            restart_intensity: small("restart_intensity")?,
            restart_window_ms: long("restart_window_ms")?,
            backoff_first_ms: long("backoff_first_ms")?,
            backoff_most_ms: long("backoff_most_ms")?,
            backoff_reset_ms: long("backoff_reset_ms")?,
            partition_least_ms: long("partition_least_ms")?,
            partition_most_ms: long("partition_most_ms")?,
            leases_max: count("leases_max")?,
            jobs_open_max: count("jobs_open_max")?,
            jobs_open_per_user: count("jobs_open_per_user")?,
            memory_per_user_mib: number_of(layers, "memory_per_user_mib")?,
            state_dir: text(layers, "state_dir", StateDir::of)?,
            checkpoint_ms: long("checkpoint_ms")?,
            jobs_ended_max: count("jobs_ended_max")?,
            jobs_ended_days: number_of(layers, "jobs_ended_days")?,
            clients_max: count("clients_max")?,
            confine: word(layers, "confine", &[true, false], |yes| if yes { "true" } else { "false" })?,
            access: Access::of(layers, count("connections_per_user")?)?,
            metrics_listen: text(layers, "metrics_listen", MetricsAddress::of)?,
            log_file: text(layers, "log_file", |text| Ok((text != "none").then(|| PathBuf::from(text))))?,
            log: word(layers, "log", &[Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG], level_name)?,
        };
        let delays = configuration.backoff_first_ms <= configuration.backoff_most_ms;
        ordered(layers, "backoff_first_ms", "backoff_most_ms", delays)?;
        let sizes = configuration.partition_least_ms <= configuration.partition_most_ms;
        ordered(layers, "partition_least_ms", "partition_most_ms", sizes)?;
        Ok(configuration)
    }

    /// What the machine is told.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let memory_limit_bytes = self.memory_limit_mib.map(|mib| mib << 20);
        let profile =
            Profile { transport: self.transport, start: self.start, nice: 0, memory_limit_bytes, job: None };
        Settings {
            retries: self.retries,
            priority: self.priority,
            lease: Span::ms(self.lease_ms),
            start: Span::ms(self.start_ms),
            grace: Span::ms(self.grace_ms),
            drain: Span::ms(self.drain_ms),
            intensity: self.restart_intensity,
            intensity_window: Span::ms(self.restart_window_ms),
            backoff_first: Span::ms(self.backoff_first_ms),
            backoff_most: Span::ms(self.backoff_most_ms),
            backoff_reset: Span::ms(self.backoff_reset_ms),
            partition_least: Span::ms(self.partition_least_ms),
            partition_most: Span::ms(self.partition_most_ms),
            leases_max: self.leases_max,
            jobs_open_max: self.jobs_open_max,
            jobs_open_per_user_max: self.jobs_open_per_user,
            memory_per_user_bytes: self.memory_per_user_mib.map(|mib| mib << 20),
            jobs_ended_max: self.jobs_ended_max,
            jobs_ended_age: self.jobs_ended_days.map(|days| Span::ms(days * DAY_MS)),
            checkpoint: Span::ms(self.checkpoint_ms),
            ..Settings::new(self.workers, profile)
        }
    }
}

fn one_for_each_processor() -> u16 {
    let cpus = tally_sys::limits::cpu_count();
    u16::try_from(cpus).unwrap_or(limits::WORKERS_MAX).clamp(1, limits::WORKERS_MAX)
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG | Level::TRACE => "debug",
    }
}

/// None where a word stands in the number's place.
fn number_of(layers: &Layers, key: &str) -> Result<Option<u64>, BadSetting> {
    layers.get(key).map(|written| number(&written.text))
}

fn word<W: Copy>(
    layers: &Layers,
    key: &str,
    all: &[W],
    name: impl Fn(W) -> &'static str,
) -> Result<W, BadSetting> {
    let meant = |text: &str| {
        let found = all.iter().copied().find(|&one| name(one) == text);
        found.ok_or_else(|| "there is no such word".to_owned())
    };
    text(layers, key, meant)
}

fn text<T>(layers: &Layers, key: &str, meant: impl Fn(&str) -> Result<T, String>) -> Result<T, BadSetting> {
    let written = layers.get(key)?;
    meant(&written.text).map_err(|why| BadSetting {
        place: written.place.clone(),
        why: format!("{key} is '{}': {why}", written.text),
    })
}

/// The fault is shown where somebody wrote, not at a built-in default.
fn ordered(layers: &Layers, less: &str, more: &str, holds: bool) -> Result<(), BadSetting> {
    if holds {
        return Ok(());
    }
    let (low, high) = (layers.get(less)?, layers.get(more)?);
    let place = if low.origin == Origin::BuiltIn { &high.place } else { &low.place };
    let why = format!("{less} is {}, which is more than {more}, {}", low.text, high.text);
    Err(BadSetting { place: place.clone(), why })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_contradict_each_other_are_refused_where_they_were_written() {
        let mut layers = Layers::built_in().unwrap();
        assert!(layers.add_toml("\nbackoff_most_ms = 50", "a.toml").is_empty());
        assert_eq!(
            Configuration::of(&layers).unwrap_err().to_string(),
            "a.toml:2:1: backoff_first_ms is 100, which is more than backoff_most_ms, 50"
        );
    }

    #[test]
    fn words_in_a_numbers_place_have_a_meaning() {
        let configuration = Configuration::of(&Layers::built_in().unwrap()).unwrap();
        assert_eq!(configuration.workers, one_for_each_processor());
        assert_eq!(configuration.settings().profile.memory_limit_bytes, None);
        let mut layers = Layers::built_in().unwrap();
        assert!(layers.add_toml("memory_limit_mib = 64\nworkers = 3", "a.toml").is_empty());
        let configuration = Configuration::of(&layers).unwrap();
        assert_eq!(configuration.settings().profile.memory_limit_bytes, Some(64 << 20));
        assert_eq!(configuration.workers, 3);
    }
}
