//! `--decimal`: the same language over decimal numbers, exactly. No float is ever made.
//!
//! A number is an integer and a scale: 1.25 is 125 with scale 2. Sums and products of such numbers are such numbers;
//! quotients are not, so division is refused rather than rounded.

use std::cmp::Ordering;
use std::fmt;

use tally_reduce::Integer;

use crate::ast::{Ast, Binary, Comparison, Node, Tree, Unary};
use crate::fault::{Fault, Span};
use crate::limits::INTEGER_BITS_MAX;
use crate::lower::{text_as_answer, without_quotes};
use crate::parse::bits;
use crate::schema::Schema;
use crate::value::Kind;
use crate::words::{Function, nearest};

/// Digits after the point that a decimal may have.
const SCALE_MAX: u32 = 10_000;

/// `digits / 10^scale`, exactly. Equal numbers may have different scales, as 1.5 and 1.50 do.
#[derive(Clone, Debug)]
pub struct Decimal {
    digits: Integer,
    scale: u32,
}

impl Decimal {
    /// An integer and the number of its digits that stand after the point.
    #[must_use]
    pub fn new(digits: Integer, scale: u32) -> Self {
        Self { digits, scale }
    }

    /// Reads `12`, `-0.50`, `+1.5e3`, `.5`. Nothing if it is no decimal number, or longer than any that is computed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match rest.find(['e', 'E']) {
            Some(at) => (&rest[..at], rest[at + 1..].parse::<i64>().ok()?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = [whole, fraction].concat();
        if all.is_empty()
            || !all.bytes().all(|byte| byte.is_ascii_digit())
            || all.len() > INTEGER_BITS_MAX / 4
        {
            return None;
        }
        let digits = Integer::from_str_radix(&all, 10).ok()?;
        let digits = if negative { -digits } else { digits };
        let scale = i64::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        if scale.unsigned_abs() > SCALE_MAX.into() {
            return None;
        }
        Some(match u32::try_from(scale) {
            Ok(scale) => Self { digits, scale },
            Err(_) => {
                Self { digits: digits * power_of_ten(u32::try_from(scale.unsigned_abs()).ok()?), scale: 0 }
            }
        })
    }

    /// The integer in front of the scale.
    #[must_use]
    pub fn digits(&self) -> &Integer {
        &self.digits
    }

    /// How many digits stand after the point.
    #[must_use]
    pub fn scale(&self) -> u32 {
        self.scale
    }

    /// Both with the larger of the two scales.
    fn aligned(a: &Self, b: &Self) -> (Integer, Integer, u32) {
        let scale = a.scale.max(b.scale);
        let at = |decimal: &Self| {
            if decimal.scale == scale {
                decimal.digits.clone()
            } else {
                &decimal.digits * power_of_ten(scale - decimal.scale)
            }
        };
        (at(a), at(b), scale)
    }

    fn compared(a: &Self, b: &Self) -> Ordering {
        let (a, b, _) = Self::aligned(a, b);
        a.cmp(&b)
    }

    /// Without the digits after the point.
    fn whole(&self, function: Function) -> Self {
        if self.scale == 0 {
            return self.clone();
        }
        let one = power_of_ten(self.scale);
        let (quotient, rest) = (&self.digits / &one, &self.digits % &one);
        let (down, up) = (&quotient - Integer::ONE, &quotient + Integer::ONE);
        let digits = match (function, rest.cmp(&Integer::ZERO)) {
            (_, Ordering::Equal) | (Function::Int, _) => quotient,
            (Function::Floor, Ordering::Less) => down,
            (Function::Ceil, Ordering::Greater) => up,
            (Function::Floor | Function::Ceil, _) => quotient,
            (_, sign) => {
                let twice: Integer = if sign.is_lt() { -rest * 2 } else { rest * 2 };
                let odd = &quotient & Integer::ONE != Integer::ZERO;
                match (twice.cmp(&one), sign) {
                    (Ordering::Less, _) => quotient,
                    (Ordering::Equal, _) if !odd => quotient,
                    (_, Ordering::Less) => down,
                    _ => up,
                }
            }
        };
        Self { digits, scale: 0 }
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        Self::compared(self, other).is_eq()
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scale == 0 {
            return write!(f, "{}", self.digits);
        }
        let negative = self.digits < Integer::ZERO;
        let text = if negative { (-&self.digits).to_string() } else { self.digits.to_string() };
        let scale = usize::try_from(self.scale).map_err(|_| fmt::Error)?;
        let text = format!("{text:0>width$}", width = scale + 1);
        let (whole, fraction) = text.split_at(text.len() - scale);
        write!(f, "{}{whole}.{fraction}", if negative { "-" } else { "" })
    }
}

fn power_of_ten(exponent: u32) -> Integer {
    Integer::from(10).pow(usize::try_from(exponent).unwrap_or(usize::MAX))
}

/// One cell of a row.
#[derive(Clone, Copy, Debug)]
pub enum DecimalCell<'a> {
    /// A number.
    Number(&'a Decimal),
    /// A text.
    Text(&'a [u8]),
    /// Not read by the program.
    Absent,
    /// It has no value: whoever wants it has no answer.
    Valueless,
}

/// What an expression makes of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum DecimalValue {
    /// A number.
    Number(Decimal),
    /// A condition.
    Bool(bool),
}

/// Why a row has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoDecimal {
    /// A lowercase fragment.
    pub message: String,
    /// Where in the expression.
    pub span: Span,
    /// The position in the schema of a column whose cell was wanted and has no value; nothing else is wrong then.
    pub valueless: Option<usize>,
}

/// An expression over decimal numbers.
#[derive(Clone, Debug)]
pub struct DecimalProgram {
    root: Part,
    kind: Kind,
}

/// The tree with its names resolved and its kinds checked.
#[derive(Clone, Debug)]
enum Part {
    Column(usize),
    Number(Decimal),
    Text(Box<[u8]>),
    Bool(bool),
    Neg(Box<Self>),
    Not(Box<Self>),
    Add(Box<Self>, Box<Self>, Span),
    Sub(Box<Self>, Box<Self>, Span),
    Mul(Box<Self>, Box<Self>, Span),
    Power(Box<Self>, u32, Span),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Xor(Box<Self>, Box<Self>),
    Compare(Box<Self>, Vec<(Comparison, Self)>),
    In(Box<Self>, Vec<Self>, bool),
    If(Box<[Self; 3]>),
    Extreme(Function, Vec<Self>),
    Abs(Box<Self>),
    Whole(Function, Box<Self>),
    FromBool(Box<Self>),
}

/// A value on the way; texts are borrowed.
enum Held<'a> {
    Number(Decimal),
    Bool(bool),
    Text(&'a [u8]),
}

impl DecimalProgram {
    /// Checks an expression. Integers and floats of the schema are both decimal numbers here.
    ///
    /// # Errors
    ///
    /// As [`crate::Program::compile`], and every operation whose answer is no decimal number.
    pub fn compile(ast: &Ast, schema: &Schema) -> Result<Self, Fault> {
        let checker = Checker { text: ast.text(), schema };
        let (root, kind) = checker.part(&ast.root)?;
        if kind == Kind::Text {
            return Err(text_as_answer(ast));
        }
        Ok(Self { root, kind })
    }

    /// [`Kind::Float`] for a number, [`Kind::Bool`] for a condition.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Evaluates one row, its cells in the order of the schema.
    ///
    /// # Errors
    ///
    /// A number that grows beyond every limit, or a cell that was not agreed: why, and where in the expression.
    pub fn run(&self, cells: &[DecimalCell<'_>]) -> Result<DecimalValue, NoDecimal> {
        match value(&self.root, cells)? {
            Held::Number(number) => Ok(DecimalValue::Number(number)),
            Held::Bool(bool) => Ok(DecimalValue::Bool(bool)),
            Held::Text(_) => Err(mistyped()),
        }
    }
}

struct Checker<'a> {
    text: &'a str,
    schema: &'a Schema,
}

impl Checker<'_> {
    fn part(&self, node: &Node) -> Result<(Part, Kind), Fault> {
        let span = node.span;
        Ok(match &node.tree {
            Tree::Integer(value) => (Part::Number(Decimal::new(value.clone(), 0)), Kind::Float),
            Tree::Float(_) => (Part::Number(self.literal(span)?), Kind::Float),
            Tree::Text(text) => (Part::Text(text.as_bytes().into()), Kind::Text),
            Tree::Bool(bool) => (Part::Bool(*bool), Kind::Bool),
            Tree::Name(name) | Tree::Column(name) => {
                let Some((column, kind)) = self.schema.find(name) else {
                    let fault = Fault::new(span, format!("no column `{name}`"));
                    return Err(match nearest(name, self.schema.names()) {
                        Some(meant) => fault.hint(format!("did you mean `{meant}`?")),
                        None => fault,
                    });
                };
                (Part::Column(column), if kind == Kind::Integer { Kind::Float } else { kind })
            }
            Tree::Unary(Unary::Not, a) => (Part::Not(self.condition(a, "not")?), Kind::Bool),
            Tree::Unary(Unary::Plus, a) => (*self.number(a, "+")?, Kind::Float),
            Tree::Unary(Unary::Minus, a) => (Part::Neg(self.number(a, "-")?), Kind::Float),
            Tree::Unary(Unary::Invert, _) => return Err(refused(span, "~")),
            Tree::Binary(operator, a, b) => self.binary(*operator, a, b, span)?,
            Tree::Compare(first, rest) => {
                // A text beside any written text: nothing else can be compared with one.
                let is_text = |node: &Node| matches!(node.tree, Tree::Text(_));
                let texts = is_text(first) || rest.iter().any(|(_, node)| is_text(node));
                let operand = |node: &Node| if texts { self.text(node) } else { self.part(node) };
                let (part, kind) = operand(first)?;
                let mut parts = Vec::new();
                for (comparison, right) in rest {
                    let (part, other) = operand(right)?;
                    if (kind == Kind::Text) != (other == Kind::Text) {
                        return Err(Fault::new(
                            first.span.to(right.span),
                            "a text cannot be compared with a number",
                        ));
                    }
                    parts.push((*comparison, part));
                }
                (Part::Compare(Box::new(part), parts), Kind::Bool)
            }
            Tree::In { needle, items, negated } => {
                let texts = items.iter().all(|item| matches!(item.tree, Tree::Text(_)));
                let (part, kind) = if texts { self.text(needle)? } else { self.part(needle)? };
                let mut parts = Vec::new();
                for item in items {
                    let (part, other) = self.part(item)?;
                    if (kind == Kind::Text) != (other == Kind::Text) {
                        return Err(Fault::new(item.span, "a text cannot be compared with a number"));
                    }
                    parts.push(part);
                }
                (Part::In(Box::new(part), parts, *negated), Kind::Bool)
            }
            Tree::Call(Function::If, arguments) => {
                let [c, a, b] = &arguments[..] else {
                    return Err(Fault::new(span, "`if` takes 3 arguments"));
                };
                let c = self.condition(c, "if")?;
                let ((yes, first), (no, second)) = (self.part(a)?, self.part(b)?);
                if first == Kind::Bool && second == Kind::Bool {
                    return Ok((Part::If(Box::new([*c, yes, no])), Kind::Bool));
                }
                (Part::If(Box::new([*c, *self.number(a, "if")?, *self.number(b, "if")?])), Kind::Float)
            }
            Tree::Call(function, arguments) => self.call(*function, arguments, span)?,
        })
    }

    /// An operand of a comparison with a written text: of a column its text, whatever else it is.
    fn text(&self, node: &Node) -> Result<(Part, Kind), Fault> {
        let column = match &node.tree {
            Tree::Name(name) | Tree::Column(name) => self.schema.find_text(name),
            _ => None,
        };
        column.map_or_else(|| self.part(node), |column| Ok((Part::Column(column), Kind::Text)))
    }

    /// The literal as it is written, not as the float that is nearest to it.
    fn literal(&self, span: Span) -> Result<Decimal, Fault> {
        let text = self.text.get(span.start..span.end).unwrap_or("");
        let text = text.trim_matches(|c: char| c == '(' || c == ')' || c.is_whitespace()).replace('_', "");
        Decimal::parse(&text).ok_or_else(|| Fault::new(span, "the number has too many digits"))
    }

    fn number(&self, node: &Node, sign: &str) -> Result<Box<Part>, Fault> {
        let (part, kind) = self.part(node)?;
        match kind {
            Kind::Text => {
                let fault = Fault::new(node.span, format!("`{sign}` takes numbers, and this is a text"));
                Err(Fault { hint: without_quotes(node), ..fault })
            }
            Kind::Bool => Ok(Box::new(Part::FromBool(Box::new(part)))),
            Kind::Integer | Kind::Float => Ok(Box::new(part)),
        }
    }

    fn condition(&self, node: &Node, sign: &str) -> Result<Box<Part>, Fault> {
        let (part, kind) = self.part(node)?;
        if kind == Kind::Bool {
            return Ok(Box::new(part));
        }
        let what = if kind == Kind::Text { "a text" } else { "a number" };
        Err(Fault::new(node.span, format!("`{sign}` takes a condition, and this is {what}")))
    }

    fn binary(&self, operator: Binary, a: &Node, b: &Node, span: Span) -> Result<(Part, Kind), Fault> {
        let sign = operator.sign();
        Ok(match operator {
            Binary::And => (Part::And(self.condition(a, sign)?, self.condition(b, sign)?), Kind::Bool),
            Binary::Or => (Part::Or(self.condition(a, sign)?, self.condition(b, sign)?), Kind::Bool),
            Binary::Add => (Part::Add(self.number(a, sign)?, self.number(b, sign)?, span), Kind::Float),
            Binary::Sub => (Part::Sub(self.number(a, sign)?, self.number(b, sign)?, span), Kind::Float),
            Binary::Mul => (Part::Mul(self.number(a, sign)?, self.number(b, sign)?, span), Kind::Float),
            Binary::Pow => {
                let exponent =
                    if let Tree::Integer(exponent) = &b.tree { u32::try_from(exponent).ok() } else { None };
                let Some(exponent) = exponent else {
                    let fault =
                        Fault::new(b.span, "an exponent must be a small positive integer with --decimal");
                    return Err(fault.hint("other powers are not decimal numbers"));
                };
                (Part::Power(self.number(a, sign)?, exponent, span), Kind::Float)
            }
            Binary::Div | Binary::FloorDiv | Binary::Mod => {
                let fault = Fault::new(span, format!("`{sign}` is refused with --decimal"));
                return Err(
                    fault.hint("a quotient such as 1/3 is no decimal number; divide the answer instead")
                );
            }
            Binary::BitAnd | Binary::BitOr | Binary::BitXor => {
                let ((first, x), (second, y)) = (self.part(a)?, self.part(b)?);
                if (x, y) != (Kind::Bool, Kind::Bool) {
                    return Err(refused(span, sign));
                }
                let (first, second) = (Box::new(first), Box::new(second));
                let part = match operator {
                    Binary::BitAnd => Part::And(first, second),
                    Binary::BitOr => Part::Or(first, second),
                    _ => Part::Xor(first, second),
                };
                (part, Kind::Bool)
            }
            Binary::Shl | Binary::Shr => return Err(refused(span, sign)),
        })
    }

    fn call(&self, function: Function, arguments: &[Node], span: Span) -> Result<(Part, Kind), Fault> {
        let name = function.name();
        let Some(first) = arguments.first() else { return Err(Fault::new(span, "an argument is missing")) };
        Ok(match function {
            Function::Min | Function::Max => {
                let parts: Result<Vec<Part>, Fault> =
                    arguments.iter().map(|argument| self.number(argument, name).map(|part| *part)).collect();
                (Part::Extreme(function, parts?), Kind::Float)
            }
            Function::Abs => (Part::Abs(self.number(first, name)?), Kind::Float),
            Function::Int | Function::Floor | Function::Ceil | Function::Round => {
                (Part::Whole(function, self.number(first, name)?), Kind::Float)
            }
            _ => return Err(refused(span, name)),
        })
    }
}

fn refused(span: Span, sign: &str) -> Fault {
    let fault = Fault::new(span, format!("`{sign}` is refused with --decimal"));
    fault.hint("its answer is no decimal number; + - * and comparisons are exact")
}

fn mistyped() -> NoDecimal {
    NoDecimal { message: "a cell of the wrong kind".to_owned(), span: Span::default(), valueless: None }
}

fn checked(digits: Integer, scale: u32, span: Span) -> Result<Held<'static>, NoDecimal> {
    if bits(&digits) > INTEGER_BITS_MAX || scale > SCALE_MAX {
        let message = "a decimal number of too many digits".to_owned();
        return Err(NoDecimal { message, span, valueless: None });
    }
    Ok(Held::Number(Decimal { digits, scale }))
}

fn number(part: &Part, cells: &[DecimalCell<'_>]) -> Result<Decimal, NoDecimal> {
    if let Held::Number(number) = value(part, cells)? { Ok(number) } else { Err(mistyped()) }
}

fn holds(part: &Part, cells: &[DecimalCell<'_>]) -> Result<bool, NoDecimal> {
    if let Held::Bool(bool) = value(part, cells)? { Ok(bool) } else { Err(mistyped()) }
}

fn order(a: &Held<'_>, b: &Held<'_>) -> Result<Ordering, NoDecimal> {
    let of = |bool: &bool| Decimal::new(u8::from(*bool).into(), 0);
    Ok(match (a, b) {
        (Held::Number(a), Held::Number(b)) => Decimal::compared(a, b),
        (Held::Text(a), Held::Text(b)) => a.cmp(b),
        (Held::Bool(a), Held::Bool(b)) => a.cmp(b),
        (Held::Number(a), Held::Bool(b)) => Decimal::compared(a, &of(b)),
        (Held::Bool(a), Held::Number(b)) => Decimal::compared(&of(a), b),
        _ => return Err(mistyped()),
    })
}

/// Recursion is safe: a tree is never higher than the parser allows.
fn value<'a>(part: &'a Part, cells: &[DecimalCell<'a>]) -> Result<Held<'a>, NoDecimal> {
    Ok(match part {
        Part::Column(column) => match cells.get(*column) {
            Some(DecimalCell::Number(number)) => Held::Number((*number).clone()),
            Some(DecimalCell::Text(text)) => Held::Text(text),
            Some(DecimalCell::Valueless) => {
                let message = "a cell without a value".to_owned();
                return Err(NoDecimal { message, span: Span::default(), valueless: Some(*column) });
            }
            _ => return Err(mistyped()),
        },
        Part::Number(number) => Held::Number(number.clone()),
        Part::Text(text) => Held::Text(text),
        Part::Bool(bool) => Held::Bool(*bool),
        Part::Neg(a) => {
            let a = number(a, cells)?;
            Held::Number(Decimal { digits: -a.digits, scale: a.scale })
        }
        Part::Not(a) => Held::Bool(!holds(a, cells)?),
        Part::Add(a, b, span) => {
            let (a, b, scale) = Decimal::aligned(&number(a, cells)?, &number(b, cells)?);
            checked(a + b, scale, *span)?
        }
        Part::Sub(a, b, span) => {
            let (a, b, scale) = Decimal::aligned(&number(a, cells)?, &number(b, cells)?);
            checked(a - b, scale, *span)?
        }
        Part::Mul(a, b, span) => {
            let (a, b) = (number(a, cells)?, number(b, cells)?);
            checked(a.digits * b.digits, a.scale.saturating_add(b.scale), *span)?
        }
        Part::Power(a, exponent, span) => {
            let a = number(a, cells)?;
            let exponent_bits =
                bits(&a.digits).saturating_mul(usize::try_from(*exponent).unwrap_or(usize::MAX));
            if exponent_bits > 2 * INTEGER_BITS_MAX {
                let message = "a decimal number of too many digits".to_owned();
                return Err(NoDecimal { message, span: *span, valueless: None });
            }
            let digits = a.digits.pow(usize::try_from(*exponent).unwrap_or(usize::MAX));
            checked(digits, a.scale.saturating_mul(*exponent), *span)?
        }
        Part::And(a, b) => Held::Bool(holds(a, cells)? && holds(b, cells)?),
        Part::Or(a, b) => Held::Bool(holds(a, cells)? || holds(b, cells)?),
        Part::Xor(a, b) => Held::Bool(holds(a, cells)? != holds(b, cells)?),
        Part::Compare(first, rest) => {
            let mut left = value(first, cells)?;
            for (comparison, right) in rest {
                let right = value(right, cells)?;
                if !comparison.holds(order(&left, &right)?) {
                    return Ok(Held::Bool(false));
                }
                left = right;
            }
            Held::Bool(true)
        }
        Part::In(needle, items, negated) => {
            let needle = value(needle, cells)?;
            let mut found = false;
            for item in items {
                found |= order(&needle, &value(item, cells)?)?.is_eq();
            }
            Held::Bool(found != *negated)
        }
        Part::If(parts) => {
            let [c, a, b] = parts.as_ref();
            return value(if holds(c, cells)? { a } else { b }, cells);
        }
        Part::Extreme(function, parts) => {
            let mut best: Option<Decimal> = None;
            for part in parts {
                let next = number(part, cells)?;
                let better = best.as_ref().is_none_or(|best| {
                    let order = Decimal::compared(&next, best);
                    if *function == Function::Min { order.is_lt() } else { order.is_gt() }
                });
                if better {
                    best = Some(next);
                }
            }
            Held::Number(best.ok_or_else(mistyped)?)
        }
        Part::Abs(a) => {
            let a = number(a, cells)?;
            let digits = if a.digits < Integer::ZERO { -a.digits } else { a.digits };
            Held::Number(Decimal { digits, scale: a.scale })
        }
        Part::Whole(function, a) => Held::Number(number(a, cells)?.whole(*function)),
        Part::FromBool(a) => Held::Number(Decimal::new(u8::from(holds(a, cells)?).into(), 0)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(text: &str) -> Result<DecimalProgram, Fault> {
        let schema = Schema::columns([
            ("price".to_owned(), Kind::Float),
            ("count".to_owned(), Kind::Integer),
            ("region".to_owned(), Kind::Text),
        ]);
        DecimalProgram::compile(&Ast::parse(text).unwrap(), &schema)
    }

    fn run(text: &str, price: &str, count: &str) -> String {
        let (price, count) = (Decimal::parse(price).unwrap(), Decimal::parse(count).unwrap());
        let cells = [DecimalCell::Number(&price), DecimalCell::Number(&count), DecimalCell::Text(b"north")];
        match compile(text).unwrap().run(&cells).unwrap() {
            DecimalValue::Number(number) => number.to_string(),
            DecimalValue::Bool(bool) => bool.to_string(),
        }
    }

    #[test]
    fn decimal_text_is_read_and_written_exactly() {
        for (text, shown) in [
            ("12", "12"),
            ("-0.50", "-0.50"),
            ("+1.5e3", "1500"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1e-3", "0.001"),
            ("-0.001", "-0.001"),
            ("12345678901234567890123456789012345678.90", "12345678901234567890123456789012345678.90"),
        ] {
            assert_eq!(Decimal::parse(text).unwrap().to_string(), shown);
        }
        for text in ["", "-", ".", "1,5", "abc", "1e", "1e999999999", "0x1", "1_0", "--1", " 1"] {
            assert!(Decimal::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn sums_and_products_are_exact() {
        for (text, answer) in [
            ("price + 0.1", "0.3"),
            ("price * count", "0.6"),
            ("price * price * price", "0.008"),
            ("price * 1.19 - 0.0001", "0.2379"),
            ("-price - count", "-3.2"),
            ("price + price == 0.4", "true"),
            ("0.1 + 0.2 == 0.3", "true"),
            ("0.20 == price and 0 < price <= .2", "true"),
            ("price in (0.1, 0.2)", "true"),
            ("region not in ('north', 'south')", "false"),
            ("if(region == 'north', price, count)", "0.2"),
            ("min(price, count, 0.15)", "0.15"),
            ("max(price, count)", "3"),
            ("abs(price - count)", "2.8"),
            ("floor(price - 1)", "-1"),
            ("ceil(price)", "1"),
            ("round(2.5) + round(3.5) * 10 + round(-2.5) * 100", "-158"),
            ("int(-2.9)", "-2"),
            ("price ** 3", "0.008"),
            ("(price > 0) * count", "3"),
            ("1_000.5", "1000.5"),
            ("(price > 1) xor (count > 1)", "true"),
        ] {
            assert_eq!(run(text, "0.2", "3"), answer, "{text}");
        }
    }

    #[test]
    fn what_is_no_decimal_number_is_refused_with_the_reason() {
        for (text, message) in [
            ("price / 3", "`/` is refused with --decimal"),
            ("price // 3", "`//` is refused with --decimal"),
            ("price % 3", "`%` is refused with --decimal"),
            ("sqrt(price)", "`sqrt` is refused with --decimal"),
            ("price ** -1", "an exponent must be a small positive integer with --decimal"),
            ("price << 1", "`<<` is refused with --decimal"),
            ("pirce", "no column `pirce`"),
            ("price == 'a'", "a text cannot be compared with a number"),
            ("region", "the answer must be a number or a condition, and this is a text"),
            ("price and count", "`and` takes a condition, and this is a number"),
        ] {
            assert_eq!(compile(text).expect_err(text).message, message, "{text}");
        }
        assert!(compile("price / 3").unwrap_err().hint.unwrap().contains("no decimal number"));
        for text in ["'price'", "2 * 'price'"] {
            let hint = compile(text).unwrap_err().hint.unwrap();
            assert_eq!(hint, "a column stands without quotes: write `price`", "{text}");
        }
    }

    #[test]
    fn numbers_do_not_grow_without_bounds() {
        let program = compile("price ** 4000000000").unwrap();
        let price = Decimal::parse("12345.678").unwrap();
        let cells = [DecimalCell::Number(&price), DecimalCell::Absent, DecimalCell::Absent];
        assert!(program.run(&cells).unwrap_err().message.contains("too many digits"));
    }
}
