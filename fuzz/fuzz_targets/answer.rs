//! `answer`, as tally_fuzz_targets::answer has it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tally_fuzz_targets::answer::run(bytes));
