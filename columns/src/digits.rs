//! Runs of decimal digits, eight at a time.
//!
//! A run is read from the eight bytes that *end* with it, so that a run of any length needs no loop; bytes before it
//! are masked away. The bytes around a run must be there: at the very start of a window a plain loop takes over.

/// The most digits that always fit 64 bits.
pub(crate) const DIGITS_MAX: usize = 19;

const ZEROS: u64 = 0x3030_3030_3030_3030;

/// The number written by the digits `bytes[start..end]`; no digits are zero. `None` if one is no digit, or if there
/// are more than [`DIGITS_MAX`].
#[inline(always)]
pub(crate) fn number(bytes: &[u8], start: usize, end: usize) -> Option<u64> {
    let length = end - start;
    if length <= 8 {
        return match bytes.get(..end)?.last_chunk() {
            Some(chunk) => word(masked(chunk, length)),
            None => plain(&bytes[start..end]),
        };
    }
    if length > DIGITS_MAX {
        return None;
    }
    // Always three words, so that lengths that change from cell to cell are no surprise to the processor.
    let Some(chunk) = bytes.get(..end)?.last_chunk::<24>() else { return plain(&bytes[start..end]) };
    let ([high, rest @ ..], length) = (halves(chunk), length - 8);
    let high = word(masked(&high, length.saturating_sub(8)))?;
    let middle = word(masked(&rest[0], length.min(8)))?;
    let low = word(u64::from_le_bytes(rest[1]))?;
    Some((high * 100_000_000 + middle) * 100_000_000 + low)
}

#[inline(always)]
fn halves(chunk: &[u8; 24]) -> [[u8; 8]; 3] {
    bytemuck::cast(*chunk)
}

/// The last `length` bytes, at most eight, after as many zeros as are missing.
#[inline(always)]
pub(crate) fn masked(chunk: &[u8; 8], length: usize) -> u64 {
    let mask = MASKS[length.min(8)];
    u64::from_le_bytes(*chunk) & mask | ZEROS & !mask
}

/// For each number of digits, all ones where they are.
const MASKS: [u64; 9] = {
    let mut masks = [0; 9];
    let mut length = 1;
    while length <= 8 {
        masks[length] = u64::MAX << (64 - 8 * length);
        length += 1;
    }
    masks
};

/// Eight digits, the first in the lowest byte: pairs, then fours, then all.
#[inline(always)]
pub(crate) fn word(text: u64) -> Option<u64> {
    const HIGH: u64 = 0xf0f0_f0f0_f0f0_f0f0;
    let above_nine = text.wrapping_add(0x0606_0606_0606_0606) & HIGH;
    if (text & HIGH) | (above_nine >> 4) != 0x3333_3333_3333_3333 {
        return None;
    }
    let digits = text - ZEROS;
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let low = (pairs & 0x0000_00ff_0000_00ff).wrapping_mul(0x000f_4240_0000_0064);
    let high = ((pairs >> 16) & 0x0000_00ff_0000_00ff).wrapping_mul(0x0000_2710_0000_0001);
    Some(low.wrapping_add(high) >> 32)
}

#[cold]
fn plain(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |sum, byte| Some(sum * 10 + u64::from(char::from(*byte).to_digit(10)?)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_run_anywhere(before in "[0-9a-z,]{0,20}", digits in "[0-9]{0,21}", after in "[0-9,]{0,9}") {
            let text = format!("{before}{digits}{after}");
            let found = number(text.as_bytes(), before.len(), before.len() + digits.len());
            let expected = match digits.len() {
                0 => Some(0),
                1..=19 => digits.parse().ok(),
                _ => None,
            };
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn no_other_byte_is_a_digit(before in "[0-9]{0,9}", run in proptest::collection::vec(any::<u8>(), 1..20)) {
            let mut text = before.clone().into_bytes();
            text.extend(&run);
            let found = number(&text, before.len(), text.len());
            prop_assert_eq!(found.is_some(), run.iter().all(u8::is_ascii_digit), "{:?}", run);
        }

        #[test]
        fn one_wrong_byte_is_found(digits in "[0-9]{1,19}", at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut text = digits.into_bytes();
            let at = at.index(text.len());
            text[at] = byte;
            prop_assert_eq!(number(&text, 0, text.len()).is_some(), byte.is_ascii_digit());
        }
    }
}
