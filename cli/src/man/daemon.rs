//! What `tally-daemon(8)` has besides its options: signals, exit status, environment, files.
//!
//! The one definition: `docs/operations.md` has the same table of signals, and `tally help environment` the variables.

use super::roff::{Roff, bold, escaped, italic};

/// What the daemon does when a signal comes.
pub(crate) const SIGNALS: [(&str, &str); 6] = [
    (
        "SIGTERM, SIGINT",
        "end in good order: no job is taken any more, attached jobs have `drain_ms` to be done and are stopped then, workers have `grace_ms` to end; detached jobs are not waited for if they are recorded: the next daemon goes on with them",
    ),
    (
        "SIGTERM or SIGINT again",
        "do not wait for jobs any longer: those that are open are stopped; once more, and the workers are killed",
    ),
    ("SIGQUIT", "stop open jobs at once, as a second SIGTERM does"),
    (
        "SIGHUP",
        "read the configuration again, as `tally reload` does, and open the log file anew; a configuration with a fault changes nothing",
    ),
    ("SIGUSR1", "write the state to the log, as `tally dump` prints it"),
    ("SIGPIPE", "nothing: it is ignored"),
];

/// How it ends.
const EXIT_STATUS: [(u8, &str); 4] = [
    (
        crate::exit_code::ANSWERED,
        "it was stopped, by a signal or a client; with --daemonize: it listens; with --check: the configuration is good",
    ),
    (
        crate::exit_code::FAILED,
        "it could not start, or lost what it runs on: another daemon has the socket or the state directory, the store is damaged",
    ),
    (crate::exit_code::USAGE, "bad usage or configuration"),
    (crate::exit_code::NOT_PERMITTED, "this user may not make the socket, or read or write one of its files"),
];

/// Variables that every command reads.
const SHARED_ENVIRONMENT: [(&str, &str); 4] = [
    ("TALLY_SOCKET", "where to listen, as --socket"),
    ("TALLY_WORKERS, TALLY_STATE_DIR, ...", "any setting: TALLY_ and its key in capitals"),
    ("XDG_RUNTIME_DIR", "else the socket is tally/tally.sock in there (for root /run/tally/tally.sock)"),
    ("XDG_CONFIG_HOME", "settings are read from tally/config.toml in there [default: ~/.config]"),
];

/// Variables that the daemon alone reads.
const ENVIRONMENT: [(&str, &str); 5] = [
    ("LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES", "the socket that a service manager has opened for it"),
    (
        "NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID",
        "where the service manager is told that it is ready, reloads and ends, and how often that it lives",
    ),
    ("JOURNAL_STREAM", "says whether standard error is the journal, which then gets fields with each line"),
    ("STATE_DIRECTORY", "where a service manager has it keep jobs, unless state_dir says otherwise"),
    (
        "XDG_STATE_HOME",
        "else jobs are kept in tally in there [default: ~/.local/state], those of root's daemon in /var/lib/tally",
    ),
];

const FILES: [(&str, &str); 8] = [
    ("/run/tally/tally.sock", "the socket of root's daemon, and of the service"),
    ("$XDG_RUNTIME_DIR/tally/tally.sock", "the socket of another user's"),
    ("tally.sock.lock", "beside the socket: its process, which holds a lock on it while it lives"),
    ("/etc/tally/config.toml", "settings of the machine"),
    ("$XDG_CONFIG_HOME/tally/config.toml", "settings of the user"),
    ("/var/lib/tally/jobs.redb", "detached jobs of root's daemon, and of the service"),
    ("$XDG_STATE_HOME/tally/jobs.redb", "detached jobs of another user's"),
    ("lock", "beside these: no two daemons share a state directory"),
];

/// The sections.
pub(super) fn sections(page: &mut Roff) {
    page.section("SIGNALS");
    for (signal, what) in SIGNALS {
        page.item(&bold(signal), &escaped(&what.replace('`', "")));
    }
    page.section("EXIT STATUS");
    for (code, what) in EXIT_STATUS {
        page.item(&code.to_string(), &escaped(what));
    }
    page.section("ENVIRONMENT");
    for (names, what) in SHARED_ENVIRONMENT.into_iter().chain(ENVIRONMENT) {
        page.item(&bold(names), &escaped(what));
    }
    page.section("FILES");
    for (path, what) in FILES {
        page.item(&italic(path), &escaped(what));
    }
}

/// The variables of the daemon alone, as `tally help environment` has them.
pub(crate) fn environment() -> String {
    ENVIRONMENT.iter().map(|(names, what)| format!("  {names}\n{}", indented(what))).collect()
}

/// In lines that fit 80 columns.
fn indented(text: &str) -> String {
    const INDENT: usize = 20;
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if INDENT + line.len() + 1 + word.len() <= 80 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.iter().map(|line| format!("{:INDENT$}{line}\n", "")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::man::Manual;

    #[test]
    fn the_document_has_the_same_table_of_signals() {
        let document = include_str!("../../../docs/operations.md");
        let rows: Vec<String> =
            SIGNALS.iter().map(|(signal, what)| format!("| {signal} | {what} |\n")).collect();
        assert!(document.contains(&rows.concat()), "docs/operations.md is to have:\n{}", rows.concat());
    }

    #[test]
    fn the_page_has_what_an_administrator_looks_for() {
        let manual = Manual::new();
        let text = manual.text(manual.find("daemon").unwrap());
        for section in ["SIGNALS", "EXIT STATUS", "ENVIRONMENT", "FILES"] {
            assert_eq!(text.matches(&format!("\n.SH \"{section}\"\n")).count(), 1, "{section}: {text}");
        }
        for word in ["SIGUSR1", "SIGQUIT", "LISTEN_FDS", "jobs.redb"] {
            assert!(text.contains(word), "{word}");
        }
    }

    #[test]
    fn what_the_daemon_alone_reads_is_in_the_help() {
        let help = crate::pages::topic("environment").unwrap();
        for (names, _) in ENVIRONMENT {
            assert!(help.contains(names), "{names}");
        }
        assert!(help.lines().all(|line| line.len() <= 80), "{help}");
    }
}
