//! Texts that are written for 80 columns, for a terminal that has fewer: lines are broken between words, and what follows
//! keeps to the column in which the text of the line stood.

/// The least width for which that makes sense.
const COLUMNS_MIN: usize = 20;

/// The text in lines of at most so many characters, as far as its words are short enough.
pub(crate) fn to(text: &str, columns: usize) -> String {
    let columns = columns.max(COLUMNS_MIN);
    let mut out = String::new();
    for line in text.lines() {
        if line.chars().count() <= columns {
            out.push_str(line);
        } else {
            fold(line, columns, &mut out);
        }
        out.push('\n');
    }
    out
}

fn fold(line: &str, columns: usize, out: &mut String) {
    let indent = hanging(line, columns);
    let start = line.len() - line.trim_start().len();
    out.push_str(&line[..start]);
    let mut column = start;
    let mut gap = 0;
    for word in line[start..].split(' ') {
        let width = word.chars().count();
        if word.is_empty() {
            gap += 1;
        } else if column + gap + width > columns && column > start {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            out.push_str(word);
            column = indent + width;
            gap = 1;
        } else {
            out.push_str(&" ".repeat(gap));
            out.push_str(word);
            column += gap + width;
            gap = 1;
        }
    }
}

/// Where the lines that follow begin: under what stands behind the first gap of a line, if that leaves half of the width.
fn hanging(line: &str, columns: usize) -> usize {
    let start = line.len() - line.trim_start().len();
    let behind = line[start..].find("  ").map(|gap| {
        let rest = &line[start + gap..];
        line.chars().count() - rest.trim_start().chars().count()
    });
    behind.filter(|at| *at <= columns / 2).unwrap_or((start + 4).min(columns / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words() {
        let text = "Compute   sum product min max count mean variance stddev\n\nshort\n";
        let folded =
            "Compute   sum product min max\n          count mean variance\n          stddev\n\nshort\n";
        assert_eq!(to(text, 30), folded);
        assert_eq!(to(text, 80), text);
        assert_eq!(
            to("  a very long line without a gap in it\n", 20),
            "  a very long line\n      without a gap\n      in it\n"
        );
    }

    #[test]
    fn a_word_that_is_too_long_stands_alone() {
        assert_eq!(
            to("abcdefghijklmnopqrstuvwxyz and more words\n", 20),
            "abcdefghijklmnopqrstuvwxyz\n    and more words\n"
        );
    }
}
