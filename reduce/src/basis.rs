//! What several reductions asked together have in common: each accumulator once, and only those needed.
//!
//! Integers and floats are kept apart until the end, so that a column of both is still exact; the float side is
//! there exactly if there was a float. Nothing outside `partial`, `bytes` and the folds looks in here.

use crate::Reduction;
use crate::extrema::{End, Extremum};
use crate::float::FloatSum;
use crate::float::product::FloatProduct;
use crate::float::squares::Squares;
use crate::product::Product;
use crate::total::Total;

/// All accumulators; an accumulator is there exactly if some reduction needs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Basis {
    pub(crate) sum: Option<Total>,
    pub(crate) squares: Option<Total>,
    pub(crate) least: Option<Extremum>,
    pub(crate) greatest: Option<Extremum>,
    pub(crate) product: Option<Product>,
    pub(crate) floats: Option<Box<Floats>>,
}

/// Accumulators over floats only; the extrema are shared with the integers.
#[derive(Clone, Debug)]
pub(crate) struct Floats {
    /// How many of the elements are floats; at least one.
    pub(crate) count: u64,
    pub(crate) sum: Option<FloatSum>,
    pub(crate) squares: Option<Squares>,
    pub(crate) product: Option<FloatProduct>,
}

impl Basis {
    /// The basis of no elements.
    pub(crate) fn identity(reductions: &[Reduction]) -> Self {
        use Reduction::{Max, Mean, Min, Product as Times, Stddev, Sum, Variance};
        let any = |of: &[Reduction]| reductions.iter().any(|reduction| of.contains(reduction));
        Self {
            sum: any(&[Sum, Mean, Variance, Stddev]).then(Total::default),
            squares: any(&[Variance, Stddev]).then(Total::default),
            least: any(&[Min]).then(|| Extremum::new(End::Least, None, None)),
            greatest: any(&[Max]).then(|| Extremum::new(End::Greatest, None, None)),
            product: any(&[Times]).then(Product::default),
            floats: None,
        }
    }

    /// The float side, with room for `more` floats that are about to come.
    pub(crate) fn floats(&mut self, more: u64) -> &mut Floats {
        let floats = self.floats.get_or_insert_with(|| {
            Box::new(Floats {
                count: 0,
                sum: self.sum.as_ref().map(|_| FloatSum::new()),
                squares: self.squares.as_ref().map(|_| Squares::new()),
                product: self.product.as_ref().map(|_| FloatProduct::new()),
            })
        });
        floats.count = floats.count.saturating_add(more);
        floats
    }

    /// Adds the other's elements. Both must come from the same reductions.
    pub(crate) fn merge(&mut self, other: Self) {
        both(&mut self.sum, other.sum, Total::merge);
        both(&mut self.squares, other.squares, Total::merge);
        both(&mut self.least, other.least, Extremum::merge);
        both(&mut self.greatest, other.greatest, Extremum::merge);
        both(&mut self.product, other.product, Product::merge);
        match (&mut self.floats, other.floats) {
            (Some(mine), Some(other)) => mine.merge(*other),
            (mine @ None, other) => *mine = other,
            (Some(_), None) => {}
        }
    }
}

impl Floats {
    /// Bytes of memory that it takes, roughly: its sums are of one size.
    pub(crate) fn memory_bytes(&self) -> usize {
        const SUMS: usize = 2_304;
        let odd = self.product.as_ref().and_then(|product| product.odd.as_ref());
        SUMS + odd.map_or(0, Product::memory_bytes)
    }

    fn merge(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        both(&mut self.sum, other.sum, |mine, other| mine.merge(&other));
        both(&mut self.squares, other.squares, |mine, other| mine.merge(&other));
        both(&mut self.product, other.product, FloatProduct::merge);
    }
}

impl PartialEq for Floats {
    fn eq(&self, other: &Self) -> bool {
        let squares = |floats: &Self| floats.squares.as_ref().map(Squares::units);
        self.count == other.count
            && self.sum == other.sum
            && squares(self) == squares(other)
            && self.product == other.product
    }
}

impl Eq for Floats {}

fn both<T>(mine: &mut Option<T>, other: Option<T>, merge: fn(&mut T, T)) {
    if let (Some(mine), Some(other)) = (mine, other) {
        merge(mine, other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_only_what_is_needed() {
        let present = |reductions: &[Reduction]| {
            let basis = Basis::identity(reductions);
            [
                basis.sum.is_some(),
                basis.squares.is_some(),
                basis.least.is_some(),
                basis.greatest.is_some(),
                basis.product.is_some(),
            ]
        };
        assert_eq!(present(&[]), [false; 5]);
        assert_eq!(present(&[Reduction::Count]), [false; 5]);
        assert_eq!(present(&[Reduction::Mean]), [true, false, false, false, false]);
        assert_eq!(present(&[Reduction::Stddev]), [true, true, false, false, false]);
        assert_eq!(present(&[Reduction::Max, Reduction::Min]), [false, false, true, true, false]);
        assert_eq!(present(&Reduction::ALL), [true; 5]);
    }
}
