//! What every run reports: its inputs, and where each document and byte went.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thresher_core::Tally;

use crate::error::{Error, Result};
use crate::record::Reason;
use crate::runs::source::Source;

/// One input.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InputReport {
    /// Where it is.
    pub path: String,
    /// Its name in ids and outputs.
    pub name: String,
    /// Its format.
    pub format: Cow<'static, str>,
    /// Bytes on disk.
    pub bytes: u64,
    /// Records, bad ones included.
    pub rows: u64,
}

impl InputReport {
    /// The report on an input of `rows` records.
    pub(crate) fn new(source: &Source, rows: u64) -> Self {
        Self {
            path: source.input().path().display().to_string(),
            name: source.input().name().to_owned(),
            format: source.format_name().into(),
            bytes: source.input().size_on_disk(),
            rows,
        }
    }
}

/// Documents and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Documents.
    pub docs: u64,
    /// Bytes.
    pub bytes: u64,
}

/// `in + made = kept + removed + quarantined`, for documents and bytes; and references, where there are any.
#[derive(Clone, Debug, Serialize)]
pub struct Accounting {
    /// Everything that was read.
    #[serde(rename = "in")]
    pub read: Count,
    /// New documents beyond one for each that was read, where a step makes several of one.
    #[serde(skip_serializing_if = "is_zero")]
    pub made: u64,
    /// What is in the output. The bytes are those of what was read.
    pub kept: Count,
    /// What was removed, by reason.
    pub removed: BTreeMap<Cow<'static, str>, Count>,
    /// Documents that only others were compared with.
    #[serde(skip_serializing_if = "Count::is_none")]
    pub references: Count,
    /// What was set aside, by reason.
    pub quarantined: BTreeMap<&'static str, Count>,
    /// Bytes of blank lines and byte order marks, which belong to no document.
    pub blank_bytes: u64,
}

impl Accounting {
    /// Checks the books.
    ///
    /// # Errors
    /// `Error::Internal` if they do not balance.
    pub(crate) fn check(&self) -> Result<()> {
        let parts = || {
            [&self.kept, &self.references]
                .into_iter()
                .chain(self.removed.values())
                .chain(self.quarantined.values())
        };
        let docs: u64 = parts().map(|count| count.docs).sum();
        let bytes: u64 = parts().map(|count| count.bytes).sum::<u64>() + self.blank_bytes;
        if docs == self.read.docs + self.made && bytes == self.read.bytes {
            return Ok(());
        }
        Err(Error::Internal(format!("the books do not balance: {self:?}")))
    }
}

/// Checks books that came as JSON, with the members of [`Accounting`], and gives the kept documents. What is not there is 0.
///
/// # Errors
/// `Error::Internal` if they do not balance.
pub(crate) fn balance(books: &Value) -> Result<u64> {
    let of = |part: Option<&Value>, what: &str| part.and_then(|part| part.get(what)?.as_u64()).unwrap_or(0);
    let sum = |what: &str| {
        let single = ["kept", "references"].map(|member| of(books.get(member), what));
        let maps = ["removed", "quarantined"].map(|member| {
            let reasons = books.get(member).and_then(Value::as_object).into_iter().flatten();
            reasons.map(|(_, count)| u128::from(of(Some(count), what))).sum::<u128>()
        });
        single.into_iter().map(u128::from).sum::<u128>() + maps.into_iter().sum::<u128>()
    };
    let number = |member: &str| u128::from(of(Some(books), member));
    let read = |what: &str| u128::from(of(books.get("in"), what));
    let balances =
        sum("docs") == read("docs") + number("made") && sum("bytes") + number("blank_bytes") == read("bytes");
    if balances && books.is_object() {
        return Ok(of(books.get("kept"), "docs"));
    }
    Err(Error::Internal(format!("the books do not balance: {books}")))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
pub(crate) fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Count {
    /// Whether nothing was counted.
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Adds documents and their bytes.
    pub(crate) fn add(&mut self, docs: u64, bytes: u64) {
        self.docs += docs;
        self.bytes += bytes;
    }
}

impl From<Tally> for Count {
    fn from(tally: Tally) -> Self {
        Self { docs: tally.docs, bytes: tally.bytes }
    }
}

/// What was set aside, by the name of the reason.
pub(crate) fn by_name(quarantined: &BTreeMap<Reason, Tally>) -> BTreeMap<&'static str, Count> {
    quarantined.iter().map(|(reason, tally)| (reason.name(), Count::from(*tally))).collect()
}

/// The most memory that this process has held, from the system; 0 where it does not say.
pub(crate) fn peak_rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn books_that_do_not_balance_are_an_internal_error() {
        let count = |docs, bytes| Count { docs, bytes };
        let mut accounting = Accounting {
            read: count(10, 100),
            made: 0,
            kept: count(6, 50),
            removed: [("exact".into(), count(1, 20)), ("near".into(), count(2, 20))].into(),
            references: Count::default(),
            quarantined: [("invalid_json", count(1, 7))].into(),
            blank_bytes: 3,
        };
        assert!(accounting.check().is_ok());
        let as_json = |accounting: &Accounting| balance(&serde_json::to_value(accounting).unwrap());
        assert_eq!(as_json(&accounting).unwrap(), 6);
        accounting.blank_bytes = 2;
        assert!(matches!(accounting.check(), Err(Error::Internal(_))));
        assert!(matches!(as_json(&accounting), Err(Error::Internal(_))));
        accounting.blank_bytes = 3;
        accounting.kept.docs = 7;
        assert!(accounting.check().is_err() && as_json(&accounting).is_err());
        (accounting.kept.docs, accounting.quarantined) = (6, BTreeMap::new());
        assert!(accounting.check().is_err() && as_json(&accounting).is_err());
    }
}
