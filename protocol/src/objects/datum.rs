//! What an object holds: an integer of any size, a float, text or bytes.
//!
//! On the wire `{"type": "integer", "value": "12"}`: integers in decimal, floats as the shortest text that reads back to
//! the same bits, bytes in hexadecimal. A plain JSON string is read as text, a plain number as an integer or a float.

use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tally_reduce::{Answer, Integer};

use crate::{hex, limits};

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

    /// What a word is where anything may stand: a number only if it is written as that number is, so that nothing of
    /// the word is lost. `007`, `1.50` and `12e4567` are text.
    #[must_use]
    pub fn guess(word: &str) -> Self {
        match Self::guess_number(word) {
            Ok(number) if number.to_string() == word => number,
            Ok(_) | Err(_) => Self::Text(word.to_owned()),
        }
    }

    /// What a word is where numbers are meant: whatever reads as one is one; everything else is text.
    ///
    /// # Errors
    /// With what is wrong, as a fragment, when it reads as a number that cannot be kept.
    pub fn guess_number(word: &str) -> Result<Self, String> {
        if is_integer(word) {
            return integer(word).map(Self::Integer);
        }
        let is_numeric = word.bytes().any(|byte| byte.is_ascii_digit())
            && word.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
        if is_numeric && word.parse::<f64>().is_ok() {
            return float(word).map(Self::Float);
        }
        Ok(Self::Text(word.to_owned()))
    }

    /// Reads what `kind` and `to_string` tell.
    ///
    /// # Errors
    /// With what is wrong, as a fragment.
    pub fn read(kind: &str, text: &str) -> Result<Self, String> {
        match kind {
            "integer" => integer(text).map(Self::Integer),
            "float" => float(text).map(Self::Float),
            "text" => Ok(Self::Text(text.to_owned())),
            "bytes" => hex::read(text).map(Self::Bytes),
            other => Err(format!("there is no type '{other}': integer, float, text, bytes")),
        }
    }
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// A float; `inf` only where it is written so, and never for a number that is too large.
fn float(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit()) => {
            Err("it is beyond the range of floats".to_owned())
        }
        Ok(value) => Ok(value),
        Err(_) => Err("it is no float".to_owned()),
    }
}

fn integer(text: &str) -> Result<Integer, String> {
    if !is_integer(text) {
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
        // An integer that is too long for the reader of JSON comes as a float that it may not be.
        const BEYOND: f64 = 18_446_744_073_709_551_616.0;
        if value >= BEYOND || value <= -BEYOND / 2.0 {
            return Err(E::custom(concat!(
                "could not read a JSON number beyond 64 bits exactly: ",
                "write {\"type\": \"integer\" or \"float\", \"value\": \"...\"}"
            )));
        }
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
        Datum::read(&kind.0, &value.0).map_err(|why| {
            let shown: String = value.0.chars().take(40).collect();
            de::Error::custom(format!("could not read '{shown}' as {}: {why}", kind.0))
        })
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
    fn json_numbers_are_exact_or_refused() {
        assert_eq!(read("-9223372036854775808"), Ok(Datum::from(i64::MIN)));
        assert_eq!(read("1e3"), Ok(Datum::Float(1000.0)));
        for beyond in ["18446744073709551616", "-9223372036854775809", "1e300", "-1e300"] {
            let why = read(beyond).unwrap_err();
            assert!(why.starts_with("could not read a JSON number beyond 64 bits"), "{why}");
        }
        assert!(read("1e400").is_err());
        let typed = read(r#"{"type":"float","value":"1e300"}"#);
        assert_eq!(typed, Ok(Datum::Float(1e300)));
        let why = read(r#"{"type":"float","value":"1e400"}"#).unwrap_err();
        assert!(why.contains("'1e400' as float: it is beyond the range"), "{why}");
        assert_eq!(read(r#"{"type":"float","value":"-inf"}"#), Ok(Datum::Float(f64::NEG_INFINITY)));
    }

    #[test]
    fn words_are_guessed_if_nothing_of_them_is_lost() {
        for word in ["12", "-12", "0", "1.5", "-0.5", "1000.0", "1e+100", "5e-324"] {
            let datum = Datum::guess(word);
            assert_ne!(datum.kind(), "text", "{word}");
            assert_eq!(datum.to_string(), word);
        }
        let nines = "9".repeat(10_001);
        for word in [
            "007",
            "+5",
            "-0",
            "1.50",
            "1e3",
            "-.5",
            "12e4567",
            "1e400",
            "nan",
            "inf",
            "",
            "-",
            "e",
            "1_000",
            "0x1",
            "x y",
            "2026-11-28",
            &nines,
        ] {
            assert_eq!(Datum::guess(word), Datum::from(word));
        }
    }

    #[test]
    fn where_numbers_are_meant_all_ways_to_write_them_are_read() {
        let guessed = |word| Datum::guess_number(word);
        assert_eq!(guessed("007"), Ok(Datum::from(7)));
        assert_eq!(guessed("1e3"), Ok(Datum::Float(1000.0)));
        assert_eq!(guessed("-.5"), Ok(Datum::Float(-0.5)));
        for word in ["nan", "inf", "", "-", "e", "1_000", "0x1", "x y", "2026-11-28"] {
            assert_eq!(guessed(word), Ok(Datum::from(word)));
        }
        assert_eq!(guessed("-1e400"), Err("it is beyond the range of floats".to_owned()));
        assert_eq!(guessed(&"9".repeat(10_001)), Err("it has more than 10000 digits".to_owned()));
    }

    #[test]
    fn equal_is_what_has_the_same_bits() {
        assert_ne!(Datum::Float(0.0), Datum::Float(-0.0));
        assert_eq!(Datum::Float(f64::NAN), Datum::Float(-f64::NAN));
        assert_ne!(Datum::from(1), Datum::Float(1.0));
        assert_ne!(Datum::from(1), Datum::from("1"));
    }
}
