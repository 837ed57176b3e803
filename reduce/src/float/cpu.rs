//! Which instructions this processor has, asked once for each call and never assumed.
//!
//! The loops are written once, in plain Rust; here they are compiled a second time for AVX2. Every loop is exact,
//! so the choice decides the time and never the result.

/// The instructions a loop may be compiled for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cpu {
    /// What every processor of the target has.
    Portable,
    /// AVX2 and FMA were found.
    #[cfg(target_arch = "x86_64")]
    Avx2(fearless_simd::Avx2),
}

impl Cpu {
    /// The best there is.
    pub(crate) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = fearless_simd::Level::new().as_avx2() {
            return Self::Avx2(avx2);
        }
        Self::Portable
    }

    /// Calls `work`, compiled for these instructions as far as it is inlined.
    #[inline(always)]
    pub(crate) fn run<T>(self, work: impl FnOnce() -> T) -> T {
        match self {
            Self::Portable => work(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(avx2) => fearless_simd::Simd::vectorize(avx2, work),
        }
    }

    /// Both roads of this machine, for tests that compare them.
    #[cfg(test)]
    pub(crate) fn all() -> Vec<Self> {
        vec![Self::Portable, Self::best()]
    }
}
