//! Errors of the parser in the form of the contract: one line that says all, then at most a hint.
//!
//! The parser's own texts and suggestions are not used: they are long, and miss swapped letters.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::range::looks_like_range;
use tally_reduce::Reduction;

use super::{Stop, help, marks, parts, table};
use crate::suggest;

/// What to do instead of the command: print a text, or refuse.
pub(super) fn stop(why: &clap::Error, args: &[OsString]) -> Stop {
    match why.kind() {
        ErrorKind::DisplayHelp => Stop::Text { name: "help", text: help_text(why, args) },
        ErrorKind::DisplayVersion => Stop::Text { name: "version", text: why.to_string() },
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            command_of(args).map_or(Stop::Nothing, |name| {
                let failure = bad(format!("could not run 'tally {name}': it is not said what to do"));
                let example = help::example(&name).map(|example| format!("for example: {example}"));
                Stop::Wrong(failure.hint(example.unwrap_or_else(|| format!("'tally {name} --help' tells"))))
            })
        }
        kind => Stop::Wrong(refusal(kind, why, args)),
    }
}

fn help_text(why: &clap::Error, args: &[OsString]) -> String {
    let long = parts::is_long(args);
    if let Some(part) = parts::among(args, &table()) {
        return part.help(long);
    }
    if long && command_of(args).is_none() { help::LONG.to_owned() } else { why.to_string() }
}

fn refusal(kind: ErrorKind, why: &clap::Error, args: &[OsString]) -> Failure {
    let command = command_of(args);
    let run = command.as_ref().map_or("tally".to_owned(), |name| format!("tally {name}"));
    match kind {
        ErrorKind::InvalidSubcommand => {
            let word = marks::plain(&first(why, ContextKind::InvalidSubcommand));
            command.map_or_else(|| unknown_command(&word), |command| unknown_part(&command, &word))
        }
        ErrorKind::UnknownArgument => {
            let word = first(why, ContextKind::InvalidArg);
            expression(&word, args).unwrap_or_else(|| unknown_argument(&word, command, &run))
        }
        ErrorKind::ValueValidation | ErrorKind::InvalidValue => bad_value(why, &run),
        ErrorKind::MissingRequiredArgument => {
            let missing = name_of(&first(why, ContextKind::InvalidArg));
            let missing = if is_unlisted(command.as_deref(), args) { "LIST".to_owned() } else { missing };
            let failure = bad(format!("could not run '{run}': {missing} is missing"));
            match command.as_deref().and_then(help::example) {
                // What it needs cannot be made up: it is told where it stands.
                Some(list) if list.starts_with('\'') => failure.hint(list),
                Some(example) => failure.hint(format!("for example: {example}")),
                None => failure,
            }
        }
        ErrorKind::ArgumentConflict => {
            let one = name_of(&first(why, ContextKind::InvalidArg));
            let other = name_of(&first(why, ContextKind::PriorArg));
            bad(format!("could not run '{run}': {one} and {other} exclude each other"))
        }
        ErrorKind::TooManyValues => {
            let option = name_of(&first(why, ContextKind::InvalidArg));
            let value = first(why, ContextKind::InvalidValue);
            bad(format!("could not read {option} '{value}': it takes no value"))
        }
        ErrorKind::InvalidUtf8 => bad(format!("could not run '{run}': an argument is not UTF-8 text")),
        _ => {
            // Nothing of the table gives these; whatever it is, one line of it is enough.
            let text = why.to_string();
            let line = text.lines().next().unwrap_or("bad usage");
            bad(format!("could not run '{run}': {}", line.trim_start_matches("error: ")))
        }
    }
}

/// `reduce 1..5`: a source where the reductions would be. A list has no dot.
fn is_unlisted(command: Option<&str>, args: &[OsString]) -> bool {
    let after = args.iter().skip_while(|arg| *arg != "reduce").nth(1).and_then(|word| word.to_str());
    command == Some("reduce") && after.is_some_and(|word| word.contains('.') && !word.starts_with('-'))
}

/// `debug bundel`.
fn unknown_part(command: &str, word: &str) -> Failure {
    let table = table();
    let parts = table.find_subcommand(command).into_iter().flat_map(clap::Command::get_subcommands);
    let known: Vec<&str> = parts.map(clap::Command::get_name).collect();
    // A line of a batch is read by another table, which does not have every command.
    if known.is_empty() {
        return unknown_command(word);
    }
    let question = suggest::question(word, &known);
    let failure = bad(format!("could not run 'tally {command} {word}': no such command{question}"));
    if question.is_empty() { failure.hint(format!("there is {}", known.join(", "))) } else { failure }
}

fn unknown_command(word: &str) -> Failure {
    let known = super::commands();
    let known: Vec<&str> = known.iter().map(String::as_str).chain(["--version"]).collect();
    let question = suggest::question(word, &known);
    let failure = bad(format!("could not run '{word}': no such command{question}"));
    if suggest::is_elsewhere_only(word) {
        failure.hint(format!("there are {}", Reduction::ALL.map(Reduction::name).join(", ")))
    } else if ["run", "submit", "exec"].contains(&word) {
        failure.hint("what is computed is the command: tally sum 0..100; --detach leaves it with the daemon")
    } else if looks_like_range(word) {
        failure.hint(format!("a command comes first: tally sum {word}"))
    } else if question.is_empty() {
        failure.hint("'tally help' lists them")
    } else {
        failure
    }
}

/// An expression that begins with two hyphens, where an option would be: it was meant as the value of the one before.
fn expression(word: &str, args: &[OsString]) -> Option<Failure> {
    let at = args.iter().position(|arg| arg == word)?;
    let option = args.get(at.checked_sub(1)?)?.to_str().filter(|arg| ["--of", "--where"].contains(arg))?;
    let failure = bad(format!("could not read '{word}': no such option, and {option} needs a value"));
    Some(failure.hint(format!("an expression that begins like one: {option}='{word}'")))
}

fn unknown_argument(word: &str, command: Option<String>, run: &str) -> Failure {
    if !word.starts_with('-') || marks::is_marked(word.as_ref()) {
        let word = marks::without(word);
        let failure = bad(format!("could not run '{run}': it takes no '{word}'"));
        return match command.as_deref() {
            Some(name @ ("lock" | "semaphore")) => {
                failure.hint(format!("the command goes after two hyphens: tally {name} NAME ... -- {word}"))
            }
            Some("daemon") => match of_the_daemon(&word) {
                Some(hint) => failure.hint(hint),
                None => failure,
            },
            Some(_) | None => failure,
        };
    }
    let (word, _) = word.split_once('=').unwrap_or((word, ""));
    let known = options_of(command.as_deref());
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let question = suggest::question(word, &known);
    let failure = bad(format!("could not read '{word}': no such option{question}"));
    match command.as_deref() {
        None if options_of(Some("sum")).iter().any(|option| option == word) => {
            failure.hint(format!("it goes after the command: tally sum 0..100 {word}"))
        }
        Some("lock") if word == "--permits" => {
            failure.hint("a lock has one; 'tally semaphore NAME --permits N' has more")
        }
        None if question.is_empty() => failure.hint("'tally --help' lists them"),
        Some(name) if question.is_empty() => failure.hint(format!("'tally {name} --help' lists them")),
        Some(_) | None => failure,
    }
}

/// What those write who know `systemctl` or `service`.
fn of_the_daemon(word: &str) -> Option<String> {
    match word {
        "start" | "run" => {
            Some("'tally daemon' alone starts it; --daemonize leaves it in the background".to_owned())
        }
        "restart" => Some("'tally stop' ends it, 'tally daemon' starts it".to_owned()),
        "check" => Some("'tally daemon --check' does that".to_owned()),
        _ => super::commands().iter().any(|known| known == word).then(|| format!("that is 'tally {word}'")),
    }
}

fn bad_value(why: &clap::Error, run: &str) -> Failure {
    let option = name_of(&first(why, ContextKind::InvalidArg));
    let value = first(why, ContextKind::InvalidValue);
    let value = marks::without(&value);
    if value.is_empty() && why.kind() == ErrorKind::InvalidValue {
        return bad(format!("could not run '{run}': {option} needs a value"));
    }
    let reason = std::error::Error::source(why).map_or("bad value".to_owned(), ToString::to_string);
    bad(format!("could not read {option} '{value}': {reason}"))
}

/// The command among the arguments.
fn command_of(args: &[OsString]) -> Option<String> {
    let word = super::first_word(args.iter().map(OsString::as_os_str))?.to_str()?;
    table().find_subcommand(word).map(|command| command.get_name().to_owned())
}

/// The options that a command takes, those of every command included, as they are typed.
fn options_of(command: Option<&str>) -> Vec<String> {
    let table = table();
    let own = command.and_then(|name| table.find_subcommand(name));
    let arguments = table.get_arguments().chain(own.into_iter().flat_map(clap::Command::get_arguments));
    let longs = arguments.filter(|one| !one.is_hide_set()).filter_map(clap::Arg::get_long);
    let version = command.is_none().then_some("version");
    longs.chain(["help"]).chain(version).map(|long| format!("--{long}")).collect()
}

/// What a context says, its first text when there are several.
fn first(why: &clap::Error, kind: ContextKind) -> String {
    match why.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.first().cloned().unwrap_or_default(),
        _ => String::new(),
    }
}

/// `--mode <MODE>` is `--mode`, `<SOURCE>...` is `SOURCE`.
fn name_of(arg: &str) -> String {
    let word = arg.split_whitespace().next().unwrap_or("an argument");
    word.trim_start_matches(['<', '[']).trim_end_matches(['.', '>', ']']).to_owned()
}

fn bad(message: impl Into<String>) -> Failure {
    Failure::new(ErrorCode::BadUsage, message)
}
