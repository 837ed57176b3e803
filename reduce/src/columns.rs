//! Folds slices of integers of any width, whose elements come in no order.
//!
//! A sum alone adds up the slice where it lies, in halves that cannot overflow; anything more has each block
//! widened to `i64` once, or to `i128` where a `u64` needs it.

use crate::basis::Basis;
use crate::float::cpu::Cpu;
use crate::indices::Indices;
use crate::lanes::{LANES, Lane};

/// A layout of integers in memory.
pub(crate) trait LoadInteger {
    /// One element as it lies there.
    type Raw: Copy;
    /// Which sum the width allows.
    const WIDTH: Width;

    /// Its value; a `u64` by its bits.
    fn load(raw: Self::Raw) -> i64;
}

/// How wide the elements of a layout are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Width {
    /// Magnitudes of at most 2^32: a block of them adds up in 64 bits.
    Short,
    Signed64,
    Unsigned64,
}

/// Elements added up at once: 2^31 of the short ones still fit in 64 bits.
const BLOCK: usize = 8192;

/// Folds all of a slice.
pub(crate) fn fold<L: LoadInteger>(basis: &mut Basis, raws: &[L::Raw], indices: Indices<'_>, cpu: Cpu) {
    let others = basis.squares.is_some()
        || basis.least.is_some()
        || basis.greatest.is_some()
        || basis.product.is_some();
    if others {
        fold_blocks::<L>(basis, raws, indices, cpu);
    } else if let Some(total) = &mut basis.sum {
        for block in raws.chunks(BLOCK) {
            total.add_i128(cpu.run(
                #[inline(always)]
                || sum::<L>(block),
            ));
        }
    }
}

#[inline(always)]
fn sum<L: LoadInteger>(block: &[L::Raw]) -> i128 {
    const BIAS: u64 = 1 << 63;
    if L::WIDTH == Width::Short {
        return block.iter().fold(0_i64, |sum, raw| sum.wrapping_add(L::load(*raw))).into();
    }
    // With the sign bit flipped, signed elements are unsigned.
    let flip = if L::WIDTH == Width::Signed64 { BIAS } else { 0 };
    let (mut low, mut high) = (0_u64, 0_u64);
    for raw in block {
        let shifted = L::load(*raw).cast_unsigned() ^ flip;
        low = low.wrapping_add(shifted & 0xffff_ffff);
        high = high.wrapping_add(shifted >> 32);
    }
    let bias = if flip == 0 { 0 } else { (block.len() as i128) << 63 };
    (i128::from(high) << 32) + i128::from(low) - bias
}

fn fold_blocks<L: LoadInteger>(basis: &mut Basis, raws: &[L::Raw], indices: Indices<'_>, cpu: Cpu) {
    let mut lanes = [0_i64; LANES];
    for (number, block) in raws.chunks(LANES).enumerate() {
        let lanes = &mut lanes[..block.len()];
        let bits = cpu.run(
            #[inline(always)]
            || unpack::<L>(block, lanes),
        );
        let indices = indices.after((number * LANES) as u64);
        if L::WIDTH == Width::Unsigned64 && bits >> 63 == 1 {
            let wide: Vec<i128> = lanes.iter().map(|lane| lane.cast_unsigned().into()).collect();
            i128::absorb(&wide, u64::MAX, indices, basis);
        } else {
            // One more for the negative end.
            i64::absorb(lanes, bits.saturating_add(1), indices, basis);
        }
    }
}

/// All bits of the magnitudes, a negative one less by 1; of `u64`, all bits.
#[inline(always)]
fn unpack<L: LoadInteger>(block: &[L::Raw], lanes: &mut [i64]) -> u64 {
    let mut bits = 0;
    for (lane, raw) in lanes.iter_mut().zip(block) {
        *lane = L::load(*raw);
        let sign = if L::WIDTH == Width::Unsigned64 { 0 } else { *lane >> 63 };
        bits |= (*lane ^ sign).cast_unsigned();
    }
    bits
}

macro_rules! layouts {
    ($($value:ty, $width:ident, $native:ident, $little:ident $(, $big:ident)?;)*) => {$(
        layouts!(@one $native, $value, $width, |raw: $value| raw);
        layouts!(@one $little, [u8; size_of::<$value>()], $width, <$value>::from_le_bytes);
        $(layouts!(@one $big, [u8; size_of::<$value>()], $width, <$value>::from_be_bytes);)?
    )*};
    (@one $name:ident, $raw:ty, $width:ident, $load:expr) => {
        #[derive(Debug)]
        pub(crate) enum $name {}

        impl LoadInteger for $name {
            type Raw = $raw;
            const WIDTH: Width = Width::$width;

            #[inline(always)]
            fn load(raw: $raw) -> i64 {
                widen($load(raw))
            }
        }
    };
}

/// Any of the widths as 64 bits.
#[inline(always)]
fn widen<T: Widen>(value: T) -> i64 {
    value.widen()
}

trait Widen {
    fn widen(self) -> i64;
}

macro_rules! widens {
    ($($value:ty),*) => {$(
        impl Widen for $value {
            #[inline(always)]
            fn widen(self) -> i64 {
                self.into()
            }
        }
    )*};
}

widens!(i8, i16, i32, i64, u8, u16, u32);

impl Widen for u64 {
    #[inline(always)]
    fn widen(self) -> i64 {
        self.cast_signed()
    }
}

layouts! {
    i8, Short, I8, LittleI8;
    i16, Short, I16, LittleI16, BigI16;
    i32, Short, I32, LittleI32, BigI32;
    i64, Signed64, I64, LittleI64, BigI64;
    u8, Short, U8, LittleU8;
    u16, Short, U16, LittleU16, BigU16;
    u32, Short, U32, LittleU32, BigU32;
    u64, Unsigned64, U64, LittleU64, BigU64;
}
