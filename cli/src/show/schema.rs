//! The schemas of what `--json` prints: the files of `docs/schema`, a name of them for each `tally.NAME/1`.
//!
//! They are documents for programs and people; here they only say which fields a list has, and `tally help json NAME`
//! prints them. Tests hold them against what the program prints.

use serde_json::Value;

macro_rules! schemas {
    ($($name:literal),+ $(,)?) => {
        /// Every schema by its name.
        pub(crate) const ALL: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../docs/schema/", $name, ".json")))),+];
    };
}

schemas!(
    "barrier",
    "batch",
    "compare",
    "config",
    "config-check",
    "config-default",
    "deadlocks",
    "debug-bundle",
    "dict",
    "drain",
    "dump",
    "error",
    "event",
    "explain",
    "fill",
    "help",
    "job",
    "jobs",
    "lab",
    "list",
    "locks",
    "metrics",
    "objects",
    "parts",
    "ping",
    "progress",
    "queue",
    "reload",
    "result",
    "running",
    "self-test",
    "stats",
    "status",
    "stop",
    "top",
    "upgrade",
    "value",
    "version",
    "watch",
    "workers",
);

/// The text of a schema.
pub(crate) fn text(name: &str) -> Option<&'static str> {
    ALL.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The fields that each of a list has: in the schema `jobs` those of `jobs`.
pub(crate) fn fields_of_list(name: &str) -> Vec<String> {
    let read =
        |name: &str| text(name).and_then(|text| serde_json::from_str::<Value>(text).ok()).unwrap_or_default();
    let mut items = read(name).pointer(&format!("/properties/{name}/items")).cloned().unwrap_or_default();
    if let Some((file, at)) = items.get("$ref").and_then(Value::as_str).and_then(|link| link.split_once('#'))
    {
        items = read(file.trim_end_matches(".json")).pointer(at).cloned().unwrap_or_default();
    }
    let properties = items.get("properties").and_then(Value::as_object);
    properties.map(|fields| fields.keys().cloned().collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_the_fields_of_their_schemas() {
        for (name, field) in
            [("jobs", "state"), ("workers", "pid"), ("locks", "holders"), ("objects", "kind")]
        {
            assert!(fields_of_list(name).iter().any(|one| one == field), "{name}");
        }
        assert!(fields_of_list("nothing").is_empty());
    }

    #[test]
    fn every_schema_says_whose_it_is() {
        for (name, text) in ALL.iter().filter(|(name, _)| *name != "parts") {
            let schema: Value = serde_json::from_str(text).unwrap_or_else(|why| panic!("{name}: {why}"));
            let constant = schema.pointer("/properties/schema/const").and_then(Value::as_str);
            assert_eq!(constant, Some(format!("tally.{name}/1").as_str()), "{name}");
        }
    }
}
