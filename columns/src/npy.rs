//! The header of an `.npy` file, versions 1 to 3: which numbers follow, and where.
//!
//! The header is a Python dictionary literal with three known keys; nothing else is understood and nothing is ever
//! evaluated. Objects (pickles), structured types, text, dates and complex numbers are refused with the reason.

use std::fmt;

use crate::element::{Element, Number, Order};
use crate::fixed::Fixed;

const MAGIC: &[u8] = b"\x93NUMPY";

/// What an `.npy` header says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Npy {
    /// The numbers.
    pub element: Element,
    /// Whether the first axis varies fastest.
    pub fortran: bool,
    /// The lengths of the axes; none for a single number.
    pub shape: Vec<u64>,
    /// Where the first number is, in bytes from the start of the file.
    pub data: u64,
}

/// Why an `.npy` header was not taken. Fits after "could not read PATH:".
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NpyError {
    /// The bytes given end within the header; give this many bytes from the start of the file.
    Need(usize),
    /// The file does not begin with NumPy's magic bytes.
    NotNpy,
    /// A version of the format that is not known.
    Version(u8, u8),
    /// The dictionary is not one; what is wrong with it.
    Malformed(&'static str),
    /// The numbers are of a kind that has no meaning here: the type as written, and why not.
    Type(String, &'static str),
    /// The array has this many axes, and one or two can be read.
    Axes(usize),
    /// The array is two-dimensional with this many columns and none, or one that is not there, was chosen.
    Column(u64),
    /// The shape asks for this many bytes of data and the file has only that many.
    Short {
        /// Bytes that the shape asks for.
        wanted: u128,
        /// Bytes that follow the header.
        found: u64,
    },
}

impl fmt::Display for NpyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Need(bytes) => {
                write!(f, "it ends within its npy header, which has {bytes} bytes at the least")
            }
            Self::NotNpy => f.write_str("not an npy file: it does not begin with \\x93NUMPY"),
            Self::Version(major, minor) => {
                write!(f, "npy version {major}.{minor} is not known (1.0 to 3.0 are)")
            }
            Self::Malformed(what) => write!(f, "malformed npy header: {what}"),
            Self::Type(text, why) => write!(f, "npy type {text}: {why}"),
            Self::Axes(axes) => write!(f, "an npy array of {axes} axes: only one or two can be read"),
            Self::Column(columns) => {
                write!(
                    f,
                    "a two-dimensional npy array: choose one of its columns, 0 to {}",
                    columns.saturating_sub(1)
                )
            }
            Self::Short { wanted, found } => {
                write!(f, "the npy header promises {wanted} bytes of numbers and {found} follow it")
            }
        }
    }
}

impl std::error::Error for NpyError {}

impl Npy {
    /// Reads the header from the first bytes of a file: a few hundred are enough nearly always, and
    /// [`NpyError::Need`] says how many otherwise (a file that is shorter than that is cut off).
    pub fn read(head: &[u8]) -> Result<Self, NpyError> {
        let known = head.len().min(MAGIC.len());
        if head[..known] != MAGIC[..known] {
            return Err(NpyError::NotNpy);
        }
        let Some(&[major, minor]) = head.get(6..8) else { return Err(NpyError::Need(12)) };
        let (text_at, length) = match (major, minor) {
            (1, 0) => match head.get(8..10) {
                Some(&[low, high]) => (10, usize::from(u16::from_le_bytes([low, high]))),
                _ => return Err(NpyError::Need(12)),
            },
            (2 | 3, 0) => match head.get(8..12) {
                Some(&[a, b, c, d]) => (12, u32::from_le_bytes([a, b, c, d]) as usize),
                _ => return Err(NpyError::Need(12)),
            },
            _ => return Err(NpyError::Version(major, minor)),
        };
        if length > HEADER_BYTES_MAX {
            return Err(NpyError::Malformed("its length is beyond all reason"));
        }
        let end = text_at + length;
        let Some(text) = head.get(text_at..end) else { return Err(NpyError::Need(end)) };
        let text = std::str::from_utf8(text).map_err(|_| NpyError::Malformed("not text"))?;
        let (descr, fortran, shape) = dictionary(text)?;
        Ok(Self { element: element(&descr)?, fortran, shape, data: end as u64 })
    }

    /// Where the numbers of the array, or of one column of it, stand in a file of `file_bytes` bytes.
    ///
    /// One axis is all its numbers; of two axes, `column` (from 0) chooses one, and may be left out when there is
    /// only one. Bytes after the numbers are left alone, as NumPy does.
    pub fn fixed(&self, column: Option<u64>, file_bytes: u64) -> Result<Fixed, NpyError> {
        let item = self.element.number.bytes() as u64;
        let (rows, columns) = match *self.shape.as_slice() {
            [] => (1, 1),
            [rows] => (rows, 1),
            [rows, columns] => (rows, columns),
            _ => return Err(NpyError::Axes(self.shape.len())),
        };
        let wanted = (u128::from(rows) * u128::from(columns)).saturating_mul(u128::from(item));
        let found = file_bytes.saturating_sub(self.data);
        if wanted > u128::from(found) {
            return Err(NpyError::Short { wanted, found });
        }
        let column = match column {
            Some(column) if column < columns => column,
            None if columns == 1 => 0,
            _ => return Err(NpyError::Column(columns)),
        };
        // No product overflows from here on: all are at most `wanted`, unless there are no rows at all.
        if rows == 0 {
            return Ok(Fixed { element: self.element, first: self.data, stride: item, count: 0 });
        }
        let (first, stride) =
            if self.fortran { (column * rows * item, item) } else { (column * item, columns * item) };
        Ok(Fixed { element: self.element, first: self.data + first, stride, count: rows })
    }
}

/// Bytes of the longest header that is read: NumPy itself warns from 10,000 on.
const HEADER_BYTES_MAX: usize = 1 << 20;

/// NumPy's name of a type: byte order, letter, bytes.
fn element(descr: &Value) -> Result<Element, NpyError> {
    let text = match descr {
        Value::Text(text) => text,
        Value::Other(text) => return Err(NpyError::Type(text.clone(), "structured types are not numbers")),
    };
    let refuse = |why| Err(NpyError::Type(format!("'{text}'"), why));
    let (order, rest) = match text.as_bytes().first() {
        Some(b'<') => (Order::Little, &text[1..]),
        Some(b'>') => (Order::Big, &text[1..]),
        Some(b'|' | b'=') => (Order::NATIVE, &text[1..]),
        _ => (Order::NATIVE, text.as_str()),
    };
    let number = match rest {
        "i1" => Number::I8,
        "i2" => Number::I16,
        "i4" => Number::I32,
        "i8" => Number::I64,
        "u1" | "b1" | "?" => Number::U8,
        "u2" => Number::U16,
        "u4" => Number::U32,
        "u8" => Number::U64,
        "f2" => Number::F16,
        "f4" => Number::F32,
        "f8" => Number::F64,
        _ => {
            return refuse(match rest.chars().next() {
                Some('O') => "objects are pickles, which can run code; they are never read",
                Some('c') => "complex numbers have no order and no sum here",
                Some('f') => "extended floats differ from machine to machine",
                Some('S' | 'U' | 'a') => "text is not a number",
                Some('V') => "raw bytes are not numbers",
                Some('m' | 'M') => "dates and times are not numbers",
                _ => "this type is not known",
            });
        }
    };
    Ok(Element { number, order })
}

/// A value of the dictionary: a quoted text, or anything else as it was written.
enum Value {
    Text(String),
    Other(String),
}

/// The three values of the header's dictionary: descr, `fortran_order`, shape.
fn dictionary(text: &str) -> Result<(Value, bool, Vec<u64>), NpyError> {
    let malformed = |what| Err(NpyError::Malformed(what));
    let Some(inner) = text.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
        return malformed("it is no dictionary");
    };
    let (mut descr, mut fortran, mut shape) = (None, None, None);
    for entry in split(inner)? {
        let Some((key, value)) = entry.split_once(':') else { return malformed("an entry has no value") };
        let value = value.trim();
        let twice = match unquoted(key.trim()) {
            Some("descr") => {
                let value = match unquoted(value) {
                    Some(text) => Value::Text(text.to_owned()),
                    None => Value::Other(value.to_owned()),
                };
                descr.replace(value).is_some()
            }
            Some("fortran_order") => match value {
                "True" => fortran.replace(true).is_some(),
                "False" => fortran.replace(false).is_some(),
                _ => return malformed("fortran_order is neither True nor False"),
            },
            Some("shape") => match axes(value) {
                Some(axes) => shape.replace(axes).is_some(),
                None => return malformed("the shape is not a tuple of counts"),
            },
            _ => return malformed("it has a key that is not known"),
        };
        if twice {
            return malformed("a key is there twice");
        }
    }
    match (descr, fortran, shape) {
        (Some(descr), Some(fortran), Some(shape)) => Ok((descr, fortran, shape)),
        _ => malformed("descr, fortran_order or shape is missing"),
    }
}

/// The entries of a dictionary: cut at commas that are in no quote and no bracket; empty ones are left out.
fn split(inner: &str) -> Result<Vec<&str>, NpyError> {
    let (mut parts, mut from, mut depth, mut quote) = (Vec::new(), 0, 0_usize, None);
    for (at, byte) in inner.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), _) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'(' | b'[' | b'{') => depth += 1,
            (None, b')' | b']' | b'}') => {
                depth = depth.checked_sub(1).ok_or(NpyError::Malformed("a bracket is closed too often"))?;
            }
            (None, b',') if depth == 0 => {
                parts.push(&inner[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    if depth != 0 || quote.is_some() {
        return Err(NpyError::Malformed("a bracket or quote is left open"));
    }
    parts.push(&inner[from..]);
    parts.retain(|part| !part.trim().is_empty());
    Ok(parts)
}

fn unquoted(text: &str) -> Option<&str> {
    let inner = ['\'', '"'].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote))?;
    (!inner.contains(['\'', '"', '\\'])).then_some(inner)
}

/// A tuple of counts: `()`, `(3,)`, `(3, 4)`; Python 2 wrote `3L`.
fn axes(text: &str) -> Option<Vec<u64>> {
    let inner = text.strip_prefix('(')?.strip_suffix(')')?;
    let parts = inner.split(',').map(str::trim).collect::<Vec<_>>();
    let (last, first) = parts.split_last()?;
    let numbers = if last.is_empty() { first } else { parts.as_slice() };
    numbers.iter().map(|part| part.strip_suffix('L').unwrap_or(part).parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A file of version 1 with this dictionary and `data` bytes of zeros.
    fn file(dictionary: &str) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        let pad = 63 - (10 + dictionary.len()) % 64;
        let length = u16::try_from(dictionary.len() + pad + 1).unwrap();
        bytes.extend(length.to_le_bytes());
        bytes.extend(dictionary.as_bytes());
        bytes.extend(vec![b' '; pad]);
        bytes.push(b'\n');
        bytes
    }

    fn dict(descr: &str, fortran: &str, shape: &str) -> String {
        format!("{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}")
    }

    #[test]
    fn what_numpy_writes_is_read() {
        let npy = Npy::read(&file(&dict("'<f8'", "False", "(100,)"))).unwrap();
        assert_eq!(npy.element.to_string(), "f64le");
        assert_eq!((npy.fortran, npy.shape.as_slice(), npy.data % 64), (false, &[100][..], 0));
        let fixed = npy.fixed(None, npy.data + 800).unwrap();
        assert_eq!((fixed.first, fixed.stride, fixed.count), (npy.data, 8, 100));
    }

    #[test]
    fn versions_two_and_three() {
        for version in [2, 3] {
            let text = dict("'>i2'", "False", "(3,)");
            let mut bytes = vec![0x93, b'N', b'U', b'M', b'P', b'Y', version, 0];
            bytes.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
            bytes.extend(text.as_bytes());
            let npy = Npy::read(&bytes).unwrap();
            assert_eq!((npy.element.to_string().as_str(), npy.data), ("i16be", bytes.len() as u64));
        }
        assert_eq!(Npy::read(b"\x93NUMPY\x04\x00\x00\x00\x00\x00"), Err(NpyError::Version(4, 0)));
    }

    #[test]
    fn columns_of_two_axes() {
        let c = Npy::read(&file(&dict("'<i4'", "False", "(5, 3)"))).unwrap();
        let all = c.data + 60;
        assert_eq!(c.fixed(None, all), Err(NpyError::Column(3)));
        assert_eq!(c.fixed(Some(3), all), Err(NpyError::Column(3)));
        let second = c.fixed(Some(1), all).unwrap();
        assert_eq!((second.first, second.stride, second.count), (c.data + 4, 12, 5));
        let f = Npy::read(&file(&dict("'<i4'", "True", "(5, 3)"))).unwrap();
        let second = f.fixed(Some(1), f.data + 60).unwrap();
        assert_eq!((second.first, second.stride, second.count), (f.data + 20, 4, 5));
    }

    #[test]
    fn a_file_that_is_too_short_is_refused() {
        let npy = Npy::read(&file(&dict("'<f8'", "False", "(100,)"))).unwrap();
        let found = 799;
        assert_eq!(npy.fixed(None, npy.data + found), Err(NpyError::Short { wanted: 800, found }));
        let huge = Npy::read(&file(&dict("'<f8'", "False", "(18446744073709551615, 18446744073709551615)")))
            .unwrap();
        assert!(matches!(huge.fixed(Some(0), 1 << 20), Err(NpyError::Short { .. })));
        let none = Npy::read(&file(&dict("'<f8'", "True", "(0, 18446744073709551615)"))).unwrap();
        assert_eq!(none.fixed(Some(7), none.data).unwrap().count, 0);
    }

    #[test]
    fn what_is_no_number_is_refused_with_the_reason() {
        for (descr, why) in [
            ("'|O'", "pickles"),
            ("'<c16'", "complex"),
            ("'<f16'", "extended"),
            ("'<U7'", "text"),
            ("'|S7'", "text"),
            ("'<M8[ns]'", "dates"),
            ("'|V4'", "raw bytes"),
            ("[('a', '<f8'), ('b', '<i4')]", "structured"),
        ] {
            let error = Npy::read(&file(&dict(descr, "False", "(3,)"))).unwrap_err();
            assert!(matches!(error, NpyError::Type(..)), "{descr}: {error:?}");
            assert!(error.to_string().contains(why), "{descr}: {error}");
        }
        let cube = Npy::read(&file(&dict("'<f8'", "False", "(2, 2, 2)"))).unwrap();
        assert_eq!(cube.fixed(None, cube.data + 64), Err(NpyError::Axes(3)));
    }

    #[test]
    fn every_cut_of_a_header_asks_for_more() {
        let whole = file(&dict("'<f8'", "False", "(3,)"));
        for cut in 0..whole.len() {
            match Npy::read(&whole[..cut]) {
                Err(NpyError::Need(more)) => assert!(more > cut && more <= whole.len()),
                other => panic!("{cut}: {other:?}"),
            }
        }
        assert!(Npy::read(&whole).is_ok());
    }

    #[test]
    fn malformed_dictionaries() {
        for text in [
            "",
            "{}",
            "[1]",
            "{'descr': '<f8', 'fortran_order': False}",
            "{'descr': '<f8', 'fortran_order': 0, 'shape': (3,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': 3}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (-3,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), 'shape': (3,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), 'more': 1}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3,}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3,)",
        ] {
            assert!(matches!(Npy::read(&file(text)), Err(NpyError::Malformed(_))), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), kept in 0_usize..12, column in any::<Option<u64>>()) {
            let mut head = file(&dict("'<f8'", "False", "(3,)"));
            head.truncate(kept);
            head.extend(bytes);
            if let Ok(npy) = Npy::read(&head) {
                let _either = npy.fixed(column, head.len() as u64);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "[{}()\\[\\]',:<>=a-z0-9 ]{0,60}") {
            let _either = Npy::read(&file(&format!("{{{text}}}")));
        }
    }
}
