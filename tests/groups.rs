//! Groups, exact decimals, compressed files, rows that are left out: by the real program, over every link.
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::fs;

use tally_tests::World;

const BINARY: &str = env!("CARGO_BIN_EXE_tally");
const TRANSPORTS: [&str; 5] = ["shm", "shm-named", "pipe", "mqueue", "channel"];

const SALES: &str =
    "region,year,price,n\nnorth,2024,1.10,1\nsouth,2023,2.20,2\nnorth,99,-0.3,3\nsouth,2024,1e1,5\n";

/// A file in a world's folder.
fn file(world: &World, name: &str, bytes: &[u8]) -> String {
    let path = world.path().join(name);
    fs::write(&path, bytes).expect("a file in the test's own folder");
    path.to_str().expect("a path of ASCII").to_owned()
}

/// A gzip file of one member with the bytes as they are.
fn gzip(text: &[u8]) -> Vec<u8> {
    let mut packed = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff".to_vec();
    let blocks: Vec<&[u8]> = text.chunks(60_000).collect();
    for (at, block) in blocks.iter().enumerate() {
        let length = u16::try_from(block.len()).expect("blocks are short");
        packed.push(u8::from(at + 1 == blocks.len()));
        packed.extend(length.to_le_bytes());
        packed.extend((!length).to_le_bytes());
        packed.extend_from_slice(block);
    }
    let crc = !text.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    });
    packed.extend(crc.to_le_bytes());
    packed.extend(u32::try_from(text.len()).expect("a text is short").to_le_bytes());
    packed
}

#[test]
fn one_answer_for_each_group() {
    let world = World::new(BINARY);
    let sales = file(&world, "sales.csv", SALES.as_bytes());
    world.run(["sum", &sales, "--of", "n", "--by", "region"]).answered("north\t4\nsouth\t7\n");
    world
        .run(["sum", &sales, "--of", "n", "--by", "year,region", "--mode", "inline"])
        .answered("99\tnorth\t3\n2023\tsouth\t2\n2024\tnorth\t1\n2024\tsouth\t5\n");
    world
        .run(["reduce", "max,count", &sales, "--of", "n", "--by", "region", "--where", "price > 0"])
        .answered("north\tmax\t1\nnorth\tcount\t1\nsouth\tmax\t5\nsouth\tcount\t2\n");
    let json = world.run(["sum", &sales, "--of", "n", "--by", "region", "--json"]);
    assert_eq!(json.code(), 0);
    let json = json.json();
    assert_eq!(json["groups"][1]["key"], serde_json::json!(["south"]));
    assert_eq!(json["groups"][1]["results"][0]["value"], "7");
    assert_eq!((&json["elements"], &json["bytes"]), (&"4".into(), &SALES.len().to_string().into()));
    let odd = file(&world, "odd.csv", b"k,v\n\"a\tb\",1\n\"c\nd\",2\n");
    world.run(["sum", &odd, "--of", "v", "--by", "k"]).answered("a\\tb\t1\nc\\nd\t2\n");
    let none = world.run(["sum", &sales, "--of", "n", "--by", "regoin"]);
    none.failed(2, &format!("tally: could not find column 'regoin' in {sales}: there is no such column"));
    world.finish();
}

#[test]
fn money_is_exact() {
    let world = World::new(BINARY);
    let sales = file(&world, "sales.csv", SALES.as_bytes());
    world.run(["sum", &sales, "--of", "price", "--decimal"]).answered("13.00\n");
    world
        .run(["reduce", "sum,min,mean", &sales, "--of", "price * n", "--decimal"])
        .answered("sum\t54.60\nmin\t-0.90\nmean\t13.65\n");
    let json = world.run(["sum", &sales, "--of", "price", "--decimal", "--json", "--mode", "threads"]);
    assert!(json.stdout.contains(r#""type":"decimal","value":"13.00""#), "{}", json.stdout);
    let spread = world.run(["stddev", &sales, "--of", "price", "--decimal"]);
    assert_eq!(spread.code(), 2, "{}", spread.stderr);
    let third = world.run(["mean", &sales, "--of", "price", "--decimal", "--where", "price > 0"]);
    assert_eq!(third.code(), 1, "{}", third.stderr);
    assert!(third.stderr.contains("never end"), "{}", third.stderr);
    world.finish();
}

#[test]
fn money_in_groups_over_every_link() {
    let world = World::new(BINARY);
    let sales = file(&world, "sales.csv", SALES.as_bytes());
    let words = ["reduce", "sum,max", &sales, "--of", "price * n", "--by", "region", "--decimal"];
    let expected = "north\tsum\t0.20\nnorth\tmax\t1.10\nsouth\tsum\t54.40\nsouth\tmax\t50.00\n";
    for transport in TRANSPORTS {
        let more = ["--transport", transport, "--partitions", "5"];
        world.run(words.iter().chain(&more)).answered(expected);
    }
    for mode in ["inline", "threads"] {
        world.run(words.iter().chain(&["--mode", mode])).answered(expected);
    }
    let thirds = file(&world, "thirds.csv", b"k,n\na,1\nb,1\nb,1\nb,2\n");
    let third = world.run(["mean", &thirds, "--of", "n", "--by", "k", "--decimal"]);
    assert_eq!(third.code(), 1);
    assert!(third.stderr.lines().next().is_some_and(|line| line.contains("(group b)")), "{}", third.stderr);
    world.finish();
}

#[test]
fn compressed_files_are_read() {
    let world = World::new(BINARY);
    let mut text = String::from("k,v\n");
    (0..100_000).for_each(|row| writeln!(text, "{},{row}", row % 3).expect("a string takes all"));
    let packed = file(&world, "t.csv.gz", &gzip(text.as_bytes()));
    let plain = file(&world, "t.csv", text.as_bytes());
    for path in [&packed, &plain] {
        world.run(["sum", path, "--of", "v", "--partitions", "7"]).answered("4999950000\n");
        world.run(["count", path, "--by", "k"]).answered("0\t33334\n1\t33333\n2\t33333\n");
    }
    world.run(["sum", &packed, &plain, "--of", "v"]).answered("9999900000\n");
    let cut = file(&world, "cut.csv.gz", &gzip(text.as_bytes())[..9_999]);
    let cut = world.run(["sum", &cut, "--of", "v"]);
    assert_eq!(cut.code(), 1);
    assert!(cut.stderr.contains("could not unpack "), "{}", cut.stderr);
    world.finish();
}

#[test]
fn what_is_left_out_is_told() {
    let world = World::new(BINARY);
    let bad = file(&world, "bad.csv", b"v\n1\nx\n\"\"\n4\n");
    let run = world.run(["sum", &bad, "--on-bad", "skip"]);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("5\n", "note: 2 rows were left out\n"));
    let quiet = world.run(["sum", &bad, "--on-bad", "skip", "-q"]);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("5\n", ""));
    let json = world.run(["sum", &bad, "--on-bad", "skip", "--json", "--mode", "inline"]);
    assert!(json.stdout.contains(r#""elements":"2","skipped":"2""#), "{}", json.stdout);
    let range = world.run(["reduce", "sum,count", "-2..3", "--of", "6 // i", "--on-bad", "skip"]);
    assert_eq!(range.stdout, "sum\t0\ncount\t4\n");
    assert_eq!(range.stderr, "note: 1 element was left out\n");
    let nan = world.run(["sum", "-2..3", "--of", "6 / i", "--on-bad", "nan", "--partitions", "5"]);
    assert_eq!((nan.stdout.as_str(), nan.stderr.as_str()), ("nan\n", "note: 1 element was taken for NaN\n"));
    assert_eq!(json.stderr, "");
    world.finish();
}

/// A state of a megabyte and more goes over each link in pieces, and comes out the same.
#[test]
fn many_groups_over_every_link() {
    let world = World::new(BINARY);
    let mut text = String::from("key,v\n");
    for row in 0..60_000_u64 {
        writeln!(text, "a key that is long enough to be one {},{row}", row % 12_000).expect("a string");
    }
    let path = file(&world, "many.csv", text.as_bytes());
    let arguments = |transport: &'static str| {
        let words =
            ["reduce", "sum,min,stddev", &path, "--of", "v + 0.5", "--by", "key", "--partitions", "3"];
        words.into_iter().map(str::to_owned).chain(["--transport".to_owned(), transport.to_owned()])
    };
    let first = world.run(arguments(TRANSPORTS[0]));
    assert_eq!(first.code(), 0, "{}", first.stderr);
    assert_eq!(first.stdout.lines().count(), 36_000);
    assert!(
        first.stdout.starts_with("a key that is long enough to be one 0\tsum\t120002.5\n"),
        "{:.200}",
        first.stdout
    );
    for transport in &TRANSPORTS[1..] {
        let other = world.run(arguments(transport));
        assert_eq!(other.code(), 0, "{transport}: {}", other.stderr);
        assert!(other.stdout == first.stdout, "{transport}");
    }
    world.finish();
}

#[test]
fn a_column_of_floats_is_one_from_its_first_row_on() {
    let world = World::new(BINARY);
    let mut text = String::from("v\n9007199254740993\n-9007199254740992\n");
    text.push_str(&"0\n".repeat(200_000));
    text.push_str("0.5\n");
    let late = file(&world, "late.csv", text.as_bytes());
    for more in
        [&["--partitions", "7"][..], &["--of", "v * 1"], &["--mode", "inline"], &["--mode", "threads"]]
    {
        let words: Vec<&str> = ["sum", &late].into_iter().chain(more.iter().copied()).collect();
        world.run(words).answered("0.5\n");
    }
    world.finish();
}
