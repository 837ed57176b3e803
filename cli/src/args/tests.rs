//! What can be typed and what it is read as; and the text of every refusal.

use tally_protocol::job::{StartMethod, Transport};

use super::daemon::SettingArgs;
use super::values::{Mode, Partitions};
use super::*;

fn typed(line: &str) -> Result<Line, Stop> {
    parse(std::iter::once("tally").chain(line.split_whitespace()).map(OsString::from).collect())
}

fn command(line: &str) -> Command {
    typed(line).unwrap_or_else(|stop| panic!("{line}: {stop:?}")).command.unwrap()
}

fn sum(line: &str) -> ReductionArgs {
    match command(line) {
        Command::Sum(args) => args,
        other => panic!("{line}: {other:?}"),
    }
}

/// The first line of a refusal and its hint.
fn refused(line: &str) -> String {
    match typed(line) {
        Err(Stop::Wrong(failure)) => {
            assert_eq!(failure.exit, 2, "{line}");
            failure.message + &failure.hint.map(|hint| format!(" | {hint}")).unwrap_or_default()
        }
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn sources_may_be_negative_anywhere() {
    assert_eq!(sum("sum -5..5").sources, ["-5..5"]);
    assert_eq!(sum("sum 0..1 -5..5 -.5").sources, ["0..1", "-5..5", "-.5"]);
    assert_eq!(sum("sum --workers 2 -5..=5 --json").sources, ["-5..=5"]);
    assert_eq!(sum("sum -- -5..5").sources, ["-5..5"]);
    assert_eq!(sum("--json sum -2**63..0 --detach").sources, ["-2**63..0"]);
}

#[test]
fn options_are_read() {
    let line = "sum 0..10 --step -2 --population --workers 3 --mode threads --start spawn --transport pipe \
        --partitions 7 --retries 0 --timeout 1m30s --memory-limit 512M --nice 5 --priority -1 --detach --local \
        --progress json";
    let expected = ReductionOptions {
        step: Some("-2".into()),
        population: true,
        workers: Some(3),
        mode: Some(Mode::Threads),
        start: Some(StartMethod::Spawn),
        transport: Some(Transport::Pipe),
        partitions: Some(Partitions(Some(7))),
        retries: Some(0),
        timeout: Some(90_000),
        memory_limit: Some(512 << 20),
        nice: Some(5),
        priority: Some(-1),
        detach: true,
        local: true,
        progress: Some(ProgressWhen::Json),
        ..ReductionOptions::default()
    };
    assert_eq!(sum(line).options, expected);
    let bare = ReductionOptions { partitions: Some(Partitions(None)), ..ReductionOptions::default() };
    assert_eq!(sum("sum 0..10 --partitions auto").options, bare);
    assert_eq!(sum("sum 0..10 --workers=4 --workers 5").options.workers, Some(5), "the last one counts");
}

#[test]
fn common_options_go_anywhere() {
    let expected = Common {
        socket: Some("/s".into()),
        json: true,
        quiet: true,
        verbose: true,
        color: Some(When::Never),
        reconnect: None,
        help: None,
    };
    assert_eq!(typed("--socket /s --json -q --verbose --color never status").unwrap().common, expected);
    assert_eq!(typed("status --socket=/s --json --quiet --verbose --color=never").unwrap().common, expected);
    assert_eq!(typed("status --socket -5").unwrap().common.socket, Some("-5".into()));
}

#[test]
fn commands_are_read() {
    let one = OneJob { job: JobId(17) };
    for (line, expected) in [
        ("jobs", Command::Jobs(lists::JobsArgs::default())),
        ("jobs --all", Command::Jobs(lists::JobsArgs { all: true, ..lists::JobsArgs::default() })),
        ("show j17", Command::Show(top::ShowArgs { one, plot: None, history: false })),
        ("explain 17", Command::Explain(one)),
        ("wait j1 j2", Command::Wait { jobs: vec![JobId(1), JobId(2)] }),
        ("result j17", Command::Result(one)),
        ("follow j17 --progress never", Command::Follow { one, progress: Some(ProgressWhen::Never) }),
        ("cancel j1 2", Command::Cancel { jobs: vec![JobId(1), JobId(2)], all: false }),
        ("cancel --all", Command::Cancel { jobs: vec![], all: true }),
        ("pause j17", Command::Pause(one)),
        ("resume j17", Command::Resume(one)),
        ("retry j17", Command::Retry(one)),
        ("status", Command::Status),
        ("workers", Command::Workers(lists::ListOptions::default())),
        ("ping", Command::Ping { timeout: None }),
        ("drain", Command::Drain),
        ("stop", Command::Stop { now: false }),
        ("stop --now", Command::Stop { now: true }),
        ("dump", Command::Dump),
        ("help", Command::Help { about: None, word: None }),
        ("help sum", Command::Help { about: Some("sum".into()), word: None }),
        ("daemon", Command::Daemon(Box::default())),
        (
            "daemon --foreground",
            Command::Daemon(Box::new(DaemonArgs { foreground: true, ..DaemonArgs::default() })),
        ),
    ] {
        assert_eq!(command(line), expected, "{line}");
    }
    assert!(matches!(command("factorial -5"), Command::Factorial(args) if args.n == "-5"));
    assert!(matches!(command("reduce sum,max 0..3"), Command::Reduce(args) if args.list == "sum,max"));
    let line =
        "daemon --config c --pid-file p --check --workers 2 --transport mqueue --start fork --log debug";
    let expected = DaemonArgs {
        config: Some("c".into()),
        foreground: false,
        daemonize: false,
        until_eof: false,
        remove_directory: false,
        log_file: None,
        pid_file: Some("p".into()),
        check: true,
        workers: Some("2".into()),
        transport: Some(Transport::Mqueue),
        start: Some(StartMethod::Fork),
        log: Some("debug".into()),
        settings: SettingArgs::default(),
    };
    assert_eq!(command(line), Command::Daemon(Box::new(expected)));
}

#[test]
fn every_refusal_is_one_line_that_says_all() {
    for (line, expected) in [
        ("smu 0..10", "could not run 'smu': no such command; did you mean 'sum'?"),
        ("meen 0..10", "could not run 'meen': no such command; did you mean 'mean'?"),
        ("avg 0..10", "could not run 'avg': no such command; did you mean 'mean'?"),
        ("ls", "could not run 'ls': no such command; did you mean 'jobs'?"),
        ("zebra", "could not run 'zebra': no such command | 'tally help' lists them"),
        ("0..10", "could not run '0..10': no such command | a command comes first: tally sum 0..10"),
        ("-5..5", "could not run '-5..5': no such command | a command comes first: tally sum -5..5"),
        ("sum 0..10 --wrokers 3", "could not read '--wrokers': no such option; did you mean '--workers'?"),
        ("sum 0..10 --wrokers=3", "could not read '--wrokers': no such option; did you mean '--workers'?"),
        ("sum 0..10 -j 3", "could not read '-j': no such option; did you mean '--workers'?"),
        ("sum 0..10 --colour never", "could not read '--colour': no such option; did you mean '--color'?"),
        ("sum 0..10 --hlep", "could not read '--hlep': no such option; did you mean '--help'?"),
        ("sum 0..10 --zebra", "could not read '--zebra': no such option | 'tally sum --help' lists them"),
        (
            "--workers 3 sum 0..10",
            "could not read '--workers': no such option | it goes after the command: tally sum 0..100 --workers",
        ),
        ("daemon --zebra", "could not read '--zebra': no such option | 'tally daemon --help' lists them"),
        ("sum", "could not run 'tally sum': SOURCE is missing | for example: tally sum 0..100"),
        ("sum --workers 3", "could not run 'tally sum': SOURCE is missing | for example: tally sum 0..100"),
        (
            "reduce",
            "could not run 'tally reduce': LIST is missing | for example: tally reduce sum,min,max 0..100",
        ),
        (
            "reduce 1..5",
            "could not run 'tally reduce': LIST is missing | for example: tally reduce sum,min,max 0..100",
        ),
        (
            "reduce sum --of i*1.5",
            "could not run 'tally reduce': SOURCE is missing | for example: tally reduce sum,min,max 0..100",
        ),
        ("daemon stop", "could not run 'tally daemon': it takes no 'stop' | that is 'tally stop'"),
        (
            "daemon status --json",
            "could not run 'tally daemon': it takes no 'status' | that is 'tally status'",
        ),
        (
            "daemon start",
            "could not run 'tally daemon': it takes no 'start' | 'tally daemon' alone starts it; --daemonize leaves it in the background",
        ),
        ("daemon zebra", "could not run 'tally daemon': it takes no 'zebra'"),
        (
            "submit 0..10",
            "could not run 'submit': no such command | what is computed is the command: tally sum 0..100; --detach leaves it with the daemon",
        ),
        ("manual", "could not run 'manual': no such command; did you mean 'man'?"),
        ("sem x", "could not run 'sem': no such command; did you mean 'semaphore' or 'sum'?"),
        ("sum 0..10 -w 2", "could not read '-w': no such option; did you mean '--workers'?"),
        ("factorial", "could not run 'tally factorial': N is missing | for example: tally factorial 20"),
        ("show", "could not run 'tally show': JOB is missing | 'tally jobs --all' lists their ids"),
        (
            "cancel",
            "could not run 'tally cancel': JOB is missing | for example: tally cancel j17, or tally cancel --all",
        ),
        ("cancel j1 --all", "could not run 'tally cancel': JOB and --all exclude each other"),
        ("status now", "could not run 'tally status': it takes no 'now'"),
        ("status -5", "could not run 'tally status': it takes no '-5'"),
        ("show j1 j2", "could not run 'tally show': it takes no 'j2'"),
        ("sum 0..10 --workers", "could not run 'tally sum': --workers needs a value"),
        ("sum 0..10 --workers 0", "could not read --workers '0': it can be 1 to 1024"),
        ("sum 0..10 --workers -3", "could not read --workers '-3': it can be 1 to 1024"),
        ("sum 0..10 --step 0", "could not read --step '0': a step cannot be 0"),
        (
            "sum 0..10 --timeout soon",
            "could not read --timeout 'soon': a duration looks like 30s, 500ms, 2m or 1h",
        ),
        (
            "sum 0..10 --memory-limit 512MB",
            "could not read --memory-limit '512MB': a size looks like 512M (that is 512 MiB) or 2G",
        ),
        (
            "sum 0..10 --mode thread",
            "could not read --mode 'thread': it can be processes, threads, inline; did you mean 'threads'?",
        ),
        ("sum 0..10 --json=yes", "could not read --json 'yes': it takes no value"),
        ("show x", "could not read JOB 'x': a job id looks like j17"),
        ("wait j1 jx", "could not read JOB 'jx': a job id looks like j17"),
    ] {
        assert_eq!(refused(line), expected, "{line}");
    }
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    use std::os::unix::ffi::OsStringExt;
    let args = ["tally", "sum"].map(OsString::from).into_iter().chain([OsString::from_vec(vec![0xff, 0xfe])]);
    let Err(Stop::Wrong(failure)) = parse(args.collect()) else { panic!() };
    assert_eq!(failure.message, "could not run 'tally sum': an argument is not UTF-8 text");
}

#[test]
fn help_and_version_are_texts() {
    let text = |line: &str| match typed(line) {
        Err(Stop::Text { text, .. }) => text,
        other => panic!("{line}: {other:?}"),
    };
    assert_eq!(text("-h"), help::SHORT);
    assert_eq!(text("--help"), help::LONG);
    assert_eq!(text("sum --help"), help_of("sum").unwrap());
    assert!(text("sum -h").lines().count() <= 24, "{}", text("sum -h"));
    assert!(text("sum -h").len() < text("sum --help").len());
    assert_eq!(text("--version"), format!("tally {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(typed(""), Err(Stop::Nothing));
    let Err(Stop::Wrong(failure)) = typed("debug") else { panic!() };
    assert_eq!(failure.message, "could not run 'tally debug': it is not said what to do");
    let Err(Stop::Wrong(failure)) = typed("sum 0..5 --where --i") else { panic!() };
    assert_eq!(failure.hint.as_deref(), Some("an expression that begins like one: --where='--i'"));
    assert_eq!(typed("--json"), Err(Stop::Nothing));
}

#[test]
fn short_helps_fit_a_screen() {
    for name in commands() {
        let Err(Stop::Text { text, .. }) = typed(&format!("{name} -h")) else { panic!("{name}") };
        assert!(text.lines().count() <= 24, "{name}: {text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{name}: {text}");
    }
}

#[test]
fn json_is_seen_in_a_line_that_cannot_be_read() {
    let args = |line: &str| line.split_whitespace().map(OsString::from).collect::<Vec<_>>();
    assert!(asks_for_json(&args("tally smu --json")));
    assert!(!asks_for_json(&args("tally sum -- --json")));
}

#[test]
fn words_of_objects_come_before_a_command() {
    let line = typed("queue q get --each --timeout 5s -- run -x {}").unwrap();
    let Some(Command::Queue(queue)) = line.command else { panic!("{:?}", line.command) };
    assert_eq!((queue.named.name.as_str(), queue.named.words.join(" ")), ("q", "get".to_owned()));
    assert_eq!(queue.command, ["run", "-x", "{}"].map(OsString::from));
    assert!(queue.each && queue.wait.timeout == Some(5_000));
    let line = typed("queue q put a b --capacity 2 -3").unwrap();
    let Some(Command::Queue(queue)) = line.command else { panic!("{:?}", line.command) };
    assert_eq!(queue.named.words.join(" "), "put a b -3");
    let line = typed("value x cas -1 -2 --persistent").unwrap();
    let Some(Command::Value(value)) = line.command else { panic!("{:?}", line.command) };
    assert_eq!((value.named.words.join(" "), value.named.make.persistent), ("cas -1 -2".to_owned(), true));
}
