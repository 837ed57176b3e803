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
    let mut table = places::with_completers(args::table(), &line, words);
    let here = std::env::current_dir().ok();
    let open = line.words.get(line.index).is_some_and(|word| {
        word.as_encoded_bytes().starts_with(b"'") || word.as_encoded_bytes().starts_with(b"\"")
    });
    let found = clap_complete::engine::complete(&mut table, line.words, line.index, here.as_deref()).ok()?;
    Some(written(shell, &found[..found.len().min(limits::COMPLETE_CANDIDATES_MAX)], open))
}

/// Candidates as the lines of a shell's stub read them. bash alone inserts them as they are, so what has a meaning for it is
/// escaped, unless a quote is `open`.
fn written(shell: &str, candidates: &[CompletionCandidate], open: bool) -> Vec<u8> {
    let between = std::env::var("_CLAP_IFS").unwrap_or_else(|_| "\n".to_owned());
    let one = |candidate: &CompletionCandidate| {
        let value = candidate.get_value().to_string_lossy();
        let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        let help = help.lines().next().unwrap_or_default();
        match shell {
            "bash" if open => value.into_owned(),
            "bash" => escaped(&value),
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

fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for letter in value.chars() {
        if letter.is_whitespace() || "()<>|&;*?[]{}$\"'\\`!#".contains(letter) {
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
    Ok(String::from_utf8_lossy(&text).trim_start().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_reads_its_own_form() {
        let one = || [CompletionCandidate::new("a b:c").help(Some("what it is\nmore".into()))];
        let text = |shell, open| String::from_utf8(written(shell, &one(), open)).unwrap();
        assert_eq!(text("bash", false), "a\\ b:c");
        assert_eq!(text("bash", true), "a b:c");
        assert_eq!(text("zsh", false), "a b\\:c:what it is");
        assert_eq!(text("fish", false), "a b:c\twhat it is");
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
