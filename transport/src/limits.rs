//! Every maximum of the links, in one place.

/// The longest text of an offer.
pub const OFFER_TEXT_BYTES_MAX: usize = 512;

/// The most descriptors of an offer.
pub const OFFER_FDS_MAX: usize = 8;

/// The longest tag of a link.
pub const TAG_BYTES_MAX: usize = 40;

/// How many bytes of frames may wait in the supervisor for one worker; one more frame is an error.
pub const OUTBOX_BYTES_MAX: usize = 4 << 20;

/// The command ring of a segment.
pub(crate) const COMMAND_RING_BYTES: usize = 64 << 10;

/// The result ring of a segment. Pages of it are only used as the ring comes round to them.
pub(crate) const RESULT_RING_BYTES: usize = 256 << 10;

/// The longest frame in a ring: 32 KiB, less what makes a record of it, so that two of them fit
/// into the command ring.
pub(crate) const RING_FRAME_BYTES_MAX: usize = (32 << 10) - 8;

/// PIPE_BUF of Linux: a write of at most this many bytes is taken whole or not at all.
pub(crate) const PIPE_WRITE_BYTES_MAX: usize = 4096;

/// How many bytes the reader of a pipe takes at once: all that a pipe usually holds.
pub(crate) const PIPE_READ_BYTES_MAX: usize = 64 << 10;

/// How many messages a queue holds. With [`QUEUE_MESSAGE_BYTES_MAX`] a link takes about 22 kB of
/// the 800 kB that a user's queues may usually take together.
pub(crate) const QUEUE_MESSAGES_MAX: u16 = 10;

/// The longest message of a queue.
pub(crate) const QUEUE_MESSAGE_BYTES_MAX: u16 = 1024;

/// The longest message of a channel. Up to 2000 bytes `ipc-channel` never cuts a message into
/// pieces, not even for lack of memory, and so never waits for the rest of one.
pub(crate) const CHANNEL_MESSAGE_BYTES_MAX: usize = 2000;

/// How many messages may be on their way in a channel. With acknowledgements that makes 19 in one
/// direction at most, for which the system counts some 4.4 kB each.
pub(crate) const CHANNEL_WINDOW: u32 = 16;

/// The least room of a socket in which all of them fit, so that sending never waits. Usual is
/// 208 kB.
pub(crate) const CHANNEL_SOCKET_BYTES_MIN: usize = 100_000;
