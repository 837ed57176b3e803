//! What lines mean, where they are computed, and what is refused before anything starts.

use std::ffi::OsString;

use super::*;
use crate::args;

fn meant_in(line: &str, around: &Surroundings) -> Result<Verb, Failure> {
    let words = std::iter::once("tally").chain(line.split_whitespace()).map(OsString::from);
    understand(args::parse(words.collect()).unwrap(), around)
}

/// What a line means where nothing is set.
pub(crate) fn meant(line: &str) -> Result<Verb, Failure> {
    meant_in(line, &Surroundings::default())
}

fn plan_of(line: &str) -> Plan {
    match meant_in(line, &Surroundings::default()) {
        Ok(Verb::Reduce(plan)) => *plan,
        other => panic!("{line}: {other:?}"),
    }
}

fn refused(line: &str) -> String {
    let failure = meant_in(line, &Surroundings::default()).unwrap_err();
    assert_eq!(failure.exit, 2, "{line}");
    failure.message + &failure.hint.map(|hint| format!(" | {hint}")).unwrap_or_default()
}

#[test]
fn words_of_an_expression_are_told_from_files() {
    const QUOTED: &str = " | an expression of several words stands in quotes: --of '";
    for line in [
        "sum Cargo.toml --of price * qty",
        "sum Cargo.toml --of price > 2",
        "sum 0..10 --of i + 1",
        "sum --of odd name Cargo.toml",
    ] {
        assert!(refused(line).contains(QUOTED), "{line}: {}", refused(line));
    }
    let both = refused("sum Cargo.toml --of qty --where region == \"north\"");
    assert!(both.ends_with("stands in quotes: --of 'qty ...', --where 'region ...'"), "{both}");
    for line in ["sum nowhere --of price", "sum Cargo.toml nowhere", "sum Cargo.toml no.csv --of price"] {
        assert!(!refused(line).contains("quotes"), "{line}: {}", refused(line));
    }
}

#[test]
fn reductions_become_requests() {
    let plan = plan_of("sum -5..5 10..=12 --step 2 --partitions 9 --timeout 2s --verbose");
    let expected = JobRequest {
        reductions: vec!["sum".into()],
        sources: vec!["-5..5".into(), "10..=12".into()],
        step: Some("2".into()),
        partitions: Some(9),
        timeout_ms: Some(2_000),
        breakdown: true,
        ..JobRequest::default()
    };
    assert_eq!(plan.spec.request, expected);
    assert_eq!((plan.spec.elements, plan.names), (7, false));
    let plan = plan_of("reduce sum,max 0..3 --partitions auto");
    assert_eq!(plan.spec.request.reductions, ["sum", "max"]);
    assert_eq!((plan.spec.request.partitions, plan.names), (None, true));
}

#[test]
fn a_factorial_is_a_product() {
    let plan = plan_of("factorial 20");
    assert_eq!(plan.spec.request.reductions, ["product"]);
    assert_eq!(plan.spec.request.sources, ["1..=20"]);
    assert_eq!(plan_of("factorial 0").spec.elements, 0);
    assert_eq!(plan_of("factorial 1e3").spec.elements, 1_000);
    assert_eq!(refused("factorial -5"), "could not compute the factorial of '-5': it is negative");
    assert_eq!(refused("factorial 2.5"), "could not compute the factorial of '2.5': it is not an integer");
    assert!(refused("factorial 5 --step 2").contains("--step"));
}

#[test]
fn the_place_follows_from_the_options() {
    let named = Surroundings::with(&[("TALLY_SOCKET", "/s")]);
    let place = |line: &str, around: &Surroundings| match meant_in(line, around) {
        Ok(Verb::Reduce(plan)) => plan.place,
        other => panic!("{line}: {other:?}"),
    };
    let here = Surroundings::with(&[("XDG_RUNTIME_DIR", "/run/user/7")]);
    let default = Reach { socket: Some("/run/user/7/tally/tally.sock".into()), named: false };
    let at_s = Reach { socket: Some("/s".into()), named: true };
    let two = PrivateOptions { workers: Some(2), ..PrivateOptions::default() };
    assert_eq!(place("sum 0..1", &here), Place::DaemonOrPrivate(default.clone(), PrivateOptions::default()));
    assert_eq!(place("sum 0..1 --workers 2 --local", &named), Place::Private(two));
    assert_eq!(place("sum 0..1", &named), Place::Daemon(at_s.clone()));
    assert_eq!(place("sum 0..1 --socket /s", &here), Place::Daemon(at_s));
    assert_eq!(place("sum 0..1 --detach", &here), Place::Daemon(default));
    assert_eq!(place("sum 0..1 --mode inline", &named), Place::Here(FoldMode::Inline));
    assert_eq!(place("sum 0..1 --mode threads --workers 3", &named), Place::Here(FoldMode::Threads(3)));
    assert!(matches!(place("sum 0..1 --mode threads", &named), Place::Here(FoldMode::Threads(1..))));
}

#[test]
fn what_cannot_be_is_refused_before_anything_starts() {
    let hint = "no such file or directory | a range looks like 0..100 or 1..=100";
    for source in ["a.csv", "5", "x..y", "-5"] {
        assert_eq!(refused(&format!("sum {source}")), format!("could not open {source}: {hint}"));
    }
    let nothing = "could not find files for no-such-*.txt: none matches";
    assert_eq!(refused("sum no-such-*.txt"), nothing);
    for (line, expected) in [
        ("sum 0..x", "could not read the range '0..x': 'x' is not an integer"),
        (
            "sum 0..",
            "could not read the range '0..': one end is missing | a range has both ends: 0..100, or 0..=100 with the last",
        ),
        (
            "sum 0...5",
            "could not read the range '0...5': two dots stand between the ends, and '=' after them takes in the last",
        ),
        ("sum 0..1e30", "could not read the range '0..1e30': it has more than 2^64-1 elements"),
        ("sum 0..1 --detach --local", "could not detach the job: --local never uses a daemon"),
        (
            "sum 0..1 --detach --mode inline",
            "could not detach the job: --mode inline computes in this very process",
        ),
        (
            "sum 0..1 --memory-limit 1G --mode threads",
            "could not limit the memory: --mode threads has no worker processes",
        ),
        (
            "reduce sum,maen 0..1",
            "could not reduce by 'maen': no such reduction; did you mean 'mean'? | there are sum, product, min, max, count, mean, variance, stddev",
        ),
        (
            "reduce sum,,max 0..1",
            "could not reduce by '': no such reduction | there are sum, product, min, max, count, mean, variance, stddev",
        ),
    ] {
        assert_eq!(refused(line), expected, "{line}");
    }
}

#[test]
fn questions_go_to_the_daemon() {
    let around = Surroundings::with(&[("TALLY_SOCKET", "/s")]);
    let reach = Reach { socket: Some("/s".into()), named: true };
    assert_eq!(
        meant_in("jobs --all", &around),
        Ok(Verb::Ask(reach.clone(), Ask::Jobs(lists::Jobs { all: true, ..lists::Jobs::default() })))
    );
    let follow = Ask::Follow(JobId(3), ProgressWhen::Auto);
    assert_eq!(meant_in("follow j3", &around), Ok(Verb::Ask(reach, follow)));
}

#[test]
fn the_daemon_gets_its_socket_and_its_default() {
    let around = Surroundings::with(&[("TALLY_SOCKET", "/v"), ("XDG_RUNTIME_DIR", "/r")]);
    let expected = DaemonOptions {
        socket: Some("/v".into()),
        default_socket: Some("/r/tally/tally.sock".into()),
        settings: vec![("workers".into(), "2".into())],
        ..DaemonOptions::default()
    };
    assert_eq!(meant_in("daemon --workers 2", &around), Ok(Verb::Daemon(expected)));
}
