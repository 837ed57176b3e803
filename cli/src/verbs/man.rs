//! `man`: a page in the pager that people know, as its source for everything else, or all pages as files.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Seek as _};
use std::os::fd::OwnedFd;
use std::path::Path;

use tally_protocol::error::{ErrorCode, Failure};
use tally_sys::signal::{Signal, SignalStream};
use tally_sys::{blob, process};

use super::{Context, help};
use crate::conversation::system;
use crate::exit_code;
use crate::man::{Manual, Page};
use crate::meaning::ManAsk;
use crate::place::unwritten;
use crate::suggest;

/// Programs that show a page from their standard input, with a pager of their own.
const VIEWERS: [(&str, &[&str]); 2] = [("man", &["-l", "-"]), ("mandoc", &["-a"])];

pub(super) fn run(context: &mut Context<'_, '_>, ask: &ManAsk) -> Result<u8, Failure> {
    let manual = Manual::new();
    let json = context.style.json;
    match ask {
        ManAsk::List => help::show(context.terminal, "help", &list(&manual), json),
        ManAsk::Install(directory) => {
            let count = install(&manual, directory)?;
            let told = format!("{count} pages in {}\n", directory.display());
            help::show(context.terminal, "help", &told, json)
        }
        ManAsk::Show(word) => {
            let text = manual.text(manual.find(word).ok_or_else(|| unknown(&manual, word))?);
            if json {
                return help::show(context.terminal, "help", &text, true);
            }
            if context.terminal.is_for_people() {
                if view(&text)? {
                    return Ok(exit_code::ANSWERED);
                }
                context
                    .terminal
                    .note("tally: neither man nor mandoc is here; this is the source of the page\n");
            }
            context.terminal.answer(&text).map(|()| exit_code::ANSWERED)
        }
    }
}

fn list(manual: &Manual) -> String {
    let line = |page: &Page| {
        let name = format!("{}({})", page.name(), page.section());
        format!("{name:<22} {}\n", page.about())
    };
    manual.pages().iter().map(line).collect()
}

fn unknown(manual: &Manual, word: &str) -> Failure {
    let known: Vec<&str> = manual.pages().iter().map(Page::word).collect();
    let question = suggest::question(word.strip_prefix("tally-").unwrap_or(word), &known);
    let message = format!("could not show the page '{word}': there is none{question}");
    Failure::new(ErrorCode::BadUsage, message).hint("'tally man' lists them")
}

/// Writes every page below a directory, into `man1` and so on; returns how many.
fn install(manual: &Manual, directory: &Path) -> Result<usize, Failure> {
    for page in manual.pages() {
        let section = directory.join(format!("man{}", page.section()));
        let path = section.join(page.file());
        let written = fs::create_dir_all(&section).and_then(|()| fs::write(&path, manual.text(page)));
        written.map_err(|why| unwritten(&path, &why))?;
    }
    Ok(manual.pages().len())
}

/// Shows a page in the first viewer that is there; `false` if none is.
fn view(text: &str) -> Result<bool, Failure> {
    for (program, arguments) in VIEWERS {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let page = behind_a_descriptor(text).map_err(|why| system("hold the page", &why))?;
        // An interrupt in the pager is the pager's: ending before it would leave two readers of one terminal.
        let heard = SignalStream::of_processes(&[Signal::Int, Signal::Quit]);
        let heard = heard.map_err(|why| system("catch signals", &why))?;
        let started = process::spawn_command(OsStr::new(program), &arguments, [].into_iter(), Some(page));
        match started {
            Err(why) if why.kind() == io::ErrorKind::NotFound => continue,
            Err(why) => return Err(system(&format!("run '{program}'"), &why)),
            Ok(mut viewer) => {
                // How it ended is between it and its reader; what went wrong it has said.
                viewer.reap().map_err(|why| system("learn how the pager ended", &why))?;
                drop(heard);
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// A page that waits for its reader in memory: a pipe would have somebody write while the other reads.
fn behind_a_descriptor(text: &str) -> io::Result<OwnedFd> {
    let mut page = File::from(blob::write("tally-page", text.as_bytes())?);
    page.rewind()?;
    Ok(page.into())
}
