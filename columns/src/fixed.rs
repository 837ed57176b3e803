//! Numbers of fixed width in mapped bytes: where the n-th is, and how a run of them becomes a slice.
//!
//! Nothing is copied where the bytes are aligned, of this machine's order and side by side; everything else is
//! converted into a buffer that the caller keeps. Any cut of the elements gives the same numbers.

use std::fmt;

use crate::element::{Element, Number, Order};

/// Evenly spaced numbers of one type in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fixed {
    /// The type of the numbers.
    pub element: Element,
    /// The offset of the first, in bytes.
    pub first: u64,
    /// Bytes from one to the next; at least the bytes of one.
    pub stride: u64,
    /// How many there are.
    pub count: u64,
}

/// Why a file is not a whole number of numbers. Fits after "could not read PATH:".
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Torn {
    /// What each number should be.
    pub element: Element,
    /// The offset at which the incomplete number begins.
    pub offset: u64,
    /// Bytes that are there of it.
    pub bytes: u64,
}

impl fmt::Display for Torn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (element, whole) = (self.element, self.element.number.bytes());
        write!(
            f,
            "the last {element} is incomplete: {} of its {whole} bytes at offset {}",
            self.bytes, self.offset
        )
    }
}

impl std::error::Error for Torn {}

impl Fixed {
    /// The numbers of a raw file of `file_bytes` bytes, after `skip` bytes that are something else.
    pub fn raw(element: Element, skip: u64, file_bytes: u64) -> Result<Self, Torn> {
        let stride = element.number.bytes() as u64;
        let data = file_bytes.saturating_sub(skip);
        match data % stride {
            0 => Ok(Self { element, first: skip, stride, count: data / stride }),
            bytes => Err(Torn { element, offset: skip + data - bytes, bytes }),
        }
    }

    /// The bytes of the file from which the elements `from..to` are read: first and end offset. `to` is at most
    /// `count`, and `from` at most `to`.
    pub fn range(&self, from: u64, to: u64) -> (u64, u64) {
        let at = |index: u64| self.first + index * self.stride;
        if from >= to {
            (at(from), at(from))
        } else {
            (at(from), at(to - 1) + self.element.number.bytes() as u64)
        }
    }

    /// The numbers in `bytes`, which begin with one of them (see [`Fixed::range`]); an incomplete last one is left
    /// out. The slice is of `bytes` themselves where that can be, else of `buffer`.
    pub fn slice<'a>(&self, bytes: &'a [u8], buffer: &'a mut Buffer) -> Slice<'a> {
        let item = self.element.number.bytes();
        let stride = usize::try_from(self.stride).unwrap_or(usize::MAX).max(item);
        let swap = item > 1 && self.element.order != Order::NATIVE;
        let spread = Spread { bytes, stride, item, swap };
        macro_rules! typed {
            ($variant:ident, $type:ty) => {
                Slice::$variant(spread.view(&mut buffer.words, <$type>::from_ne_bytes, <$type>::swap_bytes))
            };
        }
        match self.element.number {
            Number::I8 => typed!(I8, i8),
            Number::I16 => typed!(I16, i16),
            Number::I32 => typed!(I32, i32),
            Number::I64 => typed!(I64, i64),
            Number::U8 => typed!(U8, u8),
            Number::U16 => typed!(U16, u16),
            Number::U32 => typed!(U32, u32),
            Number::U64 => typed!(U64, u64),
            Number::F32 => {
                let swapped = |float: f32| f32::from_bits(float.to_bits().swap_bytes());
                Slice::F32(spread.view(&mut buffer.words, f32::from_ne_bytes, swapped))
            }
            Number::F64 => {
                let swapped = |float: f64| f64::from_bits(float.to_bits().swap_bytes());
                Slice::F64(spread.view(&mut buffer.words, f64::from_ne_bytes, swapped))
            }
            Number::F16 => {
                buffer.widened.clear();
                let halves = spread.items::<2>().map(u16::from_ne_bytes);
                buffer.widened.extend(halves.map(|half| widen(if swap { half.swap_bytes() } else { half })));
                Slice::F32(&buffer.widened)
            }
        }
    }
}

/// A run of numbers of one type.
#[derive(Clone, Copy, PartialEq, Debug)]
#[expect(missing_docs, reason = "each variant is what its name says")]
pub enum Slice<'a> {
    I8(&'a [i8]),
    I16(&'a [i16]),
    I32(&'a [i32]),
    I64(&'a [i64]),
    U8(&'a [u8]),
    U16(&'a [u16]),
    U32(&'a [u32]),
    U64(&'a [u64]),
    F32(&'a [f32]),
    F64(&'a [f64]),
}

impl Slice<'_> {
    /// How many numbers there are.
    pub fn len(&self) -> usize {
        match self {
            Self::I8(values) => values.len(),
            Self::I16(values) => values.len(),
            Self::I32(values) => values.len(),
            Self::I64(values) => values.len(),
            Self::U8(values) => values.len(),
            Self::U16(values) => values.len(),
            Self::U32(values) => values.len(),
            Self::U64(values) => values.len(),
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Room for numbers that had to be converted; kept from call to call.
#[derive(Clone, Default, Debug)]
pub struct Buffer {
    /// Words, so that any of the types is aligned.
    words: Vec<u64>,
    widened: Vec<f32>,
}

/// Numbers of `item` bytes, `stride` bytes apart, in the wrong order if `swap`.
#[derive(Clone, Copy)]
struct Spread<'a> {
    bytes: &'a [u8],
    stride: usize,
    item: usize,
    swap: bool,
}

impl<'a> Spread<'a> {
    /// How many whole numbers there are.
    fn count(&self) -> usize {
        match self.bytes.len().checked_sub(self.item) {
            Some(before_last) => before_last / self.stride + 1,
            None => 0,
        }
    }

    fn items<const N: usize>(self) -> impl Iterator<Item = [u8; N]> + 'a {
        self.bytes.chunks(self.stride).filter_map(|chunk| chunk.first_chunk().copied())
    }

    /// The bytes as they are, or converted into `words`.
    fn view<T: bytemuck::Pod, const N: usize>(
        self,
        words: &'a mut Vec<u64>,
        from_bytes: impl Fn([u8; N]) -> T,
        swapped: impl Fn(T) -> T,
    ) -> &'a [T] {
        let count = self.count();
        if self.stride == self.item
            && !self.swap
            && let Ok(values) = bytemuck::try_cast_slice(&self.bytes[..count * self.item])
        {
            return values;
        }
        words.clear();
        words.resize((count * self.item).div_ceil(8), 0);
        let values: &mut [T] = &mut bytemuck::cast_slice_mut::<u64, T>(words)[..count];
        if self.swap {
            values.iter_mut().zip(self.items()).for_each(|(to, bytes)| *to = swapped(from_bytes(bytes)));
        } else {
            values.iter_mut().zip(self.items()).for_each(|(to, bytes)| *to = from_bytes(bytes));
        }
        values
    }
}

/// A binary16 as the binary32 of the same value; a NaN stays one, with its payload.
pub(crate) fn widen(half: u16) -> f32 {
    let (sign, exponent, fraction) =
        (u32::from(half >> 15) << 31, u32::from(half >> 10) & 31, u32::from(half & 0x3ff));
    match exponent {
        // Subnormal: a multiple of 2^-24, exact in a binary32.
        0 => {
            #[expect(clippy::cast_precision_loss, reason = "ten bits are exact")]
            let size = fraction as f32 * f32::from_bits((127 - 24) << 23);
            f32::from_bits(sign | size.to_bits())
        }
        31 => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 127 - 15) << 23 | fraction << 13),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fixed(word: &str, stride: u64, count: u64) -> Fixed {
        Fixed { element: Element::from_word(word).unwrap(), first: 0, stride, count }
    }

    #[test]
    fn a_torn_end_is_named() {
        let element = Element::from_word("f64le").unwrap();
        assert_eq!(Fixed::raw(element, 0, 80).unwrap().count, 10);
        assert_eq!(Fixed::raw(element, 3, 83).unwrap().count, 10);
        let torn = Fixed::raw(element, 3, 86).unwrap_err();
        assert_eq!(torn.to_string(), "the last f64le is incomplete: 3 of its 8 bytes at offset 83");
        assert_eq!(Fixed::raw(element, 100, 50).unwrap().count, 0);
    }

    #[test]
    fn ranges_of_columns_end_with_the_last_number() {
        let column = Fixed { first: 10, ..fixed("i32le", 12, 5) };
        assert_eq!(column.range(0, 5), (10, 62));
        assert_eq!(column.range(2, 3), (34, 38));
        assert_eq!(column.range(2, 2), (34, 34));
    }

    #[test]
    fn aligned_native_bytes_are_not_copied() {
        let numbers = [1.5_f64, -2.0, 0.25];
        let bytes: &[u8] = bytemuck::cast_slice(&numbers);
        let mut buffer = Buffer::default();
        let word = if cfg!(target_endian = "little") { "f64le" } else { "f64be" };
        let Slice::F64(values) = fixed(word, 8, 3).slice(bytes, &mut buffer) else { panic!("of floats") };
        assert_eq!(values.as_ptr(), numbers.as_ptr());
        let Slice::F64(values) = fixed(word, 8, 2).slice(&bytes[1..], &mut buffer) else {
            panic!("of floats")
        };
        assert_eq!(values.len(), 2, "the torn last one is left out");
    }

    #[test]
    fn halves_are_widened_exactly() {
        for (half, value) in [
            (0x0000_u16, 0.0_f32),
            (0x8000, -0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 1.0 / 16_777_216.0),
            (0x03ff, 1023.0 / 16_777_216.0),
            (0x0400, 1.0 / 16_384.0),
            (0x7c00, f32::INFINITY),
            (0xfc00, f32::NEG_INFINITY),
        ] {
            assert_eq!(widen(half).to_bits(), value.to_bits(), "{half:#x}");
        }
        assert!(widen(0x7e00).is_nan());
        let finite = (0..0x7c00_u16).map(widen);
        assert!(finite.clone().zip(finite.skip(1)).all(|(low, high)| low < high));
    }

    proptest! {
        #[test]
        fn any_type_order_stride_and_alignment(
            number in proptest::sample::select(Number::ALL.to_vec()),
            big in any::<bool>(),
            gap in 0_usize..9,
            skew in 0_usize..8,
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let order = if big { Order::Big } else { Order::Little };
            let item = number.bytes();
            let stride = item + gap;
            let column = Fixed { element: Element { number, order }, first: 0, stride: stride as u64, count: 0 };
            let bytes = &bytes[skew.min(bytes.len())..];
            let mut expected = Vec::new();
            let mut at = 0;
            while at + item <= bytes.len() {
                let mut one = bytes[at..at + item].to_vec();
                if big {
                    one.reverse();
                }
                one.resize(8, 0);
                expected.push(u64::from_le_bytes(one.try_into().unwrap()));
                at += stride;
            }
            let mut buffer = Buffer::default();
            let bits: Vec<u64> = match column.slice(bytes, &mut buffer) {
                Slice::I8(v) => v.iter().map(|x| u64::from(x.cast_unsigned())).collect(),
                Slice::I16(v) => v.iter().map(|x| u64::from(x.cast_unsigned())).collect(),
                Slice::I32(v) => v.iter().map(|x| u64::from(x.cast_unsigned())).collect(),
                Slice::I64(v) => v.iter().map(|x| x.cast_unsigned()).collect(),
                Slice::U8(v) => v.iter().map(|x| u64::from(*x)).collect(),
                Slice::U16(v) => v.iter().map(|x| u64::from(*x)).collect(),
                Slice::U32(v) => v.iter().map(|x| u64::from(*x)).collect(),
                Slice::U64(v) => v.to_vec(),
                Slice::F32(v) if number == Number::F16 => {
                    let widened: Vec<u32> = v.iter().map(|x| x.to_bits()).collect();
                    let halves = expected.iter().map(|bits| widen(u16::try_from(*bits).unwrap()).to_bits());
                    prop_assert_eq!(widened, halves.collect::<Vec<_>>());
                    return Ok(());
                }
                Slice::F32(v) => v.iter().map(|x| u64::from(x.to_bits())).collect(),
                Slice::F64(v) => v.iter().map(|x| x.to_bits()).collect(),
            };
            prop_assert_eq!(bits, expected);
        }
    }
}
