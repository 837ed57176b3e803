//! `self-test`: whether this installation is whole, and what to do where it is not. Exit 0 or 1.

use tally_protocol::error::Failure;

use super::Context;
use crate::exit_code;
use crate::place::Reach;
use crate::report::one_line;
use crate::self_test;

pub(super) fn run(context: &mut Context<'_, '_>, reach: &Reach) -> Result<u8, Failure> {
    let report = self_test::look(context, reach)?;
    if context.style.json {
        context.terminal.answer(&report.json())?;
    } else {
        // What others have said is in it.
        let lines = report.text().lines().map(|line| one_line(line) + "\n").collect::<String>();
        context.terminal.answer(&lines)?;
    }
    Ok(if report.is_good() { exit_code::ANSWERED } else { exit_code::FAILED })
}
