//! `debug bundle`: what somebody needs who looks for a defect, in one archive that its owner can show to others.
//!
//! It holds nothing of what jobs compute: no source, expression, cell, answer, name or text of a worker (`redact`). What
//! cannot be had is told in the archive and does not keep the rest from being collected. A daemon is only asked.

mod archive;
mod facts;
mod redact;

use std::path::{Path, PathBuf};

use tally_protocol::control::{Request, part};
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::settings::{ConfigView, SettingView};
use tally_protocol::varlink::ReplyMessage;
use tally_protocol::version::PROGRAM;
use tally_protocol::view::StatusView;
use tally_sys::clock;

use crate::conversation::{Conversation, interrupts};
use crate::place::{Reach, plain};
use crate::roles::SettingsOptions;
use crate::self_test;
use crate::show::json::Document;
use crate::verbs::Context;
use redact::Redaction;

/// How long the daemon may take over each question.
const ANSWER_NS_MAX: u64 = 5_000_000_000;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Where the archive goes; a name with the date in this directory if absent.
    pub(crate) output: Option<PathBuf>,
    /// One that is there is replaced.
    pub(crate) force: bool,
}

/// One file of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    /// What it is.
    pub(crate) about: &'static str,
    pub(crate) text: String,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) members: Vec<Member>,
    /// What could not be had, and why.
    pub(crate) missing: Vec<String>,
}

/// Collects everything and writes the archive.
///
/// # Errors
/// The archive cannot be written, or the command was interrupted.
pub(crate) fn write(
    context: &mut Context<'_, '_>,
    reach: &Reach,
    wanted: &Wanted,
) -> Result<Written, Failure> {
    let wall_s = clock::wall_ms() / 1_000;
    let name = || PathBuf::from(format!("tally-debug-{}.tar.gz", archive::stamp(wall_s)));
    let path = wanted.output.clone().unwrap_or_else(name);
    // Before anything is collected: a minute's work for a file that cannot be written helps nobody.
    let file = archive::File::make(&path, wanted.force)?;
    let mut collection = Collection::new();
    collection.add_what_is_here(context, reach)?;
    collection.add_what_the_daemon_knows(context, reach)?;
    collection.add_manifest();
    let bytes = file.fill(&collection.members, wall_s)?;
    Ok(Written { path, bytes, members: collection.members, missing: collection.missing })
}

struct Collection {
    redaction: Redaction,
    members: Vec<Member>,
    missing: Vec<String>,
}

impl Collection {
    fn new() -> Self {
        Self { redaction: Redaction::of_this_process(), members: Vec::new(), missing: Vec::new() }
    }

    fn add(&mut self, name: &'static str, about: &'static str, text: &str) {
        let text = self.redaction.text(text);
        self.members.push(Member { name, about, text });
    }

    /// What can be had without a daemon.
    fn add_what_is_here(&mut self, context: &mut Context<'_, '_>, reach: &Reach) -> Result<(), Failure> {
        self.add("version.txt", "the program, the system, its variables", &facts::version(&self.redaction));
        self.add("kernel.txt", "the kernel, memory, processors, limits of the system", &facts::kernel());
        let report = self_test::look(context, reach)?;
        // What a private supervisor has said of a worker is in it.
        let text = self.redaction.json(&report.json());
        self.add("self-test.json", "'tally self-test --json', the store's check included", &text);
        let reading = (context.roles.settings)(&SettingsOptions::default());
        for fault in &reading.faults {
            self.missing.push(format!(
                "a setting at {}: {}",
                self.redaction.text(&fault.place),
                "it is wrong"
            ));
        }
        let text = self.settings(reading.view, "new");
        self.add("config-new.json", "settings of a daemon that started now, with their origin", &text);
        Ok(())
    }

    /// Settings without what is secret.
    fn settings(&self, mut view: ConfigView, of: &str) -> String {
        let open = |one: &SettingView| !redact::is_secret(&one.key);
        for one in view.settings.iter_mut().filter(|one| !open(one)) {
            redact::LEFT_OUT.clone_into(&mut one.value);
        }
        Document::new("tally.config/1").value("of", of).flattened(&view).line()
    }

    /// What only a daemon can tell, and what the system tells of it.
    fn add_what_the_daemon_knows(&mut self, context: &Context<'_, '_>, reach: &Reach) -> Result<(), Failure> {
        let client = match reach.connect_if_there() {
            Ok(Some(client)) => client,
            Ok(None) => {
                self.without_a_daemon(context, "nobody listens at the socket");
                return Ok(());
            }
            Err(failure) => {
                self.without_a_daemon(context, &failure.message);
                return Ok(());
            }
        };
        let mut talk = Conversation::new(client, None, interrupts()?)?;
        let asked = self.ask_everything(&mut talk);
        talk.end();
        let (pid, log_file) = asked?;
        self.add(
            "process.txt",
            "limits and control groups of the daemon and of this command",
            &facts::process(pid),
        );
        self.log(log_file.as_deref());
        Ok(())
    }

    fn without_a_daemon(&mut self, context: &Context<'_, '_>, why: &str) {
        self.missing.push(format!("a daemon's status, settings, state and metrics: {}", plain(why)));
        self.add("process.txt", "limits and control groups of this command", &facts::process(None));
        // The log of one that is gone may say why.
        let view = (context.roles.settings)(&SettingsOptions::default()).view;
        self.log(log_file(&view).as_deref());
    }

    fn log(&mut self, file: Option<&Path>) {
        match facts::log(file) {
            Ok(text) => {
                let text = self.redaction.log(&text);
                self.add("log.txt", "the last of the log, without what jobs say", &text);
            }
            Err(why) => self.missing.push(format!("the log: {why}")),
        }
    }

    /// Its pid and the path of its log, as far as it told them.
    fn ask_everything(&mut self, talk: &mut Conversation) -> Result<(Option<u32>, Option<PathBuf>), Failure> {
        let Some(status) = self.ask(talk, &Request::Status, "status", part::<StatusView>)? else {
            return Ok((None, None));
        };
        let text = self.redaction.json(&Document::new("tally.status/1").flattened(&status).line());
        self.add("status.json", "'tally status --json'", &text);
        let mut log = None;
        if let Some(view) = self.ask(talk, &Request::Config, "config", part::<ConfigView>)? {
            log = log_file(&view);
            let text = self.settings(view, "daemon");
            self.add("config.json", "the daemon's settings, with their origin", &text);
        }
        if let Some(state) = self.ask(talk, &Request::Dump, "state", part::<String>)? {
            let text = self.redaction.json(&state);
            self.add("dump.json", "the daemon's whole state, which has no data of jobs", &text);
        }
        if let Some(text) = self.ask(talk, &Request::Metrics, "text", part::<String>)? {
            self.add("metrics.txt", "'tally metrics'", &text);
        }
        Ok((Some(status.pid), log))
    }

    /// One answer; what is refused, or does not come in time, is missing.
    fn ask<T>(
        &mut self,
        talk: &mut Conversation,
        request: &Request,
        key: &str,
        read: impl Fn(ReplyMessage, &str) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        match self_test::ask_soon(talk, request, ANSWER_NS_MAX).and_then(|reply| read(reply, key)) {
            Ok(answer) => Ok(Some(answer)),
            Err(failure) if failure.code == ErrorCode::Interrupted => Err(failure),
            Err(failure) => {
                self.missing.push(format!("the daemon's {key}: {}", plain(&failure.message)));
                Ok(None)
            }
        }
    }

    /// What is in it comes first.
    fn add_manifest(&mut self) {
        let mut text = format!("A debug bundle of tally {PROGRAM}.\n\n");
        for member in &self.members {
            text.push_str(&format!("{:<16} {}\n", member.name, member.about));
        }
        text.push_str("\nLeft out: sources, expressions, cells, answers, names of things, what workers say; values of\n");
        text.push_str("settings and variables whose name speaks of a secret; names of homes (~).\n");
        for missing in &self.missing {
            text.push_str(&format!("\nMissing: {}\n", self.redaction.text(missing)));
        }
        self.members
            .insert(0, Member { name: "manifest.txt", about: "what is in it, and what is not", text });
    }
}

fn log_file(view: &ConfigView) -> Option<PathBuf> {
    let value = &view.settings.iter().find(|one| one.key == "log_file")?.value;
    (value != "none").then(|| PathBuf::from(value))
}
