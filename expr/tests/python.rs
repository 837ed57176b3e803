//! Every expression of a table, computed by Python beforehand (`tests/data/generate.py`), in lanes and by hand.
#![forbid(unsafe_code)]
#![expect(clippy::panic, reason = "a test says what went wrong")]

use tally_expr::{Ast, Column, Evaluator, Kind, Program, Schema, Values};
use tally_reduce::Integer;

enum Held {
    Integer(Integer),
    Float(f64),
    Text(String),
}

fn names(text: &str) -> Vec<(String, Held)> {
    let pairs = text.split(';').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').expect("a name and a value");
            let held = match value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')) {
                Some(text) => Held::Text(text.to_owned()),
                None if value.contains(['.', 'e']) => Held::Float(value.parse().expect("a float")),
                None => Held::Integer(Integer::from_str_radix(value, 10).expect("an integer")),
            };
            (name.to_owned(), held)
        })
        .collect()
}

/// The answer in the words of the table; `rows` copies of the row are computed at once, which must not matter.
fn answer(expression: &str, names: &[(String, Held)], rows: usize, portable: bool) -> (String, String) {
    let error = || ("error".to_owned(), "error".to_owned());
    let schema = Schema::columns(names.iter().map(|(name, held)| {
        let kind = match held {
            Held::Integer(_) => Kind::Integer,
            Held::Float(_) => Kind::Float,
            Held::Text(_) => Kind::Text,
        };
        (name.clone(), kind)
    }));
    let ast = Ast::parse(expression).unwrap_or_else(|fault| panic!("{expression}: {fault}"));
    // A constant without answer is refused before anything is computed.
    let Ok(program) = Program::compile(&ast, &schema) else { return error() };
    let mut integers: Vec<Vec<Integer>> = Vec::new();
    let mut shorts: Vec<Vec<i64>> = Vec::new();
    let mut floats: Vec<Vec<f64>> = Vec::new();
    let mut texts: Vec<Vec<&[u8]>> = Vec::new();
    for (_, held) in names {
        integers.push(if let Held::Integer(value) = held { vec![value.clone(); rows] } else { Vec::new() });
        shorts.push(match held {
            Held::Integer(value) => i64::try_from(value).map_or(Vec::new(), |value| vec![value; rows]),
            _ => Vec::new(),
        });
        floats.push(if let Held::Float(value) = held { vec![*value; rows] } else { Vec::new() });
        texts.push(if let Held::Text(value) = held { vec![value.as_bytes(); rows] } else { Vec::new() });
    }
    let columns: Vec<Column<'_>> = names
        .iter()
        .enumerate()
        .map(|(at, (_, held))| match held {
            Held::Integer(_) if shorts[at].len() == rows => Column::I64(&shorts[at]),
            Held::Integer(_) => Column::Big(&integers[at]),
            Held::Float(_) => Column::F64(&floats[at]),
            Held::Text(_) => Column::Text(&texts[at]),
        })
        .collect();
    let mut evaluator = if portable { Evaluator::portable(&program) } else { Evaluator::new(&program) };
    let Ok(chunk) = evaluator.run_columns(&columns, rows, 0) else { return error() };
    assert_eq!(chunk.values.len(), rows, "{expression}");
    let last = rows - 1;
    match chunk.values {
        Values::I64(values) => ("integer".to_owned(), values[last].to_string()),
        Values::I128(values) => ("integer".to_owned(), values[last].to_string()),
        Values::Big(values) => ("integer".to_owned(), values[last].to_string()),
        Values::Bool(values) => ("bool".to_owned(), values[last].to_string()),
        Values::F64(values) => ("float".to_owned(), format!("{:?}", values[last])),
    }
}

#[test]
fn the_answers_are_those_of_python() {
    let table = include_str!("data/python.tsv");
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<&str> = line.split('\t').collect();
        let [expression, given, kind, value] = cells[..] else { panic!("a line of the table: {line}") };
        count += 1;
        let names = names(given);
        for (rows, portable) in [(1, false), (1024, false), (37, true)] {
            let (found_kind, found) = answer(expression, &names, rows, portable);
            let same = if kind == "float" && found_kind == "float" {
                let (wanted, found) = (value.parse::<f64>().unwrap(), found.parse::<f64>().unwrap());
                wanted.to_bits() == found.to_bits() || wanted.is_nan() && found.is_nan()
            } else {
                (found_kind.as_str(), found.as_str()) == (kind, value)
            };
            if !same {
                wrong.push(format!(
                    "{expression} with {given}, {rows} rows: {found_kind} {found}, not {kind} {value}"
                ));
            }
        }
    }
    assert!(count > 700, "the table was read");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}
