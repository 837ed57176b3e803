//! The header of an `.npy` file, and where it says that numbers are: inside the file, or refused.

use tally_columns::{Buffer, Compression, Format, Npy, NpyError};

use crate::feed::Feed;

/// Header bytes that are looked at; a longer one is asked for, and refused beyond a bound.
const COLUMNS: u64 = 7;

/// The first byte chooses a column; the rest is the file.
pub fn run(bytes: &[u8]) {
    let mut feed = Feed::new(bytes);
    let column = Some(feed.below(COLUMNS)).filter(|column| *column > 0).map(|column| column - 1);
    let file = feed.rest();
    let _guesses = (Format::guess(file, false), Compression::from_bytes(file));
    let npy = match Npy::read(file) {
        Ok(npy) => npy,
        Err(NpyError::Need(more)) => {
            assert!(more > file.len(), "it has what it asks for");
            return;
        }
        Err(why) => {
            drop(why.to_string());
            return;
        }
    };
    // A shorter head is not enough, and says so.
    let head = usize::try_from(npy.data).expect("it was read");
    assert!(matches!(Npy::read(&file[..head - 1]), Err(NpyError::Need(_) | NpyError::NotNpy)));
    assert_eq!(Npy::read(&file[..head]).as_ref(), Ok(&npy));
    for file_bytes in [file.len() as u64, u64::MAX] {
        let Ok(fixed) = npy.fixed(column, file_bytes) else { continue };
        let (from, to) = fixed.range(0, fixed.count);
        assert!(npy.data <= from && from <= to && to <= file_bytes.max(npy.data), "{fixed:?}");
        if file_bytes == file.len() as u64 {
            numbers(&fixed, file);
        }
    }
}

/// Any run of the numbers is as many as it should be.
fn numbers(fixed: &tally_columns::Fixed, file: &[u8]) {
    let mut buffer = Buffer::default();
    for (first, end) in [(0, fixed.count), (fixed.count / 3, fixed.count / 2)] {
        let (from, to) = fixed.range(first, end);
        let place = |at: u64| usize::try_from(at).expect("it is in the file");
        let slice = fixed.slice(&file[place(from).min(file.len())..place(to).min(file.len())], &mut buffer);
        assert_eq!(slice.len() as u64, end - first, "{fixed:?} {first}..{end}");
    }
}
