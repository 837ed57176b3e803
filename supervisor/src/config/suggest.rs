//! "Did you mean" for keys, words and variables.

use tally_protocol::near;

/// The nearest word, if one is near.
pub(super) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    near::nearest(word, known).first().map(|(_, near)| *near)
}

/// `; did you mean 'retries'?`, or nothing.
pub(super) fn question(word: &str, known: &[&str]) -> String {
    nearest(word, known).map_or_else(String::new, |near| format!("; did you mean '{near}'?"))
}
