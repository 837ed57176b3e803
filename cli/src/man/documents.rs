//! Pages about what is not a command: settings, expressions, kernels, JSON, the protocol.

use serde_json::Value;

use super::roff::{Roff, bold, escaped, italic};
use super::{Page, Subject, markdown};
use crate::pages;
use crate::show::schema;

/// A page from a document: its name, its section, what it is about, the document.
const DOCUMENTS: [(&str, u8, &str, &str); 4] = [
    ("tally.toml", 5, "settings of tally and its daemon", include_str!("../../../docs/configuration.md")),
    (
        "tally-expressions",
        7,
        "the language of --of and --where",
        include_str!("../../../docs/expressions.md"),
    ),
    (
        "tally-kernel",
        7,
        "a command of your own as the kernel of a job",
        include_str!("../../../docs/kernels.md"),
    ),
    ("tally-protocol", 7, "the control socket of the daemon", include_str!("../../../docs/protocol.md")),
];

/// The built-in settings.
const SETTINGS: &str = include_str!("../../../config.toml");

pub(super) fn pages() -> impl Iterator<Item = Page> {
    let json = ("tally-json", 7, "what the commands print with --json", Subject::Json);
    let documents = DOCUMENTS
        .into_iter()
        .map(|(name, section, about, document)| (name, section, about, Subject::Document(document)));
    documents.chain([json]).map(|(name, section, about, subject)| Page {
        name: name.to_owned(),
        section,
        about: about.to_owned(),
        subject,
    })
}

pub(super) fn page_of(about: &Page, document: &str) -> String {
    let mut page = Roff::new(&about.name, about.section, &about.about);
    page.section("DESCRIPTION");
    markdown::write(document, &mut page);
    if about.section == 5 {
        page.section("BUILT-IN SETTINGS");
        page.example(SETTINGS);
    }
    page.section("SEE ALSO");
    page.paragraph(&format!("{}(1)", bold("tally")));
    page.end()
}

/// What `--json` prints: the topic of the help, then the fields of each schema.
pub(super) fn json_page(about: &Page) -> String {
    let mut page = Roff::new(&about.name, about.section, &about.about);
    page.section("DESCRIPTION");
    page.example(&pages::topic("json").unwrap_or_default());
    page.section("SCHEMAS");
    for (name, text) in schema::ALL {
        // A test reads each of them.
        let schema: Value = serde_json::from_str(text).unwrap_or_default();
        let parts = schema.get("$defs").and_then(Value::as_object);
        if let Some(parts) = parts {
            for (part, schema) in parts {
                describe(&format!("part {part}"), schema, &mut page);
            }
        } else {
            describe(&format!("tally.{name}/1"), &schema, &mut page);
        }
    }
    page.section("SEE ALSO");
    page.paragraph(&format!("{}(1)", bold("tally")));
    page.end()
}

fn describe(title: &str, schema: &Value, page: &mut Roff) {
    page.subsection(title);
    let said =
        |value: &Value| value.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    let about = said(schema);
    if !about.is_empty() {
        page.paragraph(&format!("{}.", escaped(&about)));
    }
    for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        page.paragraph(&format!("All fields of the {}.", linked(part).unwrap_or_default()));
    }
    for (name, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        if name != "schema" {
            let text = format!("{}{}", said(field), words_of(field));
            page.item(&format!("{} {}", bold(name), italic(&kind(field))), &escaped(&text));
        }
    }
}

fn linked(schema: &Value) -> Option<String> {
    let link = schema.get("$ref")?.as_str()?;
    Some(format!("part {}", link.rsplit('/').next()?))
}

/// The words of a list that is too long for the term.
fn words_of(field: &Value) -> String {
    let kind = kind(field);
    let words = field.get("enum").and_then(Value::as_array).filter(|_| kind.starts_with("one of "));
    let words: Vec<&str> = words.into_iter().flatten().filter_map(Value::as_str).collect();
    if words.is_empty() { String::new() } else { format!(": {}", words.join(", ")) }
}

/// What a field can hold, in a word or two.
fn kind(field: &Value) -> String {
    if let Some(part) = linked(field) {
        return part;
    }
    if let Some(values) = field.get("enum").and_then(Value::as_array) {
        let words: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
        let all = words.join("|");
        // The term of an item is one line.
        return if all.len() <= 40 { all } else { format!("one of {}", words.len()) };
    }
    match field.get("type").and_then(Value::as_str) {
        Some("array") => format!("array of {}", field.get("items").map(kind).unwrap_or_default()),
        Some(word) => word.to_owned(),
        None => String::new(),
    }
}
