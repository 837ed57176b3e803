//! A real terminal for a test: a window of a tmux server of its own, with a shell in it.
//!
//! Needs tmux; where there is none, [`Terminal::open`] says so aloud and gives nothing.

use std::path::PathBuf;
use std::process::Command;

use crate::{World, until};

/// One window. It ends with whoever opened it.
#[derive(Debug)]
pub struct Terminal<'w> {
    world: &'w World,
    socket: PathBuf,
}

impl<'w> Terminal<'w> {
    /// A window of this size with a shell in which `$TALLY` is the binary and the world's daemon is the one to ask.
    #[must_use]
    pub fn open(world: &'w World, columns: u16, rows: u16) -> Option<Self> {
        if !["/usr/bin/tmux", "/bin/tmux"].iter().any(|path| PathBuf::from(path).exists()) {
            #[expect(clippy::print_stderr, reason = "what is left out is told")]
            {
                eprintln!("left out: there is no tmux here to test a terminal with");
            }
            return None;
        }
        let terminal = Self { world, socket: world.path().join("tmux") };
        let size = [columns.to_string(), rows.to_string()];
        let mut command = terminal.command();
        command.args([
            "new-session",
            "-d",
            "-x",
            &size[0],
            "-y",
            &size[1],
            "bash",
            "--norc",
            "--noprofile",
            "-i",
        ]);
        command.env("HISTFILE", "/dev/null").env("TALLY_SOCKET", world.socket());
        run(command);
        terminal.await_text("the prompt", |text| text.trim_end().ends_with(['$', '#']));
        Some(terminal)
    }

    fn command(&self) -> Command {
        let mut command = self.world.script("exec tmux -u -f /dev/null -S \"$0\" \"$@\"");
        command.arg(&self.socket);
        command
    }

    /// Presses keys by the names that tmux has for them: `q`, `Enter`, `C-c`, `Up`.
    pub fn press(&self, keys: &[&str]) {
        let mut command = self.command();
        command.arg("send-keys").args(keys);
        run(command);
    }

    /// Sends bytes as a terminal would that reports something.
    pub fn report(&self, bytes: &[u8]) {
        let mut command = self.command();
        command.args(["send-keys", "-H"]).args(bytes.iter().map(|byte| format!("{byte:02x}")));
        run(command);
    }

    /// Types a line into the shell once it asks for one: what is typed before, the program that still runs may read.
    pub fn line(&self, text: &str) {
        let asks = |text: &str| text.trim_end().ends_with(['#', '$']);
        self.await_text("the prompt of the shell", asks);
        let mut command = self.command();
        command.args(["send-keys", "-l", text]);
        run(command);
        self.press(&["Enter"]);
    }

    /// What is on the screen.
    #[must_use]
    pub fn text(&self) -> String {
        let mut command = self.command();
        command.args(["capture-pane", "-p"]);
        run(command)
    }

    /// The same with the sequences for colours and weights.
    #[must_use]
    pub fn painted(&self) -> String {
        let mut command = self.command();
        command.args(["capture-pane", "-e", "-p"]);
        run(command)
    }

    /// The title that the program in it has set.
    #[must_use]
    pub fn title(&self) -> String {
        let mut command = self.command();
        command.args(["display-message", "-p", "#{pane_title}"]);
        run(command)
    }

    /// Gives the window another size.
    pub fn resize(&self, columns: u16, rows: u16) {
        let mut command = self.command();
        command.args(["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
        run(command);
    }

    /// Waits until the screen is as it should be; panics with what it is when patience ends.
    pub fn await_text(&self, what: &str, good: impl Fn(&str) -> bool) -> String {
        let mut last = String::new();
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            until(what, || {
                last = self.text();
                good(&last).then(|| last.clone())
            })
        }));
        found.unwrap_or_else(|_| panic!("waited in vain for {what}; the screen was:\n{last}"))
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        let mut command = self.command();
        // One that has ended already is as good.
        command.arg("kill-server").output().ok();
    }
}

fn run(mut command: Command) -> String {
    let output = command.output().expect("tmux can be started");
    assert!(output.status.success(), "tmux: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
