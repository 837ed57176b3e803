//! What is no text: the environment of a command has any bytes; a name that is no UTF-8 works or is refused in one line.
#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use tally_tests::{Finished, Running, World};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");
/// A name, or a value, that is no UTF-8.
const ODD: &[u8] = b"b\xffd";

/// A command in this directory with more words and variables, all of any bytes.
fn run(world: &World, directory: &Path, words: &[&OsStr], variables: &[(&OsStr, &OsStr)]) -> Finished {
    let mut command = world.command(words);
    command.current_dir(directory).envs(variables.iter().copied()).env("TALLY_SOCKET", world.socket());
    Running::start(command).finish()
}

fn words(text: &str) -> Vec<&OsStr> {
    text.split(' ').map(OsStr::new).collect()
}

fn one_line(finished: &Finished, parts: &[&str]) {
    assert_eq!((finished.code(), finished.stdout.as_str()), (2, ""), "{}", finished.stderr);
    let line = finished.stderr.lines().next().unwrap_or("");
    assert!(line.starts_with("tally: could not ") && parts.iter().all(|part| line.contains(part)), "{line}");
}

#[test]
fn a_command_has_the_environment_of_its_submitter_byte_for_byte() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let script = "test \"$ODD\" = \"$(printf 'b\\377d')\" && test \"$PLAIN\" = plain && echo 7\n";
    fs::write(world.path().join("k.sh"), script).expect("a file of ours");
    let there = [(OsStr::new("ODD"), OsStr::from_bytes(ODD)), (OsStr::new("PLAIN"), OsStr::new("plain"))];
    let kernel = OsStr::new("sh k.sh {start}");
    let each = [&words("sum 0..1 --command")[..], &[kernel]].concat();
    run(&world, world.path(), &each, &there).answered("7\n");
    // What is given beside it counts more.
    let given = [&each[..], &words("--env ODD=x")].concat();
    assert_eq!(run(&world, world.path(), &given, &there).code(), 1);
    let detached = [&each[..], &[OsStr::new("--detach")]].concat();
    run(&world, world.path(), &detached, &there).answered("j3\n");
    run(&world, world.path(), &words("wait j3"), &[]).answered("");
    run(&world, world.path(), &words("result j3"), &[]).answered("7\n");
    daemon.stop();
    world.finish();
}

#[test]
fn names_that_are_no_text_work_or_are_refused_in_one_line() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let odd = OsStr::from_bytes(ODD);
    let directory = world.path().join(odd);
    fs::create_dir(&directory).expect("a directory of ours");
    fs::write(directory.join("plain.csv"), "n\n1\n2\n").expect("a file of ours");
    let file: OsString = [ODD, b".csv"].iter().map(|part| OsStr::from_bytes(part)).collect();
    fs::write(world.path().join(&file), "n\n5\n").expect("a file of ours");

    // A source, a command, a directory of one that are named.
    one_line(&run(&world, world.path(), &[OsStr::new("sum"), &file], &[]), &["not UTF-8 text"]);
    let command = [&words("sum 0..1 --command")[..], &[odd]].concat();
    one_line(&run(&world, world.path(), &command, &[]), &["not UTF-8 text"]);
    let chdir = [&words("sum 0..1 --command ./k --chdir")[..], &[odd]].concat();
    one_line(&run(&world, world.path(), &chdir, &[]), &["run the command in ", "its name is no text"]);
    // One that a pattern finds.
    fs::write(world.path().join("a.csv"), "n\n6\n").expect("a file of ours");
    for pattern in ["*.csv", "./?*.csv", "b*"] {
        let found = run(&world, world.path(), &[OsStr::new("sum"), OsStr::new(pattern)], &[]);
        one_line(&found, &["could not find files for ", pattern, ": the name of '", "is not UTF-8 text"]);
    }
    run(&world, world.path(), &words("sum a*"), &[]).answered("6\n");

    // A directory that one is in: sources are found from there, and a command is refused.
    run(&world, &directory, &words("sum plain.csv"), &[]).answered("3\n");
    run(&world, &directory, &words("sum plain.csv --local --mode inline"), &[]).answered("3\n");
    let there = run(&world, &directory, &words("sum 0..1 --command true"), &[]);
    one_line(&there, &["run the command in ", "its name is no text"]);
    // What is only opened may have any name.
    let listed = world.script("printf 'sum 0..3\\n' > \"$(printf 'b\\377d')/jobs\"").status();
    assert!(listed.is_ok_and(|status| status.success()));
    let jobs: OsString = [ODD, b"/jobs"].iter().map(|part| OsStr::from_bytes(part)).collect();
    run(&world, world.path(), &[OsStr::new("batch"), &jobs], &[]).answered("1\t3\n");
    daemon.stop();
    world.finish();
}
