//! Lines from a template: `--format '{job}\t{state}'`.
//!
//! The fields are those of the JSON schema of what is listed, so that a name means the same in both and stays. What is
//! unknown of one of them is empty, as it is absent there.

use serde_json::Value;
use tally_protocol::error::{ErrorCode, Failure};

use super::schema;
use crate::suggest;

/// A template that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field(String),
}

impl Template {
    /// Reads one for a list of the schema `name`, such as `jobs`.
    pub(crate) fn read(text: &str, name: &str) -> Result<Self, Failure> {
        let bad = |why: String| {
            Failure::new(ErrorCode::BadUsage, format!("could not read --format '{text}': {why}"))
        };
        let known = schema::fields_of_list(name);
        let template = Self::pieces(text).map_err(|why| bad(why.to_owned()))?;
        for piece in &template.0 {
            let Piece::Field(field) = piece else { continue };
            if !known.iter().any(|one| one == field) {
                let names: Vec<&str> = known.iter().map(String::as_str).collect();
                let question = suggest::question(field, &names);
                let failure = bad(format!("there is no field '{field}'{question}"));
                return Err(failure.hint(listed(&names)));
            }
        }
        Ok(template)
    }

    fn pieces(text: &str) -> Result<Self, &'static str> {
        let (mut pieces, mut plain) = (Vec::new(), String::new());
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '{' | '}' if letters.peek() == Some(&letter) => {
                    letters.next();
                    plain.push(letter);
                }
                '{' => {
                    let field: String = letters.by_ref().take_while(|letter| *letter != '}').collect();
                    if !text.contains('}') || field.contains('{') {
                        return Err("a '{' is not closed; write '{{' for the character");
                    }
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    pieces.push(Piece::Field(field.trim().to_owned()));
                }
                '}' => return Err("a '}' closes nothing; write '}}' for the character"),
                '\\' => plain.push(match letters.next() {
                    Some('t') => '\t',
                    Some('n') => '\n',
                    Some('0') => '\0',
                    Some('\\') => '\\',
                    _ => return Err("a backslash begins \\t, \\n, \\0 or \\\\"),
                }),
                other => plain.push(other),
            }
        }
        pieces.push(Piece::Text(plain));
        Ok(Self(pieces))
    }

    /// The line of one of the list.
    pub(crate) fn line(&self, object: &Value) -> String {
        let mut line = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => line.push_str(text),
                Piece::Field(field) => line.push_str(&object.get(field).map(shown).unwrap_or_default()),
            }
        }
        line.push('\n');
        line
    }
}

/// The fields, in as many lines as an error may have.
fn listed(names: &[&str]) -> String {
    let all = names.iter().map(|name| name.len() + 1).sum::<usize>() + "there are".len();
    // An error has three lines more than its first.
    let width = (all / 3 + 12).max(68);
    let mut lines = vec![String::from("there are")];
    for name in names {
        let last = lines.len() - 1;
        if lines[last].len() + name.len() > width && lines.len() < 3 {
            lines.push((*name).to_owned());
        } else {
            lines[last] = format!("{} {name}", lines[last]);
        }
    }
    lines.join("\n")
}

/// A value as a script wants it: text as it is, in one line.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        Value::Array(values) if values.iter().all(|one| !one.is_object() && !one.is_array()) => {
            values.iter().map(shown).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn filled(template: &str, object: &Value) -> String {
        Template::pieces(template).unwrap().line(object)
    }

    #[test]
    fn fields_are_put_in() {
        let job = json!({"job": "j1", "pid": 7, "sources": ["a b", "c"], "n": {"x": [1]}, "odd": "a\tb\n", "no": null});
        assert_eq!(filled("{job}\\t{pid}", &job), "j1\t7\n");
        assert_eq!(
            filled("{{{job}}} {sources}|{n}|{odd}|{none}{no}", &job),
            "{j1} a b c|{\"x\":[1]}|a b |\n"
        );
        assert_eq!(filled("a\\\\b\\n", &job), "a\\b\n\n");
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for (text, why) in [("{job", "a '{' is not closed"), ("job}", "a '}' closes"), ("\\q", "a backslash")]
        {
            let failure = Template::read(text, "jobs").unwrap_err();
            assert!(failure.message.contains(why), "{}", failure.message);
        }
        let failure = Template::read("{stat}", "jobs").unwrap_err();
        assert_eq!(
            failure.message,
            "could not read --format '{stat}': there is no field 'stat'; did you mean 'start' or 'state'?"
        );
        let hint = failure.hint.unwrap();
        assert!(
            hint.starts_with("there are ") && hint.contains(" job ") && hint.lines().count() <= 3,
            "{hint}"
        );
    }
}
