//! How long an element of a range takes, and the parts of a long product: the best of a few runs.

use tally_reduce::{Answer, Integer, Partial, Reduction};

use crate::measure::seconds;

/// The shortest time of `runs` calls in seconds, and what the last one gave.
fn best<T>(runs: u32, mut work: impl FnMut() -> T) -> (f64, T) {
    let mut measure = || {
        let mut result = None;
        let time = seconds(|| result = Some(work()));
        (time, result.expect("the work was done"))
    };
    let (mut least, mut result) = measure();
    for _ in 1..runs {
        let (time, again) = measure();
        least = least.min(time);
        result = again;
    }
    (least, result)
}

fn fold(reductions: &[Reduction], first: &Integer, step: i64, count: u64) -> Partial {
    let mut partial = Partial::identity(reductions);
    let finished = partial.absorb_progression(first, &step.into(), count, &mut |_| true);
    assert!(finished, "nobody asked to stop");
    partial
}

fn element(what: &str, reductions: &[Reduction], first: Integer, count: u64) {
    let (time, partial) = best(7, || fold(reductions, &first, 1, count));
    assert_eq!(partial.elements(), count);
    let ns = time * 1e9 / count as f64;
    println!("{what:<44}{ns:>8.3} ns an element");
}

fn factorial(n: u64) {
    let (time, partial) = best(3, || fold(&[Reduction::Product], &Integer::ONE, 1, n));
    let (out, answers) = best(3, || partial.finish(false));
    let Some((_, Ok(answer @ Answer::Integer(_)))) = answers.first() else { return };
    let (show, text) = best(3, || answer.to_string());
    let (encode, bytes) = best(3, || partial.to_bytes());
    let (decode, back) = best(3, || Partial::from_bytes(&bytes));
    assert_eq!(back.as_ref(), Ok(&partial));
    println!(
        "{n}! : fold {time:.3} s, multiply out {out:.3} s, {} digits in {show:.3} s, {} bytes in {encode:.3} s, read in {decode:.3} s",
        text.len(),
        bytes.len()
    );
}

/// Ranges of small and large numbers, and two factorials.
pub(crate) fn ranges(_binary: &str) {
    use Reduction::{Count, Max, Mean, Min, Stddev, Sum, Variance};
    let zero = || Integer::ZERO;
    element("count 0..1e8", &[Count], zero(), 100_000_000);
    element("sum 0..1e8", &[Sum], zero(), 100_000_000);
    element("sum from -2^52, 1e8", &[Sum], -(Integer::ONE << 52), 100_000_000);
    element("sum from 2^60, 1e8", &[Sum], Integer::ONE << 60, 100_000_000);
    element("sum from 2^70, 1e7", &[Sum], Integer::ONE << 70, 10_000_000);
    element("sum from 2^130, 1e6", &[Sum], Integer::ONE << 130, 1_000_000);
    element("min 0..1e8", &[Min], zero(), 100_000_000);
    element("max 0..1e8", &[Max], zero(), 100_000_000);
    element("min, max 0..1e8", &[Min, Max], zero(), 100_000_000);
    element("mean 0..1e8", &[Mean], zero(), 100_000_000);
    element("variance 0..1e8", &[Variance], zero(), 100_000_000);
    element("variance from 2^40, 1e8", &[Variance], Integer::ONE << 40, 100_000_000);
    element("variance from 2^70, 1e6", &[Variance], Integer::ONE << 70, 1_000_000);
    element("sum, min, max, mean, stddev 0..1e8", &[Sum, Min, Max, Mean, Stddev], zero(), 100_000_000);
    factorial(100_000);
    factorial(1_000_000);
}
