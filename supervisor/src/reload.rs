//! New settings while the daemon runs: read the same sources again, then all of it or nothing.
//!
//! A fault in any source leaves everything as it was. Running jobs are not touched: the machine decides by the new
//! settings from the next decision on.

use std::path::PathBuf;

use tally_machine::{Event, Settings};
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::settings::{ConfigView, ReloadView, more_faults};
use tally_sys::clock;
use tracing::Level;

use crate::chronicle::one_line;
use crate::config::{Configuration, Reading, Sources};
use crate::rights::Policy;
use crate::turn::Supervisor;

/// What a daemon needs to take new settings.
pub(crate) struct Reloader {
    sources: Sources,
    /// What is in force.
    reading: Reading,
    set_level: Box<dyn Fn(Level)>,
    /// The file that takes the log: the one of the start.
    log_file: Option<PathBuf>,
}

impl std::fmt::Debug for Reloader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reloader").field("sources", &self.sources).finish_non_exhaustive()
    }
}

impl Reloader {
    /// After a start with what `sources` had.
    pub(crate) fn new(
        mut sources: Sources,
        reading: Reading,
        set_level: Box<dyn Fn(Level)>,
        log_file: Option<PathBuf>,
    ) -> Self {
        sources.remember(&reading);
        Self { sources, reading, set_level, log_file }
    }

    /// Reads again. What is in force changes only if all is well.
    fn read(&mut self) -> Result<(Configuration, Policy, ReloadView), Failure> {
        let next = self.sources.read();
        if let Some(failure) = failure_of(&next, "reload the configuration") {
            return Err(failure);
        }
        let view = self.reading.changes_to(&next);
        self.sources.remember(&next);
        let next = next.after(&self.reading);
        let configuration = next.configuration().map_err(|fault| {
            Failure::new(ErrorCode::BadUsage, format!("could not reload the configuration: {fault}"))
        })?;
        let policy = Policy::of(&configuration.access).map_err(|why| {
            Failure::new(ErrorCode::BadUsage, format!("could not reload the configuration: {why}"))
        })?;
        self.reading = next;
        (self.set_level)(configuration.log);
        Ok((configuration, policy, view))
    }

    /// What is in force.
    pub(crate) fn view(&self) -> ConfigView {
        self.reading.view()
    }

    /// The files that were read.
    pub(crate) fn files(&self) -> Vec<String> {
        self.reading.files.iter().map(|path| path.display().to_string()).collect()
    }

    /// How many jobs may be open, and the address space that workers have by default.
    pub(crate) fn limits(&self) -> (u64, Option<u64>) {
        self.reading.configuration().map_or((0, None), |configuration| {
            let bytes = configuration.memory_limit_mib.map(|mib| mib << 20);
            (configuration.jobs_open_max as u64, bytes)
        })
    }
}

/// What is wrong with what was read, as one failure; the first fault stands for all.
pub(crate) fn failure_of(reading: &Reading, doing: &str) -> Option<Failure> {
    let first = reading.faults.first()?;
    let failure = Failure::new(ErrorCode::BadUsage, format!("could not {doing}: {first}"));
    let places = reading.faults.iter().map(|fault| fault.place.as_str());
    let more = more_faults(places, reading.files.iter().map(PathBuf::as_path));
    Some(Failure { hint: more, ..failure })
}

/// The settings of a daemon, which are those of its configuration and of what it is.
pub(crate) fn daemon_settings(
    configuration: &Configuration,
    identity: tally_machine::settings::Identity,
) -> Settings {
    Settings { eager: true, identity, ..configuration.settings() }
}

impl Supervisor {
    /// SIGHUP, or a client asked: takes what the sources say now. The result is in the log in any case.
    pub(crate) fn reload(&mut self) -> Result<ReloadView, Failure> {
        self.service.reloading();
        let result = self.take_new_settings();
        // Before it is ready: whoever waits for that finds the status.
        let wrong = result.as_ref().err().map(|failure| one_line(&failure.message));
        self.service.complain(wrong);
        self.service.after_turn(clock::monotonic_ns(), &self.machine, self.heard);
        self.service.ready();
        result
    }

    fn take_new_settings(&mut self) -> Result<ReloadView, Failure> {
        let Some(reloader) = &mut self.reloader else {
            let why = "could not reload the configuration: a private supervisor keeps what it started with";
            return Err(Failure::new(ErrorCode::WrongState, why));
        };
        // Whatever comes of the settings: whoever moved the log away wants a new one.
        if let Some(path) = &reloader.log_file
            && let Err(why) = crate::output::open(path)
        {
            tracing::error!("could not open the log file {} anew: {why}", path.display());
        }
        let (configuration, policy, view) = match reloader.read() {
            Ok(read) => read,
            Err(failure) => {
                let hint = failure.hint.as_deref().map(|hint| format!(" ({hint})")).unwrap_or_default();
                tracing::warn!("{}{hint}; the old settings stay in force", failure.message);
                return Err(failure);
            }
        };
        self.clients.make_room(configuration.workers, configuration.clients_max);
        self.clients.open_to(policy, configuration.access.connections_per_user);
        self.nursery.confine = configuration.confine;
        let settings = daemon_settings(&configuration, self.identity.clone());
        self.feed(Event::Reload(Box::new(settings)));
        for warning in &view.warnings {
            tracing::warn!("{warning}");
        }
        tracing::info!("configuration reloaded: {}", view.summary());
        Ok(view)
    }
}
