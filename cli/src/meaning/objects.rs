//! What the commands about hosted objects mean: words become operations.
//!
//! The same words stand on the command line and in the lines of `objects batch`.

use std::ffi::OsString;
use std::path::PathBuf;

use tally_protocol::error::Failure;
use tally_protocol::objects::{
    BarrierVerb, Creation, Datum, DictVerb, EventVerb, Lifetime, ListVerb, ObjectKind, Operation, QueueVerb,
    StatsVerb, ValueVerb, Verb, check_name,
};

use super::bad;
use crate::args::objects::{
    BarrierArgs, EventArgs, ListArgs, MakeOptions, NamedArgs, ObjectsArgs, PlainArgs, QueueArgs, TypeOptions,
    WaitOptions, WatchArgs, file,
};
use crate::show::template::Template;
use crate::suggest;

/// What is to be done about objects.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ObjectAsk {
    /// One operation, and how its answer is shown.
    One(Operation, Shown),
    /// What an operation puts in comes from standard input; the operation is a pattern without data.
    Fill {
        /// With everything but the data.
        pattern: Operation,
        /// How each line is read.
        kind: Option<String>,
    },
    /// The value is all of standard input.
    Slurp {
        /// With everything but the value.
        pattern: Operation,
        /// How it is read.
        kind: Option<String>,
    },
    /// An item for a command.
    Hold {
        /// The get.
        operation: Operation,
        /// What runs.
        command: Vec<OsString>,
        /// One after the other.
        each: bool,
    },
    /// All that are there.
    List(Option<Template>),
    /// An end to these.
    Remove(Vec<String>),
    /// Lines of a file.
    Batch {
        /// Standard input without one.
        file: Option<PathBuf>,
        /// All or none.
        atomic: bool,
    },
    /// The changes of one.
    Watch {
        /// Which.
        name: String,
        /// After how many it ends.
        count: Option<u32>,
        /// How long to wait for one.
        timeout_ms: Option<u64>,
    },
}

/// What of an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Nothing: it is done.
    Done,
    /// The datum.
    Value,
    /// An item of a queue, which is acknowledged when it has been printed.
    Item,
    /// Keys, a line each.
    Keys,
    /// Keys and data, a line each.
    Items,
    /// Elements, a line each.
    Values,
    /// A number.
    Length,
    /// Whether there is nothing.
    Empty,
    /// Whether an event is set.
    Set,
    /// Which party one was.
    Index,
    /// How many wait at a barrier, of how many.
    Barrier,
    /// Names and figures, a line each.
    Figures,
}

/// Words of one operation, and what goes with them.
struct Words<'a> {
    kind: ObjectKind,
    name: String,
    operation: String,
    rest: Vec<String>,
    types: &'a TypeOptions,
}

impl<'a> Words<'a> {
    fn new(kind: ObjectKind, named: &NamedArgs, types: &'a TypeOptions) -> Result<Self, Failure> {
        let name = named.name.clone();
        check_name(&name)?;
        let mut words = named.words.iter().cloned();
        let operation = words.next().unwrap_or_default();
        Ok(Self { kind, name, operation, rest: words.collect(), types })
    }

    fn could_not(&self, why: impl std::fmt::Display) -> Failure {
        bad(format!("could not run 'tally {} {} {}': {why}", self.kind, self.name, self.operation))
    }

    /// Exactly so many words.
    fn words<const N: usize>(&self, names: [&str; N]) -> Result<[String; N], Failure> {
        if self.rest.len() < N {
            return Err(self.could_not(format!("{} is missing", names[self.rest.len()])));
        }
        match <[String; N]>::try_from(self.rest.clone()) {
            Ok(words) => Ok(words),
            Err(words) => Err(self.could_not(format!("it takes no '{}'", words[N]))),
        }
    }

    fn datum(&self, word: &str) -> Result<Datum, Failure> {
        // Where what is kept is a number, or is added to one, it is read as one however it is written.
        let numbers = matches!(self.kind, ObjectKind::Value | ObjectKind::Stats) || self.operation == "add";
        let read = if numbers { number } else { datum };
        read(word, self.types.kind.as_deref()).map_err(|why| self.could_not(why))
    }

    /// Options that mean nothing to this operation: their names, whether they were given, and which take them.
    fn only<'o>(
        &self,
        options: impl IntoIterator<Item = (&'o str, bool, &'o [&'o str])>,
    ) -> Result<(), Failure> {
        let idle = options
            .into_iter()
            .find(|(_, given, takers)| *given && !takers.contains(&self.operation.as_str()));
        match idle {
            Some((option, _, takers)) => {
                let kind = self.kind;
                let takers: Vec<String> =
                    takers.iter().map(|one| format!("'tally {kind} NAME {one}'")).collect();
                Err(self
                    .could_not(format!("{option} changes nothing here"))
                    .hint(format!("it is for {}", takers.join(", "))))
            }
            None => Ok(()),
        }
    }

    fn data(&self) -> Result<Vec<Datum>, Failure> {
        if self.rest.is_empty() {
            return Err(self.could_not("a VALUE is missing"));
        }
        self.rest.iter().map(|word| self.datum(word)).collect()
    }

    fn index(&self, word: &str) -> Result<i64, Failure> {
        word.parse().map_err(|_| self.could_not(format!("'{word}' is no index")))
    }

    fn is_stdin(&self) -> bool {
        self.rest == ["-"]
    }

    fn unknown(&self, known: &[&str]) -> Failure {
        let question = suggest::question(&self.operation, known);
        let why = format!("there is no '{}' for {}{question}", self.operation, self.kind.one());
        let message = format!("could not run 'tally {} {}': {why}", self.kind, self.name);
        bad(message).hint(format!("there are {}", known.join(", ")))
    }
}

/// A word as data: a number only if it is written as one is.
pub(crate) fn datum(word: &str, kind: Option<&str>) -> Result<Datum, String> {
    match kind {
        None => Ok(Datum::guess(word)),
        Some(kind) => {
            Datum::read(kind, word).map_err(|why| format!("could not read '{word}' as {kind}: {why}"))
        }
    }
}

/// A word as a number if it reads as one, else as text.
pub(crate) fn number(word: &str, kind: Option<&str>) -> Result<Datum, String> {
    match kind {
        None => Datum::guess_number(word).map_err(|why| {
            let shown: String = word.chars().take(40).collect();
            format!("'{shown}' cannot be kept as a number: {why} (--as text keeps it as it is)")
        }),
        Some(_) => datum(word, kind),
    }
}

fn creation(make: &MakeOptions, capacity: Option<u64>, deliveries: Option<u32>) -> Option<Box<Creation>> {
    let creation = Creation {
        lifetime: make.persistent.then_some(Lifetime::Persistent),
        ttl_ms: make.ttl,
        others: make.others,
        capacity,
        deliveries,
    };
    (creation != Creation::default()).then(|| Box::new(creation))
}

fn timeout_ms(wait: &WaitOptions) -> Option<u64> {
    if wait.nonblock { Some(0) } else { wait.timeout }
}

/// An operation with nothing special, and what its answer shows.
type Plain = (Verb, Shown);

fn value(words: &Words<'_>) -> Result<Plain, Failure> {
    Ok(match words.operation.as_str() {
        "get" => {
            words.words([])?;
            (Verb::Value(ValueVerb::Get), Shown::Value)
        }
        "set" => {
            let [value] = words.words(["VALUE"])?;
            (Verb::Value(ValueVerb::Set(words.datum(&value)?)), Shown::Done)
        }
        "add" => {
            let [by] = words.words(["NUMBER"])?;
            (Verb::Value(ValueVerb::Add(words.datum(&by)?)), Shown::Value)
        }
        "cas" => {
            let [old, new] = words.words(["OLD", "NEW"])?;
            let (old, new) = (Some(words.datum(&old)?), words.datum(&new)?);
            (Verb::Value(ValueVerb::Swap { old, new }), Shown::Done)
        }
        _ => return Err(words.unknown(&["get", "set", "add", "cas"])),
    })
}

fn dict(words: &Words<'_>) -> Result<Plain, Failure> {
    let (verb, shown) = match words.operation.as_str() {
        "get" => {
            let [key] = words.words(["KEY"])?;
            (DictVerb::Get(key), Shown::Value)
        }
        "set" => {
            let [key, value] = words.words(["KEY", "VALUE"])?;
            (DictVerb::Set(key, words.datum(&value)?), Shown::Done)
        }
        "add" => {
            let [key, by] = words.words(["KEY", "NUMBER"])?;
            (DictVerb::Add(key, words.datum(&by)?), Shown::Value)
        }
        "cas" => {
            let [key, old, new] = words.words(["KEY", "OLD", "NEW"])?;
            let (old, new) = (Some(words.datum(&old)?), words.datum(&new)?);
            (DictVerb::Swap { key, old, new }, Shown::Done)
        }
        "del" => {
            let [key] = words.words(["KEY"])?;
            (DictVerb::Delete(key), Shown::Done)
        }
        "keys" => {
            words.words([])?;
            (DictVerb::Keys(None), Shown::Keys)
        }
        "items" => {
            words.words([])?;
            (DictVerb::Items(None), Shown::Items)
        }
        "len" => {
            words.words([])?;
            (DictVerb::Length, Shown::Length)
        }
        _ => return Err(words.unknown(&["get", "set", "add", "cas", "del", "keys", "items", "len"])),
    };
    Ok((Verb::Dict(verb), shown))
}

fn list(words: &Words<'_>, front: bool) -> Result<Plain, Failure> {
    let (verb, shown) = match words.operation.as_str() {
        "push" => (ListVerb::Push { values: words.data()?, front }, Shown::Done),
        "pop" => {
            let end = if front { 0 } else { -1 };
            let index = match words.rest.as_slice() {
                [] => end,
                _ => words.index(&words.words(["INDEX"])?[0])?,
            };
            (ListVerb::Pop(index), Shown::Value)
        }
        "get" => {
            let [index] = words.words(["INDEX"])?;
            (ListVerb::Get(words.index(&index)?), Shown::Value)
        }
        "set" => {
            let [index, value] = words.words(["INDEX", "VALUE"])?;
            (ListVerb::Set(words.index(&index)?, words.datum(&value)?), Shown::Done)
        }
        "len" => {
            words.words([])?;
            (ListVerb::Length, Shown::Length)
        }
        "all" => {
            words.words([])?;
            (ListVerb::All(0), Shown::Values)
        }
        _ => return Err(words.unknown(&["push", "pop", "get", "set", "len", "all"])),
    };
    Ok((Verb::List(verb), shown))
}

fn queue(words: &Words<'_>, lease_ms: Option<u64>) -> Result<Plain, Failure> {
    let (verb, shown) = match words.operation.as_str() {
        "put" => return Ok((Verb::Queue(QueueVerb::Put(words.data()?)), Shown::Done)),
        "get" => (QueueVerb::Get { take: false, lease_ms }, Shown::Item),
        "size" => (QueueVerb::Size, Shown::Length),
        "empty" => (QueueVerb::Size, Shown::Empty),
        "close" => (QueueVerb::Close, Shown::Done),
        "dead" => (QueueVerb::Dead(0), Shown::Values),
        "revive" => (QueueVerb::Revive, Shown::Length),
        _ => {
            return Err(words.unknown(&["put", "get", "size", "empty", "close", "dead", "revive"]));
        }
    };
    words.words([])?;
    Ok((Verb::Queue(verb), shown))
}

fn event(words: &Words<'_>) -> Result<Plain, Failure> {
    let (verb, shown) = match words.operation.as_str() {
        "get" => (EventVerb::Get, Shown::Set),
        "set" => (EventVerb::Set, Shown::Done),
        "clear" => (EventVerb::Clear, Shown::Done),
        "wait" => (EventVerb::Wait, Shown::Done),
        _ => return Err(words.unknown(&["set", "clear", "wait", "get"])),
    };
    words.words([])?;
    Ok((Verb::Event(verb), shown))
}

fn barrier(words: &Words<'_>, parties: Option<u32>) -> Result<Plain, Failure> {
    let (verb, shown) = match words.operation.as_str() {
        "get" => (BarrierVerb::Get, Shown::Barrier),
        "reset" => (BarrierVerb::Reset, Shown::Done),
        "wait" => {
            let parties = parties.ok_or_else(|| words.could_not("--parties is missing"))?;
            (BarrierVerb::Wait { parties }, Shown::Index)
        }
        _ => return Err(words.unknown(&["wait", "get", "reset"])),
    };
    words.words([])?;
    Ok((Verb::Barrier(verb), shown))
}

fn stats(words: &Words<'_>) -> Result<Plain, Failure> {
    match words.operation.as_str() {
        "add" => Ok((Verb::Stats(StatsVerb::Add(words.data()?)), Shown::Done)),
        "get" => {
            words.words([])?;
            Ok((Verb::Stats(StatsVerb::Get), Shown::Figures))
        }
        "reset" => {
            words.words([])?;
            Ok((Verb::Stats(StatsVerb::Reset), Shown::Done))
        }
        _ => Err(words.unknown(&["add", "get", "reset"])),
    }
}

/// The words of a line: apart by tabs if there is one, and then as they are; else as a shell takes them apart.
fn words_of(text: &str) -> Result<Vec<String>, Failure> {
    if text.contains('\t') {
        return Ok(text.split('\t').map(str::to_owned).collect());
    }
    let mut words = shlex::Shlex::new(text);
    let all = words.by_ref().collect();
    if words.had_error {
        return Err(bad(format!(
            "could not read '{text}': a quote is open, or a backslash stands alone, at its end"
        )));
    }
    Ok(all)
}

/// One line of a batch: the words that stand behind `tally` on a command line.
///
/// # Errors
/// `BadUsage` when they mean nothing.
pub(crate) fn line(text: &str) -> Result<(Operation, Shown), Failure> {
    let mut words = words_of(text)?.into_iter();
    let kind = words.next().filter(|word| word != "tally").or_else(|| words.next()).unwrap_or_default();
    let kinds = ["value", "dict", "list", "queue", "event", "stats"];
    let types = TypeOptions::default();
    let name = words.next();
    let rest: Vec<String> = words.collect();
    let make = |of| {
        let name = name.clone().ok_or_else(|| bad(format!("could not read '{text}': a name is missing")))?;
        Words::new(of, &NamedArgs { name, words: rest.clone(), ..NamedArgs::default() }, &types)
    };
    let (name, (verb, shown)) = match kind.as_str() {
        "value" => make(ObjectKind::Value).and_then(|words| Ok((words.name.clone(), value(&words)?)))?,
        "dict" => make(ObjectKind::Dict).and_then(|words| Ok((words.name.clone(), dict(&words)?)))?,
        "list" => make(ObjectKind::List).and_then(|words| Ok((words.name.clone(), list(&words, false)?)))?,
        "queue" => make(ObjectKind::Queue).and_then(|words| {
            let (verb, shown) = queue(&words, None)?;
            // Nothing is left to acknowledge: what a batch gets, it takes.
            let takes = matches!(shown, Shown::Item);
            let verb = if takes { Verb::Queue(QueueVerb::Get { take: true, lease_ms: None }) } else { verb };
            Ok((words.name.clone(), (verb, if takes { Shown::Value } else { shown })))
        })?,
        "event" => make(ObjectKind::Event).and_then(|words| Ok((words.name.clone(), event(&words)?)))?,
        "stats" => make(ObjectKind::Stats).and_then(|words| Ok((words.name.clone(), stats(&words)?)))?,
        other => {
            let takes = || format!("a batch takes {}", kinds.join(", "));
            let is_elsewhere = crate::args::commands().iter().any(|command| command == other);
            let question = suggest::question(other, &kinds);
            let why = if is_elsewhere || question.is_empty() {
                format!("could not read '{text}': {}", takes())
            } else {
                format!("could not read '{text}': there is no kind of object '{other}'{question}")
            };
            return Err(bad(why).hint("a line is like 'value hits add 1'"));
        }
    };
    Ok((Operation { timeout_ms: Some(0), ..Operation::new(name, verb) }, shown))
}

fn one(name: String, (verb, shown): Plain, types: &TypeOptions, make: Option<Box<Creation>>) -> ObjectAsk {
    let operation = Operation { if_version: types.if_version, creation: make, ..Operation::new(name, verb) };
    ObjectAsk::One(operation, shown)
}

pub(super) fn of_value(args: PlainArgs) -> Result<ObjectAsk, Failure> {
    let words = Words::new(ObjectKind::Value, &args.named, &args.types)?;
    let make = creation(&args.named.make, None, None);
    if words.operation == "set" && words.is_stdin() {
        let verb = Verb::Value(ValueVerb::Set(Datum::from(0)));
        let pattern = Operation {
            if_version: args.types.if_version,
            creation: make,
            ..Operation::new(words.name.clone(), verb)
        };
        return Ok(ObjectAsk::Slurp { pattern, kind: args.types.kind.clone() });
    }
    Ok(one(words.name.clone(), value(&words)?, &args.types, make))
}

pub(super) fn of_dict(args: PlainArgs) -> Result<ObjectAsk, Failure> {
    let words = Words::new(ObjectKind::Dict, &args.named, &args.types)?;
    let make = creation(&args.named.make, None, None);
    if words.operation == "set" && words.is_stdin() {
        return Ok(fill(&words, Verb::Dict(DictVerb::Update(Vec::new())), make, None));
    }
    Ok(one(words.name.clone(), dict(&words)?, &args.types, make))
}

pub(super) fn of_list(args: ListArgs) -> Result<ObjectAsk, Failure> {
    let words = Words::new(ObjectKind::List, &args.named, &args.types)?;
    let make = creation(&args.named.make, None, None);
    if words.operation == "push" && words.is_stdin() {
        let verb = Verb::List(ListVerb::Push { values: Vec::new(), front: args.front });
        return Ok(fill(&words, verb, make, None));
    }
    let plain = list(&words, args.front)?;
    words.only([("--front", args.front, &["push", "pop"][..])])?;
    Ok(one(words.name.clone(), plain, &args.types, make))
}

fn fill(
    words: &Words<'_>,
    verb: Verb,
    creation: Option<Box<Creation>>,
    timeout_ms: Option<u64>,
) -> ObjectAsk {
    let pattern = Operation { creation, timeout_ms, ..Operation::new(words.name.clone(), verb) };
    ObjectAsk::Fill { pattern, kind: words.types.kind.clone() }
}

pub(super) fn of_queue(args: QueueArgs) -> Result<ObjectAsk, Failure> {
    let mut words = Words::new(ObjectKind::Queue, &args.named, &args.types)?;
    let runs = args.hold || args.each;
    let mut command = args.command.clone();
    if words.operation == "put" && !runs {
        // No command is there to be run: what stands behind -- are items.
        for word in std::mem::take(&mut command) {
            let word = word
                .into_string()
                .map_err(|word| words.could_not(format!("'{}' is not UTF-8 text", word.to_string_lossy())))?;
            words.rest.push(word);
        }
    }
    let make = creation(&args.named.make, args.capacity, args.deliveries);
    let timeout = timeout_ms(&args.wait);
    if words.operation == "put" && words.is_stdin() {
        return Ok(fill(&words, Verb::Queue(QueueVerb::Put(Vec::new())), make, timeout));
    }
    let plain = queue(&words, args.lease)?;
    words.only([
        ("--lease", args.lease.is_some(), &["get"][..]),
        ("--timeout", args.wait.timeout.is_some(), &["put", "get"][..]),
        ("--nonblock", args.wait.nonblock, &["put", "get"][..]),
    ])?;
    match (runs, command.is_empty()) {
        (true, true) => return Err(words.could_not("the command is missing: get --hold -- CMD")),
        (false, false) => return Err(words.could_not("it takes no command without --hold or --each")),
        (true, false) if plain.1 != Shown::Item => return Err(words.could_not("only get runs a command")),
        _ => {}
    }
    let ask = one(words.name.clone(), plain, &args.types, make);
    let ObjectAsk::One(operation, shown) = ask else { return Ok(ask) };
    let operation = Operation { timeout_ms: timeout, ..operation };
    if runs {
        return Ok(ObjectAsk::Hold { operation, command, each: args.each });
    }
    Ok(ObjectAsk::One(operation, shown))
}

pub(super) fn of_event(args: EventArgs) -> Result<ObjectAsk, Failure> {
    let types = TypeOptions::default();
    let words = Words::new(ObjectKind::Event, &args.named, &types)?;
    let plain = event(&words)?;
    words.only(waits(&args.wait))?;
    waiting(&words, plain, &args.wait, &args.named.make)
}

pub(super) fn of_barrier(args: BarrierArgs) -> Result<ObjectAsk, Failure> {
    let types = TypeOptions::default();
    let words = Words::new(ObjectKind::Barrier, &args.named, &types)?;
    let plain = barrier(&words, args.parties)?;
    words
        .only([("--parties", args.parties.is_some(), &["wait"][..])].into_iter().chain(waits(&args.wait)))?;
    waiting(&words, plain, &args.wait, &args.named.make)
}

/// How long to wait is for what waits.
fn waits(wait: &WaitOptions) -> [(&'static str, bool, &'static [&'static str]); 2] {
    [("--timeout", wait.timeout.is_some(), &["wait"]), ("--nonblock", wait.nonblock, &["wait"])]
}

fn waiting(
    words: &Words<'_>,
    (verb, shown): Plain,
    wait: &WaitOptions,
    make: &MakeOptions,
) -> Result<ObjectAsk, Failure> {
    let creation = creation(make, None, None);
    let operation =
        Operation { timeout_ms: timeout_ms(wait), creation, ..Operation::new(words.name.clone(), verb) };
    Ok(ObjectAsk::One(operation, shown))
}

pub(super) fn of_stats(args: PlainArgs) -> Result<ObjectAsk, Failure> {
    let words = Words::new(ObjectKind::Stats, &args.named, &args.types)?;
    let make = creation(&args.named.make, None, None);
    if words.operation == "add" && words.is_stdin() {
        return Ok(fill(&words, Verb::Stats(StatsVerb::Add(Vec::new())), make, None));
    }
    Ok(one(words.name.clone(), stats(&words)?, &args.types, make))
}

pub(super) fn of_objects(args: ObjectsArgs, json: bool) -> Result<ObjectAsk, Failure> {
    let ObjectsArgs { words, atomic, list } = args;
    let mut words = words.into_iter();
    let (operation, rest) = (words.next(), words.collect::<Vec<_>>());
    let verb = operation.as_deref();
    if atomic && matches!(verb, None | Some("rm")) {
        return Err(bad("could not use --atomic: it is for 'tally objects batch'"));
    }
    if list.format.is_some() && verb.is_some() {
        return Err(bad("could not use --format: it is for the list, 'tally objects'"));
    }
    match verb {
        None => super::lists::template(list, "objects", json).map(ObjectAsk::List),
        Some("rm") if rest.is_empty() => Err(bad("could not run 'tally objects rm': NAME is missing")),
        Some("rm") => Ok(ObjectAsk::Remove(rest)),
        Some("batch") => match rest.as_slice() {
            [] => Ok(ObjectAsk::Batch { file: None, atomic }),
            [one] => Ok(ObjectAsk::Batch { file: file(one), atomic }),
            [_, other, ..] => Err(bad(format!("could not run 'tally objects batch': it takes no '{other}'"))),
        },
        Some(other) => {
            let question = suggest::question(other, &["rm", "batch"]);
            Err(bad(format!("could not run 'tally objects {other}': there is no such operation{question}"))
                .hint("there are rm NAME... and batch FILE"))
        }
    }
}

pub(super) fn of_watch(args: WatchArgs) -> Result<ObjectAsk, Failure> {
    check_name(&args.name)?;
    Ok(ObjectAsk::Watch { name: args.name, count: args.count, timeout_ms: args.timeout })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Result<Operation, String> {
        line(text).map(|(operation, _)| operation).map_err(|failure| failure.message)
    }

    #[test]
    fn lines_of_a_batch_are_commands() {
        let verb = |text: &str| said(text).unwrap().verb;
        assert_eq!(verb("value hits add 1"), Verb::Value(ValueVerb::Add(1.into())));
        let text = Verb::Dict(DictVerb::Set("a key".into(), Datum::from("with blanks")));
        assert_eq!(verb("dict\td\tset\ta key\twith blanks"), text);
        assert_eq!(verb("dict d set 'a key' \"with blanks\""), text);
        assert_eq!(verb(r"dict d set a\ key 'with blanks' # as a shell has it"), text);
        let quotes = Verb::Value(ValueVerb::Set(Datum::from("'a'")));
        assert_eq!(verb("value\tx\tset\t'a'"), quotes, "between tabs all is as it stands");
        assert_eq!(
            said("value x set 'a b").unwrap_err(),
            "could not read 'value x set 'a b': a quote is open, or a backslash stands alone, at its end"
        );
        assert_eq!(verb("list  l  pop"), Verb::List(ListVerb::Pop(-1)));
        assert_eq!(verb("queue q get"), Verb::Queue(QueueVerb::Get { take: true, lease_ms: None }));
        assert_eq!(
            said("vale x get").unwrap_err(),
            "could not read 'vale x get': there is no kind of object 'vale'; did you mean 'value'?"
        );
        let takes = "a batch takes value, dict, list, queue, event, stats";
        for line in ["barrier b wait", "--help", "lock a", "zebra"] {
            assert_eq!(said(line).unwrap_err(), format!("could not read '{line}': {takes}"));
        }
        assert_eq!(verb("tally value hits get"), Verb::Value(ValueVerb::Get));
        assert_eq!(said("value x").unwrap_err(), "could not run 'tally value x': there is no '' for a value");
        assert_eq!(said("value x cas 1").unwrap_err(), "could not run 'tally value x cas': NEW is missing");
        assert_eq!(said("value x get 1").unwrap_err(), "could not run 'tally value x get': it takes no '1'");
        assert_eq!(said("value").unwrap_err(), "could not read 'value': a name is missing");
    }
}
