//! Files of every format by the real program: the same bits whatever reads them, and odd ones told apart from right ones.
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use tally_sys::signal::Signal;
use tally_tests::npy::npy;
use tally_tests::run::{Finished, Running, send};
use tally_tests::{Random, World, proc, until};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");
const TRANSPORTS: [&str; 5] = ["shm", "shm-named", "pipe", "mqueue", "channel"];
const STARTS: [&str; 3] = ["forkserver", "spawn", "fork"];

/// Of `rows`, by `tests/data/files.py`.
const FLOATS: &str = "sum\t-3.189496557842242e+90\nmean\t-7.973741394605605e+86\nmin\t-3.782781797489898e+90\nmax\t2.1553761157180948e+90\n";
const GROUPS: &str = "0\t5.50402573101957e+89\n1\t-7.703262079771291e+90\n2\t3.1465500772213437e+90\n3\t-3.135451143275072e+89\n4\t1.130357985933255e+90\n";
const INTEGERS: &str = "-30647462175870160070\n";
const SQUARES: &str = "109902613108482698807877257297376344935698\n";

struct Row {
    x: f64,
    i: i64,
    k: usize,
}

/// 4000 rows (the same as of `files.py`), floats of exponents from -300 to 300.
fn rows() -> Vec<Row> {
    let mut random = Random::of(7, &[]);
    (0..4000)
        .map(|n| {
            let bits = random.word();
            let exponent = 723 + (bits >> 52 & 0x7ff) % 601;
            let x = f64::from_bits(bits & 1 << 63 | exponent << 52 | bits & ((1 << 52) - 1));
            Row { x, i: random.word().wrapping_sub(1 << 63).cast_signed(), k: n % 5 }
        })
        .collect()
}

/// Rows with a text before them that has all that makes cutting hard.
fn table(rows: &[Row], delimiter: char, end: &str) -> String {
    let mut text = format!("note{delimiter}x{delimiter}i{delimiter}k{end}");
    for (n, row) in rows.iter().enumerate() {
        let note = ["plain", "\"a \"\"q\"\", \n b\"", "\"\"", "", "\"\r\n,,\t\n\""][n % 5];
        let (x, i, k) = (row.x, row.i, row.k);
        write!(text, "{note}{delimiter}{x:?}{delimiter}{i}{delimiter}{k}{end}").expect("a string takes all");
    }
    text
}

fn lines(rows: &[Row]) -> String {
    rows.iter().map(|row| format!("{:?}\n", row.x)).collect()
}

/// A zstd frame whose blocks have the bytes as they are.
fn zstd(text: &[u8]) -> Vec<u8> {
    let mut packed = b"\x28\xb5\x2f\xfd\xa0".to_vec();
    packed.extend(u32::try_from(text.len()).expect("a text is short").to_le_bytes());
    let blocks: Vec<&[u8]> = text.chunks(100_000).collect();
    for (at, block) in blocks.iter().enumerate() {
        let head = u32::from(at + 1 == blocks.len()) | u32::try_from(block.len()).expect("a block") << 3;
        packed.extend(&head.to_le_bytes()[..3]);
        packed.extend_from_slice(block);
    }
    packed
}

/// Files of the same floats, each with the words that read them.
fn every_format(world: &World, rows: &[Row]) -> Vec<Vec<String>> {
    let data: Vec<u8> = rows.iter().flat_map(|row| row.x.to_be_bytes()).collect();
    let pairs: Vec<u8> =
        rows.iter().flat_map(|row| [0.0, row.x]).flat_map(|value: f64| value.to_le_bytes()).collect();
    let csv = table(rows, ',', "\r\n");
    let files: [(&str, Vec<u8>, &[&str]); 8] = [
        ("t.csv", csv.clone().into(), &["--of", "x"]),
        ("t.tsv", table(rows, '\t', "\n").into(), &["--of", "x"]),
        ("t.txt", lines(rows).into(), &[]),
        ("t.npy", npy(">f8", &format!("({},)", rows.len()), data.iter().copied()), &[]),
        ("two.npy", npy("<f8", &format!("({}, 2)", rows.len()), pairs), &["--of", "c2"]),
        ("t.raw", data, &["--format", "f64be"]),
        ("t.csv.zst", zstd(csv.as_bytes()), &["--of", "x"]),
        ("semi.dat", table(rows, ';', "\n").into(), &["--of", "x", "--format", "csv", "--delimiter", ";"]),
    ];
    let mut all = Vec::new();
    for (name, bytes, words) in files {
        fs::write(world.path().join(name), bytes).expect("a file in the test's own folder");
        all.push([name].iter().chain(words).map(|&word| word.to_owned()).collect());
    }
    all
}

fn reduce<'a>(file: &'a [String], more: &[&'a str]) -> Vec<&'a str> {
    let words = ["reduce", "sum,mean,min,max"].into_iter().chain(file.iter().map(String::as_str));
    words.chain(more.iter().copied()).collect()
}

fn over_every_start(transport: &str) {
    let world = World::new(BINARY);
    for file in every_format(&world, &rows()) {
        for (start, partitions) in STARTS.iter().zip(["1", "9", "auto"]) {
            let more = ["--transport", transport, "--start", start, "--partitions", partitions];
            world.run(reduce(&file, &more)).answered(FLOATS);
        }
    }
    world.finish();
}

#[test]
fn every_format_and_start_over_shm() {
    over_every_start("shm");
}

#[test]
fn every_format_and_start_over_shm_named() {
    over_every_start("shm-named");
}

#[test]
fn every_format_and_start_over_pipe() {
    over_every_start("pipe");
}

#[test]
fn every_format_and_start_over_mqueue() {
    over_every_start("mqueue");
}

#[test]
fn every_format_and_start_over_channel() {
    over_every_start("channel");
}

#[test]
fn every_format_in_every_mode_and_order() {
    let world = World::new(BINARY);
    let mut rows = rows();
    for round in 0..3 {
        for file in every_format(&world, &rows) {
            world.run(reduce(&file, &["--mode", "inline"])).answered(FLOATS);
            world.run(reduce(&file, &["--mode", "threads", "--workers", "3"])).answered(FLOATS);
        }
        // Another order of the same rows: backwards, then every 1,009th.
        if round == 0 {
            rows.reverse();
        } else {
            let count = rows.len();
            let order = (0..count).map(|n| n * 1_009 % count);
            rows = order.map(|n| Row { x: rows[n].x, i: rows[n].i, k: rows[n].k }).collect();
        }
    }
    world.finish();
}

#[test]
fn every_number_of_partitions_and_workers() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "8"]);
    for file in every_format(&world, &rows()) {
        for partitions in 1..=64 {
            let (partitions, workers) = (partitions.to_string(), (1 + partitions % 8).to_string());
            let more = ["--partitions", &partitions, "--workers", &workers];
            world.ask(reduce(&file, &more)).answered(FLOATS);
        }
    }
    for partitions in ["1", "2", "7", "64"] {
        let sum = ["sum", "t.csv", "--partitions", partitions];
        world.ask(sum.iter().chain(&["--of", "i"])).answered(INTEGERS);
        world.ask(sum.iter().chain(&["--of", "i * i"])).answered(SQUARES);
        world.ask(sum.iter().chain(&["--of", "x", "--by", "k"])).answered(GROUPS);
    }
    daemon.stop();
    world.finish();
}

/// The first worker to begin each partition is killed there.
#[test]
fn every_format_with_a_worker_killed_in_each_partition() {
    for transport in TRANSPORTS {
        let world = World::new(BINARY).with("TALLY_CRASH_AT", "fold,attempts=1");
        for file in every_format(&world, &rows()) {
            let more = ["--transport", transport, "--partitions", "5", "--workers", "2", "--json"];
            let finished = world.run(reduce(&file, &more));
            let json = finished.json();
            let results = json["results"].as_array().expect("results").iter();
            let text: String = results
                .map(|one| {
                    format!("{}\t{}\n", one["reduction"].as_str().unwrap(), one["value"].as_str().unwrap())
                })
                .collect();
            assert_eq!(text, FLOATS, "{transport} {file:?}");
            // Leases that a killed worker held ahead are tried once more uncharged.
            assert!(json["retries"].as_u64().is_some_and(|retries| retries > 0), "{transport} {file:?}");
        }
        world.finish();
    }
}

/// A worker that is in the middle of a file is killed from outside. The first partition, as a lease held ahead may move.
#[test]
fn a_struck_worker_costs_nothing() {
    let world = World::new(BINARY).with("TALLY_CRASH_AT", "fold,partition=0,attempts=1,how=hang");
    for file in every_format(&world, &rows()).into_iter().take(3) {
        let running = world.start(reduce(&file, &["--partitions", "3", "--workers", "2"]));
        let struck = until("a stopped worker", || {
            let workers = world.named("tally-worker");
            workers.into_iter().find(|worker| proc::look(worker.pid).is_some_and(|now| now.state == 'T'))
        });
        send(struck.pid, Signal::Kill);
        running.finish().answered(FLOATS);
    }
    world.finish();
}

/// A command of this world whose standard input is this.
fn fed(world: &World, words: &[&str], input: impl Into<Stdio>) -> Running {
    let mut command: Command = world.command(words);
    command.stdin(input);
    Running::start(command)
}

/// The same with bytes that come through a pipe.
fn piped(world: &World, words: &[&str], bytes: &[u8]) -> Finished {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    let running = fed(world, words, reader);
    // Nobody may read it: an early error.
    writer.write_all(bytes).ok();
    drop(writer);
    running.finish()
}

#[test]
fn standard_input_is_read_however_it_comes() {
    let world = World::new(BINARY);
    every_format(&world, &rows());
    let path = |name: &str| world.path().join(name);
    let open = |name: &str| fs::File::open(path(name)).expect("a file of the test");
    for (name, words) in [
        ("t.csv", &["--of", "x"][..]),
        ("t.tsv", &["--of", "x"]),
        ("t.txt", &[]),
        ("t.npy", &[]),
        ("t.csv.zst", &["--of", "x"]),
        ("t.raw", &["--format", "f64be"]),
    ] {
        let words: Vec<&str> = ["reduce", "sum,mean,min,max", "-"].iter().chain(words).copied().collect();
        fed(&world, &words, open(name)).finish().answered(FLOATS);
        piped(&world, &words, &fs::read(path(name)).expect("a file")).answered(FLOATS);
        let inline: Vec<&str> = words.iter().copied().chain(["--mode", "inline"]).collect();
        fed(&world, &inline, open(name)).finish().answered(FLOATS);
    }
    piped(&world, &["sum", "-"], b"").answered("0\n");
    piped(&world, &["sum", "-"], b"1e3\n2e3\n").answered("3000.0\n");
    fs::write(path("few.txt"), "2.5\n9\n").expect("a file");
    piped(&world, &["sum", "-", "few.txt", "--where", "value < 3"], b"2\n7\n").answered("4.5\n");
    let twice = piped(&world, &["sum", "-", "-"], b"1\n");
    twice.failed(2, "tally: could not open -: standard input can be read once");
    // What a shell has read of it already is not read again.
    let script = "{ read -r line; \"$TALLY\" sum - --format lines; } < rest.txt";
    fs::write(path("rest.txt"), "1000\n2\n3\n").expect("a file");
    Running::start(world.script(script)).finish().answered("5\n");
    let script = "\"$TALLY\" sum <(printf 'a,b\\n1,2\\n3,4\\n') --of b";
    Running::start(world.script(script)).finish().answered("6\n");
    world.finish();
}

/// A first line that is no number is the name of a column, which is said, or a number that cannot be read.
#[test]
fn what_a_first_line_is_taken_for_is_told() {
    let world = World::new(BINARY);
    let bad = |line: &str| format!("tally: could not read -: row 1, column value: '{line}' is not a number");
    for (bytes, line) in [(&b"abc\n"[..], "abc"), (b"n/a\n1\n2\n", "n/a"), (b"1 2 3\n", "1 2 3")] {
        piped(&world, &["sum", "-"], bytes).failed(1, &bad(line));
        piped(&world, &["sum", "-", "--mode", "inline"], bytes).failed(1, &bad(line));
    }
    let named = piped(&world, &["sum", "-"], b"price\n1\n2\n");
    let note =
        "tally: note: the first line of standard input, 'price', was taken for the name of its column\n";
    assert_eq!((named.stdout.as_str(), named.stderr.as_str()), ("3\n", note));
    for words in [&["sum", "-", "-q"][..], &["sum", "-", "--of", "price"]] {
        let quiet = piped(&world, words, b"price\n1\n2\n");
        assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("3\n", ""), "{words:?}");
    }
    // Where a column is named there must be names, though no row comes after them.
    piped(&world, &["sum", "-", "--of", "price"], b"price\n").answered("0\n");
    fs::write(world.path().join("bare.csv"), "1\n2\n3\n").expect("a file");
    let bare = world.run(["sum", "bare.csv"]);
    let note =
        "tally: note: the first row of bare.csv was taken for names, though it has numbers: --no-header\n";
    assert_eq!((bare.stdout.as_str(), bare.stderr.as_str()), ("5\n", note));
    world.run(["sum", "bare.csv", "--no-header"]).answered("6\n");
    world.finish();
}

/// Time is up for a stream, too, whether it is silent or has no end.
#[test]
fn a_stream_that_does_not_end_in_time_is_given_up() {
    let world = World::new(BINARY);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let silent = fed(&world, &["sum", "-", "--timeout", "100ms"], reader).finish();
    silent.failed(5, "tally: could not read -: it did not come to its end within 100ms");
    drop(writer);
    let endless = world.run(["sum", "/dev/zero", "--format", "u8", "--timeout", "100ms"]);
    endless.failed(5, "tally: could not read /dev/zero: it did not come to its end within 100ms");
    piped(&world, &["sum", "-", "--timeout", "1h"], b"1\n2\n").answered("3\n");
    world.finish();
}

#[test]
fn standard_input_larger_than_memory_goes_to_a_file_without_a_name() {
    let world = World::new(BINARY);
    let script = "head -c 300000000 /dev/zero | tr '\\0' '\\1' | \"$TALLY\" sum - --format u8";
    Running::start(world.script(script)).finish().answered("300000000\n");
    let nowhere = format!("export TMPDIR=/nowhere; {script}");
    let refused = Running::start(world.script(&nowhere)).finish();
    assert_eq!(refused.code(), 2, "{}", refused.stderr);
    assert!(
        refused.stderr.starts_with("tally: could not open -: there is no room for it in /nowhere: "),
        "{}",
        refused.stderr
    );
    world.finish();
}

#[test]
fn what_is_no_regular_file_is_read_to_its_end() {
    let world = World::new(BINARY);
    let script =
        "mkfifo f.csv && { printf 'a,b\\n1,2\\n' > f.csv & } && \"$TALLY\" sum f.csv --of b; rm f.csv";
    Running::start(world.script(script)).finish().answered("2\n");
    world.run(["sum", "/dev/null"]).answered("0\n");
    let kernel = fs::read_to_string("/proc/sys/kernel/pid_max").expect("it is Linux");
    world.run(["sum", "/proc/sys/kernel/pid_max"]).answered(&kernel);
    world.run(["count", "/dev/null", "--format", "u8"]).answered("0\n");
    fs::create_dir(world.path().join("d.csv")).expect("a directory");
    world.run(["sum", "d.csv"]).failed(2, "tally: could not open d.csv: it is a directory");
    let socket = std::os::unix::net::UnixListener::bind(world.path().join("s.csv")).expect("a socket");
    let refused = world.run(["sum", "s.csv"]);
    assert_eq!(refused.code(), 2);
    assert!(refused.stderr.starts_with("tally: could not open s.csv: "), "{}", refused.stderr);
    drop(socket);
    world.finish();
}

#[test]
fn what_may_not_be_read_is_said() {
    let world = World::new(BINARY);
    let secret = world.path().join("secret.csv");
    fs::write(&secret, "a\n1\n").expect("a file");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).expect("its own file");
    if fs::File::open(&secret).is_ok() {
        // Root may read everything: another user is tried.
        world.open_to_others();
        let running = world.start_as(65_534, 65_534, ["sum", "--local", secret.to_str().expect("text")]);
        let finished = running.finish();
        assert_eq!(finished.code(), 6, "{}", finished.stderr);
        assert!(finished.stderr.contains("secret.csv: permission denied"), "{}", finished.stderr);
    } else {
        let finished = world.run(["sum", "secret.csv"]);
        finished.failed(6, "tally: could not open secret.csv: permission denied");
    }
    world.finish();
}

#[test]
fn many_files_are_one_source() {
    let world = World::new(BINARY);
    let many = world.path().join("many");
    fs::create_dir(&many).expect("a directory");
    for n in 0..300_u64 {
        // Columns stand elsewhere in every other file; some have no row, and one has nothing at all.
        let text = match n {
            7 => String::new(),
            _ if n % 50 == 0 => "v,w\n".to_owned(),
            _ if n % 2 == 0 => format!("w,v\nx,{n}\n"),
            _ => format!("v,extra,w\n{n},,y\n0,,z"),
        };
        fs::write(many.join(format!("{n:03}.csv")), text).expect("a file");
    }
    let expected: u64 = (0..300).filter(|n| *n != 7 && n % 50 != 0).sum();
    let expected = format!("{expected}\n");
    world.run(["sum", "many/*.csv", "--of", "v"]).answered(&expected);
    world
        .run(["sum", "many/*.csv", "--of", "v", "--partitions", "64", "--start", "spawn"])
        .answered(&expected);
    world.run(["sum", "many/*.csv", "--of", "v", "--mode", "threads"]).answered(&expected);
    let daemon = world.daemon(&["--workers", "2"]);
    world.ask(["sum", "many/*.csv", "--of", "v"]).answered(&expected);
    daemon.stop();
    for n in 300..600 {
        fs::write(many.join(format!("{n}.csv")), "v\n1\n").expect("a file");
    }
    let refused = world.run(["sum", "many/*.csv", "--of", "v"]);
    refused.failed(
        2,
        "tally: could not open many/512.csv: it is one more than the 512 files that a job may have",
    );
    world
        .run(["sum", "many/[x].csv"])
        .failed(2, "tally: could not find files for many/[x].csv: none matches");
    world.finish();
}

/// A file, what is in it, what is asked, the exit code and a part of the error.
type Wrong<'a> = (&'a str, &'a [u8], &'a [&'a str], i32, &'a str);

/// Files that are odd: what is in them, what is asked, and the answer or a part of the error.
#[test]
fn odd_files_are_read_right_or_told() {
    let garbage: Vec<u8> = (0..3000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let good: [(&str, &[u8], &[&str], &str); 24] = [
        ("e.txt", b"", &[], "0"),
        ("e.raw", b"", &["--format", "f64le"], "0.0"),
        ("one.txt", b"5", &[], "5"),
        ("blank.txt", b"\n\n 7 \n\n-2\n\n", &["--on-bad", "skip", "-q"], "5"),
        ("crlf.txt", b"1\r\n2\r\n3", &[], "6"),
        ("bom.txt", b"\xef\xbb\xbf1\n2\n", &[], "3"),
        ("plus.txt", b"+1\n-0\n007\n", &[], "8"),
        ("head.csv", b"a,b\n", &["--of", "a"], "0"),
        ("short.csv", b"a,b\n1,2", &["--of", "b"], "2"),
        ("bom.csv", b"\xef\xbb\xbf\"a\",b\r\n1,2\r\n3,4\r\n", &["--of", "a"], "4"),
        ("blank.csv", b"\n\na,b\n\n1,2\n\n\n3,4\n\n", &["--of", "b"], "6"),
        ("quoted.csv", b"a,b\n\"x\n\",\"1\"\n\"\"\"\n\"\"\",\"2\"\n", &["--of", "b"], "3"),
        ("quoted2.csv", b"\"a\nb\",c\n1,2\n\"3\",4\n", &["--of", "col(\"a\\nb\")"], "4"),
        ("bare.csv", b"1,2\n3,4\n", &["--no-header", "--of", "c2"], "6"),
        ("spaces.csv", b" a , b\n 1 , 2 \n", &["--of", "b"], "2"),
        ("pipe.csv", b"a|b\n1|2\n", &["--delimiter", "|", "--of", "b"], "2"),
        ("tab.csv", b"a\tb\n1\t2\n", &["--delimiter", "\\t", "--of", "b"], "2"),
        ("tab.tsv", b"a\tb,c\n1\t2\n", &["--of", "col(\"b,c\")"], "2"),
        ("upper.CSV", b"a,b\n1,2\n", &["--of", "b"], "2"),
        ("crcr.csv", b"a,b\r\n\"x\ry\",2\r\n", &["--of", "b"], "2"),
        ("same.csv", b"a,a,b\n1,2,3\n", &["--of", "b"], "3"),
        ("ragged.csv", b"a,b\n1,2\n3\n4,5,6\n7,8\n", &["--of", "b", "--on-bad", "skip", "-q"], "10"),
        ("na.csv", b"a\n1\nNA\n\"\"\n4\n", &["--on-bad", "skip", "-q"], "5"),
        ("nan.csv", b"a\n1.5\nNA\n", &["--on-bad", "nan", "--nan", "skip", "-q"], "1.5"),
    ];
    let bad: [Wrong<'_>; 20] = [
        ("e.csv", b"", &[], 1, "e.csv: it is empty: there is no header row"),
        ("e.npy", b"", &[], 1, "e.npy: it ends within its npy header"),
        ("g.csv", &garbage, &["--of", "a"], 2, "g.csv"),
        ("g.npy", &garbage, &[], 1, "g.npy: not an npy file"),
        ("g.txt", &garbage, &[], 1, "g.txt: row "),
        ("w.txt", b"1\nx\n", &[], 1, "w.txt: row 2, column value: 'x' is not a number"),
        ("t.txt", b"one\ntwo\n", &[], 1, "t.txt: row "),
        ("torn.raw", b"1234567", &["--format", "f64le"], 1, "torn.raw: the last f64le is incomplete"),
        ("open.csv", b"a,b\n1,\"2\n3,4\n", &["--of", "a"], 1, "open.csv: the quote that is open"),
        ("inner.csv", b"a,b\n1,2\"3\n", &["--of", "a"], 1, "inner.csv: row 2 has a quote"),
        ("same.csv", b"a,a,b\n1,2,3\n", &["--of", "a"], 2, "several columns are called so"),
        (
            "ragged.csv",
            b"a,b\n1,2\n3\n",
            &["--of", "a"],
            1,
            "ragged.csv: row 3 has 1 cell and the first row has 2",
        ),
        ("late.csv", b"a,b\n1,\n2,\n\n\nx,\n", &["--of", "a"], 1, "row 6, column a: 'x' is not a number"),
        ("blank.txt", b"1\n\n2\n", &[], 1, "blank.txt: row 2, column value: the cell is empty"),
        ("blank1.csv", b"a\n1\n\n2", &[], 1, "blank1.csv: row 3, column a: the cell is empty"),
        ("returns.csv", b"a\r1\r2\r", &[], 1, "returns.csv: its lines end in carriage returns alone"),
        ("empty.csv", b"a,b\n1,\n", &["--of", "b"], 1, "empty.csv: row 2, column b: the cell is empty"),
        ("big.csv", b"a\n1e999\n", &[], 1, "big.csv: row 2, column a: '1e999' is beyond the range of floats"),
        ("o.npy", &npy("|O", "(1,)", *b"........"), &[], 1, "o.npy: npy type '|O': objects are pickles"),
        ("cut.npy", &npy("<f8", "(9,)", *b"........"), &[], 1, "cut.npy: the npy header promises 72 bytes"),
    ];
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "2"]);
    let words = |name: &str, more: &[&str], partitions: &str| {
        let words = ["sum", name, "--partitions", partitions];
        words.iter().chain(more).map(|&word| word.to_owned()).collect::<Vec<_>>()
    };
    for (name, bytes, more, answer) in good {
        fs::write(world.path().join(name), bytes).expect("a file");
        for partitions in ["1", "2", "3", "64"] {
            let finished = world.ask(words(name, more, partitions));
            let got = (finished.code(), finished.stdout.as_str(), finished.stderr.as_str());
            assert_eq!(got, (0, format!("{answer}\n").as_str(), ""), "{name} in {partitions}");
        }
    }
    for (name, bytes, more, code, part) in bad {
        fs::write(world.path().join(name), bytes).expect("a file");
        for partitions in ["1", "3"] {
            let finished = world.ask(words(name, more, partitions));
            let line = finished.stderr.lines().next().unwrap_or("");
            let told = line.starts_with("tally: could not ") && line.contains(part);
            assert!(
                finished.code() == code && finished.stdout.is_empty() && told,
                "{name} in {partitions}: {} {:?} {}",
                finished.code(),
                finished.stdout,
                finished.stderr
            );
        }
    }
    daemon.stop();
    world.finish();
}

/// A closed standard input is nothing that could be read to its end.
#[test]
fn a_closed_standard_input_is_an_error() {
    let world = World::new(BINARY);
    for (verb, line) in [
        ("sum -", "tally: could not open -: it is closed"),
        ("running sum", "tally: could not read standard input: it is closed"),
    ] {
        let closed = Running::start(world.script(&format!("exec \"$TALLY\" {verb} <&-"))).finish();
        closed.failed(2, line);
    }
    let empty = Running::start(world.script("exec \"$TALLY\" sum - </dev/null")).finish();
    empty.answered("0\n");
    world.finish();
}
