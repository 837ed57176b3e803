//! Bars and small plots out of characters: blocks where the terminal can, ASCII where it cannot.

const SPARKS: [char; 9] =
    [' ', '\u{2581}', '\u{2582}', '\u{2583}', '\u{2584}', '\u{2585}', '\u{2586}', '\u{2587}', '\u{2588}'];
const ASCII_SPARKS: [char; 9] = [' ', '_', '.', ',', '-', '=', '+', '*', '#'];

/// A bar of so many columns, of which a part is done.
pub(crate) fn bar(done_per_mille: u64, width: usize, ascii: bool) -> String {
    let full = usize::try_from(done_per_mille.min(1_000)).unwrap_or(0) * width / 1_000;
    let (on, off) = if ascii { ('#', '.') } else { ('\u{2588}', '\u{2591}') };
    (0..width).map(|at| if at < full { on } else { off }).collect()
}

/// The last values as columns, the newest at the right, in so many rows, the upper ones first. The largest value that is
/// shown reaches the top; a value that is not nothing is always seen.
pub(crate) fn sparks(values: &[u64], width: usize, rows: usize, ascii: bool) -> Vec<String> {
    let shown = &values[values.len().saturating_sub(width)..];
    let most = shown.iter().copied().max().unwrap_or(0).max(1);
    let steps = 8 * rows as u64;
    let height = |value: u64| {
        let scaled = u128::from(value) * u128::from(steps) / u128::from(most);
        u64::try_from(scaled).unwrap_or(steps).max(u64::from(value > 0))
    };
    let glyphs = if ascii { ASCII_SPARKS } else { SPARKS };
    let line = |row: usize| {
        let below = 8 * (rows - 1 - row) as u64;
        let column =
            |value: &u64| glyphs[usize::try_from(height(*value).saturating_sub(below).min(8)).unwrap_or(8)];
        let blank = width - shown.len();
        (0..blank).map(|_| ' ').chain(shown.iter().map(column)).collect()
    };
    (0..rows).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_what_is_done() {
        assert_eq!(bar(0, 4, true), "....");
        assert_eq!(bar(499, 4, true), "#...");
        assert_eq!(bar(1_000, 4, false), "████");
        assert_eq!(bar(5_000, 2, true), "##");
        assert_eq!(bar(5, 0, true), "");
    }

    #[test]
    fn sparks_end_at_the_newest_value() {
        assert_eq!(sparks(&[0, 1, 50, 100], 6, 1, false), ["   ▁▄█"]);
        assert_eq!(sparks(&[9, 0, 100], 2, 1, true), [" #"]);
        assert_eq!(sparks(&[50, 100], 2, 2, false), [" █", "██"]);
        assert_eq!(sparks(&[], 3, 1, true), ["   "]);
        assert_eq!(sparks(&[u64::MAX, u64::MAX / 2], 2, 1, false), ["█▃"]);
    }
}
