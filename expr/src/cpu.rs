//! Which instructions this processor has. The loops are compiled twice, plainly and for AVX2; they compute the same.

/// Work that is compiled for the instructions at hand as far as it is inlined into `call`.
pub(crate) trait Work {
    /// What it comes to.
    type Output;

    /// Must be `#[inline(always)]`, as must be what it calls in loops.
    fn call(self) -> Self::Output;
}

/// The instructions a loop may be compiled for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cpu {
    /// What every processor of the target has.
    Portable,
    /// AVX2 was found.
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

    pub(crate) fn run<W: Work>(self, work: W) -> W::Output {
        match self {
            Self::Portable => work.call(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(avx2) => fearless_simd::Simd::vectorize(
                avx2,
                // Out of line, it would be compiled for every processor of the target.
                #[inline(always)]
                || work.call(),
            ),
        }
    }
}
