//! What a report shows of the data itself: a few texts of the largest clusters, and a few records of each reason to set one
//! aside. Both are bounded in number and in length, whatever the corpus.

use std::sync::{Mutex, PoisonError};

use crate::error::Result;
use crate::record::{BadRecord, Record, Visitor};

/// Characters of a text that are shown.
const CHARACTERS: usize = 400;

/// The start of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Excerpt {
    pub(crate) text: String,
    /// There is more.
    pub(crate) is_cut: bool,
    /// Bytes of the whole.
    pub(crate) bytes: u64,
}

impl Excerpt {
    pub(crate) fn of(text: &str) -> Self {
        let (start, is_cut) = head(text, CHARACTERS);
        Self { text: start.to_owned(), is_cut, bytes: text.len() as u64 }
    }

    /// Of bytes that may be no text.
    pub(crate) fn of_bytes(raw: &[u8], bytes: u64) -> Self {
        // No character has more than four bytes.
        let start = raw.get(..4 * CHARACTERS + 4).unwrap_or(raw);
        let mut excerpt = Self::of(&String::from_utf8_lossy(start));
        excerpt.is_cut |= start.len() < raw.len();
        excerpt.bytes = bytes;
        excerpt
    }
}

/// A record that was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadExhibit {
    pub(crate) reason: &'static str,
    pub(crate) source: String,
    pub(crate) row: u64,
    pub(crate) offset: u64,
    pub(crate) detail: String,
    pub(crate) raw: Excerpt,
}

/// A large cluster: the kept document, and the first of those that went for it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ClusterExhibit {
    pub(crate) size: u64,
    /// Id and text; references are not read again.
    pub(crate) kept: (String, Option<Excerpt>),
    pub(crate) removed: (String, Option<Excerpt>),
    pub(crate) reason: &'static str,
    pub(crate) similarity: f32,
}

/// Everything that a report shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exhibits {
    pub(crate) clusters: Vec<ClusterExhibit>,
    pub(crate) bad: Vec<BadExhibit>,
}

/// Collects the starts of the texts of a few documents while all of them pass by, from any thread.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    /// Ascending.
    docs: Vec<u32>,
    texts: Mutex<Vec<Option<Excerpt>>>,
}

impl Samples {
    /// Wants these documents.
    pub(crate) fn new(mut docs: Vec<u32>) -> Self {
        docs.sort_unstable();
        docs.dedup();
        let texts = vec![None; docs.len()];
        Self { docs, texts: Mutex::new(texts) }
    }

    /// Whether one of these documents, in order, is wanted.
    pub(crate) fn want_any(&self, docs: std::ops::Range<u32>) -> bool {
        self.docs.get(self.docs.partition_point(|&doc| doc < docs.start)).is_some_and(|&doc| doc < docs.end)
    }

    /// Whether a document is wanted.
    pub(crate) fn want(&self, doc: u32) -> bool {
        self.docs.binary_search(&doc).is_ok()
    }

    /// Takes the text of a document, if it is wanted.
    pub(crate) fn take(&self, doc: u32, text: &str) {
        if let Ok(place) = self.docs.binary_search(&doc) {
            self.texts.lock().unwrap_or_else(PoisonError::into_inner)[place] = Some(Excerpt::of(text));
        }
    }

    /// The start of the text of a document, if that passed by.
    pub(crate) fn text(&self, doc: u32) -> Option<Excerpt> {
        let place = self.docs.binary_search(&doc).ok()?;
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)[place].clone()
    }
}

/// The first characters of a text, and whether there are more.
pub(crate) fn head(text: &str, characters: usize) -> (&str, bool) {
    match text.char_indices().nth(characters) {
        Some((end, _)) => (&text[..end], true),
        None => (text, false),
    }
}

/// Hands the wanted records of a unit over; `doc_at` names the document in a slot.
pub(crate) struct SampleVisitor<'s, F> {
    pub(crate) samples: &'s Samples,
    pub(crate) doc_at: F,
}

impl<F: Fn(u32) -> u32> Visitor for SampleVisitor<'_, F> {
    fn record(&mut self, record: Record<'_>) -> Result<()> {
        self.samples.take((self.doc_at)(record.slot), record.text);
        Ok(())
    }

    fn bad(&mut self, _: BadRecord<'_>) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_bounded_and_says_what_is_missing() {
        assert_eq!((head("äöü", 2), head("äöü", 3)), (("äö", true), ("äöü", false)));
        let long = "ü".repeat(100_000);
        let of_text = Excerpt::of(&long);
        assert_eq!(
            (of_text.text.chars().count(), of_text.is_cut, of_text.bytes),
            (CHARACTERS, true, 200_000)
        );
        assert_eq!(Excerpt::of_bytes(long.as_bytes(), 200_001).text, of_text.text);
        let broken = Excerpt::of_bytes(b"a\xffb", 4);
        assert_eq!((&*broken.text, broken.is_cut, broken.bytes), ("a\u{fffd}b", false, 4));
    }

    #[test]
    fn only_what_is_wanted_is_held() {
        let samples = Samples::new(vec![7, 3, 7]);
        assert!(samples.want(3) && samples.want(7) && !samples.want(4));
        assert!(samples.want_any(0..4) && samples.want_any(7..8));
        assert!(!samples.want_any(4..7) && !samples.want_any(8..100));
        samples.take(7, "seven");
        samples.take(4, "four");
        assert_eq!(samples.text(7), Some(Excerpt::of("seven")));
        assert_eq!((samples.text(3), samples.text(4)), (None, None));
    }
}
