//! `lab`: runs a study and shows what it found.

use std::path::Path;

use tally_protocol::error::{ErrorCode, Failure};

use super::Context;
use crate::exit_code;
use crate::picture;
use crate::studies::StudyOptions;

/// A study that did not show what it claims ends with code 1: a lock that lost an update is a defect.
pub(super) fn run(
    context: &mut Context<'_, '_>,
    options: &StudyOptions,
    plot: Option<&Path>,
) -> Result<u8, Failure> {
    let is_answer = picture::prepare(plot, context.style.json)?;
    let report = (context.roles.studies.run)(options)?;
    match (is_answer, context.style.json) {
        (true, _) => context.terminal.note(&report.text),
        (false, true) => context.terminal.answer(&report.json)?,
        (false, false) => context.terminal.answer(&report.text)?,
    }
    if let Some(path) = plot {
        match &report.svg {
            Some(svg) => picture::save(path, svg, context.terminal)?,
            None => {
                let message = format!("could not draw '{}': it has no figures to draw", options.study);
                return Err(Failure::new(ErrorCode::BadUsage, message));
            }
        }
    }
    Ok(if report.holds { exit_code::ANSWERED } else { exit_code::FAILED })
}
