//! Columns of a CSV text in memory, on one core, against the `csv` crate with `str::parse` on the same bytes.

use std::fmt::Write;
use std::hint::black_box;

use tally_columns::{Batch, BlockScan, Column, Dialect, Kind, OnBad, Reader, Table, Wanted};

use crate::measure::{median, say, seconds};

const ROWS: u32 = 1_000_000;
const ROUNDS: usize = 5;

pub(crate) fn columns(_binary: &str) {
    for (what, quoted) in [("no quotes", false), ("a quoted cell in every fourth row", true)] {
        let text = text(quoted);
        println!("{what}: {ROWS} rows of 5 cells, {} MB", text.len() / 1_000_000);
        compare(text.as_bytes());
    }
}

/// Five columns: a number that counts, a word, a price, 17 digits, a small integer.
fn text(quoted: bool) -> String {
    let regions = [if quoted { "\"no,rth\"" } else { "north" }, "south", "east", "west"];
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut text = String::from("id,region,price,ratio,count\n");
    for row in 0..ROWS {
        let region = regions[usize::from(next().to_le_bytes()[7] % 4)];
        let price = (next() % 1_000_000) as f64 / 100.0;
        let ratio = (next() >> 11) as f64 / (1_u64 << 53) as f64;
        let count = next() % 100_000;
        writeln!(text, "{row},{region},{price:.2},{ratio},{count}").expect("a string takes all");
    }
    text
}

fn compare(text: &[u8]) {
    let columns = [("ratio", Kind::Float), ("price", Kind::Float), ("count", Kind::Integer)];
    let (mut ours, mut scans) = ([const { Vec::new() }; 3], Vec::new());
    let mut theirs = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        for (at, (name, kind)) in columns.iter().enumerate() {
            ours[at].push(seconds(|| {
                black_box(read(text, name, *kind));
            }));
            theirs[at].push(seconds(|| {
                black_box(peer(text, name, *kind));
            }));
        }
        scans.push(seconds(|| {
            black_box(BlockScan::of(text, Dialect::CSV));
        }));
    }
    let rate = |seconds: f64| text.len() as f64 / seconds / 1e9;
    for (at, (name, kind)) in columns.iter().enumerate() {
        assert_eq!(read(text, name, *kind).to_bits(), peer(text, name, *kind).to_bits(), "the same numbers");
        let (ours, theirs) = (median(&mut ours[at]), median(&mut theirs[at]));
        println!("{name}: {:.2} GB/s, csv crate {:.2} GB/s", rate(ours), rate(theirs));
        say(&format!("time for the column {name}, csv crate / tally"), theirs / ours, ">= 2");
    }
    let (float, integer) = (median(&mut ours[0]), median(&mut ours[2]));
    say("time for a column of floats / of integers", float / integer, "about 2");
    let scan = median(&mut scans);
    println!("scan for row starts: {:.2} GB/s", rate(scan));
    say("time to scan for row starts / to read the column ratio", scan / float, "<= 0.3");
}

fn read(text: &[u8], name: &str, kind: Kind) -> f64 {
    let table = Table::read(text, Dialect::CSV, true, true).expect("a header");
    let column = table.find(name).expect("a column");
    let mut reader = Reader::new(&table, &[Wanted { column, kind }], OnBad::Error);
    let (mut batch, mut place, mut sum) = (Batch::default(), table.body(), 0.0);
    let mut rest = &text[usize::try_from(place.offset).expect("it is in memory")..];
    loop {
        let taken = reader.read(rest, rest.len(), true, &mut place, &mut batch).expect("numbers");
        if taken == 0 {
            return sum;
        }
        for column in batch.columns() {
            match column {
                Column::Float(values) => sum = values.iter().fold(sum, |sum, value| sum + value),
                // Far below 2^53.
                Column::Integer(integers) => sum += integers.values.iter().sum::<i64>() as f64,
                _ => {}
            }
        }
        rest = &rest[taken..];
    }
}

/// The same sum, added in the same order so that it rounds alike.
fn peer(text: &[u8], name: &str, kind: Kind) -> f64 {
    let mut reader = csv::Reader::from_reader(text);
    let headers = reader.byte_headers().expect("a header");
    let column = headers.iter().position(|header| header == name.as_bytes()).expect("a column");
    let (mut record, mut floats, mut integers) = (csv::ByteRecord::new(), 0.0, 0);
    while reader.read_byte_record(&mut record).expect("rows") {
        let cell = std::str::from_utf8(&record[column]).expect("a number is text");
        match kind {
            Kind::Integer => integers += cell.parse::<i64>().expect("an integer"),
            _ => floats += cell.parse::<f64>().expect("a float"),
        }
    }
    if kind == Kind::Integer { integers as f64 } else { floats }
}
