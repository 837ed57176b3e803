//! Parquet files by the real program: with the feature the same answers as from text, without it a line that says so.
#![forbid(unsafe_code)]

use std::fs;

use tally_tests::World;

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

#[cfg(not(feature = "parquet"))]
#[test]
fn without_the_feature_it_is_said() {
    let world = World::new(BINARY);
    fs::write(world.path().join("t.parquet"), b"PAR1PAR1").expect("a file in the test's own folder");
    let refused = world.run(["sum", "t.parquet", "--of", "n"]);
    refused.failed(2, "tally: could not read t.parquet: this build has no Parquet");
    assert!(refused.stderr.contains("--features parquet"), "{}", refused.stderr);
    world.finish();
}

#[cfg(feature = "parquet")]
mod with {
    use std::fmt::Write as _;
    use std::sync::Arc;

    use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
    use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::types::Type;

    use super::{BINARY, World, fs};

    const TRANSPORTS: [&str; 5] = ["shm", "shm-named", "pipe", "mqueue", "channel"];
    const STARTS: [&str; 3] = ["forkserver", "spawn", "fork"];
    const ROWS: i64 = 20_000;
    const REGIONS: [&str; 3] = ["north", "south", "east, far"];

    /// Row `n` of the table: a region, an integer which may be absent, a float, a price in hundredths.
    fn row(n: i64) -> (&'static str, Option<i64>, f64, i64) {
        let spread = [1e16, 1.0, -1e16, 0.1, 3e-300];
        let of = |len: usize| usize::try_from(n).expect("it counts up") % len;
        (
            REGIONS[of(3)],
            (n % 1000 != 7).then_some(n * 1_000_003),
            spread[of(5)] * (1 + n % 11) as f64,
            n * 7 - 3,
        )
    }

    fn field(name: &str, physical: Physical, logical: Option<LogicalType>, precision: i32) -> Arc<Type> {
        let builder = Type::primitive_type_builder(name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical)
            .with_precision(precision)
            .with_scale(if precision > 0 { 2 } else { -1 });
        Arc::new(builder.build().expect("a type"))
    }

    /// The table in row groups of so many rows.
    fn write(group: i64, compression: Compression) -> Vec<u8> {
        let fields = vec![
            field("region", Physical::BYTE_ARRAY, Some(LogicalType::String), -1),
            field("n", Physical::INT64, None, -1),
            field("x", Physical::DOUBLE, None, -1),
            field("price", Physical::INT64, Some(LogicalType::decimal(2, 18)), 18),
        ];
        let schema = Type::group_type_builder("table").with_fields(fields).build().expect("a schema");
        let properties = WriterProperties::builder().set_compression(compression).build();
        let mut writer =
            SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties)).expect("a writer");
        for from in (0..ROWS).step_by(usize::try_from(group).expect("a size")) {
            let rows: Vec<_> = (from..(from + group).min(ROWS)).map(row).collect();
            let all = vec![1_i16; rows.len()];
            let mut out = writer.next_row_group().expect("a row group");
            macro_rules! column {
                ($type:ty, $values:expr, $levels:expr) => {{
                    let mut column = out.next_column().expect("a column").expect("one more");
                    let (values, levels): (Vec<_>, &[i16]) = ($values, $levels);
                    column.typed::<$type>().write_batch(&values, Some(levels), None).expect("it is written");
                    column.close().expect("it is closed");
                }};
            }
            column!(ByteArrayType, rows.iter().map(|row| ByteArray::from(row.0)).collect(), &all);
            let there: Vec<i16> = rows.iter().map(|row| i16::from(row.1.is_some())).collect();
            column!(Int64Type, rows.iter().filter_map(|row| row.1).collect(), &there);
            column!(DoubleType, rows.iter().map(|row| row.2).collect(), &all);
            column!(Int64Type, rows.iter().map(|row| row.3).collect(), &all);
            out.close().expect("it is closed");
        }
        writer.into_inner().expect("it is written")
    }

    /// The same table as text.
    fn text() -> String {
        let mut text = String::from("region,n,x,price\n");
        for (region, n, x, price) in (0..ROWS).map(row) {
            let n = n.map(|n| n.to_string()).unwrap_or_default();
            let sign = if price < 0 { "-" } else { "" };
            let (whole, cents) = (price.abs() / 100, price.abs() % 100);
            writeln!(text, "\"{region}\",{n},{x:?},{sign}{whole}.{cents:02}").expect("a string takes all");
        }
        text
    }

    fn world() -> World {
        let world = World::new(BINARY);
        let put = |name: &str, bytes: &[u8]| {
            fs::write(world.path().join(name), bytes).expect("a file in the test's own folder");
        };
        put("t.csv", text().as_bytes());
        put("one.parquet", &write(ROWS, Compression::SNAPPY));
        put("many.parquet", &write(777, Compression::ZSTD(parquet::basic::ZstdLevel::default())));
        world
    }

    #[test]
    fn the_same_answers_as_from_text() {
        let world = world();
        for words in [
            &["reduce", "sum,min,max,mean,variance,count", "--of", "n", "--on-bad", "skip", "-q"][..],
            &["reduce", "sum,min,max,mean,stddev,count", "--of", "x"],
            &["sum", "--of", "n", "--on-bad", "nan", "--nan", "skip", "-q"],
            &["sum", "--of", "x * 2 + price", "--where", "region == \"north\" and price > 10"],
            &["reduce", "sum,count", "--of", "x", "--by", "region"],
            &["reduce", "sum,max,count", "--of", "price", "--decimal"],
            &["sum", "--of", "price", "--decimal", "--by", "region", "--where", "price >= 1"],
            &["count", "--by", "n", "--where", "price < 5"],
            &["count"],
            // A cell that nobody wants need not be there, and beside a text in quotes a cell is its text.
            &["sum", "--of", "n", "--where", "n != \"\""],
            &["sum", "--of", "if(n in (\"\", \"2000006\"), 1, n)"],
            &["count", "--where", "n == \"5000015\" or price == \"0.04\""],
            &["sum", "--of", "if(x > 0, n, 0)", "--on-bad", "skip"],
            &["sum", "--of", "if(x > 0, n, 0)", "--on-bad", "nan", "--nan", "skip"],
        ] {
            let of = |file: &str| {
                let words: Vec<&str> = words.iter().copied().chain([file, "--partitions", "5"]).collect();
                let finished = world.run(words);
                assert_eq!(finished.code(), 0, "{file}: {}", finished.stderr);
                finished.stdout + &finished.stderr
            };
            let expected = of("t.csv");
            assert_eq!(of("one.parquet"), expected, "{words:?}");
            assert_eq!(of("many.parquet"), expected, "{words:?}");
        }
        let all = ["count", "t.csv", "one.parquet", "many.parquet", "--where", "x > 0 and n == n"];
        world.run(all.into_iter().chain(["--on-bad", "skip", "-q"])).answered("48000\n");
        world.finish();
    }

    #[test]
    fn the_same_bits_over_every_link_and_start_and_cut() {
        let world = world();
        let whole = world.run(["sum", "t.csv", "--of", "x", "--mode", "inline"]);
        for (at, transport) in TRANSPORTS.iter().enumerate() {
            for start in STARTS {
                let partitions = ["1", "7", "64"][at % 3];
                let words = ["sum", "many.parquet", "--of", "x", "--transport", transport, "--start", start];
                let words = words.into_iter().chain(["--partitions", partitions, "--workers", "3"]);
                world.run(words).answered(&whole.stdout);
            }
        }
        for mode in ["inline", "threads"] {
            world.run(["sum", "many.parquet", "--of", "x", "--mode", mode]).answered(&whole.stdout);
        }
        world.finish();
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let world = world();
        let empty = world.run(["sum", "many.parquet", "--of", "n", "--mode", "inline"]);
        assert_eq!(empty.code(), 1);
        assert!(
            empty.stderr.contains("many.parquet: row 8, column n: the cell is empty"),
            "{}",
            empty.stderr
        );
        let zero = world.run(["sum", "one.parquet", "--of", "1 // (price * 100 - 4)", "--mode", "inline"]);
        assert!(zero.stderr.contains("division by zero in row 2 of one.parquet"), "{}", zero.stderr);
        let text = world.run(["sum", "one.parquet", "--of", "region"]);
        assert_eq!(text.code(), 2, "{}", text.stderr);
        let floats = world.run(["sum", "one.parquet", "--of", "x", "--decimal"]);
        floats.failed(
            2,
            "tally: could not read column 'x' of one.parquet: it holds binary floats, and --decimal adds decimal numbers",
        );
        let name = world.run(["sum", "one.parquet", "--of", "prize"]);
        assert!(name.stderr.contains("did you mean 'price'?"), "{}", name.stderr);
        let several = world.run(["sum", "one.parquet"]);
        assert!(several.stderr.contains("name one with --of: n, x, price"), "{}", several.stderr);
        let bytes = write(ROWS, Compression::SNAPPY);
        fs::write(world.path().join("cut.parquet"), &bytes[..bytes.len() / 2]).expect("a file");
        let cut = world.run(["sum", "cut.parquet", "--of", "x"]);
        assert_eq!(cut.code(), 1, "{}", cut.stderr);
        assert!(cut.stderr.starts_with("tally: could not read cut.parquet: as Parquet: "), "{}", cut.stderr);
        world.finish();
    }
}
