//! Compressed files: one stream, unpacked block by block from the front.
//!
//! Such a file cannot be cut, so all of it belongs to the part that has its first byte; other parts of it have nothing.
//! Nothing is held of it but the block that is being folded.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use tally_columns::{Compression, Format, Unpack};
use tally_protocol::site::Site;
use tally_protocol::source::Part;

use crate::Fault;
use crate::files::{Bytes, FileBytes};

/// Packed bytes mapped at once.
const PIECE_BYTES: u64 = 1 << 20;
/// Plain bytes that are added at once.
pub(crate) const BLOCK_BYTES: usize = 1 << 20;

/// How a file is compressed: by its first bytes; of raw numbers, which may begin with anything, by its name.
pub(crate) fn compression(
    file: usize,
    name: &str,
    length: u64,
    format: &Format,
    bytes: &dyn FileBytes,
) -> Result<Compression, Fault> {
    if matches!(format, Format::Raw { .. }) {
        return Ok(Compression::from_name(name));
    }
    if length == 0 {
        return Ok(Compression::None);
    }
    Ok(Compression::from_bytes(&bytes.part(file, 0, length.min(4))?))
}

/// What a file that begins like this is packed by, if it is; four bytes are enough.
#[must_use]
pub fn packed_by(head: &[u8]) -> Option<&'static str> {
    match Compression::from_bytes(head) {
        Compression::None => None,
        Compression::Gzip => Some("gzip"),
        Compression::Zstd => Some("zstd"),
    }
}

/// The first plain bytes of a file, at least `size` of them if there are so many, and whether these are all.
pub(crate) fn head(
    file: usize,
    name: &str,
    length: u64,
    size: u64,
    compression: Compression,
    bytes: &dyn FileBytes,
) -> Result<(Bytes, bool), Fault> {
    if compression == Compression::None {
        return Ok((bytes.part(file, 0, size.min(length))?, size >= length));
    }
    let mut plain = Plain::new(file, name, length, compression, bytes);
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    plain.fill(size)?;
    let last = plain.ended;
    Ok((Box::new(Head(plain.held)), last))
}

struct Head(Vec<u8>);

impl std::ops::Deref for Head {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// The plain bytes of a compressed file, those that are not done with yet.
pub(crate) struct Plain<'a> {
    name: String,
    unpack: Unpack<Packed<'a>>,
    packed: Rc<Cell<u64>>,
    held: Vec<u8>,
    /// How many of `held` are done with.
    done: usize,
    ended: bool,
}

impl<'a> Plain<'a> {
    pub(crate) fn new(
        file: usize,
        name: &str,
        length: u64,
        compression: Compression,
        bytes: &'a dyn FileBytes,
    ) -> Self {
        let taken = Rc::new(Cell::new(0));
        let source = Packed { file, length, bytes, piece: None, taken: Rc::clone(&taken) };
        Self {
            name: name.to_owned(),
            unpack: Unpack::new(source, compression),
            packed: taken,
            held: Vec::new(),
            done: 0,
            ended: false,
        }
    }

    /// What is there and not done with.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.held[self.done..]
    }

    /// Whether nothing comes after it.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// So many of the rest are done with.
    pub(crate) fn done(&mut self, bytes: usize) {
        self.done = (self.done + bytes).min(self.held.len());
    }

    /// Gets so many bytes more, or all that are left.
    pub(crate) fn fill(&mut self, more: usize) -> Result<(), Fault> {
        self.held.drain(..self.done);
        self.done = 0;
        let came = self.unpack.fill(&mut self.held, more).map_err(|error| self.fault(error))?;
        self.ended = came < more;
        Ok(())
    }

    /// Leaves out bytes at the start; false if there are not so many.
    pub(crate) fn leave_out(&mut self, mut bytes: u64) -> Result<bool, Fault> {
        loop {
            let here = self.rest().len().min(usize::try_from(bytes).unwrap_or(usize::MAX));
            self.done(here);
            bytes -= here as u64;
            if bytes == 0 {
                return Ok(true);
            }
            if self.ended {
                return Ok(false);
            }
            self.fill(BLOCK_BYTES)?;
        }
    }

    /// How many packed bytes of a part have been read, at most all.
    pub(crate) fn progress(&self, part: Part) -> u64 {
        self.packed.get().min(part.to - part.from)
    }

    fn fault(&self, error: io::Error) -> Fault {
        let why = match error.downcast::<Fault>() {
            Ok(fault) => return fault,
            Err(error) => error,
        };
        Fault::new(format!("unpack {}: {why}", self.name)).at(Site::of_file(&self.name))
    }
}

/// The bytes of the file as they are.
struct Packed<'a> {
    file: usize,
    length: u64,
    bytes: &'a dyn FileBytes,
    /// Where a piece begins, and it.
    piece: Option<(u64, Bytes)>,
    taken: Rc<Cell<u64>>,
}

impl Read for Packed<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let at = self.taken.get();
        if at >= self.length || room.is_empty() {
            return Ok(0);
        }
        let there = |(from, piece): &(u64, Bytes)| at >= *from && at - from < piece.len() as u64;
        if !self.piece.as_ref().is_some_and(there) {
            let end = at.saturating_add(PIECE_BYTES).min(self.length);
            self.piece = Some((at, self.bytes.part(self.file, at, end).map_err(io::Error::other)?));
        }
        let Some((from, piece)) = &self.piece else { return Ok(0) };
        let rest = usize::try_from(at - from).ok().and_then(|skip| piece.get(skip..)).unwrap_or(&[]);
        let count = rest.len().min(room.len());
        room[..count].copy_from_slice(&rest[..count]);
        self.taken.set(at + count as u64);
        Ok(count)
    }
}
