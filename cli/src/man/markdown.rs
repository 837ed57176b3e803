//! Documents in Markdown as parts of a manual page: headings, paragraphs, lists, tables, code.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::roff::{Roff, bold, escaped, italic};

/// Where text goes.
#[derive(Default)]
struct Writer {
    /// The paragraph, item or cell so far, escaped.
    text: String,
    /// How deep in lists.
    lists: usize,
    /// The cells of the row so far.
    row: Vec<String>,
    /// The names of the columns.
    head: Vec<String>,
    /// Lines of code, if it is that.
    code: Option<String>,
    /// The target of the link, if it says something that its text does not.
    link: Option<String>,
}

/// Writes a document without its title into a page.
pub(super) fn write(document: &str, page: &mut Roff) {
    let mut writer = Writer::default();
    for event in Parser::new_ext(document, Options::ENABLE_TABLES) {
        writer.take(event, page);
    }
}

impl Writer {
    fn take(&mut self, event: Event<'_>, page: &mut Roff) {
        match event {
            Event::Start(tag) => self.start(&tag, page),
            Event::End(tag) => self.end(tag, page),
            Event::Text(text) => match &mut self.code {
                Some(code) => code.push_str(&text),
                None => self.text.push_str(&escaped(&text)),
            },
            Event::Code(text) => self.text.push_str(&bold(&text)),
            Event::SoftBreak | Event::HardBreak => self.text.push('\n'),
            Event::Html(_) | Event::InlineHtml(_) | Event::InlineMath(_) | Event::DisplayMath(_) => {}
            Event::FootnoteReference(_) | Event::Rule | Event::TaskListMarker(_) => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>, page: &mut Roff) {
        match tag {
            Tag::List(_) => {
                self.flush(page);
                self.lists += 1;
            }
            Tag::Item | Tag::Paragraph | Tag::Heading { .. } | Tag::TableCell if self.lists == 0 => {
                self.text.clear()
            }
            Tag::CodeBlock(_) => {
                self.flush(page);
                self.code = Some(String::new());
            }
            Tag::Link { dest_url, .. } => {
                self.link = Some(dest_url.to_string()).filter(|url| url.contains("://"))
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd, page: &mut Roff) {
        match tag {
            TagEnd::Heading(level) => {
                let text = std::mem::take(&mut self.text);
                let text = plain(&text);
                match level as usize {
                    // The title is the page's name.
                    1 => {}
                    2 => page.section(&text),
                    _ => page.subsection(&text),
                }
            }
            TagEnd::Paragraph | TagEnd::Item => self.flush(page),
            TagEnd::List(_) => self.lists -= 1,
            TagEnd::CodeBlock => page.example(&self.code.take().unwrap_or_default()),
            TagEnd::TableCell => self.row.push(std::mem::take(&mut self.text)),
            TagEnd::TableHead => self.head = std::mem::take(&mut self.row),
            TagEnd::TableRow => {
                let row = std::mem::take(&mut self.row);
                self.write_row(&row, page);
            }
            TagEnd::Link => {
                if let Some(url) = self.link.take() {
                    self.text.push_str(&format!(" <{}>", escaped(&url)));
                }
            }
            _ => {}
        }
    }

    /// A row becomes a term, its first cell, and what its other columns say about it.
    fn write_row(&self, row: &[String], page: &mut Roff) {
        let [first, rest @ ..] = row else { return };
        let text = match rest {
            [only] => only.clone(),
            several => {
                let named = several.iter().zip(self.head.iter().skip(1)).filter(|(cell, _)| !cell.is_empty());
                let named: Vec<String> =
                    named.map(|(cell, name)| format!("{}: {cell}", italic(&plain(name)))).collect();
                named.join("; ")
            }
        };
        page.item(if first.is_empty() { "\\&" } else { first }, &text);
    }

    fn flush(&mut self, page: &mut Roff) {
        let text = std::mem::take(&mut self.text);
        match (text.trim(), self.lists) {
            ("", _) => {}
            (text, 0) => page.paragraph(text),
            (text, _) => page.bullet(text),
        }
    }
}

/// Escaped text as it was, for a place that escapes by itself.
fn plain(text: &str) -> String {
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
