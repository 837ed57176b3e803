//! Settings: from what layer they come, how they are shown, checked and reloaded, and that nothing about them is
//! said in one place only.
#![forbid(unsafe_code)]

use std::fs;

use serde_json::{Value, json};
use tally_sys::signal::Signal;
use tally_tests::{World, until};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

/// A file of the test's world.
fn file(world: &World, name: &str, text: &str) -> String {
    let path = world.path().join(name);
    fs::write(&path, text).expect("it can be written");
    path.to_str().expect("the path is text").to_owned()
}

fn slots(client: &mut tally_tests::Client) -> u64 {
    client.call("io.tally.Status", &json!({}))["status"]["slots"].as_u64().expect("a number")
}

#[test]
fn sighup_takes_what_the_file_says_now_and_running_jobs_go_on() {
    let world = World::new(BINARY);
    let path = file(&world, "tally.toml", "workers = 1\nlog = \"info\"\n");
    let daemon = world.daemon(&["--config", &path, "--retries", "5"]);
    let mut client = daemon.client();
    assert_eq!(slots(&mut client), 1);
    let mut running = daemon.client();
    running.submit(&json!({ "reductions": ["sum"], "sources": ["0..4e8"] }), true);
    file(
        &world,
        "tally.toml",
        "workers = 3\nlog = \"debug\"\nretries = 7\npriority = -5\nlease_ms = 20000\n",
    );
    daemon.signal(Signal::Hup);
    let line = daemon.await_line("configuration reloaded");
    assert!(
        line.ends_with("workers 1 -> 3, priority 0 -> -5, lease_ms 10000 -> 20000, log info -> debug"),
        "{line}"
    );
    // Now that more is logged.
    daemon.await_line("DEBUG");
    until("three workers", || {
        let status = client.call("io.tally.Status", &json!({}));
        (status["status"]["workers"] == 3).then_some(())
    });
    let outcome = loop {
        let reply = running.hear().expect("the job goes on");
        if reply["continues"] != json!(true) {
            break reply["parameters"]["job"].clone();
        }
    };
    assert_eq!((&outcome["state"], &outcome["retries"]), (&json!("done"), &json!(0)), "{outcome}");
    let next = client.submit(&json!({ "reductions": ["sum"], "sources": ["0..10"] }), false);
    assert_eq!((&outcome["priority"], &next["priority"]), (&json!(0), &json!(-5)), "{next}");
    file(&world, "tally.toml", "workers = 1\n");
    daemon.signal(Signal::Hup);
    daemon.await_line("workers 3 -> 1");
    assert_eq!(slots(&mut client), 1);
    daemon.stop();
    world.finish();
}

#[test]
fn a_bad_or_lost_file_changes_nothing() {
    let world = World::new(BINARY);
    let path = file(&world, "tally.toml", "workers = 2\n");
    let daemon = world.daemon(&["--config", &path]);
    let mut client = daemon.client();
    file(&world, "tally.toml", "workers = 3\nlease_ms = 5\nretires = 1\n");
    daemon.signal(Signal::Hup);
    let line = daemon.await_line("could not reload");
    assert!(
        line.ends_with(&format!(
            "could not reload the configuration: {path}:2:1: lease_ms is 5; it can be 200 to 86400000 \
             (and one more fault; 'tally config check {path}' lists them); the old settings stay in force"
        )),
        "{line}"
    );
    assert_eq!(slots(&mut client), 2);
    fs::remove_file(&path).expect("it can be removed");
    daemon.signal(Signal::Hup);
    let line = daemon.await_line("could not reload");
    assert!(line.contains(&format!("{path}: the file is gone; the old settings")), "{line}");
    assert_eq!(slots(&mut client), 2);
    file(&world, "tally.toml", "workers = 4\nmetrics_listen = \"unix:/nowhere/metrics\"\n");
    daemon.signal(Signal::Hup);
    let line = daemon.await_line("configuration reloaded");
    let expected = "workers 2 -> 4; needs a restart: metrics_listen none -> unix:/nowhere/metrics";
    assert!(line.ends_with(expected), "{line}");
    assert_eq!(slots(&mut client), 4);
    // Nothing but what is there has a say: no pipe, no directory.
    fs::remove_file(&path).expect("it can be removed");
    fs::create_dir(&path).expect("a directory can be made");
    daemon.signal(Signal::Hup);
    let line = daemon.await_line("could not reload");
    assert!(line.contains(&format!("{path}: it is no regular file")), "{line}");
    daemon.stop();
    world.finish();
}

/// What a daemon started now would have, as `config show --json` tells.
fn shown(world: &World, arguments: &[&str]) -> Vec<Value> {
    let arguments = ["config", "show", "--json"].iter().chain(arguments);
    let finished = world.run(arguments);
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""));
    let shown = finished.json();
    assert_eq!((&shown["schema"], &shown["of"]), (&json!("tally.config/1"), &json!("new")));
    shown["settings"].as_array().expect("a list").clone()
}

fn word<'a>(setting: &'a Value, field: &str) -> &'a str {
    setting[field].as_str().unwrap_or_else(|| panic!("{setting} has no {field}"))
}

/// The file, the code, the variables, the flags and the document tell of the same keys.
#[test]
fn every_key_is_known_everywhere() {
    let world = World::new(BINARY);
    let settings = shown(&world, &[]);
    let built_in = include_str!("../config.toml");
    let in_file: Vec<&str> = built_in
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| Some(line.split_once(" = ")?.0))
        .collect();
    assert_eq!(settings.iter().map(|one| word(one, "key")).collect::<Vec<_>>(), in_file);

    let document = include_str!("../docs/configuration.md");
    let help = world.run(["daemon", "--help"]).stdout;
    for setting in &settings {
        let (key, default) = (word(setting, "key"), word(setting, "default"));
        let (variable, flag) = (word(setting, "variable"), word(setting, "flag"));
        let reload = match word(setting, "reload") {
            "live" => "at once",
            "new-workers" => "for new jobs",
            "restart" => "needs a restart",
            other => panic!("{key}: {other}"),
        };
        let range = word(setting, "range");
        let row = format!("| `{key}` | `{default}` | {range} | `{variable}` | `{flag}` | {reload} |\n");
        assert!(document.contains(&row), "docs/configuration.md has no row {row}");
        assert!(help.contains(&format!("{flag} <")), "tally daemon --help has no {flag}");
        // Each has a comment above it.
        let at = built_in.find(&format!("\n{key} = ")).expect("it is there");
        let group = built_in[..at].rsplit("\n\n").next().expect("there is one");
        assert!(group.starts_with('#'), "config.toml does not explain {key}");

        let through = World::new(BINARY).with(variable, default);
        let other = shown(&through, &[]);
        let found = other.iter().find(|one| one["key"] == *key).expect("the key is there");
        assert_eq!((word(found, "origin"), word(found, "place")), ("environment", variable));
        through.finish();

        assert_eq!(world.run(["daemon", "--check", flag, default]).code(), 0, "{flag} {default}");
        // Any text is the path of a file.
        if key == "log_file" {
            continue;
        }
        let wrong = world.run(["daemon", "--check", flag, "\u{a0}"]);
        assert_eq!((wrong.code(), wrong.stdout.as_str()), (2, ""), "{flag}: {}", wrong.stderr);
        assert!(wrong.stderr.contains(flag), "{flag}: {}", wrong.stderr);
    }
    let rows = document.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, settings.len(), "docs/configuration.md has a row too many");
    world.finish();
}

#[test]
fn a_value_is_shown_with_where_it_came_from() {
    let world = World::new(BINARY).with("TALLY_RETRIES", "9").with("TALLY_WROKERS", "3");
    let path = file(&world, "my.toml", "# mine\nlease_ms = 500\nretries = 1\n  log = \"warn\"\n");
    let finished = world.run(["config", "show", "--config", &path]);
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    for (key, value, origin) in [
        ("lease_ms", "500", format!("{path}:2:1")),
        ("log", "\"warn\"", format!("{path}:4:3")),
        ("retries", "9", "TALLY_RETRIES".to_owned()),
        ("workers", "\"auto\"", "built-in".to_owned()),
    ] {
        let line = finished.stdout.lines().find(|line| line.starts_with(&format!("{key} = ")));
        let parts: Vec<&str> = line.expect("the key is there").split("  # ").collect();
        assert_eq!((parts[0].trim_end(), parts[1]), (format!("{key} = {value}").as_str(), origin.as_str()));
    }
    assert_eq!(
        finished.stderr,
        "tally: TALLY_WROKERS in the environment is no setting; did you mean 'TALLY_WORKERS'?\n"
    );
    // What is shown can be a file again.
    let again = file(&world, "again.toml", &finished.stdout);
    assert_eq!(world.run(["config", "check", &again, "-q"]).stderr, "");
    fs::remove_file(path).expect("it can be removed");
    world.finish();
}

/// One setting is a line, from a daemon, from a file, or of what one would have.
#[test]
fn one_setting_is_shown_by_its_key() {
    let world = World::new(BINARY).with("TALLY_RETRIES", "9");
    let path = file(&world, "my.toml", "workers = 2\n");
    world.run(["config", "show", "retries"]).answered("retries = 9  # TALLY_RETRIES\n");
    let from = format!("workers = 2  # {path}:1:1\n");
    world.run(["config", "show", "workers", "--config", &path]).answered(&from);
    let told = world.run(["config", "show", "workers", "--json"]);
    let told: Value = serde_json::from_str(&told.stdout).expect("it is JSON");
    assert_eq!(told["settings"].as_array().map(Vec::len), Some(1), "{told}");
    let daemon = world.daemon(&["--lease-ms", "3000"]);
    world.ask(["config", "show", "lease_ms"]).answered("lease_ms = 3000  # --lease-ms\n");
    daemon.stop();
    world.run(["config", "show", "wrokers"]).failed(
        2,
        "tally: could not show 'wrokers': there is no such setting and no such file; did you mean 'workers'?",
    );
    world
        .run(["config", "show", &path, "--config", &path])
        .failed(2, "tally: could not read two files: name one");
    // A file of that name is still to be had.
    file(&world, "retries", "retries = 4\n");
    let told = world.run(["config", "show", "./retries"]);
    assert!(told.stdout.contains("retries = 4 "), "{}", told.stdout);
    world.finish();
}

/// A file that is named alone is read alone; with `--config` it is a layer among others.
#[test]
fn a_file_is_shown_and_checked_without_other_layers() {
    let world = World::new(BINARY).with("TALLY_RETRIES", "9");
    let path = file(&world, "c.toml", "lease_ms = 500\n");
    let line = |arguments: &[&str], key: &str| {
        let told = world.run(["config", "show"].iter().chain(arguments));
        assert_eq!((told.code(), told.stderr.as_str()), (0, ""));
        let found = told.stdout.lines().find(|line| line.starts_with(&format!("{key} = ")));
        found.expect("the key is there").split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line(&[&path], "lease_ms"), format!("lease_ms = 500 # {path}:1:1"));
    assert_eq!(line(&[&path], "retries"), "retries = 3 # built-in");
    assert_eq!(line(&["--config", &path], "retries"), "retries = 9 # TALLY_RETRIES");
    let told = world.run(["config", "show", &path, "--json"]);
    let told: Value = serde_json::from_str(&told.stdout).expect("it is JSON");
    assert_eq!(told["of"], "file", "{told}");
    world.finish();

    let world = World::new(BINARY).with("TALLY_RETRIES", "many");
    let path = file(&world, "c.toml", "lease_ms = 500\n");
    world.run(["config", "check", &path]).answered("");
    let told = world.run(["config", "check", "--config", &path]);
    assert_eq!(told.code(), 2, "{}", told.stderr);
    assert!(told.stderr.contains("TALLY_RETRIES: "), "{}", told.stderr);
    world.finish();
}

#[test]
fn a_check_tells_every_fault() {
    let world = World::new(BINARY);
    let could_not = "tally: could not read the configuration";
    let path = file(&world, "bad.toml", "workers = 0\nretires = 1\nmetrics_listen = \"0.0.0.0:80\"\n");
    let finished = world.run(["config", "check", &path]);
    assert_eq!((finished.code(), finished.stdout.as_str()), (2, ""));
    assert_eq!(
        finished.stderr,
        format!(
            "{could_not}: {path}:1:1: workers is 0; it can be auto, or 1 to 1024\n\
             {could_not}: {path}:2:1: unknown setting 'retires'; did you mean 'retries'?\n\
             {could_not}: {path}:3:1: metrics_listen is '0.0.0.0:80': it is not an address of this machine alone\n"
        )
    );
    let finished = world.run(["config", "check", "--json", &path]);
    let told = finished.json();
    assert_eq!(told["faults"].as_array().map(Vec::len), Some(3), "{told}");
    let absent = world.path().join("absent.toml");
    let finished = world.run(["config", "check", absent.to_str().expect("text")]);
    assert_eq!(finished.stderr, format!("{could_not}: {}: there is no such file\n", absent.display()));
    let good = file(&world, "good.toml", "workers = 2\n");
    world.run(["config", "check", &good]).answered("");
    world.run(["daemon", "--check", "--config", &good]).answered("");
    world.run(["config", "default"]).answered(include_str!("../config.toml"));
    world.finish();
}

/// `daemon --check` finds what `config check` finds, and says it in JSON as well.
#[test]
fn a_check_tells_all_there_is_to_tell() {
    let world = World::new(BINARY).with("TALLY_WORKRES", "3");
    let path = file(&world, "tally.toml", "workers = 1\n");
    let odd = "TALLY_WORKRES in the environment is no setting; did you mean 'TALLY_WORKERS'?";
    let told = world.run(["daemon", "--check", "--config", &path]);
    assert_eq!((told.code(), told.stdout.as_str()), (0, ""), "{}", told.stderr);
    assert_eq!(told.stderr, format!("tally: {odd}\n"));
    let json = |text: &str| -> Value { serde_json::from_str(text).expect("it is JSON") };
    let told = world.run(["daemon", "--check", "--config", &path, "--json"]);
    let view = json(&told.stdout);
    assert_eq!(told.stderr, "");
    assert_eq!(
        (told.code(), &view["schema"], &view["good"]),
        (0, &json!("tally.config-check/1"), &json!(true))
    );
    assert_eq!(view["warnings"], json!([odd]));
    file(&world, "tally.toml", "workers = 0\n");
    let told = world.run(["daemon", "--check", "--config", &path, "--json"]);
    let view = json(&told.stdout);
    // As every failure it is told on standard error, too.
    let error = json(&told.stderr);
    assert_eq!((&error["schema"], &error["error"]["exit"]), (&json!("tally.error/1"), &json!(2)));
    assert_eq!(
        (told.code(), &view["good"], &view["faults"][0]["place"]),
        (2, &json!(false), &json!(format!("{path}:1:1")))
    );
    // What a start refuses, too, and with the same words.
    for (flag, key) in [("--operator-groups", "operator_groups"), ("--socket-group", "socket_group")] {
        let why = format!("{key}: there is no group 'no-such-group-here'");
        let told = format!("tally: could not read the configuration: {why}");
        world.run(["daemon", "--check", flag, "no-such-group-here"]).failed(2, &told);
        world.ask(["daemon", "--foreground", flag, "no-such-group-here"]).failed(2, &told);
        assert!(!world.socket().exists());
    }
    // The faults of a file are listed by a check of that file.
    file(&world, "tally.toml", "workers = 0\nretires = 1\n");
    let more = format!("and one more fault; 'tally config check {path}' lists them");
    for command in [&["daemon", "--check", "--config"][..], &["config", "show", "--config"]] {
        let command = || command.iter().copied().chain([path.as_str()]);
        let told = world.run(command());
        assert_eq!((told.code(), told.stderr.lines().last()), (2, Some(format!("         {more}").as_str())));
        let told = world.run(command().chain(["--json"]));
        assert_eq!((told.code(), &json(&told.stderr)["error"]["hint"]), (2, &json!(more)));
    }
    world.finish();
}

/// What `tally help environment` names is no stranger; one letter less is.
#[test]
fn variables_that_are_no_settings_are_told_from_misspelt_ones() {
    let help = World::new(BINARY);
    let text = help.run(["help", "environment"]).stdout;
    help.finish();
    let letters = |c: char| c == '_' || c.is_ascii_uppercase();
    let names = text.split(|c| !letters(c)).filter(|word| word.len() > 6 && word.starts_with("TALLY_"));
    let names: Vec<&str> =
        names.filter(|name| !["TALLY_WORKERS", "TALLY_STATE_DIR"].contains(name)).collect();
    assert!(names.len() > 10, "{names:?}");
    let world = names.iter().fold(World::new(BINARY), |world, name| world.with(name, "1"));
    let told = world.run(["config", "check"]);
    assert_eq!((told.code(), told.stderr.as_str()), (0, ""), "{names:?}");
    world.finish();
    let world = World::new(BINARY).with("TALLY_WORKER", "3");
    let told = world.run(["config", "check", "--json"]);
    let told: Value = serde_json::from_str(&told.stdout).expect("it is JSON");
    let odd = "TALLY_WORKER in the environment is no setting; did you mean 'TALLY_WORKERS'?";
    assert_eq!(told["warnings"], json!([odd]));
    world.finish();
}

/// `tally reload` tells its client what the log tells, and `config show` what is in force.
#[test]
fn reload_and_show_ask_the_daemon() {
    let world = World::new(BINARY);
    let path = file(&world, "tally.toml", "workers = 1\n");
    let daemon = world.daemon(&["--config", &path, "--lease-ms", "3000"]);
    file(&world, "tally.toml", "\nworkers = 2\nmetrics_listen = \"127.0.0.1:0\"\nlease_ms = 500\n");
    let told = world.ask(["reload"]);
    assert_eq!((told.code(), told.stdout.as_str()), (0, ""), "{}", told.stderr);
    assert_eq!(told.stderr, "tally: workers 1 -> 2; needs a restart: metrics_listen none -> 127.0.0.1:0\n");
    let told = world.ask(["reload", "--json"]);
    let view = told.json();
    assert_eq!((&view["schema"], &view["changed"]), (&json!("tally.reload/1"), &json!([])), "{view}");
    assert_eq!(view["needs_restart"][0]["key"], "metrics_listen");

    let told = world.ask(["config", "show"]);
    let line = |key: &str| {
        let line = told.stdout.lines().find(|line| line.starts_with(&format!("{key} = ")));
        line.expect("the key is there").split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let first = format!("# in force in the daemon at {}", world.socket().display());
    assert_eq!(told.stdout.lines().next(), Some(first.as_str()));
    assert_eq!(line("workers"), format!("workers = 2 # {path}:2:1"));
    assert_eq!(line("lease_ms"), "lease_ms = 3000 # --lease-ms");
    assert_eq!(line("metrics_listen"), "metrics_listen = \"none\" # built-in", "it waits for a restart");

    file(&world, "tally.toml", "wrokers = 3\n");
    world.ask(["reload"]).failed(
        2,
        &format!(
            "tally: could not reload the configuration: {path}:1:1: unknown setting 'wrokers'; did you mean 'workers'?"
        ),
    );
    assert_eq!(slots(&mut daemon.client()), 2);
    daemon.stop();
    world.ask(["config", "show"]).failed(
        3,
        &format!("tally: could not reach the daemon at {}: nobody listens", world.socket().display()),
    );
    world.finish();
}
