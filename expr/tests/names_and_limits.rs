//! What a schema refuses and how it helps; what hostile expressions cost; filters by text; where errors point.
#![forbid(unsafe_code)]

use tally_expr::{
    Ast, Column, EvalError, Evaluator, Fault, IndexRange, Kind, LANES, Program, Schema, Values, WhichFault,
};
use tally_reduce::Integer;

fn orders() -> Schema {
    Schema::columns([
        ("price".to_owned(), Kind::Float),
        ("quantity".to_owned(), Kind::Integer),
        ("region".to_owned(), Kind::Text),
        ("unit cost".to_owned(), Kind::Float),
        ("paid".to_owned(), Kind::Bool),
    ])
}

fn refused(text: &str, schema: &Schema) -> Fault {
    let ast = Ast::parse(text).expect("it is read");
    Program::compile(&ast, schema).expect_err(text)
}

#[test]
fn faults_of_names_and_kinds_help() {
    for (text, place, message, hint) in [
        ("quantity * prise", "prise", "no column `prise`", "did you mean `price`?"),
        ("Region == 'a'", "Region", "no column `Region`", "did you mean `region`?"),
        ("unit_cost + 1", "unit_cost", "no column `unit_cost`", "did you mean `col(\"unit cost\")`?"),
        ("sqrt + 1", "sqrt", "no column `sqrt`", "`sqrt` is a function: write `sqrt(...)`"),
        (
            "price and paid",
            "price",
            "`and` takes a condition, and this is a float",
            "write `price != 0` if that is meant",
        ),
        (
            "if(region, 1, 2)",
            "region",
            "`if` takes a condition, and this is a text",
            "write `region != \"\"` if that is meant",
        ),
        (
            "price & 1",
            "price",
            "`&` takes integers, and this is a float",
            "write `int(price)` if that is meant",
        ),
        (
            "region == 5",
            "region == 5",
            "a text cannot be compared with a number",
            "region holds texts: write \"5\" in quotes",
        ),
        ("price == 'x'", "price == 'x'", "a text cannot be compared with a number", "price is no text"),
        (
            "region",
            "region",
            "the answer must be a number or a condition, and this is a text",
            "compare it, for example `x == \"north\"`",
        ),
        (
            "'price'",
            "'price'",
            "the answer must be a number or a condition, and this is a text",
            "a column stands without quotes: write `price`",
        ),
        (
            "2 * 'unit cost'",
            "'unit cost'",
            "`*` takes numbers, and this is a text",
            "a column stands without quotes: write `col(\"unit cost\")`",
        ),
        (
            "if(paid, region, 'a') == 'a'",
            "region",
            "`if` gives numbers or conditions, and this is a text",
            "compare the text inside of `if`",
        ),
        (
            "nothing_like_it",
            "nothing_like_it",
            "no column `nothing_like_it`",
            "there are price, quantity, region, col(\"unit cost\"), paid",
        ),
    ] {
        let fault = refused(text, &orders());
        assert_eq!(&text[fault.span.start..fault.span.end], place, "{text}");
        assert_eq!((fault.message.as_str(), fault.hint.as_deref()), (message, Some(hint)), "{text}");
    }
    let fault = refused("j * 2", &Schema::range());
    assert_eq!(fault.hint.as_deref(), Some("the element of a range is called `i`"));
    assert_eq!(refused("1 + 2 // (3 - 3)", &orders()).message, "division by zero");
}

#[test]
fn a_program_names_the_columns_it_reads() {
    let ast = Ast::parse("quantity * col(\"unit cost\")").expect("it is read");
    let program = Program::compile(&ast, &orders()).expect("it fits");
    assert_eq!(program.columns(), [1, 3]);
    assert_eq!((program.kind(), program.is_filtered()), (Kind::Float, false));
    let again = Program::compile(&Ast::parse(ast.text()).expect("it is read"), &orders()).expect("it fits");
    assert_eq!(again.columns(), program.columns());
}

fn first_error(text: &str, start: Integer, count: u64) -> Result<Integer, EvalError> {
    let program =
        Program::compile(&Ast::parse(text).expect("it is read"), &Schema::range()).expect("it fits");
    let mut evaluator = Evaluator::new(&program);
    let range = IndexRange::new(start, Integer::ONE, count);
    let mut total = Integer::ZERO;
    let mut offset = 0;
    while offset < count {
        match evaluator.run_range(&range, offset, LANES)?.values {
            Values::I64(values) => values.iter().for_each(|value| total += Integer::from(*value)),
            Values::I128(values) => values.iter().for_each(|value| total += Integer::from(*value)),
            Values::Big(values) => values.iter().for_each(|value| total += value),
            Values::Bool(values) => values.iter().for_each(|value| total += Integer::from(u8::from(*value))),
            Values::F64(_) => {}
        }
        offset += LANES as u64;
    }
    Ok(total)
}

#[test]
fn an_error_names_the_element_and_the_place() {
    for (text, start, index, place, message) in [
        ("10 // (i - 2500)", 0, 2500, "10 // (i - 2500)", "division by zero"),
        ("1 + 7 % (i - 5)", 0, 5, "7 % (i - 5)", "division by zero"),
        ("sqrt(3000 - i)", 0, 3001, "sqrt(3000 - i)", "the square root of a negative number"),
        ("ln(1500 - i)", 0, 1500, "ln(1500 - i)", "the logarithm of a number that is not positive"),
        ("2 ** (1100 - i)", 0, 1101, "2 ** (1100 - i)", "a negative exponent of an integer"),
        ("1 << (10 - i)", 0, 11, "1 << (10 - i)", "a shift by a negative count"),
        ("if(i < 4000, i, 1 // 0)", 0, 4000, "1 // 0", "division by zero"),
        ("int(1e308 * (i + 0.5))", 0, 2, "int(1e308 * (i + 0.5))", "infinity has no integer"),
        ("exp(i * 1.0)", 700, 710, "exp(i * 1.0)", "the exponential is too large for a float"),
    ] {
        let error = first_error(text, Integer::from(start), 5000).expect_err(text);
        let row = u64::try_from(index - start).expect("positive");
        assert_eq!((error.row, error.index.clone()), (row, Some(Integer::from(index))), "{text}");
        assert_eq!(&text[error.span.start..error.span.end], place, "{text}");
        assert_eq!((error.message.as_str(), error.in_filter), (message, false), "{text}");
        assert_eq!(error.to_string(), format!("{message} at i = {index}"));
    }
}

#[test]
fn what_is_not_wanted_is_no_error() {
    for (text, answer) in [
        ("if(i == 0, 0, 100 // i)", 481),
        ("if(i % 7 > 0 and 70 // (i % 7) > 20, 1, 0)", 43),
        ("int(i == 0 or 10 // i > 2)", 4),
        ("if(i < 10, 1 << (10 - i), 0)", 2046),
        ("if(i > 90, int(sqrt(i - 91)), 0)", 13),
        ("if(i < 3, i, if(i < 6, 60 // (i - 2), 0))", 113),
        ("int(0 < i < 100 // i)", 9),
    ] {
        assert_eq!(first_error(text, Integer::ZERO, 100), Ok(Integer::from(answer)), "{text}");
    }
}

#[test]
fn hostile_expressions_end_soon() {
    let too_large = "an integer of more than 1048576 bits";
    for text in
        ["9 ** 9 ** 9", "1 << 9999999999999", "10 ** 400000", "2 ** 2 ** 2 ** 2 ** 2 ** 2", "-(1 << 1048576)"]
    {
        assert_eq!(refused(text, &Schema::range()).message, too_large, "{text}");
    }
    for text in ["i ** 1000000000", "3 ** (i * 1000000)", "1 << (i * 1000000000)", "(i ** 60) ** 60 ** 3"] {
        assert_eq!(
            first_error(text, Integer::from(2), 3).map_err(|error| error.message),
            Err(too_large.to_owned()),
            "{text}"
        );
    }
    // Four hundred levels of squares are refused when they grow, and cost nothing when they do not.
    let tower = format!("{}i{}", "(".repeat(190), "**2)".repeat(190));
    assert_eq!(first_error(&tower, Integer::ZERO, 2), Ok(Integer::ONE));
    assert!(first_error(&tower, Integer::ZERO, 3).is_err());
    let modulo = format!("{tower} % 7");
    assert_eq!(first_error(&modulo, Integer::ZERO, 7), Ok(Integer::from(14)));
    let powers = format!("{}i{}", "(".repeat(60), "**64)".repeat(60));
    assert_eq!(first_error(&powers, Integer::ZERO, 2), Ok(Integer::ONE));
    let list = format!("int(i in ({}))", "7,".repeat(9000));
    assert_eq!(first_error(&list, Integer::ZERO, 10), Ok(Integer::ONE));
}

#[test]
fn integers_grow_from_64_to_128_bits_and_beyond() {
    let start = (Integer::ONE << 63) - Integer::from(700);
    let plain: Integer = (0..2000).map(|at| (&start + at) * (&start + at) * (&start + at)).sum();
    assert_eq!(first_error("i ** 3", start.clone(), 2000), Ok(plain));
    let plain: Integer = (0..2000).map(|at| &start + at).sum();
    assert_eq!(first_error("i", start, 2000), Ok(plain));
}

#[test]
fn rows_are_filtered_by_text() {
    let (of, filter) = (
        Ast::parse("price * 2").expect("read"),
        Ast::parse("region in ('north', 'east') and quantity > 1").expect("read"),
    );
    let program = Program::compile_filtered(&of, &filter, &orders()).expect("it fits");
    let regions: [&[u8]; 5] = [b"north", b"south", b"east", b"north", b""];
    let (prices, quantities) = ([1.0, 2.0, 4.0, 8.0, 16.0], [2u8, 2, 2, 1, 2]);
    let columns = [
        Column::F64(&prices),
        Column::U8(&quantities),
        Column::Text(&regions),
        Column::Absent,
        Column::Absent,
    ];
    let mut evaluator = Evaluator::new(&program);
    let chunk = evaluator.run_columns(&columns, 5, 0).expect("answers");
    assert_eq!((chunk.values, chunk.rows), (Values::F64(&[2.0, 8.0]), Some(&[0u32, 2][..])));

    let filter = Ast::parse("sum").expect("read");
    assert!(matches!(Program::compile_filtered(&of, &filter, &orders()), Err(WhichFault::Where(_))));
    let filter = Ast::parse("quantity").expect("read");
    let fault = Program::compile_filtered(&of, &filter, &orders()).expect_err("no condition");
    assert!(matches!(fault, WhichFault::Where(fault) if fault.message.contains("must be a condition")));
}

#[test]
fn an_error_of_the_filter_says_so() {
    let (of, filter) =
        (Ast::parse("10 // i").expect("read"), Ast::parse("100 // (i - 3) > 0").expect("read"));
    let program = Program::compile_filtered(&of, &filter, &Schema::range()).expect("it fits");
    let mut evaluator = Evaluator::new(&program);
    let range = IndexRange::new(Integer::ONE, Integer::ONE, 10);
    let error = evaluator.run_range(&range, 0, LANES).expect_err("3 - 3 is 0");
    assert_eq!((error.index, error.in_filter), (Some(Integer::from(3)), true));
    assert_eq!(&filter.text()[error.span.start..error.span.end], "100 // (i - 3)");
    let range = IndexRange::new(Integer::from(-5), Integer::ONE, 8);
    // Element 0 is not selected, so its division is not wanted.
    assert!(evaluator.run_range(&range, 0, LANES).expect("answers").values.is_empty());
}

#[test]
fn columns_that_were_not_agreed_are_refused() {
    let program = Program::compile(&Ast::parse("quantity").expect("read"), &orders()).expect("it fits");
    let mut evaluator = Evaluator::new(&program);
    let three = Column::I64(&[1, 2, 3]);
    let absent = Column::Absent;
    assert!(evaluator.run_columns(&[absent, three], 3, 0).is_ok());
    for columns in
        [vec![], vec![three], vec![absent, Column::F64(&[1.0, 2.0, 3.0])], vec![absent, Column::I64(&[1])]]
    {
        assert!(evaluator.run_columns(&columns, 3, 0).is_err());
    }
}

/// Each step of a chain was once worked out twice: sixty of them took longer than anybody waits.
#[test]
fn chains_of_bitwise_operators_cost_no_more_than_their_length() {
    for step in ["&-i-1", "|(i>3)", " xor ((i>3)&i)"] {
        let text = format!("11{}", step.repeat(60));
        Program::compile(&Ast::parse(&text).expect("it is read"), &Schema::range()).expect("it fits");
    }
    let mut nested = "i".to_owned();
    for _ in 0..40 {
        nested = format!("(({nested} & 3) == 1) & i");
    }
    Program::compile(&Ast::parse(&nested).expect("it is read"), &Schema::range()).expect("it fits");
}
