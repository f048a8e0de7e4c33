//! One fence around decoders of columnar files.
//!
//! The decoders are written for files that are what they claim. Some of their checks are assertions, so a damaged file
//! can make them panic; here a panic becomes a message like any other error, and the unit becomes bad records.
//!
//! A panic prints itself before anyone can catch it: that is done by the process's panic hook. A library does not
//! replace the hook of the program that it is part of, so whoever owns the process asks for silence once
//! ([`quiet_guarded_panics`]); the hook that was there goes on to hear of every other panic.

use std::{
    any::Any,
    cell::Cell,
    fmt::Display,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    sync::Once,
};

thread_local! {
    /// How many fences this thread is inside of.
    static FENCES: Cell<u32> = const { Cell::new(0) };
}

/// A fence, until it is dropped.
struct Fence;

impl Fence {
    fn enter() -> Self {
        FENCES.set(FENCES.get() + 1);
        Self
    }
}

impl Drop for Fence {
    fn drop(&mut self) {
        FENCES.set(FENCES.get() - 1);
    }
}

/// Runs a decoding step; an error or a panic in it comes back as a message.
///
/// The step must own or recreate what it works on: after a failure its state is not used again.
pub(crate) fn guarded<T, E: Display>(step: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
    let fence = Fence::enter();
    let done = catch_unwind(AssertUnwindSafe(step));
    drop(fence);
    match done {
        Ok(done) => done.map_err(|e| e.to_string()),
        Err(panic) => Err(panic_message(&*panic)),
    }
}

/// What a panic said.
#[must_use]
pub fn panic_message(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
    said.unwrap_or("an internal check failed").to_owned()
}

/// From now on panics of decoders, which become bad records, print nothing; the panic hook that is in place hears of
/// all others. For programs that own their process; calling it again does nothing.
pub fn quiet_guarded_panics() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if FENCES.try_with(Cell::get).unwrap_or(0) == 0 {
                before(panic);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use super::*;

    #[test]
    fn panics_and_errors_become_messages() {
        assert_eq!(guarded(|| Ok::<_, String>(7)), Ok(7));
        assert_eq!(guarded(|| Err::<(), _>("broken")), Err("broken".to_owned()));
        assert_eq!(guarded(|| -> Result<(), String> { panic!("at {}", 3) }), Err("at 3".to_owned()));
    }

    #[test]
    fn the_hook_hears_of_all_panics_but_guarded_ones() {
        static HEARD: AtomicU32 = AtomicU32::new(0);
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if panic.to_string().contains("of this test") {
                HEARD.fetch_add(1, Relaxed);
            } else {
                before(panic);
            }
        }));
        quiet_guarded_panics();
        let panics = || -> Result<(), String> { panic!("of this test") };
        assert_eq!(guarded(|| guarded(panics).or(guarded(panics))), Err("of this test".to_owned()));
        assert_eq!(HEARD.load(Relaxed), 0);
        assert!(catch_unwind(panics).is_err());
        assert_eq!(HEARD.load(Relaxed), 1);
    }
}
