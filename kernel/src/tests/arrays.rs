//! Raw numbers and arrays.

use super::*;

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
pub(super) fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
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
fn ends_are_told_with_their_first_places_for_any_cut() {
    let data = |values: &[i64]| {
        npy(
            "<i8",
            false,
            &format!("({},)", values.len()),
            &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>(),
        )
    };
    let (one, two) = (data(&[4, 9, 2, 9, 2, 4]), data(&[2, 1, 9, 1]));
    let of = |change: &dyn Fn(&mut JobRequest)| {
        let case = Case::of(&["min", "max"], &[("a.npy", &one), ("b.npy", &two)], |request| change(request));
        let Tally::Plain(partial) = case.whole() else { panic!("there are no groups") };
        let place = |reduction| {
            let site =
                partial.first_index(reduction).and_then(|place| case.spec.source.locate(place)).unwrap();
            format!("{} {}", site.file.unwrap(), site.row.unwrap())
        };
        [place(Reduction::Min), place(Reduction::Max)]
    };
    assert_eq!(of(&|_| ()), ["b.npy 2", "a.npy 2"]);
    assert_eq!(of(&|request| request.of = Some("value * value - 3 * value".into())), ["a.npy 3", "a.npy 2"]);
    assert_eq!(of(&|request| request.filter = Some("value < 9".into())), ["b.npy 2", "a.npy 1"]);
    let bad = |request: &mut JobRequest| {
        request.of = Some("6 // (value - 4)".into());
        request.on_bad = Some(OnBad::Nan);
    };
    assert_eq!(of(&bad), ["a.npy 1", "a.npy 1"], "the first NaN");
}
