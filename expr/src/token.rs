//! Text to tokens. Every token knows its place; nothing is skipped but spaces.

use tally_reduce::Integer;

use crate::fault::{Fault, Span};
use crate::limits::{INTEGER_BITS_MAX, TEXT_BYTES_MAX};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    Integer(Integer),
    Float(f64),
    Text(String),
    Name(String),
    /// An operator, a bracket or a comma.
    Sign(&'static str),
    End,
}

/// Longer signs first: the first that fits is taken.
const SIGNS: [&str; 22] = [
    "**", "//", "<<", ">>", "<=", ">=", "==", "!=", "+", "-", "*", "/", "%", "~", "<", ">", "&", "|", "(",
    ")", ",", ";",
];

/// What other languages write, and what is written here.
const FOREIGN: [(&str, &str); 9] = [
    ("%%", "write `%`"),
    ("&&", "write `and`"),
    ("||", "write `or`"),
    ("<>", "write `!=`"),
    ("===", "write `==`"),
    ("!==", "write `!=`"),
    ("^", "write `**` for a power, `xor` for exclusive or"),
    ("?", "write `if(condition, a, b)`"),
    ("!", "write `not`"),
];

/// The tokens of a text, the last of which is [`Token::End`].
pub(crate) fn tokens(text: &str) -> Result<Vec<(Token, Span)>, Fault> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("the expression is {} bytes long, more than {TEXT_BYTES_MAX}", text.len());
        return Err(Fault::new(Span::new(0, 0), message));
    }
    let mut found = Vec::new();
    let mut lexer = Lexer { text, at: 0 };
    loop {
        let (token, span) = lexer.next()?;
        let last = token == Token::End;
        found.push((token, span));
        if last {
            return Ok(found);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Takes characters while they fit.
    fn take(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !fits(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn next(&mut self) -> Result<(Token, Span), Fault> {
        self.take(char::is_whitespace);
        let start = self.at;
        let token = match self.peek() {
            None => Token::End,
            Some(c) if c.is_ascii_digit() => self.number()?,
            Some('.') if self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) => self.number()?,
            Some(quote @ ('"' | '\'')) => self.quoted(quote)?,
            Some(c) if begins_name(c) => Token::Name(self.take(continues_name).to_owned()),
            Some(c) => self.sign(c)?,
        };
        Ok((token, Span::new(start, self.at)))
    }

    fn sign(&mut self, c: char) -> Result<Token, Fault> {
        let rest = self.rest();
        let foreign = FOREIGN.iter().filter(|(sign, _)| rest.starts_with(sign) && !rest.starts_with("!="));
        let equals = rest.starts_with("===") || rest.starts_with("!==");
        let foreign = FOREIGN.iter().filter(|(sign, _)| equals && rest.starts_with(sign)).chain(foreign);
        if let Some((sign, hint)) = foreign.max_by_key(|(sign, _)| sign.len()) {
            let span = Span::new(self.at, self.at + sign.len());
            return Err(Fault::new(span, format!("`{sign}` is no operator here")).hint(*hint));
        }
        if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            self.at += sign.len();
            return Ok(Token::Sign(sign));
        }
        let span = Span::new(self.at, self.at + c.len_utf8());
        Err(match c {
            '=' => Fault::new(span, "`=` is no operator here").hint("write `==` to compare"),
            '`' | '[' | ']' | '{' | '}' | '$' | '@' | '#' | '\\' | ':' | '.' => {
                Fault::new(span, format!("unexpected `{c}`"))
                    .hint("a column with an odd name is written col(\"its name\")")
            }
            '“' | '”' | '„' | '‘' | '’' => {
                Fault::new(span, format!("unexpected `{c}`")).hint("write straight quotes")
            }
            '×' => Fault::new(span, "`×` is no operator here").hint("write `*`"),
            '−' | '–' => Fault::new(span, format!("`{c}` is no operator here")).hint("write `-`"),
            '≤' | '≥' | '≠' => {
                Fault::new(span, format!("`{c}` is no operator here")).hint("write `<=`, `>=` or `!=`")
            }
            _ if c.is_control() => Fault::new(span, format!("unexpected character {}", c.escape_unicode())),
            _ => Fault::new(span, format!("unexpected `{c}`")),
        })
    }

    fn number(&mut self) -> Result<Token, Fault> {
        let start = self.at;
        let rest = self.rest();
        let radix = match rest.get(..2) {
            Some("0x" | "0X") => 16,
            Some("0o" | "0O") => 8,
            Some("0b" | "0B") => 2,
            _ => 10,
        };
        if radix != 10 {
            self.at += 2;
            let digits = self.take(|c| c.is_ascii_alphanumeric() || c == '_');
            let digits = checked_digits(digits, start + 2, true)?;
            let span = Span::new(start, self.at);
            let parsed = Integer::from_str_radix(&digits, radix);
            let integer = parsed.map_err(|_| Fault::new(span, format!("not a number of base {radix}")))?;
            return limited(integer, span).map(Token::Integer);
        }
        let whole = self.take(|c| c.is_ascii_digit() || c == '_');
        let mut float = false;
        let mut text = if whole.is_empty() { String::new() } else { checked_digits(whole, start, false)? };
        // `1..2` is a range, not a number: the second dot is an error of its own.
        if self.rest().starts_with('.') && !self.rest().starts_with("..") {
            float = true;
            self.at += 1;
            let from = self.at;
            let fraction = self.take(|c| c.is_ascii_digit() || c == '_');
            text.push('.');
            if !fraction.is_empty() {
                text.push_str(&checked_digits(fraction, from, false)?);
            }
        }
        if self.rest().starts_with(['e', 'E']) {
            let after = self.rest()[1..].trim_start_matches(['+', '-']);
            if self.rest().len() - after.len() <= 2 && after.starts_with(|c: char| c.is_ascii_digit()) {
                float = true;
                let sign = self.rest()[1..].len() - after.len();
                text.push('e');
                text.push_str(&self.rest()[1..1 + sign]);
                self.at += 1 + sign;
                let from = self.at;
                let exponent = self.take(|c| c.is_ascii_digit() || c == '_');
                text.push_str(&checked_digits(exponent, from, false)?);
            }
        }
        let span = Span::new(start, self.at);
        if self.peek().is_some_and(continues_name) {
            let number = self.text[start..self.at].to_owned();
            let name_at = self.at;
            let name = self.take(continues_name);
            let fault = Fault::new(Span::new(start, self.at), format!("`{number}` runs into `{name}`"));
            return Err(fault
                .hint(format!("write `{number} * {name}`, or a space before a word"))
                .at(name_at));
        }
        if float {
            let value = text.parse::<f64>().map_err(|_| Fault::new(span, "not a number"))?;
            if value.is_infinite() {
                let fault = Fault::new(span, "a number beyond the range of floats");
                return Err(
                    fault.hint("the greatest is about 1.8e308; integers have no bound: write 10 ** 400")
                );
            }
            return Ok(Token::Float(value));
        }
        if text.len() > 1 && text.starts_with('0') && text.bytes().any(|c| c != b'0') {
            let plain = text.trim_start_matches('0');
            let fault = Fault::new(span, "a number does not begin with zeros");
            return Err(fault.hint(format!("write `{plain}`, or `0o{plain}` for base 8")));
        }
        // Four bits a digit bound the work before it is done.
        if text.len() > INTEGER_BITS_MAX {
            return Err(too_large(span));
        }
        let integer = Integer::from_str_radix(&text, 10).map_err(|_| Fault::new(span, "not a number"))?;
        limited(integer, span).map(Token::Integer)
    }

    fn quoted(&mut self, quote: char) -> Result<Token, Fault> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            let at = self.at;
            let Some(c) = self.peek() else {
                let fault = Fault::new(Span::new(start, self.text.len()), "the text has no closing quote");
                return Err(fault.hint(format!("close it with {quote}")));
            };
            self.at += c.len_utf8();
            if c == quote {
                return Ok(Token::Text(text));
            }
            if c != '\\' {
                text.push(c);
                continue;
            }
            let escaped = self.peek();
            self.at += escaped.map_or(0, char::len_utf8);
            match escaped {
                Some(c @ ('\\' | '"' | '\'')) => text.push(c),
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some('r') => text.push('\r'),
                _ => {
                    let fault = Fault::new(Span::new(at, self.at), "unknown escape in a text");
                    return Err(
                        fault.hint("write `\\\\` for a backslash; \\n, \\t, \\r and quotes are known")
                    );
                }
            }
        }
    }
}

impl Fault {
    /// Moves the start of the place.
    fn at(mut self, start: usize) -> Self {
        self.span.start = start;
        self
    }
}

pub(crate) fn begins_name(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

fn continues_name(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
        // Marks that combine with the letter before them are part of a name.
        || ('\u{300}'..='\u{36f}').contains(&c)
}

/// Digits without their underscores, each of which must stand between two digits.
fn checked_digits(digits: &str, at: usize, leading: bool) -> Result<String, Fault> {
    let wrong = (!leading && digits.starts_with('_')) || digits.ends_with('_') || digits.contains("__");
    if wrong || digits.is_empty() {
        let span = Span::new(at, at + digits.len().max(1));
        let message =
            if digits.is_empty() { "digits are missing" } else { "an underscore stands between two digits" };
        return Err(Fault::new(span, message));
    }
    Ok(digits.replace('_', ""))
}

fn limited(integer: Integer, span: Span) -> Result<Integer, Fault> {
    if crate::parse::bits(&integer) > INTEGER_BITS_MAX { Err(too_large(span)) } else { Ok(integer) }
}

fn too_large(span: Span) -> Fault {
    Fault::new(span, format!("an integer of more than {INTEGER_BITS_MAX} bits"))
}
