//! Which argument takes what: the table of the command line with a completer at each place that has one.
//!
//! Words that an option can be are read from its own help (`Where the work is done: processes, threads, inline`), so that
//! there is one list of them.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use clap_complete::CompletionCandidate;
use clap_complete::engine::{ArgValueCompleter, PathCompleter, ValueCompleter};

use super::line::{Line, plain};
use super::{SHELLS, things, typed};
use crate::args::help;
use crate::args::studies::{LOCKS, STUDIES};
use crate::man::Manual;
use crate::roles::Words;
use crate::show::schema;

/// Endings of files that are read without `--format`.
const ENDINGS: [&str; 10] =
    [".csv", ".tsv", ".tab", ".txt", ".npy", ".parquet", ".gz", ".zst", ".zstd", ".jsonl"];
/// Reductions, for `reduce` and `running`.
const REDUCTIONS: [&str; 8] = ["sum", "product", "min", "max", "count", "mean", "variance", "stddev"];

/// What a completer at one place needs.
struct Place {
    line: Arc<Line>,
    words: Words,
    what: What,
}

/// What can be typed at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    /// A job in a state in which the command makes sense.
    Job(String),
    /// A lock or a semaphore.
    Lock(&'static str),
    /// An object of a kind; any, without one.
    Object(Option<String>),
    /// What is done to an object: these words, then perhaps a key of it.
    Operation(Vec<String>),
    /// An expression.
    Expression,
    /// A column.
    Column,
    /// A template of a list.
    Template(&'static str),
    /// Some of these, with commas between them.
    Several(&'static [&'static str]),
    /// One of these.
    One(Vec<String>),
    /// A file with settings, or where they are shown, one setting.
    Setting,
    /// A command, then its arguments, which are files as far as anybody knows.
    Program,
}

/// The table with completers.
pub(super) fn with_completers(table: clap::Command, line: &Line, words: Words) -> clap::Command {
    let line = Arc::new(line.clone());
    let commands: Vec<String> = table.get_subcommands().map(|one| one.get_name().to_owned()).collect();
    // Only the command that is on the line matters; the others stay as they are.
    let command = line.command().unwrap_or_default().to_owned();
    let completed = |name: &str, arg: clap::Arg| {
        if let Some(files) = files(&arg, &line) {
            return arg.add(ArgValueCompleter::new(files));
        }
        match what(name, &arg, &commands) {
            Some(what) => arg.add(ArgValueCompleter::new(Place { line: line.clone(), words, what })),
            None => arg,
        }
    };
    let table = table.mut_args(|arg| completed("", arg));
    if table.find_subcommand(&command).is_none() {
        return table;
    }
    table.mut_subcommand(command.clone(), |one| one.mut_args(|arg| completed(&command, arg)))
}

/// Places where a file is named.
fn files(arg: &clap::Arg, line: &Line) -> Option<PathCompleter> {
    let name = arg.get_value_names().and_then(<[_]>::first).map(|name| name.as_str());
    match name {
        Some("SOURCE" | "FILE|-") if line.option("--format").is_none() => {
            Some(PathCompleter::any().filter(has_ending).stdio())
        }
        Some("SOURCE" | "FILE|-") => Some(PathCompleter::file().stdio()),
        Some("DIR") => Some(PathCompleter::dir()),
        Some("FILE" | "PATH") => Some(PathCompleter::any()),
        _ => None,
    }
}

fn has_ending(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    path.is_file() && ENDINGS.iter().any(|ending| name.ends_with(ending))
}

fn what(command: &str, arg: &clap::Arg, commands: &[String]) -> Option<What> {
    let name = arg.get_value_names().and_then(<[_]>::first).map_or("", |name| name.as_str());
    Some(match (command, arg.get_id().as_str(), name) {
        (command, _, "JOB") => What::Job(command.to_owned()),
        ("lock" | "semaphore" | "queue", _, "CMD") => What::Program,
        ("config", _, "KEY|FILE") => What::Setting,
        ("lock", "name", _) => What::Lock("lock"),
        ("semaphore", "name", _) => What::Lock("semaphore"),
        ("watch", "name", _) => What::Object(None),
        ("objects", "words", _) => What::Operation(vec!["rm".to_owned(), "batch".to_owned()]),
        (kind, "name", _) => What::Object(Some(kind.to_owned())),
        (_, "words", _) => What::Operation(first_words(arg)),
        (_, "of" | "filter", "EXPR") => What::Expression,
        (_, "by", _) => What::Column,
        ("jobs", "format", _) => What::Template("jobs"),
        ("workers", "format", _) => What::Template("workers"),
        ("locks", "format", _) => What::Template("locks"),
        ("objects", "format", _) => What::Template("objects"),
        (_, _, "LIST") => What::Several(&REDUCTIONS),
        ("lab", _, "STUDY") => one_of(STUDIES),
        ("lab", "locks", _) => What::Several(&LOCKS),
        ("completion", _, "SHELL") => one_of(SHELLS),
        ("man", _, "PAGE") => {
            What::One(Manual::new().pages().iter().map(|page| page.word().to_owned()).collect())
        }
        ("config", _, "WHAT") => one_of(["show", "check", "default"]),
        ("help", "about", _) => {
            let topics = help::TOPICS.iter().map(|(topic, _)| (*topic).to_owned());
            What::One(topics.chain(commands.iter().cloned()).collect())
        }
        ("help", "word", _) => What::One(schema::ALL.iter().map(|(name, _)| (*name).to_owned()).collect()),
        _ => What::One(listed(arg)?),
    })
}

fn one_of<const N: usize>(words: [&str; N]) -> What {
    What::One(words.map(str::to_owned).to_vec())
}

/// The words behind the colon of an option's help; `None` where there is no list of words.
fn listed(arg: &clap::Arg) -> Option<Vec<String>> {
    let help = arg.get_help()?.to_string();
    let (_, list) = help.rsplit_once(": ")?;
    let list = list.split(" [").next().unwrap_or_default();
    let words = list.split(", ").filter(|word| !word.contains(' ') && *word != "...");
    let words: Vec<String> = words.map(str::to_owned).collect();
    (words.len() > 1).then_some(words)
}

/// The operations in the help of an object's words: `get KEY, set KEY VALUE, del KEY`.
fn first_words(arg: &clap::Arg) -> Vec<String> {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let mut words: Vec<String> = Vec::new();
    for part in help.split([',', ';']) {
        let word = part.split_whitespace().next().unwrap_or_default();
        if !word.is_empty()
            && word.bytes().all(|byte| byte.is_ascii_lowercase())
            && !words.iter().any(|one| one == word)
        {
            words.push(word.to_owned());
        }
    }
    words
}

impl ValueCompleter for Place {
    fn complete(&self, current: &OsStr) -> Vec<CompletionCandidate> {
        let Some(current) = current.to_str() else { return Vec::new() };
        let (line, beginning) = (&*self.line, plain(current));
        let what = match &self.what {
            // The engine takes what follows `--` for more words of the operation.
            What::Operation(_) if line.has("--") => &What::Program,
            what => what,
        };
        let found = match what {
            What::Expression => return typed::expression(line, self.words, current),
            What::Template(list) => return typed::template(list, current),
            What::Several(known) => return typed::several(known, current),
            What::Column => typed::columns(line, self.words),
            What::Setting => {
                let mut found = if line.arguments().nth(1) == Some("show") {
                    typed::words(&(self.words.settings)(), &beginning)
                } else {
                    Vec::new()
                };
                found.extend(PathCompleter::any().complete(OsStr::new(&beginning)));
                return found;
            }
            What::Program if line.last() != Some("--") || beginning.contains('/') => {
                return PathCompleter::any().complete(OsStr::new(&beginning));
            }
            What::Program => typed::programs(&beginning),
            What::Job(command) => things::jobs(line, command),
            What::Lock(kind) => things::locks(line, kind),
            What::Object(kind) => things::objects(line, kind.as_deref()),
            What::Operation(words) if line.operands() == 0 => {
                words.iter().map(|word| (word.clone(), String::new())).collect()
            }
            What::Operation(_) => things::operands(line),
            What::One(words) => words.iter().map(|word| (word.clone(), String::new())).collect(),
        };
        let fits = found.into_iter().filter(|(value, _)| value.starts_with(&beginning));
        fits.map(|(value, help)| typed::candidate(value, &help)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;
    use std::ffi::OsString;

    fn arg(command: &str, id: &str) -> clap::Arg {
        let table = args::table();
        let command = table.find_subcommand(command).unwrap();
        command.get_arguments().find(|arg| arg.get_id() == id).unwrap().clone()
    }

    #[test]
    fn the_words_of_options_are_those_that_are_read() {
        for id in ["mode", "start", "transport", "on_bad", "nan", "progress"] {
            let option = arg("sum", id);
            let words = listed(&option).unwrap_or_else(|| panic!("{id} lists no words"));
            for word in words {
                let long = format!("--{}", option.get_long().unwrap());
                let line = ["tally", "sum", "0..1", &long, &word].map(OsString::from);
                assert!(args::parse(line.to_vec()).is_ok(), "{long} {word}");
            }
        }
        assert!(listed(&arg("sum", "format")).unwrap().iter().any(|word| word == "f64le"));
        assert_eq!(listed(&arg("sum", "workers")), None);
    }

    #[test]
    fn the_operations_of_an_object_are_those_of_its_help() {
        let words = |kind| first_words(&arg(kind, "words")).join(" ");
        assert_eq!(words("value"), "get set add cas");
        assert_eq!(words("dict"), "get set add cas del keys items len");
        assert_eq!(words("event"), "set clear wait get");
        assert!(words("queue").starts_with("put get size"), "{}", words("queue"));
    }
}
