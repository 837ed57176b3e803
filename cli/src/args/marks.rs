//! Negative numbers among the arguments: `-5..5` is a source, never an option.
//!
//! Before the parser sees them, arguments that begin like a negative number get a mark in front, so that they no
//! longer look like options; every reader of values takes it off again. `--wrokers 3` stays an error that way,
//! which letting any hyphen through would not.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// No argument begins with this by itself: it is a control character that no shell or person types.
const MARK: char = '\u{1}';

/// Marks what begins like a negative number, and an expression that begins with a minus sign, up to `--`.
pub(crate) fn put(args: Vec<OsString>) -> Vec<OsString> {
    let (mut only_values, mut expression) = (false, false);
    let mark = |arg: OsString| {
        let bytes = arg.as_bytes();
        let marked = !only_values && (is_negative(bytes) || (expression && is_minus(bytes)));
        expression = !only_values && (arg == "--of" || arg == "--where");
        only_values |= arg == "--";
        if marked { OsString::from_vec([&[MARK as u8], arg.as_bytes()].concat()) } else { arg }
    };
    args.into_iter().map(mark).collect()
}

/// `-5`, `-.5`: a hyphen and then a number begins.
fn is_negative(bytes: &[u8]) -> bool {
    matches!(bytes, [b'-', b'0'..=b'9', ..] | [b'-', b'.', b'0'..=b'9', ..])
}

/// `-price`, `-(i % 7)`: after `--of` a single hyphen is a minus sign; two are the next option, its value forgotten.
fn is_minus(bytes: &[u8]) -> bool {
    matches!(bytes, [b'-', next, ..] if *next != b'-')
}

/// A value as it was typed.
pub(crate) fn plain(text: &str) -> String {
    text.strip_prefix(MARK).unwrap_or(text).to_owned()
}

/// A value that need not be text, as it was typed.
pub(crate) fn plain_bytes(value: OsString) -> OsString {
    match value.as_bytes().strip_prefix(&[MARK as u8]) {
        Some(plain) => OsString::from_vec(plain.to_vec()),
        None => value,
    }
}

/// A longer text, such as an error, without any mark.
pub(crate) fn without(text: &str) -> Cow<'_, str> {
    if text.contains(MARK) { Cow::Owned(text.replace(MARK, "")) } else { Cow::Borrowed(text) }
}

/// Whether an argument begins like a negative number, marked or not.
pub(crate) fn is_marked(arg: &OsStr) -> bool {
    arg.as_bytes().first() == Some(&(MARK as u8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(args: &[&str]) -> Vec<String> {
        let args = put(args.iter().map(OsString::from).collect());
        args.iter().map(|arg| arg.to_str().unwrap().replace(MARK, "!")).collect()
    }

    #[test]
    fn negative_numbers_are_marked() {
        assert_eq!(
            marked(&["sum", "-5..5", "-.5", "-x", "--5", "-"]),
            ["sum", "!-5..5", "!-.5", "-x", "--5", "-"]
        );
        assert_eq!(marked(&["--step", "-2"]), ["--step", "!-2"]);
    }

    #[test]
    fn an_expression_may_begin_with_a_minus_sign() {
        assert_eq!(marked(&["--of", "-i // 7", "-q"]), ["--of", "!-i // 7", "-q"]);
        assert_eq!(marked(&["--of", "--json"]), ["--of", "--json"]);
    }

    #[test]
    fn what_follows_two_hyphens_is_left_alone() {
        assert_eq!(marked(&["-6", "--", "-5"]), ["!-6", "--", "-5"]);
    }

    #[test]
    fn marks_come_off() {
        let args = put(vec![OsString::from("-5..5")]);
        assert!(is_marked(&args[0]));
        assert_eq!(plain(args[0].to_str().unwrap()), "-5..5");
        assert_eq!(without("unexpected '\u{1}-5'"), "unexpected '-5'");
    }

    #[test]
    fn bytes_that_are_no_text_pass() {
        let odd = OsString::from_vec(vec![b'-', b'5', 0xff]);
        let marked = put(vec![odd.clone()]).remove(0);
        assert_eq!(marked.as_bytes()[1..], *odd.as_bytes());
        assert_eq!(plain_bytes(marked), odd);
    }
}
