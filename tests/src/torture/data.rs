//! Files of numbers whose sums are known, as they were made.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use crate::npy::npy;
use crate::{Random, World};

/// Rows of each file.
const ROWS: usize = 6_000;
/// Keys of the groups.
const REGIONS: [&str; 5] = ["east", "north", "south", "the \"far\" west", "west, inner"];

/// A kernel that answers line by line: the sum of `i * i % 11`.
const LIVING: &str = "while read -r i end rest; do sum=0
while [ \"$i\" -lt \"$end\" ]; do sum=$((sum + i * i % 11)); i=$((i + 1)); done
echo $sum; done
";
/// The same for one partition.
const ONCE: &str = "i=$1; sum=0
while [ \"$i\" -lt \"$2\" ]; do sum=$((sum + i * i % 11)); i=$((i + 1)); done
echo $sum
";

/// The numbers, and the names of the files that hold them: `t.csv` (region, n, price), `n.txt`, `n.npy`.
#[derive(Debug)]
pub(super) struct Data {
    pub(super) numbers: Vec<i64>,
    pub(super) cents: Vec<i64>,
    pub(super) regions: Vec<usize>,
    /// What `n.txt` holds.
    pub(super) text: String,
}

impl Data {
    /// Makes them and writes the files.
    pub(super) fn write(world: &World, seed: u64) -> Self {
        let mut random = Random::of(seed, &[u64::from(u32::MAX)]);
        let mut number = || i64::try_from(random.below(2_000_000_000)).expect("it is small") - 1_000_000_000;
        let numbers: Vec<i64> = (0..ROWS).map(|_| number()).collect();
        let cents: Vec<i64> = (0..ROWS).map(|_| number() / 1000).collect();
        let regions: Vec<usize> = (0..ROWS)
            .map(|_| usize::try_from(random.below(REGIONS.len() as u64)).expect("it is small"))
            .collect();
        let mut table = "region,n,price\n".to_owned();
        let mut text = String::new();
        let mut array = npy("<i8", &format!("({ROWS},)"), []);
        for row in 0..ROWS {
            let region = REGIONS[regions[row]];
            let quoted = if region.contains(['"', ',']) {
                format!("\"{}\"", region.replace('"', "\"\""))
            } else {
                region.to_owned()
            };
            writeln!(table, "{quoted},{},{}", numbers[row], money(i128::from(cents[row]))).expect("memory");
            writeln!(text, "{}", numbers[row]).expect("memory");
            array.extend(numbers[row].to_le_bytes());
        }
        let files: [(&str, &[u8]); 5] = [
            ("t.csv", table.as_bytes()),
            ("n.txt", text.as_bytes()),
            ("n.npy", &array),
            ("living.sh", LIVING.as_bytes()),
            ("once.sh", ONCE.as_bytes()),
        ];
        for (name, bytes) in files {
            fs::write(world.path().join(name), bytes).expect("a file in the world's own folder");
        }
        Self { numbers, cents, regions, text }
    }

    pub(super) fn sum(&self) -> i128 {
        self.numbers.iter().map(|number| i128::from(*number)).sum()
    }

    /// A line for each group, sorted by key.
    pub(super) fn by_region(&self) -> String {
        let mut sums: BTreeMap<&str, i128> = BTreeMap::new();
        for (number, region) in self.numbers.iter().zip(&self.regions) {
            *sums.entry(REGIONS[*region]).or_default() += i128::from(*number);
        }
        sums.iter().map(|(region, sum)| format!("{region}\t{sum}\n")).collect()
    }
}

/// Hundredths as they are written.
pub(super) fn money(cents: i128) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", cents.unsigned_abs() / 100, cents.unsigned_abs() % 100)
}
