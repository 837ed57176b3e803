//! Varlink framing and the shapes of calls and replies: JSON objects ended by a NUL byte.
//!
//! Feed bytes, take messages; no sockets. See <https://varlink.org/Method-Call>.

use std::ffi::CStr;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// A call as it stands on the wire.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Interface and method: `io.tally.Submit`.
    pub method: String,
    /// Named parameters. Some clients write `null` where there are none.
    #[serde(default, deserialize_with = "or_none", skip_serializing_if = "Map::is_empty")]
    pub parameters: Map<String, Value>,
    /// The client reads several replies.
    #[serde(default, skip_serializing_if = "is_false")]
    pub more: bool,
    /// The client reads no reply.
    #[serde(default, skip_serializing_if = "is_false")]
    pub oneway: bool,
    /// The client wants another protocol from here on; never granted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub upgrade: bool,
}

/// A reply as it stands on the wire.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReplyMessage {
    /// Name of the error, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Named parameters.
    #[serde(default, deserialize_with = "or_none")]
    pub parameters: Map<String, Value>,
    /// More replies to the same call follow.
    #[serde(default, skip_serializing_if = "is_false")]
    pub continues: bool,
}

fn or_none<'de, D: Deserializer<'de>>(from: D) -> Result<Map<String, Value>, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Why a message cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Longer than this many bytes.
    TooLong(usize),
    /// Not the JSON object it should be.
    Json(String),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(most) => write!(f, "a message is longer than {most} bytes"),
            Self::Json(why) => write!(f, "a message is not a varlink object: {why}"),
        }
    }
}

impl std::error::Error for Unreadable {}

/// Encodes one message with its NUL. JSON text never holds a raw NUL, so the framing is safe.
pub fn encode(message: &impl Serialize, out: &mut Vec<u8>) -> Result<(), Unreadable> {
    serde_json::to_writer(&mut *out, message).map_err(|why| Unreadable::Json(why.to_string()))?;
    out.push(0);
    Ok(())
}

/// Decodes one message without its NUL.
///
/// # Errors
/// When the bytes are not a JSON object of this shape.
pub fn decode<'a, M: Deserialize<'a>>(message: &'a [u8]) -> Result<M, Unreadable> {
    // serde would take an array for a struct, field by field.
    if message.trim_ascii_start().first() != Some(&b'{') {
        return Err(Unreadable::Json("it does not begin with a brace".to_owned()));
    }
    serde_json::from_slice(message).map_err(|why| Unreadable::Json(why.to_string()))
}

/// Cuts a byte stream at its NULs.
#[derive(Debug)]
pub struct Splitter {
    bytes: Vec<u8>,
    /// Bytes of the stream before these.
    gone: u64,
    /// Where the next message starts.
    start: usize,
    /// No NUL between `start` and here.
    scanned: usize,
    limit: usize,
}

impl Splitter {
    /// For messages of at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), gone: 0, start: 0, scanned: 0, limit }
    }

    /// Takes bytes as they arrive.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.gone += self.start as u64;
            self.scanned -= self.start;
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message, without its NUL.
    ///
    /// # Errors
    /// `TooLong` once more than the limit came without a NUL; the stream is then of no use.
    pub fn next_message(&mut self) -> Result<Option<&[u8]>, Unreadable> {
        // What finds the end of a C string looks at many bytes at once.
        let end = CStr::from_bytes_until_nul(&self.bytes[self.scanned..]).ok().map(CStr::count_bytes);
        match end {
            Some(offset) => {
                let (from, to) = (self.start, self.scanned + offset);
                if to - from > self.limit {
                    return Err(Unreadable::TooLong(self.limit));
                }
                self.start = to + 1;
                self.scanned = to + 1;
                Ok(Some(&self.bytes[from..to]))
            }
            None => {
                self.scanned = self.bytes.len();
                if self.scanned - self.start > self.limit {
                    Err(Unreadable::TooLong(self.limit))
                } else {
                    Ok(None)
                }
            }
        }
    }

    /// Bytes of the stream that came so far.
    #[must_use]
    pub fn fed_bytes(&self) -> u64 {
        self.gone + self.bytes.len() as u64
    }

    /// Bytes of the stream that were taken as messages, with their ends.
    #[must_use]
    pub fn taken_bytes(&self) -> u64 {
        self.gone + self.start as u64
    }

    /// The bytes held that have not been taken as messages.
    #[must_use]
    pub fn held(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// How many bytes are held that have not been taken as messages.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Whether a whole message is held.
    #[must_use]
    pub fn is_whole_message_waiting(&self) -> bool {
        self.bytes[self.scanned..].contains(&0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_whole_however_the_bytes_fall() {
        let text = b"{\"a\":1}\0{}\0{\"b\"";
        for cut in 0..text.len() {
            let mut splitter = Splitter::new(100);
            let mut found = Vec::new();
            for part in [&text[..cut], &text[cut..]] {
                splitter.feed(part);
                while let Some(message) = splitter.next_message().unwrap() {
                    found.push(message.to_vec());
                }
            }
            assert_eq!(found, [b"{\"a\":1}".to_vec(), b"{}".to_vec()]);
            assert_eq!(splitter.held_bytes(), 4);
            assert_eq!((splitter.fed_bytes(), splitter.taken_bytes()), (15, 11));
        }
    }

    #[test]
    fn endless_messages_are_refused() {
        let mut splitter = Splitter::new(10);
        splitter.feed(&[b'x'; 10]);
        assert_eq!(splitter.next_message(), Ok(None));
        splitter.feed(b"x");
        assert_eq!(splitter.next_message(), Err(Unreadable::TooLong(10)));
    }

    #[test]
    fn calls_read_with_and_without_their_optional_parts() {
        let call: Call = decode(br#"{"method":"io.tally.Ping"}"#).unwrap();
        assert_eq!(call, Call { method: "io.tally.Ping".into(), ..Call::default() });
        let nothing: Call = decode(br#"{"method":"io.tally.Ping","parameters":null}"#).unwrap();
        assert_eq!(nothing, call);
        assert!(decode::<Call>(br#"{"method":"io.tally.Ping","parameters":[]}"#).is_err());
        assert!(decode::<Call>(b"[]").is_err());
        assert!(decode::<Call>(b"").is_err());
        assert!(decode::<Call>(b"\xff").is_err());
    }
}
