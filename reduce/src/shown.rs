//! Numbers for people: thousands set apart. Answers for programs never pass through here.

/// Thousands set apart by commas: `4,999,999,950,000,000`. A sign, a fraction and an exponent stay as they are;
/// what does not begin with digits is returned unchanged.
#[must_use]
pub fn grouped(text: &str) -> String {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let whole = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, tail) = rest.split_at(whole);
    let mut out = String::with_capacity(text.len() + whole / 3);
    out.push_str(sign);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (whole - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out.push_str(tail);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_from_the_right() {
        for (text, shown) in [
            ("0", "0"),
            ("999", "999"),
            ("1000", "1,000"),
            ("4999999950000000", "4,999,999,950,000,000"),
            ("-123456", "-123,456"),
            ("-123", "-123"),
            ("1234.5678", "1,234.5678"),
            ("1e+300", "1e+300"),
            ("inf", "inf"),
            ("", ""),
        ] {
            assert_eq!(grouped(text), shown);
        }
    }
}
