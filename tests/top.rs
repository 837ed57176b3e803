//! `tally top` and progress as people see them: in a real terminal, and where there is none.
#![forbid(unsafe_code)]

use serde_json::{Value, json};
use tally_sys::signal::Signal;
use tally_tests::run::send;
use tally_tests::{Terminal, World, until};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

fn world() -> World {
    World::new(BINARY).with("LANG", "C.UTF-8")
}

/// A job that outlasts every test.
fn endless(world: &World) {
    world.ask(["sum", "0..1e15", "--of", "i * i % 7", "--detach"]).answered("j1\n");
}

fn is_raw(terminal: &Terminal<'_>) -> bool {
    terminal.line("clear; stty -a | grep -o -e '-icanon' -e ' icanon'; echo end=$?");
    terminal.await_text("the modes of the terminal", |text| text.contains("\nend=0")).contains("-icanon")
}

fn pid_of_top(world: &World) -> u32 {
    until("the process of the view", || {
        let all = world.processes();
        let args = |pid| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let is_top = |pid| args(pid).split(|&byte| byte == 0).nth(1) == Some(b"top");
        all.iter().map(|process| process.pid).find(|&pid| is_top(pid))
    })
}

#[test]
fn it_is_looked_at_used_stopped_and_left() {
    let world = world();
    let Some(terminal) = Terminal::open(&world, 80, 24) else { return };
    let daemon = world.daemon(&["--workers", "2"]);
    endless(&world);
    terminal.line("echo before");
    terminal.line("\"$TALLY\" top -n 250ms");
    let screen = terminal.await_text("the job", |text| text.contains(">j1") && text.contains("running"));
    assert!(screen.starts_with("tally ") && screen.contains(" w workers "), "{screen}");
    assert!(
        screen.lines().all(|line| line.chars().count() <= 80) && screen.lines().count() <= 24,
        "{screen}"
    );
    terminal.await_text("what workers use", |text| text.contains("MiB") && text.contains("cpu "));

    terminal.press(&["p"]);
    terminal.await_text("a paused job", |text| text.contains("paused") && !text.contains(">j1      running"));
    terminal.press(&["r"]);
    terminal.await_text("a job that goes on", |text| text.contains("running"));
    terminal.press(&["/"]);
    terminal.press(&["z", "z"]);
    terminal.await_text("an empty list", |text| text.contains("no job has this in it"));
    terminal.press(&["Escape"]);
    terminal.await_text("all jobs", |text| text.contains(">j1"));
    terminal.press(&["Enter"]);
    terminal.await_text("one job", |text| text.contains("slot 0") && text.contains("under way"));
    terminal.press(&["q"]);

    terminal.resize(200, 60);
    let wide = |text: &str| text.contains("LINK") && text.contains(">j1") && text.lines().count() == 60;
    terminal.await_text("a wide screen", wide);
    terminal.resize(40, 10);
    terminal.await_text("a small screen", |text| {
        text.contains(">j1")
            && text.lines().count() <= 10
            && text.lines().all(|line| line.chars().count() <= 40)
    });
    terminal.resize(80, 24);

    terminal.press(&["C-z"]);
    terminal.await_text("the shell", |text| text.contains("Stopped") && text.contains("before"));
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid_of_top(&world))).expect("it is there");
    assert!(stat.contains(") T "), "{stat}");
    assert!(!is_raw(&terminal));
    terminal.line("fg");
    terminal.await_text("the view again", |text| text.contains(">j1"));
    terminal.press(&["q"]);
    terminal.line("echo code=$?");
    let screen = terminal.await_text("the end", |text| text.contains("\ncode=0"));
    assert!(!screen.contains(">j1"), "{screen}");
    assert!(!is_raw(&terminal));

    drop(terminal);
    daemon.stop();
    world.finish();
}

/// Where the terminal tells that another window is used, less is asked; what it cannot tell, nobody knows.
#[test]
fn it_rests_while_another_window_is_used() {
    let world = world();
    for (columns, rows) in [(80, 24), (200, 60)] {
        let Some(terminal) = Terminal::open(&world, columns, rows) else { return };
        let daemon = world.daemon(&["--workers", "1"]);
        terminal.line("\"$TALLY\" top -n 250ms");
        terminal.await_text("an empty list", |text| text.contains("no open jobs"));
        terminal.report(b"\x1b[O");
        terminal
            .await_text("that it rests", |text| text.contains("another window is used: a look every 5.0s"));
        terminal.report(b"\x1b[I");
        terminal.await_text("the keys", |text| text.contains("q quit") && !text.contains("another window"));
        terminal.press(&["q"]);
        terminal.line("echo code=$?");
        terminal.await_text("the end", |text| text.contains("\ncode=0"));
        drop(terminal);
        daemon.stop();
    }
    world.finish();
}

#[test]
fn it_outlives_the_daemon_and_gives_the_terminal_back_when_it_is_ended() {
    let world = world();
    let Some(terminal) = Terminal::open(&world, 80, 24) else { return };
    let daemon = world.daemon(&["--workers", "1"]);
    endless(&world);
    terminal.line("\"$TALLY\" top -n 250ms");
    terminal.await_text("the job", |text| text.contains(">j1"));
    daemon.signal(Signal::Kill);
    drop(daemon.finish());
    let gone = terminal.await_text("the end of the daemon", |text| text.contains("daemon gone since"));
    assert!(gone.contains(">j1"), "the last picture stays: {gone}");
    let daemon = world.daemon(&["--workers", "1"]);
    terminal.await_text("the next daemon", |text| text.contains(">j1") && !text.contains("daemon gone"));

    send(pid_of_top(&world), Signal::Term);
    terminal.line("echo code=$?");
    terminal.await_text("the end", |text| text.contains("\ncode=143"));
    assert!(!is_raw(&terminal));
    drop(terminal);
    daemon.stop();
    world.finish();
}

#[test]
fn jobs_are_cancelled_and_waits_are_shown() {
    let world = world();
    let Some(terminal) = Terminal::open(&world, 100, 30) else { return };
    let daemon = world.daemon(&["--workers", "1"]);
    endless(&world);
    let socket = world.socket();
    let lock = |words: &[&str]| {
        let socket = socket.to_str().expect("text");
        world.start(["--socket", socket, "lock", "backup", "--"].iter().chain(words))
    };
    let mut client = daemon.client();
    let mut held = |what: &str| {
        until(what, || client.call("io.tally.Locks", &json!({}))["locks"][0][what].get(0).map(drop));
    };
    let holder = lock(&["sleep", "1000"]);
    held("holders");
    let waiter = lock(&["true"]);
    held("waiters");
    terminal.line("\"$TALLY\" top -n 250ms");
    terminal.await_text("the job", |text| text.contains(">j1"));
    terminal.press(&["l"]);
    let waits = |text: &str| {
        let of = |state: &str| text.lines().find(|line| line.contains("backup") && line.contains(state));
        let pid = of(" held ").and_then(|line| line.split_whitespace().nth(3));
        pid.is_some_and(|pid| of(" waits ").is_some_and(|line| line.contains(pid)))
    };
    terminal.await_text("who waits for whom", waits);
    terminal.press(&["c"]);
    terminal.await_text("a question", |text| text.contains("cancel j1?"));
    terminal.press(&["y"]);
    terminal.await_text("no job", |text| text.contains("no open jobs"));
    terminal.press(&["a"]);
    terminal.await_text("the ended job", |text| text.contains(">j1") && text.contains("cancelled"));
    terminal.press(&["C-c"]);
    terminal.line("clear; echo ended");
    terminal.await_text("the shell", |text| text.starts_with("ended"));
    drop(terminal);
    drop(client);
    holder.signal(Signal::Term);
    assert_eq!((holder.finish().code(), waiter.finish().code()), (143, 0));
    daemon.stop();
    world.finish();
}

#[test]
fn a_plain_terminal_gets_plain_pictures() {
    let world = world().with("NO_COLOR", "1");
    let Some(terminal) = Terminal::open(&world, 80, 24) else { return };
    let daemon = world.daemon(&["--workers", "1"]);
    endless(&world);
    terminal.line("LANG=C \"$TALLY\" top");
    let screen = terminal.await_text("the job", |text| text.contains(">j1") && text.contains("running"));
    assert!(screen.is_ascii(), "{screen}");
    let painted = terminal.painted();
    let colours = (30..=37).chain(90..=97).map(|code| format!("\u{1b}[{code}m"));
    assert!(colours.into_iter().all(|code| !painted.contains(&code)), "{painted:?}");
    terminal.press(&["q"]);
    terminal.line("clear; TERM=dumb \"$TALLY\" top; echo code=$?");
    let text = terminal.await_text("one look", |text| text.contains("\ncode=0"));
    assert!(text.contains("nothing can be drawn here") && text.contains(" j1 "), "{text}");
    drop(terminal);
    daemon.stop();
    world.finish();
}

#[test]
fn progress_is_a_bar_and_a_title_and_both_go_again() {
    let world = world();
    let Some(terminal) = Terminal::open(&world, 100, 24) else { return };
    let daemon = world.daemon(&["--workers", "1"]);
    let before = terminal.title();
    terminal.line("\"$TALLY\" sum 0..1e15 --of 'i * i % 7'");
    let bar = |text: &str| {
        text.contains("% ") && text.contains("/s") && text.contains("1 worker") && text.contains("of 1.00 P")
    };
    terminal.await_text("a bar", bar);
    until("a title", || terminal.title().contains("tally j1").then_some(()));
    terminal.press(&["C-c"]);
    terminal.line("echo code=$?");
    let text = terminal.await_text("the end", |text| text.contains("\ncode=130"));
    assert!(!text.contains("1 worker"), "the bar is erased: {text}");
    assert_eq!(terminal.title(), before);
    drop(terminal);
    daemon.stop();
    world.finish();
}

#[test]
fn where_there_is_no_terminal_it_is_one_look() {
    let world = world();
    let missing = world.ask(["top", "--once"]);
    assert_eq!((missing.code(), missing.stdout.as_str()), (3, ""));
    let daemon = world.daemon(&["--workers", "1"]);
    endless(&world);
    let once = world.ask(["top", "--once"]);
    assert_eq!((once.code(), once.stderr.as_str()), (0, ""));
    assert!(once.stdout.starts_with("tally ") && once.stdout.contains(" j1 "), "{}", once.stdout);
    assert!(!once.stdout.contains('\u{1b}'));
    let noted = world.ask(["top"]);
    assert_eq!(
        (noted.code(), noted.stderr.as_str()),
        (0, "tally: nothing can be drawn here: this is one look\n")
    );

    let one = world.ask(["top", "--json"]).json();
    assert_eq!(
        (&one["schema"], &one["jobs"][0]["job"], &one["matched"]),
        (&json!("tally.top/1"), &json!("j1"), &json!(1))
    );
    assert!(one["locks"].is_array() && one["objects"].is_array());
    let used = until("what the worker uses", || {
        let one: Value = serde_json::from_str(&world.ask(["top", "--json"]).stdout).ok()?;
        one["workers"][0]["rss_bytes"].as_u64().zip(one["workers"][0]["cpu_ms"].as_u64())
    });
    assert!(used.0 > 1 << 20, "{used:?}");
    let three = world.script("\"$TALLY\" --socket \"$0\" top --json --watch -n 100ms | head -3");
    let mut three = three;
    let output = three.arg(world.socket()).output().expect("a shell");
    let lines: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[2]["at_ms"].as_u64() >= lines[0]["at_ms"].as_u64().map(|ms| ms + 150), "they are apart");
    daemon.stop();
    world.finish();
}

/// A guard stands above each command and uses nothing itself.
#[test]
fn a_worker_with_a_command_uses_what_the_command_uses() {
    let world = world();
    let daemon = world.daemon(&["--workers", "1"]);
    let greedy = "python3 -c 'held = bytearray(b\"x\" * (64 << 20))\nwhile True: pass'";
    world.ask(["sum", "0..9", "--detach", "--command", greedy]).answered("j1\n");
    until("what the command uses", || {
        let one: Value = serde_json::from_str(&world.ask(["top", "--json"]).stdout).ok()?;
        let worker = &one["workers"][0];
        (worker["rss_bytes"].as_u64()? > 64 << 20 && worker["cpu_ms"].as_u64()? >= 200).then_some(())
    });
    let metrics = world.ask(["metrics"]).stdout;
    let all = metrics.lines().find_map(|line| line.strip_prefix("tally_workers_resident_memory_bytes "));
    let all: f64 = all.and_then(|bytes| bytes.parse().ok()).unwrap_or_else(|| panic!("{metrics}"));
    assert!(all > f64::from(64 << 20), "{all}");
    world.ask(["cancel", "j1", "-q"]).answered("");
    daemon.stop();
    world.finish();
}

#[test]
fn a_job_is_drawn_with_what_was_lost() {
    let world = world();
    let daemon = world.daemon(&["--workers", "2"]);
    endless(&world);
    let mut client = daemon.client();
    until("a partition that was lost with its worker", || {
        if let Some(worker) = world.named("tally-worker").first() {
            send(worker.pid, Signal::Kill);
        }
        let job = client.call("io.tally.Show", &json!({ "job": "j1" }));
        job["job"]["incidents"].as_array()?.iter().any(|incident| incident["range"].is_string()).then_some(())
    });
    let known = world.ask(["show", "j1", "--json", "--history"]).json();
    let spans = known["history"]["spans"].as_array().expect("spans");
    assert!(spans.iter().any(|span| span["how"] == "lost"), "{spans:?}");
    let plain = world.ask(["show", "j1", "--json"]).json();
    assert_eq!(plain.get("history"), None, "only when asked");
    let path = world.path().join("job.svg");
    let drawn = world.ask(["show", "j1", "--plot", path.to_str().expect("text")]);
    assert_eq!((drawn.code(), drawn.stderr.as_str()), (0, ""));
    let svg = std::fs::read_to_string(&path).expect("a drawing");
    assert!(
        svg.starts_with("<svg") && svg.contains("lost with its worker") && svg.contains("worker 0"),
        "{svg}"
    );
    assert!(svg.contains(" died") && svg.contains("killed by SIGKILL"), "each death has its cause: {svg}");
    let out = world.ask(["show", "j1", "--plot", "-"]);
    assert!(out.stdout.starts_with("<svg") && out.stdout.ends_with("</svg>\n"), "{}", out.stdout);
    drop(client);
    daemon.stop();
    world.finish();
}
