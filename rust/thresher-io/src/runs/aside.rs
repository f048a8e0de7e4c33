//! Bad records of a unit: counted, or, in a strict run, the end of it; and the end of a run that has too many.

use std::path::Path;

use crate::error::{Error, Result};
use crate::input::Input;
use crate::quarantine::{BadRecords, Quarantine};
use crate::record::Reason;
use crate::runs::progress::Progress;

/// Counts the bad records of a unit, whose slot 0 is row `first_row` of `input`.
///
/// # Errors
/// `Error::Data` for the first one if `strict`.
pub(crate) fn count_bad(
    progress: &Progress,
    strict: bool,
    input: &dyn Input,
    first_row: u64,
    bad: &BadRecords,
) -> Result<()> {
    progress.quarantine(bad.tally().docs);
    if let Some(bad) = bad.first().filter(|_| strict) {
        let row = first_row + u64::from(bad.slot);
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
    Ok(())
}

/// Checks the parameter `max_quarantine`.
///
/// # Errors
/// `Error::Parameter` if it is no share.
pub(crate) fn check_share(max_quarantine: f64) -> Result<()> {
    if (0.0..=1.0).contains(&max_quarantine) {
        return Ok(());
    }
    Err(Error::Parameter(format!(
        "max_quarantine is `{max_quarantine}`, but it is a share of the records, from 0 to 1"
    )))
}

/// Makes sure that no more than a share of the `docs` records of `input`, the first one, was set aside. What a validation
/// finds does not count: to find it is what the run is for.
///
/// # Errors
/// `Error::Data` if more was.
pub(crate) fn check_bulk(
    quarantine: &Quarantine,
    docs: u64,
    max_quarantine: f64,
    input: Option<&dyn Input>,
) -> Result<()> {
    let counted = || quarantine.tallies().iter().filter(|(reason, _)| !matches!(reason, Reason::Check(_)));
    let bad: u64 = counted().map(|(_, tally)| tally.docs).sum();
    if bad as f64 <= docs as f64 * max_quarantine {
        return Ok(());
    }
    let reasons: Vec<_> =
        counted().map(|(reason, tally)| format!("{} {}", reason.name(), tally.docs)).collect();
    let most = counted().max_by_key(|(_, tally)| tally.docs);
    let example = most.and_then(|(reason, _)| quarantine.first_of(*reason)).unwrap_or_default();
    let message = format!(
        "{bad} of {docs} records were set aside ({}), more than the share of {max_quarantine} that max_quarantine allows, so \
         nothing was written. The first of the most frequent kind is {example}. Mend the inputs, name other fields, or raise \
         max_quarantine",
        reasons.join(", ")
    );
    Err(Error::data(input.map_or(Path::new("inputs"), Input::path), message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quarantine::BadRecords;
    use crate::record::BadRecord;

    fn bad(reasons: &[Reason]) -> Quarantine {
        let mut unit = BadRecords::default();
        for &reason in reasons {
            unit.push(BadRecord { slot: 0, offset: 0, reason, detail: String::new(), raw: b"", bytes: 1 });
        }
        let mut quarantine = Quarantine::counting();
        quarantine.add("a.jsonl", 0, &unit).unwrap();
        quarantine
    }

    #[test]
    fn a_share_is_a_number_from_0_to_1() {
        for wrong in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(check_share(wrong).unwrap_err().to_string().starts_with("max_quarantine is `"));
        }
        assert!([0.0, 0.5, 1.0].into_iter().all(|share| check_share(share).is_ok()));
    }

    #[test]
    fn more_than_the_share_is_refused_and_findings_do_not_count() {
        use thresher_chat::validate::Code;
        let half = bad(&[Reason::NullText, Reason::InvalidJson]);
        assert!(check_bulk(&half, 4, 0.5, None).is_ok());
        let said = check_bulk(&half, 3, 0.5, None).unwrap_err().to_string();
        assert!(said.contains("2 of 3 records") && said.contains("invalid_json 1, null_text 1"), "{said}");
        assert!(said.contains("is row 0 of `a.jsonl` at byte 0: "), "{said}");
        assert!(check_bulk(&half, 1_000_000, 0.0, None).is_err());
        assert!(check_bulk(&bad(&[]), 0, 0.0, None).is_ok());
        assert!(check_bulk(&bad(&[Reason::Check(Code::NoAssistant)]), 1, 0.0, None).is_ok());
    }
}
