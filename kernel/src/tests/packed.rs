//! Compressed files, and files longer than a window.

use super::*;

/// A gzip file of one member with the bytes as they are.
pub(super) fn gzip(text: &[u8]) -> Vec<u8> {
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
pub(super) fn zstd(text: &[u8]) -> Vec<u8> {
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
