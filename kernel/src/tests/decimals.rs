//! Decimals.

use super::*;

pub(super) fn decimal(reductions: &[&str], change: impl FnOnce(&mut JobRequest)) -> Case {
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
    let endless = mean(b"1\n1\n2\n").whole().finish(false).remove(0).answer.unwrap_err();
    assert!(endless.to_string().contains("never end"), "{endless}");
    let fault = decimal(&["sum"], |request| request.of = Some("price / 3".into())).kernel().unwrap_err();
    assert!(fault.usage && fault.place.is_some(), "{fault}");
    let bad = Case::of(&["sum"], &[("m.txt", b"1.5\nnan\n")], |request| request.decimal = true);
    assert_eq!(bad.fault(), "read m.txt: row 2, column value: 'nan' is not a finite decimal number");
}
