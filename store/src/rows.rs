//! How a row lies in the file: a checksum of table, key and value before the value; and a sum over all rows of a table.
//!
//! The database has checksums of its own over its pages, but does not look at them in a file that was closed cleanly.
//! These are looked at whenever the store is opened, and tell which row is bad. The sums tell that none is missing.

use redb::{ReadableDatabase as _, ReadableTable as _, TableDefinition};

use crate::change::{Change, Row, Table};

/// Version of the layout. Another one is refused.
pub(crate) const FORMAT: &[u8] = b"tally store 1";

/// Rows of the store's own: the format and the sums.
pub(crate) const OWN: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("tally");
pub(crate) const FORMAT_KEY: &str = "format";
const SUMS_KEY: &str = "sums";

const CHECKSUM_BYTES: usize = 4;

pub(crate) fn definition(table: Table) -> TableDefinition<'static, u64, &'static [u8]> {
    TableDefinition::new(table.name())
}

/// The number of rows of one table and the sum of their checksums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) rows: u64,
    pub(crate) checksums: u64,
}

impl Sum {
    fn add(&mut self, checksum: u32) {
        self.rows = self.rows.wrapping_add(1);
        self.checksums = self.checksums.wrapping_add(u64::from(checksum));
    }

    fn remove(&mut self, checksum: u32) {
        self.rows = self.rows.wrapping_sub(1);
        self.checksums = self.checksums.wrapping_sub(u64::from(checksum));
    }
}

/// Tables that every store has; the others came later, and a store has one from its first row on.
const TABLES_FIRST: usize = 4;

/// One for each table.
pub(crate) type Sums = [Sum; Table::ALL.len()];

fn checksum(table: Table, key: u64, value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(table.name().as_bytes());
    hasher.update(&key.to_le_bytes());
    hasher.update(value);
    hasher.finalize()
}

/// The value as it lies in the file.
fn seal(table: Table, key: u64, value: &[u8]) -> (u32, Vec<u8>) {
    let checksum = checksum(table, key, value);
    let mut sealed = Vec::with_capacity(CHECKSUM_BYTES + value.len());
    sealed.extend_from_slice(&checksum.to_le_bytes());
    sealed.extend_from_slice(value);
    (checksum, sealed)
}

/// The checksum that a row claims.
fn claimed(sealed: &[u8]) -> Option<u32> {
    sealed.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

/// The value and its checksum, if it is the one that was put there.
fn unseal(table: Table, key: u64, sealed: &[u8]) -> Option<(u32, &[u8])> {
    let value = sealed.get(CHECKSUM_BYTES..)?;
    let claimed = claimed(sealed)?;
    (claimed == checksum(table, key, value)).then_some((claimed, value))
}

/// Everything in a store, as far as it can be trusted.
#[derive(Debug, Default)]
pub(crate) struct Content {
    pub(crate) rows: Vec<Row>,
    pub(crate) bad: Vec<(Table, u64)>,
    /// Over the good rows.
    pub(crate) found: Sums,
    /// Of the values of the good rows.
    pub(crate) bytes: u64,
    /// As it was last written, if that can be trusted.
    pub(crate) written: Option<Sums>,
}

impl Content {
    /// Whether this is all that was ever committed, and right.
    pub(crate) fn is_whole(&self) -> bool {
        self.bad.is_empty() && self.written == Some(self.found)
    }

    /// Whether every row that was committed is either here or known to be bad.
    pub(crate) fn none_missing(&self) -> bool {
        let Some(written) = self.written else { return false };
        Table::ALL.iter().all(|table| {
            let index = table.index();
            let bad = self.bad.iter().filter(|(of, _)| of == table).count() as u64;
            if bad == 0 {
                self.found[index] == written[index]
            } else {
                self.found[index].rows + bad == written[index].rows
            }
        })
    }
}

/// What a store says of itself, `None` if it says nothing.
pub(crate) fn read_format(database: &redb::Database) -> Result<Option<Vec<u8>>, redb::Error> {
    let transaction = database.begin_read()?;
    let own = match transaction.open_table(OWN) {
        Ok(own) => own,
        Err(redb::TableError::TableDoesNotExist(_) | redb::TableError::TableTypeMismatch { .. }) => {
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    Ok(own.get(FORMAT_KEY)?.map(|format| format.value().to_vec()))
}

/// Reads and checks every row. `keep` is false when only the sums are of interest.
pub(crate) fn read(database: &redb::Database, keep: bool) -> Result<Content, redb::Error> {
    let mut content = Content::default();
    let transaction = database.begin_read()?;
    content.written = transaction.open_table(OWN)?.get(SUMS_KEY)?.and_then(|sums| decode(sums.value()));
    for table in Table::ALL {
        let rows = match transaction.open_table(definition(table)) {
            Err(redb::TableError::TableDoesNotExist(_)) if table.index() >= TABLES_FIRST => continue,
            rows => rows?,
        };
        for entry in rows.iter()? {
            let (key, sealed) = entry?;
            let (key, sealed) = (key.value(), sealed.value());
            match unseal(table, key, sealed) {
                Some((checksum, value)) => {
                    content.found[table.index()].add(checksum);
                    content.bytes += value.len() as u64;
                    if keep {
                        content.rows.push(Row { table, key, value: value.to_vec() });
                    }
                }
                None => content.bad.push((table, key)),
            }
        }
    }
    Ok(content)
}

/// Makes the changes in one transaction, and keeps the sums and the bytes of all values.
pub(crate) fn write<'a>(
    database: &redb::Database,
    changes: impl IntoIterator<Item = &'a Change>,
    (sums, bytes): (&mut Sums, &mut u64),
    first: bool,
) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    // With two phases the newest complete commit is told by the header alone, so that damage to its pages is an error
    // and never a silent step back to the commit before.
    transaction.set_two_phase_commit(true);
    {
        let mut own = transaction.open_table(OWN)?;
        if first {
            own.insert(FORMAT_KEY, FORMAT)?;
            for table in Table::ALL {
                transaction.open_table(definition(table))?;
            }
        }
        for change in changes {
            let (Change::Put(table, key, _) | Change::Delete(table, key)) = change;
            let sum = &mut sums[table.index()];
            let mut rows = transaction.open_table(definition(*table))?;
            let before = match change {
                Change::Put(_, _, value) => {
                    let (checksum, sealed) = seal(*table, *key, value);
                    let before = rows.insert(key, sealed.as_slice())?;
                    sum.add(checksum);
                    *bytes += value.len() as u64;
                    before
                }
                Change::Delete(..) => rows.remove(key)?,
            };
            if let Some(sealed) = before {
                let sealed = sealed.value();
                claimed(sealed).into_iter().for_each(|checksum| sum.remove(checksum));
                *bytes = bytes.saturating_sub(sealed.len().saturating_sub(CHECKSUM_BYTES) as u64);
            }
        }
        own.insert(SUMS_KEY, encode(sums).as_slice())?;
    }
    transaction.commit()?;
    Ok(())
}

/// The sums, and a checksum of them.
fn encode(sums: &Sums) -> Vec<u8> {
    // Without rows of later tables an earlier program can still read it.
    let used = sums.iter().rposition(|sum| *sum != Sum::default()).map_or(0, |last| last + 1);
    let numbers = sums.iter().take(used.max(TABLES_FIRST)).flat_map(|sum| [sum.rows, sum.checksums]);
    let mut bytes: Vec<u8> = numbers.flat_map(u64::to_le_bytes).collect();
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<Sums> {
    let (numbers, checksum) = bytes.split_last_chunk()?;
    // A store of before some table was thought of has no sum for it, and no rows.
    let tables = numbers.len() / size_of::<Sum>();
    if crc32fast::hash(numbers) != u32::from_le_bytes(*checksum)
        || !numbers.len().is_multiple_of(size_of::<Sum>())
        || !(TABLES_FIRST..=Table::ALL.len()).contains(&tables)
    {
        return None;
    }
    let mut numbers = numbers.chunks_exact(8).filter_map(|bytes| bytes.first_chunk()).copied();
    let mut sums = Sums::default();
    for sum in sums.iter_mut().take(tables) {
        *sum =
            Sum { rows: u64::from_le_bytes(numbers.next()?), checksums: u64::from_le_bytes(numbers.next()?) };
    }
    Some(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_bound_to_its_place() {
        let (_, sealed) = seal(Table::Jobs, 7, b"value");
        assert_eq!(unseal(Table::Jobs, 7, &sealed).map(|(_, value)| value), Some(b"value".as_slice()));
        assert_eq!(unseal(Table::Jobs, 8, &sealed), None);
        assert_eq!(unseal(Table::Progress, 7, &sealed), None);
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(unseal(Table::Jobs, 7, &flipped), None);
        }
        assert_eq!(unseal(Table::Jobs, 7, b"abc"), None);
    }

    #[test]
    fn sums_are_read_back() {
        let mut sums = Sums::default();
        sums[2] = Sum { rows: 5, checksums: u64::MAX };
        assert_eq!(decode(&encode(&sums)), Some(sums));
        let mut bytes = encode(&sums);
        bytes[3] ^= 1;
        assert_eq!(decode(&bytes), None);
        assert_eq!(decode(b""), None);
    }

    #[test]
    fn sums_of_a_store_with_fewer_tables_are_read() {
        let mut sums = Sums::default();
        sums[3] = Sum { rows: 5, checksums: 77 };
        let all = encode(&sums);
        assert_eq!(all.len(), TABLES_FIRST * size_of::<Sum>() + CHECKSUM_BYTES);
        assert_eq!(decode(&all), Some(sums));
        sums[4] = Sum { rows: 1, checksums: 2 };
        assert_eq!(decode(&encode(&sums)), Some(sums));
        let mut shorter = all[..3 * size_of::<Sum>()].to_vec();
        shorter.extend_from_slice(&crc32fast::hash(&shorter).to_le_bytes());
        assert_eq!(decode(&shorter), None);
    }
}
