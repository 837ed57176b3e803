//! Groups.

use super::*;

pub(super) const SALES: &[u8] = b"region,year,price,n\nnorth,2024,1.10,1\nsouth,2023,2.20,2\n\"north\",2024,-0.3,3\n\"a,\nb\",99,5,4\nsouth,2024,1e1,5\nnorth,x,0.00,99999999999999999999\n";

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
