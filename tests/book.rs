//! Every command of docs/book runs, and prints what the page shows.
//!
//! | block            | what is compared                                                                              |
//! |------------------|-----------------------------------------------------------------------------------------------|
//! | `console`        | the output, word for word                                                                     |
//! | `console varies` | the same with numbers, addresses and units of time by their form                              |
//! | `console sample` | of that the first and the last line: how many lie between depends on the machine              |
//!
//! A line `...` stands for any lines, `(exit N)` for an exit code that is not 0. The commands of a block are typed into one
//! shell, those of a page into one directory.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use tally_tests::World;

const BINARY: &str = env!("CARGO_BIN_EXE_tally");
const BOOK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/book");

/// How exactly a block shows what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Exactly,
    ByForm,
    Sample,
}

/// A command and what it prints.
#[derive(Debug)]
struct Command<'a> {
    typed: &'a str,
    prints: Vec<&'a str>,
    exit: i32,
}

fn pages() -> Vec<(String, String)> {
    let mut pages: Vec<(String, String)> = std::fs::read_dir(BOOK)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    pages.sort();
    pages
}

/// The blocks of a page.
fn blocks(text: &str) -> Vec<(Shown, Vec<Command<'_>>)> {
    let mut blocks: Vec<(Shown, Vec<Command<'_>>)> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if let Some(language) = line.strip_prefix("```") {
            inside = !inside;
            let shown = match language {
                "console" => Shown::Exactly,
                "console varies" => Shown::ByForm,
                "console sample" => Shown::Sample,
                "" if !inside => continue,
                other => panic!("a block in '{other}' would run nowhere"),
            };
            blocks.push((shown, Vec::new()));
        } else if inside {
            let commands = &mut blocks.last_mut().unwrap().1;
            if let Some(typed) = line.strip_prefix("$ ") {
                commands.push(Command { typed, prints: Vec::new(), exit: 0 });
                continue;
            }
            let last = commands.last_mut().expect("a command comes first");
            match line.strip_prefix("(exit ").and_then(|rest| rest.strip_suffix(')')) {
                Some(code) => last.exit = code.parse().unwrap(),
                None => last.prints.push(line),
            }
        }
    }
    blocks
}

/// A line in which only the form of numbers is left: `N`, addresses as `0xN`, units of time and of counts as `u`.
fn form(line: &str) -> String {
    let word = |word: &str| {
        let mut form = String::new();
        let mut rest = word;
        while let Some(first) = rest.chars().next() {
            let digits = match rest.strip_prefix("0x") {
                Some(hex) => 2 + hex.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(hex.len()),
                None if first.is_ascii_digit() => {
                    // Not a comma or a full stop after it.
                    let end =
                        rest.find(|c: char| !(c.is_ascii_digit() || ",.".contains(c))).unwrap_or(rest.len());
                    rest[..end].trim_end_matches([',', '.']).len()
                }
                None => 0,
            };
            form.push_str(if digits > 0 { "N" } else { &rest[..first.len_utf8()] });
            rest = &rest[digits.max(if digits > 0 { 0 } else { first.len_utf8() })..];
        }
        if ["ns", "us", "ms", "s"].contains(&word) { "u".to_owned() } else { form }
    };
    line.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

/// Whether a line is the one that is shown. Where both are cut, the place depends on how long the numbers before it are.
fn is_same(line: &str, shown: &str) -> bool {
    match (line.strip_suffix("..."), shown.strip_suffix("...")) {
        (Some(line), Some(shown)) => line.starts_with(shown) || shown.starts_with(line),
        _ => line == shown,
    }
}

/// Whether lines fit what is shown, `...` standing for any number of them.
fn fits(shown: &[String], lines: &[String]) -> bool {
    match shown.split_first() {
        None => lines.is_empty(),
        Some((gap, rest)) if gap == "..." => (0..=lines.len()).any(|skip| fits(rest, &lines[skip..])),
        Some((first, rest)) => {
            lines.split_first().is_some_and(|(line, lines)| is_same(line, first) && fits(rest, lines))
        }
    }
}

fn check(page: &str, shown: Shown, command: &Command<'_>, output: &str, exit: i32) {
    let typed = command.typed;
    assert_eq!(exit, command.exit, "{page}: {typed}\n{output}");
    let seen = |line: &str| match shown {
        Shown::Exactly => line.trim_end().to_owned(),
        Shown::ByForm | Shown::Sample => form(line),
    };
    let ends = |lines: Vec<String>| match (shown, lines.len()) {
        (Shown::Sample, 3..) => vec![lines[0].clone(), lines[lines.len() - 1].clone()],
        (Shown::Exactly | Shown::ByForm | Shown::Sample, _) => lines,
    };
    let expected = ends(command.prints.iter().map(|line| seen(line)).collect());
    let found = ends(output.lines().map(seen).collect());
    assert!(
        fits(&expected, &found),
        "{page}: {typed}\nshows\n{}\nprinted\n{output}",
        command.prints.join("\n")
    );
}

#[test]
fn every_command_prints_what_its_page_shows() {
    for (page, text) in pages() {
        let world = World::new(BINARY);
        let prepared = world.script("mkdir bin && ln -s \"$TALLY\" bin/tally").status().unwrap();
        assert!(prepared.success());
        let mut count = 0;
        for (shown, commands) in blocks(&text) {
            let mut script = "exec 2>&1; PATH=\"$PWD/bin:$PATH\"; export LC_ALL=C\n".to_owned();
            for command in &commands {
                script.push_str(&format!("echo '@@@'; {}\necho \"@@@exit $?\"\n", command.typed));
            }
            let output = world.script(&script).output().unwrap();
            let output = String::from_utf8_lossy(&output.stdout).into_owned();
            let parts: Vec<&str> = output.split("@@@\n").skip(1).collect();
            assert_eq!(parts.len(), commands.len(), "{page}: {output}");
            for (command, part) in commands.iter().zip(parts) {
                let (printed, exit) = part.rsplit_once("@@@exit ").unwrap();
                check(&page, shown, command, printed, exit.trim().parse().unwrap());
                count += 1;
            }
        }
        assert!(page == "index.md" || count > 0, "{page} shows nothing");
        world.finish();
    }
}

/// What a link of a page leads to; addresses elsewhere are left out.
fn links(text: &str) -> Vec<PathBuf> {
    let targets = text.match_indices("](").map(|(at, open)| &text[at + open.len()..]);
    let targets = targets.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    targets.filter(|target| !target.contains("://")).map(|target| Path::new(BOOK).join(target)).collect()
}

#[test]
fn every_page_is_in_the_index_and_every_link_leads_somewhere() {
    let pages = pages();
    let (_, index) = pages.iter().find(|(name, _)| name == "index.md").unwrap();
    for (name, text) in &pages {
        for link in links(text) {
            assert!(link.exists(), "{name}: {}", link.display());
        }
        if name != "index.md" {
            assert!(
                index.contains(&format!(
                    ". [{}]({name})\n",
                    text.lines().next().unwrap().trim_start_matches("# ")
                )),
                "{name}"
            );
            assert!(text.contains("\nWhere: "), "{name} does not say where the code is");
        }
    }
}

#[test]
fn forms_of_lines() {
    assert_eq!(form("  none  20,000 0x55a6 93.6 ms  0% j1,"), "none N N N u N% jN,");
    assert_eq!(form("97 us, 1.5 s"), "N us, N u");
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(fits(&lines("...\nb\n..."), &lines("a\nb\nc")));
    assert!(fits(&lines("cut here..."), &lines("cut he...")) && !fits(&lines("cut here..."), &lines("cut")));
    assert!(!fits(&lines("...\nb"), &lines("a\nb\nc")) && !fits(&lines("a"), &lines("a\nb")));
}
