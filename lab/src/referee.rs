//! Two commands that take two named locks crosswise, with a daemon between them: it sees the circle, refuses the request
//! that would close it, and so takes from its asker what that holds. That is preemption by the daemon; the victim begins
//! again.
//!
//! The daemon is one of the study's own, at a socket in a directory of its own, and ends with the study.

use std::fs::{self, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tally_sys::process::own_pid;
use tally_sys::signal::Signal;

use crate::Error;
use crate::crew::{Crew, Watch};

const PATIENCE: Duration = Duration::from_secs(30);
/// Lines of the refusal that are shown.
const LINES_MAX: usize = 4;

/// One of the two: it takes its lock, waits a little until the other has one, too, and takes the other's. Refused, it
/// begins again.
const PARTY: &str = r#"
n=0
until "$TALLY" --socket s --reconnect 0 lock "$MINE" -- sh -c '
    : > "has-$MINE"
    i=0; while [ ! -e "has-$THEIRS" ] && [ $i -lt 1000 ]; do i=$((i + 1)); sleep 0.01; done
    exec "$TALLY" --socket s --reconnect 0 lock "$THEIRS" -- sh -c "echo transferred >> done"' 2>> "errors-$MINE"
do
    n=$((n + 1)); [ $n -lt 20 ] || exit 1
    echo again >> again
done
"#;

/// What it came to.
pub(crate) struct Refereed {
    /// Sentences.
    pub(crate) lines: Vec<String>,
    /// Both have done it, and one was refused first.
    pub(crate) holds: bool,
}

/// A directory that goes with this.
struct Place(PathBuf);

impl Drop for Place {
    fn drop(&mut self) {
        // It is in the directory for what is temporary: if it stays, others clean up.
        fs::remove_dir_all(&self.0).ok();
    }
}

pub(crate) fn run(watch: &mut Watch, program: &Path) -> Result<Refereed, Error> {
    let place = Place(std::env::temp_dir().join(format!("tally-lab-{}", own_pid())));
    fs::DirBuilder::new().mode(0o700).create(&place.0).map_err(Error::system("make a directory"))?;
    let directory = place.0.as_path();
    let mut crew = Crew::new(watch)?;
    crew.start(|_| serve(program, directory))?;
    let is_there = crew
        .wait_until(PATIENCE, |crew| crew.all_ended() || UnixStream::connect(directory.join("s")).is_ok())?;
    if !is_there || crew.all_ended() {
        let log = fs::read_to_string(directory.join("log")).unwrap_or_default();
        let why = log.lines().last().unwrap_or("it said nothing");
        let lines = vec![format!("no daemon could be started, so there is none to ask: {why}")];
        return Ok(Refereed { lines, holds: false });
    }
    for (mine, theirs) in [("a", "b"), ("b", "a")] {
        crew.start(|_| take_both(program, directory, mine, theirs))?;
    }
    let both = crew.wait_until(PATIENCE, |crew| [1, 2].iter().all(|&at| crew.status(at).is_some()))?;
    crew.signal(0, Signal::Term);
    crew.wait(PATIENCE)?;
    let read = |name: &str| fs::read_to_string(directory.join(name)).unwrap_or_default();
    let refusals = format!("{}{}", read("errors-a"), read("errors-b"));
    let mut lines: Vec<String> = refusals
        .lines()
        .skip_while(|line| !line.starts_with("tally: could not take lock"))
        .take(LINES_MAX)
        .map(|line| line.trim().to_owned())
        .collect();
    let refused = !lines.is_empty();
    let (done, again) = (read("done").lines().count(), read("again").lines().count());
    lines.push(format!(
        "the one that was refused has given back what it held: {done} of 2 are done, {again} begun again"
    ));
    Ok(Refereed { lines, holds: both && refused && done == 2 })
}

/// Becomes the daemon. Returns only when it cannot.
fn serve(program: &Path, directory: &Path) {
    let mut command = Command::new(program);
    command.args(["daemon", "--foreground", "--workers", "1", "--socket", "s", "--state-dir", "none"]);
    drop(become_one(&mut command, directory));
}

/// Becomes one of the two. Returns only when it cannot.
fn take_both(program: &Path, directory: &Path, mine: &str, theirs: &str) {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", PARTY]).env("TALLY", program).env("MINE", mine).env("THEIRS", theirs);
    drop(become_one(&mut command, directory));
}

fn become_one(command: &mut Command, directory: &Path) -> std::io::Error {
    let log = match File::options().create(true).append(true).open(directory.join("log")) {
        Ok(log) => log,
        Err(why) => return why,
    };
    command.current_dir(directory).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).exec()
}
