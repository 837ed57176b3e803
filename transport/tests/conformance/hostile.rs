//! A worker that sends nonsense.

use tally_transport::Transport;

pub(crate) fn garbage_is_a_violation_and_no_panic(_: Transport) {}
