//! `help`, and what the parser ends a command with: texts, or a refusal.

use tally_protocol::error::{ErrorCode, Failure};

use super::Context;
use crate::args::{self, Stop, help};
use crate::complete;
use crate::exit_code;
use crate::report;
use crate::show::json::Document;
use crate::show::{fold, schema};
use crate::suggest;
use crate::terminal::Terminal;

/// `tally help [COMMAND|TOPIC]`.
pub(super) fn run(
    context: &mut Context<'_, '_>,
    about: Option<&str>,
    word: Option<&str>,
) -> Result<u8, Failure> {
    let text = match (about, word) {
        (None, _) => help::LONG.to_owned(),
        (Some("json"), Some(name)) => schema_called(name)?,
        (Some(about), None) => text_about(about)?,
        (Some(about), Some(word)) => match args::help_of_part(about, word) {
            Some(text) => text,
            None => {
                let message = format!("could not help with '{about} {word}': '{about}' has no part '{word}'");
                return Err(Failure::new(ErrorCode::BadUsage, message).hint(format!("tally help {about}")));
            }
        },
    };
    show(context.terminal, "help", &text, context.style.json)
}

/// `tally completion SHELL`.
pub(super) fn completion(context: &mut Context<'_, '_>, shell: &str) -> Result<u8, Failure> {
    let text = complete::stub(shell)?;
    if context.style.json {
        return show(context.terminal, "help", &text, true);
    }
    context.terminal.answer(&text).map(|()| exit_code::ANSWERED)
}

/// A schema by its name, with or without what every schema's name has around it.
fn schema_called(name: &str) -> Result<String, Failure> {
    let name = name.strip_prefix("tally.").unwrap_or(name);
    let name = name.strip_suffix("/1").unwrap_or(name);
    schema::text(name).map(str::to_owned).ok_or_else(|| {
        let known: Vec<&str> = schema::ALL.iter().map(|(name, _)| *name).collect();
        let question = suggest::question(name, &known);
        let message = format!("could not help with the schema '{name}': there is none{question}");
        Failure::new(ErrorCode::BadUsage, message).hint("'tally help json' lists them")
    })
}

fn text_about(word: &str) -> Result<String, Failure> {
    if let Some((_, text)) = help::TOPICS.iter().find(|(topic, _)| *topic == word) {
        return Ok(text());
    }
    args::help_of(word).ok_or_else(|| {
        let commands = args::commands();
        let topics = help::TOPICS.iter().map(|(topic, _)| *topic);
        let known: Vec<&str> = commands.iter().map(String::as_str).chain(topics).collect();
        let message = format!(
            "could not help with '{word}': no such command or topic{}",
            suggest::question(word, &known)
        );
        Failure::new(ErrorCode::BadUsage, message).hint("'tally help' lists them")
    })
}

/// What a command line that is not carried out ends with.
pub(crate) fn stop(terminal: &mut Terminal<'_>, stop: Stop, json: bool) -> u8 {
    let shown = match stop {
        Stop::Nothing if json => {
            let failure = Failure::new(ErrorCode::BadUsage, "could not run 'tally': COMMAND is missing");
            Err(failure.hint("'tally help' lists them"))
        }
        Stop::Nothing => {
            terminal.error(help::SHORT);
            return exit_code::USAGE;
        }
        Stop::Text { name, text } => show(terminal, name, &text, json),
        Stop::Wrong(failure) => Err(failure),
    };
    shown.unwrap_or_else(|failure| {
        report::failure(terminal, &failure, json);
        failure.exit
    })
}

pub(super) fn show(terminal: &mut Terminal<'_>, name: &str, text: &str, json: bool) -> Result<u8, Failure> {
    let text = match (json, name) {
        // On a terminal that is narrower than the text is written for.
        (false, _) => match terminal.size() {
            Some((columns, _)) => fold::to(text, columns),
            None => text.to_owned(),
        },
        (true, "version") => {
            let version = text.trim().trim_start_matches("tally ");
            Document::new("tally.version/1").value("version", version).line()
        }
        (true, _) => Document::new("tally.help/1").value("text", text).line(),
    };
    terminal.answer(&text).map(|()| exit_code::ANSWERED)
}
