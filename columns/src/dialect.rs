//! The few bytes that give a text of rows its shape.

use std::fmt;

/// The delimiter between cells and the quote around them. A row ends at a line feed outside quotes; a carriage return
/// before it belongs to the end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Dialect {
    delimiter: u8,
    quote: Option<u8>,
}

/// A delimiter or quote that would have two meanings. Fits after "could not use the delimiter:".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ambiguous(u8);

impl fmt::Display for Ambiguous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} already means something else, or could be part of a number", char::from(self.0))
    }
}

impl std::error::Error for Ambiguous {}

impl Dialect {
    /// Commas and double quotes.
    pub const CSV: Self = Self { delimiter: b',', quote: Some(b'"') };
    /// Tabs and double quotes, as spreadsheets write it.
    pub const TSV: Self = Self { delimiter: b'\t', quote: Some(b'"') };
    /// One cell a line: no delimiter that a line could hold, no quotes.
    pub const LINES: Self = Self { delimiter: b'\n', quote: None };

    /// Another delimiter or quote; `None` for a quote gives no byte that meaning. The two differ, and neither is an
    /// end of a line, a digit, a letter, a sign or a point.
    pub fn new(delimiter: u8, quote: Option<u8>) -> Result<Self, Ambiguous> {
        let taken =
            |byte: u8| matches!(byte, 0 | b'\n' | b'\r' | b'+' | b'-' | b'.') || byte.is_ascii_alphanumeric();
        match quote {
            _ if taken(delimiter) => Err(Ambiguous(delimiter)),
            Some(quote) if taken(quote) || quote == delimiter => Err(Ambiguous(quote)),
            _ => Ok(Self { delimiter, quote }),
        }
    }

    /// The byte between cells.
    pub const fn delimiter(self) -> u8 {
        self.delimiter
    }

    /// The byte around cells that hold a delimiter, a line end or a quote.
    pub const fn quote(self) -> Option<u8> {
        self.quote
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_meanings_are_refused() {
        assert_eq!(Dialect::new(b',', Some(b'"')), Ok(Dialect::CSV));
        assert!(Dialect::new(b';', None).is_ok());
        for (delimiter, quote) in
            [(b'\n', None), (b'5', None), (0, None), (b'.', None), (b',', Some(b',')), (b',', Some(b'\r'))]
        {
            assert!(Dialect::new(delimiter, quote).is_err());
        }
    }
}
