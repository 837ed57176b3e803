//! The ends of all cells in a window of rows, found 64 bytes at a time.
//!
//! A window begins at the start of a row. Quotes are held to RFC 4180: one opens a cell or stands doubled inside it,
//! and what follows a closing one ends the cell. Anything else would make the parity of quotes, and with it every
//! later row, a guess; the index stops there.

use std::num::NonZero;

use crate::dialect::Dialect;
use crate::mask::{LANES, lanes_at, parity_so_far};

/// The ends of the cells of a window; kept from window to window.
#[derive(Clone, Default, Debug)]
pub(crate) struct Index {
    /// Offsets of the delimiters and row ends outside quotes. Before them one entry that stands for the byte before
    /// the window; after them room that means nothing.
    ends: Vec<u32>,
    /// How many there are.
    cells: usize,
    /// How many of them end a row.
    pub(crate) rows: usize,
    /// Line feeds, also those within quotes.
    pub(crate) feeds: usize,
    /// Whether any byte of the window is a quote.
    pub(crate) quotes: bool,
    /// Whether the window ends inside quotes.
    pub(crate) inside: bool,
    /// The first quote that stands where none may.
    pub(crate) misplaced: Option<usize>,
}

/// Bytes of a window, at most: offsets are 32 bits wide.
pub(crate) const WINDOW_BYTES_MAX: usize = 1 << 31;

impl Index {
    /// Finds the cells of `window`. If it is `last`, its end ends a row that has begun.
    pub(crate) fn build(&mut self, window: &[u8], dialect: Dialect, last: bool) {
        debug_assert!(window.len() <= WINDOW_BYTES_MAX);
        let room = window.len() + 2 * LANES;
        if self.ends.len() < room {
            self.ends.resize(room, 0);
        }
        self.ends[0] = u32::MAX;
        // Where there were quotes there will be more.
        let (delimiter, quote) = (dialect.delimiter(), dialect.quote());
        let inside = match quote {
            Some(quote) if self.quotes => self.quoted(window, delimiter, quote),
            Some(mark) if !self.unquoted(window, delimiter, quote) => self.quoted(window, delimiter, mark),
            Some(_) => false,
            None => {
                let _always = self.unquoted(window, delimiter, None);
                false
            }
        };
        self.inside = inside && self.misplaced.is_none();
        let begun = self.cells.checked_sub(1).map_or(0, |cell| self.end(cell) + 1);
        let open = begun < window.len() || begun > 0 && window[begun - 1] != b'\n';
        if last && open && !self.inside && self.misplaced.is_none() {
            self.push_end(window.len());
        }
    }

    fn clear(&mut self) {
        (self.cells, self.rows, self.feeds, self.quotes, self.misplaced) = (0, 0, 0, false, None);
    }

    /// Finds the cells if there are no quotes; says whether that was so.
    fn unquoted(&mut self, window: &[u8], delimiter: u8, quote: Option<u8>) -> bool {
        // The same loop, compiled for a processor that counts and finds bits with one instruction.
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = fearless_simd::Level::new().as_avx2() {
            return fearless_simd::Simd::vectorize(
                avx2,
                // Out of line, it would be compiled for every processor of the target.
                #[inline(always)]
                || self.unquoted_plainly(window, delimiter, quote),
            );
        }
        self.unquoted_plainly(window, delimiter, quote)
    }

    #[inline(always)]
    fn unquoted_plainly(&mut self, window: &[u8], delimiter: u8, quote: Option<u8>) -> bool {
        self.clear();
        for at in (0..window.len()).step_by(LANES) {
            let lanes = lanes_at(window, at);
            let feeds = lanes.equal(b'\n');
            if quote.is_some_and(|quote| lanes.equal(quote) != 0) {
                return false;
            }
            self.push(at, feeds | lanes.equal(delimiter), feeds);
        }
        self.feeds = self.rows;
        true
    }

    /// Finds the cells, with quotes or without, and says whether the window ends inside quotes.
    fn quoted(&mut self, window: &[u8], delimiter: u8, quote: u8) -> bool {
        self.clear();
        let mut inside = 0_u64;
        // What the byte before the 64 was: an end of a cell, a quote, a quote that closed, a carriage return after one.
        let mut before = Before { end: 1, quote: 0, closed: 0, returned: 0 };
        let mut any = 0;
        for at in (0..window.len()).step_by(LANES) {
            let lanes = lanes_at(window, at);
            let feeds = lanes.equal(b'\n');
            let quotes = lanes.equal(quote);
            any |= quotes;
            let quoted = parity_so_far(quotes) ^ inside;
            inside = (quoted.cast_signed() >> 63).cast_unsigned();
            let ends = (feeds | lanes.equal(delimiter)) & !quoted;
            let row_ends = feeds & !quoted;
            let beyond = u64::MAX.checked_shl(saturated(window.len() - at)).unwrap_or(0);
            let wrong = before.misplaced(quotes, quoted, ends | beyond, lanes.equal(b'\r'));
            if wrong != 0 {
                let bit = wrong.trailing_zeros();
                self.misplaced = Some(at + bit as usize);
                let sound = (1 << bit) - 1;
                self.feeds += (feeds & sound).count_ones() as usize;
                self.push(at, ends & sound, row_ends & sound);
                break;
            }
            before.end = ends >> 63;
            self.feeds += feeds.count_ones() as usize;
            self.push(at, ends, row_ends);
        }
        self.quotes = any != 0;
        inside != 0
    }

    /// The offset at which a cell ends.
    #[inline(always)]
    pub(crate) fn end(&self, cell: usize) -> usize {
        self.ends[cell + 1] as usize
    }

    /// The offset at which a cell begins.
    #[inline(always)]
    pub(crate) fn start(&self, cell: usize) -> usize {
        self.ends[cell].wrapping_add(1) as usize
    }

    /// The ends of all cells, after one entry that is one before the window, so that it wraps to 0 when one is added.
    #[inline(always)]
    pub(crate) fn ends(&self) -> &[u32] {
        &self.ends[..=self.cells]
    }

    #[inline(always)]
    fn push(&mut self, at: usize, mut bits: u64, row_ends: u64) {
        self.rows += row_ends.count_ones() as usize;
        let count = bits.count_ones() as usize;
        let base = offset(at);
        let free = &mut self.ends[self.cells + 1..];
        if let Some(room) = free.first_chunk_mut::<LANES>() {
            // More than are there, so that the number of turns can be foreseen; what is too much is overwritten.
            for turn in room.chunks_exact_mut(8).take(count.div_ceil(8)) {
                for end in turn {
                    *end = base + lowest(bits);
                    bits &= bits.wrapping_sub(1);
                }
            }
        }
        self.cells += count;
    }

    fn push_end(&mut self, at: usize) {
        self.ends[self.cells + 1] = offset(at);
        self.cells += 1;
        self.rows += 1;
    }
}

/// What the byte before a run of 64 was, as bit 0.
struct Before {
    end: u64,
    quote: u64,
    closed: u64,
    returned: u64,
}

impl Before {
    /// The quotes that stand where none may, and the bytes after a closing quote that do not end the cell, but for a
    /// carriage return before an end. `quoted` has opening quotes but not closing ones.
    fn misplaced(&mut self, quotes: u64, quoted: u64, ends: u64, returns: u64) -> u64 {
        let (opening, closing) = (quotes & quoted, quotes & !quoted);
        let may_open = ends << 1 | self.end | quotes << 1 | self.quote;
        let after = closing << 1 | self.closed;
        let returned = after & returns;
        let after_return = returned << 1 | self.returned;
        self.quote = quotes >> 63;
        self.closed = closing >> 63;
        self.returned = returned >> 63;
        opening & !may_open | after & !(ends | quotes | returns) | after_return & !ends
    }
}

/// The number of the lowest bit that is set; of no meaning if none is.
#[inline(always)]
fn lowest(bits: u64) -> u32 {
    // The highest bit changes nothing but tells the compiler that there is one, which saves a test.
    NonZero::new(bits | 1 << 63).map_or(0, NonZero::<u64>::trailing_zeros)
}

#[expect(clippy::cast_possible_truncation, reason = "a window has at most 2^31 bytes")]
#[inline(always)]
fn offset(at: usize) -> u32 {
    at as u32
}

fn saturated(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(text: &str, last: bool) -> (Vec<(usize, usize)>, Index) {
        let mut index = Index::default();
        index.build(text.as_bytes(), Dialect::CSV, last);
        ((0..index.cells).map(|cell| (index.start(cell), index.end(cell))).collect(), index)
    }

    fn misplaced(text: &str) -> Option<usize> {
        index(text, true).1.misplaced
    }

    #[test]
    fn cells_end_at_delimiters_and_feeds() {
        assert_eq!(index("a,bb\nc,\n", false).0, [(0, 1), (2, 4), (5, 6), (7, 7)]);
        assert_eq!(index("a,b\nc", true).0, [(0, 1), (2, 3), (4, 5)]);
        assert_eq!(index("a,b\nc,", true).0, [(0, 1), (2, 3), (4, 5), (6, 6)]);
        assert_eq!(index("", true).0, []);
        assert_eq!(index("a\n", true).1.rows, 1);
        assert_eq!(index("a\nb", true).1.rows, 2);
        assert_eq!(index("a\nb", false).1.rows, 1);
    }

    #[test]
    fn quotes_hide_delimiters_and_feeds() {
        assert_eq!(index("\"a,\n\"\"\",b\n", false).0, [(0, 7), (8, 9)]);
        assert!(index("a\n\"b", true).1.inside);
    }

    #[test]
    fn quotes_may_stand_only_where_they_may() {
        for sound in
            ["\"\"", "\"a\"\"b\"\n", "a,\"b\"\r\nc", "\"\"\"\",\"\"\n", "\"a\"\r", "\"a\n\"", "\"a\"\r,b"]
        {
            assert_eq!(misplaced(sound), None, "{sound:?}");
        }
        for (text, at) in [
            ("5\" pipe,3\n", 1),
            ("\"a\"b,c\n", 3),
            ("a,\"b\" \n", 5),
            ("a\"\"b\n", 1),
            ("\"a\" \"b\"", 3),
            (" \"a\"", 1),
            ("\"a\"\rb", 4),
        ] {
            assert_eq!(misplaced(text), Some(at), "{text:?}");
            // The same across the border between two runs of 64.
            for pad in 55..70 {
                let text = format!("{}\n{text}", "x".repeat(pad));
                assert_eq!(misplaced(&text), Some(pad + 1 + at), "{text:?}");
            }
        }
    }
}
