//! What the documentation shows is what happens.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a test says what it does, and what it skips")]

use std::process::{Command, Stdio};

use tally_tests::{Booted, World};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

/// The first fenced block of a language.
fn block<'a>(text: &'a str, language: &str) -> &'a str {
    let start = text.find(&format!("```{language}\n")).expect("the block is there") + language.len() + 4;
    let end = text[start..].find("\n```").expect("the block ends") + 1;
    &text[start..start + end]
}

#[test]
fn the_session_of_the_protocol_runs_as_written() {
    let text = include_str!("../docs/protocol.md");
    if Command::new("python3").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err()
    {
        println!("skipped: there is no python3 to run the session with");
        return;
    }
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "2"]);
    let output = Command::new("python3")
        .args(["-c", block(text, "python")])
        .env("TALLY_SOCKET", daemon.socket())
        .output()
        .expect("python3 runs");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        block(text, "text"),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    daemon.stop();
    world.finish();
}

/// The description is the contract of the socket;
/// every method and error the document names exists.
#[test]
fn the_protocols_document_names_only_what_exists() {
    let description = include_str!("../protocol/src/io.tally.varlink");
    let text = include_str!("../docs/protocol.md");
    for name in text.match_indices("io.tally.").map(|(at, prefix)| &text[at + prefix.len()..]) {
        let name: String = name.chars().take_while(char::is_ascii_alphanumeric).collect();
        if ["NAME", "varlink"].contains(&name.as_str()) {
            continue;
        }
        let known = description.contains(&format!("method {name}("))
            || description.contains(&format!("error {name} ("));
        assert!(known, "io.tally.{name} is in docs/protocol.md and not in the interface");
    }
}

/// Every line of the blocks marked `reductions`: `REDUCTION [OPTIONS] of NUMBERS => ANSWER`, or a part of the error.
#[test]
fn every_reduction_answers_as_its_document_says() {
    let text = include_str!("../docs/reductions.md");
    let world = World::new(BINARY);
    let blocks = text.split("```reductions\n").skip(1).filter_map(|rest| rest.split_once("\n```"));
    let mut cases = 0;
    for line in blocks.flat_map(|(block, _)| block.lines()) {
        let (asked, answer) = line.split_once("=>").expect("an arrow");
        let (words, numbers) = asked.split_once(" of ").expect("numbers");
        let file: String = numbers.split_whitespace().flat_map(|number| [number, "\n"]).collect();
        std::fs::write(world.path().join("numbers.txt"), file).expect("a file of the test's own");
        let words = words.split_whitespace().chain(["numbers.txt", "-q", "--mode", "inline"]);
        let finished = world.run(words);
        match answer.trim().strip_prefix("error: ") {
            Some(part) => {
                assert!(finished.code() == 1 && finished.stderr.contains(part), "{line}: {finished:?}")
            }
            None => {
                assert_eq!(finished.stdout, format!("{}\n", answer.trim()), "{line}: {}", finished.stderr)
            }
        }
        cases += 1;
    }
    assert!(cases > 25, "the blocks are found: {cases}");
    world.finish();
}

/// One command of a document, with what it must print and its exit code.
#[derive(Debug)]
struct Shown<'a> {
    command: &'a str,
    prints: Vec<&'a str>,
    exit: i32,
}

impl Shown<'_> {
    fn check(&self, code: i32, output: &str) {
        println!("$ {}\n{output}", self.command);
        assert_eq!(code, self.exit, "{}: {output}", self.command);
        for text in &self.prints {
            assert!(output.contains(text), "{} does not print '{text}': {output}", self.command);
        }
    }
}

/// The commands of all blocks of a language, in their order.
fn commands<'a>(text: &'a str, language: &str) -> Vec<Shown<'a>> {
    let mut shown: Vec<Shown<'a>> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if let Some(named) = line.strip_prefix("```") {
            inside = !inside && named == language;
        } else if inside && let Some(told) = line.strip_prefix("#> ") {
            let last = shown.last_mut().expect("a command comes first");
            match told.strip_prefix("exit ") {
                Some(code) => last.exit = code.parse().expect("a number"),
                None => last.prints.push(told),
            }
        } else if inside {
            shown.push(Shown { command: line, prints: Vec::new(), exit: 0 });
        }
    }
    assert!(shown.len() > 5, "the document has lost its commands");
    shown
}

/// Runs the commands of a page beside a daemon of their own.
fn run_beside_a_daemon(page: &str) {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    for shown in commands(page, "sh") {
        let finished = world.typed(shown.command);
        shown.check(finished.code(), &format!("{}{}", finished.stdout, finished.stderr));
    }
    daemon.stop();
    world.finish();
}

#[test]
fn the_commands_of_locks_run_as_written() {
    run_beside_a_daemon(include_str!("../docs/locks.md"));
}

#[test]
fn the_commands_of_objects_run_as_written() {
    run_beside_a_daemon(include_str!("../docs/objects.md"));
}

#[test]
fn the_commands_for_programs_run_as_written() {
    run_beside_a_daemon(include_str!("../docs/programs.md"));
}

/// The exit codes of the page are those of the code, and no others.
#[test]
fn the_exit_codes_of_the_page_are_those_of_the_code() {
    let page = include_str!("../docs/programs.md");
    let part =
        page.split("## Exit codes").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("the part");
    let rows = part.lines().filter_map(|line| {
        let (code, meaning) = line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | ")?;
        Some((code.parse::<u8>().ok()?, meaning))
    });
    assert_eq!(rows.collect::<Vec<_>>(), tally_cli::exit_code::TABLE);
}

#[test]
fn the_commands_of_operations_run_as_written() {
    let world = World::new(BINARY);
    for shown in commands(include_str!("../docs/operations.md"), "sh") {
        let finished = world.typed(shown.command);
        shown.check(finished.code(), &format!("{}{}", finished.stdout, finished.stderr));
    }
    world.finish();
}

#[test]
fn the_commands_of_operations_run_under_systemd() {
    let Some(booted) = Booted::new(BINARY) else { return };
    for shown in commands(include_str!("../docs/operations.md"), "sh systemd") {
        let told = booted.run(&["bash", "-c", shown.command]);
        shown.check(told.code.unwrap_or(-1), &format!("{}{}", told.stdout, told.stderr));
    }
}

/// A block in another language would run nowhere.
#[test]
fn operations_has_no_block_that_does_not_run() {
    for line in include_str!("../docs/operations.md").lines().filter(|line| line.starts_with("```")) {
        assert!(["```", "```sh", "```sh systemd"].contains(&line), "{line}");
    }
}

/// Every proof that the threat model names is a test that is there.
#[test]
fn the_threat_model_names_tests_that_exist() {
    let text = include_str!("../docs/security.md");
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let proofs: Vec<(&str, &str)> = text.split('`').filter_map(|part| part.split_once(".rs::")).collect();
    assert!(proofs.len() > 50, "the table is found: {}", proofs.len());
    for (file, name) in proofs {
        let path = root.join(format!("{file}.rs"));
        let source = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let function = source.contains(&format!("fn {name}("));
        // Targets of the fuzzers are tests by their names.
        let target =
            file.ends_with("replay") && source.split([',', '(', ')', ' ', '\n']).any(|word| word == name);
        assert!(function || target, "{file}.rs has no {name}");
    }
    // Those that only another system can tell.
    let stories: Vec<(&str, &str)> = text.split('`').filter_map(|part| part.split_once(".sh::")).collect();
    assert!(!stories.is_empty(), "the stories are found");
    for (file, name) in stories {
        let path = root.join(format!("{file}.sh"));
        let source = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        assert!(source.contains(&format!("\n{name}() {{")), "{file}.sh has no {name}");
    }
    // Tests in Python, which `tests/python.rs` runs.
    let proofs: Vec<(&str, &str)> = text.split('`').filter_map(|part| part.split_once(".py::")).collect();
    assert!(!proofs.is_empty(), "the lines about the executor are found");
    for (file, name) in proofs {
        let path = root.join(format!("{file}.py"));
        let source = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        assert!(source.contains(&format!("def {name}(self)")), "{file}.py has no {name}");
    }
    for line in text
        .lines()
        .skip_while(|line| !line.starts_with("## What is tried"))
        .take_while(|line| !line.starts_with("## Deaths"))
    {
        let is_row =
            line.starts_with("| ") && !line.starts_with("| it tries") && !line.starts_with("| they do");
        assert!(!is_row || line.contains(".rs::"), "no proof: {line}");
    }
}

/// The rows of a table whose first cell is a number, cell by cell.
fn numbered(part: &str) -> Vec<(u32, Vec<&str>)> {
    let rows = part.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let rows = rows.map(|row| row.split(" | ").map(str::trim).collect::<Vec<_>>());
    rows.filter_map(|cells| Some((cells[0].parse().ok()?, cells[1..].to_vec()))).collect()
}

/// Every point of the comparison has every tool, every cell says how it was checked, and how that is done again.
#[test]
fn each_cell_of_the_comparison_says_how_it_was_checked() {
    let text = include_str!("../docs/compared.md");
    let (table, below) = text.split_once("\n## What holds tally's cells").expect("the tests have a table");
    let (_, again) = below.split_once("\n## How each point was checked").expect("the checks have a list");
    let rows = numbered(table);
    assert_eq!(rows.iter().map(|(point, _)| *point).collect::<Vec<_>>(), (1..=30).collect::<Vec<_>>());
    for (point, cells) in &rows {
        assert_eq!(cells.len(), 10, "point {point}: its name, tally and eight tools");
        for cell in &cells[1..] {
            let mark = cell.rsplit(' ').next().unwrap_or_default();
            let marked = cell.len() > mark.len() && ["c", "r", "t"].contains(&mark);
            assert!(marked || *cell == "n/a", "point {point} does not say how this was checked: '{cell}'");
        }
        assert!(again.contains(&format!("\n- point {point}: ")), "point {point} cannot be checked again");
    }
    let help = |option| Command::new(BINARY).arg(option).output().expect("it runs").stdout;
    let lines = ["-h", "--help"].map(|option| help(option).iter().filter(|&&byte| byte == b'\n').count());
    assert_eq!(rows[1].1[1], format!("{} / {} t", lines[0], lines[1]), "the lines of the helps");
}

/// What a test holds in the comparison names that test, and the test is there.
#[test]
fn the_comparison_names_tests_that_exist() {
    let text = include_str!("../docs/compared.md");
    let (table, below) = text.split_once("\n## What holds tally's cells").expect("the tests have a table");
    let (held, _) = below.split_once("\n## ").expect("more comes after it");
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let held = numbered(held);
    for (point, cells) in &held {
        let names: Vec<&str> = cells[0].split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "point {point} names no test");
        for name in names {
            let (file, function) = name.split_once("::").expect("file.rs::function");
            let path = root.join(file);
            let source = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{name}: {why}"));
            let (before, _) = source
                .split_once(&format!("fn {function}("))
                .unwrap_or_else(|| panic!("point {point}: {file} has no {function}"));
            let attributes = before.rsplit("\n\n").next().unwrap_or_default();
            assert!(attributes.contains("#[test]"), "point {point}: {name} is no test");
        }
    }
    for (point, cells) in numbered(table) {
        let marked = cells[1].split([' ', ',', ';']).any(|word| word == "t");
        let named = held.iter().any(|(other, _)| *other == point);
        assert_eq!(
            marked, named,
            "point {point}: 't' stands in tally's cell where a test is named, and only there"
        );
    }
}
