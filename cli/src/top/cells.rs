//! A picture of characters: what stands in each cell and how it looks. Pure; how it gets to a terminal is `paint`'s.
//!
//! Texts come from jobs of others: control characters never get into a cell, wide characters take two, and what does not
//! fit is cut with a mark.

use tally_sys::tty::Size;

/// How a cell looks. Nothing is told by colour alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Look {
    #[default]
    Plain,
    Bold,
    Dim,
    /// The line that keys are about.
    Selected,
    Good,
    Warn,
    Bad,
}

/// One place on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    /// Nothing where the wide character before it goes on.
    pub(crate) text: Option<char>,
    pub(crate) look: Look,
}

const BLANK: Cell = Cell { text: Some(' '), look: Look::Plain };

/// A whole screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) size: Size,
    cells: Vec<Cell>,
    /// Only ASCII can be shown.
    ascii: bool,
}

impl Frame {
    pub(crate) fn new(size: Size, ascii: bool) -> Self {
        let count = usize::from(size.columns) * usize::from(size.rows);
        Self { size, cells: vec![BLANK; count], ascii }
    }

    pub(crate) fn is_ascii(&self) -> bool {
        self.ascii
    }

    pub(crate) fn rows(&self) -> usize {
        usize::from(self.size.rows)
    }

    pub(crate) fn columns(&self) -> usize {
        usize::from(self.size.columns)
    }

    pub(crate) fn row(&self, row: usize) -> &[Cell] {
        let from = row * self.columns();
        self.cells.get(from..from + self.columns()).unwrap_or(&[])
    }

    /// Writes a text into so many columns of a row, cut where it is longer. What lies outside is left out.
    pub(crate) fn put(&mut self, row: usize, column: usize, width: usize, look: Look, text: &str) {
        let end = (column + width).min(self.columns());
        if row >= self.rows() || column >= end {
            return;
        }
        let long = wide(text) > end - column;
        let cut = if self.ascii { '~' } else { '\u{2026}' };
        let last = if long { end - 1 } else { end };
        let mut at = column;
        for letter in text.chars() {
            let letter = self.shown(letter);
            let width = width_of(letter);
            if width == 0 {
                continue;
            }
            if at + width > last {
                break;
            }
            self.set(row, at, Some(letter), look);
            if width == 2 {
                self.set(row, at + 1, None, look);
            }
            at += width;
        }
        if long {
            self.set(row, at, Some(cut), look);
        }
    }

    /// The same, as far right as it can be.
    pub(crate) fn put_right(&mut self, row: usize, column: usize, width: usize, look: Look, text: &str) {
        let free = width.saturating_sub(wide(text));
        self.put(row, column + free, width - free, look, text);
    }

    /// Gives a whole row a look.
    pub(crate) fn tint(&mut self, row: usize, look: Look) {
        for column in 0..self.columns() {
            if let Some(cell) = self.cell(row, column) {
                cell.look = look;
            }
        }
    }

    /// The rows as text, without blanks at their ends; no empty ones at the end.
    pub(crate) fn text(&self) -> String {
        let line = |row| {
            let letters: String = self.row(row).iter().filter_map(|cell| cell.text).collect();
            letters.trim_end().to_owned()
        };
        let mut text = (0..self.rows()).map(line).collect::<Vec<_>>().join("\n");
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    }

    fn shown(&self, letter: char) -> char {
        match letter {
            letter if letter.is_control() => ' ',
            letter if self.ascii && !letter.is_ascii() => '?',
            letter => letter,
        }
    }

    fn set(&mut self, row: usize, column: usize, text: Option<char>, look: Look) {
        if let Some(cell) = self.cell(row, column) {
            *cell = Cell { text, look };
        }
    }

    fn cell(&mut self, row: usize, column: usize) -> Option<&mut Cell> {
        let at = row * self.columns() + column;
        self.cells.get_mut(at)
    }
}

/// How many columns a text takes.
pub(crate) fn wide(text: &str) -> usize {
    text.chars().map(width_of).sum()
}

/// Columns of one character: 0 for what joins the one before it, 2 for those of East Asia and pictures. The blocks that
/// terminals agree on; of the others, 1.
fn width_of(letter: char) -> usize {
    match u32::from(letter) {
        0x300..=0x36f | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x2064 | 0x2066..=0x2069 => 0,
        0xfe00..=0xfe0f | 0xfeff | 0xe0100..=0xe01ef => 0,
        0x1100..=0x115f | 0x2e80..=0x303e | 0x3041..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff => 2,
        0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1f64f | 0x1f900..=0x1f9ff => 2,
        0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(columns: u16, rows: u16, ascii: bool) -> Frame {
        Frame::new(Size { columns, rows }, ascii)
    }

    #[test]
    fn what_is_too_long_is_cut_with_a_mark() {
        let mut frame = frame(8, 2, false);
        frame.put(0, 0, 8, Look::Plain, "12345678");
        frame.put(1, 2, 4, Look::Plain, "abcdef");
        assert_eq!(frame.text(), "12345678\n  abc…\n");
    }

    #[test]
    fn wide_characters_take_two_columns_and_are_never_halved() {
        let mut one = frame(6, 1, false);
        one.put(0, 0, 6, Look::Plain, "a\u{6570}\u{6570}\u{6570}");
        assert_eq!(one.text(), "a\u{6570}\u{6570}…\n");
        assert_eq!(one.row(0)[2].text, None);
        let mut two = frame(4, 1, false);
        two.put(0, 0, 4, Look::Plain, "e\u{301}!");
        assert_eq!(two.text(), "e!\n", "what joins the letter before it has no cell of its own");
    }

    #[test]
    fn nothing_that_moves_a_cursor_gets_in() {
        let mut frame = frame(12, 1, true);
        frame.put(0, 0, 12, Look::Plain, "a\u{1b}[2J\n\u{9b}é");
        assert_eq!(frame.text(), "a [2J  ?\n");
    }

    #[test]
    fn what_lies_outside_is_left_out() {
        let mut frame = frame(3, 1, true);
        frame.put(5, 0, 3, Look::Plain, "x");
        frame.put(0, 7, 3, Look::Plain, "x");
        frame.put_right(0, 0, 3, Look::Plain, "12");
        frame.put(0, 0, 0, Look::Plain, "x");
        assert_eq!(frame.text(), " 12\n");
        assert_eq!(Frame::new(Size { columns: 0, rows: 0 }, true).text(), "\n");
    }
}
