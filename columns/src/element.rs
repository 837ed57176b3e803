//! Numbers of fixed width: which there are, how they are named, and how their bytes are ordered.
//!
//! The words of `--format` are `f64le`, `i32be`, `u8`; NumPy's are `<f8`, `>i4`, `|u1`. Both mean the same [`Element`].

use std::fmt;

/// The type of one number in a file of fixed-width numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Number {
    /// Signed, 8 bits.
    I8,
    /// Signed, 16 bits.
    I16,
    /// Signed, 32 bits.
    I32,
    /// Signed, 64 bits.
    I64,
    /// Unsigned, 8 bits; truth values are read as 0 and 1.
    U8,
    /// Unsigned, 16 bits.
    U16,
    /// Unsigned, 32 bits.
    U32,
    /// Unsigned, 64 bits.
    U64,
    /// IEEE 754 binary16; every value is exactly a binary32.
    F16,
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
}

impl Number {
    /// Every type, in the order of their declaration.
    pub const ALL: [Self; 11] = [
        Self::I8,
        Self::I16,
        Self::I32,
        Self::I64,
        Self::U8,
        Self::U16,
        Self::U32,
        Self::U64,
        Self::F16,
        Self::F32,
        Self::F64,
    ];

    /// Bytes of one number.
    pub const fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 | Self::F16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }

    /// Whether the values are floats; all others are integers.
    pub const fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::F32 | Self::F64)
    }

    /// The word without its byte order: `i8`, `u64`, `f32`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U32 => "u32",
            Self::U64 => "u64",
            Self::F16 => "f16",
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }
}

/// The order of the bytes of one number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Order {
    /// The lowest byte first.
    Little,
    /// The highest byte first.
    Big,
}

impl Order {
    /// The order of this machine.
    pub const NATIVE: Self = if cfg!(target_endian = "little") { Self::Little } else { Self::Big };
}

/// A number of fixed width as it stands in a file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Element {
    /// Its type.
    pub number: Number,
    /// Its byte order; of no meaning for one byte.
    pub order: Order,
}

impl Element {
    /// Reads a word of `--format`: `f64le`, `u16be`, `i8`. The order is required where it means something.
    pub fn from_word(word: &str) -> Option<Self> {
        let (name, order) = if let Some(name) = word.strip_suffix("le") {
            (name, Some(Order::Little))
        } else if let Some(name) = word.strip_suffix("be") {
            (name, Some(Order::Big))
        } else {
            (word, None)
        };
        let number = Number::ALL.into_iter().find(|number| number.name() == name)?;
        match order {
            Some(order) if number.bytes() > 1 => Some(Self { number, order }),
            None if number.bytes() == 1 => Some(Self { number, order: Order::NATIVE }),
            _ => None,
        }
    }

    /// Every word that [`Element::from_word`] reads, for a message.
    pub fn words() -> Vec<String> {
        let words = Number::ALL.into_iter().flat_map(|number| {
            let element = |order| Self { number, order };
            match number.bytes() {
                1 => vec![element(Order::NATIVE)],
                _ => vec![element(Order::Little), element(Order::Big)],
            }
        });
        words.map(|element| element.to_string()).collect()
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.number.name())?;
        match (self.number.bytes(), self.order) {
            (1, _) => Ok(()),
            (_, Order::Little) => f.write_str("le"),
            (_, Order::Big) => f.write_str("be"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back() {
        let words = Element::words();
        assert_eq!(words.len(), 2 + 2 * 9);
        for word in words {
            assert_eq!(Element::from_word(&word).map(|element| element.to_string()), Some(word));
        }
    }

    #[test]
    fn other_words_are_refused() {
        for word in ["", "f64", "i8le", "u8be", "f128le", "F64LE", "le", "i64ne", "f64 le"] {
            assert_eq!(Element::from_word(word), None, "{word}");
        }
    }
}
