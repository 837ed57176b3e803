//! A long fixed-point number: a sum of shifted integers, exact, with carries put off.
//!
//! Place `i` weighs 2^(32 i) units. A place has 64 bits and takes about a thousand additions before its carry
//! must move on. What unit means is the caller's affair. Two numbers with the same value may differ in their
//! places until they are settled: nothing outside compares or writes unsettled places.

use crate::Integer;
use crate::round::assemble;

const PLACE_BITS: usize = 32;
const PLACE_MASK: i64 = 0xffff_ffff;

/// Additions of at most 2^53 a settled place takes without overflow: 1000 * 2^53 + 2^32 < 2^63.
const ROOM: u32 = 1_000;

/// A fixed-point number of `N` places, in two's complement modulo 2^(32 N).
#[derive(Clone, Debug)]
pub(crate) struct Digits<const N: usize> {
    places: [i64; N],
    room: u32,
}

impl<const N: usize> Digits<N> {
    /// Zero.
    pub(crate) const fn zero() -> Self {
        Self { places: [0; N], room: ROOM }
    }

    /// Adds or subtracts `magnitude * 2^at` units; `magnitude` is below 2^53 and the result must fit.
    #[inline]
    pub(crate) fn add_short(&mut self, magnitude: u64, at: usize, negative: bool) {
        self.make_room();
        let (place, shift) = (at / PLACE_BITS, at % PLACE_BITS);
        let low = (magnitude << shift).cast_signed() & PLACE_MASK;
        let high = (magnitude >> (PLACE_BITS - shift)).cast_signed();
        let flip = -i64::from(negative);
        if let Some([a, b]) = self.places.get_mut(place..place + 2) {
            *a += (low ^ flip) - flip;
            *b += (high ^ flip) - flip;
        }
    }

    /// The same for any magnitude; places beyond the last wrap away.
    pub(crate) fn add_long(&mut self, magnitude: u128, at: usize, negative: bool) {
        self.make_room();
        let (place, shift) = (at / PLACE_BITS, at % PLACE_BITS);
        let mask = PLACE_MASK.cast_unsigned();
        let mut left = magnitude;
        let mut digit = (low_word(left) << shift) & mask;
        left >>= PLACE_BITS - shift;
        for slot in self.places.iter_mut().skip(place) {
            let signed = digit.cast_signed();
            *slot += if negative { -signed } else { signed };
            if left == 0 {
                break;
            }
            digit = low_word(left) & mask;
            left >>= PLACE_BITS;
        }
    }

    #[inline]
    fn make_room(&mut self) {
        if self.room == 0 {
            self.settle();
        }
        self.room -= 1;
    }

    /// Moves all carries on: every place then holds 32 bits, the last one signed.
    #[cold]
    fn settle(&mut self) {
        let mut carry = 0;
        for place in &mut self.places {
            let sum = *place + carry;
            *place = sum & PLACE_MASK;
            carry = sum >> PLACE_BITS;
        }
        if let Some(last) = self.places.last_mut() {
            *last = *last << PLACE_BITS >> PLACE_BITS;
        }
        self.room = ROOM;
    }

    fn settled(&self) -> Self {
        let mut settled = self.clone();
        settled.settle();
        settled
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.settle();
        for (place, more) in self.places.iter_mut().zip(&other.settled().places) {
            *place += more;
        }
        self.room -= 1;
    }

    /// The canonical bytes: two's complement, little-endian, 4 for each place.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        for place in self.settled().places {
            out.extend_from_slice(place.to_le_bytes().first_chunk::<4>().unwrap_or(&[0; 4]));
        }
    }

    /// Reads what [`Digits::put`] wrote; every text of the right length is a number.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<4>();
        if words.len() != N || !rest.is_empty() {
            return None;
        }
        let mut digits = Self::zero();
        for (place, word) in digits.places.iter_mut().zip(words) {
            *place = u32::from_le_bytes(*word).into();
        }
        digits.settle();
        Some(digits)
    }

    /// The number of units.
    pub(crate) fn value(&self) -> Integer {
        let mut bytes = Vec::with_capacity(4 * N);
        self.put(&mut bytes);
        Integer::from_le_bytes(&bytes)
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.settled().places.iter().all(|place| *place == 0)
    }

    /// Bits of the magnitude.
    pub(crate) fn bits(&self) -> usize {
        let (_, magnitude) = self.magnitude();
        let top = magnitude.iter().rposition(|place| *place != 0);
        top.map_or(0, |top| PLACE_BITS * top + bit_length(magnitude[top]))
    }

    /// The nearest `f64` if a unit is 2^`unit`.
    pub(crate) fn nearest(&self, unit: i64) -> f64 {
        let (negative, magnitude) = self.magnitude();
        let Some(top) = magnitude.iter().rposition(|place| *place != 0) else { return 0.0 };
        // The top 62 bits, and whether anything lies below them.
        let word = |back: usize| top.checked_sub(back).map_or(0, |at| u128::from(magnitude[at]));
        let three = word(0) << 64 | word(1) << 32 | word(2);
        let drop = bit_length(magnitude[top]) + 64 - 62;
        let rest = three & ((1 << drop) - 1);
        let digits = u64::try_from(three >> drop).unwrap_or(u64::MAX);
        let below = magnitude.iter().take(top.saturating_sub(2)).any(|place| *place != 0);
        // digits * 2^(drop - 64 + 32 top) units
        let weight = |bits: usize| i64::try_from(bits).unwrap_or(i64::MAX);
        let scale = -(weight(PLACE_BITS * top) + weight(drop) - 64 + unit);
        let nearest = assemble(digits, rest != 0 || below, scale);
        if negative { -nearest } else { nearest }
    }

    /// Sign and 32-bit places of the magnitude.
    fn magnitude(&self) -> (bool, [u32; N]) {
        let settled = self.settled();
        let negative = settled.places.last().is_some_and(|place| *place < 0);
        let mut magnitude = [0; N];
        let mut carry = u64::from(negative);
        for (to, place) in magnitude.iter_mut().zip(settled.places) {
            let word = place.cast_unsigned() & 0xffff_ffff;
            let word = carry + if negative { word ^ 0xffff_ffff } else { word };
            carry = word >> PLACE_BITS;
            *to = low_half(word);
        }
        (negative, magnitude)
    }
}

fn bit_length(word: u32) -> usize {
    (u32::BITS - word.leading_zeros()) as usize
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
fn low_half(word: u64) -> u32 {
    word as u32
}

#[expect(clippy::cast_possible_truncation, reason = "the low word is what is wanted")]
fn low_word(value: u128) -> u64 {
    value as u64
}
