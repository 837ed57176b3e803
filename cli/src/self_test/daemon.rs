//! A daemon that runs, asked how it is; and the store, which without a daemon is tried.

use tally_protocol::control::{Request, part};
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::varlink::ReplyMessage;
use tally_protocol::version::PROGRAM;
use tally_protocol::view::StatusView;
use tally_sys::{clock, room};

use super::{Finding, system};
use crate::client::Client;
use crate::conversation::{Conversation, Heard, interrupted, interrupts};
use crate::place::plain;
use crate::show::number::{self, counted, grouped};
use crate::verbs::Context;

const DAEMON: &str = "daemon";
const STORE: &str = "store";

/// How long it may take to say how it is.
const STATUS_NS_MAX: u64 = 5_000_000_000;
/// Less room than this is told, in bytes.
const ROOM_BYTES_LEAST: u64 = 64 << 20;

/// Asks for the status, and for nothing else.
///
/// # Errors
/// The command was interrupted.
pub(super) fn look(client: Client) -> Result<Vec<Finding>, Failure> {
    let mut talk = Conversation::new(client, None, interrupts()?)?;
    let reply = ask_soon(&mut talk, &Request::Status, STATUS_NS_MAX);
    let status = reply.and_then(|reply| part::<StatusView>(reply, "status"));
    talk.end();
    match status {
        Ok(status) => {
            let mut found = vec![version(&status), store(&status)];
            found.extend(status.limits.iter().filter(|limit| limit.near).map(|limit| {
                let name = limit.name.replace('-', " ");
                let text = format!(
                    "{} of {} are used",
                    grouped(&limit.used.to_string()),
                    grouped(&limit.most.to_string())
                );
                Finding::warn(&name, text, "'tally config show' names the setting that bounds it")
            }));
            Ok(found)
        }
        Err(failure) if failure.code == ErrorCode::Interrupted => Err(failure),
        Err(failure) => {
            let hint = failure.hint.unwrap_or_else(|| "look at its log, or restart it".to_owned());
            Ok(vec![Finding::fail(DAEMON, plain(&failure.message), hint)])
        }
    }
}

/// One answer of a daemon that may be stopped or busy.
///
/// # Errors
/// It refuses, does not answer in time, or the command was interrupted.
pub(crate) fn ask_soon(
    talk: &mut Conversation,
    request: &Request,
    ns_max: u64,
) -> Result<ReplyMessage, Failure> {
    let until_ns = clock::monotonic_ns().saturating_add(ns_max);
    talk.ask(request, false)?;
    match talk.hear(Some(until_ns))? {
        Heard::Reply(reply) => Ok(reply),
        Heard::Signal(signal) => Err(interrupted(signal, "")),
        Heard::Nothing => {
            let who =
                talk.client().peer_pid().map_or_else(|| "it".to_owned(), |pid| format!("process {pid}"));
            let why = format!("{who} does not answer: it may be stopped, or very busy");
            Err(Failure::new(ErrorCode::TimedOut, why))
        }
    }
}

/// Whether the daemon is this very program.
fn version(status: &StatusView) -> Finding {
    let running = format!(
        "process {}, {}, up {}, {} of {} workers ready",
        status.pid,
        status.phase,
        number::duration(status.uptime_ms),
        status.workers,
        status.slots
    );
    let replaced = match (system::program_of_process(status.pid), system::own_program()) {
        (Some(daemon), Some(own)) => !system::same(&daemon, &own),
        _ => false,
    };
    let hint = "'tally upgrade' has the installed program take over, without losing a job";
    if status.version != PROGRAM {
        Finding::warn(DAEMON, format!("{running}; it is {}, this program {PROGRAM}", status.version), hint)
    } else if replaced {
        Finding::warn(DAEMON, format!("{running}; it runs another file than this program"), hint)
    } else if status.workers == 0 && status.restarting.is_some_and(|count| count > 0) {
        Finding::fail(DAEMON, running, "its workers do not start: its log says why")
    } else {
        Finding::ok(DAEMON, format!("{running}, version {PROGRAM}"))
    }
}

fn store(status: &StatusView) -> Finding {
    if let Some(why) = &status.store_error {
        let hint =
            "detached jobs are refused until it can be written: make room, or give the daemon its directory";
        return Finding::fail(STORE, why.clone(), hint);
    }
    let Some(store) = status.store.as_ref().filter(|_| status.durable) else { return nowhere() };
    let rows = store.rows.map(|rows| format!(", {}", counted(rows, "record"))).unwrap_or_default();
    let text = format!("the daemon keeps jobs in {}{rows}", store.path);
    // Its directory may be closed to others; the file system is the same.
    let path = std::path::Path::new(&store.path);
    let free = path.ancestors().find_map(|path| room::at(path).ok()).map(|room| room.free);
    with_room(text, free)
}

fn nowhere() -> Finding {
    Finding::warn(STORE, "detached jobs end with the daemon", "name a state_dir that the daemon may write to")
}

fn with_room(text: String, free: Option<u64>) -> Finding {
    match free {
        Some(bytes) if bytes < ROOM_BYTES_LEAST => Finding::warn(
            STORE,
            format!("{text}; {} KiB are left", grouped(&(bytes >> 10).to_string())),
            "make room: without it detached jobs are refused",
        ),
        Some(bytes) => {
            Finding::ok(STORE, format!("{text}; {} MiB free", grouped(&(bytes >> 20).to_string())))
        }
        None => Finding::ok(STORE, text),
    }
}

/// The store that a daemon would have, where none runs.
pub(super) fn store_without(context: &Context<'_, '_>) -> Finding {
    let reading = match (context.roles.store)() {
        Ok(reading) => reading,
        Err(failure) => return Finding::fail(STORE, plain(&failure.message), "mend the settings first"),
    };
    if let Some((what, hint)) = reading.fault {
        return Finding::fail(STORE, format!("could not {what}"), hint);
    }
    let Some(directory) = reading.directory else { return nowhere() };
    let directory = directory.display();
    if let Some(pid) = reading.held_by {
        return Finding::ok(
            STORE,
            format!("{directory} is in use by process {pid}, a daemon at another socket"),
        );
    }
    if let Some(note) = reading.notes.first() {
        return Finding::warn(STORE, note.clone(), "the next daemon goes on with what can be read");
    }
    let text = match reading.rows {
        Some(rows) => {
            format!("{directory}: {}, all whole; a new one could be written", counted(rows, "record"))
        }
        None => format!("{directory} can be written; nothing is in it yet"),
    };
    with_room(text, reading.free_bytes)
}
