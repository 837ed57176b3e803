//! The manual from the program itself: listed, shown, installed, and asked for by a wrong name.
#![forbid(unsafe_code)]

use std::fs;

use tally_tests::{Running, World};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

#[test]
fn pages_are_listed_and_their_source_goes_into_a_pipe() {
    let world = World::new(BINARY);
    let listed = world.run(["man"]);
    assert_eq!((listed.code(), listed.stderr.as_str()), (0, ""));
    for name in ["tally(1)", "tally-sum(1)", "tally-daemon(8)", "tally.toml(5)", "tally-expressions(7)"] {
        assert!(listed.stdout.lines().any(|line| line.starts_with(&format!("{name} "))), "{name}");
    }
    for word in ["sum", "tally-sum", "tally-sum.1"] {
        let shown = world.run(["man", word]);
        assert_eq!((shown.code(), shown.stderr.as_str()), (0, ""));
        assert!(shown.stdout.starts_with(".TH \"TALLY\\-SUM\" \"1\""), "{}", shown.stdout);
    }
    assert!(world.run(["man", "tally.toml"]).stdout.contains("BUILT\\-IN SETTINGS"));
    world.finish();
}

#[test]
fn a_page_that_is_not_there_gets_one_line() {
    let world = World::new(BINARY);
    let wrong = world.run(["man", "smu"]);
    assert_eq!((wrong.code(), wrong.stdout.as_str()), (2, ""));
    assert_eq!(
        wrong.stderr,
        "tally: could not show the page 'smu': there is none; did you mean 'sum'?\n         'tally man' lists them\n"
    );
    world.finish();
}

#[test]
fn all_pages_are_installed_where_they_are_wanted() {
    let world = World::new(BINARY);
    let pages = world.run(["man"]).stdout.lines().count();
    let named = world.run(["man", "--install", "pages"]);
    assert_eq!((named.code(), named.stdout), (0, format!("{pages} pages in pages\n")));
    let mut files = Vec::new();
    for section in fs::read_dir(world.path().join("pages")).expect("the pages") {
        let section = section.expect("a section").path();
        files.extend(fs::read_dir(section).expect("a section").map(|file| file.expect("a page").path()));
    }
    assert_eq!(files.len(), pages);
    let sum = fs::read_to_string(world.path().join("pages/man1/tally-sum.1")).expect("a page");
    assert_eq!(sum, world.run(["man", "sum"]).stdout);

    // Without a name: below XDG_DATA_HOME, else below the home.
    let data = world.path().join("data");
    let home = world.path().join("home");
    let mut command = world.command(["man", "--install"]);
    command.env("XDG_DATA_HOME", &data).env("HOME", &home);
    let told = Running::start(command).finish().stdout;
    assert_eq!(told, format!("{pages} pages in {}\n", data.join("man").display()));
    assert!(data.join("man/man8/tally-daemon.8").exists());
    let mut command = world.command(["man", "--install"]);
    command.env_remove("XDG_DATA_HOME").env("HOME", &home);
    assert_eq!(Running::start(command).finish().code(), 0);
    assert!(home.join(".local/share/man/man5/tally.toml.5").exists());
    fs::remove_dir_all(home).expect("a directory of ours");
    world.finish();
}

#[test]
fn a_place_that_takes_no_pages_gets_one_line() {
    let world = World::new(BINARY);
    fs::write(world.path().join("file"), "").expect("a file of ours");
    let refused = world.run(["man", "--install", "file"]);
    assert_eq!((refused.code(), refused.stdout.as_str()), (1, ""));
    assert_eq!(refused.stderr, "tally: could not write file/man1/tally.1: not a directory\n");
    world.finish();
}
