//! What an object holds: an integer of any size, a float, text or bytes.
//!
//! On the wire `{"type": "integer", "value": "12"}`: integers in decimal, floats as the shortest text that reads back to
//! the same bits, bytes in hexadecimal. A plain JSON string is read as text, a plain number as an integer or a float.

use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tally_reduce::{Answer, Integer};

use crate::limits;

/// One thing that an object holds.
#[derive(Clone, Debug)]
pub enum Datum {
    /// Of any size.
    Integer(Integer),
    /// Every NaN is the same one.
    Float(f64),
    /// UTF-8.
    Text(String),
    /// Anything.
    Bytes(Vec<u8>),
}

/// Floats are the same if their bits are, and all NaN are.
impl PartialEq for Datum {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Integer(one), Self::Integer(other)) => one == other,
            (Self::Float(one), Self::Float(other)) => {
                one.to_bits() == other.to_bits() || (one.is_nan() && other.is_nan())
            }
            (Self::Text(one), Self::Text(other)) => one == other,
            (Self::Bytes(one), Self::Bytes(other)) => one == other,
            (Self::Integer(_) | Self::Float(_) | Self::Text(_) | Self::Bytes(_), _) => false,
        }
    }
}

/// As people read it; bytes in hexadecimal.
impl fmt::Display for Datum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => match i64::try_from(value) {
                Ok(small) => small.fmt(f),
                Err(_) => Answer::Integer(value.clone()).fmt(f),
            },
            Self::Float(value) => Answer::Float(*value).fmt(f),
            Self::Text(text) => f.write_str(text),
            Self::Bytes(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

impl From<i64> for Datum {
    fn from(value: i64) -> Self {
        Self::Integer(value.into())
    }
}

impl From<&str> for Datum {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl Datum {
    /// The word for its type.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Integer(_) => "integer",
            Self::Float(_) => "float",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
        }
    }

    /// Bytes that it takes, about.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Integer(value) => match i64::try_from(value) {
                Ok(_) => 0,
                Err(_) => tally_reduce::byte_length(value),
            },
            Self::Float(_) => 0,
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// What a word on a command line is most likely meant to be.
    #[must_use]
    pub fn guess(word: &str) -> Self {
        if let Ok(integer) = integer(word) {
            return Self::Integer(integer);
        }
        let is_numeric = word.bytes().any(|byte| byte.is_ascii_digit())
            && word.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
        match word.parse() {
            Ok(float) if is_numeric => Self::Float(float),
            _ => Self::Text(word.to_owned()),
        }
    }

    /// Reads what `kind` and `to_string` tell.
    ///
    /// # Errors
    /// With what is wrong, as a fragment.
    pub fn read(kind: &str, text: &str) -> Result<Self, String> {
        match kind {
            "integer" => integer(text).map(Self::Integer),
            "float" => match text.parse() {
                Ok(float) => Ok(Self::Float(float)),
                Err(_) => Err("it is no float".to_owned()),
            },
            "text" => Ok(Self::Text(text.to_owned())),
            "bytes" => hexadecimal(text).map(Self::Bytes),
            other => Err(format!("there is no type '{other}': integer, float, text, bytes")),
        }
    }
}

fn integer(text: &str) -> Result<Integer, String> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("it is no integer".to_owned());
    }
    if text.len() > limits::INTEGER_TEXT_BYTES_MAX {
        return Err(format!("it has more than {} digits", limits::INTEGER_TEXT_BYTES_MAX));
    }
    match text.parse::<i64>() {
        Ok(small) => Ok(small.into()),
        Err(_) => text.parse().map_err(|_| "it is no integer".to_owned()),
    }
}

/// Reads pairs of hexadecimal digits.
pub(super) fn hexadecimal(text: &str) -> Result<Vec<u8>, String> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes =
        pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect::<Option<_>>();
    bytes.filter(|_| rest.is_empty()).ok_or_else(|| "it is not hexadecimal".to_owned())
}

/// Writes a text straight into the output.
struct Shown<'a>(&'a Datum);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Datum::Text(text) => serializer.serialize_str(text),
            other => serializer.collect_str(other),
        }
    }
}

impl Serialize for Datum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut datum = serializer.serialize_struct("Datum", 2)?;
        datum.serialize_field("type", self.kind())?;
        datum.serialize_field("value", &Shown(self))?;
        datum.end()
    }
}

impl<'de> Deserialize<'de> for Datum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Key {
    Type,
    Value,
}

#[derive(Deserialize)]
struct Word<'a>(#[serde(borrow)] std::borrow::Cow<'a, str>);

impl<'de> Visitor<'de> for Reader {
    type Value = Datum;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, or an object with type and value")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Datum, E> {
        Ok(Datum::Text(text.to_owned()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Datum, E> {
        Ok(Datum::Text(text))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Datum, E> {
        Ok(Datum::Integer(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Datum, E> {
        Ok(Datum::Integer(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Datum, E> {
        Ok(Datum::Float(value))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Datum, A::Error> {
        let (mut kind, mut value) = (None::<Word<'de>>, None::<Word<'de>>);
        while let Some(key) = map.next_key()? {
            match key {
                Key::Type => kind = Some(map.next_value()?),
                Key::Value => value = Some(map.next_value()?),
            }
        }
        let kind = kind.ok_or_else(|| de::Error::missing_field("type"))?;
        let value = value.ok_or_else(|| de::Error::missing_field("value"))?;
        Datum::read(&kind.0, &value.0).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Datum, String> {
        serde_json::from_str(json).map_err(|why| why.to_string())
    }

    #[test]
    fn what_is_written_is_read_again() {
        let big: Integer = "-123456789012345678901234567890".parse().unwrap();
        let all = [
            Datum::from(0),
            Datum::from(i64::MIN),
            Datum::Integer(big),
            Datum::Float(0.1),
            Datum::Float(-0.0),
            Datum::Float(f64::NEG_INFINITY),
            Datum::Float(f64::NAN),
            Datum::Float(5e-324),
            Datum::from("a\u{0}\"\\\n€"),
            Datum::Bytes(vec![0, 255, 16]),
        ];
        for datum in all {
            let json = serde_json::to_string(&datum).unwrap();
            assert_eq!(read(&json), Ok(datum.clone()), "{json}");
            let value = serde_json::to_value(&datum).unwrap();
            assert_eq!(serde_json::from_value::<Datum>(value).unwrap(), datum);
        }
    }

    #[test]
    fn plain_json_is_read_too() {
        assert_eq!(read("7"), Ok(Datum::from(7)));
        assert_eq!(read("18446744073709551615"), Ok(Datum::Integer(u64::MAX.into())));
        assert_eq!(read("1.5"), Ok(Datum::Float(1.5)));
        assert_eq!(read("\"7\""), Ok(Datum::from("7")));
        for bad in ["null", "true", "[]", "{}", r#"{"type":"integer"}"#, r#"{"type":"x","value":"1"}"#] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(read(r#"{"type":"integer","value":"1.5"}"#).unwrap_err().contains("no integer"));
        assert!(read(r#"{"type":"bytes","value":"0"}"#).unwrap_err().contains("hexadecimal"));
        assert!(read(&format!(r#"{{"type":"integer","value":"{}"}}"#, "9".repeat(10_001))).is_err());
    }

    #[test]
    fn words_are_guessed() {
        let kinds = ["12", "-12", "1.5", "1e3", "-.5", "nan", "inf", "", "-", "e", "1_000", "0x1", "x y"]
            .map(|word| Datum::guess(word).kind());
        let expected = [
            "integer", "integer", "float", "float", "float", "text", "text", "text", "text", "text", "text",
            "text", "text",
        ];
        assert_eq!(kinds, expected);
    }

    #[test]
    fn equal_is_what_has_the_same_bits() {
        assert_ne!(Datum::Float(0.0), Datum::Float(-0.0));
        assert_eq!(Datum::Float(f64::NAN), Datum::Float(-f64::NAN));
        assert_ne!(Datum::from(1), Datum::Float(1.0));
        assert_ne!(Datum::from(1), Datum::from("1"));
    }
}
