//! What a worker says over its link, once the link has given whole frames: pieces to messages, partials to states.

use tally_protocol::frame::{Assembler, HEADER_BYTES};
use tally_protocol::version;
use tally_protocol::work::{FromWorker, ToWorker};

use crate::feed::Feed;
use crate::partial;

/// Frames one after the other: a byte of choices, two of length, the bytes.
pub fn run(bytes: &[u8]) {
    let mut feed = Feed::new(bytes);
    let (mut supervisor, mut worker) = (Assembler::new(), Assembler::new());
    while !feed.is_empty() {
        let choices = feed.byte();
        let length = usize::from(feed.byte()) | usize::from(feed.byte() & 15) << 8;
        let body = feed.take(length);
        // Most have a header that holds, or a fuzzer would never get behind it.
        let frame = if choices & 7 == 7 {
            body.to_vec()
        } else {
            sealed(body, choices >> 7, u32::from(choices >> 3 & 7))
        };
        if let Ok(Some(FromWorker::Partial { state, .. })) = supervisor.push::<FromWorker>(&frame) {
            partial::run(&state);
        }
        drop(worker.push::<ToWorker>(&frame));
    }
}

/// A frame with a header that is right for its body.
#[must_use]
pub fn sealed(body: &[u8], flags: u8, number: u32) -> Vec<u8> {
    let mut frame = vec![version::FRAME, flags];
    frame.extend(number.to_le_bytes());
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&frame);
    hasher.update(body);
    frame.extend(hasher.finalize().to_le_bytes());
    assert_eq!(frame.len(), HEADER_BYTES);
    frame.extend_from_slice(body);
    frame
}
