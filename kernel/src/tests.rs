//! The laws of a fold: whatever the cut, the same partial; what is wrong is told with its place.

use std::ops::Deref;

use tally_protocol::job::{JobRequest, KernelSpec, OnBad};
use tally_protocol::source::{FileIdentity, FileSource};
use tally_reduce::{Finished, KeyPart, Tally};

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
    finished.into_iter().map(|(_, answer)| answer.map_or("none".into(), |one| one.to_string())).collect()
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

/// An npy file of version 1 with these numbers.
fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let mut head = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
    while (head.len() + 11) % 64 != 0 {
        head.push(' ');
    }
    head.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend(u16::try_from(head.len()).unwrap().to_le_bytes());
    file.extend(head.bytes());
    file.extend(data);
    file
}

#[test]
fn columns_of_an_array_of_two_axes() {
    let data = |order: &[i32]| order.iter().flat_map(|one| one.to_be_bytes()).collect::<Vec<u8>>();
    let rows = npy(">i4", false, "(4, 3)", &data(&[1, 10, 100, 2, 20, 200, 3, 30, 300, 4, 40, 400]));
    let columns = npy(">i4", true, "(4, 3)", &data(&[1, 2, 3, 4, 10, 20, 30, 40, 100, 200, 300, 400]));
    let one = npy(">i4", false, "(4, 1)", &data(&[1, 2, 3, 4]));
    let of = |file: &[u8], of: &str| {
        Case::of(&["sum", "count"], &[("a.npy", file)], |request| request.of = Some(of.into()))
    };
    for file in [&rows, &columns, &gzip(&rows)] {
        assert_eq!(of(file, "c1").answers(), ["10", "4"]);
        assert_eq!(of(file, "c3").answers(), ["1000", "4"]);
        assert_eq!(of(file, "c2 * c1 + c3").answers(), ["1300", "4"]);
        assert_eq!(of(file, "7").answers(), ["28", "4"]);
        assert_eq!(Case::of(&["count"], &[("a.npy", file)], |_| ()).answers(), ["4"]);
        let several = Case::of(&["sum"], &[("a.npy", file)], |_| ()).kernel().unwrap_err();
        assert_eq!(several.message, "choose a column of a.npy: it has 3");
        assert_eq!(several.hint.unwrap(), "name one with --of: c1, c2, c3");
        for name in ["c0", "c4", "value", "c"] {
            let fault = of(file, name).kernel().unwrap_err();
            assert_eq!(fault.message, format!("find column '{name}' in a.npy: there is no such column"));
        }
    }
    let filtered = Case::of(&["sum"], &[("a.npy", &rows)], |request| {
        request.of = Some("c3".into());
        request.filter = Some("c1 % 2 == 0".into());
    });
    assert_eq!(filtered.answers(), ["600"]);
    assert_eq!(of(&gzip(&columns), "c2").answers(), ["100", "4"]);
    let apart = of(&gzip(&columns), "c1 + c2").kernel().unwrap_err();
    assert!(apart.message.contains("it is compressed"), "{apart}");
    assert_eq!(of(&one, "value").answers(), ["10", "4"]);
    assert_eq!(of(&one, "c1").answers(), ["10", "4"]);
    assert_eq!(Case::of(&["sum"], &[("a.npy", &one)], |_| ()).answers(), ["10"]);
    let cube = Case::of(&["sum"], &[("a.npy", &npy("<i4", false, "(2, 1, 2)", &[0; 16]))], |_| ());
    assert!(cube.kernel().unwrap_err().message.contains("3 axes"));
}

#[test]
fn elements_without_an_answer_are_bad_ones() {
    use tally_protocol::job::{Nan, OnBad};
    let text = b"k,n,d\na,7,0\nb,8,2\na,9,3\n\nb,5,0\n";
    let case = |file: &str, bytes: &[u8], on_bad, change: &dyn Fn(&mut JobRequest)| {
        Case::of(&["sum", "count"], &[(file, bytes)], |request| {
            request.of = Some("n // d".into());
            request.on_bad = Some(on_bad);
            change(request);
        })
    };
    let table = |on_bad, change: &dyn Fn(&mut JobRequest)| case("t.csv", text, on_bad, change);
    assert_eq!(table(OnBad::Skip, &|_| ()).answers(), ["7", "2"]);
    assert_eq!(table(OnBad::Skip, &|_| ()).whole().skipped(), 2);
    assert_eq!(table(OnBad::Nan, &|_| ()).answers(), ["nan", "4"]);
    assert_eq!(table(OnBad::Nan, &|request| request.nan = Some(Nan::Skip)).answers(), ["7", "2"]);
    assert!(table(OnBad::Error, &|_| ()).fault().contains("division by zero"));
    let by = |request: &mut JobRequest| request.by = vec!["k".into()];
    assert_eq!(table(OnBad::Skip, &by).groups(), ["'a': 3 1", "'b': 4 1"]);
    assert_eq!(table(OnBad::Nan, &by).groups(), ["'a': nan 2", "'b': nan 2"]);
    let filter = |request: &mut JobRequest| {
        request.of = Some("n".into());
        request.filter = Some("n % d < 1".into());
    };
    assert_eq!(table(OnBad::Skip, &filter).answers(), ["17", "2"], "a filter without an answer counts, too");
    let numbers: Vec<u8> = (0..3000_i32).flat_map(|n| (n % 3).to_le_bytes()).collect();
    let array = |on_bad| {
        case("a.raw", &numbers, on_bad, &|request| {
            request.format = Some("i32le".into());
            request.of = Some("6 // value".into());
        })
    };
    assert_eq!(texts(array(OnBad::Skip).fold_by(777).unwrap().finish(false)), ["9000", "2000"]);
    assert_eq!(texts(array(OnBad::Nan).fold_by(777).unwrap().finish(false)), ["nan", "3000"]);
    let long = decimal(&["sum", "count"], |request| {
        request.of = Some("price ** 3000".into());
        request.on_bad = Some(OnBad::Skip);
    });
    assert!(long.whole().skipped() + long.whole().elements() == 6);
}

#[test]
fn names_of_constants_need_no_column() {
    let of = |text: &[u8], of: &str| {
        Case::of(&["max"], &[("t.csv", text)], |request| request.of = Some(of.into()))
    };
    assert_eq!(of(b"r,x\n2.0,y\n", "pi * r").answers(), ["6.283185307179586"]);
    assert_eq!(of(b"r,pi\n2.0,3\n", "pi * r").answers(), ["6.0"]);
    assert_eq!(of(b"r,x\n2.0,y\n", "if(r < inf, r, nan)").answers(), ["2.0"]);
    assert!(of(b"r,x\n2.0,y\n", "col('pi')").kernel().unwrap_err().message.contains("pi"));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let bad = Case::of(&["sum"], &[("n.csv", b"v\n1\n\"x\ny\"\n3\n")], |_| ());
    assert_eq!(bad.fault(), "read n.csv: row 3, column v: 'x?y' is not a number");
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
    assert_eq!(fault.place.unwrap(), "    prise\n    ^^^^^");
}

#[test]
fn numbers_of_a_range_without_an_answer_are_bad_ones() {
    let of = |on_bad: &str, count: u64| {
        let request = JobRequest {
            reductions: vec!["sum".into(), "count".into()],
            sources: vec!["-1500..1500".into()],
            of: Some("1500 // i".into()),
            on_bad: tally_protocol::job::OnBad::from_name(on_bad),
            ..JobRequest::default()
        };
        let spec = request.check().unwrap().kernel;
        let mut kernel = Kernel::prepare(spec.clone(), None).unwrap();
        let mut sum = spec.identity();
        for start in (0..spec.count()).step_by(usize::try_from(count).unwrap()) {
            match kernel.fold(start, count.min(spec.count() - start), &mut |_| true)? {
                Folded::Whole(partial) => sum.merge(partial).unwrap(),
                Folded::Stopped => panic!("nobody stopped it"),
            }
        }
        assert!(spec.counts_positions() == (on_bad != "skip") && sum.elements() + sum.skipped() == 3000);
        Ok::<_, Fault>(texts(sum.finish(false)))
    };
    let floor = |i: i64| 1500_i64.div_euclid(i) - i64::from(i < 0 && 1500 % i != 0);
    let floor: i64 = (-1500..1500).filter(|i| *i != 0).map(floor).sum();
    for count in [3000, 1, 700] {
        assert_eq!(of("skip", count).unwrap(), [floor.to_string(), "2999".into()]);
        assert_eq!(of("nan", count).unwrap(), ["nan", "3000"]);
        assert!(of("error", count).unwrap_err().message.contains("at i = 0"));
    }
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
    let mut sum = spec.identity();
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

const SALES: &[u8] = b"region,year,price,n\nnorth,2024,1.10,1\nsouth,2023,2.20,2\n\"north\",2024,-0.3,3\n\"a,\nb\",99,5,4\nsouth,2024,1e1,5\nnorth,x,0.00,99999999999999999999\n";

fn sales(by: &[&str], change: impl FnOnce(&mut JobRequest)) -> Case {
    Case::of(&["sum", "count"], &[("s.csv", SALES)], |request| {
        request.by = by.iter().map(|&name| name.to_owned()).collect();
        change(request);
    })
}

#[test]
fn rows_are_grouped_by_their_cells() {
    let price = |request: &mut JobRequest| request.of = Some("price".into());
    assert_eq!(sales(&["region"], price).groups(), ["'a,\nb': 5.0 1", "'north': 0.8 3", "'south': 12.2 2"]);
    assert_eq!(
        sales(&["year"], price).groups(),
        ["99: 5.0 1", "2023: 2.2 1", "2024: 10.8 3", "'x': 0.0 1"],
        "integers by their value, before texts"
    );
    assert_eq!(
        sales(&["region", "year"], |request| request.of = Some("n".into())).groups(),
        [
            "'a,\nb',99: 4 1",
            "'north',2024: 4 2",
            "'north','x': 99999999999999999999 1",
            "'south',2023: 2 1",
            "'south',2024: 5 1"
        ]
    );
}

#[test]
fn groups_are_of_the_rows_that_pass_and_of_what_is_computed() {
    let case = sales(&["region"], |request| {
        request.of = Some("n * 2".into());
        request.filter = Some("price >= 0 and n != 2".into());
    });
    assert_eq!(case.groups(), ["'a,\nb': 8 1", "'north': 200000000000000000000 2", "'south': 10 1"]);
    let counted = Case::of(&["count"], &[("s.csv", SALES)], |request| request.by = vec!["region".into()]);
    assert_eq!(counted.groups(), ["'a,\nb': 1", "'north': 3", "'south': 2"]);
    let unknown = sales(&["regoin"], |request| request.of = Some("n".into()));
    assert_eq!(unknown.kernel().unwrap_err().hint.unwrap(), "did you mean 'region'?");
}

#[test]
fn rows_that_are_left_out_are_of_no_group() {
    let text = b"k,v\na,1\nb,x\na,2\n\nc,\n";
    let case = Case::of(&["sum"], &[("t.csv", text)], |request| {
        request.by = vec!["k".into()];
        request.of = Some("v".into());
        request.on_bad = Some(tally_protocol::job::OnBad::Skip);
    });
    assert_eq!(case.groups(), ["'a': 3"]);
    assert_eq!(case.whole().skipped(), 2);
}

#[test]
fn many_groups_are_gathered_and_too_many_are_refused() {
    let mut text = b"k,v\n".to_vec();
    for row in 0..70_000 {
        text.extend(format!("{},{}\n", row % 701, row).bytes());
    }
    let by = |text: &[u8]| {
        Case::of(&["sum", "max"], &[("t.csv", text)], |request| {
            request.by = vec!["k".into()];
            request.of = Some("v".into());
        })
    };
    let case = by(&text);
    let whole = case.fold_by(case.spec.count()).unwrap();
    assert_eq!(case.fold_by(99_991).unwrap().to_bytes(), whole.to_bytes());
    let groups = whole.groups(false).unwrap();
    assert_eq!(groups.len(), 701);
    let expected: u64 = (0..70_000).filter(|row| row % 701 == 700).sum();
    assert_eq!(texts(groups[700].answers.clone())[0], expected.to_string());
    let mut text = b"k,v\n".to_vec();
    for row in 0..200_000 {
        text.extend(format!("{row},1\n").bytes());
    }
    let fault = by(&text).fold_by(1 << 30).unwrap_err();
    assert!(fault.message.starts_with("hold ") && fault.message.contains(" groups: "), "{}", fault.message);
    assert!(fault.hint.is_some());
}

fn decimal(reductions: &[&str], change: impl FnOnce(&mut JobRequest)) -> Case {
    Case::of(reductions, &[("s.csv", SALES)], |request| {
        request.decimal = true;
        change(request);
    })
}

#[test]
fn decimals_are_exact() {
    let all = ["sum", "min", "max", "count"];
    assert_eq!(
        decimal(&all, |request| request.of = Some("price".into())).answers(),
        ["18.00", "-0.30", "10.00", "6"]
    );
    assert_eq!(
        decimal(&all, |request| {
            request.of = Some("price * n".into());
            request.filter = Some("region == 'north'".into());
        })
        .answers(),
        ["0.20", "-0.90", "1.10", "3"]
    );
    assert_eq!(decimal(&["count"], |_| ()).answers(), ["6"]);
    let wide = b"v\n0.1234567890123456789012345678901234567890\n-0.1\n1e2\n";
    let case = Case::of(&["sum"], &[("w.csv", wide)], |request| request.decimal = true);
    assert_eq!(case.answers(), ["100.0234567890123456789012345678901234567890"]);
}

#[test]
fn decimals_are_grouped() {
    let by = |reductions: &[&str], change: fn(&mut JobRequest)| {
        decimal(reductions, |request| {
            request.by = vec!["region".into()];
            change(request);
        })
    };
    let price = by(&["sum", "max", "mean", "count"], |request| request.of = Some("price".into()));
    assert_eq!(
        price.groups(),
        ["'a,\nb': 5 5 5 1", "'north': 0.80 1.10 none 3", "'south': 12.20 10.00 6.10 2"],
        "each with the digits of its own cells"
    );
    let computed = by(&["sum"], |request| {
        request.of = Some("price * n".into());
        request.filter = Some("n < 5".into());
    });
    assert_eq!(computed.groups(), ["'a,\nb': 20", "'north': 0.20", "'south': 4.40"]);
    assert_eq!(by(&["count"], |_| ()).groups(), ["'a,\nb': 1", "'north': 3", "'south': 2"]);
    let mut text = b"k,v\n".to_vec();
    for row in 0..70_000_u32 {
        text.extend(format!("{},{}.{:02}\n", row % 7, row, row % 100).bytes());
    }
    let case = Case::of(&["sum"], &[("t.csv", &text)], |request| {
        request.decimal = true;
        request.by = vec!["k".into()];
        request.of = Some("v".into());
    });
    let whole = case.fold_by(case.spec.count()).unwrap();
    assert_eq!(case.fold_by(99_991).unwrap().to_bytes(), whole.to_bytes());
    let cents: u64 = (0..70_000).filter(|row| row % 7 == 6).map(|row| row * 100 + row % 100).sum();
    let last = texts(whole.groups(false).unwrap().pop().unwrap().answers);
    assert_eq!(last, [format!("{}.{:02}", cents / 100, cents % 100)]);
}

#[test]
fn decimals_are_never_rounded() {
    let mean = |text: &[u8]| Case::of(&["mean"], &[("m.txt", text)], |request| request.decimal = true);
    assert_eq!(mean(b"0.1\n0.2\n").answers(), ["0.15"]);
    let endless = mean(b"1\n1\n2\n").whole().finish(false).remove(0).1.unwrap_err();
    assert!(endless.to_string().contains("never end"), "{endless}");
    let fault = decimal(&["sum"], |request| request.of = Some("price / 3".into())).kernel().unwrap_err();
    assert!(fault.usage && fault.place.is_some(), "{fault}");
    let bad = Case::of(&["sum"], &[("m.txt", b"1.5\nnan\n")], |request| request.decimal = true);
    assert_eq!(bad.fault(), "read m.txt: row 2, column value: 'nan' is not a finite decimal number");
}

/// A gzip file of one member with the bytes as they are.
fn gzip(text: &[u8]) -> Vec<u8> {
    let mut packed = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff".to_vec();
    let blocks: Vec<&[u8]> = text.chunks(60_000).collect();
    for (at, block) in blocks.iter().enumerate() {
        let length = u16::try_from(block.len()).unwrap();
        packed.push(u8::from(at + 1 == blocks.len()));
        packed.extend(length.to_le_bytes());
        packed.extend((!length).to_le_bytes());
        packed.extend_from_slice(block);
    }
    let crc = !text.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    });
    packed.extend(crc.to_le_bytes());
    packed.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
    packed
}

/// A Zstandard file of one frame with the bytes as they are.
fn zstd(text: &[u8]) -> Vec<u8> {
    let mut packed = b"\x28\xb5\x2f\xfd\x00\x50".to_vec();
    let blocks: Vec<&[u8]> = text.chunks(60_000).collect();
    for (at, block) in blocks.iter().enumerate() {
        let head = u32::try_from(block.len()).unwrap() << 3 | u32::from(at + 1 == blocks.len());
        packed.extend(&head.to_le_bytes()[..3]);
        packed.extend_from_slice(block);
    }
    packed
}

#[test]
fn compressed_files_are_the_same_as_plain_ones() {
    let by = |name: &str, bytes: &[u8]| {
        Case::of(&["sum", "count"], &[(name, bytes)], |request| {
            request.by = vec!["region".into()];
            request.of = Some("price".into());
        })
    };
    let plain = by("s.csv", SALES).groups();
    assert_eq!(by("s.csv.gz", &gzip(SALES)).groups(), plain);
    assert_eq!(by("s.csv.zst", &zstd(SALES)).groups(), plain);
    assert_eq!(by("s.csv", &gzip(SALES)).groups(), plain, "a misnamed file is read right");
    let two = Case::of(
        &["sum"],
        &[("a.txt", b"1\n2"), ("b.txt.gz", &gzip(b"30\n40\n")), ("c.txt", b"500")],
        |_| (),
    );
    assert_eq!(two.answers(), ["573"]);
    let floats: Vec<u8> = [1.5_f64, -2.0, 0.25].iter().flat_map(|one| one.to_le_bytes()).collect();
    let raw = |bytes: &[u8]| {
        Case::of(&["sum", "count"], &[("d.gz", bytes)], |request| request.format = Some("f64le".into()))
    };
    assert_eq!(raw(&gzip(&floats)).answers(), ["-0.25", "3"]);
    assert!(raw(&gzip(&floats[..20])).fault().contains("incomplete"));
    let mut npy =
        b"\x93NUMPY\x01\x00\x46\x00{'descr': '<i4', 'fortran_order': False, 'shape': (3,), }".to_vec();
    npy.resize(10 + 0x46 - 1, b' ');
    npy.push(b'\n');
    npy.extend([7_i32, -1, 5].iter().flat_map(|one| one.to_le_bytes()));
    let array = |bytes: &[u8]| Case::of(&["sum", "min"], &[("a.npy.gz", bytes)], |_| ());
    assert_eq!(array(&gzip(&npy)).answers(), ["11", "-1"]);
    assert!(array(&gzip(&npy[..npy.len() - 3])).fault().contains("cut off"));
}

#[test]
fn a_large_or_damaged_stream_is_read_whole_or_refused() {
    let mut text = b"v\n".to_vec();
    (0..400_000).for_each(|row| text.extend(format!("{row}\n").bytes()));
    let packed = gzip(&text);
    let case = |bytes: &[u8]| Case::of(&["sum"], &[("t.csv.gz", bytes)], |_| ());
    let whole = case(&packed);
    assert_eq!(texts(whole.fold_by(1 << 20).unwrap().finish(false)), ["79999800000"]);
    let mut told = 0;
    let stopped = whole.kernel().unwrap().fold(0, whole.spec.count(), &mut |done| {
        told += 1;
        assert!(done <= whole.spec.count());
        told < 2
    });
    assert!(matches!(stopped, Ok(Folded::Stopped)));
    assert!(case(&packed[..packed.len() / 2]).fault().starts_with("unpack t.csv.gz: "));
    let row = case(&gzip(b"v\n1\n3\n\"x\ny\"\n")).fault();
    assert_eq!(row, "read t.csv.gz: row 4, column v: 'x?y' is not a number");
}

#[test]
fn tables_longer_than_a_window() {
    use std::fmt::Write;
    let mut text = String::from("text,n\n");
    for row in 0..60_000 {
        // Now and then a row that is longer than a window, and line feeds within quotes.
        let filler = if row % 20_000 == 7 { "x\n\"\"".repeat(80_000) } else { "a,\n".repeat(row % 5) };
        writeln!(text, "\"{filler}\",{row}").unwrap();
    }
    let case = Case::of(&["sum", "count", "max"], &[("t.csv", text.as_bytes())], |r| r.of = Some("n".into()));
    let whole = case.fold_by(case.spec.count()).unwrap();
    for size in [300_001, 65_536, 1 << 20] {
        assert_eq!(case.fold_by(size).unwrap().to_bytes(), whole.to_bytes(), "parts of {size} bytes");
    }
    assert_eq!(texts(whole.finish(false)), ["1799970000", "60000", "59999"]);
}

#[test]
fn arrays_longer_than_a_window() {
    let values: Vec<u8> = (0..100_000_i64).flat_map(|value| (value * value - 7).to_be_bytes()).collect();
    let case = Case::of(&["sum", "count"], &[("t.i64be", &values)], |r| r.format = Some("i64be".into()));
    let whole = case.fold_by(case.spec.count()).unwrap();
    for size in [100_003, 262_144, 524_295] {
        assert_eq!(case.fold_by(size).unwrap().to_bytes(), whole.to_bytes(), "parts of {size} bytes");
    }
    assert_eq!(texts(whole.finish(false)), ["333328332650000", "100000"]);
}

fn filtered(csv: &[u8], of: &str, filter: Option<&str>, on_bad: OnBad) -> Case {
    Case::of(&["sum", "count"], &[("t.csv", csv)], |r| {
        r.of = Some(of.into());
        r.filter = filter.map(str::to_owned);
        r.on_bad = Some(on_bad);
    })
}

/// Cells that nobody wants are no bad ones, and no row is counted as left out for them.
#[test]
fn a_cell_that_is_not_wanted_need_have_no_value() {
    let csv = b"a,b\n1,x\n,y\n3,z\n";
    for on_bad in [OnBad::Error, OnBad::Skip] {
        for (of, filter, answer) in [
            ("a", Some("b == 'x'"), ["1", "1"]),
            ("if(b == 'x', a, 0)", None, ["1", "3"]),
            ("a", Some("b != 'y' and a > 1"), ["3", "1"]),
            ("a", Some("b == 'y' and false or a == 3 and b == 'z'"), ["3", "1"]),
            ("a", Some("a != ''"), ["4", "2"]),
        ] {
            let case = filtered(csv, of, filter, on_bad);
            if filter == Some("b == 'y' and false or a == 3 and b == 'z'") && on_bad == OnBad::Error {
                assert_eq!(case.fault(), "read t.csv: row 3, column a: the cell is empty");
                continue;
            }
            assert_eq!(case.answers(), answer, "{of} {filter:?}");
            let left_out = u64::from(filter.is_some_and(|filter| filter.contains("or a")));
            assert_eq!(case.fold_by(100).unwrap().skipped(), left_out, "{of} {filter:?}");
        }
    }
    let wanted = filtered(csv, "a", Some("b != 'x'"), OnBad::Error);
    for size in [1, 5, 100] {
        let message = wanted.fold_by(size).unwrap_err().message;
        assert_eq!(message, "read t.csv: row 3, column a: the cell is empty");
    }
    let decimal = Case::of(&["sum"], &[("t.csv", csv)], |r| {
        (r.of, r.filter, r.decimal) = (Some("a".into()), Some("b == 'x'".into()), true);
    });
    assert_eq!(decimal.answers(), ["1"]);
}

/// Of several rows that are wrong, each in its own way, the first is told.
#[test]
fn the_first_row_that_is_wrong_is_told() {
    let first = |csv: &[u8]| filtered(csv, "1 // a", None, OnBad::Error).fault();
    assert_eq!(first(b"a,b\n1,x\n0,y\n3\n"), "compute '1 // a': division by zero in row 3 of t.csv");
    assert_eq!(first(b"a,b\n1,x\n-,y\n3\n"), "read t.csv: row 3, column a: '-' is not a number");
    assert_eq!(first(b"a,b\n1,x\n3\n0,y\n"), "read t.csv: row 3 has 1 cell and the first row has 2");
    assert_eq!(first(b"a,b\n1,x\nq,y\n0,y\n"), "read t.csv: row 3, column a: 'q' is not a number");
}

/// Beside a text in quotes a column is compared by its text, whatever its cells look like.
#[test]
fn a_column_is_compared_with_a_written_text_by_its_text() {
    for (csv, filter, answer) in [
        (&b"code,v\n01234,1\n90210,2\n"[..], "code == \"01234\"", "1"),
        (b"code,v\n1,1\n2,2\n3,4\nA1,8\n", "code == 'A1'", "8"),
        (b"code,v\nA1,1\n2,2\n", "code == 'A1'", "1"),
        (b"code,v\nNA,1\n5,2\n", "code in ('NA', '6')", "1"),
        (b"code,v\n,1\n5,2\n", "code == ''", "1"),
        (b"code,v\n,1\n5,2\n", "code != '' and code > 4", "2"),
        (b"code,v\n1.5,1\n5,2\n", "'1' < code < '2'", "1"),
        (b"code,v\n1.5,1\n5,2\n", "'5' == code > 2", "2"),
    ] {
        let case = filtered(csv, "v", Some(filter), OnBad::Error);
        assert_eq!(case.answers(), [answer, "1"], "{filter}");
    }
    let decimal = Case::of(&["sum"], &[("t.csv", b"code,v\n01,1.5\n1,2\n")], |r| {
        (r.of, r.filter, r.decimal) = (Some("v".into()), Some("code == '01'".into()), true);
    });
    assert_eq!(decimal.answers(), ["1.5"]);
}

/// How many rows stand before the first number decides nothing.
#[test]
fn a_column_of_bad_cells_only_is_one_of_numbers_where_they_are_skipped() {
    let only = filtered(b"v\nNA\nNA\n", "v", None, OnBad::Skip);
    assert_eq!((only.answers(), only.fold_by(100).unwrap().skipped()), (vec!["0".into(), "0".into()], 2));
    let many = [&b"v,w\n"[..], &b"NA,1\n".repeat(60_000), b"5,1\n"].concat();
    let late = filtered(&many, "v", None, OnBad::Skip);
    assert_eq!(texts(late.fold_by(1 << 20).unwrap().finish(false)), ["5", "1"]);
    let refused = filtered(&many, "v", None, OnBad::Error).kernel();
    assert!(refused.is_err() || filtered(&many, "v", None, OnBad::Error).fold_by(1 << 20).is_err());
}

/// The default column is found by the same rule as the kind of any other.
#[test]
fn a_column_with_a_number_is_one_of_several() {
    let case = Case::of(&["sum"], &[("t.csv", b"a,b\n1,NA\n2,5\n")], |_| ());
    let fault = case.kernel().unwrap_err();
    assert_eq!(fault.hint.unwrap(), "name one with --of: a, b");
}

#[test]
fn a_blank_line_is_an_empty_cell_where_there_is_one_column() {
    let sum =
        |name: &str, text: &[u8], on_bad| Case::of(&["sum"], &[(name, text)], |r| r.on_bad = Some(on_bad));
    for (name, text, row) in [("n.txt", &b"1\n\n2\n"[..], 2), ("n.csv", b"a\r\n1\r\n\r\n2\r\n", 3)] {
        let message = sum(name, text, OnBad::Error).fault();
        assert!(message.contains(&format!("row {row}, column")) && message.ends_with("the cell is empty"));
        let skipping = sum(name, text, OnBad::Skip);
        assert_eq!((skipping.answers(), skipping.fold_by(100).unwrap().skipped()), (vec!["3".into()], 1));
    }
    assert_eq!(sum("t.csv", b"a,b\n\n1,x\n\n", OnBad::Error).answers(), ["1"], "no row of two columns");
}

#[test]
fn lines_that_end_in_returns_alone_are_an_error() {
    let case = Case::of(&["sum"], &[("cr.csv", b"a\r1\r2\r")], |_| ());
    let fault = case.kernel().unwrap_err();
    assert_eq!(
        fault.message,
        "read cr.csv: its lines end in carriage returns alone, and none in a line feed"
    );
    assert_eq!(Case::of(&["sum"], &[("a.csv", b"a\r")], |_| ()).answers(), ["0"]);
}

#[test]
fn the_side_that_is_not_taken_need_not_become_a_float() {
    let of = |of: &str| Case::of(&["sum"], &[("t.csv", b"i\n0\n1\n2\n")], |r| r.of = Some(of.into()));
    assert_eq!(of("if(i < 0, 2**2000, 1.5)").answers(), ["4.5"]);
    assert!(of("if(i < 1, 2**2000, 1.5)").fault().contains("too large for a float"));
}

#[test]
fn a_file_that_is_read_wrong_is_recognised() {
    let hint = |csv: &[u8]| {
        let case = Case::of(&["sum"], &[("t.csv", csv)], |r| r.of = Some("b".into()));
        case.kernel().unwrap_err().hint.unwrap()
    };
    assert_eq!(hint(b"a;b\n1;2\n"), "its only column is col(\"a;b\"): --delimiter ';' may be meant");
    assert_eq!(
        hint(b"1,2\n3,4\n"),
        "its first row is one of numbers: --no-header calls its columns c1, c2, ..."
    );
    assert_eq!(hint(b"a,bb\n1,2\n"), "did you mean 'bb'?");
}
