//! Powers in whatever numbers can be multiplied.

/// `base` to the `exponent`, by squares.
pub(crate) fn power(base: u64, mut exponent: u64, times: impl Fn(u64, u64) -> u64) -> u64 {
    let (mut square, mut result) = (base, 1);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = times(result, square);
        }
        square = times(square, square);
        exponent >>= 1;
    }
    result
}
