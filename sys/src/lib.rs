//! The system under tally: the only crate that may contain `unsafe`.
//!
//! It knows descriptors, signals, processes and memory; it must never mention a job,
//! a partition or a reduction. Every item here takes and gives types, not integers.

pub mod activation;
pub mod blob;
pub mod cgroup;
pub mod clock;
pub mod confine;
pub mod crash;
pub mod doorbell;
pub mod environment;
pub mod fd;
pub mod futex;
pub mod identity;
pub mod journal;
pub mod limits;
pub mod lockfile;
pub mod map;
pub mod mqueue;
pub mod notify;
pub mod passed;
pub mod peers;
pub mod poll;
pub mod privileges;
pub mod process;
pub mod random;
pub mod reason;
pub mod ring;
pub mod robust;
pub mod room;
pub mod semaphore;
pub mod shm;
pub mod shm_named;
pub mod shortage;
pub mod signal;
pub mod socket;
pub mod spool;
pub mod streams;
pub mod tty;
pub mod usage;
