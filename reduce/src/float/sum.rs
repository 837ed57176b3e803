//! The exact sum of floats: a number with a place for every bit a float can have, and what is not a number.
//!
//! Two sums over the same values are equal and have the same bytes, whatever the order, the cuts and the
//! grouping. Nothing is rounded before [`FloatSum::value`].

use super::blocks::{ANCHOR_MAX, BLOCK, anchor_for, anchor_min, take_apart};
use super::buckets::{Buckets, FRACTION, field, place};
use super::cpu::Cpu;
use super::digits::Digits;
use super::load::{Load, Native32, Native64};
use crate::{Integer, Malformed};

/// 2176 bits: 2098 for the finite floats, counted from 2^-1074, a sign, and room for 2^77 of the largest.
const PLACES: usize = 68;
/// Finite values below 2^1024, at most 2^64 of them.
const BITS_MAX: usize = 1074 + 1024 + 64;
/// What a unit of the digits is: 2 to this.
const UNIT: i64 = -1074;

const VERSION: u8 = 1;

/// An exact running sum of floats.
#[derive(Clone, Debug)]
pub struct FloatSum {
    digits: Digits<PLACES>,
    finite: Finite,
    nan: u64,
    infinite: u64,
    negative_infinite: u64,
    /// Part of the sum; see [`Buckets`].
    buckets: Option<Box<Buckets>>,
    road: Road,
}

/// What finite values there were; the greater of two covers both.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Finite {
    None,
    NegativeZeros,
    Others,
}

/// How the last block went, which is how the next one is tried first. No part of the value.
#[derive(Clone, Copy, Debug)]
struct Road {
    anchor: i32,
    way: Way,
    /// Blocks until a shorter way is tried again.
    patience: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Two,
    Three,
    Buckets,
}

const PATIENCE: u8 = 63;

/// Below this many values a block is not worth its preparation.
const SHORT: usize = 16;

impl Default for FloatSum {
    fn default() -> Self {
        Self::new()
    }
}

impl FloatSum {
    /// The sum of nothing.
    pub fn new() -> Self {
        Self {
            digits: Digits::zero(),
            finite: Finite::None,
            nan: 0,
            infinite: 0,
            negative_infinite: 0,
            buckets: None,
            road: Road { anchor: 8, way: Way::Two, patience: 0 },
        }
    }

    /// Adds one value.
    #[inline]
    pub fn add(&mut self, value: f64) {
        let bits = value.to_bits();
        let (field, fraction) = (field(bits), bits & FRACTION);
        if field == 0x7ff {
            let count = match (fraction, value > 0.0) {
                (0, true) => &mut self.infinite,
                (0, false) => &mut self.negative_infinite,
                _ => &mut self.nan,
            };
            *count = count.saturating_add(1);
            return;
        }
        let mantissa = fraction | u64::from(field != 0) << 52;
        let negative = bits >> 63 == 1;
        if mantissa == 0 {
            self.saw(if negative { Finite::NegativeZeros } else { Finite::Others });
            return;
        }
        self.saw(Finite::Others);
        self.digits.add_short(mantissa, place(field), negative);
    }

    /// Adds all values, fast.
    pub fn add_all(&mut self, values: &[f64]) {
        self.add_raw::<Native64>(values, Cpu::best());
    }

    /// Adds all values, widened.
    pub fn add_all_f32(&mut self, values: &[f32]) {
        self.add_raw::<Native32>(values, Cpu::best());
    }

    /// Adds the values of another sum. Commutative and associative, and a sum of nothing changes nothing.
    pub fn merge(&mut self, other: &Self) {
        self.digits.merge(&other.digits);
        if let Some(buckets) = &other.buckets {
            buckets.empty_into(&mut self.digits);
        }
        self.saw(other.finite);
        self.nan = self.nan.saturating_add(other.nan);
        self.infinite = self.infinite.saturating_add(other.infinite);
        self.negative_infinite = self.negative_infinite.saturating_add(other.negative_infinite);
    }

    /// Gives back the room that fast adding took; the sum stays what it is.
    pub(crate) fn tidy(&mut self) {
        if let Some(buckets) = self.buckets.take() {
            buckets.empty_into(&mut self.digits);
        }
    }

    /// The sum, correctly rounded: to the nearest, ties to even, beyond the largest to infinity.
    ///
    /// Any NaN, or infinities of both signs, give NaN; infinities of one sign give that one. Nothing but -0.0
    /// gives -0.0, and nothing at all gives 0.0.
    pub fn value(&self) -> f64 {
        if let Some(special) = self.special() {
            return special;
        }
        let digits = self.all_digits();
        if self.finite == Finite::NegativeZeros { -0.0 } else { digits.nearest(UNIT) }
    }

    /// The sum if it is not finite by its elements: NaN or an infinity.
    pub(crate) fn special(&self) -> Option<f64> {
        match (self.nan, self.infinite, self.negative_infinite) {
            (0, 0, 0) => None,
            (0, _, 0) => Some(f64::INFINITY),
            (0, 0, _) => Some(f64::NEG_INFINITY),
            _ => Some(f64::NAN),
        }
    }

    /// How many NaN there were.
    pub fn nan_count(&self) -> u64 {
        self.nan
    }

    /// Whether there were values and all were -0.0.
    pub(crate) fn is_negative_zero(&self) -> bool {
        self.finite == Finite::NegativeZeros && self.special().is_none()
    }

    /// Whether so many values can have this sum, as far as kinds go.
    pub(crate) fn fits(&self, count: u64) -> bool {
        let others =
            [self.nan, self.infinite, self.negative_infinite].into_iter().map(u128::from).sum::<u128>();
        let count = u128::from(count);
        if self.finite == Finite::None { others == count } else { others < count }
    }

    /// The sum of the finite values, in units of 2^-1074.
    pub(crate) fn units(&self) -> Integer {
        self.all_digits().value()
    }

    /// The canonical bytes: equal sums have equal bytes, always [`FloatSum::BYTES`] of them.
    ///
    /// Version 1; 0 if there were no finite values, 1 if only -0.0, else 2; the counts of NaN, inf and -inf, 8
    /// bytes each; the sum of the finite values in units of 2^-1074, in two's complement of 272 bytes. All
    /// little-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::BYTES);
        out.extend([VERSION, self.finite as u8]);
        for count in [self.nan, self.infinite, self.negative_infinite] {
            out.extend(count.to_le_bytes());
        }
        self.all_digits().put(&mut out);
        out
    }

    /// How long the bytes are.
    pub const BYTES: usize = 2 + 3 * 8 + 4 * PLACES;

    /// Reads what [`FloatSum::to_bytes`] wrote, and nothing else.
    ///
    /// # Errors
    /// If the bytes are not exactly one sum, or no 2^64 floats have it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let (version, rest) = bytes.split_first().ok_or(Malformed::Truncated)?;
        if *version != VERSION {
            return Err(Malformed::Version(*version));
        }
        if rest.len() < Self::BYTES - 1 {
            return Err(Malformed::Truncated);
        }
        let (finite, rest) = rest.split_first().ok_or(Malformed::Truncated)?;
        let finite = match finite {
            0 => Finite::None,
            1 => Finite::NegativeZeros,
            2 => Finite::Others,
            _ => return Err(Malformed::NotCanonical),
        };
        let mut sum = Self { finite, ..Self::new() };
        let mut rest = rest;
        for count in [&mut sum.nan, &mut sum.infinite, &mut sum.negative_infinite] {
            let (bytes, more) = rest.split_first_chunk().ok_or(Malformed::Truncated)?;
            *count = u64::from_le_bytes(*bytes);
            rest = more;
        }
        sum.digits = Digits::read(rest).ok_or(Malformed::Trailing)?;
        if sum.digits.bits() > BITS_MAX || (finite != Finite::Others && !sum.digits.is_zero()) {
            return Err(Malformed::Impossible);
        }
        Ok(sum)
    }

    fn all_digits(&self) -> Digits<PLACES> {
        let mut digits = self.digits.clone();
        if let Some(buckets) = &self.buckets {
            buckets.empty_into(&mut digits);
        }
        digits
    }

    #[inline]
    fn saw(&mut self, finite: Finite) {
        self.finite = self.finite.max(finite);
    }

    /// Adds values as they lie in memory.
    pub(crate) fn add_raw<L: Load>(&mut self, raws: &[L::Raw], cpu: Cpu) {
        for block in raws.chunks(BLOCK) {
            if block.len() < SHORT {
                self.add_slowly::<L>(block);
            } else {
                self.add_block::<L>(block, cpu);
            }
        }
    }

    fn add_slowly<L: Load>(&mut self, block: &[L::Raw]) {
        for raw in block {
            self.add(L::load(*raw));
        }
    }

    fn add_block<L: Load>(&mut self, block: &[L::Raw], cpu: Cpu) {
        if self.road.way != Way::Two {
            if self.road.patience == 0 {
                self.road.way = Way::Two;
            } else {
                self.road.patience -= 1;
            }
        }
        if self.road.way == Way::Two {
            if self.try_apart::<2, L>(block, cpu) {
                return;
            }
            self.road = Road { way: Way::Three, patience: PATIENCE, ..self.road };
        }
        if self.road.way == Way::Three {
            if self.try_apart::<3, L>(block, cpu) {
                return;
            }
            self.road = Road { way: Way::Buckets, patience: PATIENCE, ..self.road };
        }
        // Buckets cost more to make and to empty than a short block costs without them.
        if block.len() < BLOCK && self.buckets.is_none() {
            return self.add_slowly::<L>(block);
        }
        let buckets = self.buckets.get_or_insert_with(Buckets::empty);
        let digits = &mut self.digits;
        let finite = cpu.run(
            #[inline(always)]
            || buckets.add::<_, L>(block, digits),
        );
        if finite {
            self.saw_block::<L>(block);
        } else {
            self.add_others::<L>(block);
        }
    }

    /// Adds what is not finite, and notes the kinds of the rest.
    fn add_others<L: Load>(&mut self, block: &[L::Raw]) {
        for value in block.iter().map(|raw| L::load(*raw)) {
            if !value.is_finite() {
                self.add(value);
            } else if value.to_bits() == (-0.0_f64).to_bits() {
                self.saw(Finite::NegativeZeros);
            } else {
                self.saw(Finite::Others);
            }
        }
    }

    /// Adds a block by `LEVELS` anchors, if they are enough for it: with the anchor of the last block first,
    /// which spares a look at this one, then with its own.
    fn try_apart<const LEVELS: usize, L: Load>(&mut self, block: &[L::Raw], cpu: Cpu) -> bool {
        let mut anchor = self.road.anchor.clamp(anchor_min(LEVELS), ANCHOR_MAX);
        for _ in 0..2 {
            let parts = cpu.run(
                #[inline(always)]
                || take_apart::<LEVELS, L>(block, anchor),
            );
            let wanted = anchor_for(parts.most).max(anchor_min(LEVELS));
            if wanted > ANCHOR_MAX {
                return false;
            }
            if wanted <= anchor && parts.whole {
                for part in parts.sums.iter().flatten() {
                    self.add_part(*part);
                }
                self.road.anchor = anchor;
                if parts.most > 0.0 {
                    self.saw(Finite::Others);
                } else {
                    self.saw_block::<L>(block);
                }
                return true;
            }
            if wanted == anchor {
                return false;
            }
            anchor = wanted;
            self.road.anchor = anchor;
        }
        false
    }

    /// Adds a finite number that is no element.
    fn add_part(&mut self, part: f64) {
        let bits = part.to_bits();
        let field = field(bits);
        let mantissa = bits & FRACTION | u64::from(field != 0) << 52;
        if mantissa != 0 {
            self.digits.add_short(mantissa, place(field), bits >> 63 == 1);
        }
    }

    /// Notes the kinds of finite values of a block; stops at the first that is not -0.0.
    fn saw_block<L: Load>(&mut self, block: &[L::Raw]) {
        let negative_zero = (-0.0_f64).to_bits();
        let others = block.iter().any(|raw| L::load(*raw).to_bits() != negative_zero);
        self.saw(if others { Finite::Others } else { Finite::NegativeZeros });
    }
}

impl PartialEq for FloatSum {
    fn eq(&self, other: &Self) -> bool {
        self.to_bytes() == other.to_bytes()
    }
}

impl Eq for FloatSum {}
