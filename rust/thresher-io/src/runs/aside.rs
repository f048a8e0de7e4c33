//! Bad records of a unit: to the quarantine, or, in a strict run, the end of it.

use crate::error::{Error, Result};
use crate::input::Input;
use crate::quarantine::{OwnedBad, Quarantine};
use crate::runs::progress::Progress;

/// Sets the bad records of a unit aside, whose slot 0 is row `first_row` of `input`. Without a quarantine they are only
/// counted.
///
/// # Errors
/// `Error::Data` for the first one if `strict`, and what writing gives.
pub(crate) fn set_aside(
    mut quarantine: Option<&mut Quarantine>,
    progress: &Progress,
    strict: bool,
    input: &dyn Input,
    first_row: u64,
    bad: &[OwnedBad],
) -> Result<()> {
    for bad in bad {
        progress.quarantine();
        let row = first_row + u64::from(bad.slot);
        if strict {
            return Err(Error::data(
                input.path(),
                format!(
                    "record {row} at byte {} is bad ({}): {}; without --strict it would be set aside",
                    bad.offset,
                    bad.reason.name(),
                    bad.detail
                ),
            ));
        }
        if let Some(quarantine) = &mut quarantine {
            quarantine.add(input.name(), row, &bad.as_record())?;
        }
    }
    Ok(())
}
