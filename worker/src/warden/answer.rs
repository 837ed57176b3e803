//! What a command said of a partition, as a partial.
//!
//! Text from a user's program: whatever it is, it becomes a partial or a sentence that quotes it.

use std::collections::BTreeSet;

use tally_protocol::members::members;
use tally_reduce::{Answer, Integer, Partial, Reduction, Stated};

/// Characters of an answer that an error quotes.
const QUOTED_MAX: usize = 60;

/// What was asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// All of which a value is to be there.
    pub reductions: &'a [Reduction],
    /// How many elements are in the partition: what the values are of, where no count is said.
    pub elements: u64,
    /// Its number, which may be said again.
    pub partition: u64,
    /// The number of the attempt, too.
    pub attempt: u32,
}

/// The partial that a line says.
///
/// # Errors
/// A sentence about the command: "it answered 'x', which is no number".
pub fn read(line: &[u8], asked: Asked<'_>) -> Result<Partial, String> {
    let Ok(text) = std::str::from_utf8(line) else {
        return Err(format!("it answered '{}', which is no text", quoted(line)));
    };
    let text = text.trim();
    let stated =
        if text.starts_with('{') { object(text, asked) } else { number_alone(text, asked.reductions) };
    let stated = stated.map_err(|why| format!("it answered '{}', {why}", quoted(text.as_bytes())))?;
    Partial::stated(asked.reductions, &stated, asked.elements).ok_or_else(|| {
        format!("it answered '{}', which cannot all be of the same numbers", quoted(text.as_bytes()))
    })
}

/// The beginning of what a command wrote, on one line.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(QUOTED_MAX * 4)];
    let text = String::from_utf8_lossy(start);
    let mut shown = String::new();
    for one in text.chars().take(QUOTED_MAX) {
        // Quotes and backslashes are shown as they are: they move no cursor.
        if matches!(one, '"' | '\'' | '\\') { shown.push(one) } else { shown.extend(one.escape_debug()) }
    }
    if text.chars().count() > QUOTED_MAX || bytes.len() > start.len() {
        shown.push_str("...");
    }
    shown
}

fn number_alone(text: &str, reductions: &[Reduction]) -> Result<Stated, String> {
    let [reduction] = reductions else {
        let keys: Vec<_> = reductions.iter().map(|one| format!("\"{one}\"")).collect();
        return Err(format!("where an object with {} is to be", keys.join(", ")));
    };
    let which = |why| format!("which is {why}");
    let mut stated = Stated::default();
    match reduction {
        Reduction::Sum => stated.sum = Some(number(text).map_err(which)?),
        Reduction::Product => stated.product = Some(number(text).map_err(which)?),
        Reduction::Min => stated.least = Some(number(text).map_err(which)?),
        Reduction::Max => stated.greatest = Some(number(text).map_err(which)?),
        Reduction::Count => stated.count = Some(count(text).map_err(which)?),
        Reduction::Mean | Reduction::Variance | Reduction::Stddev => {
            return Err("where an object with \"sum\" and \"count\" is to be".to_owned());
        }
    }
    Ok(stated)
}

fn object(text: &str, asked: Asked<'_>) -> Result<Stated, String> {
    let keys = members(text).ok_or_else(|| "which is no JSON object".to_owned())?;
    let mut stated = Stated::default();
    let mut seen = BTreeSet::new();
    for (key, value) in &keys {
        if !seen.insert(key) {
            return Err(format!("in which \"{}\" is said twice", quoted(key.as_bytes())));
        }
        let value = value.get();
        let of = |why| format!("whose \"{key}\" is {why}");
        match key.as_str() {
            "sum" => stated.sum = Some(number(bare(value)).map_err(of)?),
            "product" => stated.product = Some(number(bare(value)).map_err(of)?),
            "min" | "max" if value == "null" => stated.none = true,
            "min" => stated.least = Some(number(bare(value)).map_err(of)?),
            "max" => stated.greatest = Some(number(bare(value)).map_err(of)?),
            "count" => stated.count = Some(count(bare(value)).map_err(of)?),
            "partition" if bare(value) == asked.partition.to_string() => {}
            "attempt" if bare(value) == asked.attempt.to_string() => {}
            "partition" | "attempt" => {
                return Err(format!(
                    "where it was asked for partition {}, attempt {}",
                    asked.partition, asked.attempt
                ));
            }
            _ => return Err(format!("in which nobody has asked for \"{}\"", quoted(key.as_bytes()))),
        }
    }
    for reduction in asked.reductions {
        let (sum, count) = (stated.sum.is_some(), stated.count.is_some());
        let (there, wanted) = match reduction {
            Reduction::Sum => (sum, "\"sum\""),
            Reduction::Product => (stated.product.is_some(), "\"product\""),
            Reduction::Min => (stated.least.is_some() || stated.none, "\"min\""),
            Reduction::Max => (stated.greatest.is_some() || stated.none, "\"max\""),
            Reduction::Count => (count, "\"count\""),
            Reduction::Mean | Reduction::Variance | Reduction::Stddev => {
                (sum && count, "\"sum\" and \"count\"")
            }
        };
        if !there {
            return Err(format!("without {wanted}"));
        }
    }
    if !asked.reductions.iter().any(|one| one.counts()) {
        stated.count = None;
    }
    Ok(stated)
}

/// A number of JSON, or the text of one.
fn bare(value: &str) -> &str {
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
}

fn number(text: &str) -> Result<Answer, String> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let value = Integer::from_str_radix(text.strip_prefix('+').unwrap_or(text), 10);
        return value.map(Answer::Integer).map_err(|_| "no number".to_owned());
    }
    let value: f64 = text.parse().map_err(|_| "no number".to_owned())?;
    // Digits that became infinite, or nothing, are another number than was said.
    let mantissa = digits.split(['e', 'E']).next().unwrap_or("");
    if value.is_infinite() && mantissa.contains(|one: char| one.is_ascii_digit()) {
        return Err("too large for a float".to_owned());
    }
    if value == 0.0 && mantissa.contains(|one: char| matches!(one, '1'..='9')) {
        return Err("too small for a float".to_owned());
    }
    Ok(Answer::Float(value))
}

fn count(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "no count".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str, reductions: &[Reduction]) -> Result<Vec<String>, String> {
        let asked = Asked { reductions, elements: 10, partition: 3, attempt: 2 };
        let partial = read(text.as_bytes(), asked)?;
        let show =
            |answer: Result<Answer, _>| answer.map_or_else(|_| "none".to_owned(), |one| one.to_string());
        Ok(partial.finish(false).into_iter().map(|(_, answer)| show(answer)).collect())
    }

    fn sum(text: &str) -> String {
        said(text, &[Reduction::Sum]).map_or_else(|why| why, |answers| answers.join(" "))
    }

    #[test]
    fn numbers_are_of_any_size_and_kind() {
        let long = "123456789".repeat(50);
        assert_eq!(sum(&long), long);
        assert_eq!(sum(" -5\r"), "-5");
        assert_eq!(sum("+7"), "7");
        assert_eq!(sum("1.5e3"), "1500.0");
        assert_eq!(sum("nan"), "nan");
        assert_eq!(sum("-inf"), "-inf");
        assert_eq!(said("12", &[Reduction::Count]), Ok(vec!["12".to_owned()]));
    }

    #[test]
    fn anything_else_is_quoted() {
        assert_eq!(sum("hello"), "it answered 'hello', which is no number");
        assert_eq!(sum(""), "it answered '', which is no number");
        assert_eq!(sum("1\u{1b}[31m"), "it answered '1\\u{1b}[31m', which is no number");
        assert_eq!(sum("{1}"), "it answered '{1}', which is no JSON object");
        let long = sum(&"x".repeat(500));
        assert!(long.len() < 120 && long.contains("..."), "{long}");
        let asked = Asked { reductions: &[Reduction::Sum], elements: 1, partition: 0, attempt: 1 };
        assert!(read(b"\xff\xfe", asked).unwrap_err().ends_with("which is no text"));
        let why = said("-1", &[Reduction::Count]).unwrap_err();
        assert_eq!(why, "it answered '-1', which is no count");
        assert!(said("1", &[Reduction::Mean]).unwrap_err().contains("\"sum\" and \"count\""));
        assert!(said("1", &[Reduction::Sum, Reduction::Max]).unwrap_err().contains("\"sum\", \"max\""));
    }

    #[test]
    fn what_a_float_cannot_hold_is_said() {
        assert_eq!(sum("1e400"), "it answered '1e400', which is too large for a float");
        assert_eq!(sum("-1.5e999"), "it answered '-1.5e999', which is too large for a float");
        assert_eq!(sum("1e-400"), "it answered '1e-400', which is too small for a float");
        assert!(sum(r#"{"sum": 1e400}"#).ends_with("whose \"sum\" is too large for a float"));
        assert_eq!(
            ["inf", "-Infinity", "0.0", "0e5", "0e-999"].map(sum),
            ["inf", "-inf", "0.0", "0.0", "0.0"]
        );
        assert!(!sum("1e308").contains("answered") && !sum("5e-324").contains("answered"));
    }

    #[test]
    fn a_key_is_said_once() {
        let why = sum(r#"{"sum": 3, "sum": 4}"#);
        assert_eq!(why, r#"it answered '{"sum": 3, "sum": 4}', in which "sum" is said twice"#);
    }

    #[test]
    fn objects_have_a_key_for_each_reduction() {
        let ends = [Reduction::Sum, Reduction::Min, Reduction::Max];
        let all = r#"{"sum": 6, "min": 1.5, "max": "123456789012345678901234567890"}"#;
        // Where one element is a float, a sum is one.
        assert_eq!(said(all, &ends).unwrap(), ["6.0", "1.5", "123456789012345678901234567890"]);
        assert_eq!(said(r#"{"sum": 0, "min": null, "max": null}"#, &ends).unwrap(), ["0", "none", "none"]);
        assert_eq!(said(r#"{"sum": 9, "count": 4}"#, &[Reduction::Mean]).unwrap(), ["2.25"]);
        let why = |text: &str| said(text, &ends).unwrap_err();
        assert!(why(r#"{"sum": 6}"#).ends_with("without \"min\""));
        assert!(why(r#"{"sum": 6, "min": 1, "max": 2, "mxa": 3}"#).contains("nobody has asked for"));
        assert!(why(r#"{"sum": true, "min": 1, "max": 2}"#).contains("whose \"sum\" is no number"));
        assert!(why(r#"{"sum": 6, "min": null, "max": 2}"#).contains("cannot all be"));
    }

    #[test]
    fn an_echo_must_be_of_what_was_asked() {
        assert_eq!(sum(r#"{"sum": 6, "partition": 3, "attempt": 2}"#), "6");
        assert!(sum(r#"{"sum": 6, "partition": 4}"#).contains("it was asked for partition 3, attempt 2"));
    }
}
