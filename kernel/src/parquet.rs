//! Parquet files as a kernel sees them: the bytes that it was given, for the library to ask for.

use std::io;
use std::sync::Arc;

use tally_columns::{Parquet, ParquetBytes};
use tally_protocol::source::FileSource;

use crate::Fault;
use crate::files::FileBytes;

/// One of the files of a job.
struct OneFile {
    bytes: Arc<dyn FileBytes>,
    file: usize,
    length: u64,
}

impl ParquetBytes for OneFile {
    fn length(&self) -> u64 {
        self.length
    }

    fn read(&self, from: u64, to: u64) -> io::Result<Vec<u8>> {
        let part = self.bytes.part(self.file, from, to).map_err(io::Error::other)?;
        Ok(part.to_vec())
    }
}

/// Reads what a file says about itself.
pub(crate) fn open(at: usize, file: &FileSource, bytes: &Arc<dyn FileBytes>) -> Result<Parquet, Fault> {
    let source = OneFile { bytes: Arc::clone(bytes), file: at, length: file.bytes };
    Parquet::open(Arc::new(source)).map_err(|why| Fault::new(format!("read {}: {why}", file.name)))
}
