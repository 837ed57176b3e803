//! What the settings mean: each key with its type and range.

use tally_machine::Settings;
use tally_machine::action::Profile;
use tally_machine::moment::Span;
use tally_protocol::job::{StartMethod, Transport};
use tally_protocol::limits;

use super::access::{self, Access};
use super::layers::{BadSetting, Layers};

/// Every key, in the order of `config.toml`.
pub(super) const KEYS: &[&str] = &[
    "workers",
    "transport",
    "start",
    "retries",
    "lease_ms",
    "start_ms",
    "grace_ms",
    "drain_ms",
    "restart_intensity",
    "restart_window_ms",
    "backoff_first_ms",
    "backoff_most_ms",
    "backoff_reset_ms",
    "partition_least_ms",
    "partition_most_ms",
    "leases_max",
    "confine",
    "socket_mode",
    "socket_group",
    "operator_groups",
    "reader_groups",
    "connections_per_user",
    "log",
];

/// A day: the longest time any setting can be.
const MS_MAX: u64 = 86_400_000;

/// The settings in force. The meaning of each is in `config.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "config.toml is the documentation of each")]
pub struct Configuration {
    pub workers: u16,
    pub transport: Transport,
    pub start: StartMethod,
    pub retries: u32,
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
    pub confine: bool,
    pub access: Access,
    pub connections_per_user: usize,
    pub log: tracing::Level,
}

impl Configuration {
    /// Parses what the layers hold.
    ///
    /// # Errors
    /// The first bad value, with its place.
    pub fn of(layers: &Layers) -> Result<Self, BadSetting> {
        let number = |key, least, most| number(layers, key, least, most);
        let small = |key, most: u32| {
            number(key, 0, u64::from(most)).map(|value| u32::try_from(value).unwrap_or(most))
        };
        let most_clients = limits::CLIENTS_MAX as u64;
        let configuration = Self {
            workers: workers(layers)?,
            transport: word(layers, "transport", Transport::ALL, Transport::name)?,
            start: word(layers, "start", StartMethod::ALL, StartMethod::name)?,
            retries: small("retries", limits::RETRIES_MAX)?,
            lease_ms: number("lease_ms", 200, MS_MAX)?,
            start_ms: number("start_ms", 50, MS_MAX)?,
            grace_ms: number("grace_ms", 0, MS_MAX)?,
            drain_ms: number("drain_ms", 0, MS_MAX)?,
            restart_intensity: small("restart_intensity", 1_000)?,
            restart_window_ms: number("restart_window_ms", 1, MS_MAX)?,
            backoff_first_ms: number("backoff_first_ms", 1, MS_MAX)?,
            backoff_most_ms: number("backoff_most_ms", 1, MS_MAX)?,
            backoff_reset_ms: number("backoff_reset_ms", 1, MS_MAX)?,
            partition_least_ms: number("partition_least_ms", 1, MS_MAX)?,
            partition_most_ms: number("partition_most_ms", 1, MS_MAX)?,
            leases_max: usize::try_from(number("leases_max", 1, 1_024)?).unwrap_or(1_024),
            confine: access::yes(layers, "confine")?,
            access: Access::of(layers)?,
            connections_per_user: usize::try_from(number("connections_per_user", 1, most_clients)?)
                .unwrap_or(limits::CLIENTS_MAX),
            log: word(
                layers,
                "log",
                &[tracing::Level::ERROR, tracing::Level::WARN, tracing::Level::INFO, tracing::Level::DEBUG],
                |level| match level {
                    tracing::Level::ERROR => "error",
                    tracing::Level::WARN => "warn",
                    tracing::Level::INFO => "info",
                    tracing::Level::DEBUG | tracing::Level::TRACE => "debug",
                },
            )?,
        };
        ordered(
            layers,
            "backoff_first_ms",
            "backoff_most_ms",
            configuration.backoff_first_ms <= configuration.backoff_most_ms,
        )?;
        let sizes = configuration.partition_least_ms <= configuration.partition_most_ms;
        ordered(layers, "partition_least_ms", "partition_most_ms", sizes)?;
        Ok(configuration)
    }

    /// What the machine is told.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let profile =
            Profile { transport: self.transport, start: self.start, nice: 0, memory_limit_bytes: None };
        Settings {
            retries: self.retries,
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
            ..Settings::new(self.workers, profile)
        }
    }
}

fn number(layers: &Layers, key: &str, least: u64, most: u64) -> Result<u64, BadSetting> {
    let written = layers.get(key)?;
    let value =
        written.text.replace('_', "").parse::<u64>().ok().filter(|value| (least..=most).contains(value));
    value.ok_or_else(|| BadSetting {
        place: written.place.clone(),
        why: format!("{key} is {}; it can be {least} to {most}", written.text),
    })
}

fn workers(layers: &Layers) -> Result<u16, BadSetting> {
    if layers.get("workers")?.text == "auto" {
        let cpus = tally_sys::limits::cpu_count();
        return Ok(u16::try_from(cpus).unwrap_or(limits::WORKERS_MAX).clamp(1, limits::WORKERS_MAX));
    }
    number(layers, "workers", 1, u64::from(limits::WORKERS_MAX))
        .map(|value| u16::try_from(value).unwrap_or(limits::WORKERS_MAX))
}

fn word<W: Copy>(
    layers: &Layers,
    key: &str,
    all: &[W],
    name: impl Fn(W) -> &'static str,
) -> Result<W, BadSetting> {
    let written = layers.get(key)?;
    all.iter().copied().find(|&one| name(one) == written.text).ok_or_else(|| {
        let known: Vec<_> = all.iter().map(|&one| name(one)).collect();
        BadSetting {
            place: written.place.clone(),
            why: format!("{key} is '{}'; it can be {}", written.text, known.join(", ")),
        }
    })
}

fn ordered(layers: &Layers, less: &str, more: &str, holds: bool) -> Result<(), BadSetting> {
    if holds {
        return Ok(());
    }
    let place = layers.get(less)?.place.clone();
    Err(BadSetting { place, why: format!("{less} is greater than {more}") })
}
