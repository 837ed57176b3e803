//! What a store keeps of persistent objects: a head for each, and a cell for each key, element and item.
//!
//! A change writes the head and the cells that changed, whatever the size of the object. A cell whose object is not
//! there is a problem that is named, and so is one that can't be of its object.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tally_reduce::{FloatSum, Partial};

use super::{Datum, Lifetime, ObjectKind, Others};
use crate::record::{read_row, row};

/// The head of an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadRow {
    /// Its number, by which its cells know it: that of this row.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: ObjectKind,
    /// Whose it is.
    pub uid: u32,
    /// What others may do.
    pub others: Others,
    /// Its version.
    pub version: u64,
    /// How long it lives; those of a store have no word for it, and are persistent.
    #[serde(default = "persistent", skip_serializing_if = "is_persistent")]
    pub lifetime: Lifetime,
    /// Milliseconds after its last change at which it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
    /// When it ends, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at_ms: Option<u64>,
    /// What a value holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Datum>,
    /// The exact sum of a value that floats were added to.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "hex")]
    pub sum: Option<Vec<u8>>,
    /// The state of statistics.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "hex")]
    pub stats: Option<Vec<u8>>,
    /// Items that may wait in a queue at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u64>,
    /// Deliveries of an item after which it is dead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliveries: Option<u32>,
    /// No more items come.
    #[serde(default)]
    pub closed: bool,
    /// An event is set.
    #[serde(default)]
    pub set: bool,
    /// The number of a queue's next item: none is given twice, lest an old receipt is good for a new item.
    #[serde(default)]
    pub next: u64,
}

fn persistent() -> Lifetime {
    Lifetime::Persistent
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_persistent(lifetime: &Lifetime) -> bool {
    *lifetime == Lifetime::Persistent
}

/// One key, element or item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellRow {
    /// The number of its object.
    pub of: u64,
    /// Its key in a dict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Its place in a list or a queue.
    #[serde(default)]
    pub at: i64,
    /// What is there.
    pub value: Datum,
    /// The exact sum, where floats were added to it.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "hex")]
    pub sum: Option<Vec<u8>>,
    /// How often it was delivered.
    #[serde(default)]
    pub deliveries: u32,
    /// It was delivered too often.
    #[serde(default)]
    pub dead: bool,
}

/// A row of the table of objects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ObjectRow {
    /// Of an object.
    Head(Box<HeadRow>),
    /// Of what is in it.
    Cell(Box<CellRow>),
}

impl ObjectRow {
    /// The bytes of the row.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        row(self, &[])
    }
}

/// A cell, and the number of its row.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedCell {
    /// The number of the row.
    pub row: u64,
    /// What is in it.
    pub cell: CellRow,
}

/// An object as the store has it.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedObject {
    /// The head.
    pub head: HeadRow,
    /// In the order of their rows.
    pub cells: Vec<SavedCell>,
}

impl HeadRow {
    /// What is wrong with it, beside these names.
    fn fault(&self, row: u64, names: &BTreeSet<String>) -> Option<String> {
        if self.id != row {
            return Some(format!("it is that of object {}", self.id));
        }
        if names.contains(&self.name) {
            return Some("there is another object of that name".to_owned());
        }
        let of_kind = match self.kind {
            ObjectKind::Value => self.value.is_some() && !is_no_sum(self.sum.as_deref()),
            ObjectKind::Stats => {
                self.stats.as_deref().is_some_and(|bytes| Partial::from_bytes(bytes).is_ok())
            }
            ObjectKind::Dict
            | ObjectKind::List
            | ObjectKind::Queue
            | ObjectKind::Event
            | ObjectKind::Barrier => true,
        };
        (!of_kind).then(|| format!("what {} holds is not in it", self.kind.one()))
    }
}

fn is_no_sum(bytes: Option<&[u8]>) -> bool {
    bytes.is_some_and(|bytes| FloatSum::from_bytes(bytes).is_err())
}

/// The number under which a row must stand: that of its object, if it is a head.
pub(super) fn number_of(bytes: &[u8]) -> Option<u64> {
    match read_row::<ObjectRow>(bytes) {
        Ok((ObjectRow::Head(head), _)) => Some(head.id),
        Ok((ObjectRow::Cell(_), _)) | Err(_) => None,
    }
}

/// Puts rows together; what is wrong goes to `problem`, by row.
pub(crate) fn read_objects(
    rows: BTreeMap<u64, Vec<u8>>,
    mut problem: impl FnMut(u64, &str),
) -> Vec<SavedObject> {
    let mut objects: BTreeMap<u64, SavedObject> = BTreeMap::new();
    let (mut cells, mut names) = (Vec::new(), BTreeSet::new());
    for (row, bytes) in rows {
        match read_row::<ObjectRow>(&bytes) {
            Ok((ObjectRow::Head(head), _)) => match head.fault(row, &names) {
                Some(why) => problem(row, &why),
                None => {
                    names.insert(head.name.clone());
                    objects.insert(row, SavedObject { head: *head, cells: Vec::new() });
                }
            },
            Ok((ObjectRow::Cell(cell), _)) if is_no_sum(cell.sum.as_deref()) => {
                problem(row, "its sum is none");
            }
            Ok((ObjectRow::Cell(cell), _)) => cells.push(SavedCell { row, cell: *cell }),
            Err(why) => problem(row, &why),
        }
    }
    for cell in cells {
        match objects.get_mut(&cell.cell.of) {
            Some(object) if object.head.kind == ObjectKind::Dict && cell.cell.key.is_none() => {
                problem(cell.row, "it has no key");
            }
            Some(object) => object.cells.push(cell),
            None => problem(cell.row, &format!("there is no object {}", cell.cell.of)),
        }
    }
    objects.into_values().collect()
}

/// Bytes as pairs of digits.
mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::objects::Datum;

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub(super) fn serialize<S: Serializer>(
        bytes: &Option<Vec<u8>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let bytes = bytes.clone().unwrap_or_default();
        serializer.collect_str(&Datum::Bytes(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        let text = String::deserialize(deserializer)?;
        crate::hex::read(&text).map(Some).map_err(de::Error::custom)
    }
}
