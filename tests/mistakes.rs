//! Mistakes that people make, and what they are told: the commands and the answers in `tests/data/mistakes.txt`. With
//! `UPDATE_SNAPSHOTS=1` the answers there are written anew, to be read before they are kept.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a test says what it skips")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use tally_tests::{Finished, World};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

/// A user that need not be in any list.
const STRANGER: u32 = 61_002;
/// What begins a command of somebody else.
const STRANGERS: &str = "somebody else: ";

fn snapshots() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/mistakes.txt")
}

/// One command, and what it must say.
struct Mistake<'a> {
    command: &'a str,
    told: String,
}

/// The parts of the file: lines of headings and blank ones, and commands with what they must say.
fn read(text: &str) -> Vec<Result<Mistake<'_>, &str>> {
    let mut parts: Vec<Result<Mistake<'_>, &str>> = Vec::new();
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            parts.push(Ok(Mistake { command, told: String::new() }));
        } else if let (Some(Ok(mistake)), false) =
            (parts.last_mut(), line.is_empty() || line.starts_with('#'))
        {
            mistake.told.push_str(line);
            mistake.told.push('\n');
        } else {
            parts.push(Err(line));
        }
    }
    parts
}

/// A directory with the files that the commands name.
fn world() -> World {
    let world = World::new(BINARY);
    let write = |name: &str, text: &[u8]| fs::write(world.path().join(name), text).expect("a file of ours");
    write("sales.csv", b"region,price,quantity\nnorth,19.99,3\nsouth,5,n/a\n");
    write("german.csv", b"region;price\nnorth;19,99\n");
    write("bare.csv", b"1,2\n3,4\n");
    write("numbers.f64", &[0; 16]);
    write("semi.csv", b"a;b\n1;2\n");
    write("tabs.csv", b"a\tb\n1\t2\n");
    write("money.csv", b"price\n$12.50\n$3.10\n");
    write("currency.csv", b"price,n\n$1.50,2\n");
    write("odd.csv", b"odd name,price\n1,2\n");
    write("twice.csv", b"a,a\n1,2\n");
    write("lines.txt", b"1\n2\n");
    write("three.toml", b"retires = 1\nworkers = 0\nlog = \"loud\"\n");
    write("slip.toml", b"workers = = 2\n");
    write("wide.csv", b"\xff\xfea\x00\n\x001\x00\n\x00");
    write("headed.txt", b"price\n1\n2\n");
    write("picture.txt", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\n");
    write("torn.npy", b"\x93NUMPY\x01");
    write("torn.csv.gz", b"\x1f\x8b\x08 torn");
    write("half.toml", b"[workers]\nretires = 1\n");
    write("bad.toml", b"retires = 1\n");
    write("secret.csv", b"a\n1\n");
    let secret = fs::Permissions::from_mode(0o600);
    fs::set_permissions(world.path().join("secret.csv"), secret).expect("it is ours");
    fs::create_dir(world.path().join("data")).expect("a directory of ours");
    // A socket whose daemon has died.
    drop(UnixListener::bind(world.path().join("stale.sock")).expect("a socket of ours"));
    world.open_to_others();
    world
}

fn run(world: &World, command: &str) -> Option<Finished> {
    if let Some(words) = command.strip_prefix(STRANGERS) {
        let is_root = tally_sys::process::own_uid() == 0;
        return is_root.then(|| {
            let words = words.replace("WORLD", &world.path().display().to_string());
            world.ask_as(STRANGER, STRANGER, words.split_whitespace().skip(1))
        });
    }
    Some(world.typed(command))
}

/// What a command said, without what is another thing in every run.
fn told(world: &World, finished: &Finished) -> String {
    let text = format!("{}{}[{}]\n", finished.stdout, finished.stderr, finished.code());
    let text = text.replace(&world.path().display().to_string(), "WORLD");
    let pieces: Vec<&str> = text.split("process ").collect();
    let numbered = pieces.iter().enumerate().map(|(at, piece)| {
        let rest = piece.trim_start_matches(|c: char| c.is_ascii_digit());
        if at > 0 && rest.len() < piece.len() { format!("PID{rest}") } else { (*piece).to_owned() }
    });
    numbered.collect::<Vec<_>>().join("process ")
}

#[test]
fn every_mistake_is_answered_as_it_is_kept() {
    let text = fs::read_to_string(snapshots()).expect("the file of snapshots");
    let world = world();
    let daemon = world.daemon(&["--workers", "1"]);
    let (mut new, mut count, mut differ, mut answers) = (String::new(), 0, Vec::new(), Vec::new());
    for part in read(&text) {
        let mistake = match part {
            Ok(mistake) => mistake,
            Err(line) => {
                new.push_str(&format!("{line}\n"));
                continue;
            }
        };
        let now = match run(&world, mistake.command) {
            Some(finished) => told(&world, &finished),
            None => {
                println!("skipped, as only root can be somebody else: {}", mistake.command);
                mistake.told.clone()
            }
        };
        if now != mistake.told {
            differ.push(format!("$ {}\n--- is kept:\n{}--- was told:\n{now}", mistake.command, mistake.told));
        }
        new.push_str(&format!("$ {}\n{now}", mistake.command));
        count += 1;
        answers.push((mistake.command, now));
    }
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(snapshots(), new).expect("the file of snapshots can be written");
    } else {
        assert!(differ.is_empty(), "{}", differ.join("\n"));
    }
    for (command, told) in &answers {
        fits_the_form(command, told);
    }
    assert!(count >= 20, "{count}");
    daemon.stop();
    world.finish();
}

/// One line that says all, at most three more that show or advise, and a code that is no success.
fn fits_the_form(command: &str, told: &str) {
    let lines: Vec<&str> = told.lines().collect();
    let Some((code, lines)) = lines.split_last() else { panic!("{command}: nothing was told") };
    assert!(*code != "[0]" && *code != "[101]", "{command}: {told}");
    if lines.first().is_some_and(|line| line.starts_with("{\"schema\":\"tally.error/1\"")) {
        return;
    }
    assert!(lines.len() <= 4, "{command} is answered at length: {told}");
    assert!(lines.first().is_some_and(|line| line.starts_with("tally: could not ")), "{command}: {told}");
    assert!(lines.iter().skip(1).all(|line| line.starts_with("         ")), "{command}: {told}");
    let plain = told.chars().all(|c| c == '\n' || (c.is_ascii() && !c.is_control()));
    assert!(plain || !command.is_ascii(), "{command}: {told}");
}
