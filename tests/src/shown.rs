//! What a page shows is what is printed: the commands of its blocks run, and their output is compared, or renewed.
//!
//! | block            | what is compared                                                                              |
//! |------------------|-----------------------------------------------------------------------------------------------|
//! | `console`        | the output, word for word                                                                     |
//! | `console varies` | the same with numbers, addresses and units of time by their form                              |
//! | `console sample` | of that the first and the last line: how many lie between depends on the machine              |
//!
//! A line `...` stands for any lines, `(exit N)` for an exit code that is not 0. The commands of a block are typed into one
//! shell, those of a page into one directory. Blocks in other languages are not run.

use crate::World;

/// How exactly a block shows what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Word for word.
    Exactly,
    /// Numbers and units by their form.
    ByForm,
    /// Of that the first and the last line.
    Sample,
}

/// A command and what it prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command<'a> {
    /// As it is typed.
    pub typed: &'a str,
    /// The lines below it.
    pub prints: Vec<&'a str>,
    /// How it ends.
    pub exit: i32,
}

/// A block of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// How exactly it is meant.
    pub shown: Shown,
    /// What is typed.
    pub commands: Vec<Command<'a>>,
    /// Lines of the page that it takes, without its fences.
    pub lines: std::ops::Range<usize>,
}

/// The blocks of a page that run, and the languages of the others.
#[must_use]
pub fn blocks(text: &str) -> (Vec<Block<'_>>, Vec<&str>) {
    let (mut blocks, mut others): (Vec<Block<'_>>, Vec<&str>) = (Vec::new(), Vec::new());
    let (mut inside, mut runs) = (false, false);
    for (number, line) in text.lines().enumerate() {
        if let Some(language) = line.strip_prefix("```") {
            if inside && runs {
                blocks.last_mut().expect("it was begun").lines.end = number;
            }
            inside = !inside;
            let shown = match language {
                "console" => Some(Shown::Exactly),
                "console varies" => Some(Shown::ByForm),
                "console sample" => Some(Shown::Sample),
                _ => None,
            };
            runs = inside && shown.is_some();
            match shown {
                Some(shown) => {
                    blocks.push(Block { shown, commands: Vec::new(), lines: number + 1..number + 1 })
                }
                None if inside => others.push(language),
                None => {}
            }
        } else if runs {
            let commands = &mut blocks.last_mut().expect("it was begun").commands;
            if let Some(typed) = line.strip_prefix("$ ") {
                commands.push(Command { typed, prints: Vec::new(), exit: 0 });
                continue;
            }
            let last = commands.last_mut().expect("a command comes first");
            match line.strip_prefix("(exit ").and_then(|rest| rest.strip_suffix(')')) {
                Some(code) => last.exit = code.parse().expect("a number"),
                None => last.prints.push(line),
            }
        }
    }
    (blocks, others)
}

/// Runs the commands of a block in one shell; what each printed, and how it ended.
#[must_use]
pub fn run(world: &World, commands: &[Command<'_>]) -> Vec<(String, i32)> {
    let mut script =
        "mkdir -p bin && ln -sf \"$TALLY\" bin/tally\nexec 2>&1; PATH=\"$PWD/bin:$PATH\"; export LC_ALL=C\n"
            .to_owned();
    for command in commands {
        script.push_str(&format!("echo '@@@'; {}\necho \"@@@exit $?\"\n", command.typed));
    }
    let output = world.script(&script).output().expect("a shell runs");
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    let parts: Vec<&str> = output.split("@@@\n").skip(1).collect();
    assert_eq!(parts.len(), commands.len(), "{output}");
    let told = |part: &&str| {
        let (printed, exit) = part.rsplit_once("@@@exit ").expect("it ended");
        (printed.to_owned(), exit.trim().parse().expect("a number"))
    };
    parts.iter().map(told).collect()
}

/// Whether documents are to be renewed instead of compared: `cargo xtask docgen`.
#[must_use]
pub fn renews() -> bool {
    std::env::var_os("TALLY_RENEW").is_some()
}

/// Checks the page at this path, or renews it; returns how many commands it has.
pub fn check_file(path: &std::path::Path, world: &World) -> usize {
    let text = std::fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    if !renews() {
        return check_page(&path.display().to_string(), &text, world);
    }
    let renewed = renewed(&text, world);
    if renewed != text {
        std::fs::write(path, &renewed).expect("a page can be written");
    }
    blocks(&renewed).0.iter().map(|block| block.commands.len()).sum()
}

/// Runs all of a page and checks what it shows; returns how many commands it has.
fn check_page(page: &str, text: &str, world: &World) -> usize {
    let (count, wrong) = judge(text, world);
    assert_eq!(wrong, [""; 0], "{page}");
    count
}

/// Runs all of a page: how many commands it has, and what is wrong with what it shows of them.
#[must_use]
pub fn judge(text: &str, world: &World) -> (usize, Vec<String>) {
    let (mut count, mut wrong) = (0, Vec::new());
    for block in blocks(text).0 {
        for (command, (output, exit)) in block.commands.iter().zip(run(world, &block.commands)) {
            let typed = command.typed;
            if exit != command.exit {
                wrong.push(format!("{typed}\nexits with {exit}, not {}\n{output}", command.exit));
            } else if !is_shown(block.shown, command, &output) {
                let shown = command.prints.join("\n");
                wrong.push(format!("{typed}\nshows\n{shown}\nprinted\n{output}"));
            }
            count += 1;
        }
    }
    (count, wrong)
}

/// The page with the output of each command that no longer shows what is printed.
#[must_use]
pub fn renewed(text: &str, world: &World) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut page: Vec<String> = Vec::new();
    let mut next = 0;
    for block in blocks(text).0 {
        page.extend(lines[next..block.lines.start].iter().map(|&line| line.to_owned()));
        for (command, (output, exit)) in block.commands.iter().zip(run(world, &block.commands)) {
            page.push(format!("$ {}", command.typed));
            if exit == command.exit && is_shown(block.shown, command, &output) {
                page.extend(command.prints.iter().map(|&line| line.to_owned()));
            } else {
                page.extend(output.lines().map(|line| line.trim_end().to_owned()));
            }
            page.extend((exit != 0).then(|| format!("(exit {exit})")));
        }
        next = block.lines.end;
    }
    page.extend(lines[next..].iter().map(|&line| line.to_owned()));
    page.join("\n") + "\n"
}

fn is_shown(shown: Shown, command: &Command<'_>, output: &str) -> bool {
    let seen = |line: &str| match shown {
        Shown::Exactly => line.trim_end().to_owned(),
        Shown::ByForm | Shown::Sample => form(line),
    };
    let ends = |lines: Vec<String>| match (shown, lines.len()) {
        (Shown::Sample, 3..) => vec![lines[0].clone(), lines[lines.len() - 1].clone()],
        (Shown::Exactly | Shown::ByForm | Shown::Sample, _) => lines,
    };
    let expected = ends(command.prints.iter().map(|line| seen(line)).collect());
    fits(&expected, &ends(output.lines().map(seen).collect()))
}

/// A line in which only the form of numbers is left: `N`, addresses as `0xN`, units of time and of counts as `u`.
#[must_use]
pub fn form(line: &str) -> String {
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
#[must_use]
pub fn fits(shown: &[String], lines: &[String]) -> bool {
    match shown.split_first() {
        None => lines.is_empty(),
        Some((gap, rest)) if gap == "..." => (0..=lines.len()).any(|skip| fits(rest, &lines[skip..])),
        Some((first, rest)) => {
            lines.split_first().is_some_and(|(line, lines)| is_same(line, first) && fits(rest, lines))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_lines() {
        assert_eq!(form("  none  20,000 0x55a6 93.6 ms  0% j1,"), "none N N N u N% jN,");
        assert_eq!(form("97 us, 1.5 s"), "N us, N u");
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        assert!(fits(&lines("...\nb\n..."), &lines("a\nb\nc")));
        assert!(fits(&lines("cut here..."), &lines("cut he...")));
        assert!(!fits(&lines("cut here..."), &lines("cut")));
        assert!(!fits(&lines("...\nb"), &lines("a\nb\nc")) && !fits(&lines("a"), &lines("a\nb")));
    }

    /// Each line that the first page shows, changed, left out or said twice, is noticed.
    #[test]
    fn nothing_of_the_first_page_can_be_altered() {
        let mut lines = 0;
        let page = include_str!("../../README.md");
        for block in blocks(page).0 {
            for command in &block.commands {
                let output = command.prints.join("\n");
                assert!(is_shown(block.shown, command, &output), "{}", command.typed);
                for (number, &line) in command.prints.iter().enumerate() {
                    let altered = format!("{line}!");
                    let shows = |lines: &[&str]| {
                        let mut prints = command.prints.clone();
                        prints.splice(number..=number, lines.iter().copied());
                        is_shown(block.shown, &Command { prints, ..command.clone() }, &output)
                    };
                    assert!(!shows(&[&altered]) && !shows(&[]) && !shows(&[line, line]), "{line}");
                    lines += 1;
                }
            }
        }
        assert!(lines > 15, "the page shows something: {lines}");
    }

    #[test]
    fn blocks_are_found_with_their_lines() {
        let text = "a\n```sh\nx\n```\n```console varies\n$ one\n1\n$ two\n(exit 3)\n```\nb\n";
        let (blocks, others) = blocks(text);
        assert_eq!(others, ["sh"]);
        assert_eq!((blocks.len(), blocks[0].lines.clone(), blocks[0].shown), (1, 5..9, Shown::ByForm));
        assert_eq!(blocks[0].commands[0], Command { typed: "one", prints: vec!["1"], exit: 0 });
        assert_eq!(blocks[0].commands[1], Command { typed: "two", prints: vec![], exit: 3 });
    }
}
