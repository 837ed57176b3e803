//! Progress where a terminal shows it beside the text: in its title, and at its tab or in the task bar.
//!
//! Only to terminals that are known to understand each; what is unknown would print the sequences or keep them for ever.
//! The title is pushed before the first one and popped at the end, the task bar cleared, whatever ends the progress.

use std::io::{self, Write as _};

use tally_protocol::job::JobState;

use super::progress::Step;
use crate::surroundings::Surroundings;

/// What the terminal at standard error understands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Understood {
    /// A title (OSC 2) that can be pushed and popped.
    pub(crate) title: bool,
    /// Progress at the tab or in the task bar (OSC 9;4).
    pub(crate) taskbar: bool,
}

/// The first VTE that shows progress.
const VTE_WITH_PROGRESS: u32 = 8_000;

impl Understood {
    /// From what terminals say of themselves in the environment. Within a multiplexer it is that which understands.
    pub(crate) fn of(around: &Surroundings) -> Self {
        let text = |name| around.get(name).and_then(|value| value.to_str()).unwrap_or_default();
        if !text("TMUX").is_empty() {
            return Self { title: true, taskbar: false };
        }
        let term = text("TERM");
        if term.starts_with("screen") || term == "linux" || term == "dumb" {
            return Self::default();
        }
        let program = text("TERM_PROGRAM");
        let vte = text("VTE_VERSION").parse::<u32>().ok();
        let own = ["xterm-kitty", "xterm-ghostty", "foot", "alacritty"];
        Self {
            title: vte.is_some()
                || own.iter().any(|name| term.starts_with(name))
                || !text("XTERM_VERSION").is_empty()
                || ["ghostty", "iTerm.app"].contains(&program),
            taskbar: vte.is_some_and(|version| version >= VTE_WITH_PROGRESS)
                || !text("WT_SESSION").is_empty()
                || text("ConEmuANSI") == "ON"
                || ["ghostty", "WezTerm"].contains(&program)
                || term.starts_with("xterm-ghostty")
                // iTerm2 tells its abilities in letters; P is progress.
                || program == "iTerm.app" && text("TERM_FEATURES").contains('P'),
        }
    }
}

/// What is shown beside the text now. Dropping it takes it away.
#[derive(Debug, Default)]
pub(crate) struct Beacon {
    understood: Understood,
    /// Per cent and state, as last shown.
    shown: Option<(u64, JobState)>,
}

impl Beacon {
    pub(crate) fn new(understood: Understood) -> Self {
        Self { understood, shown: None }
    }

    /// The job is this far; written only when the number or the state is another one.
    pub(crate) fn show(&mut self, step: &Step) {
        write_beside(&self.change(step));
    }

    /// Takes it away.
    pub(crate) fn clear(&mut self) {
        write_beside(&self.end());
    }

    fn change(&mut self, step: &Step) -> String {
        let now = (step.percent(), step.state);
        if self.shown == Some(now) {
            return String::new();
        }
        let mut text = String::new();
        if self.understood.title {
            if self.shown.is_none() {
                text.push_str("\x1b[22;2t");
            }
            let job = step.job.map(|job| format!(" {job}")).unwrap_or_default();
            let state = if step.state == JobState::Paused { " paused" } else { "" };
            text.push_str(&format!("\x1b]2;{}%{state} tally{job}\x1b\\", now.0));
        }
        if self.understood.taskbar {
            let state = if step.state == JobState::Paused { 4 } else { 1 };
            text.push_str(&format!("\x1b]9;4;{state};{}\x1b\\", now.0));
        }
        self.shown = Some(now);
        text
    }

    fn end(&mut self) -> String {
        let mut text = String::new();
        if self.shown.take().is_some() {
            if self.understood.taskbar {
                text.push_str("\x1b]9;4;0;\x1b\\");
            }
            if self.understood.title {
                text.push_str("\x1b[23;2t");
            }
        }
        text
    }
}

impl Drop for Beacon {
    fn drop(&mut self) {
        self.clear();
    }
}

/// To standard error itself, as the bar is drawn: nothing else is a terminal that was asked about.
pub(crate) fn write_beside(text: &str) {
    if !text.is_empty() {
        // A terminal that has gone shows nothing.
        drop(io::stderr().write_all(text.as_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake;

    fn understood(variables: &[(&'static str, &str)]) -> (bool, bool) {
        let Understood { title, taskbar } = Understood::of(&Surroundings::with(variables));
        (title, taskbar)
    }

    #[test]
    fn only_terminals_that_are_known_are_told() {
        assert_eq!(understood(&[]), (false, false));
        assert_eq!(understood(&[("TERM", "xterm-256color")]), (false, false), "many say that of themselves");
        assert_eq!(understood(&[("TERM", "linux")]), (false, false));
        assert_eq!(understood(&[("TERM", "screen"), ("VTE_VERSION", "8203")]), (false, false));
        assert_eq!(
            understood(&[("TERM", "tmux-256color"), ("TMUX", "/tmp/x,1,0"), ("WT_SESSION", "1")]),
            (true, false)
        );
        assert_eq!(understood(&[("VTE_VERSION", "7006")]), (true, false));
        assert_eq!(understood(&[("VTE_VERSION", "8203")]), (true, true));
        assert_eq!(understood(&[("TERM", "xterm-kitty")]), (true, false));
        assert_eq!(understood(&[("TERM", "xterm-ghostty")]), (true, true));
        assert_eq!(understood(&[("WT_SESSION", "x")]), (false, true));
        assert_eq!(understood(&[("TERM_PROGRAM", "iTerm.app")]), (true, false));
        assert_eq!(understood(&[("TERM_PROGRAM", "iTerm.app"), ("TERM_FEATURES", "T3P")]), (true, true));
    }

    #[test]
    fn each_number_is_shown_once_and_all_is_taken_away() {
        let step = Step::of(&fake::job_running());
        let mut beacon = Beacon::new(Understood { title: true, taskbar: true });
        assert_eq!(beacon.end(), "", "nothing was shown");
        assert_eq!(beacon.change(&step), "\x1b[22;2t\x1b]2;50% tally j1\x1b\\\x1b]9;4;1;50\x1b\\");
        assert_eq!(beacon.change(&step), "");
        let paused = Step { state: JobState::Paused, ..step };
        assert_eq!(beacon.change(&paused), "\x1b]2;50% paused tally j1\x1b\\\x1b]9;4;4;50\x1b\\");
        assert_eq!(beacon.end(), "\x1b]9;4;0;\x1b\\\x1b[23;2t");
        assert_eq!(beacon.end(), "");
        let mut nothing = Beacon::new(Understood::default());
        assert_eq!(nothing.change(&step) + &nothing.end(), "");
    }
}
