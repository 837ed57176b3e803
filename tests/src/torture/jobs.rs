//! Jobs as one types them, and what must come of each: worked out here, by loops as plain as can be.

use super::data::{Data, money};
use super::plan::{STARTS, TRANSPORTS};
use crate::Random;

/// A command and its answer.
#[derive(Clone, Debug)]
pub(super) struct Job {
    /// The kind, as it is counted.
    pub(super) kind: &'static str,
    /// What is typed behind `tally`.
    pub(super) arguments: Vec<String>,
    /// What stands on its standard input.
    pub(super) input: Option<String>,
    /// The whole of its standard output.
    pub(super) answer: String,
    /// Its lines come one by one: before a failure some may be there.
    pub(super) streams: bool,
    /// Whether it has a supervisor of its own.
    pub(super) private: bool,
}

impl Job {
    /// One that the numbers choose.
    pub(super) fn chosen(random: &mut Random, data: &Data) -> Self {
        let mut job = match random.below(16) {
            0..=2 => range(random),
            3 => several(random),
            4 => product(random),
            5 => file(random, data),
            6 => input(data),
            7 => groups(data),
            8 => decimal(random, data),
            9 => running(random),
            10 => batch(random),
            11..=14 => kernel(random),
            _ => filtered(random, data),
        };
        // Running sums and batches take fewer options.
        if !job.streams {
            if random.below(4) == 0 {
                job.private = true;
                let (transport, start) = (random.one_of(&TRANSPORTS), random.one_of(&STARTS));
                job.options(&["--transport", transport, "--start", start, "--workers", "2"]);
            }
            if random.coin() {
                let partitions = 1 + random.below(40);
                job.options(&["--partitions", &partitions.to_string()]);
            }
            job.options(&["--retries", "100", "-q"]);
        }
        job
    }

    fn options(&mut self, options: &[&str]) {
        self.arguments.extend(options.iter().map(|one| (*one).to_owned()));
    }
}

fn job(kind: &'static str, arguments: &[&str], answer: String) -> Job {
    let arguments = arguments.iter().map(|one| (*one).to_owned()).collect();
    Job { kind, arguments, input: None, answer, streams: false, private: false }
}

/// The sum of `i * i % modulus` over a range: of whole periods, and of what is left.
fn squares(from: u64, to: u64, modulus: u64) -> u128 {
    let term = |i: u64| u128::from((i % modulus) * (i % modulus) % modulus);
    let period: u128 = (0..modulus).map(term).sum();
    let below = |end: u64| u128::from(end / modulus) * period + (0..end % modulus).map(term).sum::<u128>();
    below(to) - below(from)
}

fn range(random: &mut Random) -> Job {
    let from = random.below(1_000_000);
    let to = from + 1 + random.below(4_000_000);
    let modulus = 2 + random.below(900);
    let (source, of) = (format!("{from}..{to}"), format!("i * i % {modulus}"));
    job(
        "range with an expression",
        &["sum", &source, "--of", &of],
        format!("{}\n", squares(from, to, modulus)),
    )
}

fn several(random: &mut Random) -> Job {
    let first = i128::from(random.below(2_000_000)) - 1_000_000;
    let step = 1 + i128::from(random.below(7));
    let count = 2 + i128::from(random.below(300_000));
    let last = first + (count - 1) * step;
    // One behind the last, whatever the step.
    let source = format!("{first}..{}", last + 1);
    // An arithmetic series, and its mean where that is exact.
    let sum = (first + last) * count / 2;
    let answer = format!("sum\t{sum}\nmin\t{first}\nmax\t{last}\ncount\t{count}\n");
    job("several reductions", &["reduce", "sum,min,max,count", &source, "--step", &step.to_string()], answer)
}

/// Digits of a factorial, by the multiplication one learns at school.
fn factorial(n: u32) -> String {
    let mut limbs: Vec<u64> = vec![1];
    for factor in 2..=u64::from(n) {
        let mut carry = 0;
        for limb in &mut limbs {
            let product = *limb * factor + carry;
            *limb = product % 1_000_000_000;
            carry = product / 1_000_000_000;
        }
        if carry > 0 {
            limbs.push(carry);
        }
    }
    let mut text = limbs.pop().unwrap_or(0).to_string();
    limbs.iter().rev().for_each(|limb| text.push_str(&format!("{limb:09}")));
    text
}

fn product(random: &mut Random) -> Job {
    let n = 100 + u32::try_from(random.below(1_500)).expect("it is small");
    job("product", &["factorial", &n.to_string()], format!("{}\n", factorial(n)))
}

fn file(random: &mut Random, data: &Data) -> Job {
    let answer = format!("{}\n", data.sum());
    match random.below(3) {
        0 => job("csv file", &["sum", "t.csv", "--of", "n"], answer),
        1 => job("npy file", &["sum", "n.npy"], answer),
        _ => job("text file", &["sum", "n.txt"], answer),
    }
}

fn input(data: &Data) -> Job {
    let mut job = job("standard input", &["sum", "-"], format!("{}\n", data.sum()));
    job.input = Some(data.text.clone());
    job
}

fn groups(data: &Data) -> Job {
    job("groups", &["sum", "t.csv", "--of", "n", "--by", "region"], data.by_region())
}

fn decimal(random: &mut Random, data: &Data) -> Job {
    let least = i64::try_from(random.below(1_000)).expect("it is small");
    let kept = data.cents.iter().filter(|cents| **cents > least * 100).map(|cents| i128::from(*cents));
    let filter = format!("price > {least}");
    let arguments = ["sum", "t.csv", "--of", "price", "--where", &filter, "--decimal"];
    job("decimals", &arguments, format!("{}\n", money(kept.sum())))
}

fn filtered(random: &mut Random, data: &Data) -> Job {
    let modulus = 2 + i64::try_from(random.below(50)).expect("it is small");
    let kept = data.numbers.iter().filter(|number| number.rem_euclid(modulus) == 0);
    let answer: i128 = kept.map(|number| i128::from(number.div_euclid(3))).sum();
    let filter = format!("n % {modulus} == 0");
    let name = ["t.csv", "n.txt", "n.npy"][usize::try_from(random.below(3)).expect("it is small")];
    // The only column of a file without names.
    let (of, filter) = match name {
        "t.csv" => ("n // 3".to_owned(), filter),
        _ => ("value // 3".to_owned(), filter.replace('n', "value")),
    };
    job("file with a filter", &["sum", name, "--of", &of, "--where", &filter], format!("{answer}\n"))
}

fn kernel(random: &mut Random) -> Job {
    let from = random.below(100_000);
    let to = from + 1 + random.below(4_000);
    let (kind, command) = match random.below(2) {
        0 => ("kernel that lives on", "sh living.sh"),
        _ => ("kernel for each partition", "sh once.sh {start} {end}"),
    };
    let source = format!("{from}..{to}");
    job(kind, &["sum", &source, "--command", command], format!("{}\n", squares(from, to, 11)))
}

fn running(random: &mut Random) -> Job {
    let numbers: Vec<i128> =
        (0..3 + random.below(200)).map(|_| i128::from(random.word() >> 20) - 4_000_000).collect();
    let mut total = 0;
    let answer = numbers.iter().map(|number| {
        total += number;
        format!("{total}\n")
    });
    let mut job = job("running", &["running", "sum", "-"], answer.collect());
    job.input = Some(numbers.iter().map(|number| format!("{number}\n")).collect());
    job.streams = true;
    job
}

fn batch(random: &mut Random) -> Job {
    let (mut lines, mut answer) = (String::new(), String::new());
    for line in 1..=2 + random.below(25) {
        let (to, modulus) = (1 + random.below(60_000), 2 + random.below(90));
        lines.push_str(&format!("sum 0..{to} --of 'i * i % {modulus}' --retries 100\n"));
        answer.push_str(&format!("{line}\t{}\n", squares(0, to, modulus)));
    }
    let mut job = job("batch", &["batch", "-", "--ordered"], answer);
    job.input = Some(lines);
    job.streams = true;
    job
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_answers_are_right() {
        assert_eq!(squares(3, 9, 5), [9 % 5, 16 % 5, 0, 36 % 5, 49 % 5, 64 % 5].iter().sum());
        assert_eq!(factorial(25), "15511210043330985984000000");
        assert_eq!(money(-5), "-0.05");
        assert_eq!(money(1_234), "12.34");
    }
}
