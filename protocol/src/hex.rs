//! Bytes as pairs of hexadecimal digits, for what is no text and stands in one.

use std::fmt::Write as _;

/// The digits of these bytes.
pub(crate) fn write(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // A string takes all.
        write!(text, "{byte:02x}").ok();
        text
    })
}

/// The bytes of these digits.
///
/// # Errors
/// They are none, or one has no other.
pub(crate) fn read(text: &str) -> Result<Vec<u8>, String> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes =
        pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect::<Option<_>>();
    bytes.filter(|_| rest.is_empty()).ok_or_else(|| "it is not hexadecimal".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(read(&write(&all)), Ok(all));
        assert_eq!(read("0A"), Ok(vec![10]));
        assert!(read("0").is_err() && read("0g").is_err() && read("+1").is_err());
    }
}
