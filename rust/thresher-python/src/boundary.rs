//! The one way from Python into the core: off the GIL, on threads of its own, interruptible.
//!
//! Work runs on a thread pool that lives as long as the call, so there is no state that a fork could break
//! and no setting that one call could leave to the next. The calling thread sleeps without the GIL and wakes
//! every 50 ms: Python runs signal handlers on the main thread only, so Ctrl-C would otherwise wait for the
//! end of the work.
//!
//! Starting threads takes a quarter of a millisecond. A call with less work than that does it on the calling
//! thread, without the GIL too, and starts none ([`here`], [`alone`]).

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;
use thresher_core::Observer;
use thresher_io::{Error, Result, panic_message};

use crate::errors::{parameter, to_py};

/// How often the calling thread looks at signals and progress.
const WAKE: Duration = Duration::from_millis(50);
/// More threads than any machine of today has cores; a larger number is a mistake.
const MAX_THREADS: usize = 4096;

/// A wish to stop, passed on to the core.
#[derive(Debug, Default)]
pub(crate) struct Stop(AtomicBool);

impl Stop {
    /// Asks to stop.
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Observer for Stop {
    fn cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Threads that this process may use, by affinity and quota.
pub(crate) fn available() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// The threads to use: as asked for, or as many as the process may use.
pub(crate) fn thread_count(threads: Option<i64>) -> PyResult<usize> {
    match threads {
        None => Ok(available()),
        Some(threads) => {
            usize::try_from(threads).ok().filter(|count| (1..=MAX_THREADS).contains(count)).ok_or_else(|| {
                to_py(parameter(format!(
                    "threads is `{threads}`, but a call uses 1 to {MAX_THREADS} threads"
                )))
            })
        }
    }
}

/// Runs `work` on one thread of its own without the GIL; Ctrl-C stops it.
pub(crate) fn compute<T: Send>(py: Python<'_>, work: impl FnOnce(&Stop) -> Result<T> + Send) -> PyResult<T> {
    let stop = Stop::default();
    watch(py, &|| stop.set(), |_| Ok(()), || work(&stop))
}

/// Runs `work` on the calling thread without the GIL. Ctrl-C waits, so it has to be short.
pub(crate) fn here<T: Send>(py: Python<'_>, work: impl FnOnce(&Stop) -> Result<T> + Send) -> PyResult<T> {
    let stop = Stop::default();
    let outcome = py.detach(|| catch_unwind(AssertUnwindSafe(|| work(&stop))));
    outcome.map_err(|panic| to_py(Error::Internal(panic_message(&*panic))))?.map_err(to_py)
}

/// Runs `work` on a pool of `threads`; of one thread, on this one.
pub(crate) fn pooled<T: Send>(threads: usize, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    if threads <= 1 {
        return alone(work);
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(|error| Error::Internal(format!("cannot start {threads} threads ({error})")))?.install(work)
}

/// Runs `work` on this thread as the only worker of a pool of its own: what the core hands to a pool comes back
/// here, instead of starting the global one.
fn alone<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    // A stream may be computed by calls of ours, on a worker of ours.
    if rayon::current_thread_index().is_some() {
        return work();
    }
    let mut worker = None;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).spawn_handler(|thread| {
        worker = Some(thread);
        Ok(())
    });
    let pool = pool.build().map_err(|error| Error::Internal(format!("cannot make a pool ({error})")))?;
    let worker = worker.ok_or_else(|| Error::Internal("a pool without a worker".to_owned()))?;
    let mut outcome = None;
    let done = &mut outcome;
    let job: Box<dyn FnOnce() + Send + '_> =
        Box::new(move || *done = Some(catch_unwind(AssertUnwindSafe(work))));
    // SAFETY: only the lifetime changes. The pool was given up before its worker runs, so `run` ends when all its
    // jobs are done, and this one, which no other thread can take, borrows nothing beyond that.
    let job: Box<dyn FnOnce() + Send + 'static> = unsafe { mem::transmute(job) };
    pool.spawn(job);
    drop(pool);
    worker.run();
    match outcome {
        Some(Ok(result)) => result,
        Some(Err(panic)) => Err(Error::Internal(panic_message(&*panic))),
        None => Err(Error::Internal("a pool that left its work undone".to_owned())),
    }
}

/// Runs `work` on one thread of its own without the GIL. Every 50 ms the calling thread looks for signals and
/// then calls `tick` with the GIL held; if either raises, `cancel` is called and the exception raised once
/// `work` has ended.
pub(crate) fn watch<T: Send>(
    py: Python<'_>,
    cancel: &dyn Fn(),
    mut tick: impl FnMut(Python<'_>) -> PyResult<()>,
    work: impl FnOnce() -> Result<T> + Send,
) -> PyResult<T> {
    let done = AtomicBool::new(false);
    let caller = thread::current();
    let mut raised = None;
    let outcome = thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let outcome = catch_unwind(AssertUnwindSafe(work));
            done.store(true, Ordering::Release);
            caller.unpark();
            outcome
        });
        loop {
            // The check follows whatever Python code ran, since that may have used up the wake-up call.
            py.detach(|| {
                if !done.load(Ordering::Acquire) {
                    thread::park_timeout(WAKE);
                }
            });
            if done.load(Ordering::Acquire) {
                break;
            }
            if raised.is_none() {
                raised = py.check_signals().and_then(|()| tick(py)).err();
                if raised.is_some() {
                    cancel();
                }
            }
        }
        py.detach(|| worker.join())
    });
    if let Some(raised) = raised {
        return Err(raised);
    }
    match outcome {
        Ok(Ok(result)) => result.map_err(to_py),
        Ok(Err(panic)) | Err(panic) => Err(to_py(Error::Internal(panic_message(&*panic)))),
    }
}
