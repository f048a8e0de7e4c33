//! The threads of a run, as a number that all its parts share.
//!
//! The workers of a pass read; what else there is to compute, such as the encoding of a finished row group, is left here
//! as a job, which the next free worker does. So outputs start no threads of their own, and a run computes on as many
//! threads as it was given. Whoever has to wait for a job does jobs meanwhile, so nobody waits for a thread that waits.

mod together;

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::readers::guard::panic_message;

type Job = Box<dyn FnOnce() + Send>;

/// How long a thread looks for work before it sleeps, and what it does between two looks.
const SPIN: Duration = Duration::from_micros(100);
const LOOPS: usize = 32;

/// The threads of a run, and the jobs that wait for one.
pub struct Crew {
    threads: usize,
    jobs: Mutex<VecDeque<Job>>,
    /// Threads that are in a pass.
    busy: AtomicUsize,
    /// How often something changed that somebody may wait for.
    changes: Mutex<u64>,
    changed: Condvar,
}

impl Crew {
    /// A crew of `threads` threads; of one, if that is 0.
    #[must_use]
    pub fn new(threads: usize) -> Arc<Self> {
        Arc::new(Self {
            threads: threads.max(1),
            jobs: Mutex::default(),
            busy: AtomicUsize::new(0),
            changes: Mutex::new(0),
            changed: Condvar::new(),
        })
    }

    /// How many threads there are.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Leaves `work` to the next free thread; a crew of one does it at once.
    pub fn promise<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Promise<T> {
        let made = Arc::new(Mutex::new(None));
        let promise = Promise { crew: self.clone(), made: made.clone() };
        let job = move || {
            // Nobody waits for what an output that was given up had asked for.
            if Arc::strong_count(&made) > 1 {
                let done = contained(work);
                *lock(&made) = Some(done);
            }
        };
        if self.threads == 1 {
            job();
        } else {
            lock(&self.jobs).push_back(Box::new(job));
            self.change();
        }
        promise
    }

    /// Does one job, if there is one.
    pub(crate) fn help(&self) -> bool {
        let job = lock(&self.jobs).pop_front();
        let Some(job) = job else { return false };
        job();
        self.change();
        true
    }

    /// Does jobs until `ready`. Outside of a pass, where no worker would take them, on all threads.
    fn help_until(&self, ready: &dyn Fn() -> bool) {
        if ready() {
            return;
        }
        let free = self.threads.saturating_sub(self.busy.load(SeqCst).max(1));
        let idle = free.min(lock(&self.jobs).len().saturating_sub(1));
        std::thread::scope(|scope| {
            for _ in 0..idle {
                scope.spawn(|| while self.help() {});
            }
            loop {
                let seen = self.changes();
                if ready() {
                    break;
                }
                if !self.help() {
                    self.wait(seen);
                }
            }
        });
    }

    /// Counts the calling thread as one of a pass until the guard is dropped.
    pub(crate) fn enter(&self) -> Entered<'_> {
        self.busy.fetch_add(1, SeqCst);
        Entered(self)
    }

    /// The number of changes so far, to be given to `wait`.
    pub(crate) fn changes(&self) -> u64 {
        *lock(&self.changes)
    }

    /// Wakes all who wait.
    pub(crate) fn change(&self) {
        *lock(&self.changes) += 1;
        self.changed.notify_all();
    }

    /// Waits for a change after the first `seen` ones.
    pub(crate) fn wait(&self, seen: u64) {
        if spin_until(&|| self.changes() != seen) {
            return;
        }
        let mut changes = lock(&self.changes);
        while *changes == seen {
            changes = self.changed.wait(changes).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Looks again and again for a short time, since to sleep and be woken takes longer than many a part of shared work; says
/// whether what was waited for came.
fn spin_until(came: &dyn Fn() -> bool) -> bool {
    let end = Instant::now() + SPIN;
    loop {
        if came() {
            return true;
        }
        if Instant::now() > end {
            return false;
        }
        (0..LOOPS).for_each(|_| std::hint::spin_loop());
    }
}

/// See [`Crew::enter`].
pub(crate) struct Entered<'c>(&'c Crew);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, SeqCst);
    }
}

/// What a job will have made.
pub struct Promise<T> {
    crew: Arc<Crew>,
    made: Arc<Mutex<Option<Result<T>>>>,
}

impl<T> Promise<T> {
    /// Whether the job is done.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        lock(&self.made).is_some()
    }

    /// What the job made; until it is done, the calling thread does other jobs.
    ///
    /// # Errors
    /// That of the job; `Error::Internal` if it panicked.
    pub fn get(self) -> Result<T> {
        self.crew.help_until(&|| self.is_kept());
        let made = lock(&self.made).take();
        made.unwrap_or_else(|| Err(Error::Internal("a job ended without a result".into())))
    }
}

/// Does a part of a run; a panic in it becomes its error.
pub(crate) fn contained<T>(part: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(part)).unwrap_or_else(|panic| Err(panicked(&*panic)))
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    Error::Internal(format!("a thread of the run panicked: {}", panic_message(panic)))
}

/// A panic elsewhere is told by its own thread; what the lock guards is whole between two statements.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Barrier;
    use std::thread::current;

    use super::*;

    #[test]
    fn jobs_are_done_whoever_waits_for_them() {
        for threads in [1, 2, 5] {
            let crew = Crew::new(threads);
            let promises: Vec<_> = (0..40).map(|n| crew.promise(move || Ok(n * n))).collect();
            // The last one first: the one who waits does the others.
            let made: Vec<i32> = promises.into_iter().rev().map(|promise| promise.get().unwrap()).collect();
            assert_eq!(made, (0..40).rev().map(|n| n * n).collect::<Vec<_>>());
        }
    }

    #[test]
    fn outside_of_a_pass_all_threads_do_jobs_and_inside_none_is_started() {
        for is_inside in [false, true] {
            let crew = Crew::new(3);
            let guards: Vec<_> = (0..3).filter(|_| is_inside).map(|_| crew.enter()).collect();
            // If three threads are to meet, three must be there.
            let meet = Arc::new(Barrier::new(if is_inside { 1 } else { 3 }));
            let job = |meet: Arc<Barrier>| {
                move || {
                    meet.wait();
                    Ok(current().id())
                }
            };
            let promises: Vec<_> = (0..3).map(|_| crew.promise(job(meet.clone()))).collect();
            let ids: HashSet<_> = promises.into_iter().map(|promise| promise.get().unwrap()).collect();
            assert_eq!(ids.len(), if is_inside { 1 } else { 3 });
            drop(guards);
        }
    }

    #[test]
    fn a_job_that_panics_is_an_internal_error_and_one_nobody_waits_for_is_not_done() {
        for threads in [1, 2] {
            let crew = Crew::new(threads);
            let lost: Promise<()> = crew.promise(|| panic!("planned"));
            assert!(matches!(lost.get(), Err(Error::Internal(message)) if message.contains("planned")));
        }
        let crew = Crew::new(2);
        drop(crew.promise::<()>(|| panic!("this was not to be done")));
        assert!(crew.help() && !crew.help());
    }
}
