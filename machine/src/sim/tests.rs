//! Fixed seeds, and every seed that ever found a defect.

use super::run_all;

fn all_well(from: u64, to: u64) {
    if let Err(failure) = run_all(from..to) {
        panic!("{failure}");
    }
}

#[test]
fn seeds_0_to_2500() {
    all_well(0, 2_500);
}

#[test]
fn seeds_2500_to_5000() {
    all_well(2_500, 5_000);
}

#[test]
fn seeds_5000_to_7500() {
    all_well(5_000, 7_500);
}

#[test]
fn seeds_7500_to_10000() {
    all_well(7_500, 10_000);
}

#[test]
fn equal_seeds_give_equal_worlds() {
    for seed in 0..20 {
        assert_eq!(super::trace(seed), super::trace(seed));
    }
}
