//! Time that this thread works: what else the machine does meanwhile is not counted.

use std::time::Duration;

/// Time of pieces of work.
#[derive(Debug, Default)]
pub(crate) struct Work {
    all: Duration,
}

impl Work {
    /// Does a piece of work.
    pub(crate) fn of<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let started = now();
        let done = work();
        self.all += now().saturating_sub(started);
        done
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.all.as_secs_f64()
    }
}

/// The time that this thread has worked so far.
#[cfg(unix)]
fn now() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call fills the struct, which lives as long as the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Where a thread does not know how long it worked, the time of day has to do.
#[cfg(not(unix))]
fn now() -> Duration {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}
