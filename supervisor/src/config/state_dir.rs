//! Where jobs are kept: the setting `state_dir`, and what "auto" comes to.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A value of `state_dir`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateDir {
    /// The usual place.
    Auto,
    /// Nowhere: detached jobs end with the daemon.
    None,
    /// This directory.
    At(PathBuf),
}

impl StateDir {
    /// What it can be.
    pub(super) const FORM: &str = "auto, none, or the absolute path of a directory";

    /// Reads one. An empty text is "none".
    ///
    /// # Errors
    /// What is wrong, as a sentence about "it".
    pub(super) fn of(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "none" | "" => Ok(Self::None),
            path if path.starts_with('/') => Ok(Self::At(PathBuf::from(path))),
            _ => Err(format!("it can be {}", Self::FORM)),
        }
    }

    pub(super) fn check(text: &str) -> Result<(), String> {
        Self::of(text).map(drop)
    }

    /// The directory for a user with this environment; `None` for none.
    ///
    /// # Errors
    /// Why there is no usual place, as a fragment after "could not".
    pub fn directory(
        &self,
        is_root: bool,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<PathBuf>, &'static str> {
        let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        match self {
            Self::None => Ok(None),
            Self::At(path) => Ok(Some(path.clone())),
            Self::Auto => {
                // The service manager has made it, and names several with colons between.
                let given = variable("STATE_DIRECTORY")
                    .and_then(|paths| Some(PathBuf::from(paths.to_str()?.split(':').next()?)))
                    .filter(|path| path.is_absolute());
                let usual = || {
                    if is_root {
                        return Some(Path::new("/var/lib/tally").to_path_buf());
                    }
                    let home = || Some(absolute("HOME")?.join(".local/state"));
                    Some(absolute("XDG_STATE_HOME").or_else(home)?.join("tally"))
                };
                given.or_else(usual).map(Some).ok_or("choose a state directory: HOME is not set")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(
        text: &str,
        is_root: bool,
        variables: &[(&str, &str)],
    ) -> Result<Option<PathBuf>, &'static str> {
        let find = |name: &str| variables.iter().find(|one| one.0 == name).map(|one| OsString::from(one.1));
        StateDir::of(text).unwrap().directory(is_root, find)
    }

    #[test]
    fn the_usual_place_is_the_managers_the_systems_or_the_users() {
        let some = |path: &str| Ok(Some(PathBuf::from(path)));
        let all =
            [("STATE_DIRECTORY", "/var/lib/a:/var/lib/b"), ("XDG_STATE_HOME", "/x"), ("HOME", "/home/u")];
        assert_eq!(directory("auto", true, &all), some("/var/lib/a"));
        assert_eq!(directory("auto", true, &all[1..]), some("/var/lib/tally"));
        assert_eq!(directory("auto", false, &all[1..]), some("/x/tally"));
        assert_eq!(directory("auto", false, &all[2..]), some("/home/u/.local/state/tally"));
        assert_eq!(
            directory("auto", false, &[("HOME", "")]),
            Err("choose a state directory: HOME is not set")
        );
        assert_eq!(directory("none", false, &all), Ok(None));
        assert_eq!(directory("", true, &all), Ok(None));
        assert_eq!(directory("/y", true, &all), some("/y"));
        assert!(StateDir::of("here").is_err());
    }
}
