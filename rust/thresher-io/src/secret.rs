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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_runs_have_the_same_secret() {
        assert_ne!(draw().unwrap(), draw().unwrap());
    }
}
