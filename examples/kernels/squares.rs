//! A kernel that lives on, in Rust without any library: the sum of the squares of a partition.
//!
//!     rustc -O squares.rs
//!     tally sum 0..10000 --command ./squares
//!
//! Standard output of Rust is flushed at the end of each line. The sum has 128 bits; a sum that does not fit ends the
//! process with a message instead of wrapping around, and that is an attempt that failed.

use std::io::{self, BufRead};

fn main() -> io::Result<()> {
    for line in io::stdin().lock().lines() {
        let line = line?;
        let mut words = line.split(' ').map(|word| word.parse::<i128>());
        let (Some(Ok(start)), Some(Ok(end))) = (words.next(), words.next()) else {
            return Err(io::Error::other(format!("'{line}' is no partition")));
        };
        let squares = (start..end).map(|i| i.checked_mul(i));
        let sum = squares.into_iter().try_fold(0_i128, |sum, square| sum.checked_add(square?));
        println!("{}", sum.ok_or_else(|| io::Error::other("the sum does not fit into 128 bits"))?);
    }
    Ok(())
}
