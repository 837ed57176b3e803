//! Where rows begin, without reading a cell: blocks of a text are scanned on their own, in any order, and put
//! together afterwards.
//!
//! Whether a line feed ends a row depends on the parity of the quotes before it, which a block cannot know; so a
//! scan holds the answer for both parities, and [`BlockScan::then`] chooses. `then` is associative, the default is
//! its identity, and the whole costs about a tenth of reading the cells.

use crate::dialect::Dialect;
use crate::mask::{LANES, RUN, feeds_without, lanes_at, parity_so_far};

/// Where something is in a text, for programs and for people.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Place {
    /// Bytes from the start of the text (after decompression).
    pub offset: u64,
    /// The row, counted from 1; the header is a row, and so is a blank line. What a spreadsheet shows.
    pub row: u64,
    /// The line, counted from 1; a row with line feeds within quotes has several. What an editor shows.
    pub line: u64,
}

impl Place {
    /// The first byte of a text.
    pub const START: Self = Self { offset: 0, row: 1, line: 1 };

    /// The place after the bytes that were scanned, if they began at this place, outside quotes.
    pub fn after(self, scan: &BlockScan) -> Self {
        Self {
            offset: self.offset + scan.bytes,
            row: self.row + scan.rows_outside,
            line: self.line + scan.lines,
        }
    }
}

/// What a block of a text says about rows, whichever side of a quote it begins on.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct BlockScan {
    /// Bytes of the block.
    bytes: u64,
    /// Whether it holds an odd number of quotes.
    odd: bool,
    /// Line feeds.
    lines: u64,
    /// Line feeds that end a row if the block begins outside quotes; all others do if it begins inside.
    rows_outside: u64,
    /// The end of the first row to end, if the block begins outside quotes, and inside.
    first: [Option<RowEnd>; 2],
}

/// The end of a row, counted from the start of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct RowEnd {
    /// Bytes up to the start of the next row.
    bytes: u64,
    /// Line feeds among them.
    lines: u64,
}

impl BlockScan {
    /// Scans a block; it may begin and end anywhere.
    pub fn of(block: &[u8], dialect: Dialect) -> Self {
        let mut scan = Self { bytes: block.len() as u64, ..Self::default() };
        // All ones inside quotes, if the block begins outside them.
        let mut inside = 0_u64;
        for at in (0..block.len()).step_by(RUN) {
            let rest = block.get(at..).unwrap_or(&[]);
            // Most runs have no quote, and only the first one with a row end has to be looked at closely.
            let whole = rest.first_chunk().filter(|_| scan.first[usize::from(inside != 0)].is_some());
            match whole.and_then(|run| feeds_without(dialect.quote(), run)) {
                Some(feeds) => {
                    scan.lines += feeds;
                    scan.rows_outside += if inside == 0 { feeds } else { 0 };
                }
                None => inside = scan.closely(&rest[..rest.len().min(RUN)], at, inside, dialect),
            }
        }
        scan.odd = inside != 0;
        scan
    }

    /// Takes in the bytes that begin at `begun`, inside quotes or not; says whether they end so.
    fn closely(&mut self, run: &[u8], begun: usize, mut inside: u64, dialect: Dialect) -> u64 {
        for at in (0..run.len()).step_by(LANES) {
            let lanes = lanes_at(run, at);
            let feeds = lanes.equal(b'\n');
            let quotes = dialect.quote().map_or(0, |quote| lanes.equal(quote));
            let quoted = parity_so_far(quotes) ^ inside;
            inside = (quoted.cast_signed() >> 63).cast_unsigned();
            for (first, ends) in self.first.iter_mut().zip([feeds & !quoted, feeds & quoted]) {
                if first.is_none() && ends != 0 {
                    let bit = ends.trailing_zeros();
                    let before = u64::from((feeds & ((1 << bit) - 1)).count_ones());
                    *first = Some(RowEnd {
                        bytes: (begun + at) as u64 + u64::from(bit) + 1,
                        lines: self.lines + before + 1,
                    });
                }
            }
            self.lines += u64::from(feeds.count_ones());
            self.rows_outside += u64::from((feeds & !quoted).count_ones());
        }
        inside
    }

    /// The scan of this block and, after it, `next`.
    pub fn then(&self, next: &Self) -> Self {
        let rows = if self.odd { next.lines - next.rows_outside } else { next.rows_outside };
        let first = [0, 1].map(|inside| {
            let later = next.first[inside ^ usize::from(self.odd)];
            self.first[inside].or_else(|| {
                later.map(|end| RowEnd { bytes: self.bytes + end.bytes, lines: self.lines + end.lines })
            })
        });
        Self {
            bytes: self.bytes + next.bytes,
            odd: self.odd ^ next.odd,
            lines: self.lines + next.lines,
            rows_outside: self.rows_outside + rows,
            first,
        }
    }

    /// The scan of what lies between two row starts of a text that somebody has read from one to the other. It does not
    /// know where its first rows end, so it can only come before other scans.
    pub fn between(from: Place, to: Place) -> Self {
        Self {
            bytes: to.offset.saturating_sub(from.offset),
            lines: to.line.saturating_sub(from.line),
            rows_outside: to.row.saturating_sub(from.row),
            ..Self::default()
        }
    }

    /// Bytes that were scanned.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Row ends among them, if they begin outside quotes.
    pub fn rows(&self) -> u64 {
        self.rows_outside
    }

    /// The numbers of a scan as they travel, for [`BlockScan::from_words`].
    pub fn to_words(&self) -> [u64; 8] {
        let end = |end: Option<RowEnd>| end.map_or([0, 0], |end| [end.bytes, end.lines]);
        let ([a, b], [c, d]) = (end(self.first[0]), end(self.first[1]));
        [self.bytes, u64::from(self.odd), self.lines, self.rows_outside, a, b, c, d]
    }

    /// Reads what [`BlockScan::to_words`] wrote; nothing that contradicts itself is taken.
    pub fn from_words(words: [u64; 8]) -> Option<Self> {
        let [bytes, odd, lines, rows_outside, a, b, c, d] = words;
        let end = |bytes, lines| match (bytes, lines) {
            (0, 0) => Some(None),
            (0, _) | (_, 0) => None,
            _ => Some(Some(RowEnd { bytes, lines })),
        };
        let first = [end(a, b)?, end(c, d)?];
        let inside = lines.checked_sub(rows_outside)?;
        let fits = |end: Option<RowEnd>, rows: u64| match end {
            None => rows == 0,
            Some(end) => rows > 0 && end.bytes <= bytes && end.lines <= lines && end.lines <= end.bytes,
        };
        let sound = odd < 2
            && bytes <= BLOCK_BYTES_MAX
            && lines <= bytes
            && fits(first[0], rows_outside)
            && fits(first[1], inside);
        sound.then_some(Self { bytes, odd: odd == 1, lines, rows_outside, first })
    }
}

/// Bytes of a block that a stranger may claim to have scanned: sums of a few thousand of them stay far from overflow.
const BLOCK_BYTES_MAX: u64 = 1 << 48;

/// The rows of one partition: those that begin at `start` or later and before `end`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rows {
    /// Where its first row begins.
    pub start: Place,
    /// The offset where the first row of the next partition begins, or where the text ends.
    pub end: u64,
}

/// Cuts the rows after `body` into partitions, one for each scanned block, from the scans of the blocks that follow
/// `body` without a gap to the end of the text.
///
/// A row belongs to the block in which it begins; a row that begins with the block belongs to the block before, unless
/// the block is the first. Blocks in which no row begins give no partition. Each row is in exactly one.
pub fn cut(body: Place, scans: &[BlockScan]) -> Vec<Rows> {
    let mut starts = vec![body];
    let mut before = BlockScan::default();
    for scan in scans {
        let place = body.after(&before);
        if before.bytes > 0
            && let Some(end) = scan.first[usize::from(before.odd)]
        {
            starts.push(Place {
                offset: place.offset + end.bytes,
                row: place.row + 1,
                line: place.line + end.lines,
            });
        }
        before = before.then(scan);
    }
    let end = body.offset + before.bytes;
    let ends = starts.iter().skip(1).map(|place| place.offset).chain([end]).collect::<Vec<_>>();
    let rows = starts.iter().zip(ends).map(|(start, end)| Rows { start: *start, end });
    rows.filter(|rows| rows.start.offset < rows.end).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text() -> impl Strategy<Value = Vec<u8>> {
        let byte = proptest::sample::select(b"\n\n\"\",a\r".to_vec());
        proptest::collection::vec(byte, 0..300)
    }

    /// The starts of all rows, one byte at a time.
    fn starts(text: &[u8]) -> Vec<Place> {
        let (mut starts, mut inside, mut place) = (vec![Place::START], false, Place::START);
        for byte in text {
            place.offset += 1;
            inside ^= *byte == b'"';
            if *byte == b'\n' {
                place.line += 1;
                if !inside {
                    place.row += 1;
                    starts.push(place);
                }
            }
        }
        starts.retain(|start| start.offset < text.len() as u64);
        starts
    }

    fn blocks(text: &[u8], cuts: &[prop::sample::Index]) -> Vec<BlockScan> {
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        at.extend([0, text.len()]);
        at.sort_unstable();
        at.windows(2).map(|pair| BlockScan::of(&text[pair[0]..pair[1]], Dialect::CSV)).collect()
    }

    #[test]
    fn long_texts_are_what_their_short_blocks_are() {
        for quotes in [&[][..], &[0], &[5, RUN + 1], &[RUN - 1, 3 * RUN, 3 * RUN + 1], &[2 * RUN]] {
            let mut text = b"some,cells\n".repeat(RUN / 2);
            quotes.iter().for_each(|&at| text[at] = b'"');
            let short = text.chunks(RUN - 3).map(|block| BlockScan::of(block, Dialect::CSV));
            let pieced = short.fold(BlockScan::default(), |sum, next| sum.then(&next));
            assert_eq!(BlockScan::of(&text, Dialect::CSV), pieced, "{quotes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_cuts_and_grouping_are_one_scan(text in text(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8)) {
            let blocks = blocks(&text, &cuts);
            let whole = BlockScan::of(&text, Dialect::CSV);
            let left = blocks.iter().fold(BlockScan::default(), |sum, next| sum.then(next));
            let right = blocks.iter().rev().fold(BlockScan::default(), |sum, before| before.then(&sum));
            prop_assert_eq!(left, whole);
            prop_assert_eq!(right, whole);
            prop_assert_eq!(BlockScan::from_words(whole.to_words()), Some(whole));
        }

        #[test]
        fn what_was_read_is_as_good_as_scanned(text in text(), at in any::<prop::sample::Index>(), end in any::<prop::sample::Index>()) {
            let starts = starts(&text);
            prop_assume!(!starts.is_empty());
            let start = starts[at.index(starts.len())];
            let at = usize::try_from(start.offset).unwrap();
            let end = at + end.index(text.len() - at + 1);
            let scan = |block| BlockScan::of(block, Dialect::CSV);
            let read = [BlockScan::between(Place::START, start), scan(&text[at..end]), scan(&text[end..])];
            let scanned = [scan(&text[..at]), scan(&text[at..end]), scan(&text[end..])];
            let both = [read, scanned].map(|[a, b, c]| (cut(Place::START, &[a.then(&b), c]), Place::START.after(&a.then(&b))));
            prop_assert_eq!(&both[0], &both[1]);
        }

        #[test]
        fn each_row_is_in_one_partition(text in text(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8)) {
            let all = starts(&text);
            let partitions = cut(Place::START, &blocks(&text, &cuts));
            let mut expected = 0;
            let mut seen = 0;
            for rows in &partitions {
                prop_assert_eq!(rows.start.offset, expected);
                prop_assert!(all.contains(&rows.start), "{:?} in {:?}", rows, all);
                seen += all.iter().filter(|row| (rows.start.offset..rows.end).contains(&row.offset)).count();
                expected = rows.end;
            }
            prop_assert_eq!(seen, all.len());
            prop_assert_eq!(expected, text.len() as u64);
        }

        #[test]
        fn words_of_strangers_never_panic(words in any::<[u64; 8]>(), small in proptest::array::uniform8(0_u64..4)) {
            for words in [words, small] {
                if let Some(scan) = BlockScan::from_words(words) {
                    prop_assert_eq!(scan.to_words(), words);
                    let _cut = cut(Place::START, &[BlockScan::default(), scan]);
                }
            }
        }
    }

    #[test]
    fn blocks_of_equal_size_are_partitions() {
        let text = b"aaa\nbbb\n\"c\nc\"\nddd\n";
        let scans: Vec<_> = text.chunks(6).map(|block| BlockScan::of(block, Dialect::CSV)).collect();
        let at = |offset, row, line| Place { offset, row, line };
        assert_eq!(
            cut(Place::START, &scans),
            [
                Rows { start: Place::START, end: 8 },
                Rows { start: at(8, 3, 3), end: 14 },
                Rows { start: at(14, 4, 5), end: 18 },
            ]
        );
    }
}
