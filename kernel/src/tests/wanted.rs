//! Cells that are wanted, and those that are not.

use super::*;

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
    assert_eq!(hint(b"only\n1\n"), "its only column is only");
    assert_eq!(hint(b"a,c,d\n1,2,3\n"), "there are a, c, d");
    assert_eq!(
        hint(b"b,b\n1,2\n"),
        "--no-header calls them c1, c2, ..., and --on-bad skip leaves the row of names out"
    );
    let way_out = Case::of(&["sum"], &[("t.csv", b"b,b\n1,2\n3,4\n")], |r| {
        (r.of, r.no_header, r.on_bad) = (Some("c2".into()), true, Some(OnBad::Skip));
    });
    assert_eq!(way_out.answers(), ["6"]);
}

/// An empty cell is none of a text, and a text is shown whole.
#[test]
fn an_expression_that_takes_no_text_is_told_with_the_first_one() {
    let case = Case::of(&["sum"], &[("t.csv", b"a,b\n,1\n\nn/a,3\nx,4\n")], |r| r.of = Some("a * 2".into()));
    let fault = case.kernel().unwrap_err();
    assert!(fault.message.ends_with(": row 4 of t.csv, column a, has 'n/a'"), "{}", fault.message);
}

#[test]
fn a_name_is_suggested_as_it_is_typed_there() {
    let csv: &[u8] = b"odd name,region,price\n1,north,2\n";
    let hint = |of: &str, filter: Option<&str>, by: &[&str]| {
        let case = Case::of(&["sum"], &[("t.csv", csv)], |r| {
            r.of = Some(of.into());
            r.filter = filter.map(str::to_owned);
            r.by = by.iter().map(|&one| one.to_owned()).collect();
        });
        case.kernel().unwrap_err().hint.unwrap()
    };
    assert_eq!(hint("odd_name", None, &[]), "did you mean col(\"odd name\")?");
    assert_eq!(hint("col('od name')", None, &[]), "did you mean col(\"odd name\")?");
    assert_eq!(hint("price", None, &["od name"]), "did you mean 'odd name'?");
    assert_eq!(hint("prise", None, &[]), "did you mean 'price'?");
    // A word without quotes is a column; compared with one it may have been meant as a text.
    let list = "there are col(\"odd name\"), region, price";
    assert_eq!(hint("price", Some("region == north"), &[]), format!("{list}; a text is written \"north\""));
    assert_eq!(
        hint("price", Some("region in (north, south)"), &[]),
        format!("{list}; a text is written \"north\"")
    );
    assert_eq!(hint("price", Some("north > 5"), &[]), list);
}

#[test]
fn a_column_without_numbers_names_its_first_cell_or_the_delimiter() {
    let sum = |name: &str, bytes: &[u8]| Case::of(&["sum"], &[(name, bytes)], |_| ());
    let money = sum("m.csv", b"price\n$12.50\n$3\n");
    assert_eq!(money.fault(), "read m.csv: row 2, column price: '$12.50' is not a number");
    let misread = |bytes: &[u8]| sum("t.csv", bytes).kernel().unwrap_err().hint.unwrap();
    assert_eq!(misread(b"a;b\n1;2\n"), "its only column is col(\"a;b\"): --delimiter ';' may be meant");
    assert_eq!(misread(b"a\tb\n1\t2\n"), "its only column is col(\"a\\tb\"): --format tsv may be meant");
    let wide = sum("w.csv", b"\xff\xfea\x00\n\x00").kernel().unwrap_err();
    assert_eq!(wide.message, "read w.csv: it is UTF-16 text, as its first two bytes say");
}

#[test]
fn a_wrong_column_of_groups_is_shown() {
    let case = Case::of(&["sum"], &[("t.csv", b"a,b\n1,2\n")], |r| {
        r.of = Some("b".into());
        r.by = vec!["a".into(), "c".into()];
    });
    assert_eq!(case.kernel().unwrap_err().place.as_deref(), Some("    a,c\n      ^"));
}
