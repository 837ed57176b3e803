//! The evaluator against one that is as plain as possible: a walk over the text's own tree, element by element, with
//! big integers only. Random expressions, random ranges near every limit, random cuts.
#![forbid(unsafe_code)]

use proptest::prelude::*;
use tally_expr::{Ast, Column, EvalError, Evaluator, IndexRange, Kind, LANES, Program, Schema, Values};
use tally_reduce::Integer;

/// An expression of integers over `i` and `n`.
#[derive(Clone, Debug)]
enum Tree {
    I,
    N,
    Number(Integer),
    Unary(&'static str, Box<Self>),
    Binary(&'static str, Box<Self>, Box<Self>),
    Power(Box<Self>, u8),
    Call(&'static str, Box<Self>, Box<Self>),
    If(Box<Condition>, Box<Self>, Box<Self>),
}

#[derive(Clone, Debug)]
enum Condition {
    Compare(&'static str, Tree, Tree),
    Both(&'static str, Box<Self>, Box<Self>),
    Not(Box<Self>),
}

impl Tree {
    /// As it is written, with `n` called so.
    fn text(&self, n: &str) -> String {
        match self {
            Self::I => "i".to_owned(),
            Self::N => n.to_owned(),
            Self::Number(value) => format!("({value})"),
            Self::Unary(sign, a) => format!("{sign}({})", a.text(n)),
            Self::Binary(sign, a, b) => format!("({} {sign} {})", a.text(n), b.text(n)),
            Self::Power(a, exponent) => format!("({}) ** {exponent}", a.text(n)),
            Self::Call(name, a, b) => format!("{name}({}, {})", a.text(n), b.text(n)),
            Self::If(c, a, b) => format!("if({}, {}, {})", c.text(n), a.text(n), b.text(n)),
        }
    }

    /// Nothing where it has no answer.
    fn value(&self, i: &Integer, n: &Integer) -> Option<Integer> {
        let zero = Integer::ZERO;
        Some(match self {
            Self::I => i.clone(),
            Self::N => n.clone(),
            Self::Number(value) => value.clone(),
            Self::Unary("-", a) => -a.value(i, n)?,
            Self::Unary("~", a) => -a.value(i, n)? - Integer::ONE,
            Self::Unary(_, a) => {
                let a = a.value(i, n)?;
                if a < zero { -a } else { a }
            }
            Self::Power(a, exponent) => {
                let a = a.value(i, n)?;
                (0..*exponent).fold(Integer::ONE, |power, _| power * &a)
            }
            Self::Call(name, a, b) => {
                let (a, b) = (a.value(i, n)?, b.value(i, n)?);
                if (*name == "min") == (a < b) { a } else { b }
            }
            Self::If(c, a, b) => if c.value(i, n)? { a } else { b }.value(i, n)?,
            Self::Binary(sign, a, b) => {
                let (a, b) = (a.value(i, n)?, b.value(i, n)?);
                match *sign {
                    "+" => a + b,
                    "-" => a - b,
                    "*" => a * b,
                    "&" => a & b,
                    "|" => a | b,
                    "xor" => a ^ b,
                    ">>" | "<<" if b < zero => return None,
                    "<<" => a << usize::try_from(&b).ok()?,
                    ">>" => floor(&a, &(Integer::ONE << usize::try_from(&b).ok()?)),
                    _ if b == zero => return None,
                    "//" => floor(&a, &b),
                    _ => &a - floor(&a, &b) * &b,
                }
            }
        })
    }
}

fn floor(a: &Integer, b: &Integer) -> Integer {
    let quotient = a / b;
    if &quotient * b != *a && (*a < Integer::ZERO) != (*b < Integer::ZERO) {
        quotient - Integer::ONE
    } else {
        quotient
    }
}

impl Condition {
    /// As it is written, with `n` called so.
    fn text(&self, n: &str) -> String {
        match self {
            Self::Compare(sign, a, b) => format!("({} {sign} {})", a.text(n), b.text(n)),
            Self::Both(word, a, b) => format!("({} {word} {})", a.text(n), b.text(n)),
            Self::Not(a) => format!("(not {})", a.text(n)),
        }
    }

    fn value(&self, i: &Integer, n: &Integer) -> Option<bool> {
        Some(match self {
            Self::Compare(sign, a, b) => {
                let order = a.value(i, n)?.cmp(&b.value(i, n)?);
                match *sign {
                    "<" => order.is_lt(),
                    "<=" => order.is_le(),
                    ">" => order.is_gt(),
                    ">=" => order.is_ge(),
                    "==" => order.is_eq(),
                    _ => order.is_ne(),
                }
            }
            Self::Both("and", a, b) => a.value(i, n)? && b.value(i, n)?,
            Self::Both(_, a, b) => a.value(i, n)? || b.value(i, n)?,
            Self::Not(a) => !a.value(i, n)?,
        })
    }
}

/// Numbers around every limit of a width.
fn number() -> impl Strategy<Value = Integer> {
    prop_oneof![
        4 => (-20i64..20).prop_map(Integer::from),
        2 => (0usize..130, -3i64..4, any::<bool>()).prop_map(|(bit, off, minus)| {
            let power = Integer::ONE << bit;
            if minus { -power + off } else { power + off }
        }),
        1 => any::<i64>().prop_map(Integer::from),
    ]
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![5 => Just(Tree::I), 2 => Just(Tree::N), 3 => number().prop_map(Tree::Number)];
    leaf.prop_recursive(5, 24, 3, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        let signs = proptest::sample::select(vec!["+", "-", "*", "*", "//", "%", "&", "|", "xor"]);
        let divisor = proptest::sample::select(vec![2i64, 3, 7, 8, 10, 1000, -7, 65537, 1_000_000_007]);
        let compare = proptest::sample::select(vec!["<", "<=", ">", ">=", "==", "!="]);
        let plain = (compare, inner.clone(), inner).prop_map(|(sign, a, b)| Condition::Compare(sign, a, b));
        let condition = plain.prop_recursive(2, 4, 2, |inner| {
            prop_oneof![
                (proptest::sample::select(vec!["and", "or"]), inner.clone(), inner.clone())
                    .prop_map(|(word, a, b)| Condition::Both(word, Box::new(a), Box::new(b))),
                inner.prop_map(|a| Condition::Not(Box::new(a))),
            ]
        });
        prop_oneof![
            6 => (signs, boxed.clone(), boxed.clone()).prop_map(|(sign, a, b)| Tree::Binary(sign, a, b)),
            4 => (proptest::sample::select(vec!["//", "%", "%"]), boxed.clone(), divisor)
                .prop_map(|(sign, a, by)| Tree::Binary(sign, a, Box::new(Tree::Number(by.into())))),
            2 => (proptest::sample::select(vec!["<<", ">>"]), boxed.clone(), 0i64..70)
                .prop_map(|(sign, a, by)| Tree::Binary(sign, a, Box::new(Tree::Number(by.into())))),
            1 => (proptest::sample::select(vec!["<<", ">>"]), boxed.clone(), boxed.clone()).prop_map(|(sign, a, b)| {
                // A count of a few bits, from -2 on.
                let few = Tree::Binary("%", b, Box::new(Tree::Number(40.into())));
                let count = Tree::Binary("-", Box::new(few), Box::new(Tree::Number(2.into())));
                Tree::Binary(sign, a, Box::new(count))
            }),
            2 => (proptest::sample::select(vec!["-", "~", "abs"]), boxed.clone()).prop_map(|(sign, a)| Tree::Unary(sign, a)),
            1 => (boxed.clone(), 0u8..5).prop_map(|(a, exponent)| Tree::Power(a, exponent)),
            2 => (proptest::sample::select(vec!["min", "max"]), boxed.clone(), boxed.clone())
                .prop_map(|(name, a, b)| Tree::Call(name, a, b)),
            2 => (condition.prop_map(Box::new), boxed.clone(), boxed).prop_map(|(c, a, b)| Tree::If(c, a, b)),
        ]
    })
}

fn collect(values: Values<'_>, into: &mut Vec<Integer>) {
    match values {
        Values::I64(values) => into.extend(values.iter().map(|value| Integer::from(*value))),
        Values::I128(values) => into.extend(values.iter().map(|value| Integer::from(*value))),
        Values::Big(values) => into.extend_from_slice(values),
        Values::Bool(_) | Values::F64(_) => {}
    }
}

/// All answers over a range, cut at most `cut` elements at a time.
fn over_range(
    program: &Program,
    range: &IndexRange,
    cut: usize,
    portable: bool,
) -> Result<Vec<Integer>, EvalError> {
    let mut evaluator = if portable { Evaluator::portable(program) } else { Evaluator::new(program) };
    let (mut answers, mut offset) = (Vec::new(), 0);
    while offset < range.length() {
        let chunk = evaluator.run_range(range, offset, cut)?;
        if let (Values::I64(values), Some((low, high))) = (chunk.values, chunk.bounds) {
            assert!(values.iter().all(|value| (low..=high).contains(value)), "bounds hold");
        }
        let rows = chunk.values.len();
        collect(chunk.values, &mut answers);
        offset += rows as u64;
    }
    Ok(answers)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn ranges_have_the_plain_answers_wherever_they_are_cut(
        tree in tree(), start in number(), step in prop_oneof![4 => Just(Integer::ONE), 1 => number()],
        length in 1u64..120, cut in 1usize..130,
    ) {
        // The range has no `n`; 5 stands for it.
        let text = tree.text("5");
        let Ok(ast) = Ast::parse(&text) else { return Ok(()) };
        let range = IndexRange::new(start, step, length);
        let five = Integer::from(5);
        let plain: Vec<Option<Integer>> = (0..length).map(|at| tree.value(&range.at(at), &five)).collect();
        let program = match Program::compile(&ast, &Schema::range()) {
            Ok(program) => program,
            Err(fault) => {
                // A part that is constant and wanted always has no answer.
                prop_assert!(plain.iter().all(Option::is_none), "{}: {}", text, fault);
                return Ok(());
            }
        };
        let found = over_range(&program, &range, cut, false);
        prop_assert_eq!(&found, &over_range(&program, &range, LANES, true), "{}", text);
        match found {
            Ok(answers) => {
                let plain: Option<Vec<Integer>> = plain.into_iter().collect();
                prop_assert_eq!(Some(answers), plain, "{}", text);
            }
            Err(error) => {
                let first = plain.iter().position(Option::is_none);
                prop_assert_eq!(first.map(|row| row as u64), Some(error.row), "{}: {}", text, error);
                prop_assert_eq!(error.index, Some(range.at(error.row)));
            }
        }
    }

    #[test]
    fn columns_have_the_plain_answers_whatever_their_width(
        tree in tree(), rows in proptest::collection::vec((number(), number()), 1..40), width in 0usize..4,
    ) {
        let text = tree.text("n");
        let ast = Ast::parse(&text).expect("an expression");
        let schema = Schema::columns([("i".to_owned(), Kind::Integer), ("n".to_owned(), Kind::Integer)]);
        // What does not fit in the width is cut off, to test the limits of that width.
        let fit = |value: &Integer| match width {
            0 => Integer::from(low_bits(value, 7)),
            1 => Integer::from(low_bits(value, 32)),
            2 => Integer::from(low_bits(value, 63)),
            _ => value.clone(),
        };
        let rows: Vec<(Integer, Integer)> = rows.iter().map(|(i, n)| (fit(i), n.clone())).collect();
        let plain: Vec<Option<Integer>> = rows.iter().map(|(i, n)| tree.value(i, n)).collect();
        let Ok(program) = Program::compile(&ast, &schema) else { return Ok(()) };
        let bytes: Vec<i8> = rows.iter().filter_map(|(i, _)| i8::try_from(i).ok()).collect();
        let halves: Vec<u32> = rows.iter().filter_map(|(i, _)| u32::try_from(i).ok()).collect();
        let words: Vec<i64> = rows.iter().filter_map(|(i, _)| i64::try_from(i).ok()).collect();
        let wides: Vec<i128> = rows.iter().filter_map(|(_, n)| i128::try_from(n).ok()).collect();
        let bigs: (Vec<Integer>, Vec<Integer>) = rows.iter().cloned().unzip();
        let i = match width {
            0 => Column::I8(&bytes),
            1 => Column::U32(&halves),
            2 => Column::I64(&words),
            _ => Column::Big(&bigs.0),
        };
        let n = if wides.len() == rows.len() { Column::I128(&wides) } else { Column::Big(&bigs.1) };
        let columns = [i, n];
        let mut evaluator = Evaluator::new(&program);
        // Twice: the second time with a plan that is there already.
        for _ in 0..2 {
            match evaluator.run_columns(&columns, rows.len(), 100) {
                Ok(chunk) => {
                    let mut answers = Vec::new();
                    collect(chunk.values, &mut answers);
                    let plain: Option<Vec<Integer>> = plain.iter().cloned().collect();
                    prop_assert_eq!(Some(answers), plain, "{}", &text);
                }
                Err(error) => {
                    let first = plain.iter().position(Option::is_none);
                    prop_assert_eq!(first.map(|row| row as u64 + 100), Some(error.row), "{}: {}", &text, error);
                }
            }
        }
    }

    #[test]
    fn a_filter_leaves_what_it_says(tree in tree(), filter in tree(), start in number(), length in 1u64..100) {
        let (of, filter_text) = (tree.text("5"), format!("{} % 3 == 0", filter.text("5")));
        let (Ok(of), Ok(filter_ast)) = (Ast::parse(&of), Ast::parse(&filter_text)) else { return Ok(()) };
        let Ok(program) = Program::compile_filtered(&of, &filter_ast, &Schema::range()) else { return Ok(()) };
        let range = IndexRange::new(start, Integer::ONE, length);
        let five = Integer::from(5);
        let mut plain: Option<Vec<(u32, Integer)>> = Some(Vec::new());
        for at in 0..length {
            let i = range.at(at);
            let wanted = filter.value(&i, &five).map(|value| &value - floor(&value, &3.into()) * 3 == Integer::ZERO);
            match (wanted, &mut plain) {
                (Some(false), _) => {}
                (Some(true), Some(kept)) => match tree.value(&i, &five) {
                    Some(value) => kept.push((u32::try_from(at).expect("few"), value)),
                    None => plain = None,
                },
                _ => plain = None,
            }
        }
        let mut evaluator = Evaluator::new(&program);
        let found = evaluator.run_range(&range, 0, LANES).ok().map(|chunk| {
            let mut answers = Vec::new();
            collect(chunk.values, &mut answers);
            let rows: Vec<u32> = chunk.rows.map_or_else(|| (0..u32::try_from(length).expect("few")).collect(), <[u32]>::to_vec);
            rows.into_iter().zip(answers).collect::<Vec<_>>()
        });
        prop_assert_eq!(found, plain);
    }
}

/// The low bits.
fn low_bits(value: &Integer, bits: usize) -> i128 {
    let mask = (Integer::ONE << bits) - Integer::ONE;
    i128::try_from(&(value & mask)).unwrap_or(0)
}
