//! `man`: the manual pages, from what there is anyway: the table of the command line, the topics of the help, the documents,
//! `config.toml`, the schemas. They are written to `target/man` when they are needed and kept nowhere, so that none is old.

mod documents;
mod markdown;
mod roff;
mod verbs;

use std::fs;
use std::path::{Path, PathBuf};

/// One page.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    /// The name of its file, `tally-sum.1`.
    pub(crate) file: String,
    /// Its text, for man(7).
    pub(crate) text: String,
}

/// The root of the project.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// `man [--out DIR]`.
pub(crate) fn run(rest: &[String]) -> Result<(), String> {
    let out = match rest {
        [] => root().join("target/man"),
        [flag, directory] if flag == "--out" => PathBuf::from(directory),
        _ => return Err("man takes --out DIR".to_owned()),
    };
    let count = write(&out)?;
    println!("{count} pages in {}", out.display());
    Ok(())
}

/// Writes all pages into a directory that has nothing else; returns how many.
pub(crate) fn write(out: &Path) -> Result<usize, String> {
    let failed = |why: std::io::Error| format!("could not write {}: {why}", out.display());
    let pages = pages()?;
    fs::create_dir_all(out).map_err(failed)?;
    for page in &pages {
        fs::write(out.join(&page.file), &page.text).map_err(failed)?;
    }
    Ok(pages.len())
}

/// Every page.
pub(crate) fn pages() -> Result<Vec<Page>, String> {
    let mut pages = verbs::pages();
    pages.extend(documents::pages(&root())?);
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn there_is_a_page_for_every_command_and_document() {
        let pages = pages().unwrap();
        let named = |file: &str| pages.iter().any(|page| page.file == file);
        for command in tally_cli::pages::table().get_subcommands() {
            let section = if command.get_name() == "daemon" { 8 } else { 1 };
            assert!(named(&format!("tally-{}.{section}", command.get_name())), "{}", command.get_name());
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
    fn exit_codes_and_references_are_those_that_exist() {
        let pages = pages().unwrap();
        let main = pages.iter().find(|page| page.file == "tally.1").unwrap();
        for (code, meaning) in tally_cli::exit_code::TABLE {
            let there =
                main.text.contains(&format!("\n{code}\n")) && main.text.contains(&roff::escaped(meaning));
            assert!(there, "exit code {code}");
        }
        for page in &pages {
            for (before, _) in page.text.match_indices("(7)").chain(page.text.match_indices("(5)")) {
                let name: String =
                    page.text[..before].chars().rev().take_while(|c| !c.is_whitespace()).collect();
                let name: String = name
                    .chars()
                    .rev()
                    .collect::<String>()
                    .replace("\\-", "-")
                    .replace("\\fB", "")
                    .replace("\\fR", "");
                let known = pages.iter().any(|page| page.file.starts_with(&format!("{name}.")));
                assert!(known || !name.starts_with("tally"), "{} names {name}", page.file);
            }
        }
    }

    /// Everything that `mandoc` remarks is mended, a matter of style too.
    #[test]
    fn mandoc_has_nothing_to_remark() {
        if Command::new("mandoc").arg("-h").output().is_err() {
            println!("skipped: there is no mandoc to look at the pages");
            return;
        }
        let out = std::env::temp_dir().join(format!("tally-man-{}", std::process::id()));
        write(&out).unwrap();
        let files = fs::read_dir(&out).unwrap().map(|file| file.unwrap().path());
        let told = Command::new("mandoc").args(["-T", "lint"]).args(files).output().unwrap();
        fs::remove_dir_all(&out).unwrap();
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        // That another page is not installed on this machine says nothing about the page that names it.
        let remarks: Vec<&str> =
            told.lines().filter(|line| !line.contains("referenced manual not found")).collect();
        assert!(remarks.is_empty(), "{}", remarks.join("\n"));
    }
}
