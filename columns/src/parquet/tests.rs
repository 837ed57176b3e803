//! Files that the library writes here are read back, cell by cell; damaged ones are errors.

use std::io;
use std::sync::Arc;

use ::parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, Type as Physical};
use ::parquet::column::writer::ColumnWriter;
use ::parquet::data_type::{ByteArray, FixedLenByteArray};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::types::Type;

use super::{Parquet, ParquetBytes, ParquetError};
use crate::batch::{Batch, Column, Kind};
use crate::reader::{OnBad, Wanted};

struct Memory(Vec<u8>);

impl ParquetBytes for Memory {
    fn length(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&self, from: u64, to: u64) -> io::Result<Vec<u8>> {
        let at = |offset: u64| usize::try_from(offset).unwrap().min(self.0.len());
        Ok(self.0[at(from)..at(to)].to_vec())
    }
}

fn open(bytes: &[u8]) -> Result<Parquet, ParquetError> {
    Parquet::open(Arc::new(Memory(bytes.to_vec())))
}

/// One column of a file to be written: its type, and its cells in two row groups, of which some may be absent.
struct Written {
    schema: Type,
    groups: [Stored; 2],
}

#[derive(Clone)]
enum Stored {
    Bool(Vec<Option<bool>>),
    I32(Vec<Option<i32>>),
    I64(Vec<Option<i64>>),
    F32(Vec<Option<f32>>),
    F64(Vec<Option<f64>>),
    Bytes(Vec<Option<Vec<u8>>>),
    Fixed(Vec<Option<Vec<u8>>>),
}

fn column(name: &str, physical: Physical, logical: Option<LogicalType>, length: i32) -> Type {
    let decimal = match &logical {
        Some(LogicalType::Decimal(decimal)) => (decimal.precision, decimal.scale),
        _ => (-1, -1),
    };
    Type::primitive_type_builder(name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .with_length(length)
        .with_precision(decimal.0)
        .with_scale(decimal.1)
        .build()
        .unwrap()
}

fn write(columns: &[Written], compression: Compression) -> Vec<u8> {
    let fields = columns.iter().map(|column| Arc::new(column.schema.clone())).collect();
    let schema = Type::group_type_builder("schema").with_fields(fields).build().unwrap();
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties)).unwrap();
    for group in 0..2 {
        let mut rows = writer.next_row_group().unwrap();
        for column in columns {
            let mut pages = rows.next_column().unwrap().unwrap();
            macro_rules! store {
                ($pages:expr, $cells:expr, $value:expr) => {{
                    let levels: Vec<i16> = $cells.iter().map(|cell| i16::from(cell.is_some())).collect();
                    let values: Vec<_> = $cells.iter().flatten().cloned().map($value).collect();
                    $pages.write_batch(&values, Some(&levels), None).unwrap();
                }};
            }
            match (pages.untyped(), &column.groups[group]) {
                (ColumnWriter::BoolColumnWriter(pages), Stored::Bool(cells)) => store!(pages, cells, |v| v),
                (ColumnWriter::Int32ColumnWriter(pages), Stored::I32(cells)) => store!(pages, cells, |v| v),
                (ColumnWriter::Int64ColumnWriter(pages), Stored::I64(cells)) => store!(pages, cells, |v| v),
                (ColumnWriter::FloatColumnWriter(pages), Stored::F32(cells)) => store!(pages, cells, |v| v),
                (ColumnWriter::DoubleColumnWriter(pages), Stored::F64(cells)) => store!(pages, cells, |v| v),
                (ColumnWriter::ByteArrayColumnWriter(pages), Stored::Bytes(cells)) => {
                    store!(pages, cells, ByteArray::from);
                }
                (ColumnWriter::FixedLenByteArrayColumnWriter(pages), Stored::Fixed(cells)) => {
                    store!(pages, cells, FixedLenByteArray::from);
                }
                _ => panic!("the cells are not of the column's type"),
            }
            pages.close().unwrap();
        }
        rows.close().unwrap();
    }
    writer.into_inner().unwrap()
}

/// All cells of a column as text, however it is read; the error of the first that cannot be.
fn cells(bytes: &[u8], name: &str, kind: Kind, on_bad: OnBad) -> Result<Vec<String>, String> {
    let parquet = open(bytes).map_err(|why| why.to_string())?;
    let wanted = Wanted { column: parquet.table().find(name).map_err(|why| why.to_string())?, kind };
    if let Some(why) = parquet.refuses(wanted) {
        return Err(why.to_owned());
    }
    let mut all = Vec::new();
    for group in parquet.groups(0, bytes.len() as u64) {
        let mut rows = parquet.rows_of(group, &[wanted], on_bad, false).map_err(|why| why.to_string())?;
        let mut batch = Batch::default();
        while rows.read(&mut batch).map_err(|why| why.to_string())? {
            all.extend((0..batch.rows()).map(|row| cell(&batch.columns()[0], row)));
        }
    }
    Ok(all)
}

fn cell(column: &Column, row: usize) -> String {
    let wide = |found: Option<String>, short: String| found.unwrap_or(short);
    match column {
        Column::Integer(integers) => {
            let found = integers.wide.iter().find(|(at, _)| *at == row).map(|(_, value)| value.to_string());
            wide(found, integers.values[row].to_string())
        }
        Column::Float(floats) => format!("{:?}", floats[row]),
        Column::Text(texts) => String::from_utf8_lossy(texts.get(&[], row).unwrap()).into_owned(),
        Column::Decimal(decimals) => {
            let found = decimals.wide.iter().find(|(at, _)| *at == row);
            let found = found.map(|(_, value)| format!("{}e-{}", value.units, value.scale));
            wide(found, format!("{}e-{}", decimals.values[row].0, decimals.values[row].1))
        }
    }
}

fn one(schema: Type, first: Stored, second: Stored) -> Vec<u8> {
    write(&[Written { schema, groups: [first, second] }], Compression::UNCOMPRESSED)
}

fn good(bytes: &[u8], kind: Kind) -> Vec<String> {
    cells(bytes, "v", kind, OnBad::Error).unwrap()
}

#[test]
fn integers_of_every_width_with_a_sign_and_without() {
    let signed = |bits| Some(LogicalType::integer(bits, true));
    let unsigned = |bits| Some(LogicalType::integer(bits, false));
    for (logical, values) in [
        (None, vec![i32::MIN, -1, 0, i32::MAX]),
        (signed(8), vec![-128, 127, 0, 1]),
        (signed(16), vec![-32_768, 32_767, 0, 1]),
        (signed(32), vec![i32::MIN, i32::MAX, 0, 1]),
    ] {
        let stored: Vec<Option<i32>> = values.iter().copied().map(Some).collect();
        let file = one(column("v", Physical::INT32, logical, -1), Stored::I32(stored), Stored::I32(vec![]));
        let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
        assert_eq!(good(&file, Kind::Integer), texts);
        assert_eq!(good(&file, Kind::Text), texts);
        assert_eq!(open(&file).unwrap().kind(0), Some(Kind::Integer));
    }
    let file = one(
        column("v", Physical::INT32, unsigned(32), -1),
        Stored::I32(vec![Some(-1)]),
        Stored::I32(vec![Some(7)]),
    );
    assert_eq!(good(&file, Kind::Integer), ["4294967295", "7"]);
    let file = one(
        column("v", Physical::INT64, unsigned(64), -1),
        Stored::I64(vec![Some(-1), Some(i64::MIN)]),
        Stored::I64(vec![Some(7)]),
    );
    assert_eq!(good(&file, Kind::Integer), ["18446744073709551615", "9223372036854775808", "7"]);
    assert_eq!(good(&file, Kind::Float), ["1.8446744073709552e19", "9.223372036854776e18", "7.0"]);
    assert_eq!(good(&file, Kind::Decimal), ["18446744073709551615e-0", "9223372036854775808e-0", "7e-0"]);
    let file = one(
        column("v", Physical::BOOLEAN, None, -1),
        Stored::Bool(vec![Some(true)]),
        Stored::Bool(vec![Some(false)]),
    );
    assert_eq!(good(&file, Kind::Integer), ["1", "0"]);
    assert_eq!(good(&file, Kind::Text), ["true", "false"]);
}

#[test]
fn floats_of_every_width() {
    let double = one(
        column("v", Physical::DOUBLE, None, -1),
        Stored::F64(vec![Some(0.1), Some(f64::INFINITY)]),
        Stored::F64(vec![Some(-0.0)]),
    );
    assert_eq!(good(&double, Kind::Float), ["0.1", "inf", "-0.0"]);
    assert_eq!(good(&double, Kind::Text), ["0.1", "inf", "-0.0"]);
    assert!(cells(&double, "v", Kind::Decimal, OnBad::Error).unwrap_err().contains("binary floats"));
    let single = one(
        column("v", Physical::FLOAT, None, -1),
        Stored::F32(vec![Some(0.1)]),
        Stored::F32(vec![Some(16_777_216.0)]),
    );
    assert_eq!(good(&single, Kind::Float), ["0.10000000149011612", "16777216.0"]);
    let half = one(
        column("v", Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Float16), 2),
        Stored::Fixed(vec![Some(vec![0, 0x3e])]),
        Stored::Fixed(vec![Some(vec![1, 0])]),
    );
    assert_eq!(good(&half, Kind::Float), ["1.5", "5.960464477539063e-8"]);
}

#[test]
fn decimals_in_every_way_to_store_them() {
    let logical = |precision| Some(LogicalType::decimal(2, precision));
    let short = one(
        column("v", Physical::INT32, logical(9), -1),
        Stored::I32(vec![Some(110), Some(-30)]),
        Stored::I32(vec![Some(220)]),
    );
    let long = one(
        column("v", Physical::INT64, logical(18), -1),
        Stored::I64(vec![Some(110), Some(-30)]),
        Stored::I64(vec![Some(220)]),
    );
    let fixed = one(
        column("v", Physical::FIXED_LEN_BYTE_ARRAY, logical(6), 3),
        Stored::Fixed(vec![Some(vec![0, 0, 110]), Some(vec![0xff, 0xff, 0xe2])]),
        Stored::Fixed(vec![Some(vec![0, 0, 220])]),
    );
    let array = one(
        column("v", Physical::BYTE_ARRAY, logical(30), -1),
        Stored::Bytes(vec![Some(vec![110]), Some(vec![0xe2])]),
        Stored::Bytes(vec![Some(vec![0, 220])]),
    );
    for file in [short, long, fixed, array] {
        assert_eq!(good(&file, Kind::Decimal), ["110e-2", "-30e-2", "220e-2"]);
        assert_eq!(good(&file, Kind::Float), ["1.1", "-0.3", "2.2"]);
        assert_eq!(good(&file, Kind::Text), ["1.10", "-0.30", "2.20"]);
        assert_eq!(open(&file).unwrap().kind(0), Some(Kind::Float));
    }
    let mut huge = vec![0x7f];
    huge.extend([0xff; 31]);
    let wide = one(
        column("v", Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::decimal(0, 76)), 32),
        Stored::Fixed(vec![Some(huge)]),
        Stored::Fixed(vec![Some(vec![0xff; 32])]),
    );
    let most = "57896044618658097711785492504343953926634992332820282019728792003956564819967";
    assert_eq!(good(&wide, Kind::Integer), [most, "-1"]);
    assert_eq!(good(&wide, Kind::Decimal), [&format!("{most}e-0"), "-1e-0"]);
    assert_eq!(good(&wide, Kind::Float), ["5.78960446186581e76", "-1.0"]);
}

#[test]
fn texts_and_dates() {
    let text = one(
        column("v", Physical::BYTE_ARRAY, Some(LogicalType::String), -1),
        Stored::Bytes(vec![Some(b"a,\n\"b\"".to_vec()), None]),
        Stored::Bytes(vec![Some("ü".into())]),
    );
    assert_eq!(good(&text, Kind::Text), ["a,\n\"b\"", "", "ü"]);
    assert!(cells(&text, "v", Kind::Integer, OnBad::Error).unwrap_err().contains("no numbers"));
    let date = one(
        column("v", Physical::INT32, Some(LogicalType::Date), -1),
        Stored::I32(vec![Some(19_782)]),
        Stored::I32(vec![Some(-1)]),
    );
    assert_eq!(good(&date, Kind::Text), ["2024-02-29", "1969-12-31"]);
}

#[test]
fn times_and_lists_are_refused_with_the_reason() {
    let time = Type::primitive_type_builder("v", Physical::INT64)
        .with_repetition(Repetition::OPTIONAL)
        .with_converted_type(ConvertedType::TIMESTAMP_MILLIS)
        .build()
        .unwrap();
    let file = one(time, Stored::I64(vec![Some(1)]), Stored::I64(vec![]));
    assert_eq!(cells(&file, "v", Kind::Integer, OnBad::Error).unwrap_err(), "times are not numbers");
    assert_eq!(open(&file).unwrap().kind(0), None);
}

#[test]
fn cells_that_are_absent_are_empty_ones() {
    let file = one(
        column("v", Physical::INT64, None, -1),
        Stored::I64(vec![Some(1), None, Some(3)]),
        Stored::I64(vec![None, Some(5)]),
    );
    let read = |kind, on_bad| cells(&file, "v", kind, on_bad);
    assert_eq!(read(Kind::Integer, OnBad::Error).unwrap_err(), "row 2, column v: the cell is empty");
    assert_eq!(read(Kind::Integer, OnBad::Skip).unwrap(), ["1", "3", "5"]);
    assert_eq!(
        read(Kind::Integer, OnBad::Nan).unwrap_err(),
        "row 2, column 1: a number that is no integer",
        "the column becomes one of floats"
    );
    assert_eq!(read(Kind::Float, OnBad::Nan).unwrap(), ["1.0", "NaN", "3.0", "NaN", "5.0"]);
    assert_eq!(read(Kind::Decimal, OnBad::Skip).unwrap(), ["1e-0", "3e-0", "5e-0"]);
    assert_eq!(read(Kind::Text, OnBad::Error).unwrap(), ["1", "", "3", "", "5"]);
}

#[test]
fn every_compression_many_pages_and_every_cut() {
    let values = |from: i64| (from..from + 50_000).map(|value| (value % 97 != 0).then_some(value)).collect();
    let expected: i64 = (0..100_000).filter(|value| value % 97 != 0).sum();
    let gzip = Compression::GZIP(::parquet::basic::GzipLevel::default());
    let zstd = Compression::ZSTD(::parquet::basic::ZstdLevel::default());
    for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY, gzip, zstd, Compression::LZ4_RAW] {
        let schema = column("v", Physical::INT64, None, -1);
        let groups = [Stored::I64(values(0)), Stored::I64(values(50_000))];
        let file = write(&[Written { schema, groups }], compression);
        let read = cells(&file, "v", Kind::Integer, OnBad::Skip).unwrap();
        let sum: i64 = read.iter().map(|cell| cell.parse::<i64>().unwrap()).sum();
        assert_eq!(sum, expected, "{compression:?}");
        let parquet = open(&file).unwrap();
        assert_eq!(parquet.rows(), 100_000);
        for size in [1_000, 77_777] {
            let length = file.len() as u64;
            let parts = (0..length).step_by(size).map(|from| parquet.groups(from, from + size as u64));
            assert_eq!(parts.flatten().collect::<Vec<_>>(), [0, 1], "each group is of one part");
        }
    }
}

#[test]
fn damage_is_an_error_and_never_a_panic() {
    let schema = column("v", Physical::INT64, None, -1);
    let groups = [Stored::I64((0..500).map(Some).collect()), Stored::I64(vec![Some(1), None])];
    let file = write(&[Written { schema, groups }], Compression::SNAPPY);
    for cut in (0..file.len()).step_by(7) {
        assert!(open(&file[..cut]).is_err(), "cut to {cut} bytes");
    }
    // What a flipped bit makes of it may be another file, but nothing else happens.
    for at in 0..file.len() {
        for bit in [0, 3, 7] {
            let mut damaged = file.clone();
            damaged[at] ^= 1 << bit;
            let _either = cells(&damaged, "v", Kind::Integer, OnBad::Skip);
        }
    }
    assert!(open(b"").is_err());
    assert!(open(b"PAR1PAR1").is_err());
}
