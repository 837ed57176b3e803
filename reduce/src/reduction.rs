//! The reductions there are, and their names.
//!
//! The codes used in bytes live in `bytes`; they never follow the order of this enum.

use std::fmt;

/// What to compute from the elements.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Reduction {
    /// The exact sum; of nothing it is 0.
    Sum,
    /// The exact product; of nothing it is 1.
    Product,
    /// The least element.
    Min,
    /// The greatest element.
    Max,
    /// How many elements there are.
    Count,
    /// The arithmetic mean, correctly rounded.
    Mean,
    /// The variance, correctly rounded: of a sample (divided by n - 1) unless the population is asked for.
    Variance,
    /// The square root of the variance, rounded once from its exact value.
    Stddev,
}

impl Reduction {
    /// Every reduction, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::Sum,
        Self::Product,
        Self::Min,
        Self::Max,
        Self::Count,
        Self::Mean,
        Self::Variance,
        Self::Stddev,
    ];

    /// The lowercase name used on the command line, on the wire and in output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Product => "product",
            Self::Min => "min",
            Self::Max => "max",
            Self::Count => "count",
            Self::Mean => "mean",
            Self::Variance => "variance",
            Self::Stddev => "stddev",
        }
    }

    /// Whether its answer rests on how many elements there are.
    pub fn counts(self) -> bool {
        match self {
            Self::Count | Self::Mean | Self::Variance | Self::Stddev => true,
            Self::Sum | Self::Product | Self::Min | Self::Max => false,
        }
    }

    /// The reduction of exactly this name; names are case-sensitive.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reduction| reduction.name() == name)
    }
}

impl fmt::Display for Reduction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for reduction in Reduction::ALL {
            assert_eq!(Reduction::from_name(reduction.name()), Some(reduction));
        }
        assert_eq!(Reduction::from_name("Sum"), None);
        assert_eq!(Reduction::from_name("median"), None);
        assert_eq!(Reduction::from_name(""), None);
    }

    #[test]
    fn all_has_each_once() {
        for (at, reduction) in Reduction::ALL.into_iter().enumerate() {
            assert!(!Reduction::ALL[at + 1..].contains(&reduction));
        }
        assert_eq!(format!("[{:>5}]", Reduction::Sum), "[  sum]");
    }
}
