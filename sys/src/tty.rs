//! The terminal as a screen: its size, and its keys one by one, with the way back.
//!
//! What is drawn on it is not known here. The keys that make signals go on doing so: a full-screen program hears of them
//! as it hears of signals from elsewhere.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::termios::{
    InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};

/// Columns and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Characters in a row.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
}

/// How large a terminal is; `None` where it does not know, or is none.
pub fn size(terminal: impl AsFd) -> Option<Size> {
    let size = tcgetwinsize(terminal).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some(Size { columns: size.ws_col, rows: size.ws_row })
}

/// A terminal that gives keys at once and echoes none, until this is dropped or told to give way. Whatever ends the
/// program by unwinding gives the terminal back.
#[derive(Debug)]
pub struct Screen {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    keys: OwnedFd,
    picture: OwnedFd,
    /// What to write on the way in, and on the way out.
    enter: &'static [u8],
    leave: &'static [u8],
    /// How the terminal was; nothing while it is given back.
    before: Mutex<Option<Termios>>,
}

impl Screen {
    /// Takes the terminal, of which `keys` is read and `picture` is written, and writes `enter`; whenever it is given back,
    /// `leave` is written first.
    ///
    /// # Errors
    /// When one of them is no terminal, or cannot be changed.
    pub fn take(
        keys: impl AsFd,
        picture: impl AsFd,
        enter: &'static [u8],
        leave: &'static [u8],
    ) -> io::Result<Self> {
        let keys = keys.as_fd().try_clone_to_owned()?;
        let picture = picture.as_fd().try_clone_to_owned()?;
        let shared = Shared { keys, picture, enter, leave, before: Mutex::new(None) };
        let screen = Self { shared: Arc::new(shared) };
        screen.retake()?;
        Ok(screen)
    }

    /// Gives the terminal back; [`Screen::retake`] takes it again.
    pub fn give_back(&self) {
        self.shared.give_back();
    }

    /// Takes the terminal, also when somebody else has changed it meanwhile.
    ///
    /// # Errors
    /// When it cannot be changed.
    pub fn retake(&self) -> io::Result<()> {
        let shared = &self.shared;
        let now = tcgetattr(&shared.keys)?;
        let mut raw = now.clone();
        raw.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::IEXTEN);
        raw.input_modes.remove(InputModes::ICRNL | InputModes::INLCR);
        raw.special_codes[SpecialCodeIndex::VMIN] = 1;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        let mut before = shared.before.lock().unwrap_or_else(PoisonError::into_inner);
        tcsetattr(&shared.keys, OptionalActions::Now, &raw)?;
        before.get_or_insert(now);
        drop(before);
        write_all(&shared.picture, shared.enter)
    }

    /// Before a panic says what it has to say, the terminal is given back.
    pub fn give_back_on_panic(&self) {
        let shared = Arc::downgrade(&self.shared);
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if let Some(shared) = shared.upgrade() {
                shared.give_back();
            }
            before(info);
        }));
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.shared.give_back();
    }
}

impl Shared {
    fn give_back(&self) {
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = before.take() {
            // A terminal that has gone needs nothing back.
            drop(write_all(&self.picture, self.leave));
            tcsetattr(&self.keys, OptionalActions::Flush, &before).ok();
        }
    }
}

fn write_all(fd: &OwnedFd, bytes: &[u8]) -> io::Result<()> {
    File::from(fd.try_clone()?).write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::{Winsize, tcsetwinsize};
    use std::io::Read as _;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// Both ends of a new terminal: what a program sees, and the far side.
    fn terminal() -> (OwnedFd, File) {
        let far = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&far).unwrap();
        unlockpt(&far).unwrap();
        let name = ptsname(&far, Vec::new()).unwrap();
        let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY;
        let near = rustix::fs::open(name.as_c_str(), flags, rustix::fs::Mode::empty()).unwrap();
        (near, File::from(far))
    }

    fn is_raw(near: &OwnedFd) -> bool {
        !tcgetattr(near).unwrap().local_modes.contains(LocalModes::ICANON)
    }

    fn written(far: &mut File, count: usize) -> String {
        let mut bytes = vec![0; count];
        far.read_exact(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_terminal_knows_its_size_and_a_file_has_none() {
        let (near, far) = terminal();
        tcsetwinsize(&far, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        assert_eq!(size(&near), Some(Size { columns: 80, rows: 24 }));
        assert_eq!(size(File::open("/dev/null").unwrap()), None);
        assert!(Screen::take(File::open("/dev/null").unwrap(), &near, b"", b"").is_err());
    }

    #[test]
    fn it_is_given_back_once_and_can_be_taken_again() {
        let (near, mut far) = terminal();
        let screen = Screen::take(&near, &near, b"in", b"out").unwrap();
        assert!(is_raw(&near));
        assert!(tcgetattr(&near).unwrap().local_modes.contains(LocalModes::ISIG), "keys still make signals");
        screen.give_back();
        screen.give_back();
        assert!(!is_raw(&near));
        screen.retake().unwrap();
        screen.retake().unwrap();
        assert!(is_raw(&near));
        drop(screen);
        assert!(!is_raw(&near));
        assert_eq!(written(&mut far, 12), "inoutininout");
    }

    #[test]
    fn a_panic_gives_it_back_first() {
        let (near, mut far) = terminal();
        let screen = Screen::take(&near, &near, b"in", b"out").unwrap();
        screen.give_back_on_panic();
        let panicked = catch_unwind(AssertUnwindSafe(|| std::panic::resume_unwind(Box::new("unseen"))));
        assert!(panicked.is_err() && is_raw(&near), "what unwinds without a panic is for the drop");
        assert!(catch_unwind(|| panic!("seen")).is_err());
        assert!(!is_raw(&near));
        drop(screen);
        assert_eq!(written(&mut far, 5), "inout");
    }
}
