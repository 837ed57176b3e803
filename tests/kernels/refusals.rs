//! What cannot be, or cannot be run, is refused, and named.

use super::*;

#[test]
fn what_cannot_be_is_refused_before_anything_runs() {
    let world = World::new(BINARY);
    let line = |arguments: &[&str]| {
        let all = arguments.iter().chain(&["--command", "./k"]).copied();
        let finished = world.run(all);
        assert_eq!(finished.code(), 2, "{}", finished.stderr);
        finished.stderr.lines().next().unwrap_or("").to_owned()
    };
    assert!(line(&["variance", "0..9"]).contains("variances of parts do not add up"));
    assert!(line(&["sum", "0..9", "--mode", "inline"]).contains("--mode inline has no worker processes"));
    assert!(line(&["sum", "0..9", "--mode", "threads"]).contains("--mode threads has no worker processes"));
    assert!(line(&["sum", "0..9", "--of", "i"]).contains("could not use --of with a command"));
    assert!(line(&["sum", "0..9", "20..30"]).contains("it is told of one range"));
    assert!(line(&["sum", "0..9", "--step", "2"]).contains("--step"));
    assert_eq!(world.run(["sum", "0..9", "--max-files", "20"]).code(), 2);
    assert!(
        line(&["sum", "0..9", "--cpu-limit", "500ms"]).contains("500 ms: --cpu-limit is in whole seconds")
    );
    assert!(line(&["sum", "0..9", "--cpus", "0,1023"]).contains("on processor 1023: there is none"));
    assert!(line(&["sum", "0..9", "--accept-status", "0,1"]).contains("says nothing of a partition"));
    world.finish();
}

#[test]
fn a_command_that_cannot_be_run_fails_its_job_at_once() {
    let world = World::new(BINARY);
    run(&world, &["sum", "0..100"], "./none")
        .failed(1, "tally: could not run './none': there is no such program");
    run(&world, &["sum", "0..100"], "no-such-kernel {start}")
        .failed(1, "tally: could not run 'no-such-kernel': there is no such program");
    fs::write(world.path().join("plain"), "text").expect("a file can be written");
    let refused = run(&world, &["sum", "0..100"], "./plain");
    refused.failed(1, "tally: could not run './plain': it is not executable");
    assert!(refused.stderr.contains("chmod +x ./plain"), "{}", refused.stderr);
    let lost = run(&world, &["sum", "0..100", "--chdir", "/no/such/place"], LIVES_ON);
    lost.failed(1, "tally: could not run the command in /no/such/place: no such file or directory");
    // What only its shell looks for.
    let piped = run(&world, &["sum", "0..100"], "no-such-kernel | cat; exit 127");
    assert!(piped.stderr.contains("found no program to run"), "{}", piped.stderr);
    world.finish();
}

#[test]
fn a_directory_that_may_not_be_searched_is_named() {
    let world = World::new(BINARY);
    let hidden = world.path().join("hidden");
    fs::create_dir(&hidden).expect("a directory can be made");
    fs::set_permissions(&hidden, fs::Permissions::from_mode(0o000)).expect("it is this test's own");
    if fs::read_dir(&hidden).is_ok() {
        println!("skipped: root may search any directory");
        return world.finish();
    }
    let path = format!("PATH={}:/usr/bin:/bin", hidden.display());
    let first = format!(
        "tally: could not run 'no-such-kernel': permission to search {} is missing",
        hidden.display()
    );
    run(&world, &["sum", "0..9", "--env", &path], "no-such-kernel {start}").failed(1, &first);
    world.finish();
}
