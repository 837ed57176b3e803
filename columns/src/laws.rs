//! The law of this crate: whatever the cut, the rows, the values and the complaints are those of one plain reading.
//!
//! The plain reading is the `csv` crate's, and `str::parse`; the texts are of every awkward shape that RFC 4180 allows.

use std::ops::RangeInclusive;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::{
    BadCell, Batch, BlockScan, Column, Dialect, Kind, OnBad, Place, ReadError, Reader, Rows, Table, Wanted,
    cut,
};

/// A value as text, so that all kinds compare alike; floats as their bits.
type Value = String;

/// A row: its number, and the values asked for.
type Row = (u64, Vec<Value>);

#[derive(Debug, Default, PartialEq)]
struct Reading {
    rows: Vec<Row>,
    skipped: u64,
    bad: u64,
}

impl Reading {
    fn take(&mut self, batch: &Batch, bytes: &[u8]) {
        for row in 0..batch.rows() {
            let values = batch.columns().iter().map(|column| value(column, bytes, row)).collect();
            self.rows.push((batch.row_number(row), values));
        }
        self.skipped += batch.skipped_rows();
        self.bad += batch.bad_cells();
    }
}

fn value(column: &Column, bytes: &[u8], row: usize) -> Value {
    match column {
        Column::Integer(column) => match column.wide.iter().find(|(at, _)| *at == row) {
            Some((_, wide)) => wide.to_string(),
            None => column.values[row].to_string(),
        },
        Column::Float(values) => bits(values[row]),
        Column::Text(texts) => texts.get(bytes, row).unwrap().iter().map(|byte| char::from(*byte)).collect(),
        Column::Decimal(column) => match column.wide.iter().find(|(at, _)| *at == row) {
            Some((_, wide)) => format!("{}e-{}", wide.units, wide.scale),
            None => format!("{}e-{}", column.values[row].0, column.values[row].1),
        },
    }
}

fn bits(value: f64) -> Value {
    // One NaN is as good as another.
    if value.is_nan() { "nan".to_owned() } else { format!("{:x}", value.to_bits()) }
}

/// Reads one partition from a mapped text.
fn partition(text: &[u8], rows: Rows, reader: &mut Reader, into: &mut Reading) -> Result<(), ReadError> {
    let (start, end) = (usize::try_from(rows.start.offset).unwrap(), usize::try_from(rows.end).unwrap());
    let (mut at, mut place, mut batch) = (start, rows.start, Batch::default());
    while at < end {
        let taken = reader.read(&text[at..], end - at, true, &mut place, &mut batch)?;
        into.take(&batch, &text[at..]);
        if taken == 0 {
            break;
        }
        at += taken;
        assert_eq!(place.offset, at as u64);
    }
    Ok(())
}

/// Reads all rows as a worker would that gets the text in pieces of `piece` bytes.
fn streamed(text: &[u8], table: &Table, reader: &mut Reader, piece: usize) -> Result<Reading, ReadError> {
    let (mut reading, mut batch, mut place) = (Reading::default(), Batch::default(), table.body());
    let mut unread = text[usize::try_from(place.offset).unwrap()..].chunks(piece);
    let (mut held, mut last) = (Vec::new(), false);
    loop {
        let taken = reader.read(&held, held.len(), last, &mut place, &mut batch)?;
        reading.take(&batch, &held);
        held.drain(..taken);
        if taken == 0 {
            if last {
                return Ok(reading);
            }
            match unread.next() {
                Some(more) => held.extend(more),
                None => last = true,
            }
        }
    }
}

fn table(text: &[u8], header: bool) -> Table {
    Table::read(text, Dialect::CSV, header, true).unwrap()
}

fn whole(text: &[u8], table: &Table) -> Rows {
    Rows { start: table.body(), end: text.len() as u64 }
}

fn cuts(text: &[u8], table: &Table, at: &[Index]) -> Vec<Rows> {
    let body = usize::try_from(table.body().offset).unwrap();
    let mut at: Vec<usize> = at.iter().map(|at| body + at.index(text.len() - body + 1)).collect();
    at.extend([body, text.len()]);
    at.sort_unstable();
    let scans: Vec<_> =
        at.windows(2).map(|pair| BlockScan::of(&text[pair[0]..pair[1]], table.dialect())).collect();
    cut(table.body(), &scans)
}

/// All cells of all rows, by the `csv` crate.
fn oracle(text: &[u8]) -> Vec<Vec<Value>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text);
    let cells = |record: csv::ByteRecord| -> Vec<Value> {
        record.iter().map(|cell| cell.iter().map(|byte| char::from(*byte)).collect()).collect()
    };
    reader.byte_records().map(|record| cells(record.unwrap())).collect()
}

/// A cell as it stands in a text.
fn cell() -> impl Strategy<Value = String> {
    let bare = select(vec![
        "",
        "0",
        "1",
        "-7",
        "12",
        "+3",
        "123456789",
        "9223372036854775808",
        "-9223372036854775809",
        "3.25",
        "0.1",
        "1e3",
        "abc",
        "NA",
        "nan",
        "-0.0",
        " 12 ",
        "12345678901234567890.5",
        "x y",
        "é",
    ]);
    let quoted = vec(select(vec!["a", ",", "\n", "\r\n", "\"\"", "1", " ", ".", "\r"]), 0..6);
    prop_oneof![
        4 => bare.clone().prop_map(str::to_owned),
        1 => bare.prop_map(|text| format!("\"{text}\"")),
        1 => quoted.prop_map(|parts| format!("\"{}\"", parts.concat())),
    ]
}

/// A text of rows of 1 to 4 cells each, all of the same number of them if `even`.
fn text(even: bool, widths: RangeInclusive<usize>) -> impl Strategy<Value = Vec<u8>> {
    let end = select(vec!["\n", "\n", "\n", "\r\n", "\n\n", "\r\n\r\n"]);
    let shape = (widths, 0_usize..30, any::<bool>(), any::<bool>());
    shape.prop_flat_map(move |(width, rows, mark, finished)| {
        let cells = if even { width..=width } else { 1..=width + 1 };
        vec((vec(cell(), cells), end.clone()), rows + 1).prop_map(move |rows| {
            let mut text = if mark { "\u{feff}".to_owned() } else { String::new() };
            let count = rows.len();
            // Of one column a blank line is a row, which the oracle leaves out.
            let single = rows.first().is_some_and(|(cells, _)| cells.len() == 1);
            for (at, (cells, end)) in rows.into_iter().enumerate() {
                // An empty cell alone would be a blank line.
                let row = cells.join(",");
                text.push_str(if row.is_empty() { "\"\"" } else { &row });
                if finished || at + 1 < count {
                    text.push_str(if single {
                        end.trim_end_matches("\n\n").trim_end_matches("\r\n\r\n")
                    } else {
                        end
                    });
                    text.push_str(match end {
                        "\n\n" if single => "\n",
                        "\r\n\r\n" if single => "\r\n",
                        _ => "",
                    });
                }
            }
            text.into_bytes()
        })
    })
}

fn all(table: &Table, kind: Kind) -> Vec<Wanted> {
    (0..table.names().len()).map(|column| Wanted { column, kind }).collect()
}

/// The result of reading partition by partition, in this order; the first complaint in the text wins.
fn read_all(text: &[u8], partitions: &[Rows], reader: &mut Reader) -> Result<Reading, ReadError> {
    let (mut reading, mut error) = (Reading::default(), None::<ReadError>);
    for rows in partitions {
        if let Err(found) = partition(text, *rows, reader, &mut reading) {
            error = Some(match error {
                Some(known) if known.place() <= found.place() => known,
                _ => found,
            });
        }
    }
    error.map_or(Ok(reading), Err)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn cells_are_those_of_the_csv_crate(text in text(true, 1..=4), at in vec(any::<Index>(), 0..6), piece in 1_usize..50) {
        let table = table(&text, false);
        let expected = oracle(&text);
        let mut reader = Reader::new(&table, &all(&table, Kind::Text), OnBad::Error);
        let one = read_all(&text, &[whole(&text, &table)], &mut reader).unwrap();
        let values: Vec<_> = one.rows.iter().map(|(_, values)| values.clone()).collect();
        prop_assert_eq!(&values, &expected);
        let cut = read_all(&text, &cuts(&text, &table, &at), &mut reader).unwrap();
        prop_assert_eq!(&cut, &one, "cut");
        let streamed = streamed(&text, &table, &mut reader, piece).unwrap();
        prop_assert_eq!(&streamed, &one, "in pieces");
    }

    #[test]
    fn names_are_those_of_the_csv_crate(text in text(true, 1..=4)) {
        let table = table(&text, true);
        let expected: Vec<Vec<u8>> =
            oracle(&text)[0].iter().map(|name| name.chars().map(|c| u8::try_from(c).unwrap()).collect()).collect();
        let names: Vec<_> = table.names().iter().map(|name| name.clone().into_bytes()).collect();
        prop_assert_eq!(names, expected);
        let mut reader = Reader::new(&table, &all(&table, Kind::Text), OnBad::Error);
        let rows = read_all(&text, &[whole(&text, &table)], &mut reader).unwrap().rows;
        prop_assert_eq!(rows.len(), oracle(&text).len() - 1);
        prop_assert!(rows.iter().all(|(row, _)| *row >= 2));
    }

    #[test]
    fn values_and_complaints_do_not_depend_on_the_cut(
        text in text(false, 1..=3),
        at in vec(any::<Index>(), 0..6),
        piece in 1_usize..50,
        kinds in vec(select(vec![Kind::Integer, Kind::Float, Kind::Text, Kind::Decimal]), 1..4),
        on_bad in select(vec![OnBad::Error, OnBad::Skip, OnBad::Nan]),
    ) {
        let table = table(&text, false);
        // Also a column that is not there, and one twice.
        let wanted: Vec<_> = kinds.into_iter().enumerate().map(|(column, kind)| Wanted { column, kind }).collect();
        let mut reader = Reader::new(&table, &wanted, on_bad);
        let one = read_all(&text, &[whole(&text, &table)], &mut reader);
        let cut = read_all(&text, &cuts(&text, &table, &at), &mut reader);
        prop_assert_eq!(&cut, &one, "cut");
        let streamed = streamed(&text, &table, &mut reader, piece);
        prop_assert_eq!(&streamed, &one, "in pieces");
    }

    #[test]
    fn a_limit_may_be_anywhere(text in text(false, 1..=3), limits in vec(any::<Index>(), 1..6)) {
        let table = table(&text, false);
        let mut reader = Reader::new(&table, &all(&table, Kind::Text), OnBad::Skip);
        let one = read_all(&text, &[whole(&text, &table)], &mut reader).unwrap();
        let (mut reading, mut batch, mut place) = (Reading::default(), Batch::default(), table.body());
        let mut limits: Vec<u64> = limits.iter().map(|at| at.index(text.len()) as u64).collect();
        limits.sort_unstable();
        limits.push(text.len() as u64);
        for limit in limits {
            while place.offset < limit {
                let begun = place.offset;
                let rest = &text[usize::try_from(begun).unwrap()..];
                reader.read(rest, usize::try_from(limit - begun).unwrap(), true, &mut place, &mut batch).unwrap();
                reading.take(&batch, rest);
                if place.offset == begun {
                    break;
                }
                if place.offset > limit {
                    // The last row taken began before the limit.
                    let row = &text[usize::try_from(begun).unwrap()..usize::try_from(place.offset - 1).unwrap()];
                    let inner = BlockScan::of(row, Dialect::CSV);
                    prop_assert!(begun < limit && inner.rows() == 0);
                }
            }
        }
        prop_assert_eq!(reading, one);
    }

    #[test]
    fn floats_are_those_of_str_parse(text in text(false, 1..=3), column in 0_usize..3) {
        let table = table(&text, false);
        let wanted = [Wanted { column, kind: Kind::Float }];
        let width = table.names().len();
        let plain = |row: &Vec<Value>| -> Option<f64> {
            let cell = (row.len() == width).then(|| row.get(column))??;
            let cell = cell.trim_matches([' ', '\t']);
            cell.parse().ok()
        };
        let expected: Vec<Option<f64>> = oracle(&text).iter().map(plain).collect();
        let values = |reading: Reading| -> Vec<Value> { reading.rows.into_iter().map(|(_, mut values)| values.remove(0)).collect() };
        let rows = [whole(&text, &table)];

        let skipped = read_all(&text, &rows, &mut Reader::new(&table, &wanted, OnBad::Skip)).unwrap();
        let (good, bad) = (expected.iter().flatten().count(), expected.iter().filter(|value| value.is_none()).count());
        prop_assert_eq!((skipped.rows.len(), skipped.skipped), (good, bad as u64));
        prop_assert_eq!(values(skipped), expected.iter().flatten().map(|value| bits(*value)).collect::<Vec<_>>());

        let nans = read_all(&text, &rows, &mut Reader::new(&table, &wanted, OnBad::Nan)).unwrap();
        prop_assert_eq!(nans.bad, bad as u64);
        prop_assert_eq!(values(nans), expected.iter().map(|value| bits(value.unwrap_or(f64::NAN))).collect::<Vec<_>>());

        let strict = read_all(&text, &rows, &mut Reader::new(&table, &wanted, OnBad::Error));
        prop_assert_eq!(strict.is_ok(), bad == 0);
    }

    #[test]
    fn a_column_is_of_integers_whatever_the_cut(text in text(true, 1..=2), at in vec(any::<Index>(), 0..6)) {
        let table = table(&text, false);
        let wanted = [Wanted { column: 0, kind: Kind::Integer }];
        let cells: Vec<Value> = oracle(&text).into_iter().map(|mut row| row.remove(0)).collect();
        let is_integer = |cell: &str| {
            let digits = cell.strip_prefix(['-', '+']).unwrap_or(cell);
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        let trimmed = cells.iter().map(|cell| cell.trim_matches([' ', '\t']));
        let numbers: Vec<_> = trimmed.filter(|cell| cell.parse::<f64>().is_ok()).collect();
        let reading = read_all(&text, &cuts(&text, &table, &at), &mut Reader::new(&table, &wanted, OnBad::Skip));
        match reading {
            Ok(reading) => {
                prop_assert!(numbers.iter().all(|cell| is_integer(cell)));
                let expected = numbers.iter().map(|cell| cell.parse::<tally_reduce::Integer>().unwrap().to_string());
                let found: Vec<_> = reading.rows.iter().map(|(_, values)| values[0].clone()).collect();
                prop_assert_eq!(found, expected.collect::<Vec<_>>());
            }
            Err(error) => {
                let mixed = matches!(error, ReadError::NotInteger { column: 0, .. });
                prop_assert!(mixed);
                prop_assert!(numbers.iter().any(|cell| !is_integer(cell)));
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic_and_cuts_agree(
        bytes in vec(select(b"\n\n\"\",,a1.\r-e \xff".to_vec()), 0..200),
        at in vec(any::<Index>(), 0..6),
        header in any::<bool>(),
        piece in 1_usize..70,
        on_bad in select(vec![OnBad::Error, OnBad::Skip, OnBad::Nan]),
        kind in select(vec![Kind::Integer, Kind::Float, Kind::Text, Kind::Decimal]),
    ) {
        let Ok(table) = Table::read(&bytes, Dialect::CSV, header, true) else { return Ok(()) };
        let mut reader = Reader::new(&table, &all(&table, kind), on_bad);
        let one = read_all(&bytes, &[whole(&bytes, &table)], &mut reader);
        let cut = read_all(&bytes, &cuts(&bytes, &table, &at), &mut reader);
        prop_assert_eq!(&cut, &one);
        prop_assert_eq!(&streamed(&bytes, &table, &mut reader, piece), &one);
        let _guesses = table.guess(&bytes, true);
        let _fails = Table::read(&bytes, Dialect::CSV, header, false).is_err();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn windows_make_no_difference(
        rows in 3000_usize..8000,
        width in 1_usize..4,
        long in 0_usize..200_000,
        odd in any::<Index>(),
        awkward in select(vec!["", "\"\n\n\"", "x", "\n", "1,2,3,4,5"]),
    ) {
        // Not the first one: a table whose first row is no row cannot be opened, which is another test's.
        let odd = 1 + odd.index(rows - 1);
        let row = |number: usize| -> String {
            let cells: Vec<_> = (0..width).map(|column| (number * 1000 + column).to_string()).collect();
            cells.join(",")
        };
        let mut text = String::new();
        for number in 0..rows {
            if number == odd && long % 3 == 0 {
                text.push_str(&format!("{awkward}{}", "7".repeat(long)));
                text.push_str(&row(number)[1..]);
            } else {
                text.push_str(&row(number));
            }
            text.push('\n');
        }
        let text = text.into_bytes();
        let table = table(&text, false);
        let mut reader = Reader::new(&table, &all(&table, Kind::Text), OnBad::Skip);
        let one = read_all(&text, &[whole(&text, &table)], &mut reader);
        let at = [odd * 13, odd * 7, text.len() / 2];
        let blocks: Vec<_> = {
            let mut at: Vec<_> = at.iter().map(|at| at % text.len()).chain([0, text.len()]).collect();
            at.sort_unstable();
            at.windows(2).map(|pair| BlockScan::of(&text[pair[0]..pair[1]], Dialect::CSV)).collect()
        };
        let cut = read_all(&text, &cut(Place::START, &blocks), &mut reader);
        prop_assert!(cut == one);
        if let Ok(one) = one {
            let mut expected: Vec<_> = oracle(&text).into_iter().filter(|row| row.len() == width).collect();
            if width == 1 && awkward == "\n" && long % 3 == 0 {
                // Of one column a blank line is a row, which the oracle leaves out.
                expected.insert(odd, vec![String::new()]);
            }
            prop_assert!(one.rows.into_iter().map(|(_, values)| values).eq(expected));
        }
    }
}

#[test]
fn complaints_name_the_place() {
    let text = b"name,price\nA,1\n\"B\nB\",2\n\nC,abc\nD\n";
    let table = table(text, true);
    let price = table.find("price").unwrap();
    let mut reader = Reader::new(&table, &[Wanted { column: price, kind: Kind::Integer }], OnBad::Error);
    let error = read_all(text, &[whole(text, &table)], &mut reader).unwrap_err();
    assert_eq!(error.to_string(), "row 5 (line 6), column price: 'abc' is not a number");
    let text = b"a,b\n1,2\n3\n";
    let table = self::table(text, true);
    let mut reader = Reader::new(&table, &[Wanted { column: 0, kind: Kind::Integer }], OnBad::Error);
    let error = read_all(text, &[whole(text, &table)], &mut reader).unwrap_err();
    assert_eq!(error.to_string(), "row 3 has 1 cell and the first row has 2");
    let bad = |cell: &str| {
        let text = format!("a\n{cell}\n");
        let table = self::table(text.as_bytes(), true);
        let mut reader = Reader::new(&table, &[Wanted { column: 0, kind: Kind::Float }], OnBad::Error);
        read_all(text.as_bytes(), &[whole(text.as_bytes(), &table)], &mut reader).unwrap_err()
    };
    let place = Place { offset: 2, row: 2, line: 2 };
    let expected =
        |cell: &str, why| ReadError::Bad { place, column: "a".to_owned(), cell: cell.to_owned(), why };
    assert_eq!(bad("1e999"), expected("1e999", BadCell::TooLarge));
    assert_eq!(bad("\"\""), expected("", BadCell::Empty));
    assert_eq!(bad("\x1b[31m"), expected("?[31m", BadCell::NotNumber));
    assert_eq!(bad("5\" pipe"), ReadError::Quote { place, offset: 3 });
    assert_eq!(bad("\"abc"), ReadError::OpenQuote { place });
}
