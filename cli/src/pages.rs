//! What the manual pages are made of: the table of the command line and the texts of the help.

use crate::args::help;

pub(crate) use crate::args::help::ABOUT;

/// The text of a topic of `tally help`.
pub(crate) fn topic(name: &str) -> Option<String> {
    help::TOPICS.iter().find(|(topic, _)| *topic == name).map(|(_, text)| text())
}

/// The examples of the long help.
pub(crate) fn examples() -> &'static str {
    part("Examples\n", "\n\n")
}

/// What the long help says of tally as a whole.
pub(crate) fn description() -> &'static str {
    part("\n\nWith no daemon", "\n\nOptions").trim_start()
}

/// From where the long help has `from`, which is taken along if it is no heading, to where it has `to`.
fn part(from: &str, to: &str) -> &'static str {
    let begin = help::LONG.find(from).map_or(0, |at| if from.ends_with('\n') { at + from.len() } else { at });
    let rest = &help::LONG[begin..];
    let end = rest[2..].find(to).map_or(rest.len(), |at| at + 2);
    &rest[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_are_found() {
        assert!(
            examples().starts_with("  tally sum 1..=100") && !examples().contains("Compute"),
            "{}",
            examples()
        );
        let said = description();
        assert!(said.starts_with("With no daemon") && said.ends_with("else."), "{said}");
    }
}
