//! Apache Parquet: which columns a file has, and the rows of one row group as batches. Behind the feature `parquet`.
//!
//! The decoding is a library's; what a cell means here is the same as in any other table. A file is untrusted: what the
//! library cannot read, or panics at, is an error. A page is held at a time, never a row group and never the file.

mod cells;

use std::fmt;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ::parquet::column::reader::ColumnReader;
use ::parquet::errors::ParquetError as Broken;
use ::parquet::file::reader::{ChunkReader, FileReader, Length, SerializedFileReader};
use bytes::Bytes;

use crate::batch::{Batch, Kind, Valueless};
use crate::dialect::Dialect;
use crate::error::ReadError;
use crate::reader::{OnBad, Wanted};
use crate::scan::Place;
use crate::table::Table;
use cells::{Cells, Nature};

/// Rows of a batch.
const ROWS: usize = 8 << 10;
/// Bytes that are asked for at once while the header of a page is read.
const HEADER_BYTES: u64 = 4 << 10;

/// Where the bytes of a file come from.
pub trait ParquetBytes: Send + Sync {
    /// How many there are.
    fn length(&self) -> u64;
    /// Those of `from..to`; fewer only where the file ends.
    ///
    /// # Errors
    /// When they cannot be had.
    fn read(&self, from: u64, to: u64) -> io::Result<Vec<u8>>;
}

/// Why a Parquet file, or a row of it, could not be read. Fits after "could not read PATH:".
#[derive(Debug)]
pub enum ParquetError {
    /// It is none, it is damaged, or it needs what this program cannot do.
    File(String),
    /// A row.
    Row(ReadError),
}

impl fmt::Display for ParquetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(why) => f.write_str(why),
            Self::Row(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ParquetError {}

impl From<Broken> for ParquetError {
    fn from(why: Broken) -> Self {
        Self::File(match why {
            Broken::External(why) => why.to_string(),
            Broken::General(why) | Broken::EOF(why) => {
                match why.split_once("Disabled feature at compile time: ") {
                    Some((_, codec)) => {
                        format!("it is packed by {codec}; what is read are snappy, gzip, zstd and lz4")
                    }
                    None => format!("as Parquet: {why}"),
                }
            }
            Broken::NYI(why) => format!("as Parquet: {why} is not supported"),
            other => format!("as Parquet: {other}"),
        })
    }
}

/// An open file.
pub struct Parquet {
    reader: SerializedFileReader<Source>,
    length: u64,
    table: Table,
    natures: Vec<Result<Nature, &'static str>>,
    groups: Vec<Group>,
}

impl fmt::Debug for Parquet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parquet").field("table", &self.table).field("groups", &self.groups).finish()
    }
}

/// Rows that are stored together.
#[derive(Clone, Copy, Debug)]
struct Group {
    /// Its first byte.
    at: u64,
    /// The number of its first row, counted from 1.
    first_row: u64,
    rows: u64,
}

impl Parquet {
    /// Reads what the end of a file says about all of it.
    ///
    /// # Errors
    /// If it is no Parquet file, or a damaged one.
    pub fn open(bytes: Arc<dyn ParquetBytes>) -> Result<Self, ParquetError> {
        contained(|| {
            let length = bytes.length();
            let reader = SerializedFileReader::new(Source(bytes))?;
            let schema = reader.metadata().file_metadata().schema_descr_ptr();
            let names = schema.columns().iter().map(|column| column.path().parts().join("."));
            let table = Table::known(Dialect::LINES, names.collect(), Place::START);
            let natures = schema.columns().iter().map(|column| Nature::of(column)).collect();
            let mut next = 1;
            let mut groups = Vec::new();
            for group in reader.metadata().row_groups() {
                let at = group.columns().iter().map(|column| column.byte_range().0).min().unwrap_or(0);
                let rows = u64::try_from(group.num_rows())
                    .map_err(|_| ParquetError::File("as Parquet: a row group has no rows".to_owned()))?;
                groups.push(Group { at, first_row: next, rows });
                next = next.saturating_add(rows);
            }
            Ok(Self { reader, length, table, natures, groups })
        })
    }

    /// Its columns by name; those within others are called `outer.inner`.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// How many rows it has.
    pub fn rows(&self) -> u64 {
        self.groups.last().map_or(0, |last| last.first_row - 1 + last.rows)
    }

    /// What a column is read as if nothing else is asked; nothing if it cannot be read.
    pub fn kind(&self, column: usize) -> Option<Kind> {
        self.natures.get(column)?.as_ref().ok().map(|nature| nature.kind())
    }

    /// Why a column cannot be read as a kind. Fits after "could not read column NAME of PATH:".
    pub fn refuses(&self, wanted: Wanted) -> Option<&'static str> {
        match self.natures.get(wanted.column) {
            Some(Ok(nature)) => nature.refuses(wanted.kind),
            Some(Err(why)) => Some(why),
            None => Some("there is no such column"),
        }
    }

    /// The row groups that belong to a part of the file: those whose first byte lies in it.
    pub fn groups(&self, from: u64, to: u64) -> Vec<usize> {
        // Parts cover all bytes of the file, so a group that says it begins beyond them belongs to the last one.
        let last = self.length.saturating_sub(1);
        let within = |group: &Group| (from..to).contains(&group.at.min(last));
        (0..self.groups.len()).filter(|&group| within(&self.groups[group])).collect()
    }

    /// A reader of the rows of a group. One that `defers` leaves cells without a value in their rows, as
    /// [`Reader::deferring`](crate::Reader::deferring) does.
    ///
    /// # Errors
    /// If what it needs is damaged.
    pub fn rows_of(
        &self,
        group: usize,
        wanted: &[Wanted],
        on_bad: OnBad,
        defers: bool,
    ) -> Result<ParquetRows, ParquetError> {
        let about = self.groups[group];
        contained(|| {
            let reader = self.reader.get_row_group(group)?;
            let mut columns = Vec::new();
            for wanted in wanted {
                let Some(Ok(nature)) = self.natures.get(wanted.column) else {
                    return Err(ParquetError::File("a column that cannot be read".to_owned()));
                };
                let pages: ColumnReader = reader.get_column_reader(wanted.column)?;
                let depth = self.reader.metadata().file_metadata().schema_descr().column(wanted.column);
                let name = self.table.names()[wanted.column].clone();
                columns.push(Cells::new(pages, *nature, depth.max_def_level(), *wanted, name));
            }
            Ok(ParquetRows { columns, next_row: about.first_row, left: about.rows, on_bad, defers })
        })
    }
}

/// The rows of one group, batch by batch.
pub struct ParquetRows {
    columns: Vec<Cells>,
    next_row: u64,
    left: u64,
    on_bad: OnBad,
    defers: bool,
}

impl fmt::Debug for ParquetRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetRows").field("next_row", &self.next_row).field("left", &self.left).finish()
    }
}

impl ParquetRows {
    /// What is wrong with a cell that was deferred.
    pub fn complaint(&self, batch: &Batch, cell: &Valueless) -> ReadError {
        let row = batch.row_number(cell.row);
        let column = self.columns.get(cell.column).map(|column| column.name().to_owned()).unwrap_or_default();
        ReadError::Bad {
            place: Place { offset: 0, row, line: row },
            column,
            cell: String::new(),
            why: cell.why,
        }
    }

    /// Fills a batch with the next rows; false if there are none. Texts of the batch are its own.
    ///
    /// # Errors
    /// A cell that has no value, unless bad cells are skipped or NaN; damage.
    pub fn read(&mut self, batch: &mut Batch) -> Result<bool, ParquetError> {
        batch.begin(self.columns.iter().map(|column| column.wanted().kind));
        batch.first_row = self.next_row;
        let rows = usize::try_from(self.left).unwrap_or(usize::MAX).min(ROWS);
        if rows == 0 {
            return Ok(false);
        }
        let mut bad: Vec<(usize, ReadError)> = Vec::new();
        for (at, (column, into)) in self.columns.iter_mut().zip(&mut batch.columns).enumerate() {
            let before = bad.len();
            contained(|| column.read(rows, into, self.next_row, self.on_bad, &mut bad))?;
            let rows = bad[before..].iter().map(|(row, _)| *row);
            match self.on_bad {
                // Of numbers that can be NaN: integers have stopped.
                OnBad::Nan => batch.made_nan.extend(rows.map(|row| (row, at))),
                OnBad::Error | OnBad::Skip if self.defers => {
                    batch.valueless.extend(rows.map(|row| Valueless::empty(row, at)));
                }
                OnBad::Error | OnBad::Skip => {}
            }
        }
        batch.made_nan.sort_unstable();
        batch.valueless.sort_by_key(|cell| (cell.row, cell.column));
        batch.rows = rows;
        self.next_row += rows as u64;
        self.left -= rows as u64;
        bad.sort_by_key(|(row, _)| *row);
        batch.bad = bad.len() as u64;
        match self.on_bad {
            OnBad::Error | OnBad::Skip if self.defers => {}
            OnBad::Skip => {
                let mut rows: Vec<usize> = bad.iter().map(|(row, _)| *row).collect();
                rows.dedup();
                if !rows.is_empty() {
                    batch.skip(&rows);
                }
            }
            OnBad::Nan => {}
            OnBad::Error => {
                if let Some((_, first)) = bad.into_iter().next() {
                    return Err(ParquetError::Row(first));
                }
            }
        }
        Ok(true)
    }
}

/// A panic of the library at what a file says is an error like any other.
fn contained<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(ParquetError::File("as Parquet: it is damaged".to_owned())))
}

/// The library's view of the bytes.
#[derive(Clone)]
struct Source(Arc<dyn ParquetBytes>);

impl Length for Source {
    fn len(&self) -> u64 {
        self.0.length()
    }
}

impl ChunkReader for Source {
    type T = Sequence;

    fn get_read(&self, start: u64) -> Result<Sequence, Broken> {
        Ok(Sequence { source: self.clone(), at: start, held: Vec::new(), done: 0 })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, Broken> {
        let end = start.saturating_add(length as u64);
        // Nothing is allocated for bytes that the file has not.
        if end > self.0.length() {
            return Err(Broken::EOF(format!("{length} bytes at {start} are beyond its end")));
        }
        let bytes = self.0.read(start, end).map_err(|why| Broken::External(Box::new(why)))?;
        if bytes.len() != length {
            return Err(Broken::EOF(format!("{length} bytes at {start} are not there")));
        }
        Ok(bytes.into())
    }
}

/// Bytes from a place on.
struct Sequence {
    source: Source,
    at: u64,
    held: Vec<u8>,
    done: usize,
}

impl Read for Sequence {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.done == self.held.len() {
            let end = self.at.saturating_add(HEADER_BYTES).min(self.source.0.length());
            self.held = if self.at < end { self.source.0.read(self.at, end)? } else { Vec::new() };
            self.at += self.held.len() as u64;
            self.done = 0;
        }
        let rest = &self.held[self.done..];
        let count = rest.len().min(room.len());
        room[..count].copy_from_slice(&rest[..count]);
        self.done += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
