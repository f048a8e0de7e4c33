//! The languages of many texts, on all threads.

use std::sync::{Mutex, PoisonError};

use thresher_core::parallel::{Threads, map};
use thresher_core::{Observer, Result, observe};

use super::{Detected, Detector};

/// Texts that one thread takes at a time.
const PART: usize = 64;

/// The language of each text, none for a missing one; the order and the threads change nothing.
///
/// # Errors
/// `Error::Cancelled` if the observer wants to stop.
pub fn detect_all<'d>(
    detector: &'d Detector,
    texts: &[Option<&str>],
    threads: &dyn Threads,
    observer: &dyn Observer,
) -> Result<Vec<Option<Detected<'d>>>> {
    let parts: Vec<&[Option<&str>]> = texts.chunks(PART).collect();
    let idle = Mutex::new(Vec::new());
    let found = map(threads, parts.len(), 1, |at| {
        if observer.cancelled() {
            return Vec::new();
        }
        let taken = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut worker = taken.unwrap_or_else(|| detector.worker());
        let found: Vec<_> = parts[at].iter().map(|text| text.map(|text| worker.detect(text))).collect();
        idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
        found
    });
    observe::check(observer)?;
    Ok(found.concat())
}
