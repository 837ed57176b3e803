//! The topics of `tally help TOPIC`. What has a table in the code is made from that: exit codes, fields of lists.
//!
//! Every line fits 80 columns.

use crate::show::schema;

/// A name and what makes its text.
type Topic = (&'static str, fn() -> String);

/// The topics of `tally help`, with their texts; exit codes and variables come from their tables.
pub(crate) const TOPICS: [Topic; 7] = [
    ("sources", sources),
    ("expressions", expressions),
    ("kernels", kernels),
    ("formats", formats),
    ("exit-codes", exit_codes),
    ("environment", environment),
    ("json", json),
];

fn sources() -> String {
    "\
A source is a range of integers, of any size, or a file:

  0..100          0 to 99: the end does not belong to it
  1..=100         1 to 100: here it does
  -5..5           negative numbers need no quotes
  0..1e9          also 8_000_000, 2.5e3, 2**70
  0..10 --step 3  0, 3, 6, 9; a negative step walks down: 10..0 --step -3

  data.csv        a table with names in its first row; also .tsv
  numbers.txt     one number a line
  array.npy       an array of NumPy; data.bin --format f64le  raw numbers
  table.csv.gz    packed by gzip or zstd
  t.parquet       where the program was built with --features parquet
  'part-*.csv'    all that match
  -               standard input

Several sources are one after the other: tally sum 0..10 20..30
Of a table with several columns of numbers, --of says which: --of 'price * n'
"
    .to_owned()
}

fn expressions() -> String {
    "\
--of says what is folded, --where for which elements or rows. A name is a
column; in a range, i is the element.

  tally sum sales.csv --of 'price * quantity' --where 'region == \"north\"'
  tally count 0..1e6 --where 'i % 7 == 0 and i % 2 == 1'

  numbers         42 1_000_000 0xff are integers of any size; 1.5 1e9 are floats
  text            \"north\" 'north'; it is compared, and nothing else
  columns         price; col(\"unit price\") for any other name
  arithmetic      + - * / // % **     / is of floats, // and % as in Python
  comparisons     < <= > >= == !=     in (\"a\", \"b\")     not in (...)
  conditions      and or not          if(condition, a, b)
  bits            & | xor << >> ~
  functions       abs min max floor ceil round sqrt exp ln log2 log10
                  sin cos tan int float
  constants       pi inf nan true false

Integers never wrap and never become floats by themselves. What has no answer,
such as a division by zero, is an error that names the place; --on-bad skip
leaves it out and counts it. A file with one column of numbers needs no --of.
"
    .to_owned()
}

fn kernels() -> String {
    "\
A command of your own can answer for each part of a range, in any language:

  tally sum 0..1e6 --command './kernel'
      a process that lives on: it reads a line for each part, 'start end
      partition attempt', and answers with a line, the partial, and with
      nothing else; when its input ends, it is to end
  tally sum 0..1e6 --command './f {start} {end}'
      a process for each part; the last line of its output is the partial

start is the first number of the part, end the one behind its last. Both find
TALLY_START, TALLY_END, TALLY_PARTITION, TALLY_ATTEMPT, TALLY_JOB and TALLY_SLOT
in their environment; the first four tell one that lives on of its first part.

A partial of sum, product, min, max or count is a number. Of mean, and of
several reductions, it is a line of JSON: {\"sum\": 45, \"count\": 10}
A variance is refused: those of parts do not add up.

What a kernel writes to standard error is kept, its end shown when it fails.
One that dies or fails is tried again, until it has failed --retries times.
"
    .to_owned()
}

fn formats() -> String {
    let mut text = String::from(
        "\
--format TEMPLATE prints a line for each job, worker, lock or object:

  tally jobs --all --format '{job}\\t{state}\\t{elapsed_ms}'
  tally workers --format '{slot} {pid} {state}'

{name} is a field of the JSON of that list; what is unknown is empty. \\t is a
tab, \\n a new line, \\0 a NUL, \\\\ a backslash, {{ and }} are braces.
",
    );
    for list in ["jobs", "workers", "locks", "objects"] {
        text.push_str(&format!("\n{list}\n"));
        let mut line = String::from(" ");
        for field in schema::fields_of_list(list) {
            if line.len() + field.len() > 78 {
                text.push_str(&line);
                line = String::from("\n ");
            }
            line.push_str(&format!(" {field}"));
        }
        text.push_str(&format!("{line}\n"));
    }
    text
}

fn exit_codes() -> String {
    let mut text = String::from("Exit codes\n\n");
    for (code, meaning) in crate::exit_code::TABLE {
        text.push_str(&format!("  {code:>3}  {meaning}\n"));
    }
    text.push_str("\n'tally lock', 'tally semaphore' and 'tally queue NAME get --hold' end as their\n");
    text.push_str("command does, as in a shell:\n");
    text.push_str("126 it cannot be run, 127 there is no such command, 128+n signal n ended it.\n");
    text.push_str("\n'tally wait' ends with the worst of its jobs: 1, then 5, then 4.\n");
    text.push_str("'tally status' ends with 0 when the daemon runs, 3 when it does not, and 5\n");
    text.push_str("when it has not answered within 10 s.\n");
    text
}

pub(super) fn environment() -> String {
    let daemon = crate::man::daemon::environment();
    format!(
        "\
Variables that tally reads

  TALLY_SOCKET      control socket of the daemon, as --socket
  TALLY_WORKERS, TALLY_STATE_DIR, ...
                    any setting of the daemon: TALLY_ and its key in capitals;
                    'tally config show' lists the keys, and what is in force
  TALLY_COMPLETE    set by the lines of 'tally completion': the shell that asks
  TALLY_LOCK_TOKEN  set for the command of 'tally lock'; by it a 'tally lock'
                    within is known to belong to that one
  XDG_RUNTIME_DIR   else the socket is tally/tally.sock in there
                    (for root /run/tally/tally.sock)
  XDG_CONFIG_HOME   settings are read from tally/config.toml in there
                    [default: ~/.config]
  XDG_DATA_HOME     'tally man --install' writes into man in there
                    [default: .local/share in HOME]
  TMPDIR            where there is room for standard input too large for memory
                    [default: /var/tmp]
  NO_COLOR          no colour, unless --color says otherwise
  CLICOLOR_FORCE    colour also into files and pipes
  TERM              'dumb' has no colour and no progress bar
  LC_ALL, LC_CTYPE, LANG
                    the bar is drawn in ASCII when they name no UTF-8 locale
  COLUMNS, LINES    size of the terminal, where it does not say so itself
  TMUX, TERM_PROGRAM, TERM_FEATURES, VTE_VERSION, XTERM_VERSION, WT_SESSION,
  ConEmuANSI        by these terminals are known that show progress in their
                    title or at their tab

Variables that 'tally daemon' reads besides

{daemon}
Variables that it sets

  TALLY_LOCK, TALLY_FENCE
                    for the command of 'tally lock': the name, and the fencing
                    number of the grant
  TALLY_JOB, TALLY_SLOT, TALLY_START, TALLY_END, TALLY_PARTITION, TALLY_ATTEMPT
                    for a command of --command: tally help kernels
  TALLY_FILE        the same, with --files: the name of the file
  TALLY_RECEIPT, TALLY_DELIVERY
                    for the command of 'tally queue NAME get --hold': what names
                    the item to the queue, and which delivery of it this is
"
    )
}

fn json() -> String {
    "\
--json works on every command and prints one object on one line. It begins with
its schema: {\"schema\":\"tally.result/1\",...}. 'tally help json NAME' prints the
JSON schema itself, such as that of jobs.

  tally.result/1    reductions, result, follow
  tally.job/1       show, pause, resume, retry, and reductions with --detach
  tally.jobs/1      jobs, wait, cancel
  tally.explain/1   explain
  tally.status/1    status                tally.workers/1   workers
  tally.top/1       top; with --watch one a line
  tally.ping/1      ping                  tally.dump/1      dump
  tally.drain/1     drain                 tally.stop/1      stop
  tally.config/1    config show           tally.config-check/1  config check
  tally.reload/1    reload                tally.metrics/1       metrics
  tally.config-default/1                  config default
  tally.upgrade/1   upgrade
  tally.self-test/1 self-test             tally.debug-bundle/1  debug bundle
  tally.help/1      help, man             tally.version/1   --version
  tally.lab/1       lab                   tally.compare/1   compare
  tally.locks/1     locks                 tally.deadlocks/1     deadlocks
  tally.value/1     value; and so dict, list, queue, event, barrier, stats
  tally.objects/1   objects               tally.watch/1     watch, one a line
  tally.fill/1      what was read from standard input into an object
  tally.running/1   running, one object for each line
  tally.batch/1     batch, one object for each job
  tally.progress/1  --progress json: lines on standard error
  tally.error/1     on standard error, when something failed; what there is of a
                    job that failed stands on standard output besides

Answers, and counts that can exceed 2^53, are decimal text. Units are in the
names. What is unknown is absent. Fields are only ever added within a version.
A job that failed is a tally.result/1 with its state and an error.
"
    .to_owned()
}
