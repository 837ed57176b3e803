//! Exact sums of columns in a mapped file, against reading the same bytes, one value at a time, and `math.fsum`.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;

use tally_reduce::{Endian, FloatSum, Format, Indices, NanPolicy, Partial, Reduction};
use tally_sys::map::FileMap;

use crate::measure::{median, say, seconds};

const BYTES: usize = 800_000_000;
const ROUNDS: usize = 5;
/// What `math.fsum` is given: it is slow.
const FSUM_ELEMENTS: usize = 10_000_000;

pub(crate) fn columns(_binary: &str) {
    let directory = tempfile::tempdir().expect("a directory for the column");
    let path = directory.path().join("column");
    floats(&path, "uniform in [0, 1)", "2.0", |word| (word >> 11) as f64 * 2_f64.powi(-53));
    floats(&path, "exponents 2^-300 to 2^300", "3.5", |word| {
        f64::from_bits((word & 0x800f_ffff_ffff_ffff) | (723 + (word >> 52) % 601) << 52)
    });
    integers(&path);
}

fn floats(path: &Path, what: &str, goal: &str, value: impl Fn(u64) -> f64) {
    fill(path, |word| value(word).to_bits().to_le_bytes());
    let column = map(path);
    let (mut reading, mut exact, mut singly) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        reading.push(seconds(|| read(&column)));
        exact.push(seconds(|| drop(black_box(sum(&column, Format::F64(Endian::Little))))));
        singly.push(seconds(|| {
            let mut sum = FloatSum::new();
            for bytes in column.as_chunks().0 {
                sum.add(f64::from_le_bytes(*bytes));
            }
            black_box(sum.value());
        }));
    }
    let (reading, exact, singly) = (median(&mut reading), median(&mut exact), median(&mut singly));
    let each = 8e9 / BYTES as f64;
    println!("{what}: reading {:.2} ns an element, exact sum {:.2} ns", reading * each, exact * each);
    say("  exact sum to reading", exact / reading, &format!("at most {goal}"));
    say("  one at a time to exact sum", singly / exact, "at least 3");
    if let Some(fsum) = fsum(path) {
        say("  math.fsum to exact sum", fsum / FSUM_ELEMENTS as f64 * 1e9 / (exact * each), "at least 40");
    }
}

fn integers(path: &Path) {
    fill(path, u64::to_le_bytes);
    let column = map(path);
    let (mut wrapping, mut exact) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        wrapping.push(seconds(|| {
            let elements = column.as_chunks().0.iter();
            black_box(elements.fold(0_i64, |sum, bytes| sum.wrapping_add(i64::from_le_bytes(*bytes))));
        }));
        exact.push(seconds(|| drop(black_box(sum(&column, Format::I64(Endian::Little))))));
    }
    say("i64: exact sum to wrapping loop", median(&mut exact) / median(&mut wrapping), "at most 1.2");
}

fn sum(column: &[u8], format: Format) -> Partial {
    let mut partial = Partial::identity(&[Reduction::Sum]);
    partial.absorb_bytes(column, format, Indices::From(0), NanPolicy::Keep).expect("a few elements");
    partial
}

/// Looks at every word and does nothing with it that takes time.
fn read(column: &[u8]) {
    let mut seen = [0_u64; 32];
    for group in column.as_chunks::<256>().0 {
        for (seen, word) in seen.iter_mut().zip(group.as_chunks().0) {
            *seen |= u64::from_le_bytes(*word);
        }
    }
    black_box(seen);
}

/// Fills a file with what comes of pseudo-random words (splitmix64).
fn fill(path: &Path, mut element: impl FnMut(u64) -> [u8; 8]) {
    let mut file = BufWriter::new(File::create(path).expect("a file for the column"));
    let mut state = 1_u64;
    for _ in 0..BYTES / 8 {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        file.write_all(&element(word ^ (word >> 31))).expect("room for the column");
    }
    file.flush().expect("room for the column");
}

fn map(path: &Path) -> FileMap {
    FileMap::open(File::open(path).expect("the file is there"), 0, BYTES).expect("the file is that long")
}

/// Seconds that CPython takes for the first elements; none without CPython.
fn fsum(path: &Path) -> Option<f64> {
    let script = "import array, math, sys, time\n\
        a = array.array('d')\n\
        a.fromfile(open(sys.argv[1], 'rb'), int(sys.argv[2]))\n\
        t = time.perf_counter(); math.fsum(a); print(time.perf_counter() - t)";
    let output = Command::new("python3")
        .args(["-c", script])
        .arg(path)
        .arg(FSUM_ELEMENTS.to_string())
        .output()
        .ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
