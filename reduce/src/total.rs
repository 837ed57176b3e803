//! An exact sum of integers that is fast while it fits in 128 bits and grows when it does not.
//!
//! Its value never depends on the order of additions; how that value is split between the two parts does,
//! so nothing outside may look at the parts.

use crate::Integer;

/// An exact running sum.
#[derive(Clone, Debug, Default)]
pub(crate) struct Total {
    near: i128,
    spilled: Integer,
}

impl Total {
    pub(crate) fn new(value: Integer) -> Self {
        Self { near: 0, spilled: value }
    }

    #[inline]
    pub(crate) fn add_i128(&mut self, value: i128) {
        match self.near.checked_add(value) {
            Some(near) => self.near = near,
            None => {
                self.spilled += self.near;
                self.near = value;
            }
        }
    }

    #[inline]
    pub(crate) fn add_u128(&mut self, value: u128) {
        match i128::try_from(value) {
            Ok(value) => self.add_i128(value),
            Err(_) => self.spilled += value,
        }
    }

    pub(crate) fn add_integer(&mut self, value: &Integer) {
        match i128::try_from(value) {
            Ok(value) => self.add_i128(value),
            Err(_) => self.spilled += value,
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.add_i128(other.near);
        if !other.spilled.is_zero() {
            self.spilled += other.spilled;
        }
    }

    /// Bytes of what does not fit into 128 bits, about.
    pub(crate) fn spilled_bytes(&self) -> usize {
        crate::byte_length(&self.spilled)
    }

    /// The whole sum.
    pub(crate) fn value(&self) -> Integer {
        &self.spilled + self.near
    }
}

impl PartialEq for Total {
    fn eq(&self, other: &Self) -> bool {
        self.value() == other.value()
    }
}

impl Eq for Total {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spills_instead_of_wrapping() {
        let mut total = Total::default();
        let mut expected = Integer::ZERO;
        for value in [i128::MAX, 1, i128::MAX, -5, i128::MIN, i128::MIN, i128::MIN, 7] {
            total.add_i128(value);
            expected += value;
            assert_eq!(total.value(), expected);
        }
        total.add_u128(u128::MAX);
        total.add_u128(3);
        total.add_integer(&(Integer::ONE << 200));
        expected += u128::MAX;
        expected += 3;
        expected += Integer::ONE << 200;
        assert_eq!(total.value(), expected);
    }

    #[test]
    fn equality_is_on_the_value() {
        let (mut a, mut b) = (Total::default(), Total::default());
        for value in [i128::MAX, i128::MAX, i128::MIN] {
            a.add_i128(value);
        }
        for value in [i128::MIN, i128::MAX, i128::MAX] {
            b.add_i128(value);
        }
        assert_eq!(a, b);
        assert_eq!(a, Total::new(Integer::from(i128::MAX - 1)));
        b.merge(Total::new(Integer::ONE << 140));
        b.merge(Total::new(-(Integer::ONE << 140)));
        assert_eq!(a, b);
        b.add_i128(1);
        assert_ne!(a, b);
    }
}
