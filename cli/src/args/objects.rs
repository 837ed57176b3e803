//! Options of the commands about hosted objects: `value dict list queue event barrier stats objects watch`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::values;

/// How an object is made by the first who uses it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "How it is made, if it is not there")]
pub(crate) struct MakeOptions {
    /// It survives the daemon: written to the disk before the command returns
    #[arg(long, hide_short_help = true)]
    pub(crate) persistent: bool,
    /// It ends so long after its last change: 30s, 5m, 24h
    #[arg(long, value_name = "TIME", hide_short_help = true, value_parser = values::duration)]
    pub(crate) ttl: Option<u64>,
    /// What other users may do: none, read, write [default: none]
    #[arg(long, value_name = "WHAT", hide_short_help = true, value_parser = values::others)]
    pub(crate) others: Option<tally_protocol::objects::Others>,
}

/// How a word becomes what an object holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Options")]
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
#[command(next_help_heading = "Options")]
pub(crate) struct WaitOptions {
    /// Give up after this time, exit 5 [default: wait for ever]
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub(crate) timeout: Option<u64>,
    /// Do not wait, exit 5 instead
    #[arg(long, hide_short_help = true, conflicts_with = "timeout")]
    pub(crate) nonblock: bool,
}

/// `tally value NAME OPERATION`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct ValueArgs {
    /// The object's name
    #[arg(value_name = "NAME", value_parser = values::text)]
    pub(crate) name: String,
    /// get, set VALUE, add NUMBER, cas OLD NEW; - as VALUE reads standard input
    #[arg(value_name = "OPERATION", required = true, value_parser = values::text)]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) types: TypeOptions,
    #[command(flatten)]
    pub(crate) make: MakeOptions,
}

/// `tally dict NAME OPERATION`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct DictArgs {
    /// The object's name
    #[arg(value_name = "NAME", value_parser = values::text)]
    pub(crate) name: String,
    /// get KEY, set KEY VALUE, set - (lines of KEY<TAB>VALUE), add KEY NUMBER, cas KEY OLD NEW, del KEY, keys, items, len
    #[arg(value_name = "OPERATION", required = true, value_parser = values::text)]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) types: TypeOptions,
    #[command(flatten)]
    pub(crate) make: MakeOptions,
}

/// `tally list NAME OPERATION`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct ListArgs {
    /// The object's name
    #[arg(value_name = "NAME", value_parser = values::text)]
    pub(crate) name: String,
    /// push VALUE..., push - (a value a line), pop [INDEX], get INDEX, set INDEX VALUE, len, all
    #[arg(value_name = "OPERATION", required = true, value_parser = values::text)]
    pub(crate) words: Vec<String>,
    /// Push and pop at the front
    #[arg(long)]
    pub(crate) front: bool,
    #[command(flatten)]
    pub(crate) types: TypeOptions,
    #[command(flatten)]
    pub(crate) make: MakeOptions,
}

/// `tally queue NAME OPERATION`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct QueueArgs {
    /// The object's name
    #[arg(value_name = "NAME", value_parser = values::text)]
    pub(crate) name: String,
    /// put VALUE..., put - (a value a line), get, size, empty, close, dead, revive
    #[arg(value_name = "OPERATION", required = true, value_parser = values::text)]
    pub(crate) words: Vec<String>,
    /// After --: what 'get --hold' and 'get --each' run
    #[arg(value_name = "CMD", last = true)]
    pub(crate) command: Vec<OsString>,
    /// With get: run CMD with the item on its standard input, and as {} in its arguments;
    /// it is gone once that ends with 0, and comes back otherwise
    #[arg(long)]
    pub(crate) hold: bool,
    /// The same for one item after the other, until the queue is closed
    #[arg(long, conflicts_with = "hold")]
    pub(crate) each: bool,
    /// With get: the item comes back after this time even if its command still runs
    #[arg(long, value_name = "TIME", hide_short_help = true, value_parser = values::duration)]
    pub(crate) lease: Option<u64>,
    #[command(flatten)]
    pub(crate) wait: WaitOptions,
    #[command(flatten)]
    pub(crate) types: TypeOptions,
    /// Items that wait in it at once; further ones wait with their producers
    #[arg(long, value_name = "N", help_heading = "How it is made, if it is not there")]
    pub(crate) capacity: Option<u64>,
    /// Times an item may be delivered in vain before it is put aside
    #[arg(
        long,
        value_name = "N",
        hide_short_help = true,
        help_heading = "How it is made, if it is not there"
    )]
    pub(crate) deliveries: Option<u32>,
    #[command(flatten)]
    pub(crate) make: MakeOptions,
}

/// `tally event NAME OPERATION`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct EventArgs {
    /// The object's name
    #[arg(value_name = "NAME", value_parser = values::text)]
    pub(crate) name: String,
    /// set, clear, wait, get
    #[arg(value_name = "OPERATION", required = true, value_parser = values::text)]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) wait: WaitOptions,
    #[command(flatten)]
    pub(crate) make: MakeOptions,
}

/// `tally barrier NAME OPERATION`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct BarrierArgs {
    /// The object's name
    #[arg(value_name = "NAME", value_parser = values::text)]
    pub(crate) name: String,
    /// wait, get, reset
    #[arg(value_name = "OPERATION", required = true, value_parser = values::text)]
    pub(crate) words: Vec<String>,
    /// How many wait for each other
    #[arg(long, value_name = "N")]
    pub(crate) parties: Option<u32>,
    #[command(flatten)]
    pub(crate) wait: WaitOptions,
    #[command(flatten)]
    pub(crate) make: MakeOptions,
}

/// `tally stats NAME OPERATION`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct StatsArgs {
    /// The object's name
    #[arg(value_name = "NAME", value_parser = values::text)]
    pub(crate) name: String,
    /// add NUMBER..., add - (a number a line), get
    #[arg(value_name = "OPERATION", required = true, value_parser = values::text)]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) types: TypeOptions,
    #[command(flatten)]
    pub(crate) make: MakeOptions,
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
