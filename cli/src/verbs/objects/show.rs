//! What is printed of an answer about an object: the plain thing, and nothing around it.
//!
//! One datum is written as it is, to the byte, but on a terminal, which it must not steer. Of several each is one line, and
//! one column of it: what would be more than that stands as a JSON string.

use std::borrow::Cow;

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

/// The same for people: nothing in it steers the terminal.
fn visible(datum: &Datum) -> Vec<u8> {
    let mut line = String::new();
    for letter in datum.to_string().chars() {
        if printable::steers(letter) && !matches!(letter, '\n' | '\t') {
            push_escaped(&mut line, letter);
        } else {
            line.push(letter);
        }
    }
    line.push('\n');
    line.into_bytes()
}

/// One of several, as one column of a line. A plain one never begins with a quote.
fn column(text: &str) -> Cow<'_, str> {
    if !text.starts_with('"') && !text.chars().any(printable::steers) {
        return Cow::Borrowed(text);
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if printable::steers(letter) => push_escaped(&mut quoted, letter),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    Cow::Owned(quoted)
}

/// A letter as JSON has it in a string.
fn push_escaped(out: &mut String, letter: char) {
    match letter {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        letter => {
            let mut units = [0; 2];
            out.extend(letter.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
}

/// `for_people`: standard output is a terminal.
pub(super) fn text(result: &ObjectResult, shown: Shown, for_people: bool) -> Vec<u8> {
    let line = |text: String| (text + "\n").into_bytes();
    let maybe = |number: Option<u64>| number.map(|number| line(number.to_string())).unwrap_or_default();
    match shown {
        Shown::Done => Vec::new(),
        Shown::Value | Shown::Item => {
            let one = if for_people { visible } else { datum };
            result.value.as_ref().map(one).unwrap_or_default()
        }
        Shown::Keys => result.keys.iter().flatten().flat_map(|key| line(column(key).into_owned())).collect(),
        Shown::Items => {
            let items = result.items.iter().flat_map(|items| &items.0);
            let items = items.map(|(key, value)| format!("{}\t{}", column(key), column(&value.to_string())));
            items.flat_map(line).collect()
        }
        Shown::Values => {
            let values = result.values.iter().flatten();
            values.flat_map(|value| line(column(&value.to_string()).into_owned())).collect()
        }
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
        String::from_utf8(text(&result, how, false)).unwrap()
    }

    #[test]
    fn answers_are_plain() {
        let value = |value: Datum| ObjectResult { value: Some(value), ..ObjectResult::default() };
        assert_eq!(shown(value(Datum::from(5)), Shown::Value), "5\n");
        assert_eq!(shown(value(Datum::Float(0.5)), Shown::Item), "0.5\n");
        assert_eq!(shown(value(Datum::from("a\tb")), Shown::Value), "a\tb\n");
        assert_eq!(
            text(&value(Datum::Bytes(vec![0, 10])), Shown::Value, false),
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
    fn one_of_several_is_one_column_whatever_is_in_it() {
        let items = Pairs(vec![
            ("a\tb".into(), "two\nlines".into()),
            ("plain".into(), "back\\slash and 'quotes'".into()),
            ("\"q\"".into(), "\u{1b}[2J\u{7f}\u{202e}".into()),
        ]);
        let keys = items.0.iter().map(|(key, _)| key.clone()).collect();
        let values = items.0.iter().map(|(_, value)| value.clone()).collect();
        let result = ObjectResult {
            items: Some(items),
            keys: Some(keys),
            values: Some(values),
            ..ObjectResult::default()
        };
        let text = shown(result.clone(), Shown::Items);
        let last = r#""\"q\""#.to_owned() + "\"\t" + r#""\u001b[2J\u007f\u202e""#;
        let lines = [
            r#""a\tb""#.to_owned() + "\t" + r#""two\nlines""#,
            "plain\tback\\slash and 'quotes'".into(),
            last,
        ];
        assert_eq!(text, lines.join("\n") + "\n");
        for (cell, is) in text.lines().flat_map(|line| line.split('\t')).zip(["a\tb", "two\nlines"]) {
            assert_eq!(serde_json::from_str::<String>(cell).unwrap(), is, "it is JSON");
        }
        assert_eq!(shown(result.clone(), Shown::Keys), "\"a\\tb\"\nplain\n\"\\\"q\\\"\"\n");
        assert_eq!(shown(result, Shown::Values).lines().count(), 3);
    }

    #[test]
    fn a_terminal_is_not_steered_and_a_pipe_gets_every_byte() {
        let value = |value: Datum| ObjectResult { value: Some(value), ..ObjectResult::default() };
        let both = |datum: Datum| {
            let result = value(datum);
            (text(&result, Shown::Item, false), text(&result, Shown::Item, true))
        };
        let (pipe, terminal) = both("a\tb\n\u{1b}]0;x\u{7}é\r".into());
        assert_eq!(pipe, "a\tb\n\u{1b}]0;x\u{7}é\r\n".as_bytes());
        assert_eq!(terminal, "a\tb\n\\u001b]0;x\\u0007é\\r\n".as_bytes());
        let (pipe, terminal) = both(Datum::Bytes(vec![27, 255]));
        assert_eq!((pipe.as_slice(), terminal.as_slice()), (&[27, 255][..], &b"1bff\n"[..]));
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
