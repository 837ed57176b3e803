//! What is printed of an answer about an object: the plain thing, and nothing around it.

use tally_protocol::objects::{Datum, ObjectChange, ObjectResult};
use tally_protocol::printable;

use crate::meaning::objects::Shown;

/// A datum as it is: bytes raw, everything else as a line.
pub(super) fn datum(datum: &Datum) -> Vec<u8> {
    match datum {
        Datum::Bytes(bytes) => bytes.clone(),
        other => format!("{other}\n").into_bytes(),
    }
}

pub(super) fn text(result: &ObjectResult, shown: Shown) -> Vec<u8> {
    let line = |text: String| (text + "\n").into_bytes();
    let maybe = |number: Option<u64>| number.map(|number| line(number.to_string())).unwrap_or_default();
    match shown {
        Shown::Done => Vec::new(),
        Shown::Value | Shown::Item => result.value.as_ref().map(datum).unwrap_or_default(),
        Shown::Keys => result.keys.iter().flatten().flat_map(|key| line(key.clone())).collect(),
        Shown::Items => {
            let items = result.items.iter().flat_map(|items| &items.0);
            items.flat_map(|(key, value)| line(format!("{key}\t{value}"))).collect()
        }
        Shown::Values => result.values.iter().flatten().flat_map(|value| line(value.to_string())).collect(),
        Shown::Length => maybe(result.length),
        Shown::Index => maybe(result.index),
        Shown::Empty => line((result.length == Some(0)).to_string()),
        Shown::Set => line((result.set == Some(true)).to_string()),
        Shown::Barrier => {
            let (waiting, parties) = (result.length.unwrap_or(0), result.parties.unwrap_or(0));
            let broken = if result.broken == Some(true) { "\tbroken" } else { "" };
            line(format!("{waiting}\t{parties}{broken}"))
        }
        Shown::Figures => {
            let figures = result.results.iter().flatten();
            figures.flat_map(|one| line(format!("{}\t{}", one.reduction, one.value))).collect()
        }
    }
}

/// A change as one line: what, version, operation, key, value.
pub(super) fn change(change: &ObjectChange) -> String {
    let version = change.version.map(|version| version.to_string());
    let operation = change.operation.map(|word| word.name().to_owned());
    let value = change.value.as_ref().map(|value| escaped(&value.to_string()));
    let key = change.key.as_deref().map(escaped);
    let parts = [Some(change.what.name().to_owned()), version, operation, key, value];
    let mut parts: Vec<String> = parts.into_iter().map(Option::unwrap_or_default).collect();
    while parts.last().is_some_and(String::is_empty) {
        parts.pop();
    }
    parts.join("\t") + "\n"
}

/// In one line, and one of its columns: what would steer the terminal is escaped.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if printable::steers(letter) {
            out.extend(letter.escape_default());
        } else {
            out.push(letter);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use tally_protocol::objects::{Happening, Pairs, Word};

    fn shown(result: ObjectResult, how: Shown) -> String {
        String::from_utf8(text(&result, how)).unwrap()
    }

    #[test]
    fn answers_are_plain() {
        let value = |value: Datum| ObjectResult { value: Some(value), ..ObjectResult::default() };
        assert_eq!(shown(value(Datum::from(5)), Shown::Value), "5\n");
        assert_eq!(shown(value(Datum::Float(0.5)), Shown::Item), "0.5\n");
        assert_eq!(shown(value(Datum::from("a\tb")), Shown::Value), "a\tb\n");
        assert_eq!(
            text(&value(Datum::Bytes(vec![0, 10])), Shown::Value),
            [0, 10],
            "nothing is added to bytes"
        );
        assert_eq!(shown(value(Datum::from(5)), Shown::Done), "");
        let items = Pairs(vec![("a".into(), 1.into()), ("b".into(), "x".into())]);
        assert_eq!(
            shown(ObjectResult { items: Some(items), ..ObjectResult::default() }, Shown::Items),
            "a\t1\nb\tx\n"
        );
        let empty = ObjectResult { length: Some(0), ..ObjectResult::default() };
        assert_eq!(shown(empty.clone(), Shown::Empty), "true\n");
        assert_eq!(shown(empty, Shown::Length), "0\n");
    }

    #[test]
    fn a_change_is_one_line() {
        let mut one = ObjectChange {
            object: "d".into(),
            what: Happening::Changed,
            kind: None,
            version: Some(7),
            operation: Some(Word::Set),
            key: Some("k".into()),
            value: Some("a\nb".into()),
            length: Some(1),
        };
        assert_eq!(change(&one), "changed\t7\tset\tk\ta\\nb\n");
        one.value = Some("\t\u{1b}[2J\u{202e}é".into());
        assert_eq!(change(&one), "changed\t7\tset\tk\t\\t\\u{1b}[2J\\u{202e}é\n");
        one = ObjectChange {
            what: Happening::Absent,
            version: None,
            operation: None,
            key: None,
            value: None,
            ..one
        };
        assert_eq!(change(&one), "absent\n");
    }
}
