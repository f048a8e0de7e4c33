//! Contamination: which items of benchmarks a training text holds, by the rules of the field.
//!
//! ```text
//! rows of benchmarks ─ items ─ passages ─ n-grams ─> index: filter, table      (once; shared by all threads)
//!                                                      │
//! text ─ words, hashed ─ n-grams ──────────────────────┴─> rule ─> matches and spans ─> dropped, or cut
//! ```
//!
//! [`rule`] says what the rules are, and their sources; [`passages`] what becomes of items that are shorter than an n-gram;
//! [`fuzzy`] how edited items are found; [`cut`] how text is cut. Hashes are keyed by a secret and n-grams are
//! compared word by word, so no text is taken for another. Time is linear in the text; memory of a detector is bounded
//! but for a text that is found, which costs 24 bytes a run of its n-grams. GPT-3 also left aside n-grams that more than
//! ten training documents had; that is not done here, where eleven copies of a leak would make it pass.

mod cut;
mod detect;
mod findings;
mod fuzzy;
mod index;
mod items;
mod passages;
mod rule;
mod table;
mod verdict;

#[cfg(test)]
mod tests;

use thresher_core::Result;
use thresher_core::observe::{Observer, check};
use thresher_core::parallel::{Pool, map};

pub use cut::{Cut, Cutter, GAP};
pub use detect::Detector;
pub use findings::Findings;
pub use index::{Index, Known, Options};
pub use items::{ANSWERS, Benchmark, Field, Fields, Item, PROMPTS, Side};
pub use rule::{RULES, Rule};
pub use verdict::{Match, Verdict};

/// Texts that a thread takes at a time.
const GRAIN: usize = 256;

/// What of the index is in each text, on the threads of the current pool; nothing for clean and for missing texts.
///
/// ```
/// use thresher_core::{Secret, Unobserved};
/// use thresher_filter::contamination::{Benchmark, Field, Index, Item, Options, Rule, Side, check_all};
/// let field = Field { name: "question".into(), side: Side::Prompt, text: "One two three four five six?".into() };
/// let benchmark = Benchmark { name: "b".into(), items: vec![Item { row: 0, fields: vec![field] }] };
/// let options = Options { rule: Rule::named("ngram:5", None)?, fuzzy: false, common: 10 };
/// let drawn = [7; Secret::LEN]; // at random, outside of an example
/// let index = Index::build(&[benchmark], options, &Secret::new(&drawn))?;
/// let found = check_all(&[Some("... one, two, three, four, five!"), None], &index, &Unobserved)?;
/// assert_eq!(found[0].as_ref().map(|found| found.spans.clone()), Some(vec![4..31]));
/// # Ok::<(), thresher_core::Error>(())
/// ```
///
/// # Errors
/// `Error::Cancelled` if the observer wants to stop.
pub fn check_all(
    texts: &[Option<&str>],
    index: &Index,
    observer: &dyn Observer,
) -> Result<Vec<Option<Verdict>>> {
    let parts: Vec<&[Option<&str>]> = texts.chunks(GRAIN).collect();
    let found = map(&Pool, parts.len(), 1, |part| {
        check(observer)?;
        let mut detector = Detector::new(index);
        let of_part: Vec<_> =
            parts[part].iter().map(|text| text.and_then(|text| detector.check(text))).collect();
        let bytes: usize = parts[part].iter().flatten().map(|text| text.len()).sum();
        observer.advance(parts[part].len() as u64, bytes as u64);
        Ok(of_part)
    });
    let mut all = Vec::with_capacity(texts.len());
    for part in found {
        all.extend(part?);
    }
    Ok(all)
}
