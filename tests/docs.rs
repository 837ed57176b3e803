//! What the documentation shows is what happens.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a test says what it does, and what it skips")]

use std::process::{Command, Stdio};

use tally_tests::World;

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
