//! A whole command with a private supervisor, against a program that does nothing.

use std::process::Command;

use tally_tests::World;

use crate::measure::{median, say, seconds};

const RUNS: usize = 200;

pub(crate) fn warm_start(binary: &str) {
    let world = World::new(binary);
    let run = |mut command: Command| {
        seconds(|| {
            let output = command.output().expect("it can be started");
            assert!(output.status.success());
        })
    };
    let (mut ours, mut nothing) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        ours.push(run(world.command(["sum", "0..1"])));
        nothing.push(run(Command::new("/bin/true")));
    }
    let (ours, nothing) = (median(&mut ours), median(&mut nothing));
    println!("tally sum 0..1 {:.2} ms, /bin/true {:.2} ms", ours * 1e3, nothing * 1e3);
    say("warm start, tally sum 0..1 / true", ours / nothing, "<= 5");
    world.finish();
}
