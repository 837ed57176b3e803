//! A file that is mostly holes, in memory: a copy of one costs what was changed in it, and of a real file only what is no
//! hole is written and read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::sync::Arc;

/// Bytes of which a file consists: where all are zeros it has a hole.
const BLOCK_BYTES: usize = 4096;

type Block = [u8; BLOCK_BYTES];

/// Bytes, of which blocks of zeros are not kept.
#[derive(Clone, Debug)]
pub struct Sparse {
    len: usize,
    blocks: BTreeMap<usize, Arc<Block>>,
}

impl Sparse {
    /// These bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut blocks = BTreeMap::new();
        for (at, part) in bytes.chunks(BLOCK_BYTES).enumerate() {
            if part.iter().any(|byte| *byte != 0) {
                let mut block = [0; BLOCK_BYTES];
                block[..part.len()].copy_from_slice(part);
                blocks.insert(at, Arc::new(block));
            }
        }
        Self { len: bytes.len(), blocks }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The byte at a place that there is.
    pub fn byte(&mut self, at: usize) -> &mut u8 {
        assert!(at < self.len, "it is in the file");
        let block = self.blocks.entry(at / BLOCK_BYTES).or_insert_with(|| Arc::new([0; BLOCK_BYTES]));
        &mut Arc::make_mut(block)[at % BLOCK_BYTES]
    }

    /// Leaves so many bytes.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
        let _gone = self.blocks.split_off(&self.len.div_ceil(BLOCK_BYTES));
    }

    /// Where the kept blocks are, and the part of each that is before the end.
    fn parts(&self) -> impl Iterator<Item = (usize, &[u8])> {
        self.blocks.iter().map(|(at, block)| {
            let start = at * BLOCK_BYTES;
            (start, &block[..BLOCK_BYTES.min(self.len - start)])
        })
    }

    /// Makes them the content of an empty file.
    ///
    /// # Errors
    /// When there is no room.
    pub fn write(&self, file: &File) -> io::Result<()> {
        file.set_len(self.len as u64)?;
        self.parts().try_for_each(|(at, part)| file.write_all_at(part, at as u64))
    }

    /// Whether they are the content of a file that was [written](Self::write) and had so many blocks of the system then.
    /// Where holes can be `trusted` to show in that number, they are not read.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn is_in(&self, file: &File, blocks: u64, trusted: bool) -> io::Result<bool> {
        let found = file.metadata()?;
        if found.len() != self.len as u64 {
            return Ok(false);
        }
        if !trusted || found.blocks() != blocks {
            let (mut file, mut bytes) = (file, Vec::with_capacity(self.len));
            file.read_to_end(&mut bytes)?;
            let mut all = vec![0; self.len];
            self.parts().for_each(|(at, part)| all[at..at + part.len()].copy_from_slice(part));
            return Ok(bytes == all);
        }
        let mut bytes = [0; BLOCK_BYTES];
        for (at, part) in self.parts() {
            let bytes = &mut bytes[..part.len()];
            file.read_exact_at(bytes, at as u64)?;
            if bytes != part {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_again_and_every_change_is_seen() {
        let mut bytes = vec![0; 3 * BLOCK_BYTES + 9];
        bytes[BLOCK_BYTES + 3] = 7;
        bytes[3 * BLOCK_BYTES + 8] = 9;
        let sparse = Sparse::of(&bytes);
        let place = tempfile::tempdir_in("/dev/shm").unwrap();
        let write = |sparse: &Sparse| {
            let path = place.path().join("file");
            sparse.write(&File::create(&path).unwrap()).unwrap();
            File::options().read(true).write(true).open(path).unwrap()
        };
        for trusted in [false, true] {
            let file = write(&sparse);
            let blocks = file.metadata().unwrap().blocks();
            assert!(sparse.is_in(&file, blocks, trusted).unwrap());
            for at in [0, BLOCK_BYTES + 3, BLOCK_BYTES + 4, 2 * BLOCK_BYTES + 1, bytes.len() - 1, bytes.len()]
            {
                let file = write(&sparse);
                file.write_all_at(b"x", at as u64).unwrap();
                assert!(!sparse.is_in(&file, blocks, trusted).unwrap(), "{at} {trusted}");
            }
        }
    }

    #[test]
    fn a_change_and_a_cut_are_those_of_plain_bytes() {
        let mut bytes: Vec<u8> = (0..2 * BLOCK_BYTES + 50).map(|at| u8::from(at % 4099 == 7)).collect();
        let whole = Sparse::of(&bytes);
        let mut sparse = whole.clone();
        for at in [0, 7, BLOCK_BYTES - 1, BLOCK_BYTES, 2 * BLOCK_BYTES + 40] {
            *sparse.byte(at) ^= 0x55;
            bytes[at] ^= 0x55;
        }
        for cut in [2 * BLOCK_BYTES + 41, 2 * BLOCK_BYTES, BLOCK_BYTES + 1, 0] {
            sparse.truncate(cut);
            bytes.truncate(cut);
            let file = tempfile::tempfile_in("/dev/shm").unwrap();
            sparse.write(&file).unwrap();
            let (mut found, mut reader) = (Vec::new(), &file);
            reader.read_to_end(&mut found).unwrap();
            assert!(found == bytes, "{cut}");
        }
        assert!(sparse.is_empty());
        assert_eq!(whole.len(), 2 * BLOCK_BYTES + 50, "a copy is changed alone");
    }
}
