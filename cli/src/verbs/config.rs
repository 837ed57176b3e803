//! `config show`, `config check`, `config default`: settings, with where each came from.
//!
//! What a running daemon has is the daemon's to say; without one, what one started now would have.

use std::path::{Path, PathBuf};

use tally_protocol::control::{Request, part};
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::settings::{ConfigView, SettingView, more_faults};

use super::{Context, answer_to, talk_to};
use crate::exit_code;
use crate::meaning::ConfigAsk;
use crate::place::Reach;
use crate::report::one_line;
use crate::roles::{SettingsOptions, SettingsReading};
use crate::show::json::{Document, Raw, ToJson};
use crate::suggest;

pub(super) fn run(context: &mut Context<'_, '_>, reach: &Reach, asked: &ConfigAsk) -> Result<u8, Failure> {
    match asked {
        ConfigAsk::Show(sources) => {
            let (sources, key) = setting_of(sources, &(context.roles.words.settings)())?;
            show(context, reach, &sources, key)
        }
        ConfigAsk::Check(sources) => check(context, &(context.roles.settings)(sources)),
        ConfigAsk::Default => {
            let text = context.roles.built_in_settings;
            let text = if context.style.json {
                Document::new("tally.config-default/1").value("text", text).line()
            } else {
                text.to_owned()
            };
            context.terminal.answer(&text).map(|()| exit_code::ANSWERED)
        }
    }
}

/// What is named is a setting if there is one of that name, else a file.
fn setting_of(
    sources: &SettingsOptions,
    keys: &[&'static str],
) -> Result<(SettingsOptions, Option<&'static str>), Failure> {
    let mut sources = sources.clone();
    let bad = |why: String| Failure::new(ErrorCode::BadUsage, why);
    let Some(word) = sources.alone.as_deref().and_then(Path::to_str) else { return Ok((sources, None)) };
    if let Some(key) = keys.iter().copied().find(|key| *key == word) {
        sources.alone = None;
        return Ok((sources, Some(key)));
    }
    if sources.config.is_some() {
        return Err(bad("could not read two files: name one".to_owned()));
    }
    let is_word = word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_word && !Path::new(word).exists() {
        let question = suggest::question(word, keys);
        let why = format!("could not show '{word}': there is no such setting and no such file{question}");
        return Err(bad(why).hint("'tally config show' lists the settings"));
    }
    Ok((sources, None))
}

fn show(
    context: &mut Context<'_, '_>,
    reach: &Reach,
    options: &SettingsOptions,
    key: Option<&str>,
) -> Result<u8, Failure> {
    let only = |mut view: ConfigView| {
        view.settings.retain(|one| key.is_none_or(|key| one.key == key));
        view
    };
    // A file that is named is not the daemon's.
    let named = options.config.is_some() || options.alone.is_some();
    if !named && let Some(client) = reach.connect_if_there()? {
        let socket = client.socket().map(|socket| socket.display().to_string());
        let mut talk = talk_to(client)?;
        let reply = answer_to(context, &mut talk, &Request::Config, "read the daemon's configuration");
        talk.end();
        let view = only(part(reply?, "config")?);
        warn(context, &view);
        let text = if context.style.json {
            document(&view, "daemon", socket.as_ref())
        } else {
            let whose = format!("in force in the daemon at {}", socket.unwrap_or_default());
            text(&view, key.is_none().then_some(whose.as_str()))
        };
        return context.terminal.answer(&text).map(|()| exit_code::ANSWERED);
    }
    let reading = (context.roles.settings)(options);
    if let Some(failure) = first_fault(&reading) {
        return Err(failure);
    }
    let view = only(reading.view);
    warn(context, &view);
    let text = if context.style.json {
        document(&view, if options.alone.is_some() { "file" } else { "new" }, None)
    } else {
        text(&view, key.is_none().then(|| whose(options.alone.as_deref())))
    };
    context.terminal.answer(&text).map(|()| exit_code::ANSWERED)
}

/// A file alone is what nobody runs with, unless nothing else is there.
fn whose(alone: Option<&Path>) -> &'static str {
    match alone {
        Some(_) => "what the file says, on top of the built-in settings",
        None => "what a daemon started now would have",
    }
}

/// What is odd is told on standard error.
pub(super) fn warn(context: &mut Context<'_, '_>, view: &ConfigView) {
    if !context.style.json {
        for warning in &view.warnings {
            context.terminal.note(&format!("tally: {}\n", one_line(warning)));
        }
    }
}

/// Lines that `config.toml` could have, each with where its value came from; above them, whose they are.
fn text(view: &ConfigView, whose: Option<&str>) -> String {
    let lines: Vec<(String, String)> = view.settings.iter().map(|one| (line(one), origin(one))).collect();
    let width = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or(0);
    let lines = lines.iter().map(|(line, origin)| format!("{line:<width$}  # {origin}\n"));
    let heading = whose.map(|whose| format!("# {}\n", one_line(whose)));
    heading.into_iter().chain(lines).collect()
}

fn line(setting: &SettingView) -> String {
    // Digits that are no number as TOML writes one, a mode for example, are a text.
    let is_number = setting.value.parse::<u64>().is_ok_and(|number| number.to_string() == setting.value);
    let value = if is_number { setting.value.clone() } else { setting.value.as_str().to_json() };
    format!("{} = {value}", setting.key)
}

fn origin(setting: &SettingView) -> String {
    setting.place.as_deref().map_or_else(|| setting.origin.clone(), one_line)
}

fn document(view: &ConfigView, of: &str, socket: Option<&String>) -> String {
    let document = Document::new("tally.config/1").value("of", of).maybe("socket", socket);
    document.flattened(view).line()
}

/// What a configuration cannot be read for, first of all.
fn first_fault(reading: &SettingsReading) -> Option<Failure> {
    let fault = reading.faults.first()?;
    let why = format!("could not read the configuration: {}: {}", fault.place, fault.message);
    let failure = Failure::new(ErrorCode::BadUsage, why);
    let places = reading.faults.iter().map(|fault| fault.place.as_str());
    let more = more_faults(places, reading.files.iter().map(PathBuf::as_path));
    Some(Failure { hint: more, ..failure })
}

pub(super) fn check(context: &mut Context<'_, '_>, reading: &SettingsReading) -> Result<u8, Failure> {
    let good = reading.faults.is_empty();
    if context.style.json {
        let files: Vec<String> = reading.files.iter().map(|path| path.display().to_string()).collect();
        let faults: Vec<String> = reading
            .faults
            .iter()
            .map(|fault| {
                let document = Document::nested().value("place", &fault.place);
                document.value("message", &fault.message).object().0
            })
            .collect();
        let document = Document::new("tally.config-check/1").value("good", &good);
        let document = document.value("files", files.as_slice());
        let document = document.value("faults", &Raw(format!("[{}]", faults.join(","))));
        let document = document.value("warnings", reading.view.warnings.as_slice());
        context.terminal.answer(&document.line())?;
        if let Some(failure) = first_fault(reading) {
            return Err(failure);
        }
    } else {
        for fault in &reading.faults {
            let line = format!("tally: could not read the configuration: {}: {}", fault.place, fault.message);
            context.terminal.error(&one_line(&line));
            context.terminal.error("\n");
        }
        warn(context, &reading.view);
    }
    Ok(if good { exit_code::ANSWERED } else { exit_code::USAGE })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(key: &str, value: &str, place: Option<&str>) -> SettingView {
        SettingView {
            key: key.into(),
            value: value.into(),
            origin: "built-in".into(),
            place: place.map(str::to_owned),
            default: value.into(),
            range: String::new(),
            variable: String::new(),
            flag: String::new(),
            reload: "live".into(),
        }
    }

    #[test]
    fn what_is_shown_could_be_a_file() {
        let settings = vec![
            setting("workers", "4", Some("/etc/tally/config.toml:2:1")),
            setting("log", "info", None),
            setting("metrics_listen", "unix:/a \"b\"\n", Some("TALLY_METRICS_LISTEN")),
        ];
        assert_eq!(
            text(&ConfigView { settings, warnings: vec![] }, Some("in force")),
            "# in force\n\
             workers = 4                         # /etc/tally/config.toml:2:1\n\
             log = \"info\"                        # built-in\n\
             metrics_listen = \"unix:/a \\\"b\\\"\\n\"  # TALLY_METRICS_LISTEN\n"
        );
    }
}
