//! An event: set or not, and who waits until it is.

use std::collections::VecDeque;

use tally_protocol::ClientId;

/// An event.
#[derive(Clone, Debug, Default)]
pub(super) struct Event {
    pub(super) set: bool,
    /// In the order in which they came.
    pub(super) waiting: VecDeque<ClientId>,
}
