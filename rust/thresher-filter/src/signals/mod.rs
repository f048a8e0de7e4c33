//! The signals of a text: numbers by which the filters of the field decide, all of them in one call.
//!
//! ```text
//! text ─ words ─ blocks of 64 bytes: where words are, which have letters        ─┐
//!      ─ joined, hashed: stop words, phrases, runs of words as one slice          ├─ Signals ─ rules
//!      ─ lines: bullets, ends, duplicates, what C4 does with each                 │
//!      ─ n-grams: the most frequent one of 2 to 4 words, duplicates of 5 to 10   ─┘
//! ```
//!
//! A signal follows the tool that its group is named for, to the last bit ([`catalogue`] says what each is): where two
//! tools compute the same rule of a paper differently, and of the repetition of n-grams every tool has its own way, there are two
//! signals. Words are cut at blanks where the tool would ask a model for them (spaCy or NLTK in datatrove), and sentences
//! are counted by punctuation ([`sentences`]).
//!
//! Time is linear in the text, whatever the text; memory is about 24 bytes for each word and the text once more.

mod blocks;
mod c4;
mod catalogue;
mod classes;
mod cuts;
mod dclm;
mod edits;
mod grams;
mod hash;
mod lines;
mod page;
mod redpajama;
mod sentences;
mod words;

use thresher_core::{Error, Result};

pub use c4::C4Lines;
pub use catalogue::{Group, Signal, Signals};
pub use cuts::Cuts;

use self::dclm::Dclm;
use self::hash::Key;
use self::page::{Page, Text};
use self::redpajama::RedPajama;

/// Computes the signals of one text after the other; one for each thread.
///
/// ```
/// use thresher_filter::signals::{Extractor, Group, Signal};
/// let mut extractor = Extractor::new(&[Group::Gopher, Group::FineWeb], 7);
/// let signals = extractor.compute("The cat sat on the mat.\n- and the dog too")?;
/// assert_eq!(signals.get(Signal::GopherBulletLines), 0.5);
/// assert_eq!(signals.get(Signal::FineWebLinePunct), 0.5);
/// assert!(signals.get(Signal::C4Sentences).is_nan());
/// # Ok::<(), thresher_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Extractor {
    groups: u32,
    page: Page,
    dclm: Dclm,
    red_pajama: RedPajama,
    signals: Signals,
}

impl Extractor {
    /// Bytes that a text may have.
    pub const MAX_BYTES: usize = u32::MAX as usize - (1 << 16);

    /// An extractor of some groups; [`Group::Lengths`] is always there. `key` keys the hashes of words: draw it at random, so that
    /// no text can be written that crowds their tables. No signal depends on it, but for collisions of 64-bit hashes.
    #[must_use]
    pub fn new(groups: &[Group], key: u64) -> Self {
        Self::with_c4_lines(groups, key, C4Lines::default())
    }

    /// The same, with another judgement of lines for [`Group::C4`].
    #[must_use]
    pub fn with_c4_lines(groups: &[Group], key: u64, lines: C4Lines) -> Self {
        let groups = groups.iter().fold(Group::Lengths.bit(), |bits, group| bits | group.bit());
        let key = Key::new(key);
        Self {
            groups,
            page: Page::new(key, groups, lines),
            dclm: Dclm::new(key),
            red_pajama: RedPajama::new(key),
            signals: Signals::default(),
        }
    }

    /// The signals of a text.
    ///
    /// # Errors
    /// `Error::Parameter` if the text has more than [`Extractor::MAX_BYTES`].
    pub fn compute(&mut self, text: &str) -> Result<&Signals> {
        let text = check(text)?;
        self.signals = Signals::default();
        self.page.compute(text, &mut self.signals);
        if self.groups & Group::Dclm.bit() != 0 {
            self.dclm.compute(text, &self.page.words, &mut self.signals);
        }
        if self.groups & Group::RedPajama.bit() != 0 {
            self.red_pajama.compute(text, &mut self.signals);
        }
        Ok(&self.signals)
    }

    /// The text as C4 leaves it: the lines it keeps, stripped, without citations. It says nothing of whether the page is kept.
    ///
    /// # Errors
    /// As [`Extractor::compute`].
    pub fn c4_text(&mut self, text: &str) -> Result<String> {
        let text = check(text)?;
        Ok(self.page.c4_text(text))
    }

    /// The text as the line edits of DCLM leave it, empty if they leave nothing.
    ///
    /// # Errors
    /// As [`Extractor::compute`].
    pub fn dclm_text(&mut self, text: &str) -> Result<String> {
        check(text)?;
        Ok(edits::edit(text).into_owned())
    }

    /// The spans that [`Extractor::c4_text`] takes out of a text.
    ///
    /// # Errors
    /// As [`Extractor::compute`].
    pub fn c4_cuts(&mut self, text: &str) -> Result<Cuts> {
        let edited = self.c4_text(text)?;
        Ok(cuts::cuts(text, &edited, |c| classes::is(c, classes::BREAK)))
    }

    /// The spans that [`Extractor::dclm_text`] takes out of a text.
    ///
    /// # Errors
    /// As [`Extractor::compute`].
    pub fn dclm_cuts(&mut self, text: &str) -> Result<Cuts> {
        check(text)?;
        Ok(cuts::cuts(text, &edits::edit(text), |c| c == '\n'))
    }
}

fn check(text: &str) -> Result<Text<'_>> {
    if text.len() <= Extractor::MAX_BYTES {
        return Ok(Text::new(text));
    }
    let (found, allowed) = (text.len(), Extractor::MAX_BYTES);
    Err(Error::Parameter(format!(
        "a text has `{found}` bytes, but signals are computed of up to {allowed}; cut it, or leave it out"
    )))
}

#[cfg(test)]
mod tests;
