//! A histogram of times, with fixed bounds: the one the machine counts with.

pub(crate) use tally_machine::figures::Histogram;
