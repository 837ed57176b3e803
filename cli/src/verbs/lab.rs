//! `lab`: runs a study and shows what it found.

use std::path::Path;

use tally_protocol::error::{ErrorCode, Failure};

use super::Context;
use crate::exit_code;
use crate::place;
use crate::studies::StudyOptions;

/// A study that did not show what it claims ends with code 1: a lock that lost an update is a defect.
pub(super) fn run(
    context: &mut Context<'_, '_>,
    options: &StudyOptions,
    plot: Option<&Path>,
) -> Result<u8, Failure> {
    let report = (context.roles.studies.run)(options)?;
    context.terminal.answer(if context.style.json { &report.json } else { &report.text })?;
    if let Some(path) = plot {
        match &report.svg {
            Some(svg) => save(path, svg)?,
            None => {
                let message = format!("could not draw '{}': it has no figures to draw", options.study);
                return Err(Failure::new(ErrorCode::BadUsage, message));
            }
        }
    }
    Ok(if report.holds { exit_code::ANSWERED } else { exit_code::FAILED })
}

/// Writes a drawing.
pub(super) fn save(path: &Path, svg: &str) -> Result<(), Failure> {
    std::fs::write(path, svg).map_err(|why| {
        let message = format!("could not write {}: {}", path.display(), place::reason(&why));
        Failure::new(ErrorCode::System, message)
    })
}
