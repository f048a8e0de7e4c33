//! The scores of many texts, on all threads.

use std::sync::{Mutex, PoisonError};

use thresher_core::parallel::{Threads, map};
use thresher_core::{Observer, Result, observe};

use crate::fasttext::Model;

/// Texts that one thread takes at a time.
const PART: usize = 64;

/// The probability of a label for each text, none for a missing one; the order and the threads change nothing.
///
/// # Errors
/// `Error::Cancelled` if the observer wants to stop.
pub fn score_all(
    model: &Model,
    label: usize,
    texts: &[Option<&str>],
    threads: &dyn Threads,
    observer: &dyn Observer,
) -> Result<Vec<Option<f32>>> {
    let parts: Vec<&[Option<&str>]> = texts.chunks(PART).collect();
    let idle = Mutex::new(Vec::new());
    let scores = map(threads, parts.len(), 1, |at| {
        if observer.cancelled() {
            return Vec::new();
        }
        let taken = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut predictor = taken.unwrap_or_else(|| model.predictor());
        let mut score = |text: &str| predictor.probability(text, label).clamp(0.0, 1.0);
        let scores: Vec<Option<f32>> = parts[at].iter().map(|text| text.map(&mut score)).collect();
        idle.lock().unwrap_or_else(PoisonError::into_inner).push(predictor);
        scores
    });
    observe::check(observer)?;
    Ok(scores.concat())
}
