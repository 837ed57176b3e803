//! The manual pages, from what there is anyway: the table of the command line, the topics of the help, the documents,
//! `config.toml`, the schemas. They are made when they are asked for and kept nowhere, so that none is old.

pub(crate) mod daemon;
mod documents;
mod markdown;
mod roff;
mod verbs;

use crate::args;

/// One page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    name: String,
    section: u8,
    about: String,
    subject: Subject,
}

/// What a page is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    /// The table as a whole.
    Tally,
    /// One command of it.
    Command,
    /// A document.
    Document(&'static str),
    /// The schemas.
    Json,
}

impl Page {
    /// What it is about, in a line.
    #[must_use]
    pub fn about(&self) -> &str {
        &self.about
    }

    /// Its name without its section, `tally-sum`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The section of the manual it belongs to.
    #[must_use]
    pub fn section(&self) -> u8 {
        self.section
    }

    /// The name of its file, `tally-sum.1`.
    #[must_use]
    pub fn file(&self) -> String {
        format!("{}.{}", self.name, self.section)
    }

    /// What is typed for it, `sum`.
    pub(crate) fn word(&self) -> &str {
        self.name.strip_prefix("tally-").unwrap_or(&self.name)
    }
}

/// All pages.
#[derive(Debug)]
pub struct Manual {
    table: clap::Command,
    pages: Vec<Page>,
}

impl Default for Manual {
    fn default() -> Self {
        Self::new()
    }
}

impl Manual {
    /// Finds out which there are; none is written yet.
    #[must_use]
    pub fn new() -> Self {
        let mut table = args::table();
        table.build();
        let mut pages = verbs::pages(&table);
        pages.extend(documents::pages());
        Self { table, pages }
    }

    /// Every page, that of tally first.
    #[must_use]
    pub fn pages(&self) -> &[Page] {
        &self.pages
    }

    /// The text of a page, for man(7).
    #[must_use]
    pub fn text(&self, page: &Page) -> String {
        match page.subject {
            Subject::Tally => verbs::main_page(&self.table),
            Subject::Command => {
                self.table.find_subcommand(page.word()).cloned().map(verbs::page_of).unwrap_or_default()
            }
            Subject::Document(document) => documents::page_of(page, document),
            Subject::Json => documents::json_page(page),
        }
    }

    /// The page that somebody means by `sum`, `tally-sum`, `tally-sum.1`, `tally-sum(1)`.
    pub(crate) fn find(&self, word: &str) -> Option<&Page> {
        let fits = |page: &&Page| {
            let Page { name, section, .. } = page;
            [page.word(), name, &page.file(), &format!("{name}({section})")].contains(&word)
        };
        self.pages.iter().find(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit_code;
    use std::fs;
    use std::process::Command;

    #[test]
    fn there_is_a_page_for_every_command_and_document() {
        let manual = Manual::new();
        let named = |file: &str| manual.pages().iter().any(|page| page.file() == file);
        for command in args::commands() {
            let section = if command == "daemon" { 8 } else { 1 };
            assert!(named(&format!("tally-{command}.{section}")), "{command}");
        }
        for file in [
            "tally.1",
            "tally.toml.5",
            "tally-expressions.7",
            "tally-kernel.7",
            "tally-json.7",
            "tally-protocol.7",
        ] {
            assert!(named(file), "{file}");
        }
    }

    #[test]
    fn a_page_is_found_by_what_people_call_it() {
        let manual = Manual::new();
        let file = |word: &str| manual.find(word).map(Page::file);
        for word in ["sum", "tally-sum", "tally-sum.1", "tally-sum(1)"] {
            assert_eq!(file(word).as_deref(), Some("tally-sum.1"), "{word}");
        }
        assert_eq!(file("tally").as_deref(), Some("tally.1"));
        assert_eq!(file("tally.toml").as_deref(), Some("tally.toml.5"));
        assert_eq!(file("expressions").as_deref(), Some("tally-expressions.7"));
        assert_eq!(file("daemon").as_deref(), Some("tally-daemon.8"));
        assert_eq!(file("smu"), None);
        let words: std::collections::BTreeSet<&str> = manual.pages().iter().map(Page::word).collect();
        assert_eq!(words.len(), manual.pages().len(), "no two pages have one word");
    }

    #[test]
    fn exit_codes_and_references_are_those_that_exist() {
        let manual = Manual::new();
        let main = manual.text(manual.find("tally").unwrap());
        for (code, meaning) in exit_code::TABLE {
            let there = main.contains(&format!("\n{code}\n")) && main.contains(&roff::escaped(meaning));
            assert!(there, "exit code {code}");
        }
        for page in manual.pages() {
            let text = manual.text(page);
            for (before, _) in text.match_indices("(7)").chain(text.match_indices("(5)")) {
                let name: String = text[..before].chars().rev().take_while(|c| !c.is_whitespace()).collect();
                let name: String = name
                    .chars()
                    .rev()
                    .collect::<String>()
                    .replace("\\-", "-")
                    .replace("\\fB", "")
                    .replace("\\fR", "");
                let known = manual.pages().iter().any(|page| page.name() == name);
                assert!(known || !name.starts_with("tally"), "{} names {name}", page.file());
            }
        }
    }

    /// Everything that `mandoc` remarks is mended, a matter of style too.
    #[test]
    #[expect(clippy::print_stdout, reason = "a test says what it skips")]
    fn mandoc_has_nothing_to_remark() {
        if Command::new("mandoc").arg("-h").output().is_err() {
            println!("skipped: there is no mandoc to look at the pages");
            return;
        }
        let out = std::env::temp_dir().join(format!("tally-man-{}", std::process::id()));
        fs::create_dir_all(&out).unwrap();
        let manual = Manual::new();
        let files: Vec<_> = manual.pages().iter().map(|page| out.join(page.file())).collect();
        for (page, file) in manual.pages().iter().zip(&files) {
            fs::write(file, manual.text(page)).unwrap();
        }
        let told = Command::new("mandoc").args(["-T", "lint"]).args(files).output().unwrap();
        fs::remove_dir_all(&out).unwrap();
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        // That another page is not installed on this machine says nothing about the page that names it.
        let remarks: Vec<&str> =
            told.lines().filter(|line| !line.contains("referenced manual not found")).collect();
        assert!(remarks.is_empty(), "{}", remarks.join("\n"));
    }
}
