//! Which kind of file it is, by its name, and whether it is compressed, by its first bytes or its name.
//!
//! A name only proposes; what the user says with `--format` wins. Contents are guessed at beyond compression only of what
//! has no name of its own, such as standard input.

use std::fmt;

use crate::cell;
use crate::dialect::Dialect;
use crate::element::Element;

/// How the bytes of a file are to be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Format {
    /// Rows of cells, by RFC 4180 with a delimiter of one byte.
    Csv {
        /// The delimiter and the quote.
        dialect: Dialect,
        /// Whether the first row has the names.
        header: bool,
    },
    /// One number a line.
    Lines,
    /// NumPy's format; its own header says the rest.
    Npy,
    /// Numbers of fixed width after `skip` bytes that are something else.
    Raw {
        /// The numbers.
        element: Element,
        /// Bytes to leave out at the start.
        skip: u64,
    },
    /// Apache Parquet; read by a crate behind a cargo feature, not here.
    Parquet,
}

/// How a file is compressed. A compressed file cannot be cut: it is one stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compression {
    /// It is not.
    None,
    /// gzip, of one or more members.
    Gzip,
    /// Zstandard, of one or more frames.
    Zstd,
}

/// A word of `--format`, or a name of a file, that says nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownFormat {
    /// The word or name.
    pub given: String,
    /// Whether it was the name of a file.
    pub name: bool,
}

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name {
            write!(f, "'{}' does not say what it is: name its format with --format", self.given)
        } else {
            let words = Element::words().join(", ");
            write!(f, "'{}' is no format; there are csv, tsv, lines, npy, parquet, {words}", self.given)
        }
    }
}

impl std::error::Error for UnknownFormat {}

impl Format {
    /// Comma-separated rows with a header.
    pub const CSV: Self = Self::Csv { dialect: Dialect::CSV, header: true };
    /// Tab-separated rows with a header.
    pub const TSV: Self = Self::Csv { dialect: Dialect::TSV, header: true };

    /// What `--format WORD` says.
    pub fn from_word(word: &str) -> Result<Self, UnknownFormat> {
        match word {
            "csv" => Ok(Self::CSV),
            "tsv" => Ok(Self::TSV),
            "lines" | "txt" => Ok(Self::Lines),
            "npy" => Ok(Self::Npy),
            "parquet" => Ok(Self::Parquet),
            _ => match Element::from_word(word) {
                Some(element) => Ok(Self::Raw { element, skip: 0 }),
                None => Err(UnknownFormat { given: word.to_owned(), name: false }),
            },
        }
    }

    /// What the first bytes of a stream without a name look like, once unpacked: npy and Parquet by their marks, numbers if
    /// the first line that is not blank is one; a table if that has a tab or a comma, or stands over other lines as a name
    /// would; else numbers all the same, of which the first cannot be read.
    ///
    /// A table it is, too, if somebody `named` a column: then there must be names.
    #[must_use]
    pub fn guess(head: &[u8], named: bool) -> Self {
        if head.starts_with(b"\x93NUMPY") {
            return Self::Npy;
        }
        if head.starts_with(b"PAR1") {
            return Self::Parquet;
        }
        let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
        let mut lines =
            text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
        let Some(first) = lines.next() else { return Self::Lines };
        match () {
            () if cell::float(cell::trimmed(first, Some(b'"'))).is_ok() => Self::Lines,
            () if first.contains(&b'\t') => Self::TSV,
            () if named || first.contains(&b',') => Self::CSV,
            () if is_like_name(first) && lines.next().is_some() => Self::CSV,
            () => Self::Lines,
        }
    }

    /// What the name of a file says, after an ending for compression (`data.csv.gz`), in any case of letters.
    pub fn from_name(name: &str) -> Result<Self, UnknownFormat> {
        let base = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
        let base = COMPRESSED.iter().find_map(|(ending, _)| base.strip_suffix(ending)).unwrap_or(&base);
        match base.rsplit_once('.').map(|(_, extension)| extension) {
            Some("csv") => Ok(Self::CSV),
            Some("tsv" | "tab") => Ok(Self::TSV),
            Some("txt") => Ok(Self::Lines),
            Some("npy") => Ok(Self::Npy),
            Some("parquet") => Ok(Self::Parquet),
            _ => Err(UnknownFormat { given: name.to_owned(), name: true }),
        }
    }
}

/// Whether a line can be meant as the name of a column, and not as a number that is missing.
fn is_like_name(line: &[u8]) -> bool {
    const MISSING: [&str; 7] = ["n/a", "na", "nil", "none", "null", "missing", "unknown"];
    let Ok(name) = std::str::from_utf8(cell::trimmed(line, Some(b'"'))) else { return false };
    name.starts_with(|letter: char| letter.is_alphabetic() || letter == '_')
        && !MISSING.iter().any(|missing| name.eq_ignore_ascii_case(missing))
}

const COMPRESSED: [(&str, Compression); 3] =
    [(".gz", Compression::Gzip), (".zst", Compression::Zstd), (".zstd", Compression::Zstd)];

impl Compression {
    /// What the first bytes of a file say: four are enough.
    ///
    /// Only the bytes count, so a misnamed file is read right. Raw numbers may begin with anything: for
    /// [`Format::Raw`] go by [`Compression::from_name`].
    pub fn from_bytes(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, 0x08, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }

    /// What the ending of a name says.
    pub fn from_name(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        COMPRESSED.iter().find(|(ending, _)| name.ends_with(ending)).map_or(Self::None, |(_, found)| *found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_propose() {
        for (name, format) in [
            ("a.csv", Format::CSV),
            ("dir.npy/A.CSV.GZ", Format::CSV),
            ("x.tsv.zst", Format::TSV),
            ("x.tab", Format::TSV),
            ("numbers.txt", Format::Lines),
            ("a.b.npy", Format::Npy),
            ("t.parquet", Format::Parquet),
        ] {
            assert_eq!(Format::from_name(name), Ok(format), "{name}");
        }
        for name in ["", "a", "a.bin", "csv", "a.csv/b", "a.gz"] {
            assert!(Format::from_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn streams_are_guessed_by_their_first_line() {
        for (head, format) in [
            (&b""[..], Format::Lines),
            (b"\n\n", Format::Lines),
            (b"\xef\xbb\xbf 12 \r\n", Format::Lines),
            (b"1e5\n2e5\n", Format::Lines),
            (b"-inf\n", Format::Lines),
            (b"nan", Format::Lines),
            (b"\"7\"\n", Format::Lines),
            (b"a\n1\n", Format::CSV),
            (b"\na,b\n", Format::CSV),
            (b"1,2\n", Format::CSV),
            (b"a\tb,c\n", Format::TSV),
            (b"\x93NUMPY\x01\x00", Format::Npy),
            (b"PAR1...", Format::Parquet),
            // What stands alone, or is no name, is a number that cannot be read: nobody is told that it is nothing.
            (b"abc\n", Format::Lines),
            (b"1 2 3\n4\n", Format::Lines),
            (b"n/a\n1\n", Format::Lines),
            (b"NULL\n1\n", Format::Lines),
            (b"-\n1\n", Format::Lines),
            (b"\xff\xff\n1\n", Format::Lines),
        ] {
            assert_eq!(Format::guess(head, false), format, "{}", String::from_utf8_lossy(head));
        }
        for head in [&b"price\n"[..], b"n/a\n1\n"] {
            assert_eq!(Format::guess(head, true), Format::CSV, "{}", String::from_utf8_lossy(head));
        }
    }

    #[test]
    fn words_decide() {
        let element = Element::from_word("f32be").unwrap();
        assert_eq!(Format::from_word("f32be"), Ok(Format::Raw { element, skip: 0 }));
        assert_eq!(Format::from_word("csv"), Ok(Format::CSV));
        let error = Format::from_word("f64").unwrap_err().to_string();
        assert!(error.contains("f64le") && error.contains("u8"), "{error}");
    }

    #[test]
    fn compression_is_told_by_its_first_bytes() {
        assert_eq!(Compression::from_bytes(b"\x1f\x8b\x08\x00"), Compression::Gzip);
        assert_eq!(Compression::from_bytes(b"\x28\xb5\x2f\xfd"), Compression::Zstd);
        assert_eq!(Compression::from_bytes(b"\x50\x2a\x4d\x18"), Compression::Zstd);
        assert_eq!(Compression::from_bytes(b"a,b\n"), Compression::None);
        assert_eq!(Compression::from_bytes(b""), Compression::None);
        assert_eq!(Compression::from_name("X.F64.GZ"), Compression::Gzip);
        assert_eq!(Compression::from_name("x.csv"), Compression::None);
    }
}
