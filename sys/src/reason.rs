//! What the system says of a failure, to fit into a sentence.

use std::io;

/// Its text, without its number.
#[must_use]
pub fn reason(why: &io::Error) -> String {
    plain(&why.to_string())
}

/// The same of the text of an [`io::Error`]: beginning with a small letter, and without the number behind it.
#[must_use]
pub fn plain(text: &str) -> String {
    let text = text.split_once(" (os error").map_or(text, |(text, _)| text);
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fits_into_a_sentence() {
        assert_eq!(reason(&io::Error::from_raw_os_error(2)), "no such file or directory");
        assert_eq!(plain("Input/output error (os error 5)"), "input/output error");
        assert_eq!(plain(""), "");
    }
}
