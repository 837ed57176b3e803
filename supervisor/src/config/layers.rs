//! Layers of `key = value`, each value with where it came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::BUILT_IN;
use super::keys::{Configuration, KEYS};

/// A setting that cannot be. Fits after "could not read the configuration: ".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadSetting {
    /// File, variable or flag.
    pub place: String,
    /// What is wrong.
    pub why: String,
}

impl fmt::Display for BadSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.why)
    }
}

impl std::error::Error for BadSetting {}

/// One value as written, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) text: String,
    pub(super) place: String,
}

/// All layers read so far, the last word for each key.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    values: BTreeMap<&'static str, Written>,
}

impl Layers {
    /// The built-in defaults alone.
    ///
    /// # Errors
    /// Never, as a test shows; the built-in file is read like any other.
    pub fn built_in() -> Result<Self, BadSetting> {
        let mut layers = Self::default();
        layers.add_toml(BUILT_IN, "built-in config.toml")?;
        Ok(layers)
    }

    /// Adds a file; one that does not exist adds nothing.
    ///
    /// # Errors
    /// When it cannot be read or holds a bad setting.
    pub fn add_file(&mut self, path: &Path) -> Result<(), BadSetting> {
        let place = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => self.add_toml(&text, &place),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(BadSetting { place, why: error.to_string() }),
        }
    }

    /// Adds the text of a file.
    ///
    /// # Errors
    /// When it is no TOML or holds an unknown key or a value of the wrong type.
    pub fn add_toml(&mut self, text: &str, place: &str) -> Result<(), BadSetting> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map_or(1, |span| {
                text.as_bytes()[..span.start.min(text.len())].iter().filter(|&&byte| byte == b'\n').count()
                    + 1
            });
            BadSetting { place: format!("{place}:{line}"), why: error.message().to_owned() }
        })?;
        let mut layer = Self::default();
        for (key, value) in table {
            let place = match line_of(text, &key) {
                Some(line) => format!("{place}:{line}"),
                None => place.to_owned(),
            };
            let value = match value {
                toml::Value::String(text) => text,
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Boolean(yes) => yes.to_string(),
                other => {
                    return Err(BadSetting { place, why: format!("{key} cannot be {}", other.type_str()) });
                }
            };
            layer.set(&key, value, place)?;
        }
        // A whole layer or nothing of it: its values are tried before they count.
        let mut all = self.clone();
        all.values.extend(layer.values);
        if all.values.len() == KEYS.len() {
            Configuration::of(&all)?;
        }
        *self = all;
        Ok(())
    }

    /// Adds variables named `TALLY_` and a key in capitals. Others with that prefix are not settings and are let be.
    ///
    /// # Errors
    /// When a value is bad.
    pub fn add_environment(
        &mut self,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<(), BadSetting> {
        for (name, value) in variables {
            let key = name.strip_prefix("TALLY_").map(str::to_ascii_lowercase);
            if let Some(key) = key.filter(|key| KEYS.contains(&key.as_str())) {
                self.set(&key, value, name)?;
            }
        }
        Configuration::of(self).map(drop)
    }

    /// Sets one key.
    ///
    /// # Errors
    /// When there is no such key.
    pub fn set(&mut self, key: &str, text: String, place: String) -> Result<(), BadSetting> {
        match KEYS.iter().find(|known| **known == key) {
            Some(known) => {
                self.values.insert(known, Written { text, place });
                Ok(())
            }
            None => Err(BadSetting { place, why: format!("unknown setting '{key}'") }),
        }
    }

    pub(super) fn get(&self, key: &str) -> Result<&Written, BadSetting> {
        self.values
            .get(key)
            .ok_or_else(|| BadSetting { place: "configuration".to_owned(), why: format!("{key} is missing") })
    }
}

/// The line on which a key stands, counted from 1.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let stands = |line: &str| {
        line.trim_start().strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    text.lines().position(stands).map(|index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_file_names_every_key_and_is_right() {
        let layers = Layers::built_in().unwrap();
        assert_eq!(layers.values.keys().copied().collect::<Vec<_>>(), {
            let mut keys = KEYS.to_vec();
            keys.sort_unstable();
            keys
        });
        Configuration::of(&layers).unwrap();
    }

    #[test]
    fn later_layers_win_key_by_key() {
        let mut layers = Layers::built_in().unwrap();
        layers.add_toml("retries = 7\nlease_ms = 500", "a.toml").unwrap();
        layers
            .add_environment(
                [("TALLY_RETRIES".to_owned(), "9".to_owned()), ("TALLY_SOCKET".to_owned(), "x".to_owned())]
                    .into_iter(),
            )
            .unwrap();
        let configuration = Configuration::of(&layers).unwrap();
        assert_eq!((configuration.retries, configuration.lease_ms), (9, 500));
    }

    #[test]
    fn bad_settings_are_refused_with_their_place() {
        let bad = |text: &str| {
            let mut layers = Layers::built_in().unwrap();
            let error = layers.add_toml(text, "a.toml").unwrap_err().to_string();
            assert_eq!(Configuration::of(&layers), Configuration::of(&Layers::built_in().unwrap()));
            error
        };
        assert_eq!(bad("# x\nretires = 1"), "a.toml:2: unknown setting 'retires'");
        assert_eq!(bad("retries = 101"), "a.toml:1: retries is 101; it can be 0 to 100");
        assert_eq!(bad("\nretries = 1.5"), "a.toml:2: retries cannot be float");
        assert_eq!(bad("retries = true"), "a.toml:1: retries is true; it can be 0 to 100");
        assert_eq!(
            bad("transport = \"smh\""),
            "a.toml:1: transport is 'smh'; it can be shm, shm-named, pipe, mqueue, channel"
        );
        let error = bad("# x\nretries = \n");
        assert!(error.starts_with("a.toml:2: "), "{error}");
    }
}
