//! What is told beside an answer, or in place of one, for programs to read: where in the data something is wrong, what was
//! made a NaN, where the least and the greatest stand, of which kind the sum of nothing is.
#![forbid(unsafe_code)]

use std::fs;

use serde_json::{Value, json};
use tally_tests::World;
use tally_tests::npy::npy;

const BINARY: &str = env!("CARGO_BIN_EXE_tally");
/// The same job in processes and in this one.
const PLACES: [&[&str]; 3] = [&[], &["--mode", "threads", "--workers", "3"], &["--mode", "inline"]];

fn file(world: &World, name: &str, bytes: &[u8]) -> String {
    let path = world.path().join(name);
    fs::write(&path, bytes).expect("a file in the test's own folder");
    path.to_str().expect("a path of ASCII").to_owned()
}

/// Such a file of floats.
fn floats(values: &[f64]) -> Vec<u8> {
    npy("<f8", &format!("({},)", values.len()), values.iter().flat_map(|value| value.to_le_bytes()))
}

/// The JSON that a command prints, wherever it folds; what of it does not depend on that is always the same.
fn told(world: &World, code: i32, arguments: &[&str]) -> Value {
    let mut all = PLACES.iter().map(|place| {
        let ran = world.run(arguments.iter().chain(place.iter()).chain(&["--json"]));
        assert_eq!(ran.code(), code, "{arguments:?} {place:?}: {}{}", ran.stdout, ran.stderr);
        let text = if ran.stdout.is_empty() { ran.stderr } else { ran.stdout };
        let mut json: Value = serde_json::from_str(&text).expect("one object");
        let parts = ["error", "results", "groups", "elements", "skipped", "made_nan"];
        json.as_object_mut().expect("an object").retain(|key, _| parts.contains(&key.as_str()));
        if code != 0 {
            // How far the others were when the first one failed.
            json.as_object_mut().expect("an object").remove("elements");
        }
        if let Some(error) = json.get_mut("error").and_then(Value::as_object_mut) {
            for key in ["message", "range", "place", "hint"] {
                error.remove(key);
            }
        }
        json
    });
    let first = all.next().expect("there are places");
    all.for_each(|other| assert_eq!(other, first, "{arguments:?}"));
    first
}

#[test]
fn a_bad_cell_is_told_with_file_row_and_column() {
    let world = World::new(BINARY);
    let table = file(&world, "t.csv", b"k,v\n1,10\n\"2\n\",x\n3,30\n4,40,5\n");
    let place = |row: &str, column: Option<&str>| {
        let mut error = json!({"code": "bad-data", "file": table, "row": row, "exit": 1});
        if let Some(column) = column {
            error["column"] = column.into();
        }
        error
    };
    let cut = ["--partitions", "7"];
    assert_eq!(
        told(&world, 1, &["sum", &table, "--of", "v", cut[0], cut[1]])["error"],
        place("3", Some("v"))
    );
    let short = ["sum", &table, "--of", "v", "--where", "k == \"4\"", cut[0], cut[1]];
    assert_eq!(told(&world, 1, &short)["error"], place("5", None));
    let wanted = ["sum", &table, "--of", "10 // (k - 3)", "--where", "k != \"2\n\"", cut[0], cut[1]];
    assert_eq!(told(&world, 1, &wanted)["error"]["row"], "4");
    let lines = file(&world, "n.txt", b"1\n2\nthree\n");
    let error = told(&world, 1, &["sum", &lines])["error"].clone();
    assert_eq!((&error["row"], &error["column"]), (&"3".into(), &"value".into()));
    let array = file(&world, "a.npy", &floats(&[4.0, 1.0, 0.0]));
    let error = told(&world, 1, &["sum", &array, "--of", "1 / value"])["error"].clone();
    assert_eq!((&error["file"], &error["row"]), (&array.as_str().into(), &"3".into()));
    let error = told(&world, 1, &["sum", "5..10", "-3..4", "--of", "1 // i"])["error"].clone();
    assert_eq!(error, json!({"code": "bad-data", "element": "0", "exit": 1}));
    world.finish();
}

#[test]
fn the_socket_carries_the_same_places() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "2"]);
    let table = file(&world, "t.csv", b"k,v\n1,10\n2,x\n");
    let ran = world.ask(["sum", table.as_str(), "--of", "v", "--json"]);
    let json = ran.json();
    assert_eq!((ran.code(), &json["error"]["row"]), (1, &"3".into()), "{}", ran.stdout);
    let mut client = daemon.client();
    let request = json!({"reductions": ["max", "min"], "sources": ["0..100"], "of": "abs(i - 50) % 7"});
    let job = client.submit(&request, false);
    assert_eq!(job["results"][0]["index"], "2");
    let request = json!({"reductions": ["sum"], "sources": ["1..100"], "of": "1 // (i - 50)"});
    let job = client.submit(&request, false);
    assert_eq!(job["error"]["element"], "50", "{job}");
    daemon.stop();
    world.finish();
}

#[test]
fn what_was_made_a_nan_is_counted() {
    let world = World::new(BINARY);
    let table = file(&world, "t.csv", b"k,v,w\na,1.5,1\nb,x,2\na,,\nb,2.5\n");
    let of = |rest: &[&str]| {
        let arguments: Vec<&str> =
            ["sum", &table, "--on-bad", "nan", "--partitions", "5"].iter().chain(rest).copied().collect();
        let told = told(&world, 0, &arguments);
        told["made_nan"].as_str().map(str::to_owned).unwrap_or_default()
    };
    assert_eq!(of(&["--of", "v"]), "3");
    assert_eq!(of(&["--of", "v * w"]), "5");
    assert_eq!(of(&["--of", "v", "--where", "k == \"a\""]), "1");
    assert_eq!(of(&["--of", "w", "--where", "v > 0"]), "3", "those that the filter looks at");
    assert_eq!(of(&["--of", "if(k == \"b\", v, 0)"]), "1", "of the short row nothing is known");
    assert_eq!(of(&["--of", "v", "--by", "k"]), "3");
    assert_eq!(of(&["--of", "if(k == \"b\", v, 0)", "--by", "k", "--nan", "skip"]), "1");
    let ran = world.run(["sum", table.as_str(), "--of", "v", "--on-bad", "nan", "--nan", "skip"]);
    let notes = "note: 3 rows were left out\nnote: 3 bad values were taken for NaN\n";
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("1.5\n", notes));
    let quiet = world.run(["sum", table.as_str(), "--of", "v", "--on-bad", "nan", "-q"]);
    quiet.answered("nan\n");
    let range = told(&world, 0, &["max", "-3..4", "--of", "6 // i", "--on-bad", "nan"]);
    assert_eq!((&range["made_nan"], &range["results"][0]["index"]), (&"1".into(), &"0".into()));
    world.finish();
}

#[test]
fn the_sum_of_no_floats_is_a_float() {
    let world = World::new(BINARY);
    let array = file(&world, "empty.npy", &floats(&[]));
    let table = file(&world, "t.csv", b"k,x,n\na,1.5,1\nb,2.5,2\n");
    let raw = file(&world, "empty.bin", b"");
    let zero = json!([{"reduction": "sum", "type": "float", "value": "0.0"}, {"reduction": "product", "type": "float", "value": "1.0"}]);
    for arguments in [
        &["reduce", "sum,product", &array][..],
        &["reduce", "sum,product", &raw, "--format", "f64le"],
        &["reduce", "sum,product", &table, "--of", "x", "--where", "k == \"c\""],
        &["reduce", "sum,product", &table, "--of", "n / 2", "--where", "n > 5", "--partitions", "9"],
        &["reduce", "sum,product", "0..0", "--of", "i / 2"],
        &["reduce", "sum,product", "0..10", "--of", "i / 2", "--where", "i > 100"],
    ] {
        let told = told(&world, 0, arguments);
        assert_eq!((&told["results"], &told["elements"]), (&zero, &"0".into()), "{arguments:?}");
    }
    let integers = told(&world, 0, &["sum", &table, "--of", "n", "--where", "n > 5"]);
    assert_eq!(integers["results"][0], json!({"reduction": "sum", "type": "integer", "value": "0"}));
    let groups = told(&world, 0, &["sum", &table, "--of", "n", "--by", "k", "--where", "n > 5"]);
    assert_eq!((&groups["groups"], &groups["results"]), (&json!([]), &json!([])));
    let ran = world.run(["sum", table.as_str(), "--of", "n", "--by", "k", "--where", "n > 5"]);
    ran.answered("");
    world.finish();
}

#[test]
fn the_least_and_the_greatest_are_told_with_their_first_places() {
    let world = World::new(BINARY);
    let one = file(&world, "a.npy", &floats(&[3.0, 9.0, -1.0, 9.0]));
    let two = file(&world, "b.npy", &floats(&[-1.0, 10.0, 10.0]));
    let values: Vec<f64> = (0..50_000).map(|n| f64::from(n * 7919 % 10_007)).collect();
    let long = file(&world, "c.npy", &floats(&values));
    for (arguments, least, greatest) in [
        (&["-5..100", "--of", "(i - 7) ** 2"][..], json!({"index": "7"}), json!({"index": "99"})),
        (
            &["10..0", "0..10", "--step", "3", "--of", "i % 3 - i // 9"],
            json!({"index": "9"}),
            json!({"index": "0"}),
        ),
        (
            &["0..100000", "--of", "i % 1000", "--where", "i > 4321"],
            json!({"index": "5000"}),
            json!({"index": "4999"}),
        ),
        (&[&one, &two], json!({"file": one, "row": "3"}), json!({"file": two, "row": "2"})),
        (&[&long, "--of", "value % 5000"], json!({"file": long, "row": "1"}), Value::Null),
    ] {
        let cuts: Vec<Value> = ["1", "3", "64"]
            .iter()
            .map(|pieces| {
                let mut all = vec!["reduce", "min,max", "--partitions", pieces];
                all.extend(arguments);
                told(&world, 0, &all)["results"].clone()
            })
            .collect();
        assert!(cuts.iter().all(|cut| *cut == cuts[0]), "{cuts:?}");
        for (result, wanted) in cuts[0].as_array().expect("a list").iter().zip([least, greatest]) {
            for (key, value) in wanted.as_object().into_iter().flatten() {
                assert_eq!(&result[key], value, "{arguments:?}: {result}");
            }
        }
    }
    let table = file(&world, "t.csv", b"v\n3\n1\n");
    let result = told(&world, 0, &["min", &table])["results"][0].clone();
    assert_eq!(
        result,
        json!({"reduction": "min", "type": "integer", "value": "1"}),
        "nobody counts rows of text"
    );
    let ran = world.run(["min", "0..1000", "--of", "abs(i - 500)", "--verbose"]);
    assert!(ran.stderr.ends_with("\nmin first at i = 500\n"), "{}", ran.stderr);
    world.finish();
}

#[test]
fn nothing_is_cut_finer_than_it_is_worth() {
    let world = World::new(BINARY);
    let table = file(&world, "t.txt", "12\n".repeat(100_000).as_bytes());
    for place in PLACES {
        let arguments = ["sum", &table, "--partitions", "4294967296", "--verbose"];
        let ran = world.run(arguments.iter().chain(place.iter()));
        assert_eq!((ran.code(), ran.stdout.as_str()), (0, "1200000\n"), "{}", ran.stderr);
        let note = "note: 4294967296 partitions were asked for and 4096 cut: ";
        assert!(ran.stderr.contains(note), "{}", ran.stderr);
    }
    world.finish();
}

#[test]
fn odd_uses_are_refused_in_words() {
    let world = World::new(BINARY);
    let commas = file(&world, "c.csv", b"k;price\na;1,5\nb;2,25\n");
    let mixed = file(&world, "m.csv", b"k;price\na;1\nb;2,25\n");
    let lines = file(&world, "n.txt", b"1\n2\n");
    let bare = file(&world, "b.csv", b"1,2\n3,4\n");
    let comma = "a decimal comma is not read: numbers have a point, as in 1.5";
    for (code, arguments, line, hint) in [
        (
            2,
            &["sum", &commas, "--delimiter", ";"][..],
            format!("choose a column of {commas}: none has numbers"),
            comma,
        ),
        (
            2,
            &["sum", &commas, "--delimiter", ";", "--of", "price"],
            format!("read column 'price' of {commas} as numbers: it has text"),
            comma,
        ),
        (
            2,
            &["sum", &lines, "--delimiter", ";"],
            format!("use --delimiter with {lines}: nothing stands between its cells"),
            "--format csv reads a file as a table",
        ),
        (
            2,
            &["sum", &bare, "--no-header", "--of", "x"],
            format!("find column 'x' in {bare}: there is no such column"),
            "its columns have no names but c1 to c2: nothing names them",
        ),
        (
            2,
            &["reduce", "sum,max,sum", "0..3"],
            "reduce by 'sum': it is asked for twice".to_owned(),
            "one answer is enough",
        ),
        (
            2,
            &["count", "0..1e30"],
            "read the range '0..1e30': it has more than 2^64-1 elements".to_owned(),
            "",
        ),
        (
            2,
            &["sum", "0..18446744073709551615", "0..1"],
            "read the job: it has more than 2^64-1 elements".to_owned(),
            "",
        ),
    ] {
        let ran = world.run(arguments);
        ran.failed(code, &format!("tally: could not {line}"));
        assert!(ran.stderr.contains(hint), "{arguments:?}: {}", ran.stderr);
    }
    let ran = world.run(["sum", mixed.as_str(), "--delimiter", ";", "--of", "price"]);
    assert_eq!(ran.code(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("row 3, column price: '2,25' is not a number") && ran.stderr.contains(comma));
    world.finish();
}

#[test]
fn a_fifo_is_read_by_what_it_holds() {
    let world = World::new(BINARY);
    for (text, arguments, answer) in [
        ("1\n2\n", &["sum", "pipe"][..], "3\n"),
        ("k,v\na,1\nb,5\n", &["sum", "pipe", "--of", "v", "--where", "k == \"b\""], "5\n"),
        ("k;v\na;1\n", &["sum", "pipe", "--delimiter", ";"], "1\n"),
        ("1 \n2 \n", &["sum", "pipe", "--format", "lines"], "3\n"),
    ] {
        let path = world.path().join("pipe");
        let mut make = std::process::Command::new("mkfifo");
        assert!(make.arg(&path).status().expect("mkfifo is there").success());
        let reader = world.start(arguments);
        fs::write(&path, text).expect("somebody reads it");
        reader.finish().answered(answer);
        fs::remove_file(&path).expect("it is there");
    }
    world.finish();
}

#[test]
fn what_an_expression_cannot_do_with_floats_is_bad_usage_however_late_it_is_seen() {
    let world = World::new(BINARY);
    let mut text = "v\n".to_owned() + &"7\n".repeat(300_000);
    text += "0.5\n";
    let late = file(&world, "late.csv", text.as_bytes());
    for place in PLACES {
        let ran = world.run(["sum", &late, "--of", "v & 1"].iter().chain(place.iter()));
        assert_eq!(ran.code(), 2, "{}", ran.stderr);
        assert!(ran.stderr.starts_with("tally: could not "), "{}", ran.stderr);
    }
    world.finish();
}
