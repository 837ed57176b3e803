//! How a float lies in memory, and how it becomes an `f64`.
//!
//! Bytes of a file need not be aligned: they are read as arrays of bytes, which costs nothing.

/// A layout of floats in memory.
pub(crate) trait Load {
    /// One element as it lies there.
    type Raw: Copy;

    /// Its value; `f32` are widened, which is exact.
    fn load(raw: Self::Raw) -> f64;
}

macro_rules! layout {
    ($name:ident, $raw:ty, $what:literal, $load:expr) => {
        #[doc = $what]
        #[derive(Debug)]
        pub(crate) enum $name {}

        impl Load for $name {
            type Raw = $raw;

            #[inline(always)]
            fn load(raw: $raw) -> f64 {
                $load(raw)
            }
        }
    };
}

layout!(Native64, f64, "`f64` of this machine.", std::convert::identity);
layout!(Native32, f32, "`f32` of this machine.", f64::from);
layout!(Little64, [u8; 8], "`f64`, little-endian.", f64::from_le_bytes);
layout!(Big64, [u8; 8], "`f64`, big-endian.", f64::from_be_bytes);
layout!(Little32, [u8; 4], "`f32`, little-endian.", |raw| f64::from(f32::from_le_bytes(raw)));
layout!(Big32, [u8; 4], "`f32`, big-endian.", |raw| f64::from(f32::from_be_bytes(raw)));
