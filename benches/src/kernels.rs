//! A process that does nothing for each partition, against what starts one for each line: `xargs` and GNU parallel.

use tally_tests::World;

use crate::measure::{median, say, seconds};

/// For the fast ones, and for GNU parallel, which takes milliseconds for each.
const JOBS: [usize; 2] = [4_000, 400];
const ROUNDS: usize = 5;

pub(crate) fn a_process_for_each(binary: &str) {
    let world = World::new(binary);
    let per_s = |jobs: usize, script: &str| {
        let took = seconds(|| {
            let output = world.script(&format!("N={jobs}; {script}")).output().expect("it can be started");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        });
        jobs as f64 / took
    };
    let there = world.script("parallel --version").output().is_ok_and(|output| output.status.success());
    let (mut own, mut xargs, mut parallel) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        own.push(per_s(
            JOBS[0],
            "\"$TALLY\" sum 0..$N --local --workers 2 --partitions $N --command '/bin/echo {start}'",
        ));
        xargs.push(per_s(JOBS[0], "seq $N | xargs -P 2 -I {} /bin/echo {}"));
        if there {
            parallel.push(per_s(JOBS[1], "seq $N | parallel -j 2 /bin/echo {}"));
        }
    }
    println!("tally --command: {:.0} jobs/s", median(&mut own));
    println!("xargs -P 2: {:.0} jobs/s", median(&mut xargs));
    say("command / xargs -P 2", median(&mut own) / median(&mut xargs), ">= 3");
    if there {
        println!("parallel -j 2: {:.0} jobs/s", median(&mut parallel));
        say("command / parallel -j 2", median(&mut own) / median(&mut parallel), ">= 5");
    } else {
        println!("skipped: there is no GNU parallel");
    }
    // Where it keeps what it has counted of processors.
    let swept = world.script("rm -rf \"$HOME/.parallel\"").status().expect("it can be started");
    assert!(swept.success(), "{swept}");
    world.finish();
}
