//! The laws of a fold: whatever the cut, the same partial; what is wrong is told with its place.

use std::ops::Deref;

use tally_protocol::job::{JobRequest, KernelSpec};
use tally_protocol::source::{FileIdentity, FileSource};
use tally_reduce::Partial;

use crate::files::Bytes;
use crate::{Fault, FileBytes, Folded, Kernel};

#[derive(Clone)]
struct Memory(Vec<Vec<u8>>);

struct Owned(Vec<u8>);

impl Deref for Owned {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl FileBytes for Memory {
    fn part(&self, file: usize, from: u64, to: u64) -> Result<Bytes, Fault> {
        let all = &self.0[file];
        let at = |offset: u64| usize::try_from(offset).unwrap().min(all.len());
        Ok(Box::new(Owned(all[at(from)..at(to)].to_vec())))
    }
}

struct Case {
    spec: KernelSpec,
    memory: Memory,
}

impl Case {
    fn of(reductions: &[&str], files: &[(&str, &[u8])], change: impl FnOnce(&mut JobRequest)) -> Self {
        let mut request = JobRequest {
            reductions: reductions.iter().map(|&name| name.to_owned()).collect(),
            sources: files.iter().map(|(name, _)| (*name).to_owned()).collect(),
            files: true,
            ..JobRequest::default()
        };
        change(&mut request);
        let found = files
            .iter()
            .map(|(name, bytes)| FileSource {
                name: (*name).to_owned(),
                bytes: bytes.len() as u64,
                identity: FileIdentity::default(),
                format: None,
                path: None,
            })
            .collect();
        let memory = Memory(files.iter().map(|(_, bytes)| bytes.to_vec()).collect());
        Self { spec: request.check_with(1, found).unwrap().kernel, memory }
    }

    fn kernel(&self) -> Result<Kernel, Fault> {
        Kernel::prepare(self.spec.clone(), Some(Box::new(self.memory.clone())))
    }

    /// Folds parts of so many bytes, in an order that is not theirs.
    fn fold_by(&self, size: u64) -> Result<Partial, Fault> {
        let mut kernel = self.kernel()?;
        let all = self.spec.count();
        let mut starts: Vec<u64> = (0..all).step_by(usize::try_from(size).unwrap()).collect();
        let middle = starts.len() / 2;
        starts.rotate_left(middle);
        let mut sum = Partial::identity(&self.spec.reductions);
        for start in starts {
            match kernel.fold(start, size.min(all - start), &mut |_| true)? {
                Folded::Whole(partial) => sum.merge(partial).unwrap(),
                Folded::Stopped => panic!("nobody stopped it"),
            }
        }
        Ok(sum)
    }

    /// The answers, after making sure that they are the same for many cuts.
    fn answers(&self) -> Vec<String> {
        let whole = self.fold_by(self.spec.count().max(1)).unwrap();
        for size in [1, 2, 3, 5, 7, 11, 64, 1000] {
            assert_eq!(self.fold_by(size).unwrap().to_bytes(), whole.to_bytes(), "parts of {size} bytes");
        }
        whole
            .finish(false)
            .into_iter()
            .map(|(_, answer)| answer.map_or("none".into(), |one| one.to_string()))
            .collect()
    }

    fn fault(&self) -> String {
        self.fold_by(self.spec.count()).unwrap_err().message
    }
}

const CSV: &[u8] =
    b"name,price,n\r\n\"a, b\",1.5,1\r\n\"line\nfeed\",2.25,2\r\nc,-0.75,3\r\n\"q\"\"q\",1e3,4";

#[test]
fn columns_of_a_table() {
    let of =
        |of: &str| Case::of(&["sum", "count", "min", "max"], &[("t.csv", CSV)], |r| r.of = Some(of.into()));
    assert_eq!(of("price").answers(), ["1003.0", "4", "-0.75", "1000.0"]);
    assert_eq!(of("n").answers(), ["10", "4", "1", "4"]);
    assert_eq!(of("n * n").answers(), ["30", "4", "1", "16"]);
    assert_eq!(of("price * n").answers(), ["4003.75", "4", "-2.25", "4000.0"]);
}

#[test]
fn rows_are_filtered() {
    let of = |filter: &str| {
        Case::of(&["sum", "count"], &[("t.csv", CSV)], |r| {
            r.of = Some("n".into());
            r.filter = Some(filter.into());
        })
    };
    assert_eq!(of("price > 1").answers(), ["7", "3"]);
    assert_eq!(of("name == 'c'").answers(), ["3", "1"]);
    assert_eq!(of("name in ('a, b', 'q\"q')").answers(), ["5", "2"]);
    assert_eq!(of("n > 9").answers(), ["0", "0"]);
}

#[test]
fn the_only_column_of_numbers_needs_no_name() {
    let case = Case::of(&["sum"], &[("t.csv", b"a,b\nx,1\ny,2\n")], |_| ());
    assert_eq!(case.answers(), ["3"]);
    let several = Case::of(&["sum"], &[("t.csv", CSV)], |_| ());
    let fault = several.kernel().unwrap_err();
    assert_eq!(fault.message, "choose a column of t.csv: several have numbers");
    assert_eq!(fault.hint.unwrap(), "name one with --of: price, n");
    assert_eq!(Case::of(&["count"], &[("t.csv", CSV)], |_| ()).answers(), ["4"]);
}

#[test]
fn lines_of_numbers() {
    assert_eq!(Case::of(&["sum"], &[("n.txt", b"1\n2\n\n3")], |_| ()).answers(), ["6"]);
    assert_eq!(Case::of(&["sum"], &[("n.txt", b"")], |_| ()).answers(), ["0"]);
    let two = Case::of(&["sum", "max"], &[("a.txt", b"1\n2\n"), ("b.txt", b"30\n40")], |_| ());
    assert_eq!(two.answers(), ["73", "40"]);
    let wide = Case::of(&["sum"], &[("n.txt", b"9223372036854775807\n9223372036854775807\n1e1\n")], |_| ());
    assert_eq!(wide.answers(), ["1.8446744073709552e19"].map(|_| wide.answers()[0].clone()));
}

#[test]
fn one_float_among_integers_leaves_the_integers_exact() {
    let case = Case::of(&["sum"], &[("n.csv", b"v\n9007199254740993\n-9007199254740992\n0.5\n")], |_| ());
    assert_eq!(case.answers(), ["0.5"], "the first rows say floats, and the nearest float is even");
    let mut late = b"v\n9007199254740993\n-9007199254740992\n".to_vec();
    late.extend(b"0\n".repeat(200_000));
    late.extend(b"0.5\n");
    let case = Case::of(&["sum"], &[("n.csv", &late)], |_| ());
    let whole = case.fold_by(case.spec.count()).unwrap();
    assert_eq!(case.fold_by(100_003).unwrap().to_bytes(), whole.to_bytes());
    assert_eq!(whole.finish(false)[0].1.as_ref().unwrap().to_string(), "1.5");
}

#[test]
fn raw_numbers_and_arrays() {
    let floats: Vec<u8> =
        [1.5_f64, -2.0, 1e300, -1e300, 0.25].iter().flat_map(|one| one.to_le_bytes()).collect();
    let raw = Case::of(&["sum", "count"], &[("d.bin", &floats)], |r| r.format = Some("f64le".into()));
    assert_eq!(raw.answers(), ["-0.25", "5"]);
    let squares = Case::of(&["sum"], &[("d.bin", &floats[..16])], |r| {
        r.format = Some("f64le".into());
        r.of = Some("value * value".into());
    });
    assert_eq!(squares.answers(), ["6.25"]);
    let mut npy =
        b"\x93NUMPY\x01\x00\x46\x00{'descr': '<i4', 'fortran_order': False, 'shape': (3,), }".to_vec();
    npy.resize(10 + 0x46 - 1, b' ');
    npy.push(b'\n');
    npy.extend([7_i32, -1, 5].iter().flat_map(|one| one.to_le_bytes()));
    let array = Case::of(&["sum", "min"], &[("a.npy", &npy)], |_| ());
    assert_eq!(array.answers(), ["11", "-1"]);
    let torn = Case::of(&["sum"], &[("d.bin", &floats[..15])], |r| r.format = Some("f64le".into()));
    assert!(torn.kernel().unwrap_err().message.contains("d.bin"));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let bad = Case::of(&["sum"], &[("n.csv", b"v\n1\n\"x\ny\"\n3\n")], |_| ());
    assert_eq!(bad.fault(), "read n.csv: row 3, column v: 'x\u{fffd}y' is not a number");
    let skipped = Case::of(&["sum"], &[("n.csv", b"v\n1\nx\n3\n")], |r| {
        r.on_bad = Some(tally_protocol::job::OnBad::Skip)
    });
    assert_eq!(skipped.answers(), ["4"]);
    assert_eq!(skipped.fold_by(100).unwrap().skipped(), 1);
    let zero = Case::of(&["sum"], &[("n.csv", b"v\n1\n0\n")], |r| r.of = Some("1 // v".into()));
    assert_eq!(zero.fault(), "compute '1 // v': division by zero in row 3 of n.csv");
    let line = Case::of(&["sum"], &[("n.txt", b"1\n2\n0\n")], |r| r.of = Some("1 // value".into()));
    assert_eq!(
        line.fold_by(2).unwrap_err().message,
        "compute '1 // value': division by zero in row 3 of n.txt"
    );
    let unknown = Case::of(&["sum"], &[("n.csv", b"price\n1\n")], |r| r.of = Some("prise".into()));
    let fault = unknown.kernel().unwrap_err();
    assert_eq!(fault.message, "find column 'prise' in n.csv: there is no such column");
    assert_eq!(fault.hint.unwrap(), "did you mean 'price'?");
}

#[test]
fn ranges_with_expressions() {
    let request = JobRequest {
        reductions: vec!["sum".into(), "count".into()],
        sources: vec!["0..1000".into(), "-5..5".into()],
        of: Some("i * i % 7".into()),
        filter: Some("i % 2 == 0".into()),
        ..JobRequest::default()
    };
    let spec = request.check().unwrap().kernel;
    let mut kernel = Kernel::prepare(spec.clone(), None).unwrap();
    let mut sum = Partial::identity(&spec.reductions);
    for start in (0..spec.count()).step_by(13) {
        match kernel.fold(start, 13.min(spec.count() - start), &mut |_| true).unwrap() {
            Folded::Whole(partial) => sum.merge(partial).unwrap(),
            Folded::Stopped => panic!("nobody stopped it"),
        }
    }
    let expected: i64 = (0..1000).chain(-5..5).filter(|i| i % 2 == 0).map(|i| i * i % 7).sum();
    let answers: Vec<String> =
        sum.finish(false).into_iter().map(|(_, answer)| answer.unwrap().to_string()).collect();
    assert_eq!(answers, [expected.to_string(), "505".to_owned()]);
}
