//! Settings as they are shown: what is in force and where it came from; what a reload changed. Wire types only.

use serde::{Deserialize, Serialize};

/// One setting in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingView {
    /// Its key in `config.toml`.
    pub key: String,
    /// Its value as text; words without quotes.
    pub value: String,
    /// `built-in`, `file`, `environment` or `flag`.
    pub origin: String,
    /// Where it was written: a file with line and column, a variable, a flag; absent for built-in ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The value when nobody says otherwise.
    pub default: String,
    /// What it can be, in words.
    pub range: String,
    /// The variable that sets it.
    pub variable: String,
    /// The flag of `tally daemon` that sets it.
    pub flag: String,
    /// What a reload does: `live`, `new-workers` or `restart`.
    pub reload: String,
}

/// All settings in force, in the order of `config.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigView {
    /// Each of them.
    pub settings: Vec<SettingView>,
    /// What is odd without being wrong: a variable that is no setting.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// One setting that a reload changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeView {
    /// Its key in `config.toml`.
    pub key: String,
    /// What was in force.
    pub from: String,
    /// What was read.
    pub to: String,
}

/// What a reload came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadView {
    /// What is in force from now on.
    pub changed: Vec<ChangeView>,
    /// What was read and waits for a restart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs_restart: Vec<ChangeView>,
    /// What is odd without being wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl ReloadView {
    /// What was done, in one line.
    #[must_use]
    pub fn summary(&self) -> String {
        let list = |changes: &[ChangeView]| {
            let each = changes.iter().map(|one| format!("{} {} -> {}", one.key, one.from, one.to));
            each.collect::<Vec<_>>().join(", ")
        };
        match (&self.changed[..], &self.needs_restart[..]) {
            ([], []) => "nothing has changed".to_owned(),
            (changed, []) => list(changed),
            ([], waiting) => format!("needs a restart: {}", list(waiting)),
            (changed, waiting) => format!("{}; needs a restart: {}", list(changed), list(waiting)),
        }
    }
}

/// What one place in a configuration has wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultView {
    /// A file with line and column, a variable, a flag.
    pub place: String,
    /// What is wrong.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_is_told_in_a_line() {
        let change = |key: &str| ChangeView { key: key.into(), from: "1".into(), to: "2".into() };
        let mut view = ReloadView::default();
        assert_eq!(view.summary(), "nothing has changed");
        view.changed = vec![change("workers"), change("retries")];
        assert_eq!(view.summary(), "workers 1 -> 2, retries 1 -> 2");
        view.needs_restart = vec![change("metrics_listen")];
        assert_eq!(view.summary(), "workers 1 -> 2, retries 1 -> 2; needs a restart: metrics_listen 1 -> 2");
    }
}
