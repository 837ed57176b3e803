//! An expression as text: refused with a place, or the same answers whatever the instructions and the cut.

use tally_expr::{Ast, Column, Evaluator, Fault, IndexRange, Kind, LANES, Program, Schema, Values};
use tally_reduce::Integer;

/// The bytes are the text of a filter and an expression with a line feed between, or of an expression alone.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (of, filter) = text.split_once('\n').map_or((text, None), |(filter, of)| (of, Some(filter)));
    let Some(of) = parsed(of) else { return };
    let filter = match filter {
        Some(filter) => match parsed(filter) {
            Some(filter) => Some(filter),
            None => return,
        },
        None => None,
    };
    for schema in [Schema::range(), columns()] {
        let program = match &filter {
            Some(filter) => Program::compile_filtered(&of, filter, &schema).ok(),
            None => Program::compile(&of, &schema).map_err(|fault| told(&fault, of.text())).ok(),
        };
        let Some(program) = program else { continue };
        if schema.is_range() {
            over_range(&program);
        } else {
            over_columns(&program);
        }
    }
}

fn columns() -> Schema {
    let named = |name: &str, kind| (name.to_owned(), kind);
    Schema::columns([named("i", Kind::Integer), named("x", Kind::Float), named("t", Kind::Text)])
}

fn parsed(text: &str) -> Option<Ast> {
    match Ast::parse(text) {
        Ok(ast) => {
            assert!(ast.names().len() <= text.len() && ast.uses().len() <= text.len());
            Some(ast)
        }
        Err(fault) => {
            told(&fault, text);
            None
        }
    }
}

/// The first line stands alone, the place is below it.
fn told(fault: &Fault, text: &str) {
    let message = fault.to_string();
    assert!(!message.contains('\n'), "one line: {message:?}");
    assert!(fault.place(text).lines().count() <= 3, "{}", fault.place(text));
}

/// An answer: its bits, or the element that has none and why.
type Answer = Result<Vec<String>, (u64, String)>;

fn answers(values: Values<'_>) -> Vec<String> {
    match values {
        Values::I64(values) => values.iter().map(ToString::to_string).collect(),
        Values::I128(values) => values.iter().map(ToString::to_string).collect(),
        Values::Big(values) => values.iter().map(digest).collect(),
        Values::Bool(values) => values.iter().map(ToString::to_string).collect(),
        Values::F64(values) => values.iter().map(|value| float(*value)).collect(),
    }
}

/// Long integers cost too much as decimal text.
fn digest(value: &Integer) -> String {
    let modulus = Integer::from(u64::MAX);
    (value % modulus).to_string()
}

fn float(value: f64) -> String {
    if value.is_nan() { "nan".to_owned() } else { format!("{:x}", value.to_bits()) }
}

fn over_range(program: &Program) {
    let range = IndexRange::new(Integer::from(-3), Integer::from(1), 19);
    let run = |portable: bool, cut: usize| -> Answer {
        let mut evaluator = if portable { Evaluator::portable(program) } else { Evaluator::new(program) };
        let (mut all, mut offset) = (Vec::new(), 0_usize);
        while offset < 19 {
            let lanes = cut.min(19 - offset);
            let chunk = evaluator
                .run_range(&range, offset as u64, lanes)
                .map_err(|error| (error.row, error.to_string()))?;
            let found = wide(answers(chunk.values));
            match chunk.rows {
                Some(rows) => all.extend(found.iter().zip(rows).map(|(value, row)| {
                    format!("{}:{value}", offset + usize::try_from(*row).expect("small"))
                })),
                None => {
                    all.extend(found.iter().enumerate().map(|(at, value)| format!("{}:{value}", offset + at)))
                }
            }
            offset += lanes;
        }
        Ok(all)
    };
    let one = run(false, LANES);
    assert_eq!(run(true, LANES), one, "without the newest instructions");
    assert_eq!(run(false, 5), one, "cut");
}

/// Integers compare alike whatever their width.
fn wide(values: Vec<String>) -> Vec<String> {
    let modulus = Integer::from(u64::MAX);
    let alike = |text: String| match text.parse::<Integer>() {
        Ok(value) => (value % &modulus).to_string(),
        Err(_) => text,
    };
    values.into_iter().map(alike).collect()
}

fn over_columns(program: &Program) {
    let integers = [0, 1, -1, 7, i64::MAX, i64::MIN, 1 << 53, -10];
    let floats =
        [0.0, -0.0, 1.5, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE, -1e308, 9_007_199_254_740_993.0];
    let bytes = b"northeast";
    let texts = [&bytes[0..5], &bytes[5..9], &bytes[0..0], &bytes[1..2], &bytes[0..9], b"1", b"0.5", b"\xff"];
    let columns = [Column::I64(&integers), Column::F64(&floats), Column::Text(&texts)];
    let run = |portable: bool| -> Answer {
        let mut evaluator = if portable { Evaluator::portable(program) } else { Evaluator::new(program) };
        let chunk = evaluator
            .run_columns(&columns, integers.len(), 0)
            .map_err(|error| (error.row, error.to_string()))?;
        let rows = chunk.rows.map(<[u32]>::to_vec);
        let mut all = wide(answers(chunk.values));
        all.push(format!("{rows:?}"));
        Ok(all)
    };
    assert_eq!(run(true), run(false), "without the newest instructions");
}
