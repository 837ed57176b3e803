//! `partial`, as tally_fuzz_targets::partial has it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tally_fuzz_targets::partial::run(bytes));
