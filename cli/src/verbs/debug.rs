//! `debug bundle`: writes the archive and says what is in it.

use tally_protocol::error::Failure;

use super::Context;
use crate::bundle::{self, Wanted};
use crate::exit_code;
use crate::place::Reach;
use crate::report::one_line;
use crate::show::json::{Document, Raw};
use crate::show::number::grouped;

pub(super) fn run(context: &mut Context<'_, '_>, reach: &Reach, wanted: &Wanted) -> Result<u8, Failure> {
    let written = bundle::write(context, reach, wanted)?;
    let path = written.path.display().to_string();
    if context.style.json {
        let files = written.members.iter().map(|member| {
            let bytes = u64::try_from(member.text.len()).unwrap_or(0);
            Document::nested().value("name", member.name).value("bytes", &bytes).object().0
        });
        let files = format!("[{}]", files.collect::<Vec<_>>().join(","));
        let document =
            Document::new("tally.debug-bundle/1").value("path", &path).value("bytes", &written.bytes);
        let document = document.value("files", &Raw(files)).value("missing", written.missing.as_slice());
        context.terminal.answer(&document.line())?;
        return Ok(exit_code::ANSWERED);
    }
    for member in &written.members {
        let bytes = grouped(&member.text.len().to_string());
        context.terminal.note(&format!("{:<16} {bytes:>9}  {}\n", member.name, member.about));
    }
    for missing in &written.missing {
        context.terminal.note(&format!("missing: {}\n", one_line(missing)));
    }
    context.terminal.answer(&format!("{path}\n"))?;
    Ok(exit_code::ANSWERED)
}
