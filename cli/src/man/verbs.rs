//! A page for each command, and `tally(1)` over them, from the table of the command line.

use super::roff::{Roff, bold, escaped, italic};
use super::{Page, Subject, daemon};
use crate::{exit_code, pages};

/// The page of tally, and those of all commands.
pub(super) fn pages(table: &clap::Command) -> Vec<Page> {
    let tally = Page {
        name: "tally".to_owned(),
        section: 1,
        about: pages::ABOUT.to_owned(),
        subject: Subject::Tally,
    };
    let commands = table.get_subcommands().map(|command| Page {
        name: format!("tally-{}", command.get_name()),
        section: section(command.get_name()),
        about: lower_first(&about(command)),
        subject: Subject::Command,
    });
    [tally].into_iter().chain(commands).collect()
}

/// The daemon is the administrator's; everything else is everybody's.
fn section(name: &str) -> u8 {
    if name == "daemon" { 8 } else { 1 }
}

fn reference(name: &str) -> String {
    format!("{}({})", bold(&format!("tally-{name}")), section(name))
}

fn about(command: &clap::Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

pub(super) fn main_page(table: &clap::Command) -> String {
    let mut page = Roff::new("tally", 1, pages::ABOUT);
    page.section("SYNOPSIS");
    page.paragraph(&format!("{} {} [{} ...]", bold("tally"), italic("COMMAND"), italic("OPTION")));
    page.section("DESCRIPTION");
    page.paragraph(&escaped(pages::description()));
    page.section("EXAMPLES");
    page.example(pages::examples());
    page.section("COMMANDS");
    for command in table.get_subcommands() {
        page.item(&reference(command.get_name()), &escaped(&about(command)));
    }
    page.section("OPTIONS OF EVERY COMMAND");
    options(table.get_arguments(), &mut page);
    exit_status(&mut page);
    page.section("ENVIRONMENT");
    page.example(&pages::topic("environment").unwrap_or_default());
    page.section("FILES");
    for (path, what) in FILES {
        page.item(&italic(path), &escaped(what));
    }
    see_also(&mut page, &["tally-daemon(8)", "tally-sum(1)"]);
    page.end()
}

const FILES: [(&str, &str); 4] = [
    ("/run/tally/tally.sock", "the socket of the daemon, for root"),
    ("$XDG_RUNTIME_DIR/tally/tally.sock", "the same for another user"),
    ("/etc/tally/config.toml", "settings of the machine"),
    ("$XDG_CONFIG_HOME/tally/config.toml", "settings of the user"),
];

pub(super) fn page_of(mut command: clap::Command) -> String {
    let name = command.get_name().to_owned();
    let usage = command.render_usage().to_string();
    let mut page = Roff::new(&format!("tally-{name}"), section(&name), &lower_first(&about(&command)));
    page.section("SYNOPSIS");
    page.paragraph(&bold(usage.trim_start_matches("Usage:").trim()));
    page.section("DESCRIPTION");
    page.paragraph(&format!("{}.", escaped(&about(&command))));
    let before = command.get_before_long_help().map(ToString::to_string).unwrap_or_default();
    let (examples, more) = match before.trim_start_matches("Examples\n").split_once("\n\n") {
        Some((examples, more)) => (examples.to_owned(), Some(more.to_owned())),
        None => (before.trim_start_matches("Examples\n").to_owned(), None),
    };
    if let Some(more) = more {
        page.paragraph(&escaped(&more));
    }
    page.section("OPTIONS");
    options(command.get_arguments(), &mut page);
    page.section("EXAMPLES");
    page.example(&examples);
    if name == "daemon" {
        daemon::sections(&mut page);
    } else {
        exit_status(&mut page);
    }
    see_also(&mut page, &["tally(1)"]);
    page.end()
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// Arguments first, then options under their headings.
fn options<'a>(arguments: impl Iterator<Item = &'a clap::Arg>, page: &mut Roff) {
    let shown: Vec<&clap::Arg> = arguments.filter(|arg| !arg.is_hide_set()).collect();
    let mut headings: Vec<Option<&str>> = Vec::new();
    for arg in shown.iter().filter(|arg| !arg.is_positional()) {
        if !headings.contains(&arg.get_help_heading()) {
            headings.push(arg.get_help_heading());
        }
    }
    for arg in shown.iter().filter(|arg| arg.is_positional()) {
        option(arg, page);
    }
    for heading in headings {
        match heading {
            Some(title) if title != "Options" => page.subsection(title),
            _ => {}
        }
        for arg in shown.iter().filter(|arg| !arg.is_positional() && arg.get_help_heading() == heading) {
            option(arg, page);
        }
    }
}

fn option(arg: &clap::Arg, page: &mut Roff) {
    let mut names: Vec<String> = Vec::new();
    names.extend(arg.get_short().map(|short| bold(&format!("-{short}"))));
    names.extend(arg.get_long().map(|long| bold(&format!("--{long}"))));
    let mut term = names.join(", ");
    if arg.is_positional() || arg.get_action().takes_values() {
        for value in arg.get_value_names().unwrap_or_default() {
            let space = if term.is_empty() { "" } else { " " };
            term.push_str(&format!("{space}{}", italic(value)));
        }
    }
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    page.item(&term, &escaped_lines(&help));
}

fn escaped_lines(text: &str) -> String {
    let mut parts: Vec<String> = text.split("\n\n").map(|part| escaped(&part.replace('\n', " "))).collect();
    let last = parts.len().saturating_sub(1);
    for part in parts.iter_mut().take(last).filter(|part| !part.ends_with('.')) {
        part.push('.');
    }
    parts.join("\n")
}

fn exit_status(page: &mut Roff) {
    page.section("EXIT STATUS");
    for (code, meaning) in exit_code::TABLE {
        page.item(&code.to_string(), &escaped(meaning));
    }
}

fn see_also(page: &mut Roff, first: &[&str]) {
    let others =
        ["tally.toml(5)", "tally-expressions(7)", "tally-kernel(7)", "tally-json(7)", "tally-protocol(7)"];
    let names: Vec<String> = first
        .iter()
        .chain(&others)
        .map(|name| {
            let (name, section) = name.split_once('(').unwrap_or((name, ""));
            format!("{}({section}", bold(name))
        })
        .collect();
    page.section("SEE ALSO");
    page.paragraph(&names.join(",\n"));
}
