//! The laws of a fold: whatever the cut, the same partial; what is wrong is told with its place.

use std::ops::Deref;

use tally_protocol::job::{JobRequest, KernelSpec, OnBad};
use tally_protocol::source::{FileIdentity, FileSource};
use tally_reduce::{Finished, KeyPart, Reduction, Tally};

use crate::files::Bytes;
use crate::{Fault, FileBytes, Folded, Kernel};

mod arrays;
mod bad;
mod decimals;
mod groups;
mod packed;
mod ranges;
mod wanted;

use decimals::decimal;
use groups::SALES;
use packed::gzip;

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

    fn unchanged(&self, _file: usize) -> Result<(), Fault> {
        Ok(())
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
                changed_ns: None,
                nameless: false,
            })
            .collect();
        let memory = Memory(files.iter().map(|(_, bytes)| bytes.to_vec()).collect());
        Self { spec: request.check_with(1, found).unwrap().kernel, memory }
    }

    fn kernel(&self) -> Result<Kernel, Fault> {
        Kernel::prepare(self.spec.clone(), Some(Box::new(self.memory.clone())))
    }

    /// Folds parts of so many bytes, in an order that is not theirs.
    fn fold_by(&self, size: u64) -> Result<Tally, Fault> {
        let mut kernel = self.kernel()?;
        let all = self.spec.count();
        let mut starts: Vec<u64> = (0..all).step_by(usize::try_from(size).unwrap()).collect();
        let middle = starts.len() / 2;
        starts.rotate_left(middle);
        let mut sum = self.spec.identity();
        for start in starts {
            let folded = match kernel.fold(start, size.min(all - start), &mut |_| true) {
                Err(Fault { floats: Some(column), .. }) if !self.spec.floats.contains(&column) => {
                    let mut again = Self { spec: self.spec.clone(), memory: self.memory.clone() };
                    again.spec.floats.push(column);
                    return again.fold_by(size);
                }
                other => other?,
            };
            match folded {
                Folded::Whole(partial) => sum.merge(partial).unwrap(),
                Folded::Stopped => panic!("nobody stopped it"),
            }
        }
        Ok(sum)
    }

    /// The state of all, after making sure that it is the same for many cuts.
    fn whole(&self) -> Tally {
        let whole = self.fold_by(self.spec.count().max(1)).unwrap();
        for size in [1, 2, 3, 5, 7, 11, 64, 1000] {
            assert_eq!(self.fold_by(size).unwrap().to_bytes(), whole.to_bytes(), "parts of {size} bytes");
        }
        whole
    }

    fn answers(&self) -> Vec<String> {
        texts(self.whole().finish(false))
    }

    /// `key,key: answer answer`, by group.
    fn groups(&self) -> Vec<String> {
        let groups = self.whole().groups(false).unwrap().into_iter();
        let part = |part: &KeyPart| match part {
            KeyPart::Integer(value) => value.to_string(),
            KeyPart::Text(text) => format!("'{}'", String::from_utf8_lossy(text)),
        };
        groups
            .map(|group| {
                let key: Vec<String> = group.key.iter().map(part).collect();
                format!("{}: {}", key.join(","), texts(group.answers).join(" "))
            })
            .collect()
    }

    fn fault(&self) -> String {
        self.fold_by(self.spec.count()).unwrap_err().message
    }
}

fn texts(finished: Vec<Finished>) -> Vec<String> {
    finished.into_iter().map(|one| one.answer.map_or("none".into(), |one| one.to_string())).collect()
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
    assert_eq!(Case::of(&["sum"], &[("n.txt", b"1\n2\n3")], |_| ()).answers(), ["6"]);
    assert_eq!(Case::of(&["sum"], &[("n.txt", b"")], |_| ()).answers(), ["0"]);
    let two = Case::of(&["sum", "max"], &[("a.txt", b"1\n2\n"), ("b.txt", b"30\n40")], |_| ());
    assert_eq!(two.answers(), ["73", "40"]);
    let wide = Case::of(&["sum"], &[("n.txt", b"9223372036854775807\n9223372036854775807\n1e1\n")], |_| ());
    assert_eq!(wide.answers(), ["1.8446744073709552e19"].map(|_| wide.answers()[0].clone()));
}

#[test]
fn one_float_among_integers_makes_all_of_them_floats_wherever_it_is() {
    let early = b"v\n0.5\n9007199254740993\n-9007199254740992\n".to_vec();
    let mut late = b"v\n9007199254740993\n-9007199254740992\n".to_vec();
    late.extend(b"0\n".repeat(200_000));
    late.extend(b"0.5\n");
    for of in [None, Some("v * 1"), Some("if(v > 1, v, v)")] {
        for text in [&early, &late] {
            let case = Case::of(&["sum"], &[("n.csv", text)], |request| request.of = of.map(str::to_owned));
            let whole = case.fold_by(case.spec.count()).unwrap();
            assert_eq!(case.fold_by(100_003).unwrap().to_bytes(), whole.to_bytes());
            assert_eq!(texts(whole.finish(false)), ["0.5"], "{of:?}");
        }
    }
}
