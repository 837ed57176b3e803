//! Many small jobs by `tally batch`, against a command for each: `tally sum` at the same daemon, started by `xargs`, and
//! one that computes nothing.

use std::process::Command;

use tally_tests::World;

use crate::measure::{median, say, seconds};

const JOBS: usize = 20_000;
/// A command for each takes a few milliseconds.
const COMMANDS: usize = 400;
const ROUNDS: usize = 5;

pub(crate) fn small_jobs(binary: &str) {
    let world = World::new(binary);
    let daemon = world.daemon(&[]);
    let lines = |count: usize| (1..=count).map(|n| format!("sum 0..{n}\n")).collect::<String>();
    std::fs::write(world.path().join("jobs.txt"), lines(JOBS)).expect("a file can be written");
    std::fs::write(world.path().join("few.txt"), lines(COMMANDS)).expect("a file can be written");
    let per_s = |jobs: usize, script: &str| {
        let mut command: Command = world.script(script);
        command.env("TALLY_SOCKET", daemon.socket());
        let took = seconds(|| {
            let output = command.output().expect("it can be started");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        });
        jobs as f64 / took
    };
    let (mut batch, mut ordered, mut private, mut xargs, mut nothing) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        batch.push(per_s(JOBS, "\"$TALLY\" batch jobs.txt"));
        ordered.push(per_s(JOBS, "\"$TALLY\" batch jobs.txt --ordered"));
        private.push(per_s(JOBS, "\"$TALLY\" batch jobs.txt --local"));
        xargs.push(per_s(COMMANDS, "xargs -P 2 -L 1 \"$TALLY\" < few.txt"));
        nothing.push(per_s(COMMANDS, "xargs -P 2 -L 1 /bin/true < few.txt"));
    }
    for (name, rates) in
        [("batch", &mut batch), ("batch --ordered", &mut ordered), ("batch --local", &mut private)]
    {
        println!("{name}: {:.0} jobs/s", median(rates));
    }
    println!("xargs -P 2 tally sum: {:.0} jobs/s", median(&mut xargs));
    println!("xargs -P 2 true: {:.0} /s", median(&mut nothing));
    say("batch / xargs -P 2 tally sum", median(&mut batch) / median(&mut xargs), ">= 10");
    say("batch / xargs -P 2 true", median(&mut batch) / median(&mut nothing), ">= 5");
    daemon.stop();
    world.finish();
}
