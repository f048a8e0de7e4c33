//! Asks for memory before it is used.
//!
//! The documents of a cluster lie anywhere in a corpus, so the first byte of each is a wait for main memory, unless it
//! was asked for while the cluster before was resolved.

/// Bytes that come together.
const LINE: usize = 64;

/// Asks for the first `limit` bytes of `bytes`. Changes nothing but the time of a later access; does nothing on
/// processors other than x86-64.
#[inline(always)]
pub fn prefetch(bytes: &[u8], limit: usize) {
    for line in bytes[..bytes.len().min(limit)].chunks(LINE) {
        prefetch_line(line.as_ptr());
    }
}

/// Asks for the memory around `place`, which may be any address. Does nothing on processors other than x86-64.
#[inline(always)]
pub fn prefetch_line<T>(place: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint; it reads nothing and cannot fault.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(place.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}
