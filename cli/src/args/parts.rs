//! Verbs within a command, such as `config show` and `queue put`: each has a help of its own.
//!
//! The parser knows them as words of their command, so one table says here what each does, and which of the command's
//! options mean something to it.

use std::ffi::{OsStr, OsString};

/// One verb of a command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// The command.
    command: &'static str,
    /// The verb.
    name: &'static str,
    /// What stands behind the command.
    usage: &'static str,
    /// What it does.
    about: &'static str,
    /// Lines of examples.
    examples: &'static str,
    /// The options that mean something to it.
    options: &'static [&'static str],
}

macro_rules! parts {
    ($($command:literal { $($name:literal $usage:literal, $about:literal, $examples:literal, $options:expr;)* })*) => {
        &[$($(Part {
            command: $command,
            name: $name,
            usage: $usage,
            about: $about,
            examples: $examples,
            options: $options,
        }),*),*]
    };
}

/// How an object is made.
const MAKE: &[&str] = &["persistent", "ttl", "others"];
/// The same where what is put in may be typed, and depend on a version.
const PUT: &[&str] = &["kind", "if_version", "persistent", "ttl", "others"];
/// Where one waits.
const WAIT: &[&str] = &["timeout", "nonblock", "persistent", "ttl", "others"];
/// What studies take.
const LOCKS: &[&str] = &["processes", "count", "locks", "timeout", "plot"];

/// All of them, in the order in which their commands name them.
const PARTS: &[Part] = parts! {
    "config" {
    "show" "show [KEY|FILE]", "Print the settings in force and where each came from: all, the one named, or those of a file alone",
        "  tally config show                 what is in force, and where it came from
  tally config show workers         one of them
  tally config show my.toml         what that file says, on top of the built-in
  tally config show --config my.toml   what a daemon started with it would have", &["file", "config"];
    "check" "check [FILE]", "Check the configuration: one line for each fault, exit 2 if there is any",
        "  tally config check my.toml
  tally config check                all that a daemon started now would read", &["file", "config"];
    "default" "default", "Print the built-in settings, each explained",
        "  tally config default > my.toml", &[];
    }
    "objects" {
    "rm" "rm NAME...", "End objects; what they hold is gone",
        "  tally objects rm hits prices", &[];
    "batch" "batch [FILE|-]", "Do many operations, one a line, quoted as in a shell; - is standard input",
        "  printf 'value a add -1\\nvalue b add 1\\n' | tally objects batch - --atomic
  tally objects batch changes.txt   a line: dict names set k17 'two words'", &["atomic"];
    }
    "value" {
    "get" "NAME get", "Print the value",
        "  tally value hits get", &["if_version"];
    "set" "NAME set VALUE|-", "Replace the value; - reads it from standard input",
        "  tally value name set 'a text'
  tally value name set - < file", PUT;
    "add" "NAME add NUMBER", "Add to the value, 0 if it is not there, and print the sum",
        "  tally value hits add 1", PUT;
    "cas" "NAME cas OLD NEW", "Replace the value if it is OLD; else exit 1",
        "  tally value leader cas nobody me", PUT;
    }
    "dict" {
    "get" "NAME get KEY", "Print what stands under a key; exit 7 if there is no such key",
        "  tally dict prices get apple", &["if_version"];
    "set" "NAME set KEY VALUE | NAME set -", "Put something under a key; - reads lines of KEY<TAB>VALUE from standard input",
        "  tally dict prices set apple 0.5
  tally dict prices set - < prices.tsv", PUT;
    "add" "NAME add KEY NUMBER", "Add to what stands under a key, 0 if nothing does, and print the sum",
        "  tally dict stock add apple -1", PUT;
    "cas" "NAME cas KEY OLD NEW", "Replace what stands under a key if it is OLD; else exit 1",
        "  tally dict owners cas disk nobody me", PUT;
    "del" "NAME del KEY", "Remove a key and what stands under it",
        "  tally dict prices del apple", &["if_version"];
    "keys" "NAME keys", "Print the keys, a line each, sorted",
        "  tally dict prices keys", &["if_version"];
    "items" "NAME items", "Print keys and data, a line each, a tab between them",
        "  tally dict prices items", &["if_version"];
    "len" "NAME len", "Print how many keys there are",
        "  tally dict prices len", &["if_version"];
    }
    "list" {
    "push" "NAME push VALUE...|-", "Put elements at the end, or at the front; - reads one a line from standard input",
        "  tally list steps push one two three
  tally list steps push --front zero", &["front", "kind", "if_version", "persistent", "ttl", "others"];
    "pop" "NAME pop [INDEX]", "Take an element out and print it: the last, the first, or that of an index",
        "  tally list steps pop
  tally list steps pop --front", &["front", "if_version"];
    "get" "NAME get INDEX", "Print the element of an index; -1 is the last",
        "  tally list steps get -1", &["if_version"];
    "set" "NAME set INDEX VALUE", "Replace the element of an index; -1 is the last",
        "  tally list steps set 0 first", &["kind", "if_version"];
    "len" "NAME len", "Print how many elements there are",
        "  tally list steps len", &["if_version"];
    "all" "NAME all", "Print all elements, a line each",
        "  tally list steps all", &["if_version"];
    }
    "queue" {
    "put" "NAME put VALUE...|-", "Put items in, and wait for room; - reads one a line from standard input",
        "  tally queue work put a.txt b.txt
  ls | tally queue work put - --capacity 100", &["timeout", "nonblock", "kind", "if_version", "capacity", "deliveries", "persistent", "ttl", "others"];
    "get" "NAME get [--hold|--each -- CMD...]", "Take an item and print it, or run a command on it; waits for one",
        "  tally queue work get              exit 7 once it is closed and empty
  tally queue work get --each -- gzip {}", &["command", "hold", "each", "lease", "timeout", "nonblock", "if_version", "capacity", "deliveries", "persistent", "ttl", "others"];
    "size" "NAME size", "Print how many items wait",
        "  tally queue work size", &["if_version"];
    "empty" "NAME empty", "Print whether nothing waits: true or false",
        "  tally queue work empty", &["if_version"];
    "close" "NAME close", "Take no more items; those that are there are still handed out",
        "  tally queue work close", &["if_version"];
    "dead" "NAME dead", "Print the items that were put aside: delivered in vain too often",
        "  tally queue work dead", &["if_version"];
    "revive" "NAME revive", "Put what was put aside back among the items, and print how many those were",
        "  tally queue work revive", &["if_version"];
    }
    "event" {
    "set" "NAME set", "Set it: whoever waits goes on",
        "  tally event ready set", MAKE;
    "clear" "NAME clear", "Set it back: who comes next waits",
        "  tally event ready clear", MAKE;
    "wait" "NAME wait", "Wait until it is set",
        "  tally event ready wait --timeout 10s && echo go", WAIT;
    "get" "NAME get", "Print whether it is set: true or false",
        "  tally event ready get", MAKE;
    }
    "barrier" {
    "wait" "NAME wait --parties N", "Wait until N are here, and print which of them this was: 0 to N-1",
        "  tally barrier start wait --parties 4", &["parties", "timeout", "nonblock", "persistent", "ttl", "others"];
    "get" "NAME get", "Print how many wait, and for how many",
        "  tally barrier start get", MAKE;
    "reset" "NAME reset", "Send away those that wait",
        "  tally barrier start reset", MAKE;
    }
    "stats" {
    "add" "NAME add NUMBER...|-", "Count numbers in; - reads one a line from standard input",
        "  tally stats latency add 12.5 13", PUT;
    "get" "NAME get", "Print count, sum, least, greatest and mean",
        "  tally stats latency get", &["if_version"];
    "reset" "NAME reset", "Begin again with none",
        "  tally stats latency reset", &["if_version"];
    }
    "lab" {
    "race" "race", "Lost updates of a counter and a bank account, without a lock and with each kind",
        "  tally lab race
  tally lab race --processes 50 --count 200_000 --lock none,ticket", LOCKS;
    "locks" "locks", "Entries a second and waits of each lock, by number of processes",
        "  tally lab locks --processes 4 --plot locks.svg", LOCKS;
    "spin" "spin", "Busy waiting against sleeping, on free and on full processors",
        "  tally lab spin --count 20         sections of 20 ms of work", &["processes", "count", "plot"];
    "deadlock" "deadlock", "Two locks crosswise: the four conditions, and each of them broken",
        "  tally lab deadlock                always ends by itself", &["count", "timeout", "plot"];
    "philosophers" "philosophers", "The circle of waits at a round table, and three ways out",
        "  tally lab philosophers --processes 5", &["processes", "count", "timeout", "plot"];
    "producer-consumer" "producer-consumer", "A bounded buffer with semaphores, as a monitor, and a queue with STOP",
        "  tally lab producer-consumer --processes 8", &["processes", "count", "timeout", "plot"];
    "coroutines" "coroutines", "Three factorials side by side on one thread; a running minimum that is sent numbers",
        "  tally lab coroutines", &["plot"];
    "processes" "processes", "What threads share and processes do not; is alive, join, terminate, daemon children",
        "  tally lab processes", &["plot"];
    }
};

/// The verb of a command, by its name.
pub(crate) fn called(command: &str, name: &str) -> Option<&'static Part> {
    PARTS.iter().find(|part| part.command == command && part.name == name)
}

/// The verb that a command line is about, as far as it was typed.
pub(super) fn among(args: &[OsString], table: &clap::Command) -> Option<&'static Part> {
    let words = words(args, table);
    let (command, rest) = words.split_first()?;
    // The name of an object comes first, and is what is forgotten when only the verb is asked about.
    let named = table.find_subcommand(command)?.get_positionals().any(|one| one.get_id() == "name");
    let at = if named { [1, 0] } else { [0, 0] };
    at.into_iter().find_map(|at| called(command, rest.get(at)?))
}

/// The words of a command line that are neither options nor their values, the program's name left out.
fn words(args: &[OsString], table: &clap::Command) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut args = args.iter().skip(1).take_while(|arg| *arg != "--").filter_map(|arg| arg.to_str());
    while let Some(arg) = args.next() {
        if !arg.starts_with('-') {
            words.push(arg.to_owned());
            continue;
        }
        let command = words.first().and_then(|name| table.find_subcommand(name));
        let mut known = command.into_iter().chain([table]).flat_map(clap::Command::get_arguments);
        let is_it =
            |one: &&clap::Arg| arg.strip_prefix("--").is_some_and(|long| one.get_long() == Some(long));
        if known.find(is_it).is_some_and(|one| one.get_action().takes_values()) {
            args.next();
        }
    }
    words
}

impl Part {
    /// Its help: the short one or the long one.
    pub(crate) fn help(&self, long: bool) -> String {
        let mut table = super::table();
        table.build();
        let command = table.find_subcommand(self.command).cloned().unwrap_or_default();
        let is_global = |one: &clap::Arg| table.get_arguments().any(|arg| arg.get_id() == one.get_id());
        let is_ours = |one: &clap::Arg| self.options.iter().any(|option| one.get_id() == *option);
        let of_part = |one: &clap::Arg| is_ours(one) && !one.is_positional();
        let options = if command.get_arguments().any(of_part) { " [OPTIONS]" } else { "" };
        let usage = format!("tally {} {}{options}", self.command, self.usage);
        let shown = command.get_arguments().filter(|one| is_ours(one) || is_global(one)).cloned();
        let mut help = clap::Command::new(self.name)
            .about(self.about)
            .before_help(format!("Examples\n{}", self.examples))
            .override_usage(usage)
            .help_template(super::TEMPLATE)
            .max_term_width(80)
            .disable_help_flag(true)
            .disable_version_flag(true)
            .args(shown.map(|one| if one.is_positional() { one.last(false).index(None) } else { one }));
        if long { help.render_long_help() } else { help.render_help() }.to_string()
    }
}

/// Whether an argument asks for the long help.
pub(super) fn is_long(args: &[OsString]) -> bool {
    args.iter().take_while(|arg| *arg != "--").any(|arg| arg == OsStr::new("--help"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Stop, parse};

    fn text(line: &str) -> String {
        let args: Vec<OsString> = ["tally"].into_iter().chain(line.split(' ')).map(OsString::from).collect();
        match parse(args) {
            Err(Stop::Text { text, .. }) => text,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn every_verb_speaks_of_itself_and_fits_a_screen() {
        let table = super::super::table();
        for part in PARTS {
            let command = table.find_subcommand(part.command).unwrap();
            let named = command.get_positionals().any(|one| one.get_id() == "name");
            let line = format!("{}{} {}", part.command, if named { " some" } else { "" }, part.name);
            let short = text(&format!("{line} -h"));
            assert!(short.starts_with(part.about.split(' ').next().unwrap()), "{line}: {short}");
            assert!(short.contains(&format!("\n\nUsage: tally {} {}", part.command, part.usage)), "{short}");
            assert!(short.contains("\nExamples\n  ") && short.lines().count() <= 24, "{line}: {short}");
            let long = text(&format!("{line} --help"));
            for line in short.lines().chain(long.lines()) {
                assert!(line.chars().count() <= 80, "{line}");
            }
            let of_command = text(&format!("{} -h", part.command));
            assert!(short != of_command && long != text(&format!("{} --help", part.command)), "{line}");
            for option in part.options {
                assert!(command.get_arguments().any(|one| one.get_id() == *option), "{line}: {option}");
            }
        }
    }

    #[test]
    fn every_verb_that_a_command_names_is_there() {
        let table = super::super::table();
        for kind in ["value", "dict", "list", "queue", "event", "barrier", "stats"] {
            let words =
                table.find_subcommand(kind).unwrap().get_arguments().find(|one| one.get_id() == "words");
            let help = words.unwrap().get_help().unwrap().to_string();
            for operation in help.split([',', ';']).filter_map(|one| one.split_whitespace().next()) {
                assert!(called(kind, operation).is_some(), "{kind} {operation}");
            }
        }
        for study in crate::args::studies::STUDIES {
            assert!(called("lab", study).is_some(), "{study}");
        }
    }

    #[test]
    fn a_verb_is_found_wherever_options_stand() {
        assert!(text("queue put -h").contains("Usage: tally queue NAME put"), "without a name");
        assert!(text("queue --capacity 5 work put x -h").contains("Usage: tally queue NAME put"));
        assert!(text("--socket get value hits add 1 -h").contains("Usage: tally value NAME add"));
        assert!(text("value get get --help").contains("Usage: tally value NAME get"));
        assert!(text("config -h").contains("Usage: tally config"));
        assert!(text("debug bundle -h").contains("Usage: tally debug bundle"));
        assert!(text("debug bundle -h").contains("\nExamples\n"));
        assert!(!text("config show -h").contains("show, check or default"));
    }
}
