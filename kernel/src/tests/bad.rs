//! What has no answer, and what is said of it.

use super::*;

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
