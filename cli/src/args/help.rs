//! Texts of the help: the short and the long one of `tally`, examples of each command. Topics are in `topics`.
//!
//! Every line fits 80 columns. Examples come first, with what they print.

use tally_protocol::error::{ErrorCode, Failure};

pub(crate) use super::topics::TOPICS;

/// One sentence.
pub(crate) const ABOUT: &str = "exact parallel sums and other reductions that survive a dying worker";

/// `tally -h`, and `tally` alone.
pub(crate) const SHORT: &str = "\
tally - exact parallel sums and other reductions that survive a dying worker

  tally sum 1..=100                        5050
  tally mean sales.csv --of 'price * n'    an expression in the columns
  tally reduce sum,min,max data.npy        several answers, one pass
  tally sum 0..1e12 --detach               runs in the daemon; prints a job id

Compute   sum product min max count mean variance stddev   reduce factorial
          running batch compare
Share     value dict list queue event barrier stats objects watch
          lock semaphore locks deadlocks
Jobs      jobs show explain wait result follow cancel pause resume retry
Daemon    daemon status workers top ping metrics reload config drain stop
          upgrade dump self-test debug     Learn   lab help man completion

Often used
  --workers N --mode MODE       processes (default), threads, inline
  --of EXPR   --where EXPR      what is folded; which elements or rows
  --json      --progress WHEN   machine output; auto, always, never, json
  --detach    --local           daemon job; never use a daemon
  -q  --verbose  --color WHEN   quiet; table of workers; auto, always, never

More: tally COMMAND --help, tally help TOPIC (sources, expressions, kernels,
      formats, exit-codes, environment, json)
";

/// `tally --help` and `tally help`.
pub(crate) const LONG: &str = "\
tally - exact parallel sums and other reductions that survive a dying worker

Examples
  tally sum 1..=100                        5050
  tally sum -5..5                          -5
  tally mean 0..10 --step 3                4.5
  tally reduce sum,min,max -5..5           several answers, one pass
  tally factorial 20                       2432902008176640000
  tally sum 0..1e9 --workers 4 --verbose   what each worker did
  tally sum 0..1e8 --json                  one JSON object
  tally daemon &                           a daemon for jobs that outlive you
  tally sum 0..1e12 --detach               runs in the daemon; prints a job id
  tally follow j1                          its progress, then its answer

Compute
  sum product min max count mean variance stddev   one reduction
  reduce LIST                                      several in one pass
  factorial N                                      product of 1..=N
  running LIST [FILE]                              the reduction after each line
  batch FILE|-                                     many jobs, one a line
  compare SOURCE...                                inline, threads, processes
  lab STUDY                                        races, locks, deadlocks shown
Share between processes, in a daemon
  value dict list queue NAME ...                   data, one operation each
  event barrier stats NAME ...                     wait, meet, count
  objects [rm NAME]  watch NAME                    what is there, what changes
  lock NAME -- CMD...                              CMD runs holding the lock
  semaphore NAME --permits N -- CMD...             the same with one of N
  locks  deadlocks                                 who has what; those refused
Jobs of a daemon
  jobs                  list them            cancel JOB...  end them
  show JOB              all about one        pause JOB      no more work
  explain JOB           why it waits         resume JOB     work again
  wait JOB...           until they end       retry JOB      go on after a
  result JOB            the answer                          failure
  follow JOB            progress, then the answer
The daemon
  daemon                run it               drain          finish jobs, end
  status                does it run?         stop [--now]   end
  workers               list its workers     dump           its whole state
  top                   watch it work
  ping                  a sign of life       config         settings
  metrics               counters, figures    reload         new settings
  upgrade               to a new binary      completion     for a shell
  self-test             is all well here?    debug bundle   for a report of a
  man                   the manual                          fault

With no daemon at the default socket, a reduction runs under a supervisor of
its own that lives for this one command. Answers are exact, and the same for any
number of workers, whatever dies on the way. Standard output has the answer and
nothing else.

Options of every command
  --socket PATH    control socket of the daemon, which must be there
  --json           one JSON object (tally help json)
  -q, --quiet      no progress and no notes
  --verbose        a table of what each worker did, on standard error
  --color WHEN     auto, always, never
  -h, --help       help of a command: tally sum --help
  -V, --version    the version

Topics: tally help sources, expressions, kernels, formats, exit-codes,
        environment, json
";

macro_rules! examples {
    ($($name:ident = $text:literal;)*) => {
        $(pub(super) const $name: &str = concat!("Examples\n", $text);)*
    };
}

examples! {
    SUM = "  tally sum 0..100000000            4999999950000000
  tally sum 1..=8_000_000           32000004000000
  tally sum -5..5                   -5
  tally sum 0..100 --step 10        450
  tally sum 0..1e9 --workers 4 --verbose
  tally sum 0..1e12 --detach        prints a job id; needs a daemon";
    PRODUCT = "  tally product 1..=20              2432902008176640000
  tally product 1..10 --step 2      945
  tally product 5..5                1, the product of nothing";
    MIN = "  tally min -5..5                   -5
  tally min 10..0 --step -3         1";
    MAX = "  tally max -5..5                   4
  tally max 1..10 --step 4          9";
    COUNT = "  tally count 0..1e6                1000000
  tally count 0..100 --step 7       15";
    MEAN = "  tally mean 1..=4                  2.5
  tally mean 0..10 --step 3         4.5";
    VARIANCE = "  tally variance 1..=4              1.6666666666666667, of a sample
  tally variance 1..=4 --population 1.25";
    STDDEV = "  tally stddev 1..=4                1.2909944487358056, of a sample
  tally stddev 1..=4 --population   1.118033988749895";
    REDUCE = "  tally reduce sum,min,max -5..5    name and value, a tab between them
  tally reduce count,mean,stddev 0..1e6
  tally reduce sum,max 0..1e6 --json";
    FACTORIAL = "  tally factorial 20                2432902008176640000
  tally factorial 1000 --workers 2
  tally factorial 0                 1";
    RUNNING = "  printf '10\\n4\\n22\\n-6\\n' | tally running min
                                    10 4 4 -6, each as soon as its line came
  tally running sum,count,mean prices.txt --on-bad skip";
    BATCH = "  printf '%s\\n' 'sum 0..10' 'sum 0..x' 'max -5..5' | tally batch - --ordered
                                    1<TAB>45 and 3<TAB>4; line 2 fails alone
  tally batch jobs.txt --in-flight 200
  tally batch jobs.jsonl --json     {\"reductions\":[\"sum\"],\"sources\":[\"0..10\"]}

Each line of the answer begins with the number of the line that asked. A line is
a reduction as on the command line, quoted as in a shell; '#' begins a comment.";
    COMPARE = "  tally compare 0..1e9
  tally compare 0..1e8 --of 'sqrt(i)' --workers 4 --plot out.svg
  tally compare 0..1e8 --transports --json";
    LAB = "  tally lab race                    a shared counter with and without locks
  tally lab race --processes 50 --count 200_000 --timeout 10s
  tally lab race --lock none,ticket --plot race.svg
  tally lab deadlock                always ends by itself
  tally lab coroutines";
    VALUE = "  tally value hits add 1              the sum so far, from 0
  tally value name set 'a text'
  tally value leader cas nobody me    exit 1 if it is not nobody";
    DICT = "  tally dict prices set apple 0.5
  tally dict prices get apple         0.5; exit 7 if there is no such key
  tally dict prices items             key, tab, value
  tally dict prices set - < prices.tsv";
    LIST = "  tally list steps push one two three
  tally list steps pop                three; --front: one
  tally list steps get -1             the last";
    QUEUE = "  tally queue work put a.txt b.txt
  tally queue work get                a.txt; waits for one if need be
  tally queue work get --each -- gzip {}
                                      one after the other, until it is closed
  tally queue work close              no more come; then get ends with 7";
    EVENT = "  tally event ready wait --timeout 10s && echo go
  tally event ready set";
    BARRIER = "  tally barrier start wait --parties 4   which of them it was: 0 to 3";
    STATS = "  tally stats latency add 12.5 13
  tally stats latency get             count, sum, min, max, mean";
    OBJECTS = "  tally objects
  tally objects rm hits prices
  printf 'value a add -1\\nvalue b add 1\\n' | tally objects batch - --atomic";
    WATCH = "  tally watch prices                  what, version, operation, key, value
  tally watch prices --count 1 --json";
    JOBS = "  tally jobs                        open jobs
  tally jobs --all --json           also ended ones, for programs
  tally jobs --watch                drawn again whenever something has changed
  tally jobs --watch --json         a line for each change
  tally jobs --format '{job}\\t{state}'";
    SHOW = "  tally show j17
  tally show j17 --plot j17.svg     what each worker did when
  tally show j17 --json";
    EXPLAIN = "  tally explain j17";
    WAIT = "  tally wait j17 && tally result j17
  tally wait j17 j18                exit 0, 1 (one failed), 4 or 5";
    RESULT = "  tally result j17
  tally result j17 --verbose        with what each worker did";
    FOLLOW = "  tally follow j17
  tally follow j17 --progress json  progress as JSON lines";
    CANCEL = "  tally cancel j17 j18
  tally cancel --all";
    PAUSE = "  tally pause j17";
    RESUME = "  tally resume j17";
    RETRY = "  tally retry j17";
    DAEMON = "  tally daemon
  tally daemon --socket /tmp/tally.sock --workers 8
  tally daemon --check --config my.toml

SIGTERM and SIGINT drain within drain_ms, a second one or SIGQUIT ends at once;
SIGHUP reloads, SIGUSR1 writes the state to the log: 'tally man daemon'.";
    STATUS = "  tally status
  tally status -q || tally daemon &";
    WORKERS = "  tally workers
  tally workers --json
  tally workers --format '{slot} {pid}'";
    TOP = "  tally top                         q ends it, ? tells the keys
  tally top --once --sort rate      one look as text
  tally top --json --watch -n 5s    a line of JSON every five seconds

Where standard output is no terminal it takes one look, as with --once.";
    PING = "  tally ping                        pong
  tally ping --timeout 500ms        exit 5 when there is no answer in time";
    RELOAD = "  tally reload                      what has changed, and what needs a restart";
    METRICS = "  tally metrics
  tally metrics | grep tally_jobs";
    DRAIN = "  tally drain";
    STOP = "  tally stop                        returns when the daemon has ended
  tally stop --now";
    UPGRADE = "  tally upgrade                     the new version is installed; returns when it runs
  tally upgrade --binary ./tally    another one";
    DUMP = "  tally dump > state.json";
    SELF_TEST = "  tally self-test                   a line for each thing, and what to do
  tally self-test --json            for programs; exit 1 if something failed
  tally self-test --socket PATH     with the daemon that listens there";
    DEBUG = "  tally debug bundle                writes tally-debug-DATE.tar.gz
  tally debug bundle --output b.tar.gz --force
  tar tzf b.tar.gz                  what is in it: no data of jobs";
    BUNDLE = "  tally debug bundle                writes tally-debug-DATE.tar.gz
  tally debug bundle --output b.tar.gz --force";
    CONFIG = "  tally config show                 what is in force, and where it came from
  tally config show workers         one setting of it
  tally config show my.toml         what that file says, on top of the built-in
                                    settings; no other file, no variable
  tally config show --config my.toml   what a daemon started with it would have
  tally config check my.toml        one line for each fault; exit 2 if any
  tally config default > my.toml    the built-in settings, explained";
    LOCK = "  tally lock backup -- rsync -a /home /mnt/backup
  tally lock db --timeout 5s -- ./migrate     exit 5 if others have it for long
  tally lock db --nonblock -- ./migrate       exit 8 if others have it now
  tally lock db --shared -- ./report          beside other readers
  tally lock db -- sh -c 'echo $TALLY_FENCE'  larger with every grant

Standard output is the command's own. With --json a failure of tally itself is a
JSON object on standard error; a command that has run needs none, and its status
is that of tally.";
    SEMAPHORE = "  tally semaphore gpu --permits 2 -- ./train      two at a time
  tally semaphore ram --permits 64 --take 16 -- ./link

Standard output is the command's own. With --json a failure of tally itself is a
JSON object on standard error; a command that has run needs none, and its status
is that of tally.";
    LOCKS = "  tally locks
  tally locks --json
  tally locks --format '{kind} {name}'";
    DEADLOCKS = "  tally deadlocks
  tally deadlocks --json";
    COMPLETION = "  source <(tally completion bash)   in ~/.bashrc
  source <(tally completion zsh)    in ~/.zshrc, after compinit
  tally completion fish > ~/.config/fish/completions/tally.fish";
    MAN = "  tally man                         lists the pages
  tally man sum                     a page, in a pager
  tally man tally.toml > tally.toml.5
  tally man --install               all, into ~/.local/share/man";
    HELP = "  tally help sum
  tally help exit-codes
  tally help json jobs              the schema of 'tally jobs --json'";
}

/// Why a line of a batch that asks for a text has none.
pub(super) fn no_job() -> Failure {
    Failure::new(ErrorCode::BadUsage, "could not find a job on the line").hint("for example: sum 0..100")
}

/// A command line that works, for an error about a missing argument.
pub(super) fn example(command: &str) -> Option<&'static str> {
    Some(match command {
        "sum" => "tally sum 0..100",
        "product" => "tally product 1..=20",
        "min" => "tally min -5..5",
        "max" => "tally max -5..5",
        "count" => "tally count 0..1e6",
        "mean" => "tally mean 1..=4",
        "variance" => "tally variance 1..=4",
        "stddev" => "tally stddev 1..=4",
        "reduce" => "tally reduce sum,min,max 0..100",
        "factorial" => "tally factorial 20",
        "show" | "explain" | "result" | "follow" | "pause" | "resume" | "retry" | "wait" => {
            "'tally jobs --all' lists their ids"
        }
        "config" => "tally config show",
        "debug" => "tally debug bundle",
        "batch" => "tally batch jobs.txt",
        "completion" => "tally completion bash",
        "value" => "tally value hits add 1",
        "dict" => "tally dict prices set apple 0.5",
        "list" => "tally list steps push one",
        "queue" => "tally queue work put item",
        "event" => "tally event ready wait",
        "barrier" => "tally barrier start wait --parties 2",
        "stats" => "tally stats latency add 12.5",
        "watch" => "tally watch prices",
        "running" => "tally running sum numbers.txt",
        "compare" => "tally compare 0..1e8",
        "lab" => "tally lab race",
        "lock" => "tally lock backup -- rsync -a /home /mnt/backup",
        "semaphore" => "tally semaphore gpu --permits 2 -- ./train",
        "cancel" => "tally cancel j17, or tally cancel --all",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_fits_80_columns() {
        let mut texts =
            vec![("tally -h".to_owned(), SHORT.to_owned()), ("tally --help".into(), LONG.to_owned())];
        texts.extend(TOPICS.iter().map(|(name, text)| ((*name).to_owned(), text())));
        let commands = super::super::commands();
        texts.extend(commands.iter().map(|name| (name.clone(), super::super::help_of(name).unwrap())));
        for (name, text) in texts {
            for line in text.lines() {
                assert!(line.chars().count() <= 80, "{name}: {line}");
            }
        }
    }

    #[test]
    fn the_short_help_fits_a_screen_and_names_every_command() {
        assert!(SHORT.lines().count() <= 24);
        for command in super::super::commands() {
            assert!(SHORT.split_whitespace().any(|word| word == command), "{command}");
            assert!(LONG.split_whitespace().any(|word| word == command), "{command}");
        }
    }

    #[test]
    fn every_command_has_examples_in_its_long_help() {
        for command in super::super::commands() {
            let text = super::super::help_of(&command).unwrap();
            let after = text.split_once("\n\nExamples\n").unwrap_or_else(|| panic!("{command}: {text}")).1;
            assert!(after.contains("\n\nUsage: tally "), "{command}: {text}");
        }
    }

    #[test]
    fn every_variable_is_explained() {
        for name in crate::surroundings::VARIABLES {
            assert!(super::super::topics::environment().contains(name), "{name}");
        }
    }
}
