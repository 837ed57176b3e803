//! Which characters of other people's texts are not shown as they are.

/// Whether a character steers what shows it instead of being shown: a control character, the end of a line, or a mark
/// that turns the direction of writing, with which a text can pass for another one.
#[must_use]
pub fn steers(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// A text as a word of a shell, in quotes: for people, who type it again.
#[must_use]
pub fn in_quotes(text: &str) -> String {
    if text.contains('\'') { format!("\"{text}\"") } else { format!("'{text}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_any_writing_are_shown() {
        assert!("aé€שלום سلام 日本 👩\u{200d}💻".chars().all(|letter| !steers(letter)));
        assert_eq!((in_quotes("a \"b\""), in_quotes("a 'b'")), ("'a \"b\"'".into(), "\"a 'b'\"".into()));
        assert!("\0\n\u{1b}\u{7f}\u{85}\u{202e}\u{2066}\u{200f}\u{2028}".chars().all(steers));
    }
}
