//! Progress and the wish to stop, shared between a run and whoever watches it.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use thresher_core::Observer;

use crate::error::{Error, Result};

/// The steps of runs, each in order.
pub const STEPS: [&str; 8] = ["plan", "sign", "verify", "write", "shape", "rows", "read stdin", "spill"];
/// The step that copies standard input, or another pipe.
pub(crate) const STDIN_STEP: usize = 6;

/// Counters that a run raises and a watcher reads. All are for the current step but `quarantined`.
#[derive(Debug, Default)]
pub struct Progress {
    step: AtomicUsize,
    docs: AtomicU64,
    bytes: AtomicU64,
    total_bytes: AtomicU64,
    quarantined: AtomicU64,
    cancelled: AtomicBool,
}

/// A moment of a run.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Moment {
    /// The current step, one of [`STEPS`].
    pub step: &'static str,
    /// Documents done in this step.
    pub docs: u64,
    /// Bytes of the inputs done in this step.
    pub bytes: u64,
    /// Bytes of the inputs that this step will go through; of compressed files, as they are on disk.
    pub total_bytes: u64,
    /// Records set aside so far.
    pub quarantined: u64,
}

impl Progress {
    /// Asks the run to stop as soon as it can.
    pub fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
    }

    /// What there is to show now.
    #[must_use]
    pub fn moment(&self) -> Moment {
        Moment {
            step: STEPS[self.step.load(Relaxed).min(STEPS.len() - 1)],
            docs: self.docs.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            total_bytes: self.total_bytes.load(Relaxed),
            quarantined: self.quarantined.load(Relaxed),
        }
    }

    pub(crate) fn begin(&self, step: usize, total_bytes: u64) {
        self.docs.store(0, Relaxed);
        self.bytes.store(0, Relaxed);
        self.total_bytes.store(total_bytes, Relaxed);
        self.step.store(step, Relaxed);
    }

    pub(crate) fn quarantine(&self, records: u64) {
        self.quarantined.fetch_add(records, Relaxed);
    }

    /// A pass begins anew.
    pub(crate) fn forget_quarantined(&self) {
        self.quarantined.store(0, Relaxed);
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.cancelled.load(Relaxed) { Err(Error::Cancelled) } else { Ok(()) }
    }
}

impl Observer for Progress {
    fn advance(&self, docs: u64, bytes: u64) {
        self.docs.fetch_add(docs, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
    }

    fn cancelled(&self) -> bool {
        self.cancelled.load(Relaxed)
    }
}
