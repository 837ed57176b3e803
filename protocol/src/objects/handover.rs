//! What one program of the daemon tells the next about objects that are in no store, when that takes its place in the same
//! process.
//!
//! They are the rows that a store would have. Not for a disk and not for another process.

use std::collections::BTreeMap;

use super::row::read_objects;
use super::{ObjectRow, SavedObject};
use crate::limits;

/// The version of this format.
const VERSION: u32 = 1;
/// Bytes before the rows: the two numbers.
const HEAD: usize = 12;
/// Bytes before each row: its length.
const LENGTH: usize = 4;

/// Objects on their way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HandedObjects {
    /// The version that was given to an object last.
    pub last_version: u64,
    /// In the order in which they were made.
    pub objects: Vec<SavedObject>,
    /// What could not be read, and why.
    pub problems: Vec<String>,
}

/// Rows that are being written down, as many as there is room for.
#[derive(Clone, Debug)]
pub struct Writer {
    bytes: Vec<u8>,
    /// Objects that are in it.
    objects: usize,
    /// Objects for which there was no room.
    left_out: usize,
}

impl Writer {
    /// No rows. `last_version` is the version that was given to an object last.
    #[must_use]
    pub fn new(last_version: u64) -> Self {
        let mut bytes = VERSION.to_le_bytes().to_vec();
        bytes.extend(last_version.to_le_bytes());
        Self { bytes, objects: 0, left_out: 0 }
    }

    /// Adds an object: its head and its cells, or nothing of it.
    pub fn add(&mut self, rows: impl IntoIterator<Item = ObjectRow>) {
        let before = self.bytes.len();
        for row in rows {
            let row = row.to_bytes();
            let length = u32::try_from(row.len()).unwrap_or(u32::MAX);
            if self.bytes.len() + LENGTH + row.len() > limits::HANDED_OBJECTS_BYTES_MAX {
                self.bytes.truncate(before);
                self.left_out += 1;
                return;
            }
            self.bytes.extend(length.to_le_bytes());
            self.bytes.extend(row);
        }
        self.objects += 1;
    }

    /// Objects that are in it, and those for which there was no room.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.objects, self.left_out)
    }

    /// The bytes of all.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl HandedObjects {
    /// From bytes.
    ///
    /// # Errors
    /// Why they mean nothing, as the end of a sentence.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        const CUT: &str = "it is cut off";
        let (head, mut rest) = bytes.split_first_chunk::<HEAD>().ok_or(CUT)?;
        let (version, last) = head.split_first_chunk::<4>().ok_or(CUT)?;
        let version = u32::from_le_bytes(*version);
        if version != VERSION {
            return Err(format!("it is of version {version}, this program reads version {VERSION}"));
        }
        let last_version = u64::from_le_bytes(last.try_into().map_err(|_| CUT)?);
        let mut rows = BTreeMap::new();
        let mut free = 1 << 63;
        while let Some((length, behind)) = rest.split_first_chunk::<LENGTH>() {
            let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| CUT)?;
            let (row, behind) = behind.split_at_checked(length).ok_or(CUT)?;
            // A head stands under its number, so that its cells find it; cells stand anywhere.
            let number = super::row::number_of(row).unwrap_or_else(|| {
                free += 1;
                free
            });
            rows.insert(number, row.to_vec());
            rest = behind;
        }
        if !rest.is_empty() {
            return Err(CUT.to_owned());
        }
        let mut problems = Vec::new();
        let objects = read_objects(rows, |_, why| problems.push(why.to_owned()));
        Ok(Self { last_version, objects, problems })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CellRow, HeadRow, Lifetime, ObjectKind, Others};
    use super::*;

    fn rows(id: u64, name: &str) -> Vec<ObjectRow> {
        let head = HeadRow {
            id,
            name: name.to_owned(),
            kind: ObjectKind::Dict,
            uid: 7,
            others: Others::Read,
            version: 3,
            lifetime: Lifetime::Daemon,
            ttl_ms: None,
            ends_at_ms: None,
            value: None,
            sum: None,
            stats: None,
            capacity: None,
            deliveries: None,
            closed: false,
            set: false,
            next: 0,
        };
        let cell = |key: &str| CellRow {
            of: id,
            key: Some(key.to_owned()),
            at: 0,
            value: 5.into(),
            sum: None,
            deliveries: 0,
            dead: false,
        };
        let cells = ["a", "b"].map(|key| ObjectRow::Cell(Box::new(cell(key))));
        [ObjectRow::Head(Box::new(head))].into_iter().chain(cells).collect()
    }

    #[test]
    fn what_is_handed_over_reads_back() {
        let mut writer = Writer::new(9);
        writer.add(rows(4, "x"));
        writer.add(rows(2, "y"));
        assert_eq!(writer.counts(), (2, 0));
        let bytes = writer.into_bytes();
        let handed = HandedObjects::from_bytes(&bytes).unwrap();
        assert_eq!((handed.last_version, handed.problems.len()), (9, 0));
        let found: Vec<_> =
            handed.objects.iter().map(|one| (one.head.name.as_str(), one.cells.len())).collect();
        assert_eq!(found, [("y", 2), ("x", 2)]);
        assert!(handed.objects.iter().all(|one| one.head.lifetime == Lifetime::Daemon));
        for cut in [0, HEAD - 1, HEAD + 1, bytes.len() - 1] {
            assert!(HandedObjects::from_bytes(&bytes[..cut]).is_err(), "{cut}");
        }
        assert!(HandedObjects::from_bytes(&[2; 64]).unwrap_err().contains("version"));
    }

    #[test]
    fn what_has_no_room_is_left_out_as_a_whole() {
        let mut writer = Writer::new(0);
        let long = "x".repeat(limits::HANDED_OBJECTS_BYTES_MAX);
        let mut much = rows(1, "much");
        if let ObjectRow::Cell(cell) = &mut much[2] {
            cell.value = long.as_str().into();
        }
        writer.add(much);
        writer.add(rows(2, "small"));
        assert_eq!(writer.counts(), (1, 1));
        let handed = HandedObjects::from_bytes(&writer.into_bytes()).unwrap();
        assert_eq!((handed.objects.len(), handed.problems), (1, vec![]));
        assert_eq!(handed.objects[0].head.name, "small");
    }
}
