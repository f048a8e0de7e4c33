//! The instruction sets of the hot loops, and the choice among them at run time.
//!
//! A hot loop is written once, generic over [`Vector`], and compiled once for each instruction set by
//! [`multiversion!`]; so the twins cannot drift apart, and a portable wheel runs the same code as one built for
//! the machine. Only the few operations of [`Vector`] exist once per instruction set; property tests hold every
//! implementation against [`Scalar`].
//!
//! | set | processors | what it needs |
//! |---|---|---|
//! | scalar | all | nothing |
//! | AVX2 | x86-64 since 2013 (Intel), 2015 (AMD) | avx2, bmi1, bmi2, lzcnt, popcnt |
//! | AVX-512 | Intel servers since 2017 | the same and avx512f, avx512bw, avx512dq, avx512vl |
//! | AVX-512 VBMI2 | Intel servers since 2021, AMD Zen 4 and later | the same and avx512vbmi, avx512vbmi2, avx512bitalg |
//! | NEON | every 64-bit ARM | nothing beyond the baseline |

mod characters;
mod scalar;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "x86_64")]
mod vbmi;

pub(crate) use characters::{Characters, low};
pub(crate) use scalar::Scalar;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;
#[cfg(target_arch = "aarch64")]
pub(crate) use neon::Neon;
#[cfg(target_arch = "x86_64")]
pub(crate) use vbmi::Vbmi;

use crate::text::pages::{Pages, Recent};

/// Bytes that one [`Vector::classify`] looks at.
pub(crate) const BLOCK: usize = 64;

/// Numbers that an expansion may write beyond the last one.
pub(crate) const OVERRUN: usize = 64;

/// What a block of text is made of: one bit a byte, the first byte in the lowest bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Classes {
    /// ASCII letters and digits. Undefined where `non_ascii` is set.
    pub(crate) word: u64,
    /// Bytes of 0x80 and above.
    pub(crate) non_ascii: u64,
}

/// A lane that is filled by a permutation of its own: `a * x + b` modulo 2^32, with `a` odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PermutedLane {
    pub(crate) index: u32,
    pub(crate) a: u32,
    pub(crate) b: u32,
    /// The least value so far.
    pub(crate) least: u32,
}

/// The operations that exist once per instruction set.
pub(crate) trait Vector {
    /// Classifies 64 bytes and writes them to `to` with ASCII letters in lower case. ASCII bytes that are neither letters
    /// nor digits arrive changed; nobody reads them.
    ///
    /// # Safety
    /// `from` is readable and `to` writable for 64 bytes; the processor has the instruction set.
    unsafe fn classify(from: *const u8, to: *mut u8) -> Classes;

    /// The same 64 bytes with their characters of two and three bytes, which are written to `to` in lower case; it
    /// begins with a character, and `classes` is what [`Vector::classify`] gave for it. `recent` is a hint of the blocks before.
    ///
    /// # Safety
    /// As for [`Vector::classify`]; the block begins like text in UTF-8 that is valid, and may end anywhere in it.
    unsafe fn characters(
        pages: &Pages,
        recent: &mut Recent,
        from: *const u8,
        to: *mut u8,
        classes: Classes,
    ) -> Characters;

    /// Writes `base` plus the place of each set bit of `mask` to `to`, in order.
    ///
    /// # Safety
    /// `to` is writable for the set bits and [`OVERRUN`] numbers more, of which the last ones are left undefined; the
    /// processor has the instruction set.
    unsafe fn expand(mask: u64, base: u16, to: *mut u16);

    /// Writes `base` plus the place of each bit of `ends` and of `starts` to `to`, in order; an end comes before a start at
    /// the same place.
    ///
    /// # Safety
    /// As for [`Vector::expand`].
    unsafe fn expand_both(starts: u64, ends: u64, base: u16, to: *mut u16);

    /// Lowers the lane of each permutation `(a, b)` to the least of `a * x + b` (mod 2^32) over the low halves `x` of
    /// `shingles`.
    ///
    /// # Safety
    /// The processor has the instruction set.
    unsafe fn lower(lanes: &mut [PermutedLane], shingles: &[u64]);
}

/// An instruction set that this processor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InstructionSet {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Vbmi,
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl InstructionSet {
    /// All that this processor has, the slowest first.
    pub(crate) fn available() -> Vec<Self> {
        let mut sets = vec![Self::Scalar];
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("lzcnt")
                && is_x86_feature_detected!("popcnt");
            if avx2 {
                sets.push(Self::Avx2);
            }
            let avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            let vbmi = is_x86_feature_detected!("avx512vbmi")
                && is_x86_feature_detected!("avx512vbmi2")
                && is_x86_feature_detected!("avx512bitalg");
            if avx2 && avx512 {
                sets.push(Self::Avx512);
                if vbmi {
                    sets.push(Self::Vbmi);
                }
            }
        }
        #[cfg(target_arch = "aarch64")]
        sets.push(Self::Neon);
        sets
    }

    /// The fastest that this processor has.
    pub(crate) fn best() -> Self {
        Self::available().pop().unwrap_or(Self::Scalar)
    }

    /// Its name, for reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Self::Vbmi => "avx512vbmi2",
            #[cfg(target_arch = "aarch64")]
            Self::Neon => "neon",
        }
    }
}

/// The name of the instruction set that the hot loops use on this processor.
#[must_use]
pub fn instruction_set() -> &'static str {
    InstructionSet::best().name()
}

/// The names of all that this processor has, the slowest first.
#[must_use]
pub fn instruction_sets() -> Vec<&'static str> {
    InstructionSet::available().into_iter().map(InstructionSet::name).collect()
}

/// Compiles a function that is generic over [`Vector`] once per instruction set, and defines the function that
/// calls the right one. The generic function and all it calls must be `#[inline(always)]`.
macro_rules! multiversion {
    (
        $(#[$doc:meta])*
        $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? = $generic:path;
    ) => {
        $(#[$doc])*
        $vis fn $name(set: crate::kernels::InstructionSet, $($arg: $ty),*) $(-> $ret)? {
            use crate::kernels::{self, InstructionSet};
            use $generic as generic;
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
            fn avx2($($arg: $ty),*) $(-> $ret)? {
                generic::<kernels::Avx2>($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,lzcnt,popcnt")]
            fn avx512($($arg: $ty),*) $(-> $ret)? {
                generic::<kernels::Avx512>($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(
                enable = "avx512vbmi,avx512vbmi2,avx512bitalg,avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,lzcnt,popcnt"
            )]
            fn vbmi($($arg: $ty),*) $(-> $ret)? {
                generic::<kernels::Vbmi>($($arg),*)
            }
            match set {
                InstructionSet::Scalar => generic::<kernels::Scalar>($($arg),*),
                #[cfg(target_arch = "x86_64")]
                // SAFETY: the value exists only where `available` saw the features.
                InstructionSet::Avx2 => unsafe { avx2($($arg),*) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: the value exists only where `available` saw the features.
                InstructionSet::Avx512 => unsafe { avx512($($arg),*) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: the value exists only where `available` saw the features.
                InstructionSet::Vbmi => unsafe { vbmi($($arg),*) },
                #[cfg(target_arch = "aarch64")]
                InstructionSet::Neon => generic::<kernels::Neon>($($arg),*),
            }
        }
    };
}
pub(crate) use multiversion;

/// Defines [`Vector::lower`] for a vector of `$width` numbers: as many lanes at a time as registers hold stay there
/// while each shingle is spread over a vector and permuted for all of them.
#[cfg(target_arch = "x86_64")]
macro_rules! lower_in_registers {
    ($vector:ty, $width:literal, $spread:ident, $multiply:ident, $add:ident, $min:ident) => {
        #[inline(always)]
        unsafe fn lower(lanes: &mut [PermutedLane], shingles: &[u64]) {
            #[inline(always)]
            unsafe fn group<const N: usize>(lanes: &mut [PermutedLane], shingles: &[u64]) {
                let (mut a, mut b, mut least) =
                    ([[0u32; $width]; N], [[0u32; $width]; N], [[u32::MAX; $width]; N]);
                for (place, lane) in lanes.iter().enumerate() {
                    a[place / $width][place % $width] = lane.a;
                    b[place / $width][place % $width] = lane.b;
                    least[place / $width][place % $width] = lane.least;
                }
                // SAFETY: the caller vouches for the instruction set; an array of `$width` numbers is a vector.
                unsafe {
                    let a: [$vector; N] = std::mem::transmute_copy(&a);
                    let b: [$vector; N] = std::mem::transmute_copy(&b);
                    let mut minima: [$vector; N] = std::mem::transmute_copy(&least);
                    for &shingle in shingles {
                        let x = $spread(shingle as i32);
                        let mut vector = 0;
                        while vector < N {
                            let permuted = $add($multiply(x, a[vector]), b[vector]);
                            minima[vector] = $min(minima[vector], permuted);
                            vector += 1;
                        }
                    }
                    least = std::mem::transmute_copy(&minima);
                }
                for (place, lane) in lanes.iter_mut().enumerate() {
                    lane.least = least[place / $width][place % $width];
                }
            }
            for some in lanes.chunks_mut(4 * $width) {
                // SAFETY: the caller vouches for the instruction set; the number of vectors is that of the lanes.
                unsafe {
                    match some.len().div_ceil($width) {
                        1 => group::<1>(some, shingles),
                        2 => group::<2>(some, shingles),
                        3 => group::<3>(some, shingles),
                        _ => group::<4>(some, shingles),
                    }
                }
            }
        }
    };
}
#[cfg(target_arch = "x86_64")]
use lower_in_registers;

#[cfg(test)]
mod tests;
