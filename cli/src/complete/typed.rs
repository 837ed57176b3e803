//! What is typed in parts: expressions, lists with commas, templates. Only the last part is completed; what stands before
//! it stays.

use std::collections::BTreeSet;
use std::fs::{DirEntry, File};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use clap_complete::CompletionCandidate;
use tally_protocol::limits;

use super::line::Line;
use crate::roles::{ColumnsOf, Words};
use crate::show::schema;

/// One thing to choose, with a word about it.
pub(super) fn candidate(value: String, help: &str) -> CompletionCandidate {
    let help = (!help.is_empty()).then(|| help.replace(char::is_control, " ").into());
    CompletionCandidate::new(value).help(help)
}

/// The columns of the files on the line, with the file of each.
pub(super) fn columns(line: &Line, words: Words) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for path in line.files() {
        for name in of_file(line, words, path).unwrap_or_default() {
            if found.iter().all(|(known, _)| *known != name) {
                found.push((name, format!("column of {}", path.display())));
            }
        }
    }
    found
}

fn of_file(line: &Line, words: Words, path: &Path) -> Option<Vec<String>> {
    let mut head = Vec::new();
    File::open(path).ok()?.take(limits::COMPLETE_FILE_BYTES).read_to_end(&mut head).ok()?;
    let delimiter = line.option("--delimiter").and_then(|text| match text {
        "\\t" => Some(b'\t'),
        text => text.as_bytes().first().copied(),
    });
    let asked = ColumnsOf {
        name: path.to_str()?,
        head,
        format: line.option("--format"),
        delimiter,
        header: !line.has("--no-header"),
    };
    Some((words.columns)(asked))
}

/// The last name of an expression: a column, a function, or the index of a range.
pub(super) fn expression(line: &Line, words: Words, current: &str) -> Vec<CompletionCandidate> {
    let text = unquoted(current);
    let at = text
        .rfind(|c: char| !(c == '_' || c.is_alphanumeric()))
        .map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    let (before, name) = text.split_at(at);
    if name.starts_with(|c: char| c.is_ascii_digit()) || in_text(before) {
        return Vec::new();
    }
    let mut known = columns(line, words);
    if line.files().next().is_none() {
        known.push(("i".to_owned(), "the element of a range".to_owned()));
    }
    known.extend((words.functions)().into_iter().map(|name| (format!("{name}("), "function".to_owned())));
    known.retain(|(value, _)| value.starts_with(name));
    known.into_iter().map(|(value, help)| candidate(format!("{before}{value}"), &help)).collect()
}

/// Whether a text of the expression is open: `region == "no`.
fn in_text(before: &str) -> bool {
    before.matches('"').count() % 2 == 1
}

/// Without the quote of the shell in front. Shells take it for a part of the word, and put it before what they insert.
fn unquoted(current: &str) -> &str {
    current.strip_prefix(['\'', '"']).unwrap_or(current)
}

/// The last of several words with commas between them, none twice.
pub(super) fn several(known: &[&str], current: &str) -> Vec<CompletionCandidate> {
    let (before, word) = current.rfind(',').map_or(("", current), |at| current.split_at(at + 1));
    let used: Vec<&str> = before.split(',').collect();
    let fits = known.iter().filter(|one| one.starts_with(word) && !used.contains(one));
    fits.map(|one| candidate(format!("{before}{one}"), "")).collect()
}

/// Those that begin like this.
pub(super) fn words(known: &[&str], beginning: &str) -> Vec<CompletionCandidate> {
    let fits = known.iter().filter(|one| one.starts_with(beginning));
    fits.map(|one| candidate((*one).to_owned(), "")).collect()
}

/// Programs of the search path that begin like this, each once.
pub(super) fn programs(beginning: &str) -> Vec<(String, String)> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = BTreeSet::new();
    for directory in std::env::split_paths(&path).filter(|directory| directory.is_absolute()) {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        let names =
            entries.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(beginning.as_bytes()));
        found.extend(names.filter(is_program).filter_map(|entry| entry.file_name().into_string().ok()));
    }
    found.into_iter().map(|name| (name, String::new())).collect()
}

fn is_program(entry: &DirEntry) -> bool {
    // What a link leads to counts, not the link.
    std::fs::metadata(entry.path()).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// The last field of a template.
pub(super) fn template(list: &str, current: &str) -> Vec<CompletionCandidate> {
    let text = unquoted(current);
    let (before, field) = match text.rfind('{') {
        Some(at) if !text[at..].contains('}') => (&text[..at], &text[at + 1..]),
        // A field that is whole is left alone: what follows it, a tab perhaps, nobody knows.
        _ if text.ends_with('}') => return Vec::new(),
        _ => (text, ""),
    };
    let fits = schema::fields_of_list(list).into_iter().filter(|name| name.starts_with(field));
    fits.map(|name| candidate(format!("{before}{{{name}}}"), "")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surroundings::Surroundings;
    use std::ffi::OsString;

    const WORDS: Words = Words {
        columns: |asked| vec![String::from_utf8(asked.head).unwrap()],
        functions: || vec!["sqrt", "sin"],
        settings: Vec::new,
    };

    fn values(candidates: Vec<CompletionCandidate>) -> Vec<String> {
        candidates.iter().map(|one| one.get_value().to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_last_name_of_an_expression_is_completed() {
        let line = Line::new(
            &["tally", "sum", "0..10", "--of"].map(OsString::from),
            Some(4),
            &Surroundings::default(),
        );
        let typed = |text: &str| values(expression(&line, WORDS, text));
        assert_eq!(typed("'2 * s"), ["2 * sqrt(", "2 * sin("]);
        assert_eq!(typed("sq"), ["sqrt("]);
        assert_eq!(typed(""), ["i", "sqrt(", "sin("]);
        assert_eq!(typed("sqrt(i"), ["sqrt(i"]);
        assert!(typed("2").is_empty() && typed("a == \"s").is_empty());
    }

    #[test]
    fn columns_are_those_of_the_files_on_the_line() {
        let directory = std::env::temp_dir().join(format!("tally-typed-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let file = directory.join("a.csv");
        std::fs::write(&file, "price").unwrap();
        let words =
            ["tally".into(), "sum".into(), file.clone().into_os_string(), "/no/file".into(), "--of".into()];
        let line = Line::new(&words, Some(5), &Surroundings::default());
        assert_eq!(columns(&line, WORDS), [("price".to_owned(), format!("column of {}", file.display()))]);
        assert_eq!(values(expression(&line, WORDS, "'abs(p")), ["abs(price"]);
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn lists_and_templates_go_on_where_they_are() {
        assert_eq!(values(several(&["sum", "min", "mean"], "sum,m")), ["sum,min", "sum,mean"]);
        assert_eq!(values(several(&["sum", "min"], "sum,")), ["sum,min"]);
        assert_eq!(values(template("jobs", "'{job} {sta")), ["{job} {start}", "{job} {state}"]);
        assert!(template("jobs", "{job}").is_empty());
    }
}
