//! A table as text: the rows of the `csv` crate, where it can have them, and the same rows, values and complaints whatever
//! the cut.
//!
//! Where the crate is asked for nothing: a quote where RFC 4180 has none (an error here, text there), a carriage return
//! without a line feed (a character here, the end of a row there). A blank line of one column is a row here and none there.

use tally_columns::{
    Batch, BlockScan, Column, Dialect, Kind, OnBad, ReadError, Reader, Rows, Table, Wanted, cut,
};

use crate::feed::Feed;

/// Three bytes of choices; the rest is the text.
pub fn run(bytes: &[u8]) {
    let mut feed = Feed::new(bytes);
    let (choices, at, piece) = (feed.byte(), feed.byte(), 1 + usize::from(feed.byte()));
    let text = feed.rest();
    let header = choices & 1 == 1;
    let kind = [Kind::Text, Kind::Integer, Kind::Float, Kind::Decimal][usize::from(choices >> 1 & 3)];
    let on_bad = [OnBad::Error, OnBad::Skip, OnBad::Nan, OnBad::Skip][usize::from(choices >> 3 & 3)];
    let Ok(table) = Table::read(text, Dialect::CSV, header, true) else { return };
    drop(table.guess(text, true));
    let wanted: Vec<Wanted> = (0..table.names().len()).map(|column| Wanted { column, kind }).collect();
    let mut reader = Reader::new(&table, &wanted, on_bad);
    let whole = Rows { start: table.body(), end: text.len() as u64 };
    let one = read_all(text, &[whole], &mut reader);
    assert_eq!(read_all(text, &cuts(text, &table, at), &mut reader), one, "cut");
    assert_eq!(streamed(text, &table, &mut reader, piece), one, "in pieces");
    if !header {
        compare(text, &table);
    }
}

/// What was read: rows with their numbers, skipped rows, bad cells.
#[derive(Debug, Default, PartialEq)]
struct Reading {
    rows: Vec<(u64, Vec<Vec<u8>>)>,
    skipped: u64,
    bad: u64,
}

impl Reading {
    fn take(&mut self, batch: &Batch, bytes: &[u8]) {
        for row in 0..batch.rows() {
            let cells = batch.columns().iter().map(|column| cell(column, bytes, row)).collect();
            self.rows.push((batch.row_number(row), cells));
        }
        self.skipped += batch.skipped_rows();
        self.bad += batch.bad_cells();
    }
}

/// A cell as bytes, whatever its kind.
fn cell(column: &Column, bytes: &[u8], row: usize) -> Vec<u8> {
    let number = match column {
        Column::Text(texts) => return texts.get(bytes, row).expect("a row").to_vec(),
        Column::Integer(column) => match column.wide.iter().find(|(at, _)| *at == row) {
            Some((_, wide)) => wide.to_string(),
            None => column.values[row].to_string(),
        },
        // One NaN is as good as another.
        Column::Float(values) if values[row].is_nan() => "nan".to_owned(),
        Column::Float(values) => format!("{:x}", values[row].to_bits()),
        Column::Decimal(column) => match column.wide.iter().find(|(at, _)| *at == row) {
            Some((_, wide)) => format!("{}e-{}", wide.units, wide.scale),
            None => format!("{}e-{}", column.values[row].0, column.values[row].1),
        },
    };
    number.into_bytes()
}

fn offset(at: u64) -> usize {
    usize::try_from(at).expect("it is in the text")
}

/// Partition by partition; the first complaint in the text wins.
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

fn partition(text: &[u8], rows: Rows, reader: &mut Reader, into: &mut Reading) -> Result<(), ReadError> {
    let (mut at, end) = (offset(rows.start.offset), offset(rows.end));
    let (mut place, mut batch) = (rows.start, Batch::default());
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

/// As a worker reads what comes in pieces.
fn streamed(text: &[u8], table: &Table, reader: &mut Reader, piece: usize) -> Result<Reading, ReadError> {
    let (mut reading, mut batch, mut place) = (Reading::default(), Batch::default(), table.body());
    let mut unread = text[offset(place.offset)..].chunks(piece);
    let (mut held, mut last) = (Vec::new(), false);
    loop {
        let taken = reader.read(&held, held.len(), last, &mut place, &mut batch)?;
        reading.take(&batch, &held);
        held.drain(..taken);
        if taken == 0 {
            match unread.next() {
                Some(more) => held.extend(more),
                None if last => return Ok(reading),
                None => last = true,
            }
        }
    }
}

/// Three blocks, with edges that a byte chooses.
fn cuts(text: &[u8], table: &Table, at: u8) -> Vec<Rows> {
    let body = offset(table.body().offset);
    let length = text.len() - body;
    let first = body + length * usize::from(at & 15) / 16;
    let second = first + (text.len() - first) * usize::from(at >> 4) / 16;
    let edges = [body, first, second, text.len()];
    let scans: Vec<_> =
        edges.windows(2).map(|pair| BlockScan::of(&text[pair[0]..pair[1]], table.dialect())).collect();
    cut(table.body(), &scans)
}

/// The cells of rows as long as the first, against the `csv` crate.
fn compare(text: &[u8], table: &Table) {
    let width = table.names().len();
    let lone = |at: usize| text[at] == b'\r' && text.get(at + 1) != Some(&b'\n');
    if (0..text.len()).any(lone) {
        return;
    }
    let wanted: Vec<Wanted> = (0..width).map(|column| Wanted { column, kind: Kind::Text }).collect();
    let mut reader = Reader::new(table, &wanted, OnBad::Skip);
    let whole = Rows { start: table.body(), end: text.len() as u64 };
    // A quote out of its place: from there on nobody can say where rows end.
    let Ok(reading) = read_all(text, &[whole], &mut reader) else { return };
    let mut oracle = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text);
    let mut plain: Vec<Vec<Vec<u8>>> = oracle
        .byte_records()
        .map(|record| record.expect("it reads from memory").iter().map(<[u8]>::to_vec).collect())
        .filter(|row: &Vec<_>| row.len() == width)
        .collect();
    let mut found: Vec<Vec<Vec<u8>>> = reading.rows.into_iter().map(|(_, cells)| cells).collect();
    if width == 1 {
        plain.retain(|row| !row[0].is_empty());
        found.retain(|row| !row[0].is_empty());
    }
    assert_eq!(found, plain, "{:?}", String::from_utf8_lossy(text));
}
