//! Every maximum of the language. Each is far above what a person writes and far below what could hurt a process.

/// Bytes of the text of an expression.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Levels of nesting, counting a chain such as `1 + 1 + 1` as one level for each operator.
pub const DEPTH_MAX: usize = 400;

/// Bits of an integer in an expression, literal or computed.
pub const INTEGER_BITS_MAX: usize = 1 << 20;

/// Operations of a compiled program.
pub(crate) const NODES_MAX: usize = 20_000;
