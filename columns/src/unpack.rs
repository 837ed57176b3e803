//! Compressed bytes as plain ones, block by block: a compressed file is one stream, so it is read from the front by one
//! reader, which hands on blocks of rows.
//!
//! gzip of several members and Zstandard of several frames, skippable ones among them, are one text. Zero bytes behind the
//! last member are padding, as gzip(1) has it; anything else there is an error. What is cut off or damaged is one, too,
//! never a shorter text: checksums are compared where there are any.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::format::Compression;

/// Bytes asked of the source at once.
const SOURCE_BYTES: usize = 128 << 10;

/// A source of plain bytes over one of bytes that may be compressed.
#[expect(missing_debug_implementations, reason = "the decoders have none")]
pub struct Unpack<R> {
    stream: Stream<R>,
}

enum Stream<R> {
    Plain(R),
    Gzip(Box<Gzip<R>>),
    Zstd(Box<Zstd<R>>),
}

impl<R: Read> Unpack<R> {
    /// Reads `source` as it is compressed.
    pub fn new(source: R, compression: Compression) -> Self {
        let stream = match compression {
            Compression::None => Stream::Plain(source),
            Compression::Gzip => Stream::Gzip(Box::new(Gzip::new(source))),
            Compression::Zstd => Stream::Zstd(Box::new(Zstd::new(source))),
        };
        Self { stream }
    }

    /// Adds up to `more` plain bytes to `held` and says how many; fewer only where the text ends. At an error, what was
    /// read before it has been added.
    pub fn fill(&mut self, held: &mut Vec<u8>, more: usize) -> io::Result<usize> {
        let before = held.len();
        self.by_ref().take(more as u64).read_to_end(held)?;
        Ok(held.len() - before)
    }
}

impl<R: Read> Read for Unpack<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match &mut self.stream {
            Stream::Plain(source) => source.read(room),
            Stream::Gzip(decoder) => decoder.read(room),
            Stream::Zstd(decoder) => decoder.read(room),
        }
    }
}

/// All members of a gzip stream.
struct Gzip<R> {
    /// Nothing once all has been read.
    member: Option<GzDecoder<BufReader<R>>>,
}

impl<R: Read> Gzip<R> {
    fn new(source: R) -> Self {
        let source = BufReader::with_capacity(SOURCE_BYTES, source);
        Self { member: Some(GzDecoder::new(source)) }
    }

    /// What follows a member: another one, padding, or nothing.
    fn next(mut source: BufReader<R>) -> io::Result<Option<GzDecoder<BufReader<R>>>> {
        if source.fill_buf()?.first() == Some(&0x1f) {
            return Ok(Some(GzDecoder::new(source)));
        }
        loop {
            match source.fill_buf()? {
                [] => return Ok(None),
                padding if padding.iter().all(|byte| *byte == 0) => {}
                _ => return Err(trailing()),
            }
            let length = source.buffer().len();
            source.consume(length);
        }
    }
}

fn trailing() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "something that is no gzip follows its last member")
}

impl<R: Read> Read for Gzip<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let read = member.read(room)?;
            if read > 0 || room.is_empty() {
                return Ok(read);
            }
            self.member = match self.member.take() {
                Some(member) => Self::next(member.into_inner())?,
                None => None,
            };
        }
        Ok(0)
    }
}

/// What is said of a frame that cannot be read: cut off, or damaged. The library's own words are for programmers.
fn damaged(error: &(dyn std::error::Error + 'static)) -> io::Error {
    let mut cause = Some(error);
    while let Some(one) = cause {
        if one.downcast_ref::<io::Error>().is_some_and(|why| why.kind() == io::ErrorKind::UnexpectedEof) {
            return io::ErrorKind::UnexpectedEof.into();
        }
        cause = one.source();
    }
    io::Error::new(io::ErrorKind::InvalidData, "a zstd frame is damaged")
}

/// All frames of a Zstandard stream.
struct Zstd<R> {
    source: BufReader<R>,
    frame: FrameDecoder,
    /// Whether the header of a frame was read and the frame is not done with.
    open: bool,
}

impl<R: Read> Zstd<R> {
    fn new(source: R) -> Self {
        Self {
            source: BufReader::with_capacity(SOURCE_BYTES, source),
            frame: FrameDecoder::new(),
            open: false,
        }
    }

    /// Begins the next frame, if there is one.
    fn begin(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.frame.reset(&mut self.source) {
                Ok(()) => {
                    self.open = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    if io::copy(&mut self.source.by_ref().take(length), &mut io::sink())? < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(damaged(&error)),
            }
        }
        Ok(false)
    }

    fn end(&mut self) -> io::Result<()> {
        self.open = false;
        match (self.frame.get_checksum_from_data(), self.frame.get_calculated_checksum()) {
            (Some(told), Some(found)) if told != found => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "the checksum of a zstd frame does not match"))
            }
            _ => Ok(()),
        }
    }
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if room.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.open && !self.begin()? {
                return Ok(0);
            }
            while self.frame.can_collect() == 0 && !self.frame.is_finished() {
                let strategy = BlockDecodingStrategy::UptoBytes(room.len());
                self.frame.decode_blocks(&mut self.source, strategy).map_err(|why| damaged(&why))?;
            }
            match self.frame.read(room)? {
                0 => self.end()?,
                bytes => return Ok(bytes),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::write::GzEncoder;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn text() -> Vec<u8> {
        (0..60_000).flat_map(|number| format!("{number},{}\n", number * 7919 % 1009).into_bytes()).collect()
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        compress_to_vec(text, CompressionLevel::Fastest)
    }

    fn unpack(packed: &[u8], step: usize) -> io::Result<Vec<u8>> {
        let (mut text, mut source) = (Vec::new(), Unpack::new(packed, Compression::from_bytes(packed)));
        while source.fill(&mut text, step)? == step {}
        Ok(text)
    }

    #[test]
    fn a_damaged_frame_is_told_in_words_for_people() {
        let packed = zstd(&text());
        let mut told = Vec::new();
        for at in (5..packed.len()).step_by(101) {
            let mut damaged = packed.clone();
            damaged[at] ^= 0x5a;
            told.extend(unpack(&damaged, 1000).err().map(|why| why.to_string()));
        }
        assert!(!told.is_empty());
        assert!(told.iter().all(|why| !why.contains(['(', '{', '"'])), "{told:?}");
    }

    #[test]
    fn several_members_and_frames_are_one_text() {
        let text = text();
        let (first, second) = text.split_at(text.len() / 3);
        let skippable = [&b"\x51\x2a\x4d\x18\x05\x00\x00\x00"[..], b"notes"].concat();
        for packed in [
            text.clone(),
            gzip(&text),
            [gzip(first), gzip(second)].concat(),
            zstd(&text),
            [zstd(first), zstd(b""), zstd(second)].concat(),
            [skippable.clone(), zstd(first), skippable, zstd(second)].concat(),
        ] {
            for step in [1 << 30, 100_000, 777] {
                assert!(unpack(&packed, step).unwrap() == text, "{:?} by {step}", &packed[..4]);
            }
        }
        assert_eq!(unpack(&gzip(b""), 10).unwrap(), b"");
        assert_eq!(unpack(&zstd(b""), 10).unwrap(), b"");
    }

    #[test]
    fn zeros_behind_gzip_are_padding_and_all_else_is_told() {
        let text = text();
        let packed = gzip(&text);
        for zeros in [1, 511, 300_000] {
            let padded = [&packed[..], &vec![0; zeros]].concat();
            assert!(unpack(&padded, 5000).unwrap() == text, "{zeros}");
        }
        for rest in [&b"x"[..], b"\0\0x", b"\0\x1f\x8b", b"PK\x03\x04"] {
            let why = unpack(&[&packed[..], rest].concat(), 5000).unwrap_err().to_string();
            assert_eq!(why, "something that is no gzip follows its last member", "{rest:?}");
        }
        assert!(unpack(&[&packed[..], b"\x1f"].concat(), 5000).is_err());
        assert!(unpack(&[&packed[..], b"\x1fxyzxyzxyzxyzxyzxyz"].concat(), 5000).is_err());
    }

    #[test]
    fn what_is_cut_off_is_an_error() {
        let text = text();
        for packed in [gzip(&text), zstd(&text)] {
            for cut in [4, 5, 9, 100, packed.len() / 2, packed.len() - 5, packed.len() - 1] {
                assert!(unpack(&packed[..cut], 5000).is_err(), "{:?} cut at {cut}", &packed[..4]);
            }
        }
    }

    #[test]
    fn what_is_damaged_is_an_error() {
        let text = text();
        let damaged = |mut packed: Vec<u8>, at: usize| {
            packed[at] ^= 0x10;
            unpack(&packed, 5000)
        };
        let packed = gzip(&text);
        for at in (20..packed.len()).step_by(packed.len() / 50) {
            assert!(damaged(packed.clone(), at).is_err(), "gzip at {at}");
        }
        // A frame has a checksum if bit 2 of its descriptor says so.
        let packed = zstd(&text);
        assert_eq!(packed[4] & 4, 4, "a checksum is written");
        for at in (20..packed.len()).step_by(packed.len() / 50) {
            let read = damaged(packed.clone(), at);
            assert!(read.is_err(), "zstd at {at}");
        }
    }
}
