//! What several reductions asked together have in common: each accumulator once, and only those needed.
//!
//! Today every element is an integer. A basis for floats would stand beside this one, under its own tag in
//! `bytes`; nothing outside `partial`, `bytes` and the folds looks in here.

use crate::Reduction;
use crate::extrema::{End, Extremum};
use crate::product::Product;
use crate::total::Total;

/// Accumulators over integers; an accumulator is there exactly if some reduction needs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Basis {
    pub(crate) sum: Option<Total>,
    pub(crate) squares: Option<Total>,
    pub(crate) least: Option<Extremum>,
    pub(crate) greatest: Option<Extremum>,
    pub(crate) product: Option<Product>,
}

impl Basis {
    /// The basis of no elements.
    pub(crate) fn identity(reductions: &[Reduction]) -> Self {
        use Reduction::{Max, Mean, Min, Product as Times, Stddev, Sum, Variance};
        let any = |of: &[Reduction]| reductions.iter().any(|reduction| of.contains(reduction));
        Self {
            sum: any(&[Sum, Mean, Variance, Stddev]).then(Total::default),
            squares: any(&[Variance, Stddev]).then(Total::default),
            least: any(&[Min]).then(|| Extremum::new(End::Least, None)),
            greatest: any(&[Max]).then(|| Extremum::new(End::Greatest, None)),
            product: any(&[Times]).then(Product::default),
        }
    }

    /// Adds the other's elements. Both must come from the same reductions.
    pub(crate) fn merge(&mut self, other: Self) {
        both(&mut self.sum, other.sum, Total::merge);
        both(&mut self.squares, other.squares, Total::merge);
        both(&mut self.least, other.least, Extremum::merge);
        both(&mut self.greatest, other.greatest, Extremum::merge);
        both(&mut self.product, other.product, Product::merge);
    }
}

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
