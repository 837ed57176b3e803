//! Expressions against the plain evaluation of them, over ranges and over columns: the same bits, or the same element
//! that has no answer.

use num_bigint::BigInt;
use tally_expr::{
    Ast, Chunk, Column, EvalError, Evaluator, IndexRange, Kind, LANES, Program, Schema, Values,
};
use tally_reduce::Integer;

use crate::exact::Value;
use crate::feed::Feed;
use crate::tree::{Element, Number};

/// Levels of a tree.
const DEPTH: u8 = 4;
/// Elements of a range: enough for several cuts.
const LENGTH_MAX: u64 = 12;

/// A byte that says how, a tree, and the elements.
pub fn run(bytes: &[u8]) {
    let mut feed = Feed::new(bytes);
    let how = feed.byte();
    let tree = Number::chosen(&mut feed, DEPTH, how & 1 == 1);
    let text = tree.text();
    let Ok(ast) = Ast::parse(&text) else { panic!("it is an expression: {text}") };
    if how & 2 == 0 && !tree.names_x() {
        over_range(&tree, &ast, &text, &mut feed);
    } else {
        over_columns(&tree, &ast, &text, &mut feed);
    }
}

fn over_range(tree: &Number, ast: &Ast, text: &str, feed: &mut Feed<'_>) {
    let (start, step) =
        (Number::integer(feed), if feed.coin() { BigInt::from(1) } else { Number::integer(feed) });
    let length = 1 + feed.below(LENGTH_MAX);
    let cut = 1 + usize::from(feed.byte() % 12);
    let element = |at: u64| Element { i: &start + &step * at, x: 0.0 };
    let plain: Vec<Option<Value>> = (0..length).map(|at| tree.value(&element(at))).collect();
    let program = match Program::compile(ast, &Schema::range()) {
        Ok(program) => program,
        Err(fault) => return assert!(plain.iter().all(Option::is_none), "{text}: {fault}"),
    };
    let range = IndexRange::new(ours(&start), ours(&step), length);
    for (portable, cut) in [(false, LANES), (true, cut)] {
        let mut evaluator = if portable { Evaluator::portable(&program) } else { Evaluator::new(&program) };
        let (mut found, mut offset) = (Vec::new(), 0);
        let mut end = None;
        while offset < length && end.is_none() {
            match evaluator.run_range(&range, offset, cut) {
                Ok(chunk) => {
                    within_bounds(&chunk);
                    offset += chunk.values.len() as u64;
                    collect(chunk.values, &mut found);
                }
                Err(error) => end = Some(error),
            }
        }
        judge(text, &plain, found, end);
    }
}

fn over_columns(tree: &Number, ast: &Ast, text: &str, feed: &mut Feed<'_>) {
    let named = |name: &str, kind| (name.to_owned(), kind);
    let schema = Schema::columns([named("i", Kind::Integer), named("x", Kind::Float)]);
    let special = [0.0, -0.0, 1.0, -2.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 5e-324, 1e308, 0.1];
    let rows = 1 + usize::from(feed.byte() % 8);
    let (mut words, mut floats) = (Vec::new(), Vec::new());
    for _ in 0..rows {
        words.push(if feed.coin() { feed.word().cast_signed() } else { i64::from(feed.byte()) - 128 });
        floats.push(if feed.coin() { f64::from_bits(feed.word()) } else { feed.one_of(&special) });
    }
    let elements = words.iter().zip(&floats).map(|(i, x)| Element { i: BigInt::from(*i), x: *x });
    let plain: Vec<Option<Value>> = elements.map(|element| tree.value(&element)).collect();
    let program = match Program::compile(ast, &schema) {
        Ok(program) => program,
        Err(fault) => return assert!(plain.iter().all(Option::is_none), "{text}: {fault}"),
    };
    let bigs: Vec<Integer> = words.iter().map(|word| Integer::from(*word)).collect();
    let wide = feed.coin();
    let columns = [if wide { Column::Big(&bigs) } else { Column::I64(&words) }, Column::F64(&floats)];
    for portable in [false, true] {
        let mut evaluator = if portable { Evaluator::portable(&program) } else { Evaluator::new(&program) };
        let mut found = Vec::new();
        let end = match evaluator.run_columns(&columns, rows, 0) {
            Ok(chunk) => {
                within_bounds(&chunk);
                collect(chunk.values, &mut found);
                None
            }
            Err(error) => Some(error),
        };
        judge(text, &plain, found, end);
    }
}

fn within_bounds(chunk: &Chunk<'_>) {
    if let (Values::I64(values), Some((low, high))) = (chunk.values, chunk.bounds) {
        assert!(values.iter().all(|value| (low..=high).contains(value)), "bounds hold");
    }
}

fn judge(text: &str, plain: &[Option<Value>], found: Vec<Value>, end: Option<EvalError>) {
    let first = plain.iter().position(Option::is_none);
    assert_eq!(first.map(|row| row as u64), end.as_ref().map(|error| error.row), "{text}: {end:?}");
    if first.is_some() {
        return;
    }
    assert_eq!(found.len(), plain.len(), "{text}");
    for (found, plain) in found.iter().zip(plain.iter().flatten()) {
        let same = match (found, plain) {
            (Value::Float(found), Value::Float(plain)) => {
                found.to_bits() == plain.to_bits() || (found.is_nan() && plain.is_nan())
            }
            (found, plain) => found == plain,
        };
        assert!(same, "{text}: {found:?} and not {plain:?}");
    }
}

fn collect(values: Values<'_>, into: &mut Vec<Value>) {
    match values {
        Values::I64(values) => into.extend(values.iter().map(|value| Value::Integer(BigInt::from(*value)))),
        Values::I128(values) => into.extend(values.iter().map(|value| Value::Integer(BigInt::from(*value)))),
        Values::Big(values) => into.extend(values.iter().map(|value| Value::Integer(theirs(value)))),
        Values::Bool(values) => {
            into.extend(values.iter().map(|value| Value::Integer(BigInt::from(u8::from(*value)))));
        }
        Values::F64(values) => into.extend(values.iter().map(|value| Value::Float(*value))),
    }
}

/// From one library's integer to the other's, by hexadecimal text: it is fast whatever the length.
fn ours(value: &BigInt) -> Integer {
    Integer::from_str_radix(&value.to_str_radix(16), 16).expect("digits")
}

fn theirs(value: &Integer) -> BigInt {
    let text = value.in_radix(16).to_string();
    BigInt::parse_bytes(text.as_bytes(), 16).expect("digits")
}
