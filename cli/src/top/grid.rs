//! Columns of fixed width on a frame; the last one takes what is left.

use super::cells::{Frame, Look};
use crate::show::table::Side;

/// One column: its name, how many characters it takes, and which side they keep to. The last has any width.
pub(crate) type Column = (&'static str, usize, Side);

/// The columns of a table on a screen.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    columns: Vec<Column>,
    /// Columns of the screen left free before the first.
    indent: usize,
}

impl Grid {
    /// Those of the columns that are wanted.
    pub(crate) fn new(indent: usize, columns: &[(bool, Column)]) -> Self {
        Self {
            columns: columns.iter().filter(|(wanted, _)| *wanted).map(|&(_, column)| column).collect(),
            indent,
        }
    }

    pub(crate) fn header(&self, frame: &mut Frame, row: usize) {
        let names = self.columns.iter().map(|&(name, ..)| (name, Look::Bold, name.to_owned()));
        self.row(frame, row, names);
    }

    /// Writes a row: name of the column, look, text. What has no column is left out.
    pub(crate) fn row<'a>(
        &self,
        frame: &mut Frame,
        row: usize,
        cells: impl IntoIterator<Item = (&'a str, Look, String)>,
    ) {
        for (name, look, text) in cells {
            let mut at = self.indent;
            for (place, &(column, width, side)) in self.columns.iter().enumerate() {
                let width =
                    if place + 1 == self.columns.len() { frame.columns().saturating_sub(at) } else { width };
                if column == name {
                    match side {
                        Side::Left => frame.put(row, at, width, look, &text),
                        Side::Right => frame.put_right(row, at, width, look, &text),
                    }
                }
                at += width + 1;
            }
        }
    }
}
