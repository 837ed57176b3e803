//! Seeded worlds in which the machine is tested: simulated workers, clients, clock and faults.

pub mod text;
