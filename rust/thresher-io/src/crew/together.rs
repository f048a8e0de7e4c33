//! Work that is there at once, in parts: done by the thread that asks for it and by all others of the crew that are free.
//!
//! The parts are handed out one by one. The workers of a pass come for them like for any job; outside of a pass, threads are
//! started for the time of the work. Nobody waits for a helper that has not come: the one who asks does what is left.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use thresher_core::parallel::Threads;

use super::{Crew, lock, spin_until};

/// What is called for every part.
type Work = dyn Fn(usize) + Sync;

/// Work that several threads do.
struct Shared {
    /// Lives as long as the gate is open or somebody is inside.
    work: *const Work,
    parts: usize,
    next: AtomicUsize,
    gate: Mutex<Gate>,
    /// Somebody went.
    left: Condvar,
    /// That of the first part that panicked.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

struct Gate {
    is_open: bool,
    inside: usize,
}

// SAFETY: `work` points to something that is `Sync`, and is used only as `Shared::run` says; the rest is `Send` and `Sync`.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    /// Comes to help, unless it is too late.
    fn help(&self) {
        {
            let mut gate = lock(&self.gate);
            if !gate.is_open {
                return;
            }
            gate.inside += 1;
        }
        // SAFETY: the gate was open when this thread went in.
        unsafe { self.run() };
        lock(&self.gate).inside -= 1;
        self.left.notify_all();
    }

    /// Does parts until there are none.
    ///
    /// # Safety
    /// What `work` points to must live: the caller is the thread that asked for it, or was let in while the gate was open.
    unsafe fn run(&self) {
        loop {
            let part = self.next.fetch_add(1, Relaxed);
            if part >= self.parts {
                return;
            }
            // SAFETY: it lives, as the caller promises.
            let work = unsafe { &*self.work };
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(part))) {
                self.next.store(self.parts, Relaxed);
                lock(&self.panic).get_or_insert(panic);
            }
        }
    }

    /// Lets nobody in any more, and waits for those who are inside.
    fn close(&self) {
        lock(&self.gate).is_open = false;
        spin_until(&|| lock(&self.gate).inside == 0);
        let mut gate = lock(&self.gate);
        while gate.inside > 0 {
            gate = self.left.wait(gate).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Threads for Crew {
    fn each(&self, parts: usize, work: &(dyn Fn(usize) + Sync)) {
        if self.threads() == 1 || parts <= 1 {
            return (0..parts).for_each(work);
        }
        // SAFETY: only the lifetime is dropped; `close` below comes back when nobody uses the pointer any more.
        let work = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), &'static Work>(work) };
        let shared = Arc::new(Shared {
            work,
            parts,
            next: AtomicUsize::new(0),
            gate: Mutex::new(Gate { is_open: true, inside: 0 }),
            left: Condvar::new(),
            panic: Mutex::default(),
        });
        let busy = self.busy.load(SeqCst).max(1);
        let helpers = parts.min(self.threads()) - 1;
        let idle = helpers.min(self.threads().saturating_sub(busy));
        for _ in idle..helpers {
            let shared = shared.clone();
            lock(&self.jobs).push_front(Box::new(move || shared.help()));
        }
        if idle < helpers {
            self.change();
        }
        std::thread::scope(|scope| {
            for _ in 0..idle {
                scope.spawn(|| shared.help());
            }
            // SAFETY: this is the thread that asks.
            unsafe { shared.run() };
            shared.close();
        });
        let panic = lock(&shared.panic).take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Barrier;
    use std::thread::current;

    use thresher_core::parallel::map;

    use super::*;

    #[test]
    fn every_part_is_done_once_and_before_it_comes_back() {
        for threads in [1, 2, 5] {
            let crew = Crew::new(threads);
            for parts in [0, 1, 2, 100] {
                let done: Vec<AtomicUsize> = (0..parts).map(|_| AtomicUsize::new(0)).collect();
                crew.each(parts, &|part| {
                    done[part].fetch_add(1, SeqCst);
                });
                assert!(done.iter().all(|done| done.load(SeqCst) == 1));
            }
        }
    }

    #[test]
    fn outside_of_a_pass_threads_are_started_and_inside_workers_come() {
        let crew = Crew::new(3);
        let meet = Barrier::new(3);
        let id = |_| {
            meet.wait();
            current().id()
        };
        let ids: HashSet<_> = map(&*crew, 3, 1, id).into_iter().collect();
        assert_eq!(ids.len(), 3);
        let _guards: Vec<_> = (0..3).map(|_| crew.enter()).collect();
        std::thread::scope(|scope| {
            let worker = || {
                while !crew.help() {
                    std::thread::yield_now();
                }
                current().id()
            };
            let workers = [scope.spawn(worker), scope.spawn(worker)];
            let ids: HashSet<_> = map(&*crew, 3, 1, id).into_iter().collect();
            let workers: HashSet<_> = workers.map(|worker| worker.join().unwrap()).into();
            assert!(ids.contains(&current().id()) && workers.is_subset(&ids));
        });
    }

    #[test]
    fn who_comes_late_does_nothing_and_a_panic_goes_to_the_one_who_asked() {
        let crew = Crew::new(2);
        let _guards = [crew.enter(), crew.enter()];
        let done = AtomicUsize::new(0);
        crew.each(7, &|_| {
            done.fetch_add(1, SeqCst);
        });
        assert!(crew.help(), "a job is left");
        assert_eq!(done.into_inner(), 7);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            crew.each(7, &|part| assert!(part != 3, "planned"));
        }));
        assert!(panicked.is_err());
    }
}
