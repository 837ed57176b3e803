//! Right sums: every end, number of workers and of partitions, transport, start method and mode.
#![forbid(unsafe_code)]

use serde_json::json;
use tally_tests::World;

const BINARY: &str = env!("CARGO_BIN_EXE_tally");
const TRANSPORTS: [&str; 5] = ["shm", "shm-named", "pipe", "mqueue", "channel"];
const STARTS: [&str; 3] = ["forkserver", "spawn", "fork"];

/// The sum of 0..end, by the schoolboy's formula that the workers must not use.
fn triangle(end: u64) -> String {
    let end = u128::from(end);
    (end * end.saturating_sub(1) / 2).to_string()
}

#[test]
fn the_readmes_first_command() {
    let world = World::new(BINARY);
    world.run(["sum", "0..100000000"]).answered("4999999950000000\n");
    world.finish();
}

/// One daemon for each transport; jobs with every number of workers from 1 to 16.
fn every_cut(transport: &str) {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "16", "--transport", transport]);
    let mut client = daemon.client();
    for end in [0, 1, 2, 7, 10, 8_000_000] {
        for workers in 1..=16 {
            for partitions in [Some(1), Some(2), Some(3), Some(12), Some(1000), None] {
                let request = json!({
                    "reductions": ["sum", "count"],
                    "sources": [format!("0..{end}")],
                    "workers": workers,
                    "partitions": partitions,
                });
                let job = client.submit(&request, false);
                let what =
                    format!("{transport}: 0..{end}, {workers} workers, {partitions:?} partitions: {job}");
                assert_eq!(job["results"][0]["value"], json!(triangle(end)), "{what}");
                assert_eq!(job["results"][1]["value"], json!(end.to_string()), "{what}");
                assert_eq!((&job["retries"], &job["late"]), (&json!(0), &json!(0)), "{what}");
                if let Some(partitions) = partitions {
                    assert_eq!(job["partitions"]["done"], json!(partitions.min(end)), "{what}");
                }
            }
        }
    }
    daemon.stop();
    world.finish();
}

#[test]
fn every_cut_over_shm() {
    every_cut("shm");
}

#[test]
fn every_cut_over_shm_named() {
    every_cut("shm-named");
}

#[test]
fn every_cut_over_pipe() {
    every_cut("pipe");
}

#[test]
fn every_cut_over_mqueue() {
    every_cut("mqueue");
}

#[test]
fn every_cut_over_channel() {
    every_cut("channel");
}

#[test]
fn every_start_method_on_every_transport() {
    let world = World::new(BINARY);
    for transport in TRANSPORTS {
        for start in STARTS {
            let arguments =
                ["sum", "0..1e7", "--workers", "3", "--transport", transport, "--start", start, "--json"];
            let finished = world.run(arguments);
            assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""), "{transport} {start}");
            let answer = finished.json();
            assert_eq!(answer["results"][0]["value"], json!(triangle(10_000_000)), "{transport} {start}");
            assert_eq!(
                (answer["transport"].as_str(), answer["mode"].as_str()),
                (Some(transport), Some("processes"))
            );
        }
    }
    world.finish();
}

#[test]
fn a_billion_in_every_mode() {
    let world = World::new(BINARY);
    for mode in ["processes", "threads", "inline"] {
        world.run(["sum", "0..1e9", "--mode", mode]).answered(&format!("{}\n", triangle(1_000_000_000)));
    }
    world.finish();
}

#[test]
fn odd_ranges() {
    let world = World::new(BINARY);
    let cases = [
        (vec!["sum", "-5..5"], "-5\n"),
        (vec!["sum", "-10..=-1"], "-55\n"),
        (vec!["sum", "5..5"], "0\n"),
        (vec!["sum", "9..3"], "0\n"),
        (vec!["sum", "0..10", "--step", "3"], "18\n"),
        (vec!["sum", "10..0", "--step", "-4"], "18\n"),
        (vec!["sum", "0..3", "10..12"], "24\n"),
        // Across both ends of i64, of i128, and far beyond.
        (vec!["sum", "9223372036854775805..9223372036854775811"], "55340232221128654845\n"),
        (vec!["sum", "-9223372036854775811..-9223372036854775805"], "-55340232221128654851\n"),
        (vec!["sum", "2**127-1..2**127"], ""),
        (vec!["min", "2**127..2**127+1"], ""),
        (vec!["sum", "1e40..=1e40"], "10000000000000000000000000000000000000000\n"),
        (vec!["max", "-7..8"], "7\n"),
        (vec!["min", "-7..8"], "-7\n"),
        (vec!["count", "-7..8"], "15\n"),
        (vec!["product", "1..=20"], "2432902008176640000\n"),
        (vec!["factorial", "25"], "15511210043330985984000000\n"),
        (vec!["mean", "1..=4"], "2.5\n"),
        (vec!["variance", "1..=4"], "1.6666666666666667\n"),
        (vec!["variance", "1..=4", "--population"], "1.25\n"),
        (vec!["reduce", "sum,min,max", "0..10"], "sum\t45\nmin\t0\nmax\t9\n"),
    ];
    for (arguments, answer) in cases {
        if answer.is_empty() {
            // Arithmetic in an end is not a number.
            assert_eq!(world.run(&arguments).code(), 2, "{arguments:?}");
        } else {
            let finished = world.run(&arguments);
            assert_eq!(
                (finished.code(), finished.stdout.as_str()),
                (0, answer),
                "{arguments:?}: {}",
                finished.stderr
            );
        }
    }
    world.finish();
}

#[test]
fn answers_are_the_same_in_every_mode() {
    let world = World::new(BINARY);
    for mode in ["processes", "threads", "inline"] {
        let arguments =
            ["reduce", "sum,product,min,max,count,mean,variance,stddev", "-3..12", "--mode", mode];
        let finished = world.run(arguments);
        let expected = "sum\t60\nproduct\t0\nmin\t-3\nmax\t11\ncount\t15\nmean\t4.0\nvariance\t20.0\nstddev\t4.47213595499958\n";
        finished.answered(expected);
    }
    world.finish();
}

/// A partial of some hundred kilobytes: in pieces on every transport.
#[test]
fn a_big_product_on_every_transport() {
    let world = World::new(BINARY);
    let expected = world.run(["factorial", "50000", "--mode", "inline"]).stdout;
    assert_eq!(expected.trim_end().len(), 213_237);
    for transport in TRANSPORTS {
        let finished = world.run(["factorial", "50000", "--partitions", "3", "--transport", transport]);
        assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""), "{transport}");
        assert!(finished.stdout == expected, "{transport}: another answer");
    }
    world.finish();
}

/// However the work is shared, the first element without an answer is told; what it says has its keys in JSON.
#[test]
fn the_first_element_without_an_answer_is_told() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "4"]);
    for partitions in ["3", "10", "10", "10", "10", "10"] {
        for mode in ["processes", "threads", "inline"] {
            let words = ["sum", "0..10", "--of", "i/0.0", "--partitions", partitions, "--mode", mode];
            let finished = world.ask(words);
            let line = finished.stderr.lines().next().unwrap_or("");
            assert!(
                line.starts_with("tally: could not compute 'i/0.0': division by zero at i = 0"),
                "{line}"
            );
            assert_eq!(finished.code(), 1);
        }
    }
    let words = ["sum", "-500000..5", "--of", "1/(i+1)", "--partitions", "100", "--json"];
    let told = world.ask(words).json();
    let error = &told["error"];
    assert!(error["message"].as_str().is_some_and(|text| text.contains("at i = -1")), "{error}");
    assert_eq!(error["place"], json!("    1/(i+1)\n    ^^^^^^^"));
    assert_eq!(error["hint"], json!("guard it, for example `if(d != 0, n // d, 0)`"));
    daemon.stop();
    world.finish();
}

#[test]
fn elements_are_those_that_were_folded() {
    let world = World::new(BINARY);
    for mode in ["processes", "threads"] {
        for (words, elements) in [
            (&["--where", "i > 3"][..], "6"),
            (&["--of", "1/(i-3)", "--on-bad", "skip", "-q"], "9"),
            (&[], "10"),
        ] {
            let told = world.run(["sum", "0..10", "--json", "--mode", mode].iter().chain(words));
            let told = told.json();
            assert_eq!(told["elements"], json!(elements), "{words:?}");
        }
    }
    world.finish();
}

#[test]
fn a_tie_between_two_short_texts_is_even() {
    let world = World::new(BINARY);
    world.run(["sum", "0..1", "--of", "1561718438586572.25"]).answered("1561718438586572.2\n");
    world.finish();
}
