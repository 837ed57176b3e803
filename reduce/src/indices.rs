//! Where the elements of a slice stand in the whole source.
//!
//! Only the first of equal extrema needs this. An element of unknown place is later than every other.

use crate::extrema::NOWHERE;

/// The places of the elements of a slice.
#[derive(Clone, Copy, Debug)]
pub enum Indices<'a> {
    /// The first has this index, the others follow it.
    From(u64),
    /// One index for each element; elements beyond the end of these have none.
    Each(&'a [u64]),
    /// Nobody knows.
    Unknown,
}

impl<'a> Indices<'a> {
    /// The index of one of the elements, if it is known.
    pub fn get(self, position: usize) -> Option<u64> {
        Some(self.at(position)).filter(|index| *index != NOWHERE)
    }

    /// The indices from the element `skipped` on.
    pub(crate) fn after(self, skipped: u64) -> Self {
        match self {
            Self::From(first) => Self::From(first.saturating_add(skipped)),
            Self::Each(each) => Self::Each(
                usize::try_from(skipped).ok().and_then(|skipped| each.get(skipped..)).unwrap_or(&[]),
            ),
            Self::Unknown => Self::Unknown,
        }
    }

    pub(crate) fn at(self, position: usize) -> u64 {
        match self {
            Self::From(first) => first.saturating_add(position as u64),
            Self::Each(each) => each.get(position).copied().unwrap_or(NOWHERE),
            Self::Unknown => NOWHERE,
        }
    }

    /// No element has a smaller index than this; the index itself if there is one element.
    pub(crate) fn least(self) -> u64 {
        match self {
            Self::Each(each) => each.iter().copied().min().unwrap_or(NOWHERE),
            Self::From(first) => first,
            Self::Unknown => NOWHERE,
        }
    }

    /// The least index of the elements that are `wanted`.
    pub(crate) fn first_of<T>(self, elements: &[T], mut wanted: impl FnMut(&T) -> bool) -> u64 {
        match self {
            Self::Unknown => NOWHERE,
            Self::From(_) => {
                elements.iter().position(&mut wanted).map_or(NOWHERE, |position| self.at(position))
            }
            Self::Each(_) => {
                let found = elements.iter().enumerate().filter(|(_, element)| wanted(element));
                found.map(|(position, _)| self.at(position)).min().unwrap_or(NOWHERE)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_some() {
        let elements = [5, 3, 5, 3];
        let three = |indices: Indices<'_>| indices.first_of(&elements, |element| *element == 3);
        assert_eq!(three(Indices::From(10)), 11);
        assert_eq!(three(Indices::Each(&[4, 9, 2, 8])), 8);
        assert_eq!(three(Indices::Each(&[4])), NOWHERE);
        assert_eq!(three(Indices::Unknown), NOWHERE);
        assert_eq!(three(Indices::From(u64::MAX)), NOWHERE);
        assert_eq!(Indices::Each(&[4, 9, 2]).after(1).least(), 2);
        assert_eq!(Indices::Each(&[4]).after(7).least(), NOWHERE);
    }
}
