//! Tables of plain text: columns as wide as their widest cell, two spaces between them, no lines around.
//!
//! Cells come from jobs and workers of others; control characters in them are replaced.

use crate::terminal::{Paint, Terminal};

/// Which side a column's cells keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table that is being filled.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    columns: Vec<(String, Side)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(columns: &[(&str, Side)]) -> Self {
        Self {
            columns: columns.iter().map(|(name, side)| ((*name).to_owned(), *side)).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row with a cell for each column.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells.iter().map(|cell| clean(cell)).collect());
    }

    /// The table as lines, the header first, each after `indent`.
    pub(crate) fn text(&self, indent: &str, header: impl Fn(&str) -> String) -> String {
        let width = |at: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(at)).chain([&self.columns[at].0]);
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let padded =
                cells.zip(&self.columns).zip(&widths).map(|((cell, (_, side)), &width)| match side {
                    Side::Left => format!("{cell:<width$}"),
                    Side::Right => format!("{cell:>width$}"),
                });
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let names = line(&mut self.columns.iter().map(|(name, _)| name.as_str()));
        let mut text = format!("{indent}{}\n", header(&names));
        for row in &self.rows {
            text.push_str(&format!("{indent}{}\n", line(&mut row.iter().map(String::as_str))));
        }
        text
    }

    /// The table for standard output. On a terminal that is narrower, lines end with it: a folded table is none.
    pub(crate) fn for_answer(&self, terminal: &Terminal<'_>) -> String {
        let text = match terminal.size() {
            Some((columns, _)) => cut(&self.text("", str::to_owned), columns),
            None => self.text("", str::to_owned),
        };
        match text.split_once('\n') {
            Some((names, rows)) => format!("{}\n{rows}", terminal.painted(Paint::Bold, names)),
            None => text,
        }
    }
}

/// Lines of at most so many characters; what is cut says so.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    let line = |line: &str| match line.char_indices().nth(columns) {
        None => line.to_owned() + "\n",
        Some(_) => line.chars().take(columns.saturating_sub(1)).chain(['>', '\n']).collect(),
    };
    text.lines().map(line).collect()
}

fn clean(cell: &str) -> String {
    cell.chars().map(|c| if tally_protocol::printable::steers(c) { ' ' } else { c }).collect()
}

/// Pairs of a name and what it is, the names in one column.
pub(crate) fn facts(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let lines =
        pairs.iter().map(|(name, what)| format!("{name:<width$}  {}", clean(what)).trim_end().to_owned());
    lines.map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&[("JOB", Side::Left), ("DONE", Side::Right), ("WHAT", Side::Left)]);
        table.row(vec!["j1".into(), "100%".into(), "sum 0..10".into()]);
        table.row(vec!["j1000".into(), "5%".into(), "max\n0..1".into()]);
        let expected = "JOB    DONE  WHAT\nj1     100%  sum 0..10\nj1000    5%  max 0..1\n";
        assert_eq!(table.text("", str::to_owned), expected);
    }

    #[test]
    fn lines_are_cut_where_a_terminal_ends() {
        assert_eq!(cut("abcde\nabcdef\n\näöüäöü\n", 5), "abcde\nabcd>\n\näöüä>\n");
    }

    #[test]
    fn an_empty_table_is_its_header() {
        let table = Table::new(&[("A", Side::Left), ("B", Side::Right)]);
        assert_eq!(table.text("  ", |names| format!("<{names}>")), "  <A  B>\n");
    }

    #[test]
    fn facts_stand_in_columns() {
        let text = facts(&[("workers", "2 of 2".into()), ("pid", "7".into()), ("socket", String::new())]);
        assert_eq!(text, "workers  2 of 2\npid      7\nsocket\n");
    }
}
