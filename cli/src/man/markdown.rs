//! Documents in Markdown as parts of a manual page: headings, paragraphs, lists, tables, code.
//!
//! It reads what the embedded documents are written in, and no more of Markdown: a whole parser would be ten times as
//! large as all of them (docs/adr/0027-manual-in-the-program.md). A test holds it against one.

use super::roff::{Roff, bold, escaped, italic};

/// Where text goes.
#[derive(Default)]
struct Writer {
    /// Lines of the paragraph or the item so far.
    text: Vec<String>,
    /// Whether they are of a list.
    in_list: bool,
    /// The names of the columns, within a table.
    head: Option<Vec<String>>,
    /// Lines of code, within a fence.
    code: Option<String>,
    /// Lines of code that are only indented.
    indented: Option<String>,
}

/// Writes a document without its title into a page.
pub(super) fn write(document: &str, page: &mut Roff) {
    let mut writer = Writer::default();
    for line in document.lines() {
        writer.take(line, page);
    }
    writer.flush(page);
    writer.end_indented(page);
}

impl Writer {
    fn take(&mut self, line: &str, page: &mut Roff) {
        let bare = line.trim();
        if let Some(code) = &mut self.code {
            if bare == "```" {
                page.example(&self.code.take().unwrap_or_default());
            } else {
                code.push_str(line);
                code.push('\n');
            }
            return;
        }
        if self.text.is_empty() && line.starts_with("    ") {
            let indented = self.indented.get_or_insert_default();
            indented.push_str(&line[4..]);
            indented.push('\n');
            return;
        }
        self.end_indented(page);
        if bare.starts_with('|') {
            self.flush(page);
            self.row(bare, page);
            return;
        }
        self.head = None;
        if bare.starts_with("```") {
            self.flush(page);
            self.code = Some(String::new());
        } else if let Some((level, title)) = heading(line) {
            self.flush(page);
            let title = plain(&inline(title));
            match level {
                // The title is the page's name.
                1 => {}
                2 => page.section(&title),
                _ => page.subsection(&title),
            }
        } else if bare.is_empty() {
            self.flush(page);
        } else if let Some(text) = item(bare) {
            self.flush(page);
            self.in_list = true;
            self.text.push(text.to_owned());
        } else {
            self.text.push(bare.to_owned());
        }
    }

    fn end_indented(&mut self, page: &mut Roff) {
        if let Some(code) = self.indented.take() {
            page.example(&code);
        }
    }

    /// A row becomes a term, its first cell, and what its other columns say about it.
    fn row(&mut self, line: &str, page: &mut Roff) {
        let cells = cells(line);
        let Some(head) = &self.head else {
            self.head = Some(cells);
            return;
        };
        if cells.iter().all(|cell| cell.trim_matches([':', '\\', '-']).is_empty()) {
            return;
        }
        let [first, rest @ ..] = &cells[..] else { return };
        let text = match rest {
            [only] => only.clone(),
            several => {
                let named = several.iter().zip(head.iter().skip(1)).filter(|(cell, _)| !cell.is_empty());
                let named: Vec<String> =
                    named.map(|(cell, name)| format!("{}: {cell}", italic(&plain(name)))).collect();
                named.join("; ")
            }
        };
        page.item(if first.is_empty() { "\\&" } else { first }, &text);
    }

    fn flush(&mut self, page: &mut Roff) {
        let text = inline(&std::mem::take(&mut self.text).join("\n"));
        match (text.trim(), std::mem::take(&mut self.in_list)) {
            ("", _) => {}
            (text, false) => page.paragraph(text),
            (text, true) => page.bullet(text),
        }
    }
}

/// The level and the text of a heading.
fn heading(line: &str) -> Option<(usize, &str)> {
    let text = line.trim_start_matches('#');
    let level = line.len() - text.len();
    text.strip_prefix(' ').filter(|_| (1..=6).contains(&level)).map(|text| (level, text.trim()))
}

/// The text of an item of a list, numbered or not.
fn item(line: &str) -> Option<&str> {
    let numbered = || {
        let text = line.trim_start_matches(|c: char| c.is_ascii_digit());
        text.strip_prefix(". ").filter(|_| text.len() < line.len())
    };
    line.strip_prefix("- ").or_else(numbered)
}

/// The cells of a row, as they go into the page.
fn cells(line: &str) -> Vec<String> {
    const BAR: &str = "\u{1}";
    let line = line.replace("\\|", BAR);
    let line = line.strip_prefix('|').unwrap_or(&line);
    let line = line.strip_suffix('|').unwrap_or(line);
    line.split('|').map(|cell| inline(&cell.trim().replace(BAR, "|"))).collect()
}

/// Text with its marks turned into those of roff: code in bold, links with where they lead, emphasis as plain text.
fn inline(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let behind = &rest[letter.len_utf8()..];
        let taken = match letter {
            '`' => code(rest).map(|(code, rest)| (bold(&code), rest)),
            '[' => link(behind),
            '\\' => behind
                .chars()
                .next()
                .filter(char::is_ascii_punctuation)
                .map(|next| (escaped(&next.to_string()), &behind[next.len_utf8()..])),
            '*' if !behind.starts_with(' ') || out.ends_with(|c: char| !c.is_whitespace()) => {
                Some((String::new(), behind))
            }
            '\n' => Some(("\n".to_owned(), behind)),
            _ => None,
        };
        let (text, left) = taken.unwrap_or_else(|| (escaped(&letter.to_string()), behind));
        out.push_str(&text);
        rest = left;
    }
    out
}

/// Code between as many backquotes as it begins with, and what is behind it.
fn code(text: &str) -> Option<(String, &str)> {
    let inner = text.trim_start_matches('`');
    let mark = &text[..text.len() - inner.len()];
    let (code, rest) = inner.split_once(mark)?;
    let code = code.replace('\n', " ");
    let stripped = code.strip_prefix(' ').and_then(|code| code.strip_suffix(' '));
    Some((stripped.filter(|code| !code.trim().is_empty()).unwrap_or(&code).to_owned(), rest))
}

/// A link behind its bracket; its target only if it says something that its text does not.
fn link(text: &str) -> Option<(String, &str)> {
    let (label, rest) = text.split_once("](")?;
    let (target, rest) = rest.split_once(')').filter(|_| !label.contains('['))?;
    let target = if target.contains("://") { format!(" <{}>", escaped(target)) } else { String::new() };
    Some((inline(label) + &target, rest))
}

/// Escaped text as it was, for a place that escapes by itself.
pub(super) fn plain(text: &str) -> String {
    let pairs = [
        ("\\fB", ""),
        ("\\fR", ""),
        ("\\fI", ""),
        ("\\-", "-"),
        ("\\(aq", "'"),
        ("\\(dq", "\""),
        ("\\(ga", "`"),
        ("\\(ha", "^"),
        ("\\(ti", "~"),
        ("\\e", "\\"),
    ];
    pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_becomes_a_page() {
        let mut page = Roff::new("x", 7, "y");
        let text = "# Title\n\nOne `two`\nthree.\n\n## Head\n\n- a\n- b\n\n| k | v | w |\n|---|---|---|\n| `x` | 1 | 2 |\n\n```sh\n.a b\n```\n";
        write(text, &mut page);
        let (_, body) = page.end().split_once("y\n").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        assert_eq!(
            body,
            ".PP\nOne \\fBtwo\\fR\nthree.\n.SH \"HEAD\"\n.IP \\(bu 2\na\n.IP \\(bu 2\nb\n.TP\n\\fBx\\fR\n\\fIv\\fR: 1; \\fIw\\fR: 2\n.PP\n.nf\n.RS 2\n\\&.a b\n.RE\n.fi\n"
        );
    }
}
