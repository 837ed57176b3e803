//! What is wrong with an expression, and the place where it is wrong.
//!
//! A message is a lowercase fragment that fits after "could not …:". The place is drawn by [`Fault::place`] as two
//! lines, the text and carets under it, as wide as a terminal shows them.

use std::error::Error;
use std::fmt;

/// Bytes of the text of an expression, from `start` up to and without `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// The smallest span that holds both.
    pub(crate) fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The text with carets under this span: two lines, each indented by four spaces, without a final newline.
    ///
    /// A long text is cut to what is near the place. Control characters are shown as spaces.
    #[must_use]
    pub fn place(self, text: &str) -> String {
        const BEFORE: usize = 60;
        const AFTER: usize = 40;
        /// In ASCII: the place is shown whatever the terminal's locale.
        const ELIDED: [char; 3] = ['.'; 3];
        let shown = |c: char| if c.is_control() { ' ' } else { c };
        let start = floor_boundary(text, self.start);
        let end = floor_boundary(text, self.end).max(start);
        let mut head: Vec<char> = text[..start].chars().map(shown).collect();
        let here: Vec<char> = text[start..end].chars().map(shown).collect();
        let mut tail: Vec<char> = text[end..].chars().map(shown).collect();
        if head.len() > BEFORE {
            head.drain(..head.len() - BEFORE);
            head.splice(0..0, ELIDED);
        }
        let mut carets = here.iter().map(|c| width(*c)).sum::<usize>().max(1);
        let mut here = here;
        if here.len() > AFTER {
            here.truncate(AFTER);
            here.extend(ELIDED);
            tail.clear();
            carets = here.iter().map(|c| width(*c)).sum();
        }
        if tail.len() > AFTER {
            tail.truncate(AFTER);
            tail.extend(ELIDED);
        }
        let indent: usize = head.iter().map(|c| width(*c)).sum();
        let line: String = head.into_iter().chain(here).chain(tail).collect();
        format!("    {}\n    {}{}", line.trim_end(), " ".repeat(indent), "^".repeat(carets))
    }
}

fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Columns of a terminal that a character takes.
fn width(c: char) -> usize {
    const NONE: [(u32, u32); 18] = [
        (0x300, 0x36f),
        (0x483, 0x489),
        (0x591, 0x5bd),
        (0x610, 0x61a),
        (0x64b, 0x65f),
        (0x900, 0x902),
        (0x93c, 0x93c),
        (0x94d, 0x94d),
        (0xe31, 0xe31),
        (0xe34, 0xe3a),
        (0xe47, 0xe4e),
        (0x1ab0, 0x1aff),
        (0x1dc0, 0x1dff),
        (0x200b, 0x200f),
        (0x20d0, 0x20ff),
        (0xfe00, 0xfe0f),
        (0xfe20, 0xfe2f),
        (0xe0100, 0xe01ef),
    ];
    const WIDE: [(u32, u32); 17] = [
        (0x1100, 0x115f),
        (0x231a, 0x231b),
        (0x2e80, 0x303e),
        (0x3041, 0x4dbf),
        (0x4e00, 0xa4cf),
        (0xa960, 0xa97c),
        (0xac00, 0xd7a3),
        (0xf900, 0xfaff),
        (0xfe30, 0xfe6f),
        (0xff01, 0xff60),
        (0xffe0, 0xffe6),
        (0x1f300, 0x1f64f),
        (0x1f680, 0x1f6ff),
        (0x1f7e0, 0x1f7eb),
        (0x1f900, 0x1f9ff),
        (0x1fa70, 0x1faff),
        (0x20000, 0x3fffd),
    ];
    let code = u32::from(c);
    let within = |ranges: &[(u32, u32)]| ranges.iter().any(|(low, high)| (*low..=*high).contains(&code));
    match code {
        ..0x300 => 1,
        _ if within(&NONE) => 0,
        _ if within(&WIDE) => 2,
        _ => 1,
    }
}

/// Why an expression cannot be used: its text, its names or its types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where, in bytes of the text.
    pub span: Span,
    /// What is wrong, a lowercase fragment.
    pub message: String,
    /// What to write instead, when that is known; a fragment too.
    pub hint: Option<String>,
}

impl Fault {
    pub(crate) fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The text with carets under what is wrong; see [`Span::place`].
    #[must_use]
    pub fn place(&self, text: &str) -> String {
        self.span.place(text)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carets_stand_under_the_place() {
        assert_eq!(Span::new(5, 6).place("i*i %% 7"), "    i*i %% 7\n         ^");
        assert_eq!(Span::new(0, 3).place("abc"), "    abc\n    ^^^");
        assert_eq!(Span::new(3, 3).place("abc"), "    abc\n       ^");
    }

    #[test]
    fn wide_and_combining_characters_are_counted_as_a_terminal_does() {
        let text = "価格 + e\u{301} + x";
        let at = text.find('x').unwrap();
        let place = Span::new(at, at + 1).place(text);
        assert_eq!(place.lines().nth(1).unwrap(), format!("    {}^", " ".repeat(4 + 3 + 1 + 3)));
        let place = Span::new(0, 6).place(text);
        assert_eq!(place.lines().nth(1).unwrap(), "    ^^^^");
    }

    #[test]
    fn a_long_text_is_cut_and_a_span_beyond_it_does_no_harm() {
        let text = "x+".repeat(5000);
        let place = Span::new(5000, 5001).place(&text);
        assert!(place.lines().all(|line| line.chars().count() < 120), "{place}");
        assert_eq!(Span::new(99, 104).place("é\n"), "    é\n      ^");
    }
}
