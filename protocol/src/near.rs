//! Near words, for "did you mean". Words only; what is worth suggesting is the caller's to say.
//!
//! A swap of neighbours counts as one mistake. Words of up to four letters may have one, longer ones two.

/// Letters of a word that are looked at; what is longer is no slip of a finger.
const LETTERS_MAX: usize = 64;

/// Those of `known` that `word` may have been meant as, with the number of mistakes, the nearest first.
#[must_use]
pub fn nearest<'k>(word: &str, known: &[&'k str]) -> Vec<(usize, &'k str)> {
    let lower = word.to_lowercase();
    let letters = |text: &str| text.trim_start_matches('-').chars().count();
    let most = if letters(&lower) <= 4 { 1 } else { 2 };
    let near = known.iter().filter_map(|&one| {
        // Of a very short word one mistake leaves nothing to recognise.
        let distance = distance(&lower, one);
        (distance <= most && letters(one) > distance).then_some((distance, one))
    });
    let mut found: Vec<_> = near.collect();
    found.sort_by_key(|(distance, _)| *distance);
    found
}

/// Insertions, deletions, replacements and swaps of neighbours that lead from one to the other, each letter
/// touched once.
#[must_use]
pub fn distance(from: &str, to: &str) -> usize {
    let letters = |text: &str| text.chars().take(LETTERS_MAX).collect::<Vec<_>>();
    let (from, to) = (letters(from), letters(to));
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for i in 1..=from.len() {
        let mut row = vec![i; to.len() + 1];
        for j in 1..=to.len() {
            let other = usize::from(from[i - 1] != to[j - 1]);
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + other);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swap_is_one_mistake() {
        assert_eq!(distance("smu", "sum"), 1);
        assert_eq!(distance("--wrokers", "--workers"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("ca", "abc"), 3);
    }

    #[test]
    fn the_nearest_comes_first_and_far_words_do_not() {
        assert_eq!(nearest("retires", &["retries", "lease_ms"]), [(1, "retries")]);
        assert_eq!(nearest("staart", &["start_ms", "start"]), [(1, "start")]);
        assert!(nearest("zebra", &["retries", "log"]).is_empty());
        assert!(nearest("x", &["a"]).is_empty());
    }
}
