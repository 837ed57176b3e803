//! The examples of docs/expressions.md are true.
#![forbid(unsafe_code)]
#![expect(clippy::panic, reason = "a test says what went wrong")]

use tally_expr::{Ast, Column, Evaluator, Kind, Program, Schema, Values};

/// One expression with the names that are given, in the words of the manual.
fn answer(text: &str, given: &str) -> String {
    let pairs = given.split(", ").filter(|pair| !pair.is_empty());
    let names: Vec<(&str, &str)> =
        pairs.map(|pair| pair.split_once(" = ").expect("a name and a value")).collect();
    let kind = |value: &str| match value.as_bytes() {
        [b'"', ..] => Kind::Text,
        _ if value.contains('.') => Kind::Float,
        _ => Kind::Integer,
    };
    let schema = Schema::columns(names.iter().map(|(name, value)| ((*name).to_owned(), kind(value))));
    let program = Ast::parse(text).and_then(|ast| Program::compile(&ast, &schema));
    let program = match program {
        Ok(program) => program,
        Err(fault) => {
            assert!(fault.place(text).lines().count() == 2, "{text} has a place");
            return format!("refused: {fault}");
        }
    };
    let integers: Vec<[i64; 1]> = names.iter().map(|(_, value)| [value.parse().unwrap_or(0)]).collect();
    let floats: Vec<[f64; 1]> = names.iter().map(|(_, value)| [value.parse().unwrap_or(0.0)]).collect();
    let texts: Vec<[&[u8]; 1]> =
        names.iter().map(|(_, value)| [value.trim_matches('"').as_bytes()]).collect();
    let columns: Vec<Column<'_>> = names
        .iter()
        .enumerate()
        .map(|(at, (_, value))| match kind(value) {
            Kind::Text => Column::Text(&texts[at]),
            Kind::Float => Column::F64(&floats[at]),
            _ => Column::I64(&integers[at]),
        })
        .collect();
    match Evaluator::new(&program).run_columns(&columns, 1, 0) {
        Err(error) => format!("error: {}", error.message),
        Ok(chunk) => match chunk.values {
            Values::I64(values) => values[0].to_string(),
            Values::I128(values) => values[0].to_string(),
            Values::Big(values) => values[0].to_string(),
            Values::F64(values) => format!("{:?}", values[0]),
            Values::Bool(values) => values[0].to_string(),
        },
    }
}

/// Commas outside of parentheses and quotes.
fn parts(text: &str) -> Vec<String> {
    let (mut found, mut depth, mut quoted) = (vec![String::new()], 0, false);
    for c in text.chars() {
        match c {
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            '"' => quoted = !quoted,
            ',' if depth == 0 && !quoted => {
                found.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = found.last_mut() {
            last.push(c);
        }
    }
    found.iter().map(|part| part.trim().to_owned()).collect()
}

#[test]
fn the_examples_of_the_manual_are_true() {
    let manual = include_str!("../../docs/expressions.md");
    let mut count = 0;
    for block in manual.split("```tally\n").skip(1) {
        let block = block.split("```").next().unwrap_or("");
        for line in block.lines() {
            let (left, wanted) = line.split_once(" => ").unwrap_or_else(|| panic!("an example: {line}"));
            let (text, given) = left.split_once(" with ").unwrap_or((left, ""));
            let single = wanted.starts_with("refused") || wanted.starts_with("error");
            let texts = if single { vec![text.trim().to_owned()] } else { parts(text) };
            let found: Vec<String> = texts.iter().map(|text| answer(text, given.trim())).collect();
            assert_eq!(found.join(", "), wanted.trim(), "{line}");
            count += found.len();
        }
    }
    assert!(count > 40, "the examples were found");
}

#[test]
fn every_function_is_in_the_manual() {
    let manual = include_str!("../../docs/expressions.md");
    let fault = Ast::parse("xyzzy(1)").expect_err("no such function");
    let known = fault.hint.expect("the functions are listed");
    let names = known.trim_start_matches("there are ").replace(" and col", "");
    let mut count = 0;
    for name in names.split(", ") {
        assert!(manual.contains(&format!("`{name}(")), "{name} is described");
        count += 1;
    }
    assert_eq!(count, 17);
}
