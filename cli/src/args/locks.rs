//! Options of `lock` and `semaphore`.

use std::ffi::{OsStr, OsString};

use clap::Args;

use super::values;

/// `tally lock NAME -- CMD...`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(next_help_heading = "Options")]
pub(crate) struct LockArgs {
    /// The lock, any text of 1 to 255 bytes
    #[arg(value_name = "NAME", value_parser = values::lock_name)]
    pub(crate) name: String,
    /// Beside others who share it, and nobody who does not
    #[arg(long)]
    pub(crate) shared: bool,
    #[command(flatten)]
    pub(crate) hold: HoldArgs,
}

/// `tally semaphore NAME --permits N -- CMD...`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(next_help_heading = "Options")]
pub(crate) struct SemaphoreArgs {
    /// The semaphore, any text of 1 to 255 bytes
    #[arg(value_name = "NAME", value_parser = values::lock_name)]
    pub(crate) name: String,
    /// Permits there are in all; the same for all who use it at a time
    #[arg(long, value_name = "N", value_parser = values::permits)]
    pub(crate) permits: u32,
    /// Permits to take [default: 1]
    #[arg(long, value_name = "N", value_parser = values::permits)]
    pub(crate) take: Option<u32>,
    #[command(flatten)]
    pub(crate) hold: HoldArgs,
}

/// What both have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Options")]
pub(crate) struct HoldArgs {
    /// Give up after this time, with exit code 5: 30s, 500ms, 2m
    #[arg(long, value_name = "TIME", conflicts_with = "nonblock", value_parser = values::duration)]
    pub(crate) timeout: Option<u64>,
    /// Give up at once, with exit code 8
    #[arg(long)]
    pub(crate) nonblock: bool,
    /// Let others have it after this time, even if the command goes on
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub(crate) ttl: Option<u64>,
    /// The command and its arguments
    #[arg(value_name = "CMD", last = true, required = true, value_parser = clap::value_parser!(OsString))]
    pub(crate) command: Vec<OsString>,
}

/// Whether the descriptors that this process was started with are for a command that it will start, as with `env` or
/// `nice`: to be known before anything is done about them.
#[must_use]
pub fn passes_descriptors_on(args: &[OsString]) -> bool {
    // Of the operations on a queue only those with a command start anything.
    super::first_word(args.iter().map(OsString::as_os_str))
        .is_some_and(|word| ["lock", "semaphore", "queue"].map(OsStr::new).contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_starts_a_users_command_keeps_descriptors() {
        let passes = |line: &str| {
            let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            passes_descriptors_on(&args)
        };
        assert!(passes("tally lock a -- true"));
        assert!(passes("tally -q --socket /x --color never semaphore a --permits 2 -- true"));
        assert!(passes("tally --socket=/x lock a -- true"));
        assert!(passes("tally queue q get --hold -- true"));
        for line in
            ["tally", "tally help lock", "tally sum 0..3", "tally --socket lock locks", "tally -- lock"]
        {
            assert!(!passes(line), "{line}");
        }
    }
}
