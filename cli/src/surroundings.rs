//! The world a command finds itself in: environment variables and the user.
//!
//! Read once, here, so that everything behind it can be tested with another world.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use tally_sys::process::own_uid;

/// The variables that matter to the command line. `tally help environment` explains each.
pub(crate) const VARIABLES: [&str; 21] = [
    "TALLY_SOCKET",
    "TALLY_COMPLETE",
    "TALLY_LOCK_TOKEN",
    "XDG_RUNTIME_DIR",
    "XDG_DATA_HOME",
    "HOME",
    "NO_COLOR",
    "CLICOLOR_FORCE",
    "TERM",
    "LC_ALL",
    "LC_CTYPE",
    "LANG",
    "COLUMNS",
    "LINES",
    "TMUX",
    "TERM_PROGRAM",
    "TERM_FEATURES",
    "VTE_VERSION",
    "XTERM_VERSION",
    "WT_SESSION",
    "ConEmuANSI",
];

/// Variables by name, and whether the user is root.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    variables: BTreeMap<&'static str, OsString>,
    pub(crate) is_root: bool,
}

impl Surroundings {
    pub(crate) fn of_this_process() -> Self {
        let variables =
            VARIABLES.iter().filter_map(|&name| std::env::var_os(name).map(|value| (name, value)));
        Self { variables: variables.collect(), is_root: own_uid() == 0 }
    }

    /// A variable that is set to something; empty counts as unset.
    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(name).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from)
    }

    /// Whether the terminal can show more than ASCII.
    pub(crate) fn is_utf8(&self) -> bool {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| self.get(name));
        let locale = locale.map(|value| value.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        locale.contains("utf-8") || locale.contains("utf8")
    }

    /// A world with just these variables.
    #[cfg(test)]
    pub(crate) fn with(variables: &[(&'static str, &str)]) -> Self {
        let variables = variables.iter().map(|&(name, value)| (name, OsString::from(value))).collect();
        Self { variables, is_root: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_variables_are_unset() {
        let around = Surroundings::with(&[("TALLY_SOCKET", ""), ("TERM", "dumb")]);
        assert_eq!(around.get("TALLY_SOCKET"), None);
        assert_eq!(around.get("TERM"), Some(OsStr::new("dumb")));
    }

    #[test]
    fn the_first_locale_variable_decides() {
        assert!(Surroundings::with(&[("LANG", "de_DE.UTF-8")]).is_utf8());
        assert!(Surroundings::with(&[("LANG", "C.utf8")]).is_utf8());
        assert!(!Surroundings::with(&[("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")]).is_utf8());
        assert!(!Surroundings::default().is_utf8());
    }
}
