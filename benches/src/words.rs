//! How soon a word is there: the version, a help, the completion of a line. Each is a whole process.

use std::process::Command;

use tally_tests::World;

use crate::measure::{median, say, seconds};

const RUNS: usize = 200;
/// What a person does not notice, in milliseconds.
const GOAL_MS: f64 = 5.0;

/// A name, the words of the command, and whether it is a line to be completed.
const CASES: [(&str, &[&str], bool); 7] = [
    ("tally --version", &["--version"], false),
    ("tally -h", &["-h"], false),
    ("tally --help", &["--help"], false),
    ("tally sum --help", &["sum", "--help"], false),
    ("completion of 'tally su'", &["--", "tally", "su"], true),
    ("completion of 'tally sum --of pri'", &["--", "tally", "sum", "sales.csv", "--of", "pri"], true),
    ("completion of 'tally show j' without a daemon", &["--", "tally", "show", "j"], true),
];

pub(crate) fn texts(binary: &str) {
    let world = World::new(binary);
    std::fs::write(world.path().join("sales.csv"), "region,price\nnorth,1\n").expect("a file of ours");
    let run = |mut command: Command| {
        seconds(|| {
            let output = command.output().expect("it can be started");
            assert!(output.status.success());
        })
    };
    for (name, words, completes) in CASES {
        let (mut ours, mut nothing) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            let mut command = world.command(words);
            if completes {
                let index = (words.len() - 2).to_string();
                command.env("TALLY_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", index);
            }
            ours.push(run(command));
            nothing.push(run(Command::new("/bin/true")));
        }
        let (ours, nothing) = (median(&mut ours), median(&mut nothing));
        println!("{name} {:.2} ms, /bin/true {:.2} ms", ours * 1e3, nothing * 1e3);
        say(name, ours * 1e3 / GOAL_MS, "<= 1, of 5 ms");
    }
    world.finish();
}
