//! The state of a partial, which a worker sends and a store keeps: refused, or one that can be merged and finished.

use tally_protocol::limits;
use tally_reduce::{Shape, Tally};

/// Bytes of a state whose answers are worked out here; digits of long products take long.
const ANSWERED_BYTES_MAX: usize = 16 << 10;

/// The bytes are the state.
pub fn run(bytes: &[u8]) {
    let Ok(tally) = Tally::from_bytes(bytes, limits::GROUPS_BYTES_MAX) else { return };
    assert_eq!(tally.to_bytes(), bytes, "a state is written in one way only");
    let shape = match &tally {
        Tally::Plain(_) => Shape::Plain,
        Tally::Grouped(_) => Shape::Grouped { bytes_max: limits::GROUPS_BYTES_MAX },
        Tally::Decimal { .. } => Shape::Decimal,
        Tally::GroupedDecimal(_) => Shape::GroupedDecimal { bytes_max: limits::GROUPS_BYTES_MAX },
    };
    assert!(tally.is_of(shape, tally.reductions()));
    let mut merged = Tally::identity(shape, tally.reductions());
    merged.merge(tally.clone()).expect("it is of the same reductions");
    assert_eq!(merged.elements(), tally.elements());
    merged.settle();
    if tally.memory_bytes() <= ANSWERED_BYTES_MAX {
        for population in [false, true] {
            drop(merged.finish(population));
            drop(merged.groups(population));
        }
    }
    // Counts add up or are refused; they never wrap.
    let _counted: bool = merged.merge(tally).is_ok();
}
