//! Whether a JSON document is what its schema in `docs/schema` says.
//!
//! It knows just the words of the language that those files use, and refuses a file with any other. It is stricter than
//! the language: a field that the schema does not name is a fault too, so that no new field goes without its entry.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

/// Words that only explain.
const REMARKS: [&str; 4] = ["$schema", "title", "description", "$defs"];

/// All schemas of a directory, by the name of their files.
#[derive(Clone, Debug)]
pub struct Schemas(BTreeMap<String, Value>);

impl Schemas {
    /// Reads them.
    ///
    /// # Panics
    /// When one cannot be read.
    #[must_use]
    pub fn read(directory: &Path) -> Self {
        let files = fs::read_dir(directory).expect("the directory of schemas can be read");
        let read = |path: &Path| {
            let text = fs::read_to_string(path).expect("a schema can be read");
            let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
            (name, serde_json::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display())))
        };
        Self(files.map(|file| read(&file.expect("a file of the directory").path())).collect())
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Checks a document against the schema that it names itself by `tally.NAME/1`, and returns that name.
    ///
    /// # Errors
    /// The first thing that is wrong, with where.
    pub fn check(&self, document: &Value) -> Result<String, String> {
        let name = document.get("schema").and_then(Value::as_str).ok_or("it names no schema")?;
        let name = name.strip_prefix("tally.").and_then(|name| name.strip_suffix("/1"));
        let name = name.ok_or("its schema is not called tally.NAME/1")?;
        let schema = self.0.get(name).ok_or_else(|| format!("there is no schema '{name}'"))?;
        self.fits(document, schema, name).map(|()| name.to_owned())
    }

    fn fits(&self, value: &Value, schema: &Value, at: &str) -> Result<(), String> {
        let rules = schema.as_object().ok_or_else(|| format!("{at}: the schema is no object"))?;
        let known = self.properties(schema, at)?;
        self.follows(value, rules, at)?;
        let closed = !rules.contains_key("additionalProperties");
        if let (Some(object), true, false) = (value.as_object(), closed, known.is_empty()) {
            for key in object.keys() {
                if !known.contains(key) {
                    return Err(format!("{at}: there is a field '{key}' that the schema does not name"));
                }
            }
        }
        Ok(())
    }

    /// The fields that a schema names, those of its parts included.
    fn properties(&self, schema: &Value, at: &str) -> Result<BTreeSet<String>, String> {
        let mut known: BTreeSet<String> = BTreeSet::new();
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            known.extend(properties.keys().cloned());
        }
        if let Some(link) = schema.get("$ref").and_then(Value::as_str) {
            known.extend(self.properties(self.linked(link, at)?, at)?);
        }
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            known.extend(self.properties(part, at)?);
        }
        Ok(known)
    }

    fn linked(&self, link: &str, at: &str) -> Result<&Value, String> {
        let (file, inside) =
            link.split_once(".json#").ok_or_else(|| format!("{at}: what is the link {link}?"))?;
        let found = self.0.get(file).and_then(|schema| schema.pointer(inside));
        found.ok_or_else(|| format!("{at}: {link} leads nowhere"))
    }

    /// Checks each rule but the one about unknown fields.
    fn follows(&self, value: &Value, rules: &Map<String, Value>, at: &str) -> Result<(), String> {
        for (rule, wanted) in rules {
            match rule.as_str() {
                remark if REMARKS.contains(&remark) => {}
                "type" => has_type(value, wanted, at)?,
                "const" if value != wanted => return Err(format!("{at}: {value} is not {wanted}")),
                "const" => {}
                "enum" if !wanted.as_array().is_some_and(|all| all.contains(value)) => {
                    return Err(format!("{at}: {value} is none of {wanted}"));
                }
                "enum" => {}
                "minimum" if value.as_i64().is_some_and(|number| Some(number) < wanted.as_i64()) => {
                    return Err(format!("{at}: {value} is less than {wanted}"));
                }
                "minimum" => {}
                "pattern" => has_pattern(value, wanted, at)?,
                "required" => {
                    for key in wanted.as_array().into_iter().flatten().filter_map(Value::as_str) {
                        value.get(key).ok_or_else(|| format!("{at}: there is no '{key}'"))?;
                    }
                }
                "properties" => {
                    for (key, schema) in wanted.as_object().into_iter().flatten() {
                        let Some(value) = value.get(key) else { continue };
                        self.fits(value, schema, &format!("{at}.{key}"))?;
                    }
                }
                "additionalProperties" if wanted.is_object() => {
                    for (key, value) in value.as_object().into_iter().flatten() {
                        self.fits(value, wanted, &format!("{at}.{key}"))?;
                    }
                }
                "additionalProperties" => {}
                "items" => {
                    for (index, value) in value.as_array().into_iter().flatten().enumerate() {
                        self.fits(value, wanted, &format!("{at}[{index}]"))?;
                    }
                }
                "$ref" => self.part(value, wanted, at)?,
                "allOf" => {
                    for part in wanted.as_array().into_iter().flatten() {
                        self.part(value, part.get("$ref").unwrap_or(part), at)?;
                    }
                }
                other => return Err(format!("{at}: the schema says '{other}', which nobody checks")),
            }
        }
        Ok(())
    }

    /// A part need not name every field: the whole does.
    fn part(&self, value: &Value, link: &Value, at: &str) -> Result<(), String> {
        let part = self.linked(link.as_str().unwrap_or_default(), at)?;
        self.follows(value, part.as_object().ok_or_else(|| format!("{at}: a part is no object"))?, at)
    }
}

fn has_type(value: &Value, wanted: &Value, at: &str) -> Result<(), String> {
    let is = match wanted.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("boolean") => value.is_boolean(),
        _ => return Err(format!("{at}: the schema says type {wanted}, which nobody checks")),
    };
    if is { Ok(()) } else { Err(format!("{at}: {value} is no {wanted}")) }
}

fn has_pattern(value: &Value, wanted: &Value, at: &str) -> Result<(), String> {
    let text = value.as_str().unwrap_or_default();
    let digits = match wanted.as_str() {
        Some("^j[0-9]+$") => text.strip_prefix('j').unwrap_or_default(),
        Some("^-?[0-9]+$") => text.strip_prefix('-').unwrap_or(text),
        _ => return Err(format!("{at}: the schema says pattern {wanted}, which nobody checks")),
    };
    let is = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is { Ok(()) } else { Err(format!("{at}: {value} is not like {wanted}")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schemas() -> Schemas {
        let parts = json!({"$defs": {"id": {"type": "object", "required": ["id"], "properties":
            {"id": {"type": "string", "pattern": "^j[0-9]+$"}}}}});
        let one = json!({"type": "object", "required": ["schema"], "allOf": [{"$ref": "parts.json#/$defs/id"}],
            "properties": {"schema": {"const": "tally.one/1"}, "n": {"type": "integer", "minimum": 0},
            "list": {"type": "array", "items": {"enum": ["a", "b"]}}, "inner": {"$ref": "parts.json#/$defs/id"}}});
        Schemas([("one".to_owned(), one), ("parts".to_owned(), parts)].into())
    }

    #[test]
    fn what_fits_is_accepted() {
        let document =
            json!({"schema": "tally.one/1", "id": "j7", "n": 0, "list": ["a", "b"], "inner": {"id": "j1"}});
        assert_eq!(schemas().check(&document), Ok("one".to_owned()));
    }

    #[test]
    fn everything_else_is_not() {
        for (document, why) in [
            (json!({"id": "j7"}), "it names no schema"),
            (json!({"schema": "tally.two/1"}), "there is no schema 'two'"),
            (json!({"schema": "tally.one/1"}), "one: there is no 'id'"),
            (json!({"schema": "tally.one/1", "id": "x7"}), "one.id: \"x7\" is not like"),
            (json!({"schema": "tally.one/1", "id": "j7", "n": -1}), "one.n: -1 is less than 0"),
            (json!({"schema": "tally.one/1", "id": "j7", "n": "1"}), "one.n: \"1\" is no \"integer\""),
            (json!({"schema": "tally.one/1", "id": "j7", "list": ["c"]}), "one.list[0]: \"c\" is none of"),
            (json!({"schema": "tally.one/1", "id": "j7", "new": 1}), "one: there is a field 'new'"),
            (
                json!({"schema": "tally.one/1", "id": "j7", "inner": {"id": "j1", "x": 1}}),
                "one.inner: there is a field 'x'",
            ),
        ] {
            let told = schemas().check(&document).unwrap_err();
            assert!(told.starts_with(why), "{told}");
        }
    }
}
