//! Where the elements of a job come from: ranges of integers, or files that the client has opened.
//!
//! A job counts its source in positions: elements of ranges, bytes of files. Positions are what is cut into partitions,
//! leased and covered; how many elements lie in the bytes of a file is known when they have been folded.

use serde::{Deserialize, Serialize};
use tally_reduce::Integer;

use crate::limits;
use crate::range::Progression;
use crate::site::Site;

/// The bits of a place in files that number the row; those above number the file.
const ROW_BITS: u32 = 54;
const _: () = assert!(limits::FILES_MAX < 1 << (64 - ROW_BITS));

/// What a job folds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// Integers. Positions count their elements, through all of them in order.
    Ranges(Vec<Progression>),
    /// Files. Positions count their bytes, through all of them in order, or the files.
    Files(Files),
}

/// Files that belong together, as descriptors that travel beside the words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// Names the descriptors in this supervisor's life.
    pub set: u64,
    /// The files, in the order of the descriptors.
    pub files: Vec<FileSource>,
    /// Positions of a partition below which a cut costs more than it brings.
    pub grain: u64,
    /// Positions count whole files, and not their bytes.
    #[serde(default)]
    pub whole: bool,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSource {
    /// As the user called it; for people only.
    pub name: String,
    /// Its bytes when the job came.
    pub bytes: u64,
    /// What tells that it is still the same file.
    pub identity: FileIdentity,
    /// How it is read: a word of `--format`; by its name when absent.
    pub format: Option<String>,
    /// Where the daemon found it when it came, for the life after the next start; `None` of one without a name.
    #[serde(default)]
    pub path: Option<String>,
    /// When its bytes, names or rights were last changed, in nanoseconds since 1970: nobody can set that back. `None` in
    /// records of versions that did not look.
    #[serde(default)]
    pub changed_ns: Option<i128>,
    /// It is what a stream held, or has lost its name otherwise: what it is called says nothing that it does not end in.
    #[serde(default)]
    pub nameless: bool,
}

/// What changes when somebody writes to a file or puts another one in its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileIdentity {
    /// The device it is on.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its last change, in nanoseconds since 1970.
    pub modified_ns: i128,
}

impl Source {
    /// How many positions there are.
    #[must_use]
    pub fn positions(&self) -> u64 {
        match self {
            Self::Ranges(ranges) => ranges.iter().map(|one| one.count).sum(),
            Self::Files(files) => files.files.iter().map(|one| files.positions_of(one)).sum(),
        }
    }

    /// The files; none of ranges.
    #[must_use]
    pub fn files(&self) -> &[FileSource] {
        match self {
            Self::Ranges(_) => &[],
            Self::Files(files) => &files.files,
        }
    }

    /// Positions of the smallest partition that is worth its while.
    #[must_use]
    pub fn grain(&self) -> u64 {
        match self {
            Self::Ranges(_) => 1,
            Self::Files(files) => files.grain,
        }
    }

    /// The most pieces that it is cut into, however many are asked for: smaller ones take longer to hand out than to fold.
    #[must_use]
    pub fn pieces_max(&self) -> u64 {
        let (always, least) = match self {
            Self::Ranges(_) => (limits::RANGE_PIECES_ALWAYS, limits::RANGE_PIECE_ELEMENTS),
            Self::Files(_) => (limits::FILE_PIECES_ALWAYS, limits::FILE_GRAIN_BYTES),
        };
        let positions = self.positions();
        (positions / least).max(always).min(positions.max(1))
    }

    /// Where a place is that a partial has noted: of ranges a position, of files one of [`place_in_file`].
    #[must_use]
    pub fn locate(&self, place: u64) -> Option<Site> {
        match self {
            Self::Ranges(ranges) => runs(ranges, place, 1).next().map(|run| Site::of_element(&run.first)),
            Self::Files(files) => {
                let file = files.files.get(usize::try_from(place >> ROW_BITS).ok()?)?;
                let row = place & ((1 << ROW_BITS) - 1);
                Some(Site::of_file(&file.name).row(row + 1))
            }
        }
    }

    /// Positions as a person finds them: `0..10`, `0..10 step 2`, `bytes 0..65536 of data.csv`; several joined by commas.
    #[must_use]
    pub fn describe(&self, position: u64, count: u64) -> String {
        let texts: Vec<String> = match self {
            Self::Ranges(ranges) => runs(ranges, position, count).map(|run| describe_run(&run)).collect(),
            Self::Files(files) if files.whole => {
                parts(files, position, count).map(|part| files.files[part.file].name.clone()).collect()
            }
            Self::Files(files) => parts(files, position, count)
                .map(|part| format!("bytes {}..{} of {}", part.from, part.to, files.files[part.file].name))
                .collect(),
        };
        if texts.is_empty() { "nothing".to_owned() } else { texts.join(", ") }
    }
}

/// The runs of elements that `count` positions from `position` on cover, one for each range touched. Positions beyond
/// the end are left out.
pub fn runs(ranges: &[Progression], position: u64, count: u64) -> impl Iterator<Item = Progression> + '_ {
    let lengths = ranges.iter().map(|range| range.count);
    touched(lengths, position, count).map(|part| {
        let range = &ranges[part.file];
        Progression { first: range.at(part.from), step: range.step.clone(), count: part.to - part.from }
    })
}

/// The place of a row, counted from 0, of a file, counted from 0: earlier files have lower ones. `None` of a row so far
/// behind that no file has it.
#[must_use]
pub fn place_in_file(file: usize, row: u64) -> Option<u64> {
    (row >> ROW_BITS == 0 && file <= limits::FILES_MAX).then_some((file as u64) << ROW_BITS | row)
}

/// The parts of files that `count` positions from `position` on cover.
pub fn parts(files: &Files, position: u64, count: u64) -> impl Iterator<Item = Part> + '_ {
    touched(files.files.iter().map(|file| files.positions_of(file)), position, count)
}

impl Files {
    fn positions_of(&self, file: &FileSource) -> u64 {
        if self.whole { 1 } else { file.bytes }
    }
}

/// A part of one of several things that lie one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which, counted from 0.
    pub file: usize,
    /// Its first position in that one.
    pub from: u64,
    /// The position after its last.
    pub to: u64,
}

fn touched(lengths: impl Iterator<Item = u64>, position: u64, count: u64) -> impl Iterator<Item = Part> {
    let end = position.saturating_add(count);
    let mut base = 0_u64;
    lengths.enumerate().filter_map(move |(file, length)| {
        let start = base;
        base = base.saturating_add(length);
        let (from, to) = (position.max(start), end.min(base));
        (from < to).then(|| Part { file, from: from - start, to: to - start })
    })
}

fn describe_run(run: &Progression) -> String {
    let one = Integer::from(1);
    let up = run.step > Integer::from(0);
    let last = run.at(run.count - 1);
    let end = if up { &last + &one } else { &last - &one };
    if run.step == one {
        format!("{}..{end}", run.first)
    } else {
        format!("{}..{end} step {}", run.first, run.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, bytes: u64) -> FileSource {
        FileSource {
            name: name.into(),
            bytes,
            identity: FileIdentity::default(),
            format: None,
            path: None,
            changed_ns: None,
            nameless: false,
        }
    }

    #[test]
    fn positions_of_files_are_their_bytes() {
        let files = vec![file("a.csv", 100), file("empty.csv", 0), file("b.csv", 50)];
        let source = Source::Files(Files { set: 1, files, grain: 10, whole: false });
        assert_eq!(source.positions(), 150);
        assert_eq!(source.describe(90, 20), "bytes 90..100 of a.csv, bytes 0..10 of b.csv");
        assert_eq!(source.describe(150, 1), "nothing");
        let Source::Files(files) = &source else { panic!("they are files") };
        let whole = Source::Files(Files { whole: true, ..files.clone() });
        assert_eq!((whole.positions(), whole.describe(1, 2)), (3, "empty.csv, b.csv".to_owned()));
        let place = place_in_file(2, 41).unwrap();
        assert!(place > place_in_file(1, 1 << 53).unwrap());
        assert_eq!(source.locate(place), Some(Site::of_file("b.csv").row(42)));
        assert_eq!((source.locate(u64::MAX), place_in_file(0, 1 << 54)), (None, None));
    }

    #[test]
    fn elements_are_located_through_all_ranges() {
        let range =
            |first: i64, step: i64, count| Progression { first: first.into(), step: step.into(), count };
        let source = Source::Ranges(vec![range(-5, 1, 3), range(10, -2, 4)]);
        let at = |place| source.locate(place).and_then(|site| site.element);
        assert_eq!(
            (at(2).as_deref(), at(3).as_deref(), at(6).as_deref()),
            (Some("-3"), Some("10"), Some("4"))
        );
        assert_eq!(at(7), None);
    }

    #[test]
    fn nobody_cuts_finer_than_it_is_worth() {
        let range = |count| Source::Ranges(vec![Progression { first: 0.into(), step: 1.into(), count }]);
        let of = |bytes| {
            Source::Files(Files { set: 1, files: vec![file("a.csv", bytes)], grain: 1, whole: false })
        };
        assert_eq!([0, 1, 10, 1 << 40].map(|count| range(count).pieces_max()), [1, 1, 10, 1 << 24]);
        assert_eq!([0, 100, 2 << 20, 1 << 40].map(|bytes| of(bytes).pieces_max()), [1, 100, 4_096, 1 << 24]);
    }
}
