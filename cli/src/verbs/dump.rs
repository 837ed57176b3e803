//! `dump`: the daemon's whole state, for people who look for a defect.

use serde_json::Value;
use tally_protocol::control::{Request, part};
use tally_protocol::error::Failure;

use super::{Context, ask};
use crate::place::Reach;
use crate::show::json::{Document, Raw};

pub(super) fn run(context: &mut Context<'_, '_>, reach: &Reach) -> Result<u8, Failure> {
    let mut state: String = part(ask(context, reach, &Request::Dump, "dump the state")?, "state")?;
    if context.style.json {
        context.terminal.answer(&document(&state))?;
    } else {
        if !state.ends_with('\n') {
            state.push('\n');
        }
        context.terminal.answer(&state)?;
    }
    Ok(0)
}

/// The state as one object on one line that begins with its schema.
fn document(state: &str) -> String {
    let one_line = state.trim().replace('\n', " ");
    match serde_json::from_str::<Value>(state) {
        Ok(_) if one_line.starts_with("{\"schema\":") => one_line + "\n",
        Ok(_) => Document::new("tally.dump/1").value("state", &Raw(one_line)).line(),
        Err(_) => Document::new("tally.dump/1").value("state", state).line(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_is_one_object_with_its_schema_first() {
        let own = "{\"schema\":\"tally.dump/1\",\n\"jobs\":[]}\n";
        assert_eq!(document(own), "{\"schema\":\"tally.dump/1\", \"jobs\":[]}\n");
        assert_eq!(document("{\"jobs\":[]}"), "{\"schema\":\"tally.dump/1\",\"state\":{\"jobs\":[]}}\n");
        assert_eq!(document("no json"), "{\"schema\":\"tally.dump/1\",\"state\":\"no json\"}\n");
    }
}
