//! Limits of the system.

use tally_transport::{CreateError, Transport, create};

crate::checks! { "limits":
    exhausted_queues_are_told_from_other_errors,
}

fn exhausted_queues_are_told_from_other_errors() {
    // Below what a single queue takes, so that other programs' queues play no part.
    tally_sys::mqueue::limit_bytes(5_000).unwrap();
    match create(Transport::Mqueue, "1") {
        Err(error @ CreateError::Exhausted { .. }) => {
            let text = error.to_string();
            assert!(text.contains("RLIMIT_MSGQUEUE") && text.contains("LimitMSGQUEUE="), "{text}");
        }
        other => panic!("{other:?}"),
    }
    // The fallback.
    create(Transport::Pipe, "1").unwrap();
}
