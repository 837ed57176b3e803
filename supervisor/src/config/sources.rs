//! Where settings are read from, at the start and again at each reload: the same files, and the environment and
//! flags of the start.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use tally_protocol::limits;
use tally_sys::reason::reason;

use super::keys::{self, KEYS};
use super::layers::{BadSetting, Layers, Origin};
use super::{Configuration, suggest};

/// Variables that begin like settings and are none: those of the command line, and those that tally itself sets for the
/// commands of kernels, locks and queues. `tally help environment` tells of them.
const OTHER_VARIABLES: [&str; 14] = [
    "TALLY_SOCKET",
    "TALLY_COMPLETE",
    "TALLY_LOCK",
    "TALLY_LOCK_TOKEN",
    "TALLY_FENCE",
    "TALLY_END",
    "TALLY_JOB",
    "TALLY_SLOT",
    "TALLY_PARTITION",
    "TALLY_ATTEMPT",
    "TALLY_FILE",
    "TALLY_RECEIPT",
    "TALLY_DELIVERY",
    "TALLY_CRASH_AT",
];
/// Variables of the tests.
const TEST_PREFIX: &str = "TALLY_TEST_";

/// Where a daemon's settings come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Files that need not be there.
    usual: Vec<PathBuf>,
    /// A file that must be there.
    named: Option<PathBuf>,
    /// Variables whose names begin with `TALLY_`, as they were at the start.
    variables: Vec<(String, OsString)>,
    /// Key and value.
    flags: Vec<(String, String)>,
    /// Files that were there when they were read last: they must not vanish.
    found: BTreeSet<PathBuf>,
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// What holds, with its places.
    pub layers: Layers,
    /// Everything that is wrong. What stands in a layer with a fault is not in `layers`.
    pub faults: Vec<BadSetting>,
    /// What is odd without being wrong.
    pub warnings: Vec<String>,
    /// The files that were there.
    pub files: BTreeSet<PathBuf>,
}

impl Sources {
    /// The usual files, this process's environment, and what the command line adds.
    #[must_use]
    pub fn of_this_process(config: Option<&Path>, flags: &[(String, String)]) -> Self {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            (name.starts_with("TALLY_") && !value.is_empty()).then_some((name, value))
        });
        // Within a kernel TALLY_START is the first number of a partition, not how workers are started.
        let within = std::env::var_os("TALLY_SLOT").is_some();
        let variables = variables.filter(|(name, _)| !(within && name == "TALLY_START"));
        Self {
            usual: usual_files(),
            // A daemon may change its directory later.
            named: config.map(|path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())),
            variables: variables.collect(),
            flags: flags.to_vec(),
            found: BTreeSet::new(),
        }
    }

    /// One file alone, on top of the built-in defaults.
    #[must_use]
    pub fn of_file(path: &Path) -> Self {
        Self { named: Some(path.to_path_buf()), ..Self::default() }
    }

    /// Reads everything. The same sources are read again at a reload: see [`Sources::remember`].
    #[must_use]
    pub fn read(&self) -> Reading {
        let mut reading = Reading::default();
        match Layers::built_in() {
            Ok(layers) => reading.layers = layers,
            Err(fault) => reading.faults.push(fault),
        }
        for path in &self.usual {
            self.read_file(path, self.found.contains(path), &mut reading);
        }
        if let Some(path) = &self.named {
            self.read_file(path, true, &mut reading);
        }
        self.read_environment(&mut reading);
        let flags = self.flags.iter().map(|(key, value)| {
            let place = format!("--{}", key.replace('_', "-"));
            (key.clone(), value.clone(), place)
        });
        let faults = reading.layers.add_pairs(Origin::Flag, flags);
        reading.faults.extend(faults);
        if reading.faults.is_empty() {
            reading.faults.extend(Configuration::of(&reading.layers).err());
        }
        reading
    }

    /// These files were read well; if one is gone the next time, somebody lost it.
    pub fn remember(&mut self, reading: &Reading) {
        self.found.clone_from(&reading.files);
    }

    fn read_file(&self, path: &Path, must_be_there: bool, reading: &mut Reading) {
        let place = path.display().to_string();
        match text_of(path, !self.found.is_empty()) {
            Ok(text) => {
                reading.files.insert(path.to_path_buf());
                let faults = reading.layers.add_toml(&text, &place);
                reading.faults.extend(faults);
            }
            Err(why) if why.kind() == io::ErrorKind::NotFound => {
                if must_be_there {
                    let why =
                        if self.found.contains(path) { "the file is gone" } else { "there is no such file" };
                    reading.faults.push(BadSetting { place, why: why.to_owned() });
                }
            }
            Err(why) => {
                reading.faults.push(BadSetting { place, why: reason(&why) });
            }
        }
    }

    fn read_environment(&self, reading: &mut Reading) {
        let mut pairs = Vec::new();
        for (name, value) in &self.variables {
            let key = name.trim_start_matches("TALLY_").to_ascii_lowercase();
            if keys::find(&key).is_none_or(|known| known.variable() != *name) {
                reading.warnings.extend(stranger(name));
                continue;
            }
            match value.to_str() {
                Some(text) => pairs.push((key, text.to_owned(), name.clone())),
                None => {
                    reading.faults.push(BadSetting { place: name.clone(), why: "it is no text".to_owned() });
                }
            }
        }
        let faults = reading.layers.add_pairs(Origin::Environment, pairs.into_iter());
        reading.faults.extend(faults);
    }
}

impl Reading {
    /// What it comes to.
    ///
    /// # Errors
    /// The first fault.
    pub fn configuration(&self) -> Result<Configuration, BadSetting> {
        match self.faults.first() {
            Some(fault) => Err(fault.clone()),
            None => Configuration::of(&self.layers),
        }
    }
}

/// A variable that looks like a setting and is none.
fn stranger(name: &str) -> Option<String> {
    if OTHER_VARIABLES.contains(&name) || name.starts_with(TEST_PREFIX) {
        return None;
    }
    let names: Vec<String> = KEYS.iter().map(keys::Key::variable).collect();
    let known = names.iter().map(String::as_str).chain(OTHER_VARIABLES);
    // Near words are looked for in small letters.
    let lower: Vec<String> = known.map(str::to_lowercase).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    let question = match suggest::nearest(name, &lower) {
        Some(near) => format!("; did you mean '{}'?", near.to_uppercase()),
        None => String::new(),
    };
    Some(format!("{name} in the environment is no setting{question}"))
}

/// The text of a file of sensible size. Only the first time may it be a pipe, which the shell made of `<(...)`:
/// later the daemon has better to do than to wait for one.
fn text_of(path: &Path, again: bool) -> io::Result<String> {
    let meta = std::fs::metadata(path)?;
    if meta.is_dir() || (again && !meta.is_file()) {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    let read = file.take(limits::CONFIG_BYTES_MAX + 1).read_to_string(&mut text);
    match read {
        Ok(count) if count as u64 > limits::CONFIG_BYTES_MAX => {
            Err(io::Error::other(format!("it is longer than {} bytes", limits::CONFIG_BYTES_MAX)))
        }
        Ok(_) => Ok(text),
        Err(why) if why.kind() == io::ErrorKind::InvalidData => Err(io::Error::other("it is not UTF-8")),
        Err(why) => Err(why),
    }
}

/// The files that are read if they exist, in order.
fn usual_files() -> Vec<PathBuf> {
    let home = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".config")));
    let mut files = vec![PathBuf::from("/etc/tally/config.toml")];
    files.extend(home.map(|home| home.join("tally/config.toml")));
    files
}
