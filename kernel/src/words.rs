//! What can be typed into an expression: the functions of the language, and the columns of a file by its first bytes.
//!
//! For those who help with typing. A file that cannot be read this way has no columns here; that is never an error.

use std::ops::Range;

use tally_columns::{Compression, Dialect, Format, Table};

use crate::files::{Bytes, FileBytes};
use crate::names::quoted;
use crate::{Fault, stream};

/// Unpacked bytes in which a header must end.
const HEADER_BYTES: u64 = 16 << 10;

/// The names of all functions.
#[must_use]
pub fn function_names() -> Vec<&'static str> {
    tally_expr::function_names().collect()
}

/// The first bytes of a file, and how it is read.
#[derive(Clone, Debug)]
pub struct Beginning<'a> {
    /// Its name, whose ending says what it is.
    pub name: &'a str,
    /// Its first bytes, packed if it is.
    pub head: Vec<u8>,
    /// What `--format` says.
    pub format: Option<&'a str>,
    /// What `--delimiter` says.
    pub delimiter: Option<u8>,
    /// Whether its first row has names: not `--no-header`.
    pub header: bool,
    /// Whether somebody means to name a column.
    pub named: bool,
}

/// The names of a file's columns, as an expression spells them; none if it has none, or cannot be read.
#[must_use]
pub fn column_names(file: &Beginning<'_>) -> Vec<String> {
    names(file).unwrap_or_default().iter().map(|name| quoted(name)).collect()
}

fn names(file: &Beginning<'_>) -> Option<Vec<String>> {
    let length = u64::try_from(file.head.len()).ok()?;
    let held = Held(file.head.clone());
    let compression = Compression::from_bytes(&file.head);
    let size = if compression == Compression::None { length } else { HEADER_BYTES };
    let (head, last) = stream::head(0, file.name, length, size, compression, &held).ok()?;
    let format = match file.format {
        Some(word) => Format::from_word(word).ok()?,
        None => Format::from_name(file.name).unwrap_or_else(|_| Format::guess(&head, file.named)),
    };
    let Format::Csv { dialect, header } = format else { return None };
    let dialect = match file.delimiter {
        Some(byte) => Dialect::new(byte, dialect.quote()).ok()?,
        None => dialect,
    };
    let table = Table::read(&head, dialect, header && file.header, last).ok()?;
    Some(table.names().to_vec())
}

/// Bytes that are all there is.
struct Held(Vec<u8>);

impl FileBytes for Held {
    fn part(&self, _: usize, from: u64, to: u64) -> Result<Bytes, Fault> {
        let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(self.0.len());
        let range: Range<usize> = at(from)..at(to).max(at(from));
        Ok(Box::new(self.0[range].to_vec()))
    }

    fn unchanged(&self, _: usize) -> Result<(), Fault> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(name: &str, head: &[u8]) -> Vec<String> {
        let file =
            Beginning { name, head: head.to_vec(), format: None, delimiter: None, header: true, named: true };
        column_names(&file)
    }

    #[test]
    fn a_header_has_the_names() {
        assert_eq!(columns("a.csv", b"id,price,odd name\n1,2,3\n"), ["id", "price", "col(\"odd name\")"]);
        assert_eq!(columns("a.tsv", b"id\tprice\n"), ["id", "price"]);
        assert_eq!(columns("a", b"id,price\n"), ["id", "price"]);
        let file = Beginning {
            delimiter: Some(b';'),
            ..Beginning {
                name: "a.csv",
                head: b"a;b\n".to_vec(),
                format: None,
                delimiter: None,
                header: true,
                named: true,
            }
        };
        assert_eq!(column_names(&file), ["a", "b"]);
    }

    #[test]
    fn what_has_no_header_has_no_names() {
        for (name, head) in
            [("a.npy", &b"\x93NUMPY"[..]), ("a.csv", b""), ("a.txt", b"1\n2\n"), ("x", b"1\n2\n")]
        {
            assert!(columns(name, head).is_empty(), "{name}");
        }
    }

    #[test]
    fn a_packed_file_is_looked_into() {
        // printf 'id,price\n1,2\n' | gzip -n
        let packed =
            b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x4c\xd1\x29\x28\xca\x4c\x4e\xe5\x32\xd4\x31\xe2\
            \x02\x00\x17\x44\xca\x1a\x0d\x00\x00\x00";
        assert_eq!(columns("a.csv.gz", packed), ["id", "price"]);
        assert!(columns("a.csv.gz", &packed[..12]).is_empty(), "cut short, it says nothing");
    }
}
