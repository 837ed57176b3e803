//! The command line of tally, and the small blocking client it is made of.
//!
//! The way of a command: `args` (what was typed) → `meaning` (what it means) → one file of `verbs` → `show`.
//! Nothing here computes, decides or starts a process: the root binary lends that through [`Roles`].
//! Standard output gets the answer and nothing else; everything else goes to standard error. Nothing here ends
//! the process: [`run`] returns the exit code.
#![forbid(unsafe_code)]

mod args;
mod batch;
mod bundle;
mod client;
mod command;
mod complete;
mod conversation;
pub mod exit_code;
mod inputs;
mod keeper;
pub mod man;
mod meaning;
mod pages;
mod picture;
mod place;
mod reconnect;
mod report;
mod roles;
mod self_test;
mod show;
mod studies;
mod suggest;
mod surroundings;
mod terminal;
mod top;
mod verbs;

#[cfg(test)]
mod fake;

use std::ffi::OsString;

pub use args::locks::passes_descriptors_on;
pub use client::Client;
pub use inputs::Inputs;
pub use place::default_socket;
pub use roles::{
    CheckFn, ColumnsOf, DaemonOptions, FoldFn, FoldMode, FoldOutcome, PrivateOptions, PrivateSupervisor,
    ProgressFn, Roles, SettingsOptions, SettingsReading, Share, StoreReading, Words,
};
pub use studies::{Drawing, Studies, StudyOptions, StudyReport, TimeBar, TimeBarKind, TimeDrawing, TimeMark};

use surroundings::Surroundings;
use terminal::Terminal;

/// Runs one command and returns its exit code. `args` begins with the program's name, as `std::env::args_os`.
pub fn run(args: impl Iterator<Item = OsString>, roles: &Roles<'_>) -> u8 {
    let surroundings = Surroundings::of_this_process();
    let mut terminal = Terminal::of_this_process();
    let args: Vec<OsString> = args.collect();
    if let Some(candidates) = complete::answer(&args, &surroundings, roles.words) {
        // Nobody reads an error of it.
        drop(terminal.answer_bytes(&candidates));
        return exit_code::ANSWERED;
    }
    run_in(args, roles, &surroundings, &mut terminal)
}

/// The same with the world given, for tests.
fn run_in(args: Vec<OsString>, roles: &Roles<'_>, around: &Surroundings, terminal: &mut Terminal<'_>) -> u8 {
    let json = args::asks_for_json(&args);
    // A line that cannot be read is answered in the look it asks for all the same.
    let early = meaning::Style { json, color: args::asks_for_color(&args), ..meaning::Style::default() };
    let line = match args::parse(args) {
        Ok(line) => line,
        Err(stop) => {
            terminal.use_style(early, around);
            return verbs::help::stop(terminal, stop, json);
        }
    };
    let style = meaning::Style::of(&line.common);
    terminal.use_style(style, around);
    let ended = meaning::understand(line, around).and_then(|verb| verbs::run(verb, style, roles, terminal));
    match ended {
        Ok(code) => code,
        Err(failure) => {
            report::failure(terminal, &failure, style.json);
            failure.exit
        }
    }
}

#[cfg(test)]
mod tests;
