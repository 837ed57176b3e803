//! One connection to the daemon, which may be cut at any time: that is no panic here, but an answer.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::{Value, json};
use tally_protocol::limits;
use tally_protocol::varlink::Splitter;

use crate::{PATIENCE_NS, World};

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum NoAnswer {
    /// The connection is gone; whether the request was taken is not known.
    Cut,
    /// The daemon refused, with this reply.
    Refused(Value),
    /// It kept silent for longer than anything may take.
    Silent,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Talk {
    stream: UnixStream,
    splitter: Splitter,
}

impl Talk {
    /// Connects, if somebody listens.
    pub(super) fn connect(world: &World) -> Option<Self> {
        let stream = UnixStream::connect(world.socket()).ok()?;
        stream.set_read_timeout(Some(Duration::from_nanos(PATIENCE_NS))).ok()?;
        Some(Self { stream, splitter: Splitter::new(limits::REPLY_BYTES_MAX) })
    }

    /// A call and its one answer.
    pub(super) fn call(&mut self, method: &str, parameters: &Value) -> Result<Value, NoAnswer> {
        let mut bytes = json!({ "method": method, "parameters": parameters }).to_string().into_bytes();
        bytes.push(0);
        self.stream.write_all(&bytes).map_err(|_| NoAnswer::Cut)?;
        let mut reply = self.hear()?;
        if reply.get("error").is_some() {
            return Err(NoAnswer::Refused(reply));
        }
        Ok(reply["parameters"].take())
    }

    fn hear(&mut self) -> Result<Value, NoAnswer> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            if let Some(message) = self.splitter.next_message().map_err(|_| NoAnswer::Cut)? {
                return serde_json::from_slice(message).map_err(|_| NoAnswer::Cut);
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(NoAnswer::Cut),
                Ok(count) => self.splitter.feed(&buffer[..count]),
                Err(why) if why.kind() == std::io::ErrorKind::Interrupted => {}
                Err(why) if why.kind() == std::io::ErrorKind::WouldBlock => return Err(NoAnswer::Silent),
                Err(_) => return Err(NoAnswer::Cut),
            }
        }
    }
}

/// A little while, which ends early or late without harm.
pub(super) fn pause(ms: u64) {
    std::thread::park_timeout(Duration::from_millis(ms));
}
