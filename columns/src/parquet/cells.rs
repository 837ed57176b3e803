//! The cells of one column of a row group: from what is stored to what a batch holds.

use std::io::Write as _;

use ::parquet::basic::{ConvertedType, LogicalType, Type};
use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::{ByteArray, DataType, FixedLenByteArray};
use ::parquet::schema::types::ColumnDescriptor;
use tally_reduce::{Answer, Integer};

use super::ParquetError;
use crate::batch::{Column, Kind};
use crate::cell::{BadCell, Decimal};
use crate::error::ReadError;
use crate::float;
use crate::reader::{OnBad, Wanted};
use crate::scan::Place;

/// Digits of a decimal after its point that make sense; more are refused.
const SCALE_MAX: i32 = 4_096;

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Nature {
    /// Integers; if not signed, of 8 to 64 bits without a sign.
    Integer { signed: bool },
    /// True and false, which are 1 and 0.
    Bool,
    /// Floats of 16, 32 or 64 bits.
    Float,
    /// `units / 10^scale`.
    Decimal { scale: i32 },
    /// Bytes.
    Text,
    /// Days since 1970-01-01; a text such as `2024-02-29`.
    Date,
}

impl Nature {
    /// What a column holds, or why it is not read.
    pub(super) fn of(column: &ColumnDescriptor) -> Result<Self, &'static str> {
        if column.max_rep_level() > 0 {
            return Err("it holds lists");
        }
        let decimal = |scale: i32| match scale {
            0..=SCALE_MAX => Ok(Self::Decimal { scale }),
            _ => Err("its decimals have too many digits after the point"),
        };
        match column.logical_type_ref() {
            Some(LogicalType::Decimal(decimals)) => return decimal(decimals.scale),
            Some(LogicalType::Integer(kind)) => return Ok(Self::Integer { signed: kind.is_signed }),
            Some(LogicalType::Date) => return Ok(Self::Date),
            Some(LogicalType::Time(_) | LogicalType::Timestamp(_)) => return Err("times are not numbers"),
            Some(LogicalType::Float16) => return Ok(Self::Float),
            _ => {}
        }
        match (column.physical_type(), column.converted_type()) {
            (_, ConvertedType::DECIMAL) => decimal(column.type_scale()),
            (_, ConvertedType::DATE) => Ok(Self::Date),
            (
                _,
                ConvertedType::TIME_MILLIS
                | ConvertedType::TIME_MICROS
                | ConvertedType::TIMESTAMP_MILLIS
                | ConvertedType::TIMESTAMP_MICROS
                | ConvertedType::INTERVAL,
            )
            | (Type::INT96, _) => Err("times are not numbers"),
            (
                _,
                ConvertedType::UINT_8
                | ConvertedType::UINT_16
                | ConvertedType::UINT_32
                | ConvertedType::UINT_64,
            ) => Ok(Self::Integer { signed: false }),
            (Type::BOOLEAN, _) => Ok(Self::Bool),
            (Type::INT32 | Type::INT64, _) => Ok(Self::Integer { signed: true }),
            (Type::FLOAT | Type::DOUBLE, _) => Ok(Self::Float),
            (Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY, _) => Ok(Self::Text),
        }
    }

    /// What it is read as if nothing else is asked.
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Integer { .. } | Self::Bool | Self::Decimal { scale: 0 } => Kind::Integer,
            Self::Float | Self::Decimal { .. } => Kind::Float,
            Self::Text | Self::Date => Kind::Text,
        }
    }

    /// Why it cannot be read as a kind.
    pub(super) fn refuses(self, kind: Kind) -> Option<&'static str> {
        match (self, kind) {
            (Self::Float, Kind::Decimal) => {
                Some("it holds binary floats, and --decimal adds decimal numbers")
            }
            (Self::Text | Self::Date, Kind::Integer | Kind::Float | Kind::Decimal) => {
                Some("it has text, no numbers")
            }
            _ => None,
        }
    }
}

/// One cell, as stored.
enum Cell<'a> {
    Small(i64),
    Wide(Integer),
    Float(f64),
    Decimal(Integer, i32),
    Text(&'a [u8]),
    /// Days since 1970-01-01.
    Day(i64),
    Bool(bool),
}

/// What was decoded of a run of rows: the cells that are there.
#[derive(Default)]
struct Held<T> {
    cells: Vec<T>,
}

/// A column on its way out of a row group.
pub(super) struct Cells {
    pages: ColumnReader,
    nature: Nature,
    /// The level at which a cell is there; below it there is none.
    depth: i16,
    levels: Vec<i16>,
    wanted: Wanted,
    name: String,
}

impl Cells {
    pub(super) fn new(pages: ColumnReader, nature: Nature, depth: i16, wanted: Wanted, name: String) -> Self {
        Self { pages, nature, depth, levels: Vec::new(), wanted, name }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn wanted(&self) -> Wanted {
        self.wanted
    }

    /// Reads so many rows, the first of which is number `first`; a row without a value is noted in `bad`.
    pub(super) fn read(
        &mut self,
        rows: usize,
        into: &mut Column,
        first: u64,
        on_bad: OnBad,
        bad: &mut Vec<(usize, ReadError)>,
    ) -> Result<(), ParquetError> {
        self.levels.clear();
        let run = Run {
            nature: self.nature,
            depth: self.depth,
            levels: &mut self.levels,
            rows,
            first,
            on_bad,
            wanted: self.wanted,
            name: &self.name,
        };
        match &mut self.pages {
            ColumnReader::BoolColumnReader(pages) => run.read(pages, into, bad, |cell, _| Cell::Bool(*cell)),
            ColumnReader::Int32ColumnReader(pages) => run.read(pages, into, bad, |cell, nature| {
                // Without a sign, the bits are the number.
                integer((*cell).into(), u64::from(cell.cast_unsigned()), nature)
            }),
            ColumnReader::Int64ColumnReader(pages) => {
                run.read(pages, into, bad, |cell, nature| integer(*cell, cell.cast_unsigned(), nature))
            }
            ColumnReader::FloatColumnReader(pages) => {
                run.read(pages, into, bad, |cell, _| Cell::Float((*cell).into()))
            }
            ColumnReader::DoubleColumnReader(pages) => {
                run.read(pages, into, bad, |cell, _| Cell::Float(*cell))
            }
            ColumnReader::ByteArrayColumnReader(pages) => {
                run.read(pages, into, bad, |cell: &ByteArray, nature| array(cell.data(), nature))
            }
            ColumnReader::FixedLenByteArrayColumnReader(pages) => {
                run.read(pages, into, bad, |cell: &FixedLenByteArray, nature| array(cell.data(), nature))
            }
            ColumnReader::Int96ColumnReader(_) => Err(ParquetError::File("times are not numbers".to_owned())),
        }
    }
}

fn integer<'a>(signed: i64, unsigned: u64, nature: Nature) -> Cell<'a> {
    match nature {
        Nature::Integer { signed: false } => match i64::try_from(unsigned) {
            Ok(small) => Cell::Small(small),
            Err(_) => Cell::Wide(unsigned.into()),
        },
        Nature::Decimal { scale } => Cell::Decimal(signed.into(), scale),
        Nature::Date => Cell::Day(signed),
        _ => Cell::Small(signed),
    }
}

fn array(bytes: &[u8], nature: Nature) -> Cell<'_> {
    match (nature, bytes) {
        (Nature::Decimal { scale }, bytes) => Cell::Decimal(big_endian(bytes), scale),
        (Nature::Float, &[low, high]) => {
            Cell::Float(crate::fixed::widen(u16::from_le_bytes([low, high])).into())
        }
        _ => Cell::Text(bytes),
    }
}

/// An integer in two's complement, its highest byte first.
fn big_endian(bytes: &[u8]) -> Integer {
    let magnitude = |bytes: &mut dyn Iterator<Item = u8>| {
        bytes.fold(Integer::ZERO, |sum, byte| (sum << 8) + Integer::from(byte))
    };
    match bytes.first() {
        Some(0x80..) => -(magnitude(&mut bytes.iter().map(|byte| !byte)) + Integer::ONE),
        _ => magnitude(&mut bytes.iter().copied()),
    }
}

/// What it takes to read a run of rows.
struct Run<'a> {
    nature: Nature,
    depth: i16,
    levels: &'a mut Vec<i16>,
    rows: usize,
    first: u64,
    on_bad: OnBad,
    wanted: Wanted,
    name: &'a str,
}

impl Run<'_> {
    fn read<T: DataType>(
        self,
        pages: &mut ColumnReaderImpl<T>,
        into: &mut Column,
        bad: &mut Vec<(usize, ReadError)>,
        cell: impl for<'c> Fn(&'c T::T, Nature) -> Cell<'c>,
    ) -> Result<(), ParquetError> {
        let mut held: Held<T::T> = Held { cells: Vec::new() };
        let levels = (self.depth > 0).then_some(&mut *self.levels);
        let (records, _, _) = pages.read_records(self.rows, levels, None, &mut held.cells)?;
        let there = if self.depth > 0 { self.levels.len() } else { held.cells.len() };
        if records != self.rows || there != self.rows {
            return Err(ParquetError::File("as Parquet: a column ends before its row group".to_owned()));
        }
        let mut cells = held.cells.iter();
        for row in 0..self.rows {
            let absent = self.depth > 0 && self.levels[row] < self.depth;
            let value = if absent { None } else { cells.next() };
            match value {
                Some(value) => self.put(cell(value, self.nature), row, into)?,
                None => self.nothing(row, into, bad)?,
            }
        }
        Ok(())
    }

    fn place(&self, row: usize) -> Place {
        let row = self.first + row as u64;
        Place { offset: 0, row, line: row }
    }

    fn put(&self, cell: Cell<'_>, row: usize, into: &mut Column) -> Result<(), ParquetError> {
        match into {
            Column::Integer(integers) => {
                let wide = match cell {
                    Cell::Small(value) => {
                        integers.values.push(value);
                        return Ok(());
                    }
                    Cell::Bool(value) => {
                        integers.values.push(value.into());
                        return Ok(());
                    }
                    Cell::Wide(value) | Cell::Decimal(value, 0) => value,
                    Cell::Decimal(..) | Cell::Float(_) | Cell::Text(_) | Cell::Day(_) => {
                        let (place, column) = (self.place(row), self.wanted.column);
                        return Err(ParquetError::Row(ReadError::NotInteger { place, column }));
                    }
                };
                let small = i64::try_from(&wide);
                integers.values.push(small.as_ref().copied().unwrap_or(0));
                if small.is_err() {
                    integers.wide.push((row, wide));
                }
            }
            Column::Float(floats) => floats.push(nearest(&cell)),
            Column::Text(texts) => {
                if !texts.push_own(|room| write(&cell, room)) {
                    return Err(too_long());
                }
            }
            Column::Decimal(decimals) => {
                let (units, scale) = match cell {
                    Cell::Small(value) => (value.into(), 0),
                    Cell::Bool(value) => (u8::from(value).into(), 0),
                    Cell::Wide(value) => (value, 0),
                    Cell::Decimal(units, scale) => (units, scale),
                    Cell::Float(_) | Cell::Text(_) | Cell::Day(_) => {
                        return Err(ParquetError::File("a cell that is no decimal number".to_owned()));
                    }
                };
                let short = i128::try_from(&units).map(|units| (units, scale));
                decimals.values.push(short.unwrap_or((0, 0)));
                if short.is_err() {
                    decimals.wide.push((row, Decimal { units, scale }));
                }
            }
        }
        Ok(())
    }

    /// A row that has no value in this column: an empty cell, which for texts is a text.
    fn nothing(
        &self,
        row: usize,
        into: &mut Column,
        bad: &mut Vec<(usize, ReadError)>,
    ) -> Result<(), ParquetError> {
        let place = self.place(row);
        match into {
            Column::Text(texts) => {
                let fits = texts.push_own(|_| ());
                return if fits { Ok(()) } else { Err(too_long()) };
            }
            // A NaN is a float, and so is the column.
            Column::Integer(_) if self.on_bad == OnBad::Nan => {
                let column = self.wanted.column;
                return Err(ParquetError::Row(ReadError::NotInteger { place, column }));
            }
            Column::Integer(integers) => integers.values.push(0),
            Column::Float(floats) => floats.push(f64::NAN),
            Column::Decimal(decimals) => decimals.values.push((0, 0)),
        }
        let (column, why) = (self.name.to_owned(), BadCell::Empty);
        bad.push((row, ReadError::Bad { place, column, cell: String::new(), why }));
        Ok(())
    }
}

fn too_long() -> ParquetError {
    ParquetError::File("texts of more than 4 GiB side by side".to_owned())
}

/// The nearest double.
fn nearest(cell: &Cell<'_>) -> f64 {
    if let Cell::Decimal(units, scale) = cell
        && let Some(value) = short(units, *scale)
    {
        return value;
    }
    let text = match cell {
        Cell::Float(value) => return *value,
        Cell::Bool(value) => return u8::from(*value).into(),
        Cell::Small(value) => value.to_string(),
        Cell::Wide(value) => value.to_string(),
        Cell::Decimal(units, scale) => format!("{units}e-{scale}"),
        Cell::Text(_) | Cell::Day(_) => return f64::NAN,
    };
    // Digits and an exponent that make sense: they have a nearest double.
    float::general(text.as_bytes()).unwrap_or(f64::NAN)
}

/// The nearest double of a decimal whose units and power of ten are doubles themselves: their quotient, rounded once.
#[expect(clippy::cast_precision_loss, reason = "below 2^53 there is none")]
fn short(units: &Integer, scale: i32) -> Option<f64> {
    const EXACT: [f64; 23] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
        1e18, 1e19, 1e20, 1e21, 1e22,
    ];
    let units = i64::try_from(units).ok().filter(|units| units.unsigned_abs() <= 1 << 53)?;
    Some(units as f64 / EXACT.get(usize::try_from(scale).ok()?)?)
}

/// A cell as text: as it would be written in a table of text.
fn write(cell: &Cell<'_>, room: &mut Vec<u8>) {
    let written = match cell {
        Cell::Text(text) => room.write_all(text),
        Cell::Small(value) => write!(room, "{value}"),
        Cell::Wide(value) => write!(room, "{value}"),
        Cell::Float(value) => write!(room, "{}", Answer::Float(*value)),
        Cell::Bool(value) => write!(room, "{value}"),
        Cell::Day(days) => {
            let (year, month, day) = civil(*days);
            write!(room, "{year:04}-{month:02}-{day:02}")
        }
        Cell::Decimal(units, scale) => {
            match tally_reduce::Decimal::from_units(units.clone(), i64::from(*scale)) {
                Ok(decimal) => write!(room, "{decimal}"),
                Err(_) => write!(room, "{units}e-{scale}"),
            }
        }
    };
    // Memory takes all that is written to it.
    written.unwrap_or(());
}

/// Year, month and day of a day counted from 1970-01-01, in the calendar that has always been Gregorian.
/// The method: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn civil(days: i64) -> (i64, i64, i64) {
    // From 0000-03-01, so that the day that may be missing is the last of a year.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_their_dates() {
        for (days, date) in [
            (0, (1970, 1, 1)),
            (-1, (1969, 12, 31)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (19_782, (2024, 2, 29)),
            (-719_468, (0, 3, 1)),
            (2_932_896, (9999, 12, 31)),
        ] {
            assert_eq!(civil(days), date, "{days}");
        }
    }

    #[test]
    fn integers_from_the_highest_byte_down() {
        for (bytes, value) in [
            (&[][..], 0_i128),
            (&[0x7f], 127),
            (&[0x80], -128),
            (&[0xff, 0xff], -1),
            (&[0, 0x80], 128),
            (&[0x01, 0, 0, 0, 0, 0, 0, 0, 0], 1 << 64),
        ] {
            assert_eq!(big_endian(bytes), Integer::from(value), "{bytes:?}");
        }
    }
}
