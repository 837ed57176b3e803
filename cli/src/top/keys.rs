//! From the bytes of a terminal to keys. Sequences that mean nothing here are skipped whole.

/// A key that was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Letter(char),
    Enter,
    Escape,
    Erase,
    Tab,
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    /// No key: the terminal has the user's attention again, or has lost it.
    FocusIn,
    FocusOut,
}

/// Bytes of which a key may still be made.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    held: Vec<u8>,
}

/// The longest sequence that is waited for.
const SEQUENCE_BYTES_MAX: usize = 16;

impl Keys {
    /// Takes what was read and returns the keys it makes. What one read gives belongs together: a single escape at its end is
    /// the key of that name.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Key> {
        self.held.extend_from_slice(bytes);
        let mut keys = Vec::new();
        let mut rest = std::mem::take(&mut self.held);
        loop {
            match next(&rest) {
                Next::Key(key, used) => {
                    keys.extend(key);
                    rest.drain(..used);
                }
                Next::More if rest.len() < SEQUENCE_BYTES_MAX => break,
                Next::More => rest.clear(),
            }
            if rest.is_empty() {
                break;
            }
        }
        self.held = rest;
        keys
    }
}

enum Next {
    /// A key, or a sequence that is none, and how many bytes it took.
    Key(Option<Key>, usize),
    More,
}

fn next(bytes: &[u8]) -> Next {
    match bytes {
        [] => Next::More,
        [b'\x1b'] => Next::Key(Some(Key::Escape), 1),
        [b'\x1b', b'[', rest @ ..] => sequence(rest, 2),
        [b'\x1b', b'O', rest @ ..] => match rest {
            [] => Next::More,
            [last, ..] => Next::Key(named(&[], *last), 3),
        },
        [b'\x1b', b'\x1b', ..] => Next::Key(Some(Key::Escape), 1),
        // Alt and a letter.
        [b'\x1b', _, ..] => Next::Key(None, 2),
        [b'\r' | b'\n', ..] => Next::Key(Some(Key::Enter), 1),
        [b'\t', ..] => Next::Key(Some(Key::Tab), 1),
        [b'\x7f' | b'\x08', ..] => Next::Key(Some(Key::Erase), 1),
        [0x02, ..] => Next::Key(Some(Key::PageUp), 1),
        [0x06, ..] => Next::Key(Some(Key::PageDown), 1),
        [0..0x20, ..] => Next::Key(None, 1),
        _ => letter(bytes),
    }
}

fn sequence(rest: &[u8], before: usize) -> Next {
    match rest.iter().position(|byte| (0x40..=0x7e).contains(byte)) {
        Some(0) if rest[0] == b'I' => Next::Key(Some(Key::FocusIn), before + 1),
        Some(0) if rest[0] == b'O' => Next::Key(Some(Key::FocusOut), before + 1),
        Some(end) => Next::Key(named(&rest[..end], rest[end]), before + end + 1),
        None => Next::More,
    }
}

fn named(parameters: &[u8], last: u8) -> Option<Key> {
    match (last, parameters) {
        (b'A', _) => Some(Key::Up),
        (b'B', _) => Some(Key::Down),
        (b'H', _) | (b'~', b"1" | b"7") => Some(Key::Home),
        (b'F', _) | (b'~', b"4" | b"8") => Some(Key::End),
        (b'~', b"5") => Some(Key::PageUp),
        (b'~', b"6") => Some(Key::PageDown),
        (b'M', _) => Some(Key::Enter),
        _ => None,
    }
}

fn letter(bytes: &[u8]) -> Next {
    let first = &bytes[..bytes.len().min(4)];
    let valid = match std::str::from_utf8(first) {
        Ok(text) => text,
        Err(why) if why.valid_up_to() == 0 => {
            return if why.error_len().is_some() { Next::Key(None, 1) } else { Next::More };
        }
        Err(why) => std::str::from_utf8(&first[..why.valid_up_to()]).unwrap_or_default(),
    };
    let letter = valid.chars().next();
    Next::Key(letter.map(Key::Letter), letter.map_or(1, char::len_utf8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        Keys::default().feed(bytes)
    }

    #[test]
    fn letters_and_named_keys() {
        assert_eq!(keys("qé".as_bytes()), [Key::Letter('q'), Key::Letter('é')]);
        assert_eq!(
            keys(b"\x1b[A\x1bOB\x1b[5~\x1b[6~\x1b[1~\x1b[F"),
            [Key::Up, Key::Down, Key::PageUp, Key::PageDown, Key::Home, Key::End]
        );
        assert_eq!(keys(b"\x1b[Oq\x1b[I\x1bOI"), [Key::FocusOut, Key::Letter('q'), Key::FocusIn]);
        assert_eq!(keys(b"\r\t\x7f\x08"), [Key::Enter, Key::Tab, Key::Erase, Key::Erase]);
    }

    #[test]
    fn a_sequence_may_come_in_pieces() {
        let mut two = Keys::default();
        assert_eq!(two.feed(b"\x1b["), []);
        assert_eq!(two.feed(b"Aj"), [Key::Up, Key::Letter('j')]);
        assert_eq!(two.feed(&[0xc3]), []);
        assert_eq!(two.feed(&[0xa9]), [Key::Letter('é')]);
        assert_eq!(two.feed(b"\x1b"), [Key::Escape]);
    }

    #[test]
    fn what_means_nothing_is_skipped_whole() {
        assert_eq!(keys(b"\x1b[?1;2cq"), [Key::Letter('q')]);
        assert_eq!(keys(b"\x1bxq\x01q"), [Key::Letter('q'), Key::Letter('q')]);
        assert_eq!(keys(&[0xff, 0xff, 0xff, 0xff, b'q']).last(), Some(&Key::Letter('q')));
        assert_eq!(keys(&[b"\x1b[".as_slice(), &[b'1'; 40]].concat()), []);
    }
}
