//! A kernel of the user's own: the command that a job runs instead of folding its elements here.
//!
//! A request is text and options; `check` turns it into the words of a program once. Nothing here runs anything, and
//! nothing that comes from a client decides as whom it runs: `run_as` is what the system said of the client.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tally_reduce::Reduction;

use crate::error::{ErrorCode, Failure};
use crate::hex;
use crate::job::JobRequest;
use crate::limits;
use crate::near;
use crate::source::Source;

/// What stands for a partition in a command: `{start}` and so on, and `TALLY_START` and so on.
pub const PLACEHOLDERS: [&str; 6] = ["start", "end", "partition", "attempt", "job", "slot"];

/// What stands for the path of a file, where each file is a partition; `TALLY_FILE` has it, too.
pub const FILE: &str = "{file}";

/// A command as a client asks for it. It goes to workers, too, in frames that leave no field out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandRequest {
    /// The command as typed. A shell runs it where it holds what only a shell understands; else it is split into words
    /// and run itself. This or `arguments`.
    #[serde(default)]
    pub line: Option<String>,
    /// The program and its arguments, as they are.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// How it is run; by whether it names a partition (`{start}`) when absent.
    #[serde(default)]
    pub form: Option<Form>,
    /// Its working directory, an absolute path; `/` when absent.
    #[serde(default)]
    pub directory: Option<String>,
    /// All of its environment, `KEY=VALUE` each; what tally says of a partition is added.
    #[serde(default)]
    pub environment: Vec<String>,
    /// What of its environment is no UTF-8: the bytes of `KEY=VALUE` in hexadecimal digits, each.
    #[serde(default)]
    pub environment_bytes: Vec<String>,
    /// Rights that files it makes do not get, 0 to 511; 18 (octal 022) when absent.
    #[serde(default)]
    pub umask: Option<u32>,
    /// Exit statuses that are none of a failure; 0 when empty. For a process for each partition.
    #[serde(default)]
    pub accept_status: Vec<u8>,
    /// Milliseconds for one attempt at one partition.
    #[serde(default)]
    pub partition_timeout_ms: Option<u64>,
    /// A persistent process is replaced after so many partitions.
    #[serde(default)]
    pub recycle_after: Option<u64>,
    /// A persistent process is replaced once it holds so many bytes of memory after a partition.
    #[serde(default)]
    pub recycle_bytes: Option<u64>,
    /// Seconds of processor time of each process.
    #[serde(default)]
    pub cpu_limit_s: Option<u64>,
    /// Files that each process may have open.
    #[serde(default)]
    pub files_max: Option<u64>,
    /// Processes of one attempt at once.
    #[serde(default)]
    pub processes_max: Option<u64>,
    /// Processors it may use; all, when empty.
    #[serde(default)]
    pub cpus: Vec<u16>,
    /// What of files a partition is, and its standard input; the sources are ranges when absent.
    #[serde(default)]
    pub feed: Option<Feed>,
}

/// What of files is the standard input of the process of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feed {
    /// The lines that begin in a range of bytes.
    Lines,
    /// One whole file.
    Files,
}

/// How a command is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// A process that lives on: a line `start end partition attempt` in for each partition, a line out.
    Persistent,
    /// A process for each attempt at a partition; the last line of its output is the partial.
    Each,
}

/// As whom a command runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunAs {
    /// The user.
    pub uid: u32,
    /// The first group.
    pub gid: u32,
    /// The others.
    #[serde(default)]
    pub groups: Vec<u32>,
}

/// A command as it is meant: what a worker needs of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// How it is run.
    pub form: Form,
    /// The program and its arguments, before anything is put in for a partition.
    pub words: Vec<String>,
    /// All else of it.
    pub request: Arc<CommandRequest>,
    /// Bytes of memory of one attempt's processes.
    pub memory_limit_bytes: Option<u64>,
    /// Niceness.
    pub nice: i32,
    /// As whom; as whoever runs the worker, when absent.
    pub run_as: Option<RunAs>,
}

impl CommandRequest {
    /// What it means.
    ///
    /// # Errors
    /// `BadUsage`, naming what cannot be.
    pub fn check(self: &Arc<Self>) -> Result<Command, Failure> {
        let words = match (&self.line, self.arguments.as_slice()) {
            (Some(line), []) => words(line)?,
            (None, [_, ..]) => self.arguments.clone(),
            (Some(_), _) => return Err(bad("it is given both as a line and as arguments")),
            (None, []) => return Err(bad("it is empty")),
        };
        if words.first().is_none_or(String::is_empty) {
            return Err(bad("it is empty"));
        }
        bytes("its words have", &words, limits::COMMAND_BYTES_MAX)?;
        let variables = self.check_environment()?;
        let texts = words.iter().chain(&self.directory).any(|text| text.contains('\0'));
        if texts || variables.iter().any(|one| one.contains(&0)) {
            return Err(bad("there is a NUL character in it"));
        }
        if let Some(directory) = &self.directory
            && (!directory.starts_with('/') || directory.len() > limits::PATH_BYTES_MAX)
        {
            return Err(bad(format!("its directory '{directory}' is not an absolute path")));
        }
        self.check_numbers()?;
        self.check_file_words(&words)?;
        if let Some((written, meant)) = words.iter().find_map(|word| misspelt(word)) {
            return Err(bad(format!("there is no {{{written}}}; did you mean {{{meant}}}?"))
                .hint(format!("a brace that the command itself reads is told by a space: {{ {written} }}")));
        }
        let each = self.feed.is_some() || words.iter().any(|word| names_partition(word));
        let form = self.form.unwrap_or(if each { Form::Each } else { Form::Persistent });
        if form == Form::Persistent && self.feed.is_some() {
            return Err(bad("a persistent process reads its partitions from standard input, and no lines"));
        }
        if form == Form::Persistent && each {
            return Err(bad(
                "a persistent process reads its partitions from standard input, not from {start}",
            ));
        }
        if form == Form::Persistent && !self.accept_status.is_empty() {
            return Err(bad("the exit status of a process that lives on says nothing of a partition")
                .hint("--accept-status is for a process for each partition: './k {start} {end}'"));
        }
        if form == Form::Each && (self.recycle_after.is_some() || self.recycle_bytes.is_some()) {
            return Err(bad("a process for each partition cannot be recycled"));
        }
        Ok(Command {
            form,
            words,
            request: Arc::clone(self),
            memory_limit_bytes: None,
            nice: 0,
            run_as: None,
        })
    }

    /// Its variables, each with a name and all together within bounds.
    fn check_environment(&self) -> Result<Vec<Vec<u8>>, Failure> {
        bytes("its environment has", &self.environment, limits::ENVIRONMENT_BYTES_MAX)?;
        bytes("its environment has", &self.environment_bytes, 2 * limits::ENVIRONMENT_BYTES_MAX)?;
        let variables = self.variables();
        if variables.len() < self.environment.len() + self.environment_bytes.len() {
            return Err(bad("a variable among its environment_bytes is not in hexadecimal digits"));
        }
        if variables.iter().map(|one| one.len() + 1).sum::<usize>() > limits::ENVIRONMENT_BYTES_MAX {
            let most = limits::ENVIRONMENT_BYTES_MAX;
            return Err(bad(format!("its environment has more than {most} bytes")));
        }
        let nameless =
            variables.iter().find(|one| one.iter().position(|&byte| byte == b'=').is_none_or(|at| at == 0));
        match nameless {
            Some(one) => {
                let shown: String = String::from_utf8_lossy(one).chars().take(40).collect();
                Err(bad(format!("'{shown}' of its environment is not KEY=VALUE")))
            }
            None => Ok(variables),
        }
    }

    /// Sets its environment: `KEY=VALUE` each, of any bytes.
    pub fn set_variables(&mut self, variables: impl IntoIterator<Item = Vec<u8>>) {
        (self.environment, self.environment_bytes) = (Vec::new(), Vec::new());
        for one in variables {
            match String::from_utf8(one) {
                Ok(text) => self.environment.push(text),
                Err(odd) => self.environment_bytes.push(hex::write(odd.as_bytes())),
            }
        }
    }

    /// Its environment. What cannot be read, which `check` refuses, is left out.
    #[must_use]
    pub fn variables(&self) -> Vec<Vec<u8>> {
        let texts = self.environment.iter().map(|one| one.clone().into_bytes());
        texts.chain(self.environment_bytes.iter().filter_map(|digits| hex::read(digits).ok())).collect()
    }

    /// Where the name of a file may stand: a shell would take a name apart, or run what is in it.
    fn check_file_words(&self, words: &[String]) -> Result<(), Failure> {
        if !words.iter().any(|word| word.contains(FILE)) {
            return Ok(());
        }
        if self.feed != Some(Feed::Files) {
            return Err(bad("it names {file}, and no partition is a file").hint("--files makes each one"));
        }
        if self.line.as_deref().is_some_and(needs_shell) {
            return Err(bad("it needs a shell, which would take the names of files apart")
                .hint("write \"$TALLY_FILE\" for {file}, or read standard input"));
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), Failure> {
        let numbers = [
            ("umask", self.umask.map(u64::from), 0, 0o777),
            ("partition_timeout_ms", self.partition_timeout_ms, 1, limits::TIMEOUT_MS_MAX),
            ("recycle_after", self.recycle_after, 1, u64::MAX),
            ("recycle_bytes", self.recycle_bytes, 1, limits::MEMORY_LIMIT_BYTES_MAX),
            ("cpu_limit_s", self.cpu_limit_s, 1, limits::TIMEOUT_MS_MAX / 1000),
            // Less than its three streams and what a loader needs, and nothing starts.
            ("files_max", self.files_max, 8, limits::KERNEL_FILES_MAX),
            ("processes_max", self.processes_max, 1, limits::KERNEL_PROCESSES_MAX),
        ];
        for (name, value, least, most) in numbers {
            if let Some(value) = value.filter(|value| *value < least || *value > most) {
                return Err(bad(format!("{name} is {value}; it can be {least} to {most}")));
            }
        }
        if self.cpus.len() > limits::CPUS_MAX
            || self.cpus.iter().any(|&cpu| usize::from(cpu) >= limits::CPUS_MAX)
        {
            return Err(bad(format!("its processors are not among 0 to {}", limits::CPUS_MAX - 1)));
        }
        if self.accept_status.len() > 256 {
            return Err(bad("it accepts more than 256 exit statuses"));
        }
        Ok(())
    }

    /// The command as a person would type it.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.line {
            Some(line) => line.clone(),
            None => self.arguments.join(" "),
        }
    }

    /// The same on one line, cut.
    #[must_use]
    pub fn shown(&self) -> String {
        let text = self.text();
        let mut shown: String = text.chars().map(|one| if one.is_control() { ' ' } else { one }).collect();
        if shown.len() > limits::COMMAND_TEXT_BYTES_MAX {
            let cut = (0..=limits::COMMAND_TEXT_BYTES_MAX).rev().find(|&at| shown.is_char_boundary(at));
            shown.truncate(cut.unwrap_or(0));
            shown.push_str("...");
        }
        shown
    }

    /// Bytes of memory that it takes, roughly.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let environment = self.environment.iter().chain(&self.environment_bytes);
        let texts = environment.chain(&self.arguments).chain(&self.line).chain(&self.directory);
        size_of::<Self>() + texts.map(|text| text.len() + size_of::<String>()).sum::<usize>()
    }

    /// Whether a process that ended so has not failed.
    #[must_use]
    pub fn accepts(&self, status: i32) -> bool {
        match self.accept_status.as_slice() {
            [] => status == 0,
            some => u8::try_from(status).is_ok_and(|status| some.contains(&status)),
        }
    }
}

/// The command of a job, if it has one.
///
/// # Errors
/// `BadUsage`, naming what cannot be, by itself or together with it.
pub(crate) fn of(
    request: &JobRequest,
    reductions: &[Reduction],
    source: &Source,
) -> Result<Option<Box<Command>>, Failure> {
    let Some(asked) = &request.command else { return Ok(None) };
    if let Some(one) = reductions.iter().find(|one| matches!(one, Reduction::Variance | Reduction::Stddev)) {
        let why =
            format!("could not compute the {one} of what a command says: variances of parts do not add up");
        return Err(Failure::new(ErrorCode::BadUsage, why));
    }
    let others = [
        ("--of", request.of.is_some()),
        ("--where", request.filter.is_some()),
        ("--by", !request.by.is_empty()),
        ("--decimal", request.decimal),
        ("--on-bad", request.on_bad.is_some()),
        ("--nan", request.nan.is_some()),
    ];
    if let Some((option, _)) = others.iter().find(|(_, given)| *given) {
        let why =
            format!("could not use {option} with a command: the command says what a partition comes to");
        return Err(Failure::new(ErrorCode::BadUsage, why));
    }
    match source {
        Source::Ranges(_) if asked.feed.is_some() => {
            return Err(bad("it is to read files, and the source is a range")
                .hint("--lines and --files are for files and standard input"));
        }
        Source::Ranges(ranges) if ranges.len() > 1 => {
            return Err(bad("it is told of one range, and there are several").hint("run one job for each"));
        }
        Source::Ranges(_) if request.step.is_some() => {
            return Err(bad(
                "--step leaves numbers out, and it is told only where a partition starts and ends",
            ));
        }
        Source::Ranges(_) => {}
        Source::Files(_) if asked.feed.is_none() => {
            return Err(bad("it is told of ranges, and the source is a file")
                .hint("--lines gives it the lines of files, --files each file whole"));
        }
        Source::Files(_) => of_files(request, asked)?,
    }
    let mut command = asked.check()?;
    command.memory_limit_bytes = request.memory_limit_bytes;
    command.nice = request.nice.unwrap_or(0);
    Ok(Some(Box::new(command)))
}

/// What makes no sense of files that a command reads.
fn of_files(request: &JobRequest, asked: &CommandRequest) -> Result<(), Failure> {
    let others = [
        ("--format", request.format.is_some()),
        ("--delimiter", request.delimiter.is_some()),
        ("--no-header", request.no_header),
    ];
    if let Some((option, _)) = others.iter().find(|(_, given)| *given) {
        let why = format!("could not use {option} with a command: it reads the bytes of files as they are");
        return Err(Failure::new(ErrorCode::BadUsage, why));
    }
    if asked.feed == Some(Feed::Files) && request.partitions.is_some() {
        return Err(bad("each file is a partition, so --partitions has nothing to say"));
    }
    Ok(())
}

/// Whether a word names something of a partition: `{start}`.
fn names_partition(word: &str) -> bool {
    PLACEHOLDERS.iter().any(|name| word.contains(&format!("{{{name}}}")))
}

/// `{strat}`: a slip away from what stands for something of a partition, and not what a shell or `awk` writes in braces.
fn misspelt(word: &str) -> Option<(&str, &'static str)> {
    let file = FILE.trim_matches(['{', '}']);
    let known: Vec<&'static str> = PLACEHOLDERS.into_iter().chain([file]).collect();
    word.match_indices('{').find_map(|(at, _)| {
        let (before, inside) = (&word[..at], &word[at + 1..]);
        let (name, _) = inside.split_once('}')?;
        let plain = name.len() > 2 && name.bytes().all(|b| b.is_ascii_lowercase());
        let is_slip = |meant: &&&'static str| near::distance(name, meant) == 1;
        let meant = known.iter().find(is_slip).filter(|_| plain && !known.contains(&name))?;
        (!before.ends_with('$')).then_some((name, *meant))
    })
}

/// The words of a line: those of the shell that is to run it, or its own.
fn words(line: &str) -> Result<Vec<String>, Failure> {
    if line.trim().is_empty() {
        return Err(bad("it is empty"));
    }
    if needs_shell(line) {
        return Ok(vec!["/bin/sh".to_owned(), "-c".to_owned(), line.to_owned()]);
    }
    shlex::split(line).ok_or_else(|| bad(format!("a quote of '{line}' is not closed")))
}

/// What a shell does by itself, or begins something longer with.
const SHELL_WORDS: [&str; 34] = [
    ":", ".", "break", "cd", "continue", "eval", "exec", "exit", "export", "read", "readonly", "return",
    "set", "shift", "times", "trap", "ulimit", "umask", "unset", "wait", "if", "for", "while", "until",
    "case", "{", "!", "command", "local", "alias", "type", "hash", "getopts", "source",
];

/// Whether only a shell understands it: pipes, redirections, variables, patterns, several commands.
fn needs_shell(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or("");
    if SHELL_WORDS.contains(&first) || first.contains('=') {
        return true;
    }
    let mut quote = None;
    let mut before = ' ';
    let mut chars = line.chars();
    while let Some(one) = chars.next() {
        match (quote, one) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (Some('\''), _) => {}
            (Some(_), '$' | '`') => return true,
            (_, '\\') => drop(chars.next()),
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(one),
            (None, '|' | '&' | ';' | '<' | '>' | '(' | ')' | '$' | '`' | '*' | '?' | '[' | '\n') => {
                return true;
            }
            (None, '#' | '~') if before.is_whitespace() => return true,
            (None, _) => {}
        }
        before = one;
    }
    false
}

fn bytes(what: &str, texts: &[String], most: usize) -> Result<(), Failure> {
    let all: usize = texts.iter().map(|text| text.len() + 1).sum();
    if all > most { Err(bad(format!("{what} more than {most} bytes"))) } else { Ok(()) }
}

fn bad(why: impl AsRef<str>) -> Failure {
    Failure::new(ErrorCode::BadUsage, format!("could not run the command: {}", why.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Arc<CommandRequest> {
        Arc::new(CommandRequest { line: Some(text.to_owned()), ..CommandRequest::default() })
    }

    fn parts(text: &str) -> Vec<String> {
        line(text).check().unwrap().words
    }

    #[test]
    fn a_plain_line_is_run_without_a_shell() {
        assert_eq!(parts("./kernel --fast 'two words'"), ["./kernel", "--fast", "two words"]);
        assert_eq!(parts("python3 -c 'import sys; print(1)'"), ["python3", "-c", "import sys; print(1)"]);
        assert_eq!(parts(r#"awk "{ print }" x#y"#), ["awk", "{ print }", "x#y"]);
    }

    #[test]
    fn what_only_a_shell_understands_is_given_to_one() {
        for text in [
            "seq 3 | wc -l",
            "a && b",
            "echo $HOME",
            r#"echo "$HOME""#,
            "A=1 ./k",
            "cd /tmp",
            "ls *.txt",
            "a > b",
            "~/kernel",
            "echo ~/x",
            "echo `x`",
            "a; b",
            "while read -r line; do echo 1; done",
        ] {
            assert_eq!(parts(text), ["/bin/sh", "-c", text]);
        }
    }

    #[test]
    fn a_named_partition_makes_a_process_for_each() {
        assert_eq!(line("./k").check().unwrap().form, Form::Persistent);
        assert_eq!(line("./k {start} {end}").check().unwrap().form, Form::Each);
        assert_eq!(line("awk '{print $1}'").check().unwrap().form, Form::Persistent);
        let forced = CommandRequest { form: Some(Form::Each), ..(*line("./k")).clone() };
        assert_eq!(Arc::new(forced).check().unwrap().form, Form::Each);
    }

    #[test]
    fn what_cannot_be_is_named() {
        let why = |request: CommandRequest| Arc::new(request).check().unwrap_err().message;
        let of = |text: &str| CommandRequest { line: Some(text.to_owned()), ..CommandRequest::default() };
        assert_eq!(why(of(" ")), "could not run the command: it is empty");
        assert!(why(of("'x")).contains("is not closed"));
        assert!(why(CommandRequest { environment: vec!["=x".into()], ..of("k") }).contains("KEY=VALUE"));
        assert!(why(CommandRequest { directory: Some("x".into()), ..of("k") }).contains("absolute"));
        assert!(why(CommandRequest { umask: Some(512), ..of("k") }).contains("umask is 512"));
        assert!(why(CommandRequest { recycle_after: Some(2), ..of("k {start}") }).contains("recycled"));
        let of_files = |text: &str| CommandRequest { feed: Some(Feed::Files), ..of(text) };
        assert!(why(of("grep x {file}")).contains("no partition is a file"));
        assert!(why(of_files("grep x {file} | wc -l")).contains("it needs a shell"));
        assert!(Arc::new(of_files("grep x {file}")).check().is_ok());
        let form = Some(Form::Persistent);
        assert!(why(CommandRequest { form, ..of_files("wc") }).contains("no lines"));
        assert!(why(CommandRequest { form, ..of("k {start}") }).contains("standard input"));
        assert!(why(CommandRequest { arguments: vec!["k".into()], ..of("k") }).contains("both"));
        let bytes = |digits: &str| CommandRequest { environment_bytes: vec![digits.into()], ..of("k") };
        assert!(why(bytes("4b3")).contains("not in hexadecimal digits"));
        assert!(why(bytes("4bff")).contains("'K\u{fffd}' of its environment is not KEY=VALUE"));
        assert!(why(bytes("4b3d00ff")).contains("NUL"));
        assert!(
            why(bytes(&"ff".repeat(limits::ENVIRONMENT_BYTES_MAX))).contains("its environment has more than")
        );
        let long = "x".repeat(limits::COMMAND_BYTES_MAX);
        assert!(why(of(&long)).contains("bytes"));
    }

    #[test]
    fn an_environment_may_be_of_any_bytes() {
        let mut request = (*line("./k")).clone();
        let variables = vec![b"A=1".to_vec(), b"B=\xff\xfe".to_vec(), b"\xc3(=".to_vec(), "D=\u{e9}".into()];
        request.set_variables(variables.clone());
        assert_eq!(request.environment, ["A=1", "D=\u{e9}"]);
        assert_eq!(request.environment_bytes, ["423dfffe", "c3283d"]);
        let mut kept = Arc::new(request).check().unwrap().request.variables();
        kept.sort_unstable();
        assert_eq!(kept, [b"A=1".to_vec(), b"B=\xff\xfe".to_vec(), "D=\u{e9}".into(), b"\xc3(=".to_vec()]);
    }

    #[test]
    fn a_slip_in_what_stands_for_a_partition_is_told() {
        let checked = |text: &str| line(text).check().map(|command| command.form);
        for (text, why) in [
            ("k {strat} {end}", "there is no {strat}; did you mean {start}?"),
            ("echo $(({edn} - {start}))", "there is no {edn}; did you mean {end}?"),
            ("grep x {files}", "there is no {files}; did you mean {file}?"),
        ] {
            let failure = checked(text).unwrap_err();
            assert_eq!(failure.message, format!("could not run the command: {why}"), "{text}");
            assert_eq!(failure.exit, 2, "{text}");
        }
        // Braces of the shell, of awk, of find, of jq.
        for text in [
            "awk '{print $1}'",
            "awk '{print}'",
            "echo ${strat}",
            "echo {STRAT} {a,b} {}",
            "jq '{ stat }'",
            "f() { stat; }; f",
            "jq '{count, name}'",
            "k {n} {nd} {line} {time}",
        ] {
            assert_eq!(checked(text), Ok(Form::Persistent), "{text}");
        }
    }

    #[test]
    fn statuses_are_accepted_as_listed() {
        let plain = CommandRequest::default();
        assert!(plain.accepts(0) && !plain.accepts(1));
        let listed = CommandRequest { accept_status: vec![0, 1], ..plain };
        assert!(listed.accepts(0) && listed.accepts(1) && !listed.accepts(2) && !listed.accepts(-1));
    }
}
