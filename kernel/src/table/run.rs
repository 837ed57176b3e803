//! A part of a file on its way through a reader: the rows that begin in it, each once, and what is told of a bad one.

use tally_columns::{
    BadCell, Batch, Compression, ROW_BYTES_MAX, ReadError, Reader, Table, has_decimal_comma,
};
#[cfg(feature = "parquet")]
use tally_columns::{OnBad, Wanted};
use tally_protocol::site::Site;
use tally_protocol::source::Part;

use super::COMMA;
use crate::files::{Bytes, FileBytes};
use crate::place::{Start, Starts};
use crate::rows::{Taker, Texts, Trouble};
use crate::stream::{BLOCK_BYTES, Plain};
use crate::{Fault, KeepGoing};

/// Bytes of a window.
const WINDOW_BYTES: u64 = 256 << 10;
/// Bytes beyond the end of a part that are looked at for the end of its last row.
const BEYOND: u64 = 64 << 10;

/// A part on its way through a reader.
pub(super) struct Run<'a> {
    pub(super) bytes: &'a dyn FileBytes,
    pub(super) part: Part,
    pub(super) texts: Option<&'a Texts>,
    /// The name of the file.
    pub(super) name: &'a str,
    pub(super) length: u64,
}

impl Run<'_> {
    /// The rows of a part of a plain file.
    pub(super) fn mapped(
        &self,
        table: &Table,
        starts: &mut Starts,
        reader: &mut Reader,
        taker: &mut Taker<'_>,
        keep_going: &mut KeepGoing<'_>,
    ) -> Result<bool, Fault> {
        let (bytes, part) = (self.bytes, self.part);
        let start = match starts.first(bytes, part.from, &mut || keep_going(0))? {
            Start::At(place) if place.offset <= part.to && place.offset < self.length => place,
            Start::At(_) | Start::None => return Ok(true),
            Start::Stopped => return Ok(false),
        };
        let mut batch = Batch::default();
        let mut window = Window::new(part.file, self.length, start.offset, part.to);
        let mut place = start;
        let mut view = window.map(bytes)?;
        while place.offset <= part.to {
            let rest = window.rest(&view, place.offset);
            let limit = usize::try_from(part.to - place.offset + 1).unwrap_or(usize::MAX);
            let read = reader.read(rest, limit, window.is_last(), &mut place, &mut batch);
            let taken = match read {
                Ok(taken) => taken,
                Err(error) => {
                    let place = starts.count(bytes, error.place().offset)?;
                    return Err(self.stop(table, &error.at(place)));
                }
            };
            if taken == 0 {
                if window.is_last() || !window.move_on(place.offset) {
                    break;
                }
                drop(view);
                view = window.map(bytes)?;
                continue;
            }
            match taker.take(&batch, rest) {
                Ok(()) => {}
                Err(Trouble::Fault(fault)) => return Err(fault),
                Err(Trouble::Cell(cell)) => {
                    let error = reader.complaint(&batch, &cell, place.offset - taken as u64, rest);
                    let place = starts.count(bytes, error.place().offset)?;
                    return Err(self.stop(table, &error.at(place)));
                }
                Err(Trouble::Element(mut error)) => {
                    // Rows are numbered from the file's start only where quotes made us count them.
                    let counted = starts.count(bytes, start.offset)?;
                    error.row = error.row.saturating_add(counted.row - start.row);
                    return Err(self.element(&error));
                }
            }
            if place.offset <= part.to && !keep_going(place.offset.saturating_sub(part.from)) {
                return Ok(false);
            }
        }
        if place.offset > part.to {
            starts.was_read(part.to, place);
        }
        Ok(true)
    }

    /// All rows of a compressed file, if the part has its first byte; else none.
    pub(super) fn unpacked(
        &self,
        table: &Table,
        compression: Compression,
        reader: &mut Reader,
        taker: &mut Taker<'_>,
        keep_going: &mut KeepGoing<'_>,
    ) -> Result<bool, Fault> {
        if self.part.from > 0 {
            return Ok(true);
        }
        let mut plain = Plain::new(self.part.file, self.name, self.length, compression, self.bytes);
        let mut batch = Batch::default();
        let mut place = table.body();
        if !plain.leave_out(place.offset)? {
            return Ok(true);
        }
        loop {
            let rest = plain.rest();
            let taken = reader
                .read(rest, rest.len(), plain.ended(), &mut place, &mut batch)
                .map_err(|error| self.stop(table, &error))?;
            if taken == 0 {
                if plain.ended() {
                    return Ok(true);
                }
                plain.fill(BLOCK_BYTES)?;
            } else {
                taker.take(&batch, rest).map_err(|trouble| match trouble {
                    Trouble::Fault(fault) => fault,
                    Trouble::Element(error) => self.element(&error),
                    Trouble::Cell(cell) => {
                        let offset = place.offset - taken as u64;
                        self.stop(table, &reader.complaint(&batch, &cell, offset, rest))
                    }
                })?;
                plain.done(taken);
            }
            if !keep_going(plain.progress(self.part)) {
                return Ok(false);
            }
        }
    }

    /// The rows of the row groups that begin in the part.
    #[cfg(feature = "parquet")]
    pub(super) fn grouped(
        &self,
        parquet: &tally_columns::Parquet,
        wanted: &[Wanted],
        on_bad: OnBad,
        taker: &mut Taker<'_>,
        keep_going: &mut KeepGoing<'_>,
    ) -> Result<bool, Fault> {
        let wrong = |error: tally_columns::ParquetError| match error {
            tally_columns::ParquetError::Row(error) => self.stop(parquet.table(), &error),
            other => Fault::new(format!("read {}: {other}", self.name)).at(Site::of_file(self.name)),
        };
        let mut batch = Batch::default();
        for group in parquet.groups(self.part.from, self.part.to) {
            // Only an expression may not want a cell.
            let mut rows = parquet.rows_of(group, wanted, on_bad, self.texts.is_some()).map_err(wrong)?;
            while rows.read(&mut batch).map_err(wrong)? {
                taker.take(&batch, &[]).map_err(|trouble| match trouble {
                    Trouble::Fault(fault) => fault,
                    Trouble::Element(error) => self.element(&error),
                    Trouble::Cell(cell) => self.stop(parquet.table(), &rows.complaint(&batch, &cell)),
                })?;
                if !keep_going(0) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Whether the file begins with what no text has. Of one that is packed its own bytes say nothing.
    fn is_binary(&self) -> bool {
        const LOOKED_AT: u64 = 512;
        const PACKED: [&[u8]; 2] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd"];
        self.bytes
            .part(self.part.file, 0, self.length.min(LOOKED_AT))
            .is_ok_and(|head| head.contains(&0) && !PACKED.iter().any(|magic| head.starts_with(magic)))
    }

    /// Why rows could not be read. A column that is of floats after all is named, so that the job starts over.
    fn stop(&self, table: &Table, error: &ReadError) -> Fault {
        let site = Site::of_file(self.name).row(error.place().row);
        let site = match error {
            ReadError::Bad { column, .. } => site.column(column),
            _ => site,
        };
        let fault = Fault::new(format!("read {}: {error}", self.name)).at(site);
        match error {
            ReadError::NotInteger { column, .. } => {
                Fault { floats: table.names().get(*column).cloned(), ..fault }
            }
            ReadError::Bad { cell, .. } if has_decimal_comma(cell.as_bytes()) => fault.hint(COMMA),
            ReadError::Bad { .. } if table.names() == ["value"] && self.is_binary() => fault
                .hint("it is no text: --format says what the numbers of a binary file are, such as f64le"),
            ReadError::Bad { place, why: BadCell::NotNumber, cell, .. }
                if place.row == 1 && table.names() == ["value"] && begins_like_name(cell) =>
            {
                fault.hint("it looks like the header of a table: --format csv reads it as one")
            }
            ReadError::Bad { cell, .. } if table.names() == ["value"] && has_several_numbers(cell) => {
                fault.hint("a line has one number: tr -s ' \\t' '\\n' makes lines of several")
            }
            ReadError::Bad { .. } | ReadError::Ragged { .. } => {
                fault.hint("--on-bad skip leaves such rows out, --on-bad nan takes them for NaN")
            }
            // From here on nobody can say where rows end, whatever is done about bad ones.
            ReadError::Quote { .. } | ReadError::OpenQuote { .. } | ReadError::RowTooLong { .. } => fault,
        }
    }

    /// A row whose expression has no answer.
    fn element(&self, error: &tally_expr::EvalError) -> Fault {
        let (of, filter) = self.texts.map_or(("", None), |texts| (&*texts.of, texts.filter.as_deref()));
        Fault::of_element(of, filter, error, Some(self.name))
    }
}

/// Some of the bytes that a part's rows lie in, so few that they stay in a cache between being read and being used.
struct Window {
    file: usize,
    length: u64,
    start: u64,
    end: u64,
    /// Where the part ends, and its last row at the latest, if it is no long one.
    most: u64,
}

impl Window {
    fn new(file: usize, length: u64, start: u64, to: u64) -> Self {
        let most = to.saturating_add(BEYOND).min(length);
        Self { file, length, start, end: start.saturating_add(WINDOW_BYTES).min(most), most }
    }

    fn map(&self, bytes: &dyn FileBytes) -> Result<Bytes, Fault> {
        bytes.part(self.file, self.start, self.end)
    }

    fn is_last(&self) -> bool {
        self.end == self.length
    }

    fn rest<'a>(&self, view: &'a Bytes, offset: u64) -> &'a [u8] {
        let at = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        view.get(at..).unwrap_or(&[])
    }

    /// Moves to the row at `offset`, and takes in more if it is no whole one yet; false if no row is that long.
    fn move_on(&mut self, offset: u64) -> bool {
        let end = offset.saturating_add(WINDOW_BYTES).min(self.most);
        self.start = offset;
        let end = if end > self.end {
            end
        } else {
            let more = (self.end - offset).clamp(BEYOND, 2 * ROW_BYTES_MAX as u64);
            self.end.saturating_add(more).min(self.length)
        };
        std::mem::replace(&mut self.end, end) < end
    }
}

/// Whether a line is more likely the name of a column than a number that is misspelt.
fn begins_like_name(cell: &str) -> bool {
    cell.trim_start_matches('"').starts_with(|letter: char| letter.is_alphabetic() || letter == '_')
}

/// Whether a line has numbers with blanks between them.
fn has_several_numbers(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    words.clone().nth(1).is_some() && words.all(|word| word.parse::<f64>().is_ok())
}
