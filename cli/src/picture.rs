//! Where a drawing goes: `--plot FILE.svg`, or `-` for standard output.
//!
//! The place is tried before the work is done, which may take minutes, and the file is replaced whole or not at all: a full
//! disk leaves the old one as it was.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tally_protocol::error::{ErrorCode, Failure};

use crate::place;
use crate::terminal::Terminal;

/// Endings of pictures that are something else than SVG.
const OTHERS: [&str; 10] = ["png", "pdf", "jpg", "jpeg", "gif", "webp", "eps", "ps", "bmp", "html"];

/// What is wrong with the name of a drawing. Fits after "could not read --plot 'NAME':".
pub(crate) fn check(path: PathBuf) -> Result<PathBuf, String> {
    if path.as_os_str().is_empty() {
        return Err("it needs the name of a file, or - for standard output".to_owned());
    }
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
    if OTHERS.contains(&ending.as_str()) {
        let other = path.with_extension("svg");
        return Err(format!("drawings are SVG; '{}' may be meant", other.display()));
    }
    Ok(path)
}

/// Whether the drawing takes the place of the answer.
fn is_answer(path: &Path) -> bool {
    path == Path::new("-")
}

/// Before the work: whether there will be room for the drawing, as far as that can be told, and whether it takes the place
/// of the answer.
pub(crate) fn prepare(path: Option<&Path>, json: bool) -> Result<bool, Failure> {
    match path {
        None => Ok(false),
        Some(path) if is_answer(path) && json => {
            let message =
                "could not write two answers to standard output: --json and --plot - exclude each other";
            Err(Failure::new(ErrorCode::BadUsage, message).hint("--plot FILE.svg draws into a file"))
        }
        Some(path) if is_answer(path) => Ok(true),
        Some(path) => try_place(path).map(|()| false).map_err(|why| place::unwritten(path, &why)),
    }
}

fn try_place(path: &Path) -> io::Result<()> {
    match target(path) {
        Target::Whole(target) => beside(&target).map(|(_, name)| drop(fs::remove_file(name))),
        // Whoever reads a pipe would take it for the end, if it were opened and closed.
        Target::Stream => Ok(()),
    }
}

/// Writes a drawing, on standard output as the answer.
pub(crate) fn save(path: &Path, svg: &str, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    if is_answer(path) {
        return terminal.answer(svg);
    }
    let written = match target(path) {
        Target::Whole(target) => replace(&target, svg),
        Target::Stream => {
            OpenOptions::new().write(true).open(path).and_then(|mut file| file.write_all(svg.as_bytes()))
        }
    };
    written.map_err(|why| place::unwritten(path, &why))
}

enum Target {
    /// A file, or nothing yet.
    Whole(PathBuf),
    /// A pipe, a terminal, a device: it is written to as it is.
    Stream,
}

fn target(path: &Path) -> Target {
    match fs::metadata(path) {
        Ok(there) if !there.is_file() && !there.is_dir() => Target::Stream,
        // What a link points to is replaced, not the link.
        _ => Target::Whole(fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())),
    }
}

fn replace(target: &Path, svg: &str) -> io::Result<()> {
    let (mut file, name) = beside(target)?;
    let written = file.write_all(svg.as_bytes()).and_then(|()| {
        if let Ok(before) = fs::metadata(target) {
            file.set_permissions(before.permissions())?;
        }
        fs::rename(&name, target)
    });
    if written.is_err() {
        fs::remove_file(&name).ok();
    }
    written
}

/// A new file in the same directory, which can be renamed to the target.
fn beside(target: &Path) -> io::Result<(File, PathBuf)> {
    if target.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if target.exists() {
        // Somebody may have protected the file, and not its directory.
        OpenOptions::new().write(true).open(target)?;
    }
    let own = tally_sys::process::own_pid();
    let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let name = target.with_file_name(format!(".{}.{own}.tmp", name.chars().take(60).collect::<String>()));
    let file = OpenOptions::new().write(true).create_new(true).open(&name)?;
    Ok((file, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_other_pictures_are_refused_with_the_right_one() {
        assert_eq!(check("x.svg".into()), Ok("x.svg".into()));
        assert_eq!(check("-".into()), Ok("-".into()));
        assert_eq!(check("a/x.PNG".into()).unwrap_err(), "drawings are SVG; 'a/x.svg' may be meant");
        assert!(check("".into()).is_err());
    }

    #[test]
    fn a_file_is_replaced_whole_and_trying_leaves_nothing() {
        let directory = std::env::temp_dir().join(format!("tally-picture-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("x.svg");
        prepare(Some(&path), false).unwrap();
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
        let mut terminal = Terminal::to(io::sink(), io::sink());
        save(&path, "one", &mut terminal).unwrap();
        save(&path, "two", &mut terminal).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        let missing = prepare(Some(&directory.join("no/x.svg")), false).unwrap_err();
        assert!(missing.message.ends_with("no/x.svg: no such file or directory"), "{missing:?}");
        assert!(prepare(Some(&directory), false).is_err());
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn a_pipe_is_opened_once_when_there_is_something_to_read() {
        let path = std::env::temp_dir().join(format!("tally-picture-pipe-{}", std::process::id()));
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        // Nobody reads: to open it would wait for ever.
        assert_eq!(prepare(Some(&path), false), Ok(false));
        let reader = std::thread::spawn({
            let path = path.clone();
            move || fs::read_to_string(path).unwrap()
        });
        save(&path, "<svg/>", &mut Terminal::to(io::sink(), io::sink())).unwrap();
        assert_eq!(reader.join().unwrap(), "<svg/>");
        fs::remove_file(path).unwrap();
    }
}
