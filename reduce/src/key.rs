//! The key of a group: integers and texts, as bytes whose order is the order of the keys.
//!
//! A key is built once for each row, so it is written into a buffer that is used again, and compared and hashed as
//! bytes. Integers come before texts; integers are in the order of their values, texts in that of their bytes.

use dashu_int::{Sign, UBig};

use crate::Integer;

const NEGATIVE: u8 = 1;
const NOT_NEGATIVE: u8 = 2;
const TEXT: u8 = 3;
/// After a zero byte in a text; the end of a text is two zero bytes.
const ESCAPED: u8 = 0xff;

/// One part of a key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum KeyPart {
    /// An integer of any size.
    Integer(Integer),
    /// Text, usually but not always UTF-8.
    Text(Vec<u8>),
}

/// A key under construction.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct GroupKey {
    bytes: Vec<u8>,
}

impl GroupKey {
    /// A key without parts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes all parts away, for the next row.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Adds a part at the end.
    pub fn push(&mut self, part: &KeyPart) {
        match part {
            KeyPart::Integer(value) => self.push_integer(value),
            KeyPart::Text(text) => self.push_text(text),
        }
    }

    /// Adds an integer at the end.
    pub fn push_integer(&mut self, value: &Integer) {
        let (sign, magnitude) = value.clone().into_parts();
        let magnitude = magnitude.to_be_bytes();
        // The longer one is the larger, or the smaller if both are negative.
        let length = (magnitude.len() as u64).to_be_bytes();
        if sign == Sign::Negative {
            self.bytes.push(NEGATIVE);
            self.bytes.extend(length.iter().chain(magnitude.iter()).map(|byte| !byte));
        } else {
            self.bytes.push(NOT_NEGATIVE);
            self.bytes.extend(length.iter().chain(magnitude.iter()));
        }
    }

    /// Adds a text at the end.
    pub fn push_text(&mut self, text: &[u8]) {
        self.bytes.push(TEXT);
        for byte in text {
            self.bytes.push(*byte);
            if *byte == 0 {
                self.bytes.push(ESCAPED);
            }
        }
        self.bytes.extend([0, 0]);
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The parts of a key; none if these are not the bytes of one.
pub(crate) fn parts(mut bytes: &[u8]) -> Option<Vec<KeyPart>> {
    let mut parts = Vec::new();
    while let Some((tag, rest)) = bytes.split_first() {
        let (part, rest) = match *tag {
            NEGATIVE => integer(rest, Sign::Negative)?,
            NOT_NEGATIVE => integer(rest, Sign::Positive)?,
            TEXT => text(rest)?,
            _ => return None,
        };
        parts.push(part);
        bytes = rest;
    }
    Some(parts)
}

fn integer(bytes: &[u8], sign: Sign) -> Option<(KeyPart, &[u8])> {
    let flip = if sign == Sign::Negative { 0xff } else { 0 };
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let length = u64::from_be_bytes(length.map(|byte| byte ^ flip));
    let (magnitude, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    let magnitude: Vec<u8> = magnitude.iter().map(|byte| byte ^ flip).collect();
    match magnitude.first() {
        Some(0) => return None,
        None if sign == Sign::Negative => return None,
        _ => {}
    }
    Some((KeyPart::Integer(Integer::from_parts(sign, UBig::from_be_bytes(&magnitude))), rest))
}

fn text(mut bytes: &[u8]) -> Option<(KeyPart, &[u8])> {
    let mut text = Vec::new();
    loop {
        match bytes {
            [0, 0, rest @ ..] => return Some((KeyPart::Text(text), rest)),
            [0, ESCAPED, rest @ ..] => {
                text.push(0);
                bytes = rest;
            }
            [0, ..] | [] => return None,
            [byte, rest @ ..] => {
                text.push(*byte);
                bytes = rest;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn key(parts: &[KeyPart]) -> GroupKey {
        let mut key = GroupKey::new();
        for part in parts {
            key.push(part);
        }
        key
    }

    fn part() -> impl Strategy<Value = KeyPart> {
        let integer = (any::<i128>(), 0_usize..128, 0_usize..200)
            .prop_map(|(value, less, more)| KeyPart::Integer(Integer::from(value >> less) << more));
        let small = (-300_i64..300).prop_map(|value| KeyPart::Integer(value.into()));
        let text =
            vec(prop_oneof![Just(0), Just(0xff), Just(b'a'), any::<u8>()], 0..6).prop_map(KeyPart::Text);
        prop_oneof![integer, small, text]
    }

    proptest! {
        #[test]
        fn bytes_are_in_the_order_of_the_parts(a in vec(part(), 2), b in vec(part(), 2)) {
            prop_assert_eq!(key(&a).cmp(&key(&b)), a.cmp(&b));
            prop_assert_eq!(parts(key(&a).as_bytes()), Some(a));
        }

        #[test]
        fn noise_is_refused_or_means_one_thing(bytes in vec(prop_oneof![0_u8..4, any::<u8>()], 0..40)) {
            if let Some(parts) = parts(&bytes) {
                let key = key(&parts);
                prop_assert_eq!(key.as_bytes(), &bytes);
            }
        }
    }

    #[test]
    fn a_key_is_used_again() {
        let mut key = GroupKey::new();
        key.push_text(b"north");
        key.clear();
        assert_eq!(key, GroupKey::new());
        key.push_integer(&Integer::from(-7));
        assert_eq!(parts(key.as_bytes()), Some(vec![KeyPart::Integer(Integer::from(-7))]));
    }
}
