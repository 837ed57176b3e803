//! Layers of `key = value`, each value with where it came from.
//!
//! All faults of a layer are found, not only the first; a layer that has one adds nothing.

use std::collections::BTreeMap;
use std::fmt;

use toml::de::{DeTable, DeValue};

use super::keys::{self, KEYS, Key};
use super::{BUILT_IN, suggest};

/// A setting that cannot be. Fits after "could not read the configuration: ".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadSetting {
    /// File with line and column, variable or flag.
    pub place: String,
    /// What is wrong.
    pub why: String,
}

impl fmt::Display for BadSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A quoted key or word may hold anything; this is to be one line, in a log too.
        let line = format!("{}: {}", self.place, self.why);
        f.write_str(&line.replace(char::is_control, " "))
    }
}

impl std::error::Error for BadSetting {}

/// Which kind of layer a value came from, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// The built-in file.
    BuiltIn,
    /// A file.
    File,
    /// A variable.
    Environment,
    /// A flag.
    Flag,
}

impl Origin {
    /// Its word in JSON.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::BuiltIn => "built-in",
            Self::File => "file",
            Self::Environment => "environment",
            Self::Flag => "flag",
        }
    }
}

/// One value as written, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) text: String,
    pub(super) origin: Origin,
    pub(super) place: String,
}

/// All layers read so far, the last word for each key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
        let faults = layers.add_text(BUILT_IN, "built-in config.toml", Origin::BuiltIn);
        faults.into_iter().next().map_or(Ok(layers), Err)
    }

    /// Adds the text of a file and returns what is wrong with it; if anything is, nothing is added.
    pub fn add_toml(&mut self, text: &str, file: &str) -> Vec<BadSetting> {
        self.add_text(text, file, Origin::File)
    }

    fn add_text(&mut self, text: &str, file: &str, origin: Origin) -> Vec<BadSetting> {
        let at = |offset: usize| format!("{file}:{}", line_and_column(text, offset));
        let (table, broken) = DeTable::parse_recoverable(text);
        if !broken.is_empty() {
            let fault = |error: toml::de::Error| {
                let offset = error.span().map_or(0, |span| span.start);
                let why = error.message().replace('\n', ", ");
                let is_word = text.get(offset..).is_some_and(|rest| rest.starts_with(char::is_alphabetic));
                let quotes = if is_word { "; words are written in quotes" } else { "" };
                let why = match key_at(text, offset) {
                    Some(key) => format!("the value of {key} is no TOML ({why}){quotes}"),
                    None => why,
                };
                (
                    text.get(..offset).unwrap_or(text).matches('\n').count(),
                    BadSetting { place: at(offset), why },
                )
            };
            let mut faults: Vec<_> = broken.into_iter().map(fault).collect();
            // What follows in the same line comes of the first.
            faults.dedup_by_key(|(line, _)| *line);
            return faults.into_iter().map(|(_, fault)| fault).collect();
        }
        let mut entries: Vec<_> = table.get_ref().iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let mut faults = Vec::new();
        let mut layer = Self::default();
        for (key, value) in entries {
            let place = at(key.span().start);
            let name: &str = key.get_ref();
            let added = match keys::find(name) {
                None => Err(unknown(name, place)),
                Some(key) => match plain(value.get_ref()) {
                    Some(text) => layer.put(key, text, origin, place),
                    None => {
                        let why = format!("{name} cannot be {}", kind_of(value.get_ref()));
                        Err(BadSetting { place, why })
                    }
                },
            };
            faults.extend(added.err());
        }
        self.overlay(layer, faults)
    }

    /// Adds values of one kind of layer, each with its key and place, and returns what is wrong with them.
    pub(super) fn add_pairs(
        &mut self,
        origin: Origin,
        pairs: impl Iterator<Item = (String, String, String)>,
    ) -> Vec<BadSetting> {
        let mut layer = Self::default();
        let faults = pairs.filter_map(|(name, text, place)| match keys::find(&name) {
            Some(key) => layer.put(key, text, origin, place).err(),
            None => Some(unknown(&name, place)),
        });
        let faults = faults.collect();
        self.overlay(layer, faults)
    }

    fn put(&mut self, key: &Key, text: String, origin: Origin, place: String) -> Result<(), BadSetting> {
        match key.check(&text) {
            Ok(()) => {
                self.values.insert(key.name, Written { text, origin, place });
                Ok(())
            }
            Err(why) => Err(BadSetting { place, why }),
        }
    }

    /// A whole layer or nothing of it.
    fn overlay(&mut self, layer: Self, faults: Vec<BadSetting>) -> Vec<BadSetting> {
        if faults.is_empty() {
            self.values.extend(layer.values);
        }
        faults
    }

    pub(super) fn get(&self, key: &str) -> Result<&Written, BadSetting> {
        self.values
            .get(key)
            .ok_or_else(|| BadSetting { place: "configuration".to_owned(), why: format!("{key} is missing") })
    }

    /// Takes the value of a key from other layers.
    pub(super) fn keep(&mut self, key: &Key, from: &Self) {
        if let Some(written) = from.values.get(key.name) {
            self.values.insert(key.name, written.clone());
        }
    }

    /// Every key with its value, in the order of `config.toml`.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static Key, &Written)> {
        KEYS.iter().filter_map(|key| Some((key, self.values.get(key.name)?)))
    }
}

fn unknown(name: &str, place: String) -> BadSetting {
    let names: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
    BadSetting { place, why: format!("unknown setting '{name}'{}", suggest::question(name, &names)) }
}

/// A word, a whole number, true or false; nothing else is a value here.
fn plain(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(|number| number.to_string())
        }
        DeValue::Boolean(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// The key whose value stands at an offset of a text that is no TOML.
fn key_at(text: &str, offset: usize) -> Option<&'static str> {
    let line = text.get(..offset)?.rsplit('\n').next()?;
    let (name, _) = line.split_once('=')?;
    keys::find(name.trim()).map(|key| key.name)
}

fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a number that large",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// `line:column`, both counted from 1, the column in characters.
fn line_and_column(text: &str, offset: usize) -> String {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    format!("{line}:{column}")
}

#[cfg(test)]
mod tests {
    use super::super::Configuration;
    use super::*;

    #[test]
    fn the_built_in_file_names_every_key_in_order_and_is_right() {
        let layers = Layers::built_in().unwrap();
        let named: Vec<&str> = layers.iter().map(|(key, _)| key.name).collect();
        assert_eq!(named, KEYS.iter().map(|key| key.name).collect::<Vec<_>>());
        let lines: Vec<&str> = BUILT_IN.lines().filter(|line| !line.starts_with('#')).collect();
        let written: Vec<&str> = lines.iter().filter_map(|line| Some(line.split_once(" = ")?.0)).collect();
        assert_eq!(written, named, "config.toml has them in the same order");
        Configuration::of(&layers).unwrap();
    }

    #[test]
    fn a_value_that_is_no_toml_is_told_with_its_key() {
        let faults = Layers::default().add_toml("retries = 7\nworkers = nonsense\n", "a.toml");
        let told = faults.first().map(ToString::to_string).unwrap_or_default();
        assert!(told.starts_with("a.toml:2:11: the value of workers is no TOML ("), "{told}");
        let faults = Layers::default().add_toml("retries 7\n", "a.toml");
        let told = faults.first().map(ToString::to_string).unwrap_or_default();
        assert!(told.starts_with("a.toml:1:") && !told.contains("no TOML"), "{told}");
    }

    #[test]
    fn later_layers_win_key_by_key() {
        let mut layers = Layers::built_in().unwrap();
        assert!(layers.add_toml("retries = 7\nlease_ms = 500", "a.toml").is_empty());
        let pair = ("retries".to_owned(), "9".to_owned(), "TALLY_RETRIES".to_owned());
        assert!(layers.add_pairs(Origin::Environment, [pair].into_iter()).is_empty());
        let configuration = Configuration::of(&layers).unwrap();
        assert_eq!((configuration.retries, configuration.lease_ms), (9, 500));
        assert_eq!(layers.get("lease_ms").unwrap().place, "a.toml:2:1");
    }

    #[test]
    fn every_fault_is_told_with_its_place_and_nothing_is_taken() {
        let bad = |text: &str| {
            let mut layers = Layers::built_in().unwrap();
            let faults = layers.add_toml(text, "a.toml");
            assert_eq!(layers, Layers::built_in().unwrap());
            faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(bad("# x\nretires = 1"), "a.toml:2:1: unknown setting 'retires'; did you mean 'retries'?");
        assert_eq!(bad("retries = 101"), "a.toml:1:1: retries is 101; it can be 0 to 100");
        assert_eq!(bad("\n  retries = true"), "a.toml:2:3: retries is 'true'; it can be 0 to 100");
        assert_eq!(bad("[retries]\nx = 1"), "a.toml:1:2: retries cannot be a table");
        assert_eq!(
            bad("retries = 99999999999999999999"),
            "a.toml:1:1: retries cannot be a number that large"
        );
        assert_eq!(
            bad("workers = 4\ntransport = \"smh\"\nx = 1"),
            "a.toml:2:1: transport is 'smh'; it can be shm, shm-named, pipe, mqueue, channel; did you mean 'shm'?\n\
             a.toml:3:1: unknown setting 'x'"
        );
        assert_eq!(bad("\"a\\nb\" = 1"), "a.toml:1:1: unknown setting 'a b'", "one line");
        let error = bad("# x\nretries = \n");
        assert!(error.starts_with("a.toml:2:11: "), "{error}");
        let error = bad("workers = = 2\nretries = many\n");
        let lines: Vec<&str> = error.lines().collect();
        assert_eq!(lines.len(), 2, "{error}");
        assert!(lines[0].starts_with("a.toml:1:") && !lines[0].contains("quotes"), "{error}");
        assert!(
            lines[1].starts_with("a.toml:2:11: ") && lines[1].ends_with("words are written in quotes"),
            "{error}"
        );
        let error = bad("retries = 1\nretries = 2\n");
        assert!(error.starts_with("a.toml:2:1: duplicate key"), "{error}");
    }
}
