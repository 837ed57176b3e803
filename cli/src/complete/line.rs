//! The line so far, as far as completion needs to understand it: it is half-written, so nothing here refuses anything.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::place::Reach;
use crate::surroundings::Surroundings;

/// The words of a line, the program's name first.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// As the engine gets them.
    pub(crate) words: Vec<OsString>,
    /// Which of them is being typed.
    pub(crate) index: usize,
    /// Without quotes, without the word that is being typed and those behind it.
    before: Vec<String>,
    around: Surroundings,
}

impl Line {
    /// `index` is the word that is being typed; the last one where a shell does not say.
    pub(crate) fn new(words: &[OsString], index: Option<usize>, around: &Surroundings) -> Self {
        let index = index.unwrap_or(words.len().saturating_sub(1));
        let mut words = words.to_vec();
        // bash makes three words of --of=price, and replaces the last one only.
        let joints = words.iter().take(index).filter(|word| *word == "=").count();
        let mut at = 0;
        words.retain(|word| {
            at += 1;
            at > index || word != "="
        });
        let index = index - joints;
        if words.get(index).is_some_and(|word| word == "=") {
            words[index] = OsString::new();
        }
        // zsh leaves an empty word out.
        words.resize(words.len().max(index + 1), OsString::new());
        // Quotes that are open come off, so that every place sees what is meant; the shell puts them back.
        let typed = words[index].to_string_lossy();
        if typed.starts_with(['\'', '"']) {
            words[index] = plain(&typed).into();
        }
        let before = words.iter().take(index).map(|word| plain(&word.to_string_lossy())).collect();
        Self { words, index, before, around: around.clone() }
    }

    /// The command, once it is there.
    pub(crate) fn command(&self) -> Option<&str> {
        self.arguments().next()
    }

    /// Words that are neither options nor, as far as can be told, their values.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = &str> {
        let words = self.before.iter().skip(1).map(String::as_str);
        words
            .scan(false, |value, word| {
                let is_value = std::mem::replace(value, takes_value(word));
                Some((!is_value && (!word.starts_with('-') || word == "-")).then_some(word))
            })
            .flatten()
    }

    /// How many words an operation on an object has already; its name is none of them.
    pub(crate) fn operands(&self) -> usize {
        let names = if self.command() == Some("objects") { 1 } else { 2 };
        self.arguments().count().saturating_sub(names)
    }

    /// The value of an option: of the last one, if it is there several times.
    pub(crate) fn option(&self, name: &str) -> Option<&str> {
        let pairs = self.before.windows(2).rev();
        let apart = pairs.filter(|pair| pair[0] == name).map(|pair| pair[1].as_str());
        let joined = self.before.iter().rev().filter_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        apart.chain(joined).next()
    }

    /// The word before the one that is being typed.
    pub(crate) fn last(&self) -> Option<&str> {
        self.before.last().map(String::as_str)
    }

    /// Whether a flag is there.
    pub(crate) fn has(&self, flag: &str) -> bool {
        self.before.iter().any(|word| word == flag)
    }

    /// The sources that are regular files. A pipe would wait for a writer.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        let arguments = self.arguments().skip(1).map(Path::new);
        arguments.filter(|path| std::fs::metadata(path).is_ok_and(|state| state.is_file()))
    }

    /// The daemon that the line means.
    pub(crate) fn reach(&self) -> Reach {
        Reach::of(self.option("--socket").map(PathBuf::from), &self.around)
    }
}

/// Options whose value may be taken for an argument. Not all need to be here: a value is no file and no job, mostly.
fn takes_value(word: &str) -> bool {
    const TAKERS: [&str; 13] = [
        "--socket",
        "--color",
        "--of",
        "--where",
        "--by",
        "--format",
        "--delimiter",
        "--step",
        "--workers",
        "--mode",
        "--timeout",
        "--command",
        "--config",
    ];
    TAKERS.contains(&word)
}

/// A word without the quotes that a shell will take off, closed or not.
pub(crate) fn plain(word: &str) -> String {
    let closed = [word.to_owned(), format!("{word}'"), format!("{word}\"")];
    let words = closed.iter().find_map(|word| shlex::split(word)).unwrap_or_default();
    words.first().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &[&str]) -> Line {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        Line::new(&words, None, &Surroundings::default())
    }

    #[test]
    fn an_option_that_bash_took_apart_is_put_together() {
        let words = ["tally", "sum", "--by", "=", "x", "--of", "=", "pri"].map(OsString::from);
        let line = Line::new(&words, Some(7), &Surroundings::default());
        assert_eq!((line.words.len(), line.index), (6, 5));
        assert_eq!(line.option("--by"), Some("x"));
        let line = Line::new(&words[..4], Some(3), &Surroundings::default());
        assert_eq!((line.words[3].as_os_str(), line.index), ("".as_ref(), 3));
        let line = Line::new(&words[..2], Some(2), &Surroundings::default());
        assert_eq!((line.words.len(), line.index), (3, 2));
    }

    #[test]
    fn quotes_come_off() {
        for (word, expected) in
            [("a", "a"), ("'a b'", "a b"), ("'a b", "a b"), ("\"a b", "a b"), ("a\\ b", "a b"), ("", "")]
        {
            assert_eq!(plain(word), expected, "{word}");
        }
    }

    #[test]
    fn options_and_arguments_are_told_apart() {
        let line = line(&[
            "tally", "--socket", "/s", "sum", "a.csv", "--of", "'price'", "--json", "-", "--by=x", "",
        ]);
        assert_eq!(line.command(), Some("sum"));
        assert_eq!(line.arguments().collect::<Vec<_>>(), ["sum", "a.csv", "-"]);
        assert_eq!(
            (line.option("--of"), line.option("--by"), line.option("--no")),
            (Some("price"), Some("x"), None)
        );
        assert!(line.has("--json") && !line.has("--quiet"));
        assert_eq!(line.reach().socket, Some("/s".into()));
    }
}
