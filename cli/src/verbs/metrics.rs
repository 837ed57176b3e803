//! `metrics`: counters and figures of the daemon, as OpenMetrics text.

use tally_protocol::control::{Request, part};
use tally_protocol::error::Failure;

use super::{Context, ask};
use crate::place::Reach;
use crate::show::json::Document;

pub(super) fn run(context: &mut Context<'_, '_>, reach: &Reach) -> Result<u8, Failure> {
    let text: String = part(ask(context, reach, &Request::Metrics, "read the metrics")?, "text")?;
    let text =
        if context.style.json { Document::new("tally.metrics/1").value("text", &text).line() } else { text };
    context.terminal.answer(&text)?;
    Ok(0)
}
