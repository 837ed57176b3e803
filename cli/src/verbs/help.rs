//! `help`, and what the parser ends a command with: texts, or a refusal.

use tally_protocol::error::{ErrorCode, Failure};

use super::Context;
use crate::args::{self, Stop, help};
use crate::exit_code;
use crate::report;
use crate::show::json::Document;
use crate::suggest;
use crate::terminal::Terminal;

/// `tally help [COMMAND|TOPIC]`.
pub(super) fn run(context: &mut Context<'_, '_>, about: Option<&str>) -> Result<u8, Failure> {
    let text = match about {
        None => help::LONG.to_owned(),
        Some(word) => text_about(word)?,
    };
    show(context.terminal, "help", &text, context.style.json)
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

fn show(terminal: &mut Terminal<'_>, name: &str, text: &str, json: bool) -> Result<u8, Failure> {
    let text = match (json, name) {
        (false, _) => text.to_owned(),
        (true, "version") => {
            let version = text.trim().trim_start_matches("tally ");
            Document::new("tally.version/1").value("version", version).line()
        }
        (true, _) => Document::new("tally.help/1").value("text", text).line(),
    };
    terminal.answer(&text).map(|()| exit_code::ANSWERED)
}
