//! Damaged parts of a compressed file: what is not to be trusted, and how it is found out in time.
//!
//! A gzip member or zstd frame is checked at its end, when its first rows are long gone through the run; to hold each
//! back until then would take memory for a member of any size, and to decode everything twice, time of every run. So a
//! pass reads on in good faith, and one that comes upon a damaged part gives up ([`Error::Damaged`]). The files are
//! surveyed then: decoded once without a look at the rows, to note which bytes come from damaged parts. The pass begins
//! anew and sets these rows aside. Only a corpus with damage pays for it.
//!
//! [`Error::Damaged`]: crate::Error::Damaged

use std::io;
use std::sync::OnceLock;

use crate::codec::{Fault, FaultKind, Stream};
use crate::input::Break;
use crate::record::Reason;

/// Decoded at a time.
const BLOCK_BYTES: usize = 256 << 10;

/// What is known of the damage in a file; nothing before it was surveyed.
pub(super) type Surveyed = OnceLock<Vec<Damage>>;

/// A stretch of the decoded file that is not to be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Damage {
    start: u64,
    end: u64,
    /// What is wrong.
    pub(super) detail: String,
}

impl Damage {
    /// What a fault that was met at byte `here` means for the bytes before.
    pub(super) fn of(fault: &Fault, here: u64) -> Option<Self> {
        let is_damage = fault.kind == FaultKind::Damaged && fault.from < here;
        is_damage.then(|| {
            let (start, detail) = (fault.from, format!("not to be trusted: {fault}"));
            Self { start, end: here, detail }
        })
    }

    /// What a fault means for the rest of the line before it.
    pub(super) fn break_of(fault: &Fault) -> Break {
        let reason = match fault.kind {
            FaultKind::Truncated => Reason::Truncated,
            FaultKind::Damaged => Reason::DamagedMember,
            FaultKind::Garbage => Reason::TrailingGarbage,
            FaultKind::Unsupported => Reason::UnsupportedCompression,
            FaultKind::Foreign => Reason::Corrupt,
        };
        Break { reason, detail: format!("the compressed data breaks off: {fault}") }
    }

    /// The damage that touches bytes `start..end`, if any does.
    pub(super) fn in_range(all: &[Self], start: u64, end: u64) -> Option<&Self> {
        let first = all.partition_point(|damage| damage.end <= start);
        all.get(first).filter(|damage| damage.start < end)
    }
}

/// Decodes `source` to its end and says what in it is damaged. Nothing is known of it if `go_on`, which is asked before
/// each block, says no.
///
/// # Errors
/// Failures of the system.
pub(super) fn survey(source: &mut dyn Stream, mut go_on: impl FnMut() -> bool) -> io::Result<Vec<Damage>> {
    let (mut damage, mut here) = (Vec::new(), 0);
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        if !go_on() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        match source.read(&mut block) {
            Ok(0) => return Ok(damage),
            Ok(read) => here += read as u64,
            Err(error) => {
                let Some(fault) = Fault::of(&error) else { return Err(error) };
                damage.extend(Damage::of(fault, here));
                if !source.resume()? {
                    return Ok(damage);
                }
            }
        }
    }
}
