//! Where things lie in the segment that the processes of a study share.
//!
//! Words of 32 bits for what is waited for, words of 64 bits for what is reported; what different processes write lies
//! in different cache lines. One study uses a place for one thing only.

use std::sync::atomic::{AtomicU32, AtomicU64};

use tally_sys::ring::Words as _;
use tally_sys::shm::Segment;

/// Bytes of the segment.
pub(crate) const BYTES: usize = 192 << 10;

/// The most processes a study has.
pub(crate) const PROCESSES_MAX: u32 = 200;

/// First word of 64 bits for reports; 32-bit words end before.
const REPORTS: usize = 8_192;
/// Words of one process's reports.
pub(crate) const REPORT_WORDS: usize = 64;
/// 32-bit words between two that different processes write.
const APART: usize = 16;

/// Places in 32-bit words: the locks' own words come first.
pub(crate) const LOCK: usize = 0;
/// A second lock.
pub(crate) const OTHER_LOCK: usize = 256;
/// Where processes wait for each other: two words.
pub(crate) const START: usize = 512;
/// What is guarded.
pub(crate) const GUARDED: usize = 544;
/// Set when it is time to end.
pub(crate) const OVER: usize = 576;
/// Set by the first process that is done.
pub(crate) const FIRST: usize = 592;
/// Any further words of a study.
pub(crate) const MORE: usize = 640;
/// How far each process has come.
const PROGRESS: usize = 4_096;

/// A 32-bit word.
pub(crate) fn word(memory: &Segment, at: usize) -> &AtomicU32 {
    &memory.halves()[at]
}

/// How far process `me` has come.
pub(crate) fn progress(memory: &Segment, me: u32) -> &AtomicU32 {
    &memory.halves()[PROGRESS + APART * index(me)]
}

/// What process `me` reports.
pub(crate) fn reports(memory: &Segment, me: u32) -> &[AtomicU64] {
    let from = REPORTS + REPORT_WORDS * index(me);
    &memory.words()[from..from + REPORT_WORDS]
}

fn index(me: u32) -> usize {
    usize::try_from(me.min(PROCESSES_MAX)).unwrap_or(0)
}

const _: () = assert!(PROGRESS + APART * (PROCESSES_MAX as usize + 1) <= REPORTS * 2);
const _: () = assert!((REPORTS + REPORT_WORDS * (PROCESSES_MAX as usize + 1)) * 8 <= BYTES);
