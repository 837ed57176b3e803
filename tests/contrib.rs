//! What is in `contrib` names only metrics that a daemon has.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;

use serde_json::Value;
use tally_tests::World;

const BINARY: &str = env!("CARGO_BIN_EXE_tally");
const DASHBOARD: &str = include_str!("../contrib/grafana/tally.json");
const ALERTS: &str = include_str!("../contrib/prometheus/alerts.yml");

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
    for panel in panels {
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        assert!(ids.insert(panel["id"].as_u64()), "the number of {} is taken", panel["title"]);
        let at = &panel["gridPos"];
        assert!(
            at["x"].as_u64().expect("a number") + at["w"].as_u64().expect("a number") <= 24,
            "{}",
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
