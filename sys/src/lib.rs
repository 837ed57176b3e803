//! The system under tally: the only crate that may contain `unsafe`.
//!
//! It knows descriptors, signals, processes and memory; it must never mention a job,
//! a partition or a reduction. Every item here takes and gives types, not integers.

pub mod clock;
pub mod crash;
pub mod doorbell;
pub mod fd;
pub mod identity;
pub mod limits;
pub mod lockfile;
pub mod mqueue;
pub mod poll;
pub mod process;
pub mod ring;
pub mod semaphore;
pub mod shm;
pub mod shm_named;
pub mod signal;
pub mod socket;
pub mod streams;
pub mod usage;
