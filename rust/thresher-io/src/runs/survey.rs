//! A pass over inputs of which some may be damaged: see `readers/jsonl/damage`.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::error::{Error, Result};
use crate::runs::progress::Progress;
use crate::runs::source::Source;

/// Does the first pass of a run. If it comes upon damage, all compressed inputs are surveyed, on `threads` threads, and
/// the pass is done anew; so it must not depend on what it did before.
///
/// # Errors
/// Those of the pass, and of reading.
pub(crate) fn surveyed<T>(
    sources: &[Source],
    threads: usize,
    progress: &Progress,
    mut pass: impl FnMut() -> Result<T>,
) -> Result<T> {
    match pass() {
        Err(Error::Damaged(_)) => {
            survey(sources, threads, progress)?;
            progress.forget_quarantined();
            pass()
        }
        done => done,
    }
}

/// Finds the damage in every compressed input, on `threads` threads.
///
/// # Errors
/// Those of reading.
pub(crate) fn survey(sources: &[Source], threads: usize, progress: &Progress) -> Result<()> {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(source) = sources.get(next.fetch_add(1, Relaxed)) {
            if let Source::Lines(input, _) = source.stored() {
                input.survey(|| progress.check())?;
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.min(sources.len())).map(|_| scope.spawn(work)).collect();
        let lost = || Error::Internal("a thread that surveys the inputs panicked".into());
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|_| Err(lost())))
    })
}
