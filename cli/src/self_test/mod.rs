//! `self-test`: what an installation can do, one finding for each thing that is looked at.
//!
//! It tries what can be tried in supervisors and directories of its own, and only asks a daemon that runs; it must never
//! change, slow or end one. Every finding that is not good says what to do.

mod daemon;
mod limits;
mod links;
mod surface;
mod system;

pub(crate) use daemon::ask_soon;

use tally_protocol::error::Failure;
use tally_protocol::settings::ConfigView;

use crate::place::Reach;
use crate::roles::{SettingsOptions, SettingsReading};
use crate::show::json::{Document, Raw};
use crate::verbs::Context;

/// How good a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// As it should be.
    Ok,
    /// It works, and something is missing or will be.
    Warn,
    /// Something does not work.
    Fail,
}

impl Level {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// What was found of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) name: String,
    pub(crate) level: Level,
    pub(crate) message: String,
    /// What to do, where something is to be done.
    pub(crate) hint: Option<String>,
}

impl Finding {
    pub(crate) fn ok(name: &str, message: impl Into<String>) -> Self {
        Self { name: name.to_owned(), level: Level::Ok, message: message.into(), hint: None }
    }

    pub(crate) fn warn(name: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { level: Level::Warn, hint: Some(hint.into()), ..Self::ok(name, message) }
    }

    pub(crate) fn fail(name: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { level: Level::Fail, hint: Some(hint.into()), ..Self::ok(name, message) }
    }
}

/// Everything that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report(pub(crate) Vec<Finding>);

impl Report {
    /// Whether nothing failed.
    pub(crate) fn is_good(&self) -> bool {
        self.count(Level::Fail) == 0
    }

    fn count(&self, level: Level) -> usize {
        self.0.iter().filter(|finding| finding.level == level).count()
    }

    /// A line for each finding, what to do below it, and a last line with the counts.
    pub(crate) fn text(&self) -> String {
        let width = self.0.iter().map(|finding| finding.name.len()).max().unwrap_or(0);
        let mut text = String::new();
        for Finding { name, level, message, hint } in &self.0 {
            text.push_str(&format!("{:<4}  {name:<width$}  {message}\n", level.name()));
            if let Some(hint) = hint {
                text.push_str(&format!("{:<4}  {:<width$}  -> {hint}\n", "", ""));
            }
        }
        let [ok, warn, fail] = [Level::Ok, Level::Warn, Level::Fail].map(|level| self.count(level));
        text.push_str(&format!("{ok} ok, {warn} to look at, {fail} failed\n"));
        text
    }

    /// The same as one object: `tally.self-test/1`.
    pub(crate) fn json(&self) -> String {
        let each = self.0.iter().map(|finding| {
            let document = Document::nested().value("name", &finding.name);
            let document = document.value("level", finding.level.name()).value("message", &finding.message);
            document.maybe("hint", finding.hint.as_ref()).object().0
        });
        let each = each.collect::<Vec<_>>().join(",");
        let document = Document::new("tally.self-test/1").value("good", &self.is_good());
        document.value("findings", &Raw(format!("[{each}]"))).line()
    }
}

/// What the findings share.
pub(super) struct Known {
    /// Worker slots that a daemon would have.
    pub(super) workers: u64,
    /// The link its workers would have.
    pub(super) transport: String,
}

impl Known {
    fn of(view: &ConfigView) -> Self {
        let value = |key: &str| view.settings.iter().find(|one| one.key == key).map(|one| one.value.as_str());
        let processors = || u64::try_from(tally_sys::limits::cpu_count()).unwrap_or(1);
        Self {
            workers: value("workers").and_then(|count| count.parse().ok()).unwrap_or_else(processors),
            transport: value("transport").unwrap_or("shm").to_owned(),
        }
    }
}

/// Looks at everything, in the order in which one thing rests on another.
///
/// # Errors
/// The command was interrupted.
pub(crate) fn look(context: &mut Context<'_, '_>, reach: &Reach) -> Result<Report, Failure> {
    let reading = (context.roles.settings)(&SettingsOptions::default());
    let known = Known::of(&reading.view);
    let settings = settings(&reading);
    let readable = settings.level != Level::Fail;
    let mut findings = vec![settings];
    findings.extend(limits::look(&known));
    findings.extend(system::look());
    if readable {
        findings.extend(links::look(context, &known)?);
    } else {
        findings.push(Finding::warn(
            "links",
            "not tried: no worker starts with these settings",
            "mend the settings first",
        ));
    }
    let surface = surface::look(reach);
    findings.push(surface.finding);
    match surface.client {
        Some(client) => findings.extend(daemon::look(client)?),
        None => findings.push(daemon::store_without(context)),
    }
    Ok(Report(findings))
}

fn settings(reading: &SettingsReading) -> Finding {
    const NAME: &str = "settings";
    match (reading.faults.as_slice(), reading.view.warnings.first()) {
        ([first, rest @ ..], _) => {
            let more = if rest.is_empty() { String::new() } else { format!(", and {} more", rest.len()) };
            let why = format!("{}: {}{more}", first.place, first.message);
            Finding::fail(NAME, why, "'tally config check' lists every fault")
        }
        ([], Some(warning)) => {
            Finding::warn(NAME, warning, "'tally config show' tells where each value came from")
        }
        ([], None) => {
            let files = reading.files.iter().map(|path| path.display().to_string());
            let from: Vec<String> = std::iter::once("built-in".to_owned()).chain(files).collect();
            Finding::ok(NAME, from.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_to_do_and_counts() {
        let report = Report(vec![
            Finding::ok("a", "fine"),
            Finding::warn("longer", "odd", "see"),
            Finding::fail("c", "broken", "mend it"),
        ]);
        assert_eq!(
            report.text(),
            "ok    a       fine\nwarn  longer  odd\n              -> see\nfail  c       broken\n              -> mend it\n\
             1 ok, 1 to look at, 1 failed\n"
        );
        assert!(!report.is_good());
        assert_eq!(
            Report(vec![Finding::warn("a", "b", "c")]).json(),
            "{\"schema\":\"tally.self-test/1\",\"good\":true,\"findings\":[{\"name\":\"a\",\"level\":\"warn\",\"message\":\"b\",\"hint\":\"c\"}]}\n"
        );
    }
}
