//! The plainest varlink client there can be, apart from the program's own, so that the two are checked against each
//! other.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tally_protocol::limits;
use tally_protocol::varlink::Splitter;

use crate::PATIENCE_NS;

/// One connection.
#[derive(Debug)]
pub struct Client {
    /// The socket, for tests that misuse it.
    pub stream: UnixStream,
    splitter: Splitter,
}

impl Client {
    /// Connects.
    #[must_use]
    pub fn connect(socket: &Path) -> Self {
        let stream =
            UnixStream::connect(socket).unwrap_or_else(|why| panic!("connect {}: {why}", socket.display()));
        stream.set_read_timeout(Some(Duration::from_nanos(PATIENCE_NS))).expect("a timeout can be set");
        Self { stream, splitter: Splitter::new(limits::REPLY_BYTES_MAX) }
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the daemon reads");
    }

    /// Sends a call.
    pub fn ask(&mut self, method: &str, parameters: &Value, more: bool) {
        let mut bytes =
            json!({ "method": method, "parameters": parameters, "more": more }).to_string().into_bytes();
        bytes.push(0);
        self.send(&bytes);
    }

    /// The next reply; `None` at the end of the connection.
    pub fn hear(&mut self) -> Option<Value> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            if let Some(message) = self.splitter.next_message().expect("a reply is no longer than allowed") {
                return Some(serde_json::from_slice(message).expect("a reply is JSON"));
            }
            let count = match self.stream.read(&mut buffer) {
                // A read with a timeout ends when this process is stopped and goes on.
                Err(why) if why.kind() == std::io::ErrorKind::Interrupted => continue,
                read => read.expect("the daemon answers in time"),
            };
            if count == 0 {
                return None;
            }
            self.splitter.feed(&buffer[..count]);
        }
    }

    /// Takes so many replies without looking at them.
    pub fn skip(&mut self, mut count: usize) {
        let mut buffer = vec![0; 256 << 10];
        while count > 0 {
            match self.splitter.next_message().expect("a reply is no longer than allowed") {
                Some(message) => {
                    assert!(!message.starts_with(b"{\"error\""), "{}", String::from_utf8_lossy(message));
                    count -= 1;
                }
                None => {
                    let read = self.stream.read(&mut buffer).expect("the daemon answers in time");
                    assert!(read > 0, "the daemon hung up");
                    self.splitter.feed(&buffer[..read]);
                }
            }
        }
    }

    /// Sends a call and takes its one reply's parameters; panics on an error.
    pub fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.ask(method, parameters, false);
        let mut reply = self.hear().expect("a reply");
        assert!(reply.get("error").is_none(), "{method}: {reply}");
        reply["parameters"].take()
    }

    /// Sends a call and takes the name of the error it must end with.
    pub fn call_in_vain(&mut self, method: &str, parameters: &Value) -> String {
        self.ask(method, parameters, false);
        let reply = self.hear().expect("a reply");
        reply["error"].as_str().unwrap_or_else(|| panic!("{method} was answered: {reply}")).to_owned()
    }

    /// Submits a job and takes the reply that says so.
    pub fn submit(&mut self, request: &Value, more: bool) -> Value {
        self.ask("io.tally.Submit", &json!({ "request": request }), more);
        let mut reply = self.hear().expect("a reply");
        assert!(reply.get("error").is_none(), "{request}: {reply}");
        reply["parameters"]["job"].take()
    }

    /// Waits until so many workers are all the daemon has, and all of them idle.
    pub fn await_idle(&mut self, count: usize) {
        crate::until("idle workers", || {
            let reply = self.call("io.tally.Workers", &json!({}));
            let workers = reply["workers"].as_array()?;
            (workers.len() == count && workers.iter().all(|one| one["state"] == "idle")).then_some(())
        });
    }
}
