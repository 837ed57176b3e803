//! Tokens to a tree, by operator precedence (Pratt). The precedence is Python's.
//!
//! Nesting is counted on the way down and on the way up, so neither `((((…` nor `1+1+1+…` can exhaust a stack.

use dashu_int::ops::BitTest;
use tally_reduce::Integer;

use crate::ast::{Ast, Binary, Comparison, Node, Tree, Unary};
use crate::fault::{Fault, Span};
use crate::limits::DEPTH_MAX;
use crate::token::{Token, tokens};
use crate::words::{Function, elsewhere, nearest};

/// Bits of the magnitude of an integer.
pub(crate) fn bits(integer: &Integer) -> usize {
    if *integer < Integer::ZERO { (-integer).bit_len() } else { integer.bit_len() }
}

/// How tightly operators bind, loosest first.
mod power {
    pub(super) const OR: u8 = 1;
    pub(super) const AND: u8 = 2;
    pub(super) const NOT: u8 = 3;
    pub(super) const COMPARE: u8 = 4;
    pub(super) const BIT_OR: u8 = 5;
    pub(super) const BIT_XOR: u8 = 6;
    pub(super) const BIT_AND: u8 = 7;
    pub(super) const SHIFT: u8 = 8;
    pub(super) const SUM: u8 = 9;
    pub(super) const PRODUCT: u8 = 10;
    pub(super) const SIGN: u8 = 11;
    pub(super) const POWER: u8 = 12;
}

impl Ast {
    /// Reads an expression.
    ///
    /// # Errors
    ///
    /// The first thing that cannot be read, with its place. Names of columns are not judged here.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let mut parser = Parser { tokens: tokens(text)?, next: 0, depth: 0 };
        if *parser.peek() == Token::End {
            let fault = Fault::new(Span::new(0, text.len()), "the expression is empty");
            return Err(fault.hint("write for example `i * i`"));
        }
        let root = parser.expression(0)?;
        if *parser.peek() != Token::End {
            return Err(parser.unexpected("an operator"));
        }
        Ok(Self { text: text.to_owned(), root })
    }
}

struct Parser {
    tokens: Vec<(Token, Span)>,
    next: usize,
    depth: usize,
}

/// A word that is part of the grammar and therefore no name.
fn reserved(name: &str) -> bool {
    matches!(name, "and" | "or" | "not" | "in" | "xor" | "if" | "true" | "false" | "True" | "False")
}

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.next].0
    }

    fn span(&self) -> Span {
        self.tokens[self.next].1
    }

    fn take(&mut self) -> (Token, Span) {
        let taken = self.tokens[self.next].clone();
        if self.next + 1 < self.tokens.len() {
            self.next += 1;
        }
        taken
    }

    fn at_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Token::Sign(found) if *found == sign)
    }

    fn at_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Name(found) if found == word)
    }

    fn unexpected(&self, wanted: &str) -> Fault {
        let span = self.span();
        match self.peek() {
            Token::End => Fault::new(span, format!("{wanted} is missing at the end")),
            Token::Sign(sign) => {
                let fault = Fault::new(span, format!("unexpected `{sign}`, {wanted} was expected"));
                if *sign == "," && self.is_decimal_comma() {
                    return fault.hint("a number has a point, as in 1.5");
                }
                fault
            }
            Token::Name(name) if name == "is" => {
                Fault::new(span, "unexpected `is`").hint("write `==` to compare")
            }
            Token::Name(name) if name == "if" => {
                Fault::new(span, "unexpected `if`").hint("write `if(condition, a, b)`")
            }
            Token::Name(name) => {
                let words = ["and", "or", "xor", "in", "not"];
                let fault = Fault::new(span, format!("unexpected `{name}`, {wanted} was expected"));
                let meant = nearest(name, words).filter(|_| wanted == "an operator");
                match meant.map(str::to_owned) {
                    Some(word) => fault.hint(format!("did you mean `{word}`?")),
                    None if name.eq_ignore_ascii_case("like") => {
                        fault.hint("texts are compared with `==` and `in`")
                    }
                    None => match self.name_in_words() {
                        Some(name) => {
                            fault.hint(format!("a column with an odd name is written col({name:?})"))
                        }
                        None => fault,
                    },
                }
            }
            Token::Text(_) => Fault::new(span, format!("unexpected text, {wanted} was expected")),
            Token::Integer(_) | Token::Float(_) => {
                Fault::new(span, format!("unexpected number, {wanted} was expected"))
            }
        }
    }

    fn token_before(&self) -> Option<&Token> {
        self.next.checked_sub(1).and_then(|at| self.tokens.get(at)).map(|(token, _)| token)
    }

    /// `1,5` where a comma has no meaning.
    fn is_decimal_comma(&self) -> bool {
        let after = self.tokens.get(self.next + 1).map(|(token, _)| token);
        matches!((self.token_before(), after), (Some(Token::Integer(_)), Some(Token::Integer(_))))
    }

    /// `odd name` at its second word: names with nothing between them may be one.
    fn name_in_words(&self) -> Option<String> {
        let Token::Name(first) = self.token_before()? else { return None };
        let name = |(token, _): &(Token, Span)| match token {
            Token::Name(name) if !reserved(name) => Some(name.clone()),
            _ => None,
        };
        let words: Vec<String> = self.tokens[self.next..].iter().map_while(name).collect();
        (!reserved(first) && !words.is_empty()).then(|| format!("{first} {}", words.join(" ")))
    }

    fn expect(&mut self, sign: &'static str, wanted: &str) -> Result<Span, Fault> {
        if self.at_sign(sign) { Ok(self.take().1) } else { Err(self.unexpected(wanted)) }
    }

    /// A tree of whatever binds at least as tightly as `least`.
    fn expression(&mut self, least: u8) -> Result<Node, Fault> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(too_deep(self.span()));
        }
        let result = self.operators(least);
        self.depth -= 1;
        result
    }

    fn operators(&mut self, least: u8) -> Result<Node, Fault> {
        let mut left = self.prefix()?;
        loop {
            let Some((operator, binds)) = self.infix() else { return Ok(left) };
            if binds < least {
                return Ok(left);
            }
            if binds == power::COMPARE {
                left = self.comparisons(left)?;
                continue;
            }
            self.take();
            // `**` groups to the right, and its right side may begin with a sign.
            let right = if binds == power::POWER {
                self.expression(power::SIGN)?
            } else {
                self.expression(binds + 1)?
            };
            left = binary(operator, left, right)?;
        }
    }

    fn infix(&self) -> Option<(Binary, u8)> {
        Some(match self.peek() {
            Token::Sign(sign) => match *sign {
                "+" => (Binary::Add, power::SUM),
                "-" => (Binary::Sub, power::SUM),
                "*" => (Binary::Mul, power::PRODUCT),
                "/" => (Binary::Div, power::PRODUCT),
                "//" => (Binary::FloorDiv, power::PRODUCT),
                "%" => (Binary::Mod, power::PRODUCT),
                "**" => (Binary::Pow, power::POWER),
                "&" => (Binary::BitAnd, power::BIT_AND),
                "|" => (Binary::BitOr, power::BIT_OR),
                "<<" => (Binary::Shl, power::SHIFT),
                ">>" => (Binary::Shr, power::SHIFT),
                "<" | "<=" | ">" | ">=" | "==" | "!=" => (Binary::And, power::COMPARE),
                _ => return None,
            },
            Token::Name(name) => match name.as_str() {
                "and" => (Binary::And, power::AND),
                "or" => (Binary::Or, power::OR),
                "xor" => (Binary::BitXor, power::BIT_XOR),
                "in" | "not" => (Binary::And, power::COMPARE),
                _ => return None,
            },
            _ => return None,
        })
    }

    fn comparisons(&mut self, first: Node) -> Result<Node, Fault> {
        if self.at_word("in") || self.at_word("not") {
            return self.membership(first);
        }
        let mut rest: Vec<(Comparison, Node)> = Vec::new();
        loop {
            let comparison = match self.peek() {
                Token::Sign("==") => Comparison::Eq,
                Token::Sign("!=") => Comparison::Ne,
                Token::Sign("<") => Comparison::Lt,
                Token::Sign("<=") => Comparison::Le,
                Token::Sign(">") => Comparison::Gt,
                Token::Sign(">=") => Comparison::Ge,
                _ => break,
            };
            self.take();
            rest.push((comparison, self.expression(power::BIT_OR)?));
        }
        if self.at_word("in") || self.at_word("not") {
            let fault = Fault::new(self.span(), "a comparison is not followed by `in`");
            return Err(fault.hint("put one of them in parentheses"));
        }
        let span = rest.iter().fold(first.span, |span, (_, node)| span.to(node.span));
        let height = rest.iter().map(|(_, node)| node.height).fold(first.height, usize::max) + rest.len();
        node(Tree::Compare(Box::new(first), rest), span, height)
    }

    /// `x in (a, b)` and `x not in (a, b)`.
    fn membership(&mut self, needle: Node) -> Result<Node, Fault> {
        let negated = self.at_word("not");
        self.take();
        if negated {
            if !self.at_word("in") {
                return Err(self.unexpected("`in`"));
            }
            self.take();
        }
        if !self.at_sign("(") {
            let fault = self.unexpected("a list in parentheses");
            return Err(fault.hint("write `name in (\"a\", \"b\")`"));
        }
        self.take();
        let (items, end) = self.list()?;
        if items.is_empty() {
            return Err(Fault::new(end, "the list after `in` is empty"));
        }
        if let Token::Sign("<" | "<=" | ">" | ">=" | "==" | "!=") = self.peek() {
            let fault = Fault::new(self.span(), "`in` is not followed by a comparison");
            return Err(fault.hint("put one of them in parentheses"));
        }
        let height = items.iter().map(|item| item.height).fold(needle.height, usize::max) + 1;
        let span = needle.span.to(end);
        node(Tree::In { needle: Box::new(needle), items, negated }, span, height)
    }

    /// What is between parentheses, after the opening one; a comma may follow the last.
    fn list(&mut self) -> Result<(Vec<Node>, Span), Fault> {
        let mut items = Vec::new();
        loop {
            if self.at_sign(")") {
                return Ok((items, self.take().1));
            }
            items.push(self.expression(0)?);
            if self.at_sign(",") {
                self.take();
            } else if !self.at_sign(")") {
                return Err(self.unexpected("`,` or `)`"));
            }
        }
    }

    fn prefix(&mut self) -> Result<Node, Fault> {
        let span = self.span();
        match self.peek() {
            Token::Integer(_) | Token::Float(_) | Token::Text(_) => {
                let tree = match self.take().0 {
                    Token::Integer(integer) => Tree::Integer(integer),
                    Token::Float(float) => Tree::Float(float),
                    Token::Text(text) => Tree::Text(text),
                    _ => return Err(Fault::new(span, "a value is missing")),
                };
                node(tree, span, 1)
            }
            Token::Sign("(") => {
                self.take();
                if self.at_sign(")") {
                    return Err(Fault::new(span.to(self.span()), "nothing is between the parentheses"));
                }
                let mut inner = self.expression(0)?;
                if self.at_sign(",") {
                    let fault = Fault::new(self.span(), "unexpected `,`");
                    return Err(fault.hint("lists stand only after `in`"));
                }
                if *self.peek() == Token::End {
                    return Err(Fault::new(span, "this parenthesis is not closed"));
                }
                inner.span = span.to(self.expect(")", "`)`")?);
                Ok(inner)
            }
            Token::Sign(sign @ ("-" | "+" | "~")) => {
                let operator = match *sign {
                    "-" => Unary::Minus,
                    "+" => Unary::Plus,
                    _ => Unary::Invert,
                };
                self.take();
                let operand = self.expression(power::SIGN)?;
                unary(operator, span, operand)
            }
            Token::Name(name) if name == "not" => {
                self.take();
                let operand = self.expression(power::NOT)?;
                unary(Unary::Not, span, operand)
            }
            Token::Name(_) => self.name(),
            _ => Err(self.unexpected("a value")),
        }
    }

    fn name(&mut self) -> Result<Node, Fault> {
        let (Token::Name(name), span) = self.take() else { return Err(self.unexpected("a name")) };
        match name.as_str() {
            "true" | "True" => return node(Tree::Bool(true), span, 1),
            "false" | "False" => return node(Tree::Bool(false), span, 1),
            _ => {}
        }
        if !self.at_sign("(") {
            if reserved(&name) {
                let fault = Fault::new(span, format!("unexpected `{name}`, a value was expected"));
                let hint = if name == "if" { Some("write `if(condition, a, b)`") } else { None };
                return Err(Fault { hint: hint.map(str::to_owned), ..fault });
            }
            return node(Tree::Name(name), span, 1);
        }
        if name == "col" {
            return self.column(span);
        }
        let Some(function) = Function::named(&name) else {
            return Err(unknown_function(&name, span));
        };
        let open = self.take().1;
        let (arguments, close) = self.list()?;
        let (fewest, most) = function.arity();
        if !(fewest..=most).contains(&arguments.len()) {
            let wanted = match (fewest, most) {
                (1, 1) => "one argument".to_owned(),
                (fewest, most) if fewest == most => format!("{fewest} arguments"),
                _ => format!("{fewest} or more arguments"),
            };
            let message = format!("`{name}` takes {wanted}, not {}", arguments.len());
            let fault = Fault::new(open.to(close), message);
            return Err(if name == "if" { fault.hint("write `if(condition, a, b)`") } else { fault });
        }
        let height = arguments.iter().map(|argument| argument.height).fold(0, usize::max) + 1;
        node(Tree::Call(function, arguments), span.to(close), height)
    }

    /// `col("odd name")`, after `col`.
    fn column(&mut self, span: Span) -> Result<Node, Fault> {
        self.take();
        let (Token::Text(name), _) = self.tokens[self.next].clone() else {
            return Err(self.unexpected("the name of a column in quotes"));
        };
        self.take();
        let close = self.expect(")", "`)`")?;
        node(Tree::Column(name), span.to(close), 1)
    }
}

fn unknown_function(name: &str, span: Span) -> Fault {
    let fault = Fault::new(span, format!("no function `{name}`"));
    if let Some(hint) = elsewhere(&name.to_lowercase()) {
        return fault.hint(hint);
    }
    let known = Function::ALL.iter().map(|(known, _)| *known);
    match nearest(name, known.clone().chain(["col", "in", "not"])) {
        Some(meant) => fault.hint(format!("did you mean `{meant}`?")),
        None => fault.hint(format!("there are {} and col", known.collect::<Vec<_>>().join(", "))),
    }
}

fn too_deep(span: Span) -> Fault {
    let fault = Fault::new(span, format!("the expression is nested more than {DEPTH_MAX} levels deep"));
    fault.hint("each operator of a chain counts as a level")
}

fn node(tree: Tree, span: Span, height: usize) -> Result<Node, Fault> {
    if height > DEPTH_MAX { Err(too_deep(span)) } else { Ok(Node { tree, span, height }) }
}

fn unary(operator: Unary, sign: Span, operand: Node) -> Result<Node, Fault> {
    let (span, height) = (sign.to(operand.span), operand.height + 1);
    node(Tree::Unary(operator, Box::new(operand)), span, height)
}

fn binary(operator: Binary, left: Node, right: Node) -> Result<Node, Fault> {
    let (span, height) = (left.span.to(right.span), left.height.max(right.height) + 1);
    node(Tree::Binary(operator, Box::new(left), Box::new(right)), span, height)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::TEXT_BYTES_MAX;

    /// The tree in prefix form, to show how operators were grouped.
    fn shown(node: &Node) -> String {
        match &node.tree {
            Tree::Integer(integer) => integer.to_string(),
            Tree::Float(float) => format!("{float:?}"),
            Tree::Text(text) => format!("{text:?}"),
            Tree::Bool(bool) => bool.to_string(),
            Tree::Name(name) => name.clone(),
            Tree::Column(name) => format!("col {name:?}"),
            Tree::Unary(operator, a) => format!("({} {})", operator.sign(), shown(a)),
            Tree::Binary(operator, a, b) => format!("({} {} {})", operator.sign(), shown(a), shown(b)),
            Tree::Compare(first, rest) => {
                let rest: String =
                    rest.iter().map(|(c, node)| format!(" {} {}", c.sign(), shown(node))).collect();
                format!("[{}{rest}]", shown(first))
            }
            Tree::In { needle, items, negated } => {
                let items: Vec<_> = items.iter().map(shown).collect();
                format!("({}in {} {})", if *negated { "not " } else { "" }, shown(needle), items.join(" "))
            }
            Tree::Call(function, arguments) => {
                let arguments: Vec<_> = arguments.iter().map(shown).collect();
                format!("{}({})", function.name(), arguments.join(" "))
            }
        }
    }

    #[test]
    fn operators_group_as_in_python() {
        for (text, tree) in [
            ("1 + 2 * 3", "(+ 1 (* 2 3))"),
            ("1 - 2 - 3", "(- (- 1 2) 3)"),
            ("2 ** 3 ** 2", "(** 2 (** 3 2))"),
            ("-2 ** 2", "(- (** 2 2))"),
            ("2 ** -1", "(** 2 (- 1))"),
            ("2 ** -1 ** 2", "(** 2 (- (** 1 2)))"),
            ("-x * y", "(* (- x) y)"),
            ("~a ** b", "(~ (** a b))"),
            ("a | b xor c & d << e + f", "(| a (xor b (& c (<< d (+ e f)))))"),
            ("a < b <= c", "[a < b <= c]"),
            ("a & 1 == 0", "[(& a 1) == 0]"),
            ("not a == b and c or d", "(or (and (not [a == b]) c) d)"),
            ("not not a", "(not (not a))"),
            ("x not in (1, 2,)", "(not in x 1 2)"),
            ("x + 1 in (1, 2) or y", "(or (in (+ x 1) 1 2) y)"),
            ("if(a, b, -c)", "if(a b (- c))"),
            ("col(\"odd name\") / 'it\\'s'", "(/ col \"odd name\" \"it's\")"),
            ("1_000 + 0xff + 0b101 + 0o17", "(+ (+ (+ 1000 255) 5) 15)"),
            ("1e9 + .5 + 5. + 1_0.2_5e-1_0", "(+ (+ (+ 1000000000.0 0.5) 5.0) 1.025e-9)"),
            ("min(a, b, c) // 7 % 3", "(% (// min(a b c) 7) 3)"),
            ("((1))", "1"),
            ("true and False", "(and true false)"),
            ("00", "0"),
            ("größe * 2", "(* größe 2)"),
        ] {
            let ast = Ast::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
            assert_eq!(shown(&ast.root), tree, "{text}");
        }
    }

    #[test]
    fn faults_point_at_the_character_and_say_what_to_write() {
        for (text, start, end, message, hint) in [
            ("i*i %% 7", 4, 6, "`%%` is no operator here", Some("write `%`")),
            ("", 0, 0, "the expression is empty", Some("write for example `i * i`")),
            ("1 +", 3, 3, "a value is missing at the end", None),
            ("(1 + 2", 0, 1, "this parenthesis is not closed", None),
            ("1 + 2)", 5, 6, "unexpected `)`, an operator was expected", None),
            ("a && b", 2, 4, "`&&` is no operator here", Some("write `and`")),
            ("a = b", 2, 3, "`=` is no operator here", Some("write `==` to compare")),
            ("!a", 0, 1, "`!` is no operator here", Some("write `not`")),
            (
                "2 ^ 3",
                2,
                3,
                "`^` is no operator here",
                Some("write `**` for a power, `xor` for exclusive or"),
            ),
            ("sqr(2)", 0, 3, "no function `sqr`", Some("did you mean `sqrt`?")),
            ("pow(2, 3)", 0, 3, "no function `pow`", Some("write `x ** y`")),
            ("sqrt(2, 3)", 4, 10, "`sqrt` takes one argument, not 2", None),
            ("min(1)", 3, 6, "`min` takes 2 or more arguments, not 1", None),
            ("3x", 1, 2, "`3` runs into `x`", Some("write `3 * x`, or a space before a word")),
            (
                "1e400",
                0,
                5,
                "a number beyond the range of floats",
                Some("the greatest is about 1.8e308; integers have no bound: write 10 ** 400"),
            ),
            ("007", 0, 3, "a number does not begin with zeros", Some("write `7`, or `0o7` for base 8")),
            ("1__0", 0, 4, "an underscore stands between two digits", None),
            (
                "x in 3",
                5,
                6,
                "unexpected number, a list in parentheses was expected",
                Some("write `name in (\"a\", \"b\")`"),
            ),
            ("x in ()", 6, 7, "the list after `in` is empty", None),
            ("'abc", 0, 4, "the text has no closing quote", Some("close it with '")),
            ("a adn b", 2, 5, "unexpected `adn`, an operator was expected", Some("did you mean `and`?")),
            (
                "1 + odd name of it * 2",
                8,
                12,
                "unexpected `name`, an operator was expected",
                Some("a column with an odd name is written col(\"odd name of it\")"),
            ),
            ("a and and", 6, 9, "unexpected `and`, a value was expected", None),
            (
                "1,5 * i",
                1,
                2,
                "unexpected `,`, an operator was expected",
                Some("a number has a point, as in 1.5"),
            ),
            ("i, 5", 1, 2, "unexpected `,`, an operator was expected", None),
            ("len(i)", 0, 3, "no function `len`", Some("`tally count` counts elements")),
            ("0x", 2, 3, "digits are missing", None),
            ("0b12", 0, 4, "not a number of base 2", None),
            ("a if b", 2, 4, "unexpected `if`", Some("write `if(condition, a, b)`")),
            ("(1, 2)", 2, 3, "unexpected `,`", Some("lists stand only after `in`")),
            (
                "x == 1 in (2)",
                7,
                9,
                "a comparison is not followed by `in`",
                Some("put one of them in parentheses"),
            ),
        ] {
            let fault = Ast::parse(text).expect_err(text);
            let found = (fault.span.start, fault.span.end, fault.message.as_str(), fault.hint.as_deref());
            assert_eq!(found, (start, end, message, hint), "{text}");
        }
    }

    #[test]
    fn the_place_is_drawn() {
        let fault = Ast::parse("i*i %% 7").unwrap_err();
        assert_eq!(fault.place("i*i %% 7"), "    i*i %% 7\n        ^^");
    }

    #[test]
    fn names_are_listed_once_in_order() {
        let ast = Ast::parse("b + col('x y') * a + b").unwrap();
        assert_eq!(ast.names(), ["b", "x y", "a"]);
    }

    #[test]
    fn hostile_text_ends_in_a_fault() {
        let deep = |text: String| {
            let fault = Ast::parse(&text).expect_err("too deep");
            assert!(fault.message.contains("nested") || fault.message.contains("bytes"), "{fault}");
        };
        deep("(".repeat(1 << 20));
        deep("(".repeat(TEXT_BYTES_MAX));
        deep("-".repeat(TEXT_BYTES_MAX));
        deep("not ".repeat(TEXT_BYTES_MAX / 4));
        deep(format!("1{}", "+1".repeat(TEXT_BYTES_MAX / 2 - 1)));
        deep(format!("1{}", "**1".repeat(TEXT_BYTES_MAX / 3 - 1)));
        deep(format!("1{}", "<1".repeat(TEXT_BYTES_MAX / 2 - 1)));
        deep("if(".repeat(TEXT_BYTES_MAX / 3));
        deep("abs(".repeat(TEXT_BYTES_MAX / 4));
        assert!(Ast::parse(&"9".repeat(TEXT_BYTES_MAX)).is_ok());
        assert!(Ast::parse(&format!("x in ({})", "1,".repeat(30_000))).is_ok());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
            if let Err(fault) = Ast::parse(&text) {
                proptest::prop_assert!(fault.place(&text).lines().count() >= 2);
            }
        }

        #[test]
        fn any_tokens_are_read_or_refused(words in proptest::collection::vec(
            proptest::sample::select(vec!["1", "x", "(", ")", "+", "-", "**", "in", "not", "and", ",", "if", "<", "min", "'a'", "1.5"]), 0..20)) {
            let text = words.join(" ");
            if let Err(fault) = Ast::parse(&text) {
                proptest::prop_assert!(fault.span.start <= text.len() && fault.span.end <= text.len().max(fault.span.start));
            }
        }
    }
}
