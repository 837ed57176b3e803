//! Where in the data something is wrong, for programs: the message says the same in words.

use std::fmt;

use serde::de::Deserializer;
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

use crate::work::shortened;

/// A place in the data, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Site {
    /// The file, as it was named.
    pub file: Option<Box<str>>,
    /// The row, decimal text; the first of a file is 1, its header too.
    pub row: Option<Box<str>>,
    /// The column's name.
    pub column: Option<Box<str>>,
    /// The element of a range, decimal text.
    pub element: Option<Box<str>>,
}

impl Site {
    /// Somewhere in a file.
    #[must_use]
    pub fn of_file(name: &str) -> Self {
        Self { file: Some(name.into()), ..Self::default() }
    }

    /// In a row of it.
    #[must_use]
    pub fn row(self, row: u64) -> Self {
        Self { row: Some(row.to_string().into()), ..self }
    }

    /// In a column of it.
    #[must_use]
    pub fn column(self, name: &str) -> Self {
        Self { column: Some(name.into()), ..self }
    }

    /// An element of a range.
    #[must_use]
    pub fn of_element(element: &impl fmt::Display) -> Self {
        Self { element: Some(element.to_string().into()), ..Self::default() }
    }

    /// The same with texts within the limit, which a worker need not keep to.
    #[must_use]
    pub fn shortened(self) -> Self {
        let short = |text: Option<Box<str>>| text.map(|text| shortened(&text).into());
        let Self { file, row, column, element } = self;
        Self { file: short(file), row: short(row), column: short(column), element: short(element) }
    }

    fn keys(&self) -> [(&'static str, Option<&str>); 4] {
        let Self { file, row, column, element } = self;
        [
            ("file", file.as_deref()),
            ("row", row.as_deref()),
            ("column", column.as_deref()),
            ("element", element.as_deref()),
        ]
    }
}

/// Writes what is known as keys of the object that it is part of; to be flattened.
pub(crate) fn serialize<S: Serializer>(site: &Option<Box<Site>>, to: S) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(None)?;
    for (key, value) in site.iter().flat_map(|site| site.keys()) {
        if let Some(value) = value {
            map.serialize_entry(key, value)?;
        }
    }
    map.end()
}

/// Reads what [`serialize`] wrote.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Box<Site>>, D::Error> {
    let site = Site::deserialize(from)?;
    Ok((site != Site::default()).then(|| Box::new(site)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::ERROR_TEXT_BYTES_MAX;

    #[test]
    fn a_worker_cannot_say_more_than_the_limit() {
        let long = "é".repeat(ERROR_TEXT_BYTES_MAX);
        let site = Site::of_file(&long).row(7).column("x").shortened();
        assert_eq!(site.file.as_deref().map(str::len), Some(ERROR_TEXT_BYTES_MAX));
        assert_eq!((site.row.as_deref(), site.column.as_deref()), (Some("7"), Some("x")));
        let site = Site::of_file(&format!("x{long}")).shortened();
        assert_eq!(site.file.as_deref().map(str::len), Some(ERROR_TEXT_BYTES_MAX - 1));
    }
}
