//! Awkward texts, each with the cells that a careful person would read from it. Cases of our own making, in the manner
//! of the corpora that CSV libraries are tried with.

use crate::{
    Batch, BlockScan, Column, Dialect, Guess, Kind, OnBad, Place, ReadError, Reader, Rows, Table, Wanted, cut,
};

/// All cells of all rows after the header, from partitions of `block` bytes.
fn cells(text: &str, dialect: Dialect, block: usize) -> Result<(Vec<String>, Vec<Vec<String>>), ReadError> {
    let bytes = text.as_bytes();
    let table = Table::read(bytes, dialect, true, true).expect("a header");
    let wanted: Vec<_> = (0..table.names().len()).map(|column| Wanted { column, kind: Kind::Text }).collect();
    let body = &bytes[usize::try_from(table.body().offset).unwrap()..];
    let scans: Vec<_> = body.chunks(block).map(|block| BlockScan::of(block, dialect)).collect();
    let mut found = Vec::new();
    for Rows { start, end } in cut(table.body(), &scans) {
        let (mut reader, mut batch, mut place) =
            (Reader::new(&table, &wanted, OnBad::Error), Batch::default(), start);
        while place.offset < end {
            let rest = &bytes[usize::try_from(place.offset).unwrap()..];
            let limit = usize::try_from(end - place.offset).unwrap();
            if reader.read(rest, limit, true, &mut place, &mut batch)? == 0 {
                break;
            }
            let text = |column: &Column, row| match column {
                Column::Text(texts) => {
                    assert_eq!(texts.get(rest, row), texts.iter(rest).nth(row));
                    String::from_utf8_lossy(texts.get(rest, row).unwrap()).into_owned()
                }
                _ => panic!("texts were asked for"),
            };
            found.extend(
                (0..batch.rows()).map(|row| batch.columns().iter().map(|column| text(column, row)).collect()),
            );
        }
    }
    Ok((table.names().to_vec(), found))
}

#[test]
fn each_text_has_one_meaning() {
    let semicolon = Dialect::new(b';', Some(b'\'')).unwrap();
    let bare = Dialect::new(b',', None).unwrap();
    type Case =
        (&'static str, Dialect, &'static str, &'static [&'static str], &'static [&'static [&'static str]]);
    let cases: &[Case] = &[
        ("plain", Dialect::CSV, "a,b\n1,2\n3,4\n", &["a", "b"], &[&["1", "2"], &["3", "4"]]),
        ("no last line end", Dialect::CSV, "a,b\n1,2", &["a", "b"], &[&["1", "2"]]),
        ("a delimiter at the very end", Dialect::CSV, "a,b\n1,", &["a", "b"], &[&["1", ""]]),
        ("carriage returns", Dialect::CSV, "a,b\r\n1,2\r\n", &["a", "b"], &[&["1", "2"]]),
        ("mixed line ends", Dialect::CSV, "a,b\r\n1,2\n3,4\r\n", &["a", "b"], &[&["1", "2"], &["3", "4"]]),
        ("cut within the last line end", Dialect::CSV, "a,b\r\n1,2\r", &["a", "b"], &[&["1", "2"]]),
        ("a byte-order mark", Dialect::CSV, "\u{feff}a,b\n1,2\n", &["a", "b"], &[&["1", "2"]]),
        (
            "a quoted name after a mark",
            Dialect::CSV,
            "\u{feff}\"a,x\",b\n1,2\n",
            &["a,x", "b"],
            &[&["1", "2"]],
        ),
        (
            "blank lines",
            Dialect::CSV,
            "\n\r\na,b\n\n1,2\n\r\n\n3,4\n\n",
            &["a", "b"],
            &[&["1", "2"], &["3", "4"]],
        ),
        ("delimiters in quotes", Dialect::CSV, "a,b\n\"1,5\",2\n", &["a", "b"], &[&["1,5", "2"]]),
        ("line ends in quotes", Dialect::CSV, "a,b\n\"x\ny\r\nz\",2\n", &["a", "b"], &[&["x\ny\r\nz", "2"]]),
        ("blank lines in quotes", Dialect::CSV, "a,b\n\"\n\n\n\",2\n", &["a", "b"], &[&["\n\n\n", "2"]]),
        ("line ends in a name", Dialect::CSV, "\"a\nb\",c\n1,2\n", &["a\nb", "c"], &[&["1", "2"]]),
        (
            "doubled quotes",
            Dialect::CSV,
            "a,b\n\"say \"\"hi\"\"\",\"\"\"\"\n",
            &["a", "b"],
            &[&["say \"hi\"", "\""]],
        ),
        (
            "json in a cell",
            Dialect::CSV,
            "k,v\n1,\"{\"\"x\"\": [1, 2]}\"\n",
            &["k", "v"],
            &[&["1", "{\"x\": [1, 2]}"]],
        ),
        (
            "empty cells",
            Dialect::CSV,
            "a,b,c\n,,\n\"\",,\"\"\n",
            &["a", "b", "c"],
            &[&["", "", ""], &["", "", ""]],
        ),
        ("an empty quoted cell alone", Dialect::CSV, "a\n\"\"\n1\n", &["a"], &[&[""], &["1"]]),
        ("one column with blank lines", Dialect::CSV, "a\n1\n\n2\n", &["a"], &[&["1"], &[""], &["2"]]),
        ("blanks are kept in texts", Dialect::CSV, " a , b\n x , y \n", &[" a ", " b"], &[&[" x ", " y "]]),
        ("other alphabets", Dialect::CSV, "имя,数\nжук,三\n", &["имя", "数"], &[&["жук", "三"]]),
        ("names twice", Dialect::CSV, "a,a\n1,2\n", &["a", "a"], &[&["1", "2"]]),
        ("nothing but names", Dialect::CSV, "a,b\n", &["a", "b"], &[]),
        ("names without an end", Dialect::CSV, "a,b", &["a", "b"], &[]),
        ("tabs", Dialect::TSV, "a\tb\n1,5\t\"2\t3\"\n", &["a", "b"], &[&["1,5", "2\t3"]]),
        ("another delimiter and quote", semicolon, "a;b\n'1;2';\"x\"\n", &["a", "b"], &[&["1;2", "\"x\""]]),
        ("no quotes at all", bare, "a,b\n5\",\"x\n", &["a", "b"], &[&["5\"", "\"x"]]),
        ("a return in quotes at the end", Dialect::CSV, "a,b\n1,\"x\r\"\r\n", &["a", "b"], &[&["1", "x\r"]]),
    ];
    for (name, dialect, text, names, rows) in cases {
        for block in [1, 2, 3, 7, 64, 1 << 20] {
            let (found_names, found) = cells(text, *dialect, block).expect(name);
            assert_eq!(found_names, *names, "{name}, names");
            assert_eq!(found, *rows, "{name}, in blocks of {block}");
        }
    }
}

#[test]
fn what_is_no_csv_is_refused_and_the_place_named() {
    let at = |offset, row, line| Place { offset, row, line };
    let cases = [
        ("a,b\n1,5\" pipe\n2,3\n", ReadError::Quote { place: at(4, 2, 2), offset: 7 }),
        ("a,b\n1,2\n\"x\"y,3\n", ReadError::Quote { place: at(8, 3, 3), offset: 11 }),
        ("a,b\n1,\"2\n3,4\n", ReadError::OpenQuote { place: at(4, 2, 2) }),
        ("a,b\n1,2\n3\n", ReadError::Ragged { place: at(8, 3, 3), cells: 1, expected: 2 }),
        ("a,b\n1,2,3\n", ReadError::Ragged { place: at(4, 2, 2), cells: 3, expected: 2 }),
        ("a,b\n\"1\n\",2\n3\n", ReadError::Ragged { place: at(11, 3, 4), cells: 1, expected: 2 }),
    ];
    for (text, error) in cases {
        for block in [1, 2, 5, 1 << 20] {
            assert_eq!(cells(text, Dialect::CSV, block), Err(error.clone()), "{text:?} in blocks of {block}");
        }
    }
}

#[test]
fn lines_are_a_table_of_one_column() {
    let text = b"\xef\xbb\xbf1\n2\r\n -3 \n40000000000000000000\n+5";
    let table = Table::lines(text);
    let mut reader = Reader::new(&table, &[Wanted { column: 0, kind: Kind::Integer }], OnBad::Error);
    let (mut batch, mut place) = (Batch::default(), table.body());
    assert_eq!(reader.read(&text[3..], text.len() - 3, true, &mut place, &mut batch), Ok(text.len() - 3));
    let Column::Integer(integers) = &batch.columns()[0] else { panic!("integers were asked for") };
    assert_eq!(integers.values, [1, 2, -3, 0, 5]);
    assert_eq!(integers.wide, [(3, "40000000000000000000".parse().unwrap())]);
    let exact = integers.exact(2..5);
    assert_eq!(
        exact,
        ["-3", "40000000000000000000", "5"].map(|text| text.parse::<tally_reduce::Integer>().unwrap())
    );
    let numbers: Vec<_> = (0..batch.rows()).map(|row| batch.row_number(row)).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
}

#[test]
fn a_sample_suggests_kinds() {
    let text = b"id,price,name,note,mixed\n1,2.5,x,,1\n2,3,y,,NA\n3,4,\"z\",,2\n";
    let table = Table::read(text, Dialect::CSV, true, true).unwrap();
    let sample = &text[usize::try_from(table.body().offset).unwrap()..];
    let guesses = table.guess(sample, true);
    let kinds: Vec<_> = guesses.iter().map(Guess::kind).collect();
    assert_eq!(kinds, [Kind::Integer, Kind::Float, Kind::Text, Kind::Integer, Kind::Integer]);
    let numeric: Vec<_> = guesses.iter().map(Guess::is_numeric).collect();
    assert_eq!(numeric, [true, true, false, false, true]);
}

#[test]
fn names_are_found_or_there_is_a_reason() {
    let table = Table::read(b"a, b,a,c\n", Dialect::CSV, true, true).unwrap();
    assert_eq!(table.find("c"), Ok(3));
    assert_eq!(table.find("b"), Ok(1));
    assert_eq!(table.find(" b"), Ok(1));
    assert_eq!(table.find("a").unwrap_err().to_string(), "several columns have that name");
    assert_eq!(table.find("d").unwrap_err().to_string(), "there is no such column; there are a,  b, a, c");
    let bare = Table::read(b"1,2\n", Dialect::CSV, false, true).unwrap();
    assert_eq!((bare.find("c2"), bare.body()), (Ok(1), Place::START));
}
