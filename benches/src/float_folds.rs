//! Exact sums of columns in memory as ratios to reading the same words, or to the loop that wraps.
#![expect(
    clippy::cast_possible_truncation,
    reason = "random numbers of every width are cut from random words"
)]

use std::hint::black_box;

use tally_reduce::{FloatSum, Indices, NanPolicy, Partial, Reduction};

use crate::measure::{median, seconds};

/// Pseudo-random words (splitmix64).
struct Words(u64);

impl Words {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// Uniform in [0, 1).
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 * 2_f64.powi(-53)
    }
}

/// Reads every word and does nothing with it that takes time.
fn read(values: &[f64]) -> u64 {
    let (groups, rest) = values.as_chunks::<32>();
    let mut seen = [0_u64; 32];
    for group in groups {
        for (seen, value) in seen.iter_mut().zip(group) {
            *seen |= value.to_bits();
        }
    }
    seen.into_iter().chain(rest.iter().map(|value| value.to_bits())).fold(0, |all, word| all | word)
}

fn sum(values: &[f64]) -> f64 {
    let mut sum = FloatSum::new();
    sum.add_all(values);
    sum.value()
}

fn one_at_a_time(values: &[f64]) -> f64 {
    let mut sum = FloatSum::new();
    for value in values {
        sum.add(*value);
    }
    sum.value()
}

/// The medians of seven rounds, the works taking turns, in nanoseconds for each element.
fn medians(elements: usize, works: &[&dyn Fn()]) -> Vec<f64> {
    let mut times = vec![Vec::new(); works.len()];
    for _ in 0..7 {
        for (work, times) in works.iter().zip(&mut times) {
            times.push(seconds(work) * 1e9 / elements as f64);
        }
    }
    times.iter_mut().map(|times| median(times)).collect()
}

fn compare(what: &str, values: &[f64]) {
    assert_eq!(sum(values).to_bits(), one_at_a_time(values).to_bits());
    let found = medians(
        values.len(),
        &[
            &|| {
                black_box(read(black_box(values)));
            },
            &|| {
                black_box(sum(black_box(values)));
            },
            &|| {
                black_box(one_at_a_time(black_box(values)));
            },
        ],
    );
    let [reading, summing, singly] = found[..] else { return };
    println!(
        "{what:<28} reading {reading:.2} ns, exact sum {summing:.2} ns ({:.2} x reading), one at a time {singly:.2} ns ({:.1} x slower)",
        summing / reading,
        singly / summing
    );
}

/// Floats of narrow and wide exponents, several reductions in one pass, integers of every width.
pub(crate) fn columns(_binary: &str) {
    let mut words = Words(1);
    let mut column = |value: &mut dyn FnMut(&mut Words) -> f64| -> Vec<f64> {
        (0..50_000_000).map(|_| value(&mut words)).collect()
    };
    compare("uniform in [0, 1)", &column(&mut Words::unit));
    compare(
        "around zero, 10^-6 to 10^6",
        &column(&mut |words| (words.unit() - 0.5) * 10_f64.powf(12.0 * words.unit() - 6.0)),
    );
    compare(
        "exponents 2^-300 to 2^300",
        &column(&mut |words| {
            let exponent = words.next() % 601;
            f64::from_bits((words.next() & (0x800f_ffff_ffff_ffff)) | (1023 - 300 + exponent) << 52)
        }),
    );
    moments(&column(&mut Words::unit));
    integers();
}

fn partial(reductions: &[Reduction], absorb: &dyn Fn(&mut Partial)) -> Partial {
    let mut partial = Partial::identity(reductions);
    absorb(&mut partial);
    partial
}

/// Several reductions over floats in one pass.
fn moments(values: &[f64]) {
    use Reduction::{Max, Mean, Min, Stddev, Sum};
    let lists: [&[Reduction]; 5] = [&[Sum], &[Mean], &[Min], &[Stddev], &[Sum, Min, Max, Mean, Stddev]];
    for list in lists {
        let found = medians(
            values.len(),
            &[&|| {
                black_box(partial(list, &|partial| {
                    assert!(partial.absorb_f64(values, Indices::From(0), NanPolicy::Keep).is_ok());
                }));
            }],
        );
        println!("{list:?} of floats: {:.2} ns", found[0]);
    }
}

/// Columns of integers beside the loop that wraps.
fn integers() {
    macro_rules! width {
        ($value:ty, $absorb:ident) => {
            let mut words = Words(2);
            let column: Vec<$value> =
                (0..400_000_000 / size_of::<$value>()).map(|_| words.next() as $value).collect();
            let wrapping = || {
                let sum = black_box(&column).iter().fold(0_i64, |sum, value| sum.wrapping_add(*value as i64));
                black_box(sum);
            };
            let exact = |list: &[Reduction]| {
                black_box(partial(list, &|partial| {
                    assert!(partial.$absorb(&column, Indices::From(0)).is_ok());
                }));
            };
            let all = [Reduction::Sum, Reduction::Min, Reduction::Max];
            let found = medians(column.len(), &[&wrapping, &|| exact(&[Reduction::Sum]), &|| exact(&all)]);
            println!(
                "{:<4} wrapping {:.3} ns, exact sum {:.3} ns ({:.2} x), sum, min and max {:.3} ns",
                stringify!($value),
                found[0],
                found[1],
                found[1] / found[0],
                found[2]
            );
        };
    }
    width!(i64, absorb_i64);
    width!(u64, absorb_u64);
    width!(i32, absorb_i32);
    width!(u32, absorb_u32);
    width!(i16, absorb_i16);
    width!(u16, absorb_u16);
    width!(i8, absorb_i8);
    width!(u8, absorb_u8);
}
