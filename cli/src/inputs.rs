//! Files named as sources: opened here, with the rights of whoever typed the command, and passed on as descriptors.
//!
//! A source that begins like a number and has `..` in it is a range; `-` is standard input, which is read to its end
//! first; everything else is a file, or a pattern for several.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Seek as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::limits;
use tally_protocol::near;
use tally_protocol::range::looks_like_range;
use tally_protocol::source::{FileIdentity, FileSource};
use tally_protocol::spoken;
use tally_sys::clock;
use tally_sys::map::{FileState, file_state};
use tally_sys::signal::AtOnce;
use tally_sys::spool::spool;

use crate::place;
use crate::report;

/// Open files, in the order of a job's sources.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    fds: Arc<Vec<OwnedFd>>,
    /// What each is called, and how it was when it was opened.
    found: Arc<Vec<(String, FileState)>>,
    /// Failures are objects for programs.
    json: bool,
}

/// Two are equal if they hold as many: what matters of them is in the job.
impl PartialEq for Inputs {
    fn eq(&self, other: &Self) -> bool {
        self.fds.len() == other.fds.len()
    }
}

impl Inputs {
    /// The same for a command that tells its failures in this way.
    pub(crate) fn told(self, json: bool) -> Self {
        Self { json, ..self }
    }

    /// What is told, ready to be written, when this process reads one of them and it was cut: `name`, where it is known.
    #[must_use]
    pub fn cut(&self, name: Option<&str>) -> String {
        let name = name.unwrap_or("a file");
        let message = format!("could not read {name}: it was cut while the job ran");
        report::plain(&Failure::new(ErrorCode::KernelFailed, message), self.json)
    }

    /// The descriptors, in order.
    #[must_use]
    pub fn fds(&self) -> Vec<BorrowedFd<'_>> {
        self.fds.iter().map(AsFd::as_fd).collect()
    }

    /// Whether all are what they were when they were opened: a job that is asked for again must not get another answer.
    pub(crate) fn unchanged(&self) -> Result<(), Failure> {
        for (fd, (name, before)) in self.fds.iter().zip(&*self.found) {
            // It may have lost its name, or got another one: that is no change of what it holds.
            let same =
                |now| FileState { named: before.named, changed_ns: before.changed_ns, ..now } == *before;
            if !file_state(fd).is_ok_and(same) {
                let message = format!("could not read {name}: it was changed since it was opened");
                return Err(Failure::new(ErrorCode::KernelFailed, message));
            }
        }
        Ok(())
    }

    /// Descriptors of their own, for somebody who keeps them.
    ///
    /// # Errors
    /// When the system gives no more.
    pub fn copies(&self) -> io::Result<Vec<OwnedFd>> {
        self.fds.iter().map(OwnedFd::try_clone).collect()
    }
}

/// What the sources of a command turned out to be.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) inputs: Inputs,
    /// The names of the files, patterns replaced by what they match.
    pub(crate) names: Vec<String>,
    pub(crate) facts: Vec<FileSource>,
}

/// Whether a source is meant as a range.
pub(crate) fn is_range(source: &str) -> bool {
    source.contains("..") && source.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+')
}

/// Opens all of them. A stream that does not end within `timeout_ms` is an error.
pub(crate) fn open(sources: &[String], timeout_ms: Option<u64>) -> Result<Opened, Failure> {
    let until_ns = timeout_ms.map(|ms| clock::monotonic_ns().saturating_add(ms.saturating_mul(1_000_000)));
    let (mut fds, mut names, mut facts) = (Vec::new(), Vec::<String>::new(), Vec::new());
    let mut found = Vec::new();
    for source in sources {
        for name in matches(source)? {
            let failed = |why: &io::Error| {
                if let (io::ErrorKind::TimedOut, Some(ms)) = (why.kind(), timeout_ms) {
                    let message = format!(
                        "could not read {name}: it did not come to its end within {}",
                        spoken::time(ms)
                    );
                    return Failure::new(ErrorCode::TimedOut, message);
                }
                let code = match why.kind() {
                    io::ErrorKind::PermissionDenied => ErrorCode::NotPermitted,
                    _ => ErrorCode::BadUsage,
                };
                let shown = if name.is_empty() { "''" } else { &name };
                let failure = Failure::new(code, format!("could not open {shown}: {}", place::reason(why)));
                match why.kind() {
                    _ if Path::new(&name).is_dir() => {
                        failure.hint(format!("name the files in it: '{}/*.csv'", name.trim_end_matches('/')))
                    }
                    io::ErrorKind::NotFound if name.starts_with("--") => {
                        failure.hint("options go before '--': what follows it are sources")
                    }
                    io::ErrorKind::NotFound if typeset(&name).is_some() => {
                        failure.hint(typeset(&name).unwrap_or_default())
                    }
                    io::ErrorKind::NotFound if name.starts_with("..") && looks_like_range(&name) => {
                        failure.hint(format!("a range has both ends: 0{name}"))
                    }
                    io::ErrorKind::NotFound if looks_like_numbers(&name) => {
                        failure.hint("a range looks like 0..100 or 1..=100")
                    }
                    io::ErrorKind::NotFound => match beside(&name) {
                        Some(other) => failure.hint(format!("did you mean '{other}'?")),
                        None if name.contains('/') => failure,
                        None => failure.hint("a range looks like 0..100 or 1..=100"),
                    },
                    _ => failure,
                }
            };
            if names.len() == limits::FILES_MAX {
                let most = limits::FILES_MAX;
                return Err(Failure::new(
                    ErrorCode::BadUsage,
                    format!(
                        "could not open {name}: it is one more than the {most} files that a job may have"
                    ),
                )
                .hint("run one command for some of them, and one for the others"));
            }
            if name == "-" && names.contains(&name) {
                return Err(failed(&io::Error::other("standard input can be read once")));
            }
            let file = opened(&name, until_ns).map_err(|why| failed(&why))?;
            let state = file_state(&file).map_err(|why| failed(&why))?;
            facts.push(FileSource {
                name: String::new(),
                bytes: state.bytes,
                identity: FileIdentity {
                    device: state.device,
                    inode: state.inode,
                    bytes: state.bytes,
                    modified_ns: state.modified_ns,
                },
                format: None,
                path: path_of(&name, &state),
                changed_ns: None,
                nameless: !state.named,
            });
            found.push((name.clone(), state));
            fds.push(file.into());
            names.push(name);
        }
    }
    Ok(Opened { inputs: Inputs { fds: Arc::new(fds), found: Arc::new(found), json: false }, names, facts })
}

/// The absolute path of a file, for a command that opens it by its name.
fn path_of(name: &str, state: &FileState) -> Option<String> {
    let path = std::path::absolute(name).ok().filter(|_| name != "-" && state.named)?;
    path.into_os_string().into_string().ok()
}

/// What a word processor makes of hyphens and dots: dashes, a minus sign, an ellipsis.
fn typeset(name: &str) -> Option<String> {
    let rest = name.trim_start_matches(['\u{2010}', '\u{2013}', '\u{2014}', '\u{2212}']);
    let dots = rest.replace('\u{2026}', "..");
    let numbers = dots.starts_with(|c: char| c.is_ascii_digit());
    match (rest.len() < name.len(), numbers) {
        (true, true) => Some(format!("a minus sign is a plain hyphen: -{dots}")),
        (true, false) => Some(format!("an option begins with two plain hyphens: --{rest}")),
        (false, true) if dots != rest => Some(format!("a range has two plain dots: {dots}")),
        (false, _) => None,
    }
}

/// `1-100`, `10`: digits and what people put between two of them.
fn looks_like_numbers(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_digit() || "-:.,_".contains(c))
}

/// A file in the same directory whose name is nearly this one.
fn beside(name: &str) -> Option<String> {
    const LOOKED_AT_MAX: usize = 10_000;
    let path = Path::new(name);
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let files = std::fs::read_dir(directory.unwrap_or(Path::new("."))).ok()?.take(LOOKED_AT_MAX).flatten();
    let mut names: Vec<String> = files.filter_map(|file| file.file_name().into_string().ok()).collect();
    names.sort();
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    let (_, near) = near::nearest(path.file_name()?.to_str()?, &known).into_iter().next()?;
    Some(path.with_file_name(near).display().to_string())
}

/// The files of a pattern, in order; a name that is one of a file stands for itself.
fn matches(source: &str) -> Result<Vec<String>, Failure> {
    let is_pattern = source.contains(['*', '?', '[']);
    if !is_pattern || std::fs::symlink_metadata(source).is_ok() {
        return Ok(vec![source.to_owned()]);
    }
    let bad =
        |why: String| Failure::new(ErrorCode::BadUsage, format!("could not find files for {source}: {why}"));
    let found = glob::glob(source).map_err(|why| match source.contains('[') {
        true => {
            bad("a '[' in it is not closed".to_owned()).hint("'[[]' in a pattern is the character itself")
        }
        false => bad(why.msg.to_owned()),
    })?;
    let paths = found.map(|path| path.map_err(|why| bad(why.to_string()))).collect::<Result<Vec<_>, _>>()?;
    let names: Vec<String> =
        paths.iter().filter(|path| path.is_file()).map(|path| path.display().to_string()).collect();
    if let Some(name) = passed_over(source, &paths) {
        return Err(bad(format!("the name of '{}' is not UTF-8 text", name.display()))
            .hint("rename it, or give it as standard input: - < FILE"));
    }
    if names.is_empty() { Err(bad("none matches".to_owned())) } else { Ok(names) }
}

/// A file that a pattern means and that is not found, as its name is no text.
fn passed_over(source: &str, found: &[PathBuf]) -> Option<PathBuf> {
    let (place, last) = source.rsplit_once('/').unwrap_or((".", source));
    let pattern = glob::Pattern::new(last).ok()?;
    let places: BTreeSet<&Path> = match place {
        "" => BTreeSet::from([Path::new("/")]),
        // Of directories that a pattern stands for, those in which it has found something.
        _ if place.contains(['*', '?', '[']) => found.iter().filter_map(|path| path.parent()).collect(),
        _ => BTreeSet::from([Path::new(place)]),
    };
    let entries = places.into_iter().filter_map(|place| std::fs::read_dir(place).ok()).flatten().flatten();
    let mut odd = entries.filter(|entry| {
        let name = entry.file_name();
        name.to_str().is_none() && pattern.matches(&name.to_string_lossy())
    });
    odd.find(|entry| entry.path().is_file()).map(|entry| entry.path())
}

/// A regular file that has what a source has.
fn opened(name: &str, until_ns: Option<u64>) -> io::Result<File> {
    if name == "-" && tally_sys::streams::input_was_closed() {
        return Err(io::Error::other("it is closed"));
    }
    let mut file =
        if name == "-" { File::from(io::stdin().as_fd().try_clone_to_owned()?) } else { File::open(name)? };
    let state = file_state(&file)?;
    // Files of the kernel have no size; what is in them is known when it is read. Standard input may be a file of which
    // somebody has read a part already.
    if state.regular && state.bytes > 0 && (name != "-" || file.stream_position()? == 0) {
        return Ok(file);
    }
    if file.metadata()?.is_dir() {
        return Err(io::Error::other("it is a directory"));
    }
    // Who writes into it may take its time, and an interrupt must not wait for that.
    let _at_once = AtOnce::new()?;
    // A pipe or a device has no parts: what it holds now is the source.
    let spooled = spool(&file, limits::SPOOL_MEMORY_BYTES, &room(), until_ns).map(File::from)?;
    // An empty file is itself, with its name.
    if state.regular && state.bytes == 0 && name != "-" && spooled.metadata()?.len() == 0 {
        return Ok(file);
    }
    Ok(spooled)
}

/// Where there is room for what is too large for memory.
fn room() -> PathBuf {
    std::env::var_os("TMPDIR")
        .filter(|path| !path.is_empty())
        .map_or_else(|| "/var/tmp".into(), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_dots_are_ranges() {
        for range in ["0..10", "-5..5", "+1..=2", "1..x"] {
            assert!(is_range(range), "{range}");
        }
        for file in ["data.csv", "../data.csv", "-", "a..b", "1.csv"] {
            assert!(!is_range(file), "{file}");
        }
    }

    #[test]
    fn what_a_word_processor_has_changed_is_told() {
        let hint = |name: &str| open(&[name.to_owned()], None).unwrap_err().hint;
        let option = Some("an option begins with two plain hyphens: --json".to_owned());
        assert_eq!(hint("\u{2014}json"), option);
        assert_eq!(hint("\u{2013}\u{2013}json"), option);
        assert_eq!(hint("\u{2013}5..5"), Some("a minus sign is a plain hyphen: -5..5".to_owned()));
        assert_eq!(hint("\u{2212}5\u{2026}5"), Some("a minus sign is a plain hyphen: -5..5".to_owned()));
        assert_eq!(hint("1\u{2026}10"), Some("a range has two plain dots: 1..10".to_owned()));
        assert_eq!(hint("/no/caf\u{e9}"), None);
    }

    #[test]
    fn what_cannot_be_opened_is_named() {
        let message = |name: &str| open(&[name.to_owned()], None).unwrap_err().message;
        assert_eq!(message("/no/such.csv"), "could not open /no/such.csv: no such file or directory");
        assert_eq!(message(""), "could not open '': no such file or directory");
        assert_eq!(message("/"), "could not open /: it is a directory");
        assert_eq!(message("/no/*.csv"), "could not find files for /no/*.csv: none matches");
    }
}
