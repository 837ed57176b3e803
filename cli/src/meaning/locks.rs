//! What `lock` and `semaphore` mean.

use std::ffi::OsString;

use tally_protocol::error::Failure;
use tally_protocol::locks::{Acquire, LockToken, Patience, Want, shown_command};

use super::{Verb, bad};
use crate::args::locks::{HoldArgs, LockArgs, SemaphoreArgs};
use crate::place::Reach;
use crate::surroundings::Surroundings;

/// The variable by which a command says under which lock it was started.
pub(crate) const TOKEN: &str = "TALLY_LOCK_TOKEN";

/// A command that runs while something is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holding {
    /// What is asked for.
    pub(crate) acquire: Acquire,
    /// The program and its arguments.
    pub(crate) command: Vec<OsString>,
}

pub(super) fn lock(args: LockArgs, reach: Reach, around: &Surroundings) -> Verb {
    let want = if args.shared { Want::Shared } else { Want::Exclusive };
    Verb::Hold(reach, Box::new(holding(args.name, want, args.hold, around)))
}

pub(super) fn semaphore(args: SemaphoreArgs, reach: Reach, around: &Surroundings) -> Result<Verb, Failure> {
    let take = args.take.unwrap_or(1);
    if take > args.permits {
        let why = format!("there are {} permits", args.permits);
        return Err(bad(format!("could not take {take} of semaphore '{}': {why}", args.name)));
    }
    let want = Want::Permits { of: args.permits, take };
    Ok(Verb::Hold(reach, Box::new(holding(args.name, want, args.hold, around))))
}

fn holding(name: String, want: Want, hold: HoldArgs, around: &Surroundings) -> Holding {
    let patience = match (hold.nonblock, hold.timeout) {
        (true, _) => Patience::None,
        (false, Some(ms)) => Patience::Ms(ms),
        (false, None) => Patience::Endless,
    };
    // One that is none, or that of another daemon, says nothing.
    let within: Option<LockToken> =
        around.get(TOKEN).and_then(|text| text.to_str()).and_then(|text| text.parse().ok());
    let command = Some(shown_command(&typed(&hold.command)));
    let acquire = Acquire { patience, ttl_ms: hold.ttl, within, command, ..Acquire::new(name, want) };
    Holding { acquire, command: hold.command }
}

/// A command as one would type it.
fn typed(words: &[OsString]) -> String {
    let plain = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "-_./=:,@%+".contains(c))
    };
    let word = |word: &OsString| {
        let text = word.to_string_lossy();
        if plain(&text) { text.into_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
    };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_as_they_would_be_typed() {
        let words = ["sh", "-c", "echo it's", "", "/a/b.c"].map(OsString::from);
        assert_eq!(typed(&words), r"sh -c 'echo it'\''s' '' /a/b.c");
    }
}
