//! One look as plain text, for a pipe or a log: everything of it, however high that is, without escapes.

use tally_sys::tty::Size;

use super::cells::Frame;
use super::model::Model;
use super::ui::{Pane, Ui};
use super::{frame, panes};

/// The text, in so many columns.
pub(crate) fn text(model: &Model, ui: &Ui, columns: u16, ascii: bool) -> String {
    let jobs = model.top.jobs.len().max(1);
    let panes: Vec<(Pane, usize)> = [Pane::Workers, Pane::Locks, Pane::Objects]
        .into_iter()
        .map(|pane| (pane, panes::lines(model, pane)))
        .filter(|&(_, lines)| lines > 0)
        .collect();
    let rows = 3 + jobs + panes.iter().map(|(_, lines)| lines + 2).sum::<usize>();
    let size = Size { columns, rows: u16::try_from(rows).unwrap_or(u16::MAX) };
    let mut picture = Frame::new(size, ascii);
    // No line is what keys are about.
    let mut nowhere = ui.clone();
    nowhere.cursor = usize::MAX;
    frame::head(&mut picture, model);
    frame::jobs(&mut picture, model, &nowhere, 2, jobs, ascii);
    let mut row = 3 + jobs;
    for (pane, lines) in panes {
        nowhere.pane = pane;
        panes::draw(&mut picture, model, &nowhere, row, lines);
        panes::only_title(&mut picture, pane, row);
        row += lines + 2;
    }
    picture.text()
}
