//! The few words of man(7) that the pages use.

/// A page that is being written.
#[derive(Clone, Debug)]
pub(super) struct Roff {
    text: String,
}

impl Roff {
    /// Begins a page of a section; `manual` is what stands above it.
    pub(super) fn new(name: &str, section: u8, about: &str) -> Self {
        let (title, version) = (name.to_uppercase(), env!("CARGO_PKG_VERSION"));
        let title = escaped(&title);
        let text = format!(
            ".TH \"{title}\" \"{section}\" \"{DATE}\" \"tally {version}\" \"tally manual\"\n.SH NAME\n{}",
            filled(&format!("{} \\- {}", escaped(name), escaped(about)))
        );
        Self { text }
    }

    /// A heading of the first level.
    pub(super) fn section(&mut self, title: &str) {
        self.control(&format!(".SH \"{}\"", escaped(&title.to_uppercase()).replace('"', "")));
    }

    /// A heading of the second level.
    pub(super) fn subsection(&mut self, title: &str) {
        self.control(&format!(".SS \"{}\"", escaped(title).replace('"', "")));
    }

    /// A paragraph of text that is escaped already.
    pub(super) fn paragraph(&mut self, text: &str) {
        // One right under a heading needs no request.
        if !self.text.lines().last().is_some_and(|line| line.starts_with(".SH") || line.starts_with(".SS")) {
            self.control(".PP");
        }
        self.line(text);
    }

    /// A term and what it is; both are escaped already.
    pub(super) fn item(&mut self, term: &str, text: &str) {
        self.control(".TP");
        self.line(term);
        self.line(if text.trim().is_empty() { "\\&" } else { text });
    }

    /// One of a list.
    pub(super) fn bullet(&mut self, text: &str) {
        self.control(".IP \\(bu 2");
        self.line(text);
    }

    /// Lines as they are.
    pub(super) fn example(&mut self, text: &str) {
        if !self.text.lines().last().is_some_and(|line| line.starts_with(".SH") || line.starts_with(".SS")) {
            self.control(".PP");
        }
        self.control(".nf");
        self.control(".RS 2");
        for line in text.trim_end().lines() {
            let line = escaped(line);
            self.text.push_str(&if line.trim().is_empty() {
                "\\&\n".to_owned()
            } else {
                guarded(&line) + "\n"
            });
        }
        self.control(".RE");
        self.control(".fi");
    }

    /// The page.
    pub(super) fn end(self) -> String {
        self.text
    }

    fn control(&mut self, request: &str) {
        self.text.push_str(request);
        self.text.push('\n');
    }

    /// Text in lines of a sentence each, as man(7) wants it.
    fn line(&mut self, text: &str) {
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            for sentence in sentences(line) {
                self.text.push_str(&filled(sentence));
            }
        }
    }
}

/// The date on the pages: that of the manual, not of the day on which it is written out.
const DATE: &str = "2026-11-28";

/// A new line begins behind each sentence.
fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) =
        rest.match_indices(['.', '?', '!']).map(|(at, _)| at).find(|&at| ends_sentence(rest, at))
    {
        found.push(rest[..=at].trim());
        rest = rest[at + 1..].trim_start();
    }
    found.push(rest.trim());
    found.retain(|sentence| !sentence.is_empty());
    found
}

fn ends_sentence(text: &str, at: usize) -> bool {
    let behind = &text[at + 1..];
    behind.starts_with(' ')
        && behind.trim_start().starts_with(|c: char| c.is_uppercase() || c == '\\' || c == '`')
}

/// A sentence in lines that are not too long, broken between words.
fn filled(sentence: &str) -> String {
    const BYTES: usize = 78;
    let (mut out, mut line) = (String::new(), String::new());
    for word in sentence.split_whitespace() {
        if !line.is_empty() && line.len() + 1 + word.len() > BYTES {
            out.push_str(&guarded(&line));
            out.push('\n');
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    out + &guarded(&line) + "\n"
}

/// A line that begins with a dot or an apostrophe would be a request.
fn guarded(line: &str) -> String {
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() }
}

/// Text without a meaning for roff, in ASCII.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' => out.push_str("\\e"),
            '-' => out.push_str("\\-"),
            '\'' => out.push_str("\\(aq"),
            '`' => out.push_str("\\(ga"),
            '^' => out.push_str("\\(ha"),
            '~' => out.push_str("\\(ti"),
            '"' => out.push_str("\\(dq"),
            '\t' => out.push(' '),
            other if other.is_ascii() => out.push(other),
            other => out.push_str(&format!("\\[u{:04X}]", u32::from(other))),
        }
    }
    out
}

/// In bold.
pub(super) fn bold(text: &str) -> String {
    format!("\\fB{}\\fR", escaped(text))
}

/// In italics.
pub(super) fn italic(text: &str) -> String {
    format!("\\fI{}\\fR", escaped(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_no_meaning_for_roff() {
        assert_eq!(escaped("a-b \\ 'x' \u{e4}"), "a\\-b \\e \\(aqx\\(aq \\[u00E4]");
        assert_eq!(guarded(".csv"), "\\&.csv");
        assert_eq!(sentences("One. Two, e.g. this? Three"), ["One.", "Two, e.g. this?", "Three"]);
    }
}
