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

/// Bytes of a large page.
const LARGE_PAGE: usize = 2 << 20;

/// Asks the system for large pages for the room of a vector. Where it is looked at in places anywhere, each look at small ones is
/// two waits, for the place of the page and for the page; and where all of it is written, the system is asked once for a page
/// and not five hundred times. Changes nothing else, and does nothing where that is not known.
pub fn in_large_pages<T>(room: &mut Vec<T>) {
    #[cfg(target_os = "linux")]
    {
        let start = room.as_mut_ptr() as usize;
        let end = start + room.capacity() * size_of::<T>();
        let first = start.next_multiple_of(LARGE_PAGE);
        let pages = end.saturating_sub(first) / LARGE_PAGE;
        if pages > 0 {
            // SAFETY: the pages lie in the room of the vector, and the advice leaves their content as it is.
            unsafe { libc::madvise(first as *mut libc::c_void, pages * LARGE_PAGE, libc::MADV_HUGEPAGE) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (room, LARGE_PAGE);
}

/// An empty vector with room for so many entries, in large pages.
#[must_use]
pub fn with_room<T>(entries: usize) -> Vec<T> {
    let mut room = Vec::with_capacity(entries);
    in_large_pages(&mut room);
    room
}
