//! Completion of a command line while it is typed: `tally completion bash` prints the few lines that have a shell ask, and
//! the shell asks by running the program with `TALLY_COMPLETE` set to its own name.
//!
//! It never starts a daemon, writes no error, and gives up after 50 ms, whatever a daemon or a file system does: the work is
//! done on a thread that nobody waits for longer. The engine is that of the parser's makers, which they do not call stable:
//! it is pinned, and named in this folder alone.

mod line;
mod places;
mod things;
mod typed;

use std::ffi::OsString;
use std::sync::mpsc;
use std::time::Duration;

use clap_complete::CompletionCandidate;
use clap_complete::env::Shells;
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::limits;

use crate::args;
use crate::roles::Words;
use crate::suggest;
use crate::surroundings::Surroundings;
use line::Line;

/// The variable by which a shell asks. Not the engine's usual name, which another program may have set.
pub(crate) const VARIABLE: &str = "TALLY_COMPLETE";
/// The shells that can ask.
pub(crate) const SHELLS: [&str; 3] = ["bash", "zsh", "fish"];

/// What a shell is answered that asks; `None` if none does.
pub(crate) fn answer(args: &[OsString], around: &Surroundings, words: Words) -> Option<Vec<u8>> {
    let shell = around.get(VARIABLE)?.to_str()?.to_owned();
    // Without the two hyphens of the shell's lines it is a command like any other, whatever a variable says.
    if !SHELLS.contains(&shell.as_str()) || args.get(1).is_none_or(|arg| arg != "--") {
        return None;
    }
    // A defect here must not spoil the line that somebody is typing.
    std::panic::set_hook(Box::new(|_| {}));
    let (tell, told) = mpsc::channel();
    let (args, around) = (args.to_vec(), around.clone());
    std::thread::spawn(move || {
        // Nobody may be listening any more.
        tell.send(candidates(&shell, args, &around, words)).ok()
    });
    Some(told.recv_timeout(Duration::from_millis(limits::COMPLETE_MS_MAX)).ok().flatten().unwrap_or_default())
}

fn candidates(shell: &str, args: Vec<OsString>, around: &Surroundings, words: Words) -> Option<Vec<u8>> {
    let index = std::env::var("_CLAP_COMPLETE_INDEX").ok().and_then(|index| index.parse().ok());
    let line = Line::new(args.get(2..)?, index, around);
    let open = typed_last(&args, index);
    let mut table = places::with_completers(args::table(), &line, words);
    let here = std::env::current_dir().ok();
    let found = clap_complete::engine::complete(&mut table, line.words, line.index, here.as_deref()).ok()?;
    Some(written(shell, &found[..found.len().min(limits::COMPLETE_CANDIDATES_MAX)], open, bash_lists()))
}

/// The quote with which the word that is being typed begins.
fn typed_last(args: &[OsString], index: Option<usize>) -> Option<char> {
    let words = args.get(2..)?;
    let word = words.get(index.unwrap_or(words.len().saturating_sub(1)))?;
    word.to_str()?.chars().next().filter(|letter| "'\"".contains(*letter))
}

/// Whether bash only lists what can be chosen, so that a word about each does no harm: it inserts nothing of it.
fn bash_lists() -> bool {
    std::env::var("_CLAP_COMPLETE_COMP_TYPE").is_ok_and(|kind| ["63", "33", "64"].contains(&kind.as_str()))
}

/// Several candidates for bash to list, each with a word about it.
fn listed(candidates: &[CompletionCandidate]) -> Vec<String> {
    const HELP_LETTERS_MAX: usize = 56;
    let value = |one: &CompletionCandidate| one.get_value().to_string_lossy().into_owned();
    let width = candidates.iter().map(|one| value(one).chars().count()).max().unwrap_or(0);
    let one = |candidate: &CompletionCandidate| {
        let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        let help: String = help.lines().next().unwrap_or_default().chars().take(HELP_LETTERS_MAX).collect();
        let value = value(candidate);
        if help.is_empty() { value } else { format!("{value:width$}  ({help})") }
    };
    candidates.iter().map(one).collect()
}

/// Candidates as the lines of a shell's stub read them. bash alone inserts them as they are, so what has a meaning for it is
/// escaped, as far as a quote that is `open` does not do that.
fn written(shell: &str, candidates: &[CompletionCandidate], open: Option<char>, lists: bool) -> Vec<u8> {
    let between = std::env::var("_CLAP_IFS").unwrap_or_else(|_| "\n".to_owned());
    if shell == "bash" && lists && candidates.len() > 1 {
        return listed(candidates).join(&between).into_bytes();
    }
    let one = |candidate: &CompletionCandidate| {
        let value = candidate.get_value().to_string_lossy();
        let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        let help = help.lines().next().unwrap_or_default();
        match shell {
            "bash" => escaped(&value, open),
            "fish" if help.is_empty() => value.into_owned(),
            "fish" => format!("{value}\t{help}"),
            _ => {
                let value = value.replace('\\', "\\\\").replace(':', "\\:");
                if help.is_empty() { value } else { format!("{value}:{}", help.replace('\\', "\\\\")) }
            }
        }
    };
    candidates.iter().map(one).collect::<Vec<_>>().join(&between).into_bytes()
}

fn escaped(value: &str, open: Option<char>) -> String {
    if open == Some('\'') {
        return value.replace('\'', "'\\''");
    }
    let special = if open.is_some() { "$\"\\`" } else { " \t()<>|&;*?[]{}$\"'\\`!#" };
    let mut out = String::with_capacity(value.len());
    for letter in value.chars() {
        if special.contains(letter) {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

/// The lines that have a shell ask.
pub(crate) fn stub(shell: &str) -> Result<String, Failure> {
    let bad = |why: String| Failure::new(ErrorCode::BadUsage, why);
    let shells = Shells::builtins();
    let (true, Some(completer)) = (SHELLS.contains(&shell), shells.completer(shell)) else {
        let question = suggest::question(shell, &SHELLS);
        let message = format!("could not complete for '{shell}': it can be {}{question}", SHELLS.join(", "));
        return Err(bad(message));
    };
    let mut text = Vec::new();
    let written = completer.write_registration(VARIABLE, "tally", "tally", "tally", &mut text);
    written.map_err(|why| bad(format!("could not write the lines for {shell}: {why}")))?;
    let text = String::from_utf8_lossy(&text).trim_start().to_owned();
    Ok(if shell == "bash" { with_quotes(&text) } else { text })
}

/// bash gives its function the word without the quote that is open; whether there is one decides what must be escaped.
fn with_quotes(stub: &str) -> String {
    let bare = "words[COMP_CWORD]=\"$2\"";
    let quoted = "case \"${COMP_WORDS[COMP_CWORD]}\" in\n            \
                  [\\\'\\\"]*) words[COMP_CWORD]=\"${COMP_WORDS[COMP_CWORD]:0:1}${2#[\\\'\\\"]}\" ;;\n            \
                  *) words[COMP_CWORD]=\"$2\" ;;\n        esac";
    stub.replacen(bare, quoted, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_reads_its_own_form() {
        let one = || [CompletionCandidate::new("a b:c").help(Some("what it is\nmore".into()))];
        let text = |shell, open| String::from_utf8(written(shell, &one(), open, false)).unwrap();
        assert_eq!(text("bash", None), "a\\ b:c");
        assert_eq!(text("bash", Some('\'')), "a b:c");
        assert_eq!(text("zsh", None), "a b\\:c:what it is");
        assert_eq!(text("fish", None), "a b:c\twhat it is");
        assert_eq!(escaped("col(\"a'b\") * $", Some('"')), "col(\\\"a'b\\\") * \\$");
        assert_eq!(escaped("a'b", Some('\'')), "a'\\''b");
    }

    #[test]
    fn bash_lists_several_with_a_word_about_each() {
        let one =
            |value: &str| CompletionCandidate::new(value.to_owned()).help(Some("done sum 0..10".into()));
        let text = |candidates: &[CompletionCandidate]| {
            String::from_utf8(written("bash", candidates, None, true)).unwrap()
        };
        assert_eq!(text(&[one("j1"), one("j12")]), "j1   (done sum 0..10)\nj12  (done sum 0..10)");
        assert_eq!(text(&[one("j1")]), "j1", "what is inserted has no more than its name");
    }

    #[test]
    fn the_lines_for_bash_keep_an_open_quote() {
        assert!(stub("bash").unwrap().contains("COMP_WORDS[COMP_CWORD]:0:1"));
    }

    #[test]
    fn other_shells_are_refused() {
        assert_eq!(
            stub("tcsh").unwrap_err().message,
            "could not complete for 'tcsh': it can be bash, zsh, fish"
        );
        assert!(stub("fish").unwrap().starts_with("complete "));
    }
}
