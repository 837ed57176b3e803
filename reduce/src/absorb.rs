//! The ways elements come into a partial: slices, bytes of a file, single numbers.
//!
//! What is absorbed as an integer stays one; what is absorbed as a float makes the answers floats.

use crate::columns::{self, LoadInteger};
use crate::extrema::NOWHERE;
use crate::float::cpu::Cpu;
use crate::float::fold as float_fold;
use crate::float::load::{self, Load};
use crate::indices::Indices;
use crate::lanes::absorb_big;
use crate::{Integer, Mismatch, Partial};

/// What a NaN among the elements does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum NanPolicy {
    /// It is an element: sum, mean, variance, standard deviation, product, least and greatest become NaN.
    #[default]
    Keep,
    /// It is left out, and counted by [`Partial::skipped`].
    Skip,
}

/// A number format of files.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Format {
    /// 8-bit, signed.
    I8,
    /// 16-bit, signed.
    I16(Endian),
    /// 32-bit, signed.
    I32(Endian),
    /// 64-bit, signed.
    I64(Endian),
    /// 8-bit, unsigned.
    U8,
    /// 16-bit, unsigned.
    U16(Endian),
    /// 32-bit, unsigned.
    U32(Endian),
    /// 64-bit, unsigned.
    U64(Endian),
    /// IEEE 754 single precision.
    F32(Endian),
    /// IEEE 754 double precision.
    F64(Endian),
}

/// Which byte comes first.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Endian {
    /// The least significant.
    Little,
    /// The most significant.
    Big,
}

impl Format {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16(_) | Self::U16(_) => 2,
            Self::I32(_) | Self::U32(_) | Self::F32(_) => 4,
            Self::I64(_) | Self::U64(_) | Self::F64(_) => 8,
        }
    }

    /// Whether the elements are floats.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F32(_) | Self::F64(_))
    }
}

macro_rules! absorb_slices {
    ($($name:ident, $value:ty, $layout:ident;)*) => {$(
        #[doc = concat!("Folds `", stringify!($value), "` elements as integers.")]
        ///
        /// # Errors
        /// If 2^64 elements or more would be counted; then nothing is folded.
        pub fn $name(&mut self, values: &[$value], indices: Indices<'_>) -> Result<(), Mismatch> {
            self.absorb_integers::<columns::$layout>(values, indices)
        }
    )*};
}

impl Partial {
    absorb_slices! {
        absorb_i8, i8, I8;
        absorb_i16, i16, I16;
        absorb_i32, i32, I32;
        absorb_i64, i64, I64;
        absorb_u8, u8, U8;
        absorb_u16, u16, U16;
        absorb_u32, u32, U32;
        absorb_u64, u64, U64;
    }

    /// Folds floats.
    ///
    /// # Errors
    /// If 2^64 elements or more would be counted; then nothing is folded.
    pub fn absorb_f64(
        &mut self,
        values: &[f64],
        indices: Indices<'_>,
        nan: NanPolicy,
    ) -> Result<(), Mismatch> {
        self.absorb_floats::<load::Native64>(values, indices, nan)
    }

    /// Folds floats, widened, which is exact.
    ///
    /// # Errors
    /// If 2^64 elements or more would be counted; then nothing is folded.
    pub fn absorb_f32(
        &mut self,
        values: &[f32],
        indices: Indices<'_>,
        nan: NanPolicy,
    ) -> Result<(), Mismatch> {
        self.absorb_floats::<load::Native32>(values, indices, nan)
    }

    /// Folds elements as they lie in a file, aligned or not. Bytes after the last whole element are not looked at.
    ///
    /// # Errors
    /// If 2^64 elements or more would be counted; then nothing is folded.
    pub fn absorb_bytes(
        &mut self,
        bytes: &[u8],
        format: Format,
        indices: Indices<'_>,
        nan: NanPolicy,
    ) -> Result<(), Mismatch> {
        use Endian::{Big, Little};
        use columns as c;
        let (ones, twos) = (bytes.as_chunks::<1>().0, bytes.as_chunks::<2>().0);
        let (fours, eights) = (bytes.as_chunks::<4>().0, bytes.as_chunks::<8>().0);
        match format {
            Format::I8 => self.absorb_integers::<c::LittleI8>(ones, indices),
            Format::U8 => self.absorb_integers::<c::LittleU8>(ones, indices),
            Format::I16(Little) => self.absorb_integers::<c::LittleI16>(twos, indices),
            Format::I16(Big) => self.absorb_integers::<c::BigI16>(twos, indices),
            Format::U16(Little) => self.absorb_integers::<c::LittleU16>(twos, indices),
            Format::U16(Big) => self.absorb_integers::<c::BigU16>(twos, indices),
            Format::I32(Little) => self.absorb_integers::<c::LittleI32>(fours, indices),
            Format::I32(Big) => self.absorb_integers::<c::BigI32>(fours, indices),
            Format::U32(Little) => self.absorb_integers::<c::LittleU32>(fours, indices),
            Format::U32(Big) => self.absorb_integers::<c::BigU32>(fours, indices),
            Format::I64(Little) => self.absorb_integers::<c::LittleI64>(eights, indices),
            Format::I64(Big) => self.absorb_integers::<c::BigI64>(eights, indices),
            Format::U64(Little) => self.absorb_integers::<c::LittleU64>(eights, indices),
            Format::U64(Big) => self.absorb_integers::<c::BigU64>(eights, indices),
            Format::F32(Little) => self.absorb_floats::<load::Little32>(fours, indices, nan),
            Format::F32(Big) => self.absorb_floats::<load::Big32>(fours, indices, nan),
            Format::F64(Little) => self.absorb_floats::<load::Little64>(eights, indices, nan),
            Format::F64(Big) => self.absorb_floats::<load::Big64>(eights, indices, nan),
        }
    }

    /// Folds one integer of any size, with its index if that is known.
    ///
    /// # Errors
    /// If 2^64 elements or more would be counted; then nothing is folded.
    pub fn absorb_integer(&mut self, value: &Integer, index: Option<u64>) -> Result<(), Mismatch> {
        self.count(1)?;
        absorb_big(value, index.unwrap_or(NOWHERE), &mut self.basis);
        Ok(())
    }

    /// Folds integers of 128 bits.
    ///
    /// # Errors
    /// If 2^64 elements or more would be counted; then nothing is folded.
    pub fn absorb_i128(&mut self, values: &[i128], indices: Indices<'_>) -> Result<(), Mismatch> {
        use crate::lanes::{LANES, Lane};
        self.count(values.len())?;
        for (number, block) in values.chunks(LANES).enumerate() {
            i128::absorb(block, u64::MAX, indices.after((number * LANES) as u64), &mut self.basis);
        }
        Ok(())
    }

    /// Counts elements that somebody else left out, such as cells that are no numbers.
    pub fn skip(&mut self, elements: u64) {
        self.skipped = self.skipped.saturating_add(elements);
    }

    /// Counts values that somebody else made a NaN, such as cells that are no numbers.
    pub fn make_nan(&mut self, values: u64) {
        self.made_nan = self.made_nan.saturating_add(values);
    }

    /// All that comes is floats: the answers are, too, even if nothing comes.
    pub fn expect_floats(&mut self) {
        self.of_floats = true;
    }

    fn absorb_integers<L: LoadInteger>(
        &mut self,
        raws: &[L::Raw],
        indices: Indices<'_>,
    ) -> Result<(), Mismatch> {
        self.count(raws.len())?;
        columns::fold::<L>(&mut self.basis, raws, indices, Cpu::best());
        Ok(())
    }

    fn absorb_floats<L: Load>(
        &mut self,
        raws: &[L::Raw],
        indices: Indices<'_>,
        nan: NanPolicy,
    ) -> Result<(), Mismatch> {
        self.count(raws.len())?;
        let skip = nan == NanPolicy::Skip;
        let skipped = float_fold::fold::<L>(&mut self.basis, raws, indices, skip, Cpu::best());
        self.of_floats |= self.basis.floats.is_some();
        self.elements -= skipped;
        self.skip(skipped);
        Ok(())
    }

    fn count(&mut self, more: usize) -> Result<(), Mismatch> {
        self.elements = self.elements.checked_add(more as u64).ok_or(Mismatch::Elements)?;
        Ok(())
    }
}
