//! Settings as they are shown: what is in force and where it came from; what a reload changed. Wire types only.

use std::path::Path;

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

/// What is told with the first of several faults, which stand at `places`: how many more there are, and the command that
/// lists them, of one of the `files` that were read if all are in it.
pub fn more_faults<'a>(
    places: impl IntoIterator<Item = &'a str>,
    files: impl IntoIterator<Item = &'a Path>,
) -> Option<String> {
    // Behind the name of a file are a line and a column.
    let file_of = |place: &'a str| place.rsplitn(3, ':').nth(2).map(Path::new);
    let mut places = places.into_iter().map(file_of);
    let file = places.next()?.filter(|file| files.into_iter().any(|read| read == *file));
    let rest: Vec<_> = places.collect();
    let how_many = match rest.len() {
        0 => return None,
        1 => "one more fault".to_owned(),
        more => format!("{more} more faults"),
    };
    let check = match file {
        Some(path) if rest.iter().all(|other| *other == file) => format!(" {}", path.display()),
        _ => String::new(),
    };
    Some(format!("and {how_many}; 'tally config check{check}' lists them"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_one_file_are_listed_by_a_check_of_that_file() {
        let told = |places: &[&'static str]| {
            more_faults(places.iter().copied(), [Path::new("/a/b:c.toml"), Path::new("d.toml")])
                .unwrap_or_default()
        };
        let one = "and one more fault; 'tally config check /a/b:c.toml' lists them";
        assert_eq!(told(&["/a/b:c.toml:1:1", "/a/b:c.toml:2:1"]), one);
        let two = "and 2 more faults; 'tally config check d.toml' lists them";
        assert_eq!(told(&["d.toml:1:1", "d.toml:2:1", "d.toml:3:1"]), two);
        let all = "and one more fault; 'tally config check' lists them";
        assert_eq!(told(&["d.toml:1:1", "TALLY_WORKERS"]), all);
        assert_eq!(told(&["TALLY_WORKERS", "d.toml:1:1"]), all);
        assert_eq!(told(&["gone.toml", "d.toml:1:1"]), all);
        assert_eq!(told(&["d.toml:1:1"]), "");
    }

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
