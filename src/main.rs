//! The binary `tally`: chooses the role and calls it. The only place that knows all of them.
#![forbid(unsafe_code)]

fn main() {}
