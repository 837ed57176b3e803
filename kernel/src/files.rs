//! How a kernel sees files: their bytes, part by part, from whoever opened them.

use std::ops::Deref;

use crate::Fault;

/// Some bytes of a file, mapped or read.
pub type Bytes = Box<dyn Deref<Target = [u8]>>;

/// The files of a job, in its order. They must not change while the job runs; when one did, that is an error.
pub trait FileBytes: Send + Sync {
    /// The bytes `from..to` of a file; fewer only if the file ends before.
    ///
    /// # Errors
    /// When they cannot be had: the file was cut, changed or cannot be mapped.
    fn part(&self, file: usize, from: u64, to: u64) -> Result<Bytes, Fault>;

    /// Whether a file is still what it was when the job came. To be asked after its bytes were read, too: they may have
    /// changed between the look at the file and the reading.
    ///
    /// # Errors
    /// When it is not.
    fn unchanged(&self, file: usize) -> Result<(), Fault>;
}
