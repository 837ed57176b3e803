//! Expressions over a range and over columns, against the loop that a person would write and compile.

use std::hint::black_box;

use tally_expr::{Ast, Column, Evaluator, IndexRange, Kind, LANES, Program, Schema, Values};
use tally_reduce::Integer;

use crate::measure::{median, say, seconds};

/// Elements of one round.
const COUNT: u64 = 100_000_000;
const ROUNDS: usize = 5;

/// An exact sum of a chunk: in 64 bits where the bounds allow it.
fn add(total: &mut i128, floats: &mut f64, values: Values<'_>, bounds: Option<(i64, i64)>) {
    const SHORT: i64 = 1 << 53;
    match values {
        Values::I64(values) if bounds.is_some_and(|(low, high)| low >= -SHORT && high <= SHORT) => {
            *total += i128::from(values.iter().sum::<i64>());
        }
        Values::I64(values) => *total += values.iter().map(|value| i128::from(*value)).sum::<i128>(),
        Values::I128(values) => *total += values.iter().sum::<i128>(),
        Values::F64(values) => *floats += values.iter().sum::<f64>(),
        Values::Bool(values) => *total += values.iter().map(|value| i128::from(*value)).sum::<i128>(),
        Values::Big(_) => {}
    }
}

fn over_range(text: &str, start: i64, count: u64) -> i128 {
    let ast = Ast::parse(text).expect("an expression");
    let program = Program::compile(&ast, &Schema::range()).expect("a program");
    let mut evaluator = Evaluator::new(&program);
    let range = IndexRange::new(start.into(), Integer::ONE, count);
    let (mut total, mut floats, mut offset) = (0, 0.0, 0);
    while offset < count {
        let chunk = evaluator.run_range(&range, offset, LANES).expect("an answer for every element");
        add(&mut total, &mut floats, chunk.values, chunk.bounds);
        offset += LANES as u64;
    }
    black_box(floats);
    total
}

/// The same by a loop, whose sums are of 64 bits and wrap.
fn by_loop(start: i64, count: u64, f: impl Fn(i64) -> i64) -> i64 {
    let mut total = 0i64;
    for i in black_box(start)..black_box(start + count.cast_signed()) {
        total = total.wrapping_add(f(i));
    }
    total
}

/// Alternates both and prints the ratio of the medians.
fn versus(what: &str, goal: &str, count: u64, ours: impl Fn() -> i128, hand: impl Fn() -> i64) {
    let (mut times, mut loops) = (Vec::new(), Vec::new());
    let (mut answer, mut expected) = (0, 0);
    for _ in 0..ROUNDS {
        times.push(seconds(|| answer = black_box(ours())));
        loops.push(seconds(|| expected = black_box(hand())));
    }
    let (ours, hand) = (median(&mut times), median(&mut loops));
    let each = |seconds: f64| seconds * 1e9 / count as f64;
    println!(
        "{what}: {:.2} ns an element, the loop {:.2} ns; {answer} and {expected}",
        each(ours),
        each(hand)
    );
    say(what, ours / hand, goal);
}

pub(crate) fn expressions(_binary: &str) {
    let range = |text: &'static str, start: i64| move || over_range(text, start, COUNT);
    versus("i*i % 7 over 0..1e8", "<= 1.3", COUNT, range("i*i % 7", 0), || {
        by_loop(0, COUNT, |i| i.wrapping_mul(i).rem_euclid(7))
    });
    versus("i*i % 7 over 9e8..1e9", "<= 1.3", COUNT, range("i*i % 7", 900_000_000), || {
        by_loop(900_000_000, COUNT, |i| i.wrapping_mul(i).rem_euclid(7))
    });
    versus("i*i // 7 over 0..1e8", "<= 1.3", COUNT, range("i*i // 7", 0), || {
        by_loop(0, COUNT, |i| i.wrapping_mul(i).div_euclid(7))
    });
    versus("3*i + 1", "<= 1.3", COUNT, range("3*i + 1", 0), || {
        by_loop(0, COUNT, |i| 3 * black_box_free(i) + 1)
    });
    versus(
        "if(i % 2 == 0, i // 2, 3*i + 1)",
        "<= 1.3",
        COUNT,
        range("if(i % 2 == 0, i // 2, 3*i + 1)", 0),
        || by_loop(0, COUNT, |i| if i % 2 == 0 { i >> 1 } else { 3 * i + 1 }),
    );
    let few = COUNT / 10;
    versus(
        "i*i over 4e9..4e9+1e7 (128 bits)",
        "<= 4",
        few,
        move || over_range("i*i", 4_000_000_000, few),
        || by_loop(4_000_000_000, few, |i| black_box(i).wrapping_mul(i)),
    );
    versus(
        "i**3 % 1000003 over 1e12..",
        "<= 4",
        few,
        move || over_range("i**3 % 1000003", 1_000_000_000_000, few),
        || {
            by_loop(1_000_000_000_000, few, |i| {
                let i = i128::from(i);
                i64::try_from((i * i * i).rem_euclid(1_000_003)).unwrap_or(0)
            })
        },
    );
    let filtered = Ast::parse("i").expect("an expression");
    let filter = Ast::parse("i % 3 == 0").expect("an expression");
    let program = Program::compile_filtered(&filtered, &filter, &Schema::range()).expect("a program");
    versus(
        "i where i % 3 == 0",
        "<= 1.5",
        COUNT,
        || {
            let mut evaluator = Evaluator::new(&program);
            let range = IndexRange::new(Integer::ZERO, Integer::ONE, COUNT);
            let (mut total, mut offset) = (0, 0);
            while offset < COUNT {
                let chunk = evaluator.run_range(&range, offset, LANES).expect("an answer");
                add(&mut total, &mut 0.0, chunk.values, chunk.bounds);
                offset += LANES as u64;
            }
            total
        },
        || by_loop(0, COUNT, |i| if i % 3 == 0 { i } else { 0 }),
    );
    columns();
}

/// Keeps the loop from being replaced by a formula.
#[inline(always)]
fn black_box_free(i: i64) -> i64 {
    i ^ (i >> 62)
}

/// Prices and quantities, as from a file.
#[expect(clippy::cast_possible_truncation, reason = "sums of prices are far below 2^63")]
fn columns() {
    const ROWS: usize = 10_000_000;
    let prices: Vec<f64> = (0..ROWS).map(|row| (row % 9973) as f64 / 100.0).collect();
    let counts: Vec<i64> = (0..ROWS as i64).map(|row| row % 13).collect();
    let schema = Schema::columns([("price".to_owned(), Kind::Float), ("quantity".to_owned(), Kind::Integer)]);
    let ast = Ast::parse("price * quantity * 1.19").expect("an expression");
    let program = Program::compile(&ast, &schema).expect("a program");
    versus(
        "price * quantity * 1.19 over columns",
        "<= 1.3",
        ROWS as u64,
        || {
            let mut evaluator = Evaluator::new(&program);
            let mut total = 0.0;
            for (at, (price, count)) in prices.chunks(LANES).zip(counts.chunks(LANES)).enumerate() {
                let columns = [Column::F64(price), Column::I64(count)];
                let chunk =
                    evaluator.run_columns(&columns, price.len(), (at * LANES) as u64).expect("an answer");
                add(&mut 0, &mut total, chunk.values, chunk.bounds);
            }
            total as i128
        },
        || {
            let sum: f64 =
                prices.iter().zip(&counts).map(|(price, count)| price * (*count as f64) * 1.19).sum();
            sum as i64
        },
    );
}
