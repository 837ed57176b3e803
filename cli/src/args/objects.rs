//! Options of the commands about hosted objects: `value dict list queue event barrier stats objects watch`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::values;

/// Over the options that say how an object is made.
const MAKE: &str = "How it is made, if it is not there";

/// How an object is made by the first who uses it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct MakeOptions {
    /// It survives the daemon: written to the disk before the command returns
    #[arg(long, hide_short_help = true, help_heading = MAKE)]
    pub(crate) persistent: bool,
    /// It ends so long after its last change: 30s, 5m, 24h
    #[arg(long, value_name = "TIME", hide_short_help = true, help_heading = MAKE, value_parser = values::duration)]
    pub(crate) ttl: Option<u64>,
    /// What other users may do: none, read, write [default: none]
    #[arg(long, value_name = "WHAT", hide_short_help = true, help_heading = MAKE, value_parser = values::others)]
    pub(crate) others: Option<tally_protocol::objects::Others>,
}

/// How a word becomes what an object holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct TypeOptions {
    /// What words are: integer, float, text, bytes (in hexadecimal) [default: guessed]
    #[arg(long = "as", value_name = "TYPE", hide_short_help = true, value_parser = values::datum_type)]
    pub(crate) kind: Option<String>,
    /// Only if the object's version is this; 0: only if it is not there
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub(crate) if_version: Option<u64>,
}

/// How long to wait.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct WaitOptions {
    /// Give up after this time, exit 5 [default: wait for ever]
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub(crate) timeout: Option<u64>,
    /// Do not wait, exit 5 instead
    #[arg(long, hide_short_help = true, conflicts_with = "timeout")]
    pub(crate) nonblock: bool,
}

/// What is done to which object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct NamedArgs {
    /// The object's name
    #[arg(index = 1, value_name = "NAME", value_parser = values::text)]
    pub(crate) name: String,
    /// What is done to it
    #[arg(index = 2, value_name = "OPERATION", required = true, value_parser = values::text)]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) make: MakeOptions,
}

/// The operations of `tally value`.
pub(crate) const OF_A_VALUE: &str = "get, set VALUE, add NUMBER, cas OLD NEW; set - reads standard input";
/// Those of `tally dict`.
pub(crate) const OF_A_DICT: &str = "get KEY, set KEY VALUE, set - (lines of KEY<TAB>VALUE), add KEY NUMBER, cas KEY OLD NEW, del KEY, keys, items, len";
/// Those of `tally stats`.
pub(crate) const OF_STATS: &str = "add NUMBER..., add - (a number a line), get, reset";

/// `tally value NAME OPERATION`, and the same with `dict` and `stats`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct PlainArgs {
    #[command(flatten)]
    pub(crate) named: NamedArgs,
    #[command(flatten)]
    pub(crate) types: TypeOptions,
}

/// `tally list NAME OPERATION`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(mut_arg("words", |one| one.help(
    "push VALUE..., push - (a value a line), pop [INDEX], get INDEX, set INDEX VALUE, len, all"
)))]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) named: NamedArgs,
    /// Push and pop at the front
    #[arg(long)]
    pub(crate) front: bool,
    #[command(flatten)]
    pub(crate) types: TypeOptions,
}

/// `tally queue NAME OPERATION`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(
    mut_arg("words", |one| one.help("put VALUE... (- for lines), get, size, empty, close, dead, revive")),
    // What is changed goes to the end: so that the words of the operation stay before the command's.
    mut_arg("command", |one| one)
)]
pub(crate) struct QueueArgs {
    #[command(flatten)]
    pub(crate) named: NamedArgs,
    /// After --: what 'get --hold' and 'get --each' run
    #[arg(index = 3, value_name = "CMD", last = true)]
    pub(crate) command: Vec<OsString>,
    /// With get: run CMD on the item
    ///
    /// The item is on its standard input, and in the place of {} in its arguments. It is gone when CMD ends with 0, and
    /// comes back otherwise.
    #[arg(long)]
    pub(crate) hold: bool,
    /// The same for item after item, until the queue is closed
    #[arg(long, conflicts_with = "hold")]
    pub(crate) each: bool,
    /// With get: the item comes back after this time even if its command still runs
    #[arg(long, value_name = "TIME", hide_short_help = true, value_parser = values::duration)]
    pub(crate) lease: Option<u64>,
    #[command(flatten)]
    pub(crate) wait: WaitOptions,
    #[command(flatten)]
    pub(crate) types: TypeOptions,
    /// Make it for so many items; further ones wait
    #[arg(long, value_name = "N")]
    pub(crate) capacity: Option<u64>,
    /// Times an item may be delivered in vain before it is put aside
    #[arg(
        long,
        value_name = "N",
        hide_short_help = true,
        help_heading = MAKE
    )]
    pub(crate) deliveries: Option<u32>,
}

/// `tally event NAME OPERATION`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(mut_arg("words", |one| one.help("set, clear, wait, get")))]
pub(crate) struct EventArgs {
    #[command(flatten)]
    pub(crate) named: NamedArgs,
    #[command(flatten)]
    pub(crate) wait: WaitOptions,
}

/// `tally barrier NAME OPERATION`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(mut_arg("words", |one| one.help("wait, get, reset")))]
pub(crate) struct BarrierArgs {
    #[command(flatten)]
    pub(crate) named: NamedArgs,
    /// How many wait for each other
    #[arg(long, value_name = "N")]
    pub(crate) parties: Option<u32>,
    #[command(flatten)]
    pub(crate) wait: WaitOptions,
}

/// `tally objects`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(next_help_heading = "Options")]
pub(crate) struct ObjectsArgs {
    /// rm NAME..., or batch FILE (- is standard input); without it, all are listed
    #[arg(value_name = "OPERATION", value_parser = values::text)]
    pub(crate) words: Vec<String>,
    /// With batch: all lines or none, with nothing in between
    #[arg(long)]
    pub(crate) atomic: bool,
    #[command(flatten)]
    pub(crate) list: super::lists::ListOptions,
}

/// `tally watch NAME`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(next_help_heading = "Options")]
pub(crate) struct WatchArgs {
    /// The object's name; it need not be there yet
    #[arg(value_name = "NAME", value_parser = values::text)]
    pub(crate) name: String,
    /// End after so many changes [default: never]
    #[arg(long, value_name = "N", value_parser = values::count)]
    pub(crate) count: Option<u32>,
    /// Give up after this time without a change, exit 5
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub(crate) timeout: Option<u64>,
}

/// The file of `objects batch`.
pub(crate) fn file(word: &str) -> Option<PathBuf> {
    (word != "-").then(|| PathBuf::from(word))
}
