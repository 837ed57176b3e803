//! `jobs --watch`: the list again whenever it has changed. A table is drawn in place on a terminal; elsewhere, and as JSON,
//! each list follows the one before.

use std::collections::BTreeMap;

use tally_protocol::error::Failure;
use tally_protocol::ids::JobId;
use tally_protocol::view::JobView;
use tally_sys::clock;

use super::{Jobs, list, table};
use crate::conversation::{Conversation, Paused, interrupted};
use crate::show::json;
use crate::show::table::cut;
use crate::show::template::Template;
use crate::verbs::Context;

/// To the beginning of the line so many lines above, and everything from there on away.
fn back(lines: usize) -> String {
    let up = if lines > 0 { format!("\u{1b}[{lines}A") } else { String::new() };
    format!("\r{up}\u{1b}[J")
}

pub(super) fn run(
    context: &mut Context<'_, '_>,
    talk: &mut Conversation,
    asked: &Jobs,
    every_ms: u64,
) -> Result<u8, Failure> {
    let (mut shown, mut lines) = (None, BTreeMap::new());
    let mut drawn = 0;
    talk.watch_output(std::io::stdout());
    loop {
        let jobs = list(context, talk, asked.all)?;
        if let Some(template) = &asked.template {
            context.terminal.answer(&changed(&mut lines, template, &jobs))?;
        } else if context.style.json {
            answer_if_new(context, &mut shown, json::jobs(&jobs))?;
        } else if context.terminal.can_redraw() {
            drawn = redraw(context, &jobs, drawn)?;
        } else {
            answer_if_new(context, &mut shown, table(&jobs).for_answer(context.terminal))?;
        }
        if context.terminal.answer_is_unread() {
            return Ok(0);
        }
        let until = clock::monotonic_ns().saturating_add(every_ms.saturating_mul(1_000_000));
        match talk.pause(until)? {
            Paused::Over => {}
            Paused::Signal(signal) => return Err(interrupted(signal, "")),
            Paused::Unread => return Ok(0),
        }
    }
}

fn answer_if_new(
    context: &mut Context<'_, '_>,
    shown: &mut Option<String>,
    text: String,
) -> Result<(), Failure> {
    if shown.as_ref() != Some(&text) {
        context.terminal.answer(&text)?;
        *shown = Some(text);
    }
    Ok(())
}

/// The lines of those jobs whose lines are others than before.
fn changed(lines: &mut BTreeMap<JobId, String>, template: &Template, jobs: &[JobView]) -> String {
    lines.retain(|id, _| jobs.iter().any(|job| job.job == *id));
    let mut text = String::new();
    for job in jobs {
        let line = json::lines(template, std::slice::from_ref(job));
        if lines.get(&job.job) != Some(&line) {
            text.push_str(&line);
            lines.insert(job.job, line);
        }
    }
    text
}

/// Draws the table over the one before, which had `drawn` lines.
fn redraw(context: &mut Context<'_, '_>, jobs: &[JobView], drawn: usize) -> Result<usize, Failure> {
    let (columns, rows) = context.terminal.look_at_size().unwrap_or((80, 24));
    let text = table(jobs).for_answer(context.terminal);
    let lines = picture(&text, columns, rows);
    context.terminal.answer(&format!("{}{}\n", back(drawn), lines.join("\n")))?;
    Ok(lines.len())
}

/// As much of a table as there is room for: its header and its last rows, which are the newest jobs.
fn picture(table: &str, columns: usize, rows: usize) -> Vec<String> {
    let mut lines: Vec<String> = table.lines().map(str::to_owned).collect();
    if lines.len() < 2 {
        return vec!["no jobs".to_owned()];
    }
    // The last line of the terminal stays free for the cursor.
    let room = rows.saturating_sub(1).max(3);
    if lines.len() > room {
        let above = lines.len() - room + 1;
        lines.drain(1..=above);
        lines.push(cut(&format!("{above} more above"), columns).trim_end().to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake;

    #[test]
    fn a_line_comes_again_when_it_is_another() {
        let template = Template::read("{job} {state}", "jobs").unwrap();
        let (mut lines, running) = (BTreeMap::new(), fake::job_running());
        assert_eq!(changed(&mut lines, &template, std::slice::from_ref(&running)), "j1 running\n");
        assert_eq!(changed(&mut lines, &template, std::slice::from_ref(&running)), "");
        assert_eq!(changed(&mut lines, &template, &[fake::job_done("sum", "45")]), "j1 done\n");
        assert_eq!(changed(&mut lines, &template, &[]), "");
        assert!(lines.is_empty());
    }

    #[test]
    fn the_newest_are_shown_where_there_is_no_room_for_all() {
        assert_eq!(picture("JOB\nj1\nj2\n", 80, 24), ["JOB", "j1", "j2"]);
        assert_eq!(picture("JOB\nj1\nj2\nj3\nj4\nj5\n", 80, 5), ["JOB", "j4", "j5", "3 more above"]);
        assert_eq!(picture("JOB\n", 80, 24), ["no jobs"]);
    }

    #[test]
    fn the_cursor_goes_back_over_what_was_drawn() {
        assert_eq!(back(0), "\r\u{1b}[J");
        assert_eq!(back(3), "\r\u{1b}[3A\u{1b}[J");
    }
}
