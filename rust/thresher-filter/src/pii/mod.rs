//! Personal data and secrets in texts: where they stand, and what takes their place.
//!
//! ```text
//! text ─ 64 bytes at a time: digits, `@`, `:`, `-` ─> what may begin there ─> checks of its standard ─┐
//!      └ beginnings of known keys, all at once ───> token, entropy ───────────────────────────────────┴─> spans
//! spans ─> tag | pseudonym under a key | the document goes
//! ```
//!
//! There are no regular expressions. Each kind has a hand-written check that reads a bounded window around its trigger, or that
//! nothing reads again, so time is linear in the text whatever the text, without a limit that an attacker could reach. What
//! can be computed is: check digits of cards (Luhn), accounts (MOD 97-10) and wallets (SHA-256, Bech32, Keccak-256), the plan of each
//! country for telephone and account numbers, the registry of top-level domains, the ranges of addresses that are routed.
//! Where digits alone do not tell, the word in front of them does ([`context`]).
//!
//! What is reserved for documentation is nobody's, and is not found unless [`Detector::with_reserved`] asks for it: `example.com` and
//! its like (RFC 2606), 192.0.2.0/24 and its like (RFC 5737, RFC 3849), 555-0100 and the drama numbers of other countries, test
//! numbers of cards, `AKIA...EXAMPLE`. Private and other addresses that are not routed are never found, since they say nothing of
//! anybody.

mod batch;
mod calling;
mod card;
mod context;
mod domains;
mod email;
mod groups;
mod iban;
mod identity;
mod kinds;
mod net;
mod number;
mod phone;
mod prefixes;
mod pseudonym;
mod redact;
mod scan;
mod secret;
mod triggers;
mod url;
mod wallet;

pub use batch::{Counts, Redacted, counts, find_all, redact_all};
pub use kinds::{Kind, Kinds, Span};
pub use pseudonym::{Fingerprint, Key};
pub use redact::{Redactor, Tag};

use self::context::Context;
use self::domains::Domains;
use self::scan::Scan;
use self::secret::Secrets;

/// Finds personal data and secrets; one for all threads.
///
/// ```
/// use thresher_filter::pii::{Detector, Kind, Kinds};
/// let detector = Detector::new(Kinds::ALL);
/// let text = "Write to ada@lovelace.org, or call (415) 555-2671.";
/// let found: Vec<_> = detector.find(text).iter().map(|span| (span.kind, &text[span.range()])).collect();
/// assert_eq!(found, [(Kind::Email, "ada@lovelace.org"), (Kind::Phone, "(415) 555-2671")]);
/// ```
#[derive(Debug)]
pub struct Detector {
    kinds: Kinds,
    reserved: bool,
    domains: Domains,
    secrets: Secrets,
}

impl Detector {
    /// A detector of some kinds.
    #[must_use]
    pub fn new(kinds: Kinds) -> Self {
        Self { kinds, reserved: false, domains: Domains::new(), secrets: Secrets::new() }
    }

    /// The same, which finds what is reserved for documentation too.
    #[must_use]
    pub fn with_reserved(mut self, reserved: bool) -> Self {
        self.reserved = reserved;
        self
    }

    /// What stands in a text, in order; spans lie apart, and begin and end between characters.
    #[must_use]
    pub fn find(&self, text: &str) -> Vec<Span> {
        let mut spans = Vec::new();
        self.find_into(text, &mut spans);
        spans
    }

    /// The same, into a list that is cleared first.
    pub fn find_into(&self, text: &str, spans: &mut Vec<Span>) {
        spans.clear();
        let bytes = text.as_bytes();
        Scan {
            text,
            bytes,
            kinds: self.kinds,
            reserved: self.reserved,
            domains: &self.domains,
            context: Context::new(bytes),
            spans,
            done: 0,
            userinfo_end: usize::MAX,
        }
        .run();
        if self.kinds.has(Kind::Secret) {
            self.secrets.find(bytes, self.reserved, spans);
        }
        settle(spans);
    }
}

/// Puts spans in order. Of two that overlap the one that begins first stays, and covers both.
fn settle(spans: &mut Vec<Span>) {
    spans.sort_by_key(|span| (span.start, usize::MAX - span.end));
    spans.dedup_by(|next, last| {
        let overlap = next.start < last.end;
        if overlap {
            last.end = last.end.max(next.end);
        }
        overlap
    });
}

#[cfg(test)]
mod tests;
