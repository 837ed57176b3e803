//! Standard output and standard error.
//!
//! A reader that has gone (`tally jobs | head -1`) ends the output quietly; any other failure to write the answer
//! is an error. What cannot be written to standard error is lost, for there is nobody left to tell.

use std::io::{self, IsTerminal, Write};

use tally_protocol::error::{ErrorCode, Failure};
use tally_sys::signal::AtOnce;

use crate::args::values::When;
use crate::conversation::system;
use crate::meaning::Style;
use crate::place;
use crate::show::beacon::Understood;
use crate::surroundings::Surroundings;

/// The two streams, and how to write on them.
pub(crate) struct Terminal<'a> {
    out: Stream<'a>,
    err: Stream<'a>,
    quiet: bool,
    dumb: bool,
    bar: Bar,
    /// Where progress is shown besides.
    understood: Understood,
    /// Columns and rows of the terminal that standard output is, if it is one and they are known.
    size: Option<(usize, usize)>,
    /// The journal takes standard error.
    journalled: bool,
}

struct Stream<'a> {
    writer: Box<dyn Write + 'a>,
    is_terminal: bool,
    colour: bool,
    closed: bool,
}

/// What a progress bar can be drawn with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Bar {
    /// Not at all: standard error is no terminal, or a dumb one.
    #[default]
    None,
    /// ASCII only.
    Plain,
    /// Block characters.
    Blocks,
}

/// The few ways a text can stand out. Nothing is told by colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    /// Headers.
    Bold,
    /// What went wrong.
    Red,
}

impl Terminal<'static> {
    pub(crate) fn of_this_process() -> Self {
        let (out, err) = (io::stdout(), io::stderr());
        let (out_is_terminal, err_is_terminal) = (out.is_terminal(), err.is_terminal());
        Self {
            out: Stream::new(Box::new(out), out_is_terminal),
            err: Stream::new(Box::new(err), err_is_terminal),
            quiet: false,
            dumb: false,
            bar: Bar::None,
            understood: Understood::default(),
            size: out_is_terminal.then(size_of_output).flatten(),
            journalled: tally_sys::journal::takes_standard_error(),
        }
    }
}

impl<'a> Terminal<'a> {
    /// Two writers that are no terminals.
    pub(crate) fn to(out: impl Write + 'a, err: impl Write + 'a) -> Self {
        let (out, err) = (Stream::new(Box::new(out), false), Stream::new(Box::new(err), false));
        Self {
            out,
            err,
            quiet: false,
            dumb: false,
            bar: Bar::None,
            understood: Understood::default(),
            size: None,
            journalled: false,
        }
    }

    /// `--color` beats NO_COLOR beats CLICOLOR_FORCE beats "a terminal that is not dumb".
    pub(crate) fn use_style(&mut self, style: Style, around: &Surroundings) {
        let dumb = around.get("TERM").is_some_and(|term| term == "dumb");
        for stream in [&mut self.out, &mut self.err] {
            stream.colour = match style.color {
                When::Always => true,
                When::Never => false,
                When::Auto if around.get("NO_COLOR").is_some() => false,
                When::Auto if around.get("CLICOLOR_FORCE").is_some_and(|force| force != "0") => true,
                When::Auto => stream.is_terminal && !dumb,
            };
        }
        self.quiet = style.quiet;
        self.dumb = dumb;
        self.bar = match (self.err.is_terminal && !dumb, around.is_utf8()) {
            (false, _) => Bar::None,
            (true, false) => Bar::Plain,
            (true, true) => Bar::Blocks,
        };
        if self.bar != Bar::None {
            self.understood = Understood::of(around);
        }
    }

    /// What a progress bar can be drawn with on standard error.
    pub(crate) fn bar(&self) -> Bar {
        self.bar
    }

    /// Where progress can be shown besides the bar.
    pub(crate) fn understood(&self) -> Understood {
        self.understood
    }

    /// Columns and rows of the terminal that standard output is; `None` where it is none.
    pub(crate) fn size(&self) -> Option<(usize, usize)> {
        self.size
    }

    /// The same as it is now: people change the size of their windows.
    pub(crate) fn look_at_size(&mut self) -> Option<(usize, usize)> {
        if self.out.is_terminal {
            self.size = size_of_output().or(self.size);
        }
        self.size
    }

    /// Whether a person reads standard error.
    pub(crate) fn is_watched(&self) -> bool {
        self.err.is_terminal
    }

    /// Whether standard output is a terminal that can move its cursor.
    pub(crate) fn can_redraw(&self) -> bool {
        self.out.is_terminal && !self.dumb
    }

    /// Writes the answer, or part of it, to standard output.
    pub(crate) fn answer(&mut self, text: &str) -> Result<(), Failure> {
        self.answer_bytes(text.as_bytes())
    }

    /// The same for what need not be text.
    pub(crate) fn answer_bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        // Who reads it may take its time, and an interrupt must not wait for that.
        let _at_once = AtOnce::new().map_err(|why| system("catch signals", &why))?;
        self.out.write_bytes(bytes).map_err(|why| {
            Failure::new(ErrorCode::System, format!("could not write the answer: {}", place::reason(&why)))
        })
    }

    /// Whether standard output is a terminal, which must not be steered by what is shown on it.
    pub(crate) fn is_for_people(&self) -> bool {
        self.out.is_terminal
    }

    /// Whether colours are wanted on standard output.
    pub(crate) fn is_coloured(&self) -> bool {
        self.out.colour
    }

    /// Whether the reader of standard output has gone, so that no more needs to be computed for it.
    pub(crate) fn answer_is_unread(&self) -> bool {
        self.out.closed
    }

    /// Writes a note to standard error, unless notes are not wanted.
    pub(crate) fn note(&mut self, text: &str) {
        if !self.quiet {
            self.error(text);
        }
    }

    /// Writes to standard error.
    pub(crate) fn error(&mut self, text: &str) {
        drop(self.err.write(text));
    }

    /// Writes a line that tells of a failure to standard error; to the journal it is one (`sd-daemon(3)`).
    pub(crate) fn failure(&mut self, line: &str) {
        let priority = if self.journalled { "<3>" } else { "" };
        self.error(&format!("{priority}{line}"));
    }

    /// A text for standard output, painted where that is wanted.
    pub(crate) fn painted(&self, paint: Paint, text: &str) -> String {
        coloured(self.out.colour, paint, text)
    }

    /// A text for standard error, painted where that is wanted.
    pub(crate) fn painted_error(&self, paint: Paint, text: &str) -> String {
        coloured(self.err.colour, paint, text)
    }
}

fn size_of_output() -> Option<(usize, usize)> {
    let (columns, rows) = terminal_size::terminal_size_of(io::stdout())?;
    Some((usize::from(columns.0), usize::from(rows.0))).filter(|(columns, rows)| *columns > 0 && *rows > 0)
}

fn coloured(colour: bool, paint: Paint, text: &str) -> String {
    let code = match paint {
        Paint::Bold => 1,
        Paint::Red => 31,
    };
    if colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

impl<'a> Stream<'a> {
    fn new(writer: Box<dyn Write + 'a>, is_terminal: bool) -> Self {
        Self { writer, is_terminal, colour: false, closed: false }
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.write_bytes(text.as_bytes())
    }

    fn write_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.closed || bytes.is_empty() {
            return Ok(());
        }
        match self.writer.write_all(bytes).and_then(|()| self.writer.flush()) {
            Err(why) if why.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn painted(style: Style, variables: &[(&'static str, &str)], is_terminal: bool) -> bool {
        let mut terminal = Terminal::to(io::sink(), io::sink());
        terminal.out.is_terminal = is_terminal;
        terminal.use_style(style, &Surroundings::with(variables));
        terminal.painted(Paint::Bold, "x") != "x"
    }

    #[test]
    fn colour_has_an_order_of_say() {
        let style = |color| Style { color, ..Style::default() };
        assert!(painted(style(When::Auto), &[], true));
        assert!(!painted(style(When::Auto), &[], false));
        assert!(!painted(style(When::Auto), &[("TERM", "dumb")], true));
        assert!(painted(style(When::Auto), &[("CLICOLOR_FORCE", "1")], false));
        assert!(!painted(style(When::Auto), &[("CLICOLOR_FORCE", "0")], false));
        assert!(!painted(style(When::Auto), &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], true));
        assert!(painted(style(When::Always), &[("NO_COLOR", "1")], false));
        assert!(!painted(style(When::Never), &[("CLICOLOR_FORCE", "1")], true));
    }

    #[test]
    fn a_reader_that_has_gone_is_no_error() {
        let mut terminal = Terminal::to(Broken(io::ErrorKind::BrokenPipe), io::sink());
        assert_eq!(terminal.answer("x"), Ok(()));
        assert_eq!(terminal.answer("x"), Ok(()));
        let mut terminal = Terminal::to(Broken(io::ErrorKind::StorageFull), Broken(io::ErrorKind::Other));
        let failure = terminal.answer("x").unwrap_err();
        assert_eq!(
            (failure.message.as_str(), failure.exit),
            ("could not write the answer: no storage space", 1)
        );
        terminal.error("lost");
    }

    #[test]
    fn quiet_keeps_notes_back_but_no_errors() {
        let mut err = Vec::new();
        let mut terminal = Terminal::to(io::sink(), &mut err);
        terminal.use_style(Style { quiet: true, ..Style::default() }, &Surroundings::default());
        terminal.note("note\n");
        terminal.error("error\n");
        drop(terminal);
        assert_eq!(err, b"error\n");
    }

    #[test]
    fn bars_need_a_terminal_that_can() {
        let mut terminal = Terminal::to(io::sink(), io::sink());
        let mut bar = |is_terminal, variables: &[(&'static str, &str)]| {
            terminal.err.is_terminal = is_terminal;
            terminal.use_style(Style::default(), &Surroundings::with(variables));
            terminal.bar()
        };
        assert_eq!(bar(false, &[("LANG", "C.UTF-8")]), Bar::None);
        assert_eq!(bar(true, &[("LANG", "C.UTF-8")]), Bar::Blocks);
        assert_eq!(bar(true, &[]), Bar::Plain);
        assert_eq!(bar(true, &[("TERM", "dumb")]), Bar::None);
    }
}
