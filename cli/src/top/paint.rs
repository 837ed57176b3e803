//! From one picture to the next: only the cells that differ are sent, so that nothing flickers and a slow line keeps up.

use super::cells::{Cell, Frame, Look};

/// Taking the terminal: the other screen, no cursor, no line that wraps; it tells when it loses the user's attention.
pub(crate) const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?1004h";
/// Giving it back.
pub(crate) const LEAVE: &[u8] = b"\x1b[?2026l\x1b[?1004l\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";
/// What stands between these is shown at once, not half of it; a terminal that does not know them passes over them.
pub(crate) const BEGIN: &str = "\x1b[?2026h";
/// The end of it.
pub(crate) const END: &str = "\x1b[?2026l";

/// Cells that stay as they are and are sent all the same, because moving over them takes more.
const GAP: usize = 6;

/// What turns the screen from `before` into `after`. Without `before`, or where it had another size, all of it is drawn.
pub(crate) fn paint(before: Option<&Frame>, after: &Frame, colour: bool) -> String {
    let mut out = Pen { text: String::new(), look: Look::Plain, colour };
    let before = before.filter(|before| before.size == after.size);
    if before.is_none() {
        out.text.push_str("\x1b[0m\x1b[2J");
    }
    let blank = Frame::new(after.size, false);
    let before = before.unwrap_or(&blank);
    for row in 0..after.rows() {
        out.row(row, before.row(row), after.row(row));
    }
    out.look(Look::Plain);
    out.text
}

struct Pen {
    text: String,
    look: Look,
    colour: bool,
}

impl Pen {
    fn row(&mut self, row: usize, before: &[Cell], after: &[Cell]) {
        let differs = |at: usize| before.get(at) != after.get(at);
        let mut at = 0;
        while at < after.len() {
            if !differs(at) {
                at += 1;
                continue;
            }
            // The second half of a wide character is drawn with the first.
            let mut from = at;
            while from > 0 && after[from].text.is_none() {
                from -= 1;
            }
            let mut end = at + 1;
            while let Some(next) = (end..(end + GAP).min(after.len())).find(|&next| differs(next)) {
                end = next + 1;
            }
            self.text.push_str(&format!("\x1b[{};{}H", row + 1, from + 1));
            for cell in &after[from..end] {
                self.look(cell.look);
                self.text.extend(cell.text);
            }
            at = end;
        }
    }

    fn look(&mut self, look: Look) {
        if look == self.look {
            return;
        }
        self.look = look;
        self.text.push_str(match (look, self.colour) {
            (Look::Plain, _) => "\x1b[0m",
            (Look::Bold, _) => "\x1b[0;1m",
            (Look::Dim, _) => "\x1b[0;2m",
            (Look::Selected, _) => "\x1b[0;7m",
            (Look::Good, true) => "\x1b[0;32m",
            (Look::Warn, true) => "\x1b[0;33m",
            (Look::Bad, true) => "\x1b[0;31m",
            (Look::Good | Look::Warn, false) => "\x1b[0m",
            (Look::Bad, false) => "\x1b[0;1m",
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tally_sys::tty::Size;

    fn frame(rows: &[&str]) -> Frame {
        let mut frame = Frame::new(Size { columns: 20, rows: 3 }, false);
        for (row, text) in rows.iter().enumerate() {
            frame.put(row, 0, 20, Look::Plain, text);
        }
        frame
    }

    #[test]
    fn what_stays_is_not_sent() {
        let one = frame(&["rate 100", "x"]);
        assert_eq!(paint(Some(&one), &one, true), "");
        assert_eq!(paint(Some(&one), &frame(&["rate 107", "x"]), true), "\x1b[1;8H7");
        let two = paint(Some(&one), &frame(&["ratE 101", "x          y"]), true);
        assert_eq!(two, "\x1b[1;4HE 101\x1b[2;12Hy", "a short gap is cheaper than a move");
    }

    #[test]
    fn all_is_drawn_at_first_and_after_a_change_of_size() {
        let one = frame(&["a", "", "b"]);
        let all = paint(None, &one, true);
        assert_eq!(all, "\x1b[0m\x1b[2J\x1b[1;1Ha\x1b[3;1Hb");
        let other = Frame::new(Size { columns: 19, rows: 3 }, false);
        assert_eq!(paint(Some(&other), &one, true), all);
    }

    #[test]
    fn looks_are_said_once_and_colours_only_where_wanted() {
        let mut one = frame(&[]);
        one.put(0, 0, 20, Look::Bad, "failed");
        assert_eq!(paint(Some(&frame(&[])), &one, true), "\x1b[1;1H\x1b[0;31mfailed\x1b[0m");
        let plain = paint(Some(&frame(&[])), &one, false);
        assert_eq!(plain, "\x1b[1;1H\x1b[0;1mfailed\x1b[0m");
    }

    #[test]
    fn wide_characters_are_drawn_whole() {
        let one = frame(&["a\u{6570}b"]);
        let all = paint(Some(&frame(&["axxb"])), &one, true);
        assert_eq!(all, "\x1b[1;2H\u{6570}");
    }

    #[test]
    fn the_way_back_undoes_the_way_in() {
        for mode in ["?1049", "?25", "?7", "?1004"] {
            let [enter, leave] = [ENTER, LEAVE].map(|bytes| std::str::from_utf8(bytes).unwrap());
            let both = [format!("{mode}h"), format!("{mode}l")];
            assert!(both.iter().any(|one| enter.contains(one)) && both.iter().any(|one| leave.contains(one)));
        }
        // The mouse is not taken: text is selected as in any other window.
        for mode in ["?1000", "?1002", "?1003", "?1006"] {
            assert!(!String::from_utf8_lossy(ENTER).contains(mode));
        }
    }
}
