//! The secret of a run, from the random numbers of the operating system.

use thresher_core::Secret;

use crate::error::{Error, Result};

/// Draws a secret that nothing outside this process knows.
///
/// # Errors
/// `Error::Internal` if the system has no random numbers to give.
pub fn draw() -> Result<Secret> {
    let mut bytes = [0; Secret::LEN];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::Internal(format!("the system gives no random numbers ({error})")))?;
    Ok(Secret::new(&bytes))
}

/// Draws a key for hashes by which nothing is decided but in which table a text is looked up.
///
/// # Errors
/// As [`draw`].
pub fn key() -> Result<u64> {
    getrandom::u64().map_err(|error| Error::Internal(format!("the system gives no random numbers ({error})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_runs_have_the_same_secret() {
        assert_ne!(draw().unwrap(), draw().unwrap());
    }
}
