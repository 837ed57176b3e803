//! The house keeps its own laws: who may import whom, where unsafe code and clocks may be, what every file opens with.
#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};

/// The import law of docs/architecture.md, and of `HOUSE`: ours, then the third-party crates that have one home.
const LAW: &[(&str, &[&str])] = &[
    ("reduce", &[]),
    ("columns", &["reduce"]),
    ("expr", &["reduce"]),
    ("protocol", &["reduce"]),
    ("kernel", &["columns", "expr", "protocol", "reduce"]),
    ("machine", &["protocol", "reduce"]),
    ("sys", &[]),
    ("sync", &["sys"]),
    ("lab", &["sync", "sys", "reduce"]),
    ("transport", &["sys"]),
    ("store", &["sys"]),
    ("worker", &["kernel", "protocol", "reduce", "transport", "sys"]),
    ("supervisor", &["machine", "protocol", "reduce", "transport", "store", "sys"]),
    ("cli", &["protocol", "reduce", "sys"]),
];

/// Third-party crates that may be named in these crates' dependencies only.
const HOMES: &[(&str, &[&str])] = &[
    ("nix", &["sys"]),
    ("rustix", &["sys"]),
    ("signal-hook", &["sys"]),
    ("signal-hook-registry", &["sys"]),
    ("shared_memory", &["sys"]),
    ("ipc-channel", &["transport"]),
    ("dashu-int", &["reduce", "expr"]),
    ("fearless_simd", &["reduce", "expr", "columns"]),
    ("wide", &["columns"]),
    ("fast-float2", &["columns"]),
    ("pxfm", &["expr"]),
    ("bytes", &["columns"]),
    ("flate2", &["columns", "cli"]),
    ("tar", &["cli"]),
    ("pulldown-cmark", &["cli"]),
    ("parquet", &["columns"]),
    ("ruzstd", &["columns"]),
    ("bincode", &["protocol"]),
    ("redb", &["store"]),
    ("serde", &["protocol"]),
    ("clap_complete", &["cli"]),
    ("tracing-journald", &["supervisor"]),
    ("tracing", &["sys", "transport", "worker", "supervisor"]),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Names in the `[dependencies]` of a crate: what ships, not what only tests use.
fn dependencies(name: &str) -> Vec<String> {
    let manifest =
        fs::read_to_string(root().join(name).join("Cargo.toml")).expect("every crate has a manifest");
    let section = manifest.split("\n[").find(|section| section.starts_with("dependencies]")).unwrap_or("");
    let names = section.lines().skip(1).filter_map(|line| line.split(['.', ' ', '=']).next());
    names.filter(|name| !name.is_empty() && !name.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn crates_import_only_what_the_law_allows() {
    for &(name, allowed) in LAW {
        for dependency in dependencies(name) {
            if let Some(ours) = dependency.strip_prefix("tally-") {
                assert!(allowed.contains(&ours), "{name} imports {ours}");
            } else if let Some((_, homes)) = HOMES.iter().find(|(third, _)| *third == dependency) {
                assert!(homes.contains(&name), "{name} imports {dependency}, whose home is {homes:?}");
            }
        }
    }
}

/// Every Rust file of the project.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).expect("a directory can be read").flatten() {
            let path = entry.path();
            let name = entry.file_name();
            if path.is_dir() {
                if name != "target" && !name.to_string_lossy().starts_with('.') {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 50, "the sources are found");
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).expect("it is below the root").display().to_string()
}

#[test]
fn every_file_says_what_it_is_for() {
    for path in sources() {
        let text = fs::read_to_string(&path).expect("a source is text");
        assert!(text.starts_with("//! "), "{} does not open with what it is for", relative(&path));
    }
}

#[test]
fn unsafe_code_is_fenced() {
    for path in sources() {
        let name = relative(&path);
        let is_root = name.ends_with("src/lib.rs")
            || name.ends_with("src/main.rs")
            || (name.starts_with("tests/") && (name.matches('/').count() == 1 || name.ends_with("/main.rs")));
        if is_root && !name.starts_with("sys/") {
            let text = fs::read_to_string(&path).expect("a source is text");
            assert!(text.contains("#![forbid(unsafe_code)]"), "{name} has no fence");
        }
    }
}

#[test]
fn nobody_but_sys_asks_for_the_time() {
    // Put together, so that this file does not hold the words.
    let words = [["Instant", "::now"].concat(), ["SystemTime", "::now"].concat()];
    for path in sources() {
        let name = relative(&path);
        let text = fs::read_to_string(&path).expect("a source is text");
        let asks = words.iter().any(|word| text.contains(word.as_str()));
        assert!(!asks || name.starts_with("sys/"), "{name} asks for the time");
    }
}

#[test]
fn tests_neither_sleep_nor_are_ignored() {
    let words = [["thread::", "sleep"].concat(), ["#[", "ignore"].concat()];
    for path in sources() {
        let text = fs::read_to_string(&path).expect("a source is text");
        for word in &words {
            assert!(!text.contains(word.as_str()), "{} holds {word}", relative(&path));
        }
    }
}

#[test]
fn every_document_that_is_named_is_there() {
    for document in [
        "README.md",
        "docs/architecture.md",
        "docs/batch.md",
        "docs/book/index.md",
        "docs/compared.md",
        "docs/configuration.md",
        "docs/expressions.md",
        "docs/lab.md",
        "docs/locks.md",
        "docs/objects.md",
        "docs/operations.md",
        "docs/programs.md",
        "docs/protocol.md",
        "docs/python.md",
        "docs/security.md",
        "docs/testing.md",
    ] {
        let text = fs::read_to_string(root().join(document)).expect("the document is there");
        for link in text.match_indices("](").map(|(at, _)| &text[at + 2..]) {
            let target = link.split(')').next().unwrap_or("");
            if target.starts_with("http") || target.starts_with('#') {
                continue;
            }
            let base = root().join(document);
            let file = target.split('#').next().unwrap_or(target);
            let path = base.parent().expect("a document is in a directory").join(file);
            assert!(path.exists(), "{document} names {target}, which is not there");
        }
    }
}
