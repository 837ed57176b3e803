//! What a client sends: bytes, cut anywhere, to messages, to calls, to requests that have been checked.

use tally_protocol::control::{Passed, Request};
use tally_protocol::limits;
use tally_protocol::objects::quick_call;
use tally_protocol::source::{FileIdentity, FileSource};
use tally_protocol::varlink::{self, Call, Splitter};

/// The first byte says where the rest is cut in two.
pub fn run(bytes: &[u8]) {
    let Some((&cut, rest)) = bytes.split_first() else { return };
    let cut = usize::from(cut) * rest.len() / 256;
    let mut splitter = Splitter::new(limits::REQUEST_BYTES_MAX);
    let mut found = Vec::new();
    for part in [&rest[..cut], &rest[cut..]] {
        splitter.feed(part);
        while let Ok(Some(message)) = splitter.next_message() {
            found.push(message.to_vec());
        }
    }
    let mut plain: Vec<&[u8]> = rest.split(|byte| *byte == 0).collect();
    let unfinished = plain.pop().unwrap_or_default();
    if plain.iter().all(|message| message.len() <= limits::REQUEST_BYTES_MAX) {
        assert_eq!(found, plain, "messages depend on how the bytes fall");
        assert_eq!(splitter.held(), unfinished);
    }
    for message in found {
        call(&message);
    }
}

/// One message, both ways in.
fn call(message: &[u8]) {
    let quick = quick_call(message);
    let Ok(call) = varlink::decode::<Call>(message) else {
        assert_eq!(quick, None, "the quick way takes what is no call");
        return;
    };
    if let Some(quick) = quick {
        assert_eq!((quick.more, quick.oneway), (call.more, call.oneway));
        assert_eq!(Request::from_call(call).ok(), Some(Request::Object(quick.request)));
        return;
    }
    let passed = || Passed { set: 1, files: vec![file("a.csv", 9), file("b.npy", u64::MAX / 2)] };
    for files in [Passed::default(), passed()] {
        match Request::from_call_with(call.clone(), files.clone()) {
            Ok(request) => accepted(&request, files),
            Err(bad) => {
                let mut told = Vec::new();
                varlink::encode(&bad.to_message(), &mut told).expect("an error can be told");
                // What is quoted may grow by its escapes, and no more.
                assert!(told.len() < 16 * message.len() + 4096, "{} bytes of complaint", told.len());
            }
        }
    }
}

fn file(name: &str, bytes: u64) -> FileSource {
    FileSource {
        name: name.to_owned(),
        bytes,
        identity: FileIdentity::default(),
        format: None,
        path: None,
        changed_ns: None,
        nameless: false,
    }
}

/// A request that holds is the same once it has travelled again, and can be described.
fn accepted(request: &Request, files: Passed) {
    if let Request::Submit(spec) | Request::Start(spec) = request {
        let source = &spec.kernel.source;
        assert_eq!(source.positions(), spec.elements);
        assert!(!source.describe(0, spec.elements).is_empty());
        assert!(source.describe(u64::MAX, 1) == "nothing");
    }
    let again = Request::from_call_with(request.to_call(false), files);
    assert_eq!(again.as_ref().ok(), Some(request), "{:?}", request.to_call(false));
}
