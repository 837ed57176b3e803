//! What is in `contrib` names only metrics that a daemon has, and Prometheus and Grafana can read it.
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "a test that is left out says so")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tally_tests::World;

const BINARY: &str = env!("CARGO_BIN_EXE_tally");
const DASHBOARD: &str = include_str!("../contrib/grafana/tally.json");
const ALERTS: &str = include_str!("../contrib/prometheus/alerts.yml");
const STORIES: &str = include_str!("../contrib/prometheus/alerts_test.yml");

/// Names of samples in an expression: words that begin as ours do.
fn names(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words
        .filter(|word| word.starts_with("tally_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

/// Every sample that a daemon gives, with the labels it may have.
fn samples() -> (BTreeSet<String>, String) {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let text = world.ask(["metrics"]).stdout;
    daemon.stop();
    world.finish();
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let names = samples.filter_map(|line| line.split(['{', ' ']).next()).map(str::to_owned).collect();
    (names, text)
}

/// All texts under this key, wherever they are.
fn texts<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| match value {
            Value::String(text) if name == key => found.push(text),
            value => texts(value, key, found),
        }),
        Value::Array(values) => values.iter().for_each(|value| texts(value, key, found)),
        _ => {}
    }
}

#[test]
fn every_metric_that_is_named_exists_and_every_one_of_ours_is_shown() {
    let (samples, text) = samples();
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("it is JSON");
    let mut expressions = Vec::new();
    texts(&dashboard, "expr", &mut expressions);
    assert!(expressions.len() > 20, "the expressions are found");
    texts(&dashboard, "query", &mut expressions);
    let mut named = BTreeSet::new();
    for expression in &expressions {
        named.extend(names(expression));
    }
    let alerts = names(ALERTS);
    for name in named.iter().chain(&alerts) {
        assert!(samples.contains(name), "{name} is named, and no daemon has it");
    }
    // A metric that nobody looks at may as well not be there; these two stand behind others.
    for family in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()) {
        let shown = named.iter().chain(&alerts).any(|name| name.starts_with(family));
        let behind = ["tally_jobs_ended", "tally_jobs_submitted", "tally_partitions", "tally_locks_granted"];
        assert!(shown || behind.contains(&family), "{family} is neither shown nor watched");
    }
    // States are labels: a state that does not exist is never seen.
    for expression in expressions.iter().copied().chain(ALERTS.lines()) {
        let Some((_, states)) =
            expression.split_once("state=").map(|(before, rest)| (before, rest.trim_start_matches('~')))
        else {
            continue;
        };
        for state in states.trim_start_matches(['\\', '"']).split(['"', '\\']).next().unwrap_or("").split('|')
        {
            assert!(
                text.contains(&format!("state=\"{state}\"")),
                "{expression}: there is no state '{state}'"
            );
        }
    }
}

#[test]
fn the_dashboard_can_be_imported_anywhere() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("it is JSON");
    assert!(dashboard["schemaVersion"].is_u64() && dashboard.get("spec").is_none(), "the classic schema");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut ids = BTreeSet::new();
    let mut taken: BTreeSet<(u64, u64)> = BTreeSet::new();
    for panel in panels {
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        assert!(ids.insert(panel["id"].as_u64()), "the number of {} is taken", panel["title"]);
        let at = &panel["gridPos"];
        assert!(
            at["x"].as_u64().expect("a number") + at["w"].as_u64().expect("a number") <= 24,
            "{}",
            panel["title"]
        );
        let number = |key: &str| at[key].as_u64().expect("a number");
        for x in number("x")..number("x") + number("w") {
            for y in number("y")..number("y") + number("h") {
                assert!(taken.insert((x, y)), "{} lies over another", panel["title"]);
            }
        }
        let kinds = ["row", "stat", "timeseries", "text", "table", "gauge"];
        assert!(kinds.contains(&panel["type"].as_str().expect("a kind")), "{panel}");
        let targets = panel["targets"].as_array().map_or(&[][..], Vec::as_slice);
        let names: BTreeSet<Option<&str>> = targets.iter().map(|target| target["refId"].as_str()).collect();
        assert!(
            names.len() == targets.len() && !names.contains(&None),
            "{}: each question has a name",
            panel["title"]
        );
    }
}

/// Without a reader of YAML: each rule has its parts, indented as the format wants.
#[test]
fn every_alert_says_how_bad_it_is_and_what_to_do() {
    let rules: Vec<&str> = ALERTS.split("      - alert: ").skip(1).collect();
    assert!(rules.len() >= 8, "the rules are found");
    for rule in rules {
        let name = rule.lines().next().unwrap_or_default();
        for part in [
            "\n        expr: ",
            "\n          severity: ",
            "\n          summary: \"",
            "\n          description: \"",
        ] {
            assert_eq!(rule.matches(part).count(), 1, "{name}: {part}");
        }
        assert!(!rule.contains('\t'), "{name} has a tab");
    }
}

/// Prometheus' own reader of rules and expressions; `None`, told aloud, where there is none. `.ci/run` brings it.
fn promtool() -> Option<PathBuf> {
    let found = ["/usr/bin/promtool", "/usr/local/bin/promtool"].map(PathBuf::from);
    let found = found.into_iter().find(|path| path.exists());
    if found.is_none() {
        eprintln!("SKIPPED: there is no promtool to read rules and expressions");
    }
    found
}

fn must(promtool: &Path, arguments: &[&str]) -> String {
    let output = Command::new(promtool).args(arguments).output().expect("it runs");
    let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool {arguments:?}: {told}");
    told.into_owned()
}

/// Each rule speaks when it should and says what it should, and keeps quiet beside it.
#[test]
fn the_alerts_are_those_of_their_stories() {
    let rules = ALERTS.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    for rule in rules {
        assert!(STORIES.contains(&format!("alertname: {rule}\n        exp_alerts:")), "{rule} never speaks");
    }
    let Some(promtool) = promtool() else { return };
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/prometheus/");
    must(&promtool, &["check", "rules", "--lint-fatal", &format!("{folder}alerts.yml")]);
    must(&promtool, &["test", "rules", &format!("{folder}alerts_test.yml")]);
}

/// As the dashboard asks them, once Grafana has put in what it puts in.
#[test]
fn the_expressions_of_the_dashboard_can_be_read() {
    let Some(promtool) = promtool() else { return };
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("it is JSON");
    let mut expressions = Vec::new();
    texts(&dashboard, "expr", &mut expressions);
    // JSON is YAML.
    let rules: Vec<Value> = (0..)
        .zip(&expressions)
        .map(|(number, expression)| {
            let expression = expression.replace("$__rate_interval", "1m").replace("$instance", "a|b");
            assert!(!expression.contains('$'), "{expression}: nobody puts that in");
            serde_json::json!({"record": format!("tally:panel{number}"), "expr": expression})
        })
        .collect();
    let world = World::new(BINARY);
    let path = world.path().join("panels.yml");
    let file = serde_json::json!({"groups": [{"name": "panels", "rules": rules}]});
    fs::write(&path, file.to_string()).expect("a file of the test's own");
    let told = must(&promtool, &["check", "rules", path.to_str().expect("text")]);
    assert!(told.contains(&format!("{} rules found", expressions.len())), "{told}");
    world.finish();
}
