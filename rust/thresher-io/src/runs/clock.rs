//! How long each step of a run took.

use std::time::Instant;

/// Seconds of each step.
#[derive(Default)]
pub(crate) struct Clock {
    pub(crate) seconds: Vec<(&'static str, f64)>,
}

impl Clock {
    /// Does `work`, as the step of this name.
    pub(crate) fn time<T>(&mut self, step: &'static str, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let result = work();
        self.seconds.push((step, started.elapsed().as_secs_f64()));
        result
    }

    /// Notes the time since `started`.
    pub(crate) fn total(&mut self, started: Instant) {
        self.seconds.push(("total", started.elapsed().as_secs_f64()));
    }
}
